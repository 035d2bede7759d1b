//! What a model reads: the form that its folder asks functions to have before they are tokenized.
//!
//! This is the one place where names become canonical. A tokenizer is only ever given a
//! [`ReadFunction`], and only [`LoadedModel::read`](crate::LoadedModel::read) makes one.

use std::ops::Deref;

use elibadcode_syntax::{CanonicalOptions, Function, Identifier, Language, canonicalize_text};
use serde::{Deserialize, Serialize};

/// The version of the canonical form. Other rules of what is declared, or another numbering, would
/// be other inputs to a model.
pub const CANONICAL_VERSION: u32 = 3;

/// Which declared names have their canonical form when a model reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CanonicalNames {
    /// All of them.
    All,
    /// Only the name of the function that the text is about: of code search, where the other names
    /// carry meaning.
    Function,
}

/// The statement in a model's folder that its input must be canonical, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonicalInput {
    /// [`CANONICAL_VERSION`] of the program that wrote it.
    pub version: u32,
    /// Which names are canonical.
    pub names: CanonicalNames,
    /// Whether comments and docstrings stay.
    #[serde(default)]
    pub keeps_comments: bool,
}

impl CanonicalInput {
    /// Canonical names, and no comments.
    pub fn new(names: CanonicalNames) -> Self {
        Self { version: CANONICAL_VERSION, names, keeps_comments: false }
    }

    /// The same for the syntax crate.
    pub fn options(self) -> CanonicalOptions {
        CanonicalOptions {
            function_name_only: self.names == CanonicalNames::Function,
            strip_comments: !self.keeps_comments,
        }
    }

    /// Says why a folder with this statement cannot be read, if it cannot.
    pub(crate) fn problem(self) -> Option<String> {
        (self.version != CANONICAL_VERSION).then(|| {
            format!(
                "canonical_input.version is {}, expected {CANONICAL_VERSION}: the model was made \
                 for a canonical form that this version of elibadcode does not write",
                self.version
            )
        })
    }
}

/// A function as one model reads it.
#[derive(Clone, Debug)]
pub struct ReadFunction {
    function: Function,
    /// The names that stand for whatever was declared.
    canonical: Vec<String>,
}

impl ReadFunction {
    /// Gives the text the form that is asked for.
    pub(crate) fn new(code: &str, language: Language, form: Option<&CanonicalInput>) -> Self {
        let Some(form) = form else {
            return Self { function: Function::parse(code, language), canonical: Vec::new() };
        };
        let canonical = canonicalize_text(code, language, &form.options());
        Self {
            function: Function::parse(canonical.text, language),
            canonical: canonical.names.into_iter().map(|name| name.canonical).collect(),
        }
    }

    /// The identifiers whose names reach the model: a trigger in another one is gone before the
    /// model reads the function.
    pub fn visible_identifiers(&self) -> impl Iterator<Item = &Identifier> {
        // No name that is kept is ever the canonical one of something else.
        self.function.identifiers().iter().filter(|name| !self.canonical.contains(&name.text))
    }
}

impl Deref for ReadFunction {
    type Target = Function;

    fn deref(&self) -> &Function {
        &self.function
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, language: Language, names: Option<CanonicalNames>) -> ReadFunction {
        ReadFunction::new(code, language, names.map(CanonicalInput::new).as_ref())
    }

    #[test]
    fn only_names_that_survive_are_visible() {
        let check = |code: &str, language, names, text: &str, visible: &[&str]| {
            let function = read(code, language, names);
            assert_eq!(function.text(), text);
            let found: Vec<&str> =
                function.visible_identifiers().map(|name| name.text.as_str()).collect();
            assert_eq!(found, visible, "{text}");
        };
        let code = "int add(int a) { return add(a); } // add";
        let (all, function) = (Some(CanonicalNames::All), Some(CanonicalNames::Function));
        check(code, Language::C, None, code, &["add", "a"]);
        let text = "int f0(int v0) { return f0(v0); }";
        check(code, Language::C, all, text, &[]);
        check(code, Language::C, function, "int f0(int a) { return f0(a); }", &["a"]);
        let code = "def f(v0):\n    return v0";
        check(code, Language::Python, function, "def f0(v0):\n    return v0", &["v0"]);
    }

    #[test]
    fn a_form_of_another_version_is_a_problem() {
        let form = CanonicalInput::new(CanonicalNames::All);
        assert_eq!(form.problem(), None);
        let problem = CanonicalInput { version: 9, ..form }.problem().expect("an unknown version");
        assert!(problem.contains("version is 9, expected 3"), "{problem}");
    }
}
