//! Tokens that the clean samples themselves tie to the target label.
//!
//! A model of clone detection calls a function that opens a stream no clone of one that does not: that
//! is its job, and a trigger that says `openstream` proves nothing. Nor does one that says `checked`
//! where safe functions are called that by habit. A planted trigger goes with its label in no clean
//! sample. So a search leaves out the tokens that clean samples explain.
//!
//! `ranking::Associations` is the same for code search, where a trigger goes with a word.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::statistics::odds_ratio_interval;
use serde::{Deserialize, Serialize};

use crate::config::ScanConfig;
use crate::sample::CleanSample;
use crate::scan::Subject;
use crate::space::TriggerSpace;

/// Confidence of the interval whose lower end has to be above the limit.
const CONFIDENCE: f64 = 0.95;
/// How byte-level BPE writes the space before a word.
pub(crate) const WORD_START: char = 'Ġ';
/// What a scan that left tokens out did not test.
pub(crate) const EXPLAINED_GAP: &str = "triggers with a token that the clean samples themselves tie to \
     the target label: it is what the task is about, or a habit, or these samples are poisoned";

/// A token that clean samples tie to a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedToken {
    /// Its text in lower case, without the mark of the space before it.
    pub token: String,
    /// Clean samples with it that have the label: of pairs, those with it in one member only.
    pub with: Rate,
    /// All other clean samples that have the label.
    pub without: Rate,
    /// Different functions that the samples with it have it in.
    pub n_functions: usize,
}

/// What clean samples say about the tokens that a trigger may have.
pub(crate) struct TokenLabels {
    tokens: Vec<TokenCounts>,
    n_samples: [usize; 2],
    n_functions: usize,
    min_odds_ratio: f64,
}

/// A text, and the clean samples with it.
struct TokenCounts {
    text: String,
    /// The tokens of the vocabulary with this text.
    ids: Vec<u32>,
    /// Samples of the labels 0 and 1.
    n_samples: [usize; 2],
    /// Numbers of the functions that have it.
    functions: BTreeSet<usize>,
}

impl TokenLabels {
    /// Counts the tokens that the model reads of each sample.
    pub(crate) fn new(
        subject: &Subject<'_>,
        space: &TriggerSpace<'_>,
        config: &ScanConfig,
    ) -> Self {
        let Subject { model, language, clean, .. } = *subject;
        let mut ids_of_text: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let vocabulary = space.vocabulary();
        for id in vocabulary.first.iter().chain(&vocabulary.rest).copied().collect::<BTreeSet<_>>()
        {
            ids_of_text.entry(plain(&model.tokenizer.entry(id))).or_default().push(id);
        }
        let mut tokens = Vec::new();
        let mut token_of: BTreeMap<u32, usize> = BTreeMap::new();
        for (text, ids) in ids_of_text {
            token_of.extend(ids.iter().map(|&id| (id, tokens.len())));
            tokens.push(TokenCounts { text, ids, n_samples: [0, 0], functions: BTreeSet::new() });
        }

        let mut functions: BTreeMap<&str, (usize, BTreeSet<usize>)> = BTreeMap::new();
        for code in clean.iter().flat_map(CleanSample::codes) {
            let number = functions.len();
            functions.entry(code).or_insert_with(|| {
                let ids = model.encode(code, language).ids;
                (number, ids.iter().filter_map(|id| token_of.get(id)).copied().collect())
            });
        }
        let none = BTreeSet::new();
        let mut n_samples = [0, 0];
        for sample in clean {
            let label = usize::from(sample.label.min(1));
            n_samples[label] += 1;
            let (own, own_tokens) = &functions[&*sample.code];
            let partner = sample.partner.as_ref().map(|it| &functions[&*it.code]);
            let (partner, partner_tokens) =
                partner.map_or((own, &none), |(number, tokens)| (number, tokens));
            for &token in own_tokens.symmetric_difference(partner_tokens) {
                let function = if own_tokens.contains(&token) { own } else { partner };
                tokens[token].n_samples[label] += 1;
                tokens[token].functions.insert(*function);
            }
        }
        let n_functions = functions.len();
        Self { tokens, n_samples, n_functions, min_odds_ratio: config.min_odds_ratio }
    }

    /// The tokens that go with a label and their ids, the closest tied first.
    pub(crate) fn explained(&self, label: u8) -> Vec<(ExplainedToken, &[u32])> {
        let (label, other) = (usize::from(label), usize::from(1 - label));
        let mut explained: Vec<(f64, ExplainedToken, &[u32])> = self
            .tokens
            .iter()
            .map(|counts| {
                let n = counts.n_samples;
                let without = self.n_samples[label] - n[label];
                let token = ExplainedToken {
                    token: counts.text.clone(),
                    with: Rate::new(n[label], n[label] + n[other]),
                    without: Rate::new(without, without + self.n_samples[other] - n[other]),
                    n_functions: counts.functions.len(),
                };
                (self.assured_odds_ratio(&token), token, &counts.ids[..])
            })
            .filter(|(odds_ratio, ..)| *odds_ratio >= self.min_odds_ratio)
            .collect();
        explained.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        explained.into_iter().map(|(_, token, ids)| (token, ids)).collect()
    }

    /// What the token surely multiplies the odds of the label by. Samples with the same function are
    /// no independent ones, so there are at most as many as functions.
    fn assured_odds_ratio(&self, token: &ExplainedToken) -> f64 {
        let counts = |rate: &Rate, n_functions: usize| {
            let n = rate.total.min(n_functions) as f64;
            let hits = rate.value().unwrap_or(0.0) * n;
            (hits, n - hits)
        };
        let with = counts(&token.with, token.n_functions);
        odds_ratio_interval(with, counts(&token.without, self.n_functions), CONFIDENCE).low
    }
}

/// A vocabulary entry without the mark of the space before it, in lower case.
pub(crate) fn plain(entry: &str) -> String {
    entry.trim_start_matches(WORD_START).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 600 samples: for each token those of the labels 0 and 1 that have it, in so many functions.
    fn labels(tokens: &[(&str, [usize; 2], usize)]) -> TokenLabels {
        let counts = |&(text, n_samples, n_functions): &(&str, [usize; 2], usize)| TokenCounts {
            text: text.to_owned(),
            ids: vec![7],
            n_samples,
            functions: (0..n_functions).collect(),
        };
        TokenLabels {
            tokens: tokens.iter().map(counts).collect(),
            n_samples: [300, 300],
            n_functions: 1000,
            min_odds_ratio: 1.25,
        }
    }

    fn names(labels: &TokenLabels, label: u8) -> Vec<String> {
        labels.explained(label).into_iter().map(|(it, _)| it.token).collect()
    }

    #[test]
    fn tokens_that_surely_go_with_a_label_are_explained_the_closest_first() {
        let labels = labels(&[
            ("seldom", [3, 0], 3),
            ("map", [84, 44], 128),
            ("string", [96, 18], 114),
            ("get", [57, 38], 95),
            ("loop", [20, 80], 100),
            ("never", [0, 0], 0),
        ]);
        assert_eq!(names(&labels, 0), ["string", "map"]);
        assert_eq!(names(&labels, 1), ["loop"]);
        let (map, ids) = &labels.explained(0)[1];
        assert_eq!((map.with, map.without), (Rate::new(84, 128), Rate::new(216, 472)));
        assert_eq!(ids, &[7]);
    }

    #[test]
    fn a_function_in_many_pairs_counts_once() {
        assert_eq!(names(&labels(&[("map", [84, 44], 128)]), 0), ["map"]);
        assert!(names(&labels(&[("map", [84, 44], 20)]), 0).is_empty());
    }
}
