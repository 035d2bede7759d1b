//! What an identifier does at one place: declare a name, refer to one, or neither.

pub(crate) mod c;
mod java;
mod python;

use crate::Language;
use crate::identifier::Role;
use crate::tree::Step;

/// What one occurrence of an identifier does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Declares a name of the function.
    Declare(Role),
    /// Refers to a name; also declares the function if nothing else does.
    Candidate,
    /// Refers to a name.
    Reference,
    /// A type by its place in the tree, but a variable if one of that name is declared before.
    TypeOrReference,
    /// Calls a function in a language where functions have names of their own.
    CallName,
    /// Ties the name to something outside of the function, so that it must not change.
    Pin,
    /// Neither: a field, a label, a type, a keyword argument.
    Other,
}

/// What the identifier at the end of `path` does.
pub(crate) fn classify(language: Language, path: &[Step<'_>], source: &str) -> Use {
    match language {
        Language::C => c::classify(path, source),
        Language::Java => java::classify(path),
        Language::Python => python::classify(path),
    }
}

/// The last two steps above the identifier: its parent and the parent's parent.
fn parents<'p, 't>(path: &'p [Step<'t>]) -> (Option<&'p Step<'t>>, Option<&'p Step<'t>>) {
    let mut above = path.iter().rev().skip(1);
    (above.next(), above.next())
}
