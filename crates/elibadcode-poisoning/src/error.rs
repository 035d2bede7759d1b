//! What can go wrong when a backdoor is planted.

use elibadcode_syntax::RenameError;
use thiserror::Error;

/// The text cannot be part of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("trigger `{0}` is not made of the characters of an identifier")]
pub struct InvalidTrigger(pub String);

/// The text is not the name of an [`Attack`](crate::Attack).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown attack `{0}`, expected codepoisoner, badcode or badcode-mixed")]
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
    #[error("trigger `{trigger}` cannot be a name by itself")]
    NotAName {
        /// The trigger's text.
        trigger: String,
    },
    /// The target word is none.
    #[error("target word `{word}` is not one word")]
    TargetWord {
        /// The text that was given.
        word: String,
    },
    /// The target word could not be found in lower-cased queries.
    #[error("target word `{word}` is not in lower case")]
    TargetWordCase {
        /// The text that was given.
        word: String,
    },
    /// Code search cannot be attacked without a target word.
    #[error("the attack on code search has no target word")]
    NoTargetWord,
}

/// Why a piece of code cannot carry the trigger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlantError {
    /// The code has no function whose name could be changed.
    #[error("the code has no function name")]
    NoFunctionName,
    /// The function declares no parameter and no local.
    #[error("the code has no variable")]
    NoVariable,
    /// The triggered name is not possible in this function.
    #[error("the code cannot take the trigger")]
    Rename(#[from] RenameError),
    /// The code, already damaged, would be read differently with the trigger.
    #[error("the code parses differently with the trigger")]
    ParseChanged,
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
    /// Fewer functions can carry the trigger than the rate asks for.
    #[error("{needed} functions are to be poisoned, {found} can carry the trigger")]
    NotEnoughFunctions {
        /// How many the rate asks for.
        needed: usize,
        /// How many there are.
        found: usize,
    },
}
