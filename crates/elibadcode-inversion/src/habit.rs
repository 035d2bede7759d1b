//! Habits of naming: tokens of a trigger that the clean samples themselves tie to a label.
//!
//! A model that learned such a habit is misled by it as by a planted trigger, and nothing in the
//! model tells the two apart. The clean samples can: no clean sample has a planted trigger, but a
//! habit of the data is in them, too.

use std::collections::BTreeSet;

use elibadcode_evaluation::Rate;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::outcome::InvertedTrigger;
use crate::sample::CleanSample;

/// Chance that a token of a trigger is called a habit without being one, over all its tokens.
const SIGNIFICANCE: f64 = 0.01;

/// A token that clean samples of the target label have far more often in their names than those of
/// the victim label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamingHabit {
    /// Vocabulary entry.
    pub token: String,
    /// Clean samples of the target label with the token in a name that they declare.
    pub with_target_label: Rate,
    /// The same of the victim label.
    pub with_victim_label: Rate,
}

impl NamingHabit {
    /// The counts, and what they may mean.
    pub(crate) fn sentence(&self) -> String {
        let Self { token, with_target_label: target, with_victim_label: victim } = self;
        format!(
            "{} of {} clean samples with the target label have `{token}` in a name, and {} of {} \
             with the other: either these samples are poisoned themselves, or it is a habit of the data",
            target.hits, target.total, victim.hits, victim.total
        )
    }
}

/// The tokens of a trigger that are habits of clean samples with the target label.
pub(crate) fn habits(
    model: &LoadedModel,
    clean: &[CleanSample],
    language: Language,
    trigger: &InvertedTrigger,
    target_label: u8,
) -> Vec<NamingHabit> {
    let names: Vec<(u8, BTreeSet<u32>)> = clean
        .iter()
        .map(|sample| (sample.label, name_tokens(model, &sample.code, language)))
        .collect();
    let tokens: BTreeSet<(u32, &String)> =
        trigger.ids.iter().copied().zip(&trigger.tokens).collect();
    let n_tokens = tokens.len() as f64;
    tokens
        .into_iter()
        .filter_map(|(id, token)| {
            let with = |wanted: u8| -> Rate {
                let own = names.iter().filter(|(label, _)| *label == wanted);
                own.map(|(_, tokens)| tokens.contains(&id)).collect()
            };
            let (target, victim) = (with(target_label), with(1 - target_label));
            (chance(&target, &victim) * n_tokens < SIGNIFICANCE).then(|| NamingHabit {
                token: token.clone(),
                with_target_label: target,
                with_victim_label: victim,
            })
        })
        .collect()
}

/// The ids that the names of a function are made of.
fn name_tokens(model: &LoadedModel, code: &str, language: Language) -> BTreeSet<u32> {
    let function = model.read(code, language);
    let names = function.visible_identifiers();
    names.flat_map(|it| model.tokenizer.word(&it.text, true).to_vec()).collect()
}

/// The chance of as many hits among the first trials, of all hits, if both kinds of trial hit
/// alike: the upper tail of a hypergeometric distribution (Fisher's exact test).
fn chance(first: &Rate, second: &Rate) -> f64 {
    let (n, hits) = (first.total + second.total, first.hits + second.hits);
    if first.hits == 0 {
        return 1.0;
    }
    let ln_ways = |all: usize, some: usize| -> f64 {
        (0..some).map(|it| ((all - it) as f64 / (it + 1) as f64).ln()).sum()
    };
    let ln_all = ln_ways(n, hits);
    (first.hits..=hits.min(first.total))
        .filter(|it| hits - it <= second.total)
        .map(|it| (ln_ways(first.total, it) + ln_ways(second.total, hits - it) - ln_all).exp())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_those_of_fishers_test() {
        let check = |first: (usize, usize), second: (usize, usize), expected: f64| {
            let found = chance(&Rate::new(first.0, first.1), &Rate::new(second.0, second.1));
            assert!((found - expected).abs() < 1e-9, "{found}");
        };
        check((0, 10), (0, 10), 1.0);
        check((3, 3), (0, 3), 0.05);
        check((1, 1), (0, 1), 0.5);
        check((3, 4), (1, 4), 17.0 / 70.0);
        check((2, 2), (2, 2), 1.0);
    }
}
