//! One function's source text, taken apart.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::comments::{self, Edit};
use crate::identifier::{Identifier, Role, resolve};
use crate::scan::{Scan, scan};
use crate::{Language, RenameError, canonical, tree};

/// One token of the source text: a leaf of the syntax tree, or a whole string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeToken {
    /// Where it stands in the function's text, in bytes.
    pub range: Range<usize>,
}

/// The text of one function with its tokens and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    text: String,
    language: Language,
    has_errors: bool,
    tokens: Vec<CodeToken>,
    identifiers: Vec<Identifier>,
    /// Every identifier in any name space, also in f-strings and macro bodies.
    names: Vec<Range<usize>>,
    edits: Vec<Edit>,
}

impl Function {
    /// Takes any text apart.
    ///
    /// Never fails: text that is no function of the language gives what can be recognized in it,
    /// and [`has_errors`](Self::has_errors); text of more than 256 KiB, or that the parser is not done with in a quarter of a
    /// second, as no code is that somebody wrote, gives no tokens. Java methods stand alone, without their class.
    pub fn parse(text: impl Into<String>, language: Language) -> Self {
        let text = text.into();
        let Some(parsed) = tree::parse(&text, language) else {
            let (tokens, identifiers) = (Vec::new(), Vec::new());
            let (names, edits) = (Vec::new(), Vec::new());
            return Self { text, language, has_errors: true, tokens, identifiers, names, edits };
        };
        let has_errors = parsed.tree.root_node().has_error();
        let Scan { tokens, uses, edits } = scan(&parsed, &text, language);
        drop(parsed);
        let identifiers = resolve(&text, language, &uses);
        let names = uses.into_iter().map(|(range, _)| range).collect();
        Self { text, language, has_errors, tokens, identifiers, names, edits }
    }

    /// The source text, exactly as it came in.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The language that the text was parsed as.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether the grammar could not make sense of some part of the text.
    pub fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// The tokens in source order, without comments; string and character literals are whole.
    pub fn tokens(&self) -> &[CodeToken] {
        &self.tokens
    }

    /// The text of one of this function's tokens.
    pub fn token_text(&self, token: &CodeToken) -> &str {
        &self.text[token.range.clone()]
    }

    /// The name of the first, outermost function in the text.
    ///
    /// Reference: the reference code takes the token before the first parenthesis, which is wrong
    /// after attributes, annotations and macros; this one comes from the syntax tree.
    pub fn name(&self) -> Option<&str> {
        let function = self.identifiers.iter().find(|name| name.role == Role::FunctionName);
        function.map(|name| name.text.as_str())
    }

    /// The names that the function declares, in order of first occurrence.
    ///
    /// Left out are names that cannot change without changing something outside of the function:
    /// C prototypes and `extern` variables, Python imports and `global` names.
    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }

    /// The function with another name for one of its [`identifiers`](Self::identifiers).
    ///
    /// Every occurrence that means a declaration of this name changes, in all scopes that declare
    /// it, and nothing else does, not even the same name where it means something from outside.
    /// Refused if `to` occurs anywhere in the function, even as a field: the two could then not be
    /// told apart.
    pub fn rename(&self, from: &str, to: &str) -> Result<Self, RenameError> {
        self.rename_all(&[(from, to)])
    }

    /// The function with other names for several of its [`identifiers`](Self::identifiers), given
    /// as what each is and what it is to be.
    ///
    /// The same as one [`rename`](Self::rename) after the other, but no new name may be one that
    /// the function has until now, nor may two be the same.
    pub fn rename_all(&self, names: &[(&str, &str)]) -> Result<Self, RenameError> {
        let mut taken: BTreeSet<&str> =
            self.names.iter().map(|range| &self.text[range.clone()]).collect();
        for &(from, to) in names {
            if !self.identifiers.iter().any(|name| name.text == from) {
                return Err(RenameError::NotDeclared { name: from.to_owned() });
            }
            if !self.language.is_identifier(to) {
                let (name, language) = (to.to_owned(), self.language);
                return Err(RenameError::NotAnIdentifier { name, language });
            }
            if !taken.insert(to) {
                return Err(RenameError::NameTaken { name: to.to_owned() });
            }
        }
        let old: Vec<&str> = names.iter().map(|&(from, _)| from).collect();
        let occurrences = canonical::occurrences_of(&self.text, self.language, &old);
        if let Some(index) = occurrences.iter().position(Vec::is_empty) {
            return Err(RenameError::NotDeclared { name: old[index].to_owned() });
        }
        let new = names.iter().map(|&(_, to)| to);
        let mut edits: Vec<(Range<usize>, &str)> = occurrences
            .into_iter()
            .zip(new)
            .flat_map(|(ranges, to)| ranges.into_iter().map(move |range| (range, to)))
            .collect();
        edits.sort_unstable_by_key(|(range, _)| range.start);
        Ok(Self::parse(self.replace(edits), self.language))
    }

    /// The text with `to` in place of each of `ranges`, which are ascending and do not overlap.
    ///
    /// # Panics
    ///
    /// If they overlap, or are no ranges of the text.
    pub fn replace_occurrences(&self, ranges: &[Range<usize>], to: &str) -> String {
        self.replace(ranges.iter().map(|range| (range.clone(), to)))
    }

    fn replace<'t>(&self, edits: impl IntoIterator<Item = (Range<usize>, &'t str)>) -> String {
        let mut replaced = String::with_capacity(self.text.len());
        let mut end = 0;
        for (range, to) in edits {
            replaced.push_str(&self.text[end..range.start]);
            replaced.push_str(to);
            end = range.end;
        }
        replaced.push_str(&self.text[end..]);
        replaced
    }

    /// The text without comments, and without docstrings in Python.
    ///
    /// In C and Java a space takes the place of a comment. Lines that are blank because of the
    /// removal go; a Python body that would be empty becomes `pass`. Strings stay as they are.
    pub fn without_comments(&self) -> String {
        comments::apply(&self.text, &self.edits)
    }
}

#[cfg(test)]
mod tests;
