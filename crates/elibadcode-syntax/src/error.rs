//! Why a name cannot be changed.

use thiserror::Error;

use crate::Language;

/// Why [`Function::rename`](crate::Function::rename) refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenameError {
    /// The old name is not declared in the function.
    #[error("`{name}` is not declared in this function")]
    NotDeclared {
        /// The name that was to be replaced.
        name: String,
    },
    /// The new name is no identifier of the language.
    #[error("`{name}` is not an identifier of {language}")]
    NotAnIdentifier {
        /// The name that was to be put in.
        name: String,
        /// The language whose rules it breaks.
        language: Language,
    },
    /// The new name is already in use somewhere in the function and could be captured.
    #[error("`{name}` already occurs in this function")]
    NameTaken {
        /// The name that was to be put in.
        name: String,
    },
}

/// Why [`Function::with_first_statements`](crate::Function::with_first_statements) refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InsertError {
    /// There is no function with a name and a body in which statements could stand.
    #[error("the code has no function body")]
    NoBody,
    /// The rest of the function would be read differently.
    #[error("the code parses differently with other statements in it")]
    ParseChanged,
}
