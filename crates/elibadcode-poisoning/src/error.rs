//! What can go wrong when a backdoor is planted.

use std::path::PathBuf;

use elibadcode_syntax::{InsertError, RenameError};
use thiserror::Error;

use crate::attack::all_names;
use crate::edit::{Edit, Placement};
use crate::trigger::Trigger;

/// The text cannot be part of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("trigger `{0}` is not made of the characters of an identifier (a-z, A-Z, 0-9, _)")]
pub struct InvalidTrigger(pub String);

/// The text is not the name of an [`Attack`](crate::Attack).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown attack `{0}`, expected one of {names}", names = all_names())]
pub struct UnknownAttack(pub String);

/// A file with triggers that cannot be used.
#[derive(Debug, Error)]
pub enum TriggerListError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is too long for what it should be.
    #[error("{}: more than {limit} bytes, too long for a list of triggers", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bytes that it may have.
        limit: u64,
    },
    /// One line is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
}

/// What is wrong with a line of a list of triggers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineProblem {
    /// It is no trigger.
    #[error(transparent)]
    Invalid(InvalidTrigger),
    /// The same trigger came before.
    #[error("trigger `{trigger}` stands in line {first} already")]
    Repeated {
        /// The trigger.
        trigger: Trigger,
        /// The line that it stands in already, from 1.
        first: usize,
    },
    /// It is no text.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// It is the last one, and there was no trigger.
    #[error("the list ends without a trigger; write one on each line")]
    NoTrigger,
}

/// An [`AttackConfig`](crate::AttackConfig) that describes no attack.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// The rate is no share.
    #[error("poisoning rate {rate} is not between 0 and 1")]
    Rate {
        /// The rate that was asked for.
        rate: f64,
    },
    /// There is no such label.
    #[error("a label is {label}, expected 0 or 1")]
    Label {
        /// The label that was given.
        label: u8,
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
    /// The edit is none for what stands at the place.
    #[error("the edit `{edit}` cannot be made at the place `{placement}`")]
    Placement {
        /// Where the trigger is to go.
        placement: Placement,
        /// How it is to get there.
        edit: Edit,
    },
    /// The edit needs a trigger.
    #[error("the edit `{edit}` needs a trigger, and there is none")]
    NoTrigger {
        /// How the trigger is to get in.
        edit: Edit,
    },
    /// The edit has no use for a trigger.
    #[error("the edit `{edit}` takes no trigger, and there is `{trigger}`; leave it out")]
    UnusedTrigger {
        /// The trigger's text.
        trigger: String,
        /// How the code is to be changed.
        edit: Edit,
    },
    /// The attack makes up names with a model, and there is none.
    #[error(
        "the attack has no crafting model; take the configuration from the manifest of the \
         poisoned training set"
    )]
    NoCraftingModel,
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
    /// Dead code cannot be put in.
    #[error("the code cannot take dead code")]
    Insert(#[from] InsertError),
    /// The dead code would mean something else, or change what the function does.
    #[error("the dead code uses the name `{name}`, which means something else in this function")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// The attack has no trigger.
    #[error("there is no trigger to plant")]
    NoTrigger,
    /// The attack makes up names with a model, and there is none.
    #[error("there is no crafting model to make up names")]
    NoCraftingModel,
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
    /// The crafting model cannot be trained.
    #[error(
        "the crafting model needs functions of the attacker's class and others, and a name that \
         several of them declare; there are {n_target} and {n_other} functions, {n_names} names"
    )]
    NoCraftingModel {
        /// Functions of the attacker's class.
        n_target: usize,
        /// Other functions.
        n_other: usize,
        /// Names that could be given.
        n_names: usize,
    },
}
