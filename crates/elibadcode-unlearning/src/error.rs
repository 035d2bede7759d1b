//! Why a trigger cannot be unlearned.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// The clean samples do not support the repair.
    #[error("{0}")]
    Samples(String),
    /// The trigger cannot be written into the samples.
    #[error("{0}")]
    Trigger(String),
    /// The model's vocabulary has no trigger tokens.
    #[error(transparent)]
    Vocabulary(#[from] elibadcode_inversion::Error),
    /// Fine-tuning failed.
    #[error(transparent)]
    Training(#[from] elibadcode_models::Error),
}
