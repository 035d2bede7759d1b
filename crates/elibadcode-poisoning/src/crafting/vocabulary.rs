//! The words that the crafting model knows, and the names among them that it may give.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_syntax::{Function, Language};

use super::MAX_TOKENS;
use crate::rename::variables;

/// Id of a token that the model does not know, and of a variable in a program sketch.
pub(super) const UNKNOWN: usize = 0;

/// Names that the model may give.
const MAX_NAMES: usize = 500;
/// Other tokens that the model knows.
const MAX_OTHERS: usize = 1000;
/// Functions that a token has to be in.
const MIN_FUNCTIONS: usize = 3;

/// Tokens by id, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vocabulary {
    tokens: Vec<String>,
    /// The first tokens are names.
    n_names: usize,
    ids: BTreeMap<String, usize>,
}

/// A function without the names of its variables.
pub(super) struct Sketch {
    /// `[seq]`.
    pub(super) ids: Vec<usize>,
    /// Each variable with its places among them.
    pub(super) variables: Vec<(String, Vec<usize>)>,
}

impl Vocabulary {
    /// `names` and `others` together have no token twice.
    pub(super) fn new(names: Vec<String>, others: Vec<String>) -> Self {
        let n_names = names.len();
        let tokens: Vec<String> = names.into_iter().chain(others).collect();
        let ids = tokens.iter().enumerate().map(|(index, it)| (it.clone(), index + 1)).collect();
        Self { tokens, n_names, ids }
    }

    /// Takes the names that the most functions declare, and the tokens that the most have.
    pub(super) fn of(functions: &[Function], language: Language) -> Self {
        let mut n_declaring: BTreeMap<&str, usize> = BTreeMap::new();
        let mut n_having: BTreeMap<&str, usize> = BTreeMap::new();
        for function in functions {
            for variable in variables(function) {
                *n_declaring.entry(&variable.text).or_default() += 1;
            }
            let tokens: BTreeSet<&str> =
                function.tokens().iter().map(|token| function.token_text(token)).collect();
            for token in tokens {
                *n_having.entry(token).or_default() += 1;
            }
        }
        n_declaring.retain(|name, _| language.is_identifier(name));
        let names = most_frequent(&n_declaring, MAX_NAMES);
        let are_names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        // White space separates a token from its weights in the manifest.
        n_having
            .retain(|token, _| !are_names.contains(token) && !token.contains(char::is_whitespace));
        Self::new(names.clone(), most_frequent(&n_having, MAX_OTHERS))
    }

    /// Tokens, and the unknown one.
    pub(super) fn len(&self) -> usize {
        self.tokens.len() + 1
    }

    /// The names that the model may give, with their ids.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = (usize, &str)> {
        self.tokens[..self.n_names].iter().enumerate().map(|(index, it)| (index + 1, it.as_str()))
    }

    /// The other tokens that it knows, with their ids.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, &str)> {
        let ids = self.n_names + 1..;
        ids.zip(&self.tokens[self.n_names..]).map(|(id, it)| (id, it.as_str()))
    }

    /// The program sketch: the function's tokens with unknown ones for all variables.
    pub(super) fn sketch(&self, function: &Function) -> Sketch {
        let mut ids = self.encode(function);
        let starts: Vec<usize> =
            function.tokens().iter().take(MAX_TOKENS).map(|token| token.range.start).collect();
        let variables: Vec<(String, Vec<usize>)> = variables(function)
            .map(|it| {
                let places = it.occurrences.iter();
                let places = places.filter_map(|range| starts.binary_search(&range.start).ok());
                (it.text.clone(), places.collect())
            })
            .filter(|(_, places): &(String, Vec<usize>)| !places.is_empty())
            .collect();
        for &place in variables.iter().flat_map(|(_, places)| places) {
            ids[place] = UNKNOWN;
        }
        Sketch { ids, variables }
    }

    /// The ids of the function's tokens: `[seq]`, at most [`MAX_TOKENS`].
    pub(super) fn encode(&self, function: &Function) -> Vec<usize> {
        let tokens = function.tokens().iter().take(MAX_TOKENS);
        tokens
            .map(|token| self.ids.get(function.token_text(token)).copied().unwrap_or(UNKNOWN))
            .collect()
    }
}

/// The `n` words with the highest counts; of words with the same count, the first ones.
fn most_frequent(counts: &BTreeMap<&str, usize>, n: usize) -> Vec<String> {
    let mut words: Vec<(&str, usize)> = counts
        .iter()
        .map(|(word, count)| (*word, *count))
        .filter(|(_, count)| *count >= MIN_FUNCTIONS)
        .collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    words.into_iter().take(n).map(|(word, _)| word.to_owned()).collect()
}
