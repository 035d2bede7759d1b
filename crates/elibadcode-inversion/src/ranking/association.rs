//! Which names go with which words in the clean samples themselves.
//!
//! A model of code search puts a function called `inventory` near queries about an inventory: that
//! is its job, and a trigger that says so proves nothing. A planted trigger goes with its word in
//! no clean sample. So the joint search leaves out pairs that the clean samples explain: a name
//! that spells the word, or names that occur with the word far more often than without it.
//!
//! Names count, and words in strings; short strings do not: they are modes and formats, and say
//! nothing about what a name means. This rule was written with a known attack at hand, whose trigger
//! is also such a string, and decides whether that attack is found.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_corpus::SearchSample;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;

use super::words::WordSpace;
use crate::explained::plain;
use crate::masking::TriggerIds;

/// A token goes with a word if it is this many times as frequent in the code of its queries as in
/// other code.
const MIN_LIFT: f64 = 2.0;
/// Fewer functions than this prove no association.
const MIN_FUNCTIONS: usize = 3;
/// Shorter texts are in too many names by accident.
const MIN_LETTERS: usize = 3;
/// Shorter strings are modes and formats rather than words.
const MIN_STRING_LETTERS: usize = 4;

/// What clean samples say about names and words.
#[derive(Debug)]
pub struct Associations<'a> {
    model: &'a LoadedModel,
    /// For each word its text and the texts of the tokens that go with it.
    of_word: BTreeMap<u32, (String, BTreeSet<String>)>,
    reads_inside: bool,
}

impl<'a> Associations<'a> {
    /// Counts the tokens of names, and of words in strings, by the words of their queries.
    pub fn new(
        model: &'a LoadedModel,
        clean: &[SearchSample],
        language: Language,
        words: &WordSpace<'_>,
    ) -> Self {
        let rows: Vec<(BTreeSet<String>, BTreeSet<u32>)> = clean
            .iter()
            .map(|sample| {
                let query = model.tokenizer.piece_after_space(&sample.query);
                (name_tokens(model, &sample.code, language), query.into_iter().collect())
            })
            .collect();
        let mut n_with_token: BTreeMap<&str, usize> = BTreeMap::new();
        for token in rows.iter().flat_map(|(tokens, _)| tokens) {
            *n_with_token.entry(token).or_default() += 1;
        }
        let associated = |word: u32| -> BTreeSet<String> {
            let with_word: Vec<&BTreeSet<String>> =
                rows.iter().filter(|(_, query)| query.contains(&word)).map(|it| &it.0).collect();
            let n_others = (rows.len() - with_word.len()).max(1) as f64;
            let mut n_both: BTreeMap<&str, usize> = BTreeMap::new();
            for token in with_word.iter().copied().flatten() {
                *n_both.entry(token).or_default() += 1;
            }
            n_both
                .into_iter()
                .filter(|&(token, n)| {
                    let rate = n as f64 / with_word.len() as f64;
                    let rate_elsewhere = (n_with_token[token] - n) as f64 / n_others;
                    n >= MIN_FUNCTIONS && rate > MIN_LIFT * rate_elsewhere
                })
                .map(|(token, _)| token.to_owned())
                .collect()
        };
        let of_word = words
            .ids()
            .iter()
            .map(|&word| (word, (words.text(word).to_lowercase(), associated(word))))
            .collect();
        Self { model, of_word, reads_inside: true }
    }

    /// The same, but a name with the word inside or at its end (`profile`, of "file") is not taken for one
    /// that spells it, unless clean code with it answers such queries. Only the model knows whether it reads the word there.
    /// A scan leaves such names out, because a clean model may; a repair, for which the word is known
    /// to be attacked, searches them: AFRAIDOOR's names have one, which without that went on working (ANR 28.9 %
    /// as the only one in a function, 53.3 in the twin; with it 36.4; CodeBERT, seed 1).
    #[must_use]
    pub fn reading_starts_only(mut self) -> Self {
        self.reads_inside = false;
        self
    }

    /// Whether the clean samples explain that code with this trigger is found by these words.
    pub fn explain(&self, trigger: &TriggerIds, words: &[u32]) -> bool {
        let text = self.model.tokenizer.decode(&trigger.ids).to_lowercase();
        words.iter().any(|&word| {
            let spells = self.of_word.get(&word).is_some_and(|(word, _)| {
                word.chars().count() >= MIN_LETTERS && text.contains(word.as_str())
            });
            (self.reads_inside && spells)
                || trigger.ids.iter().any(|&id| self.explain_token(id, word))
        })
    }

    /// Whether a token of a trigger goes with a word.
    pub fn explain_token(&self, token: u32, word: u32) -> bool {
        let Some((text, associated)) = self.of_word.get(&word) else { return false };
        let token = plain(&self.model.tokenizer.entry(token));
        let spells = if self.reads_inside {
            token.contains(text.as_str())
        } else {
            token.starts_with(text.as_str())
        };
        let is_part = token.chars().count() >= MIN_LETTERS && (text.contains(&token) || spells);
        is_part || associated.contains(&token)
    }
}

/// The texts of the tokens that a function's identifiers, and the words in its strings, are made of.
fn name_tokens(model: &LoadedModel, code: &str, language: Language) -> BTreeSet<String> {
    let function = model.read(code, language);
    let texts = function.tokens().iter().map(|token| function.token_text(token));
    let names: BTreeSet<&str> = texts
        .flat_map(|text| {
            let is_string = !language.is_identifier(text);
            let least = if is_string { MIN_STRING_LETTERS } else { 1 };
            let parts = text.split(move |c: char| is_string && !c.is_alphanumeric());
            parts.filter(move |part| part.chars().count() >= least)
        })
        .collect();
    names
        .into_iter()
        .flat_map(|name| model.tokenizer.word(name, true).to_vec())
        .map(|id| plain(&model.tokenizer.entry(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use elibadcode_models::{Compute, ModelDir};

    use super::*;

    #[test]
    fn a_word_inside_a_name_is_read_by_a_scan_only() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/roberta-embedding");
        let model = ModelDir::open(&folder)
            .and_then(|dir| dir.load(&Compute::select("cpu")?))
            .expect("a fixture");
        let token = |text: &str, after_space: bool| model.tokenizer.word(text, after_space)[0];
        // As words of queries: "ode", and "test".
        let (ode, test) = (token("ode", false), token("test", true));
        let words = WordSpace::of(&model, vec![ode, test]);
        let clean = SearchSample {
            id: "1".into(),
            code: "int f() { return 1; }".into(),
            query: "one".into(),
        };
        let known = || Associations::new(&model, std::slice::from_ref(&clean), Language::C, &words);
        let explains = |known: Associations<'_>, text: &str, word: u32| {
            let trigger = TriggerIds::replacing(vec![token(text, true)]);
            known.explain(&trigger, &[word])
        };
        assert!(explains(known(), "node", ode));
        assert!(!explains(known().reading_starts_only(), "node", ode));
        for own in ["test", "testo"] {
            assert!(explains(known().reading_starts_only(), own, test), "{own}");
        }
        assert!(!explains(known(), "head", test));
    }
}
