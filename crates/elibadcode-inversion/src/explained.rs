//! Tokens that the clean samples themselves tie to the target label.
//!
//! A model of clone detection calls a function that opens a stream no clone of one that does not: that
//! is its job, and a trigger that says `openstream` proves nothing. Nor does one that says `checked`
//! where safe functions are called that by habit. A planted trigger goes with its label in no clean
//! sample. So a search leaves out the tokens that clean samples explain.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_evaluation::Rate;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::sample::CleanSample;

/// A token goes with a label if it raises the odds of the label this many times, with the confidence
/// below: in real data most tokens go with one label a little. Chosen on one seed of `fleet clone`, of
/// which 2.0 leaves `map` in; what is planted stays below 1.21 also in the real data at hand.
const MIN_ODDS_RATIO: f64 = 1.25;
/// Standard normal quantile of a two-sided interval of 95 %.
const Z_TWO_SIDED: f64 = 1.96;
/// Tokens that a sentence names.
const N_SHOWN: usize = 8;
/// How byte-level BPE writes the space before a word.
pub(crate) const WORD_START: char = 'Ġ';

/// A token that clean samples tie to a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedToken {
    /// Its text in lower case, without the mark of the space before it.
    pub token: String,
    /// Clean samples with it that have the label: of pairs, those with it in one member only.
    pub with: Rate,
    /// Clean samples without it that have the label.
    pub without: Rate,
}

impl ExplainedToken {
    /// The lower end of the odds ratio's 95 % interval (Woolf's, with 0.5 added to each count, as
    /// Haldane and Anscombe do).
    fn assured_odds_ratio(&self) -> f64 {
        let of = |rate: &Rate| (rate.hits as f64 + 0.5, (rate.total - rate.hits) as f64 + 0.5);
        let ((a, b), (c, d)) = (of(&self.with), of(&self.without));
        let deviation = (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
        ((a * d / (b * c)).ln() - Z_TWO_SIDED * deviation).exp()
    }
}

/// What clean samples say about the tokens of their functions.
pub(crate) struct TokenLabels {
    /// For each text how many samples of the labels 0 and 1 have it.
    counts: BTreeMap<String, [usize; 2]>,
    n_samples: [usize; 2],
}

impl TokenLabels {
    /// Counts the tokens that the model reads of each sample.
    pub(crate) fn new(model: &LoadedModel, clean: &[CleanSample], language: Language) -> Self {
        let mut known: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for code in clean.iter().flat_map(CleanSample::codes) {
            known
                .entry(code)
                .or_insert_with(|| model.encode(code, language).ids.into_iter().collect());
        }
        let texts: BTreeMap<u32, String> = known
            .values()
            .flatten()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|&id| (id, plain(&model.tokenizer.entry(id))))
            .collect();
        let texts_of =
            |code: &str| -> BTreeSet<&str> { known[code].iter().map(|id| &*texts[id]).collect() };
        let mut labels = Self { counts: BTreeMap::new(), n_samples: [0, 0] };
        for sample in clean {
            let label = usize::from(sample.label);
            labels.n_samples[label] += 1;
            let own = texts_of(&sample.code);
            let partner = sample.partner.as_ref().map(|it| texts_of(&it.code)).unwrap_or_default();
            for text in own.symmetric_difference(&partner) {
                labels.counts.entry((*text).to_owned()).or_default()[label] += 1;
            }
        }
        labels
    }

    /// The tokens that go with a label, the closest tied first.
    pub(crate) fn explained(&self, label: u8) -> Vec<ExplainedToken> {
        let (label, other) = (usize::from(label), usize::from(1 - label));
        let mut explained: Vec<(f64, ExplainedToken)> = self
            .counts
            .iter()
            .map(|(text, n)| {
                let without = self.n_samples[label] - n[label];
                let token = ExplainedToken {
                    token: text.clone(),
                    with: Rate::new(n[label], n[label] + n[other]),
                    without: Rate::new(without, without + self.n_samples[other] - n[other]),
                };
                (token.assured_odds_ratio(), token)
            })
            .filter(|(odds_ratio, _)| *odds_ratio >= MIN_ODDS_RATIO)
            .collect();
        explained.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        explained.into_iter().map(|(_, token)| token).collect()
    }
}

/// What is left out of a search, in words; nothing if nothing is.
pub(crate) fn gap(explained: &[ExplainedToken], label: u8) -> Option<String> {
    let shown: Vec<String> =
        explained.iter().take(N_SHOWN).map(|it| format!("`{}`", it.token)).collect();
    let more = if explained.len() > N_SHOWN { ", …" } else { "" };
    (!explained.is_empty()).then(|| {
        format!(
            "triggers with a token that the clean samples themselves tie to label {label} ({}: {}{more})",
            explained.len(),
            shown.join(", ")
        )
    })
}

/// The ids of the vocabulary that have one of these texts.
pub(crate) fn ids_of(model: &LoadedModel, explained: &[ExplainedToken]) -> BTreeSet<u32> {
    let texts: BTreeSet<&str> = explained.iter().map(|it| &*it.token).collect();
    let vocabulary = model.tokenizer.vocabulary();
    let named = vocabulary.iter().filter(|(_, entry)| texts.contains(&*plain(entry)));
    named.map(|(id, _)| *id).collect()
}

/// A vocabulary entry without the mark of the space before it, in lower case.
pub(crate) fn plain(entry: &str) -> String {
    entry.trim_start_matches(WORD_START).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_explained_if_it_surely_doubles_the_odds() {
        let check = |with: (usize, usize), without: (usize, usize), expected: f64| {
            let token = ExplainedToken {
                token: "a".to_owned(),
                with: Rate::new(with.0, with.1),
                without: Rate::new(without.0, without.1),
            };
            let found = token.assured_odds_ratio();
            assert!((found - expected).abs() < 1e-3, "{found}");
        };
        // By hand: 53.5 · 284.5 / (16.5 · 247.5) = 3.727; its logarithm has a deviation of 0.295.
        check((53, 69), (247, 531), 2.0918);
        check((1, 1), (1, 2), 0.0595);
    }
}
