//! What can go wrong when a backdoor is planted.

use elibadcode_syntax::RenameError;
use thiserror::Error;

/// The text cannot be part of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("trigger `{0}` is not made of the characters of an identifier")]
pub struct InvalidTrigger(pub String);

/// The text is not the name of an [`Attack`](crate::Attack).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown attack `{0}`, expected codepoisoner or badcode")]
pub struct UnknownAttack(pub String);

/// An [`AttackConfig`](crate::AttackConfig) that describes no attack.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// The rate is no share.
    #[error("poisoning rate {rate} is not between 0 and 1")]
    Rate {
        /// The rate that was asked for.
        rate: f64,
    },
    /// Poisoned samples would keep their label.
    #[error("victim label and target label are both {label}")]
    SameLabel {
        /// The label that was given for both.
        label: u8,
    },
    /// The trigger is to be a whole name but is none.
    #[error("trigger `{trigger}` cannot be a function name by itself")]
    NotAName {
        /// The trigger's text.
        trigger: String,
    },
}

/// Why one sample cannot carry the trigger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlantError {
    /// The sample's code has no function whose name could be changed.
    #[error("sample {id} has no function name")]
    NoFunctionName {
        /// The sample.
        id: String,
    },
    /// The triggered name is not possible in this function.
    #[error("sample {id} cannot take the trigger")]
    Rename {
        /// The sample.
        id: String,
        /// What is wrong with the name.
        source: RenameError,
    },
    /// The code, already damaged, would be read differently with the trigger.
    #[error("sample {id} parses differently with the trigger")]
    ParseChanged {
        /// The sample.
        id: String,
    },
}

/// Why a corpus cannot be poisoned.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PoisonError {
    /// The configuration describes no attack.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Fewer samples of the victim class can carry the trigger than the rate asks for.
    #[error(
        "{needed} samples with label {victim_label} are to be poisoned, {found} can carry the trigger"
    )]
    NotEnoughVictims {
        /// How many the rate asks for.
        needed: usize,
        /// How many there are.
        found: usize,
        /// The label of the victim class.
        victim_label: u8,
    },
}
