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
    /// A step that a repair shares with a scan failed.
    #[error(transparent)]
    Inversion(#[from] elibadcode_inversion::Error),
    /// The model cannot be asked this, or fine-tuning failed.
    #[error(transparent)]
    Model(#[from] elibadcode_models::Error),
}
