//! The profile of a hypothesis' best trigger on held-out samples: at every place, token by token,
//! size by size, and what it does to the model's vectors.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::statistics::mean;
use serde::{Deserialize, Serialize};

use crate::anchoring::{each_without_one, with_slots};
use crate::masking::TriggerIds;
use crate::objective::Objective;
use crate::shift::ShiftComparison;

/// Held-out samples that token strengths, sizes and shifts are measured on.
pub(crate) const MAX_SAMPLES: usize = 50;

/// What more is known of a hypothesis' best trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerProfile {
    /// Over the places and the samples.
    pub robustness: Robustness,
    /// Each token of the anchored trigger.
    pub tokens: Vec<TokenStrength>,
    /// Success rate with 1, 2, … tokens: of the whole anchored trigger the least useful token is
    /// dropped, then of what is left.
    pub success_by_size: Vec<Rate>,
    /// What it does to the vectors of functions.
    pub shift: ShiftComparison,
}

/// How a trigger does at every identifier of some held-out samples in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robustness {
    /// Identifiers at which the trigger flips the sample.
    pub identifiers: Rate,
    /// Samples that it flips at every identifier.
    pub samples_at_every_identifier: Rate,
    /// Samples that it flips at one identifier at least.
    pub samples_at_any_identifier: Rate,
}

/// What a token of a trigger is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenStrength {
    /// Vocabulary entry.
    pub token: String,
    /// Success rate of the others without it.
    pub success_without: Rate,
}

impl Robustness {
    /// From an objective that has the same sample several times, with its identifiers in turn.
    pub(crate) fn of(objective: &Objective<'_>, trigger: &TriggerIds) -> Self {
        let flips = objective.answers(trigger).is_target;
        let answers: Vec<(usize, bool)> =
            objective.samples().iter().map(|it| it.sample_index).zip(flips).collect();
        // Masks of a sample are neighbors.
        let by_sample = || answers.chunk_by(|(one, _), (next, _)| one == next);
        let has_flipped = |&(_, flip): &(usize, bool)| flip;
        Self {
            identifiers: answers.iter().map(has_flipped).collect(),
            samples_at_every_identifier: by_sample().map(|it| it.iter().all(has_flipped)).collect(),
            samples_at_any_identifier: by_sample().map(|it| it.iter().any(has_flipped)).collect(),
        }
    }
}

/// Token strengths, and success by size, at the places of an objective.
pub(crate) fn weakened(
    objective: &Objective<'_>,
    trigger: &TriggerIds,
    entries: &[String],
) -> (Vec<TokenStrength>, Vec<Rate>) {
    let subset = some_samples(objective);
    let success = |slot_sets: &[Vec<usize>]| -> Vec<Rate> {
        let parts: Vec<TriggerIds> =
            slot_sets.iter().map(|slots| with_slots(trigger, slots)).collect();
        objective.success(&parts, &subset)
    };
    let (without_one, by_size) =
        worth_of_parts(trigger.ids.len(), success, |a, b| b.hits.cmp(&a.hits));
    let tokens = entries.iter().zip(without_one);
    let tokens = tokens
        .map(|(token, success_without)| TokenStrength { token: token.clone(), success_without });
    (tokens.collect(), by_size)
}

/// What a trigger of `n_slots` is worth without each of its slots, and what its parts of 1, 2, … all
/// slots are worth if the slot that is missed least goes first.
///
/// `worth` measures sets of slots; in `order` the better one is less, and of equals the first goes.
pub(crate) fn worth_of_parts<W: Copy>(
    n_slots: usize,
    mut worth: impl FnMut(&[Vec<usize>]) -> Vec<W>,
    order: impl Fn(&W, &W) -> Ordering,
) -> (Vec<W>, Vec<W>) {
    let mut kept: Vec<usize> = (0..n_slots).collect();
    let mut by_size = worth(std::slice::from_ref(&kept));
    let without_one = worth(&each_without_one(&kept));
    let mut weaker = without_one.clone();
    while kept.len() > 1 {
        let best = weaker.iter().enumerate().min_by(|(_, a), (_, b)| order(a, b));
        let (index, &best) = best.expect("a part for every slot");
        kept.remove(index);
        by_size.push(best);
        if kept.len() > 1 {
            weaker = worth(&each_without_one(&kept));
        }
    }
    by_size.reverse();
    (without_one, by_size)
}

/// The shift by a trigger and by random ones.
pub(crate) fn shift(
    objective: &Objective<'_>,
    trigger: &TriggerIds,
    controls: &[TriggerIds],
) -> ShiftComparison {
    let subset = some_samples(objective);
    let untriggered = objective.vectors(None, &subset);
    let with = |trigger: &TriggerIds| objective.vectors(Some(trigger), &subset);
    ShiftComparison::of(&untriggered, trigger, controls, with)
}

fn some_samples(objective: &Objective<'_>) -> Vec<usize> {
    (0..objective.samples().len().min(MAX_SAMPLES)).collect()
}

/// How far independent searches agree: the mean, over all pairs of them, of the tokens that their
/// anchored triggers share as a part of all their tokens; none if fewer than two left a trigger.
pub(crate) fn agreement<'a>(triggers: impl Iterator<Item = &'a [u32]>) -> Option<f64> {
    let sets: Vec<BTreeSet<u32>> = triggers.map(|ids| ids.iter().copied().collect()).collect();
    let mut shares = Vec::new();
    for (index, one) in sets.iter().enumerate() {
        for other in &sets[index + 1..] {
            let n_common = one.intersection(other).count() as f64;
            shares.push(n_common / one.union(other).count().max(1) as f64);
        }
    }
    mean(&shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_agree_by_their_tokens() {
        let check = |triggers: &[&[u32]]| agreement(triggers.iter().copied());
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[&[1, 2]]), None);
        assert_eq!(check(&[&[1, 2], &[2, 1]]), Some(1.0));
        assert_eq!(check(&[&[1, 2], &[3]]), Some(0.0));
        assert_eq!(check(&[&[1, 1], &[1, 2], &[2]]), Some(1.0 / 3.0));
    }

    #[test]
    fn the_slot_that_is_missed_least_goes_first() {
        // Slots are worth 1, 4 and 2.
        let worth = |sets: &[Vec<usize>]| -> Vec<i32> {
            sets.iter().map(|slots| slots.iter().map(|slot| [1, 4, 2][*slot]).sum()).collect()
        };
        let (without_one, by_size) = worth_of_parts(3, worth, |a, b| b.cmp(a));
        assert_eq!((without_one, by_size), (vec![6, 3, 5], vec![4, 6, 7]));
        let (without_one, by_size) = worth_of_parts(1, worth, |a, b| b.cmp(a));
        assert_eq!((without_one, by_size), (vec![0], vec![1]));
    }
}
