//! Why a scan cannot be made.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// The clean samples do not support a scan.
    #[error("{0}")]
    Samples(String),
    /// No clean sample has an identifier: these are no functions.
    #[error("{0}")]
    NoPlace(String),
    /// The vocabulary has no legal trigger.
    #[error("{0}")]
    Vocabulary(String),
    /// Every slot of the trigger was dropped (defect D7.5: the reference goes on with an empty
    /// trigger).
    #[error(
        "anchoring dropped all {n_slots} slots of the trigger: no slot changes the loss by more \
         than {threshold}"
    )]
    EmptyAnchor {
        /// Slots before anchoring.
        n_slots: usize,
        /// The threshold of the configuration.
        threshold: f64,
    },
    /// The model is not one of the task.
    #[error(transparent)]
    Model(#[from] elibadcode_models::Error),
}
