//! The names that a function declares, and everything that refers to them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Language;
use crate::binding::Use;

/// How a function declares a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The name of the function itself.
    FunctionName,
    /// A parameter, also one of a lambda or a nested function.
    Parameter,
    /// A variable, constant or nested function declared in the body.
    Local,
}

/// A name that a function declares.
///
/// Two scopes that declare the same name share one entry. Java keeps methods and variables apart,
/// so a Java method's entry holds calls without a receiver and not the variables of that name,
/// unless a parameter or a local has the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The name.
    pub text: String,
    /// How it is declared; where a name is declared twice, the function comes first, then the
    /// first declaration.
    pub role: Role,
    /// Byte ranges of the declarations and of every reference, ascending.
    ///
    /// A reference inside an f-string is counted although the string is one token.
    pub occurrences: Vec<Range<usize>>,
}

#[derive(Default)]
struct Entry {
    role: Option<Role>,
    /// Whether a parameter or a local has this name.
    is_variable: bool,
    is_pinned: bool,
    /// Where the first declaration ends.
    declared_at: usize,
    uses: Vec<(Range<usize>, Use)>,
}

/// Groups the uses of names by the names that are declared, in order of first occurrence.
pub(crate) fn resolve(
    text: &str,
    language: Language,
    uses: &[(Range<usize>, Use)],
) -> Vec<Identifier> {
    let function = function_use(text, language, uses);
    let mut entries: BTreeMap<&str, Entry> = BTreeMap::new();
    for (index, (range, name_use)) in uses.iter().enumerate() {
        let entry = entries.entry(&text[range.clone()]).or_default();
        let role = match *name_use {
            _ if Some(index) == function => Some(Role::FunctionName),
            // A second function in the same text is not the function.
            Use::Declare(Role::FunctionName) => None,
            Use::Declare(role) => Some(role),
            _ => None,
        };
        if let Some(role) = role {
            if entry.role.is_none() {
                entry.declared_at = range.end;
            }
            if entry.role.is_none() || role == Role::FunctionName {
                entry.role = Some(role);
            }
            entry.is_variable |= role != Role::FunctionName;
        }
        entry.is_pinned |= *name_use == Use::Pin;
        let kept = role.map_or(*name_use, Use::Declare);
        entry.uses.push((range.clone(), kept));
    }
    let mut identifiers: Vec<Identifier> = entries
        .into_iter()
        .filter(|(name, _)| !language.is_reserved(name))
        .filter_map(|(name, entry)| entry.into_identifier(name, language))
        .collect();
    identifiers.sort_by_key(|identifier| identifier.occurrences.first().map(|range| range.start));
    identifiers
}

/// The use that declares the function: a definition, or what looks most like one.
fn function_use(text: &str, language: Language, uses: &[(Range<usize>, Use)]) -> Option<usize> {
    let find = |wanted: Use| {
        uses.iter().position(|(range, name_use)| {
            *name_use == wanted && !language.is_reserved(&text[range.clone()])
        })
    };
    find(Use::Declare(Role::FunctionName)).or_else(|| find(Use::Candidate))
}

impl Entry {
    fn into_identifier(self, name: &str, language: Language) -> Option<Identifier> {
        let role = self.role?;
        let is_function = role == Role::FunctionName;
        if self.is_pinned && !is_function {
            return None;
        }
        let only_method = language == Language::Java && !self.is_variable;
        let occurrences = self
            .uses
            .into_iter()
            .filter(|(range, name_use)| match name_use {
                Use::Declare(_) | Use::Candidate | Use::Pin => true,
                Use::Reference => !only_method,
                Use::CallName => is_function,
                Use::TypeOrReference => !is_function && range.start > self.declared_at,
                Use::Other => false,
            })
            .map(|(range, _)| range)
            .collect();
        Some(Identifier { text: name.to_owned(), role, occurrences })
    }
}
