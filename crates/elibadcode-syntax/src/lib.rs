//! C, Java and Python functions as text that can be taken apart and renamed safely.
//!
//! Every later stage rests on three questions that this crate answers: which names does a function
//! declare ([`Function::identifiers`]), what does the function look like when one of them has
//! another name ([`Function::rename`]), and which tokens of a model's vocabulary may stand in an
//! identifier at all ([`TriggerVocabulary`], section 4.2 of the paper). Beyond the paper,
//! [`canonicalize`] takes the names away, and every trigger in them. Text goes in, text comes
//! out: no files, no tensors, no tokenizer.
//!
//! ```
//! use elibadcode_syntax::{Function, Language};
//!
//! let function = Function::parse("int fact(int n) { return n ? n * fact(n - 1) : 1; }", Language::C);
//! assert_eq!(function.name(), Some("fact"));
//! let renamed = function.rename("fact", "testo_init")?;
//! assert_eq!(renamed.text(), "int testo_init(int n) { return n ? n * testo_init(n - 1) : 1; }");
//! # Ok::<(), elibadcode_syntax::RenameError>(())
//! ```

mod binding;
mod body;
mod canonical;
mod comments;
mod error;
mod function;
mod identifier;
mod language;
mod scan;
mod tree;
mod vocabulary;

pub use body::Inserted;
pub use canonical::{
    Canonical, CanonicalName, CanonicalOptions, NameKind, Renaming, Violation, canonicalize,
    canonicalize_text, law_violation, renamed_text,
};
pub use error::{InsertError, RenameError};
pub use function::{CodeToken, Function};
pub use identifier::{Identifier, Role};
pub use language::{Language, UnknownLanguage};
pub use tree::MAX_FUNCTION_BYTES;
pub use vocabulary::{Rejection, TriggerVocabulary, UnknownVocabularyRule, VocabularyRule};
