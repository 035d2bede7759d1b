//! Greedy Coordinate Gradient on both sides at once (the paper's Algorithm 2).

use std::collections::BTreeSet;

use rand::{Rng, RngExt};

use super::Spaces;
use super::climb::ScreenedPair;
use super::objective::{JointTrigger, RankingObjective};
use super::screening::grown;
use super::words::WordSpace;
use crate::anchoring::{Kept, keep_slots, with_slots};
use crate::config::ScanConfig;
use crate::error::Error;
use crate::gcg::{DRAWS_PER_CANDIDATE, Iteration, propose, screening_subset};
use crate::masking::TriggerIds;
use crate::space::TriggerSpace;

/// The best pair of one search.
#[derive(Clone, Debug)]
pub struct FoundJoint {
    /// Trigger and words.
    pub joint: JointTrigger,
    /// Its loss over the search samples.
    pub loss: f64,
    /// The best candidate's loss of every iteration.
    pub history: Vec<f64>,
}

/// Where a joint search begins.
#[derive(Clone, Debug)]
pub struct JointStart {
    /// Trigger and words.
    pub joint: JointTrigger,
    /// Whether the words stay as they are, and the trigger alone is searched for.
    pub holds_words: bool,
}

impl JointStart {
    /// A random legal trigger and random words.
    pub(crate) fn random(
        triggers: &TriggerSpace<'_>,
        words: &WordSpace<'_>,
        config: &ScanConfig,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let joint = JointTrigger {
            trigger: triggers.random(config.trigger_len, false, rng)?,
            words: words.random(config.target_len, rng),
        };
        Ok(Self { joint, holds_words: false })
    }

    /// A screened word with its trigger, grown to full length; none if the clean samples explain every
    /// trigger that is drawn.
    ///
    /// The word is held: what tells it from others is the excess over clean code, which the loss of a joint
    /// search does not know, so that it would leave for a word that any name can be tied to.
    pub(crate) fn screened(
        pair: &ScreenedPair,
        spaces: Spaces<'_>,
        config: &ScanConfig,
        rng: &mut impl Rng,
    ) -> Result<Option<Self>, Error> {
        let is_allowed = |trigger: &TriggerIds| !spaces.explain(trigger, &[pair.word]);
        let trigger = grown(&pair.trigger, spaces.triggers, config, &is_allowed, rng)?;
        let mut words = spaces.words.random(config.target_len, rng);
        words[0] = pair.word;
        let holds_words = config.target_len == 1;
        let start = |trigger| Self { joint: JointTrigger { trigger, words }, holds_words };
        Ok(trigger.map(start))
    }

    /// A word once more: from the same trigger the search would go the same way, so that it starts at a
    /// random one, which must not lead it to another word. None if the clean samples explain every
    /// trigger that is drawn: with the word held, a search would not get away from such a one.
    pub(crate) fn again(
        word: u32,
        spaces: Spaces<'_>,
        config: &ScanConfig,
        rng: &mut impl Rng,
    ) -> Result<Option<Self>, Error> {
        let mut words = spaces.words.random(config.target_len, rng);
        words[0] = word;
        let trigger = spaces.random_trigger(config.trigger_len, &words, rng)?;
        let start = |trigger| Self { joint: JointTrigger { trigger, words }, holds_words: true };
        Ok(trigger.map(start))
    }
}

/// Searches for the trigger and the words with the lowest loss.
///
/// Each iteration changes one slot of the trigger, one word, or both: whichever of all pairs of
/// candidates is best. Pairs that are `known` to go together are left out; none is found if the search
/// meets no other, or has no samples.
pub fn search_jointly(
    objective: &RankingObjective<'_>,
    JointStart { joint: mut current, holds_words }: JointStart,
    spaces: Spaces<'_>,
    config: &ScanConfig,
    rng: &mut impl Rng,
    observe: &mut dyn FnMut(Iteration),
) -> Option<FoundJoint> {
    let Spaces { triggers, words, .. } = spaces;
    let mut best = FoundJoint { joint: current.clone(), loss: f64::INFINITY, history: Vec::new() };
    if objective.samples().is_empty() {
        return None;
    }
    let mut best_iteration = 0;
    let mut visited: BTreeSet<TriggerIds> = [current.trigger.clone()].into();
    for iteration in 1..=config.iterations {
        let gradient = objective.gradient(&current);
        if gradient.loss < best.loss && !spaces.explain(&current.trigger, &current.words) {
            (best.joint, best.loss) = (current.clone(), gradient.loss);
        }
        let top = triggers.top_tokens(&gradient.trigger, config.top_k, |token| {
            !current.words.iter().any(|&word| spaces.explain_token(token, word))
        });
        let n = config.candidates;
        let mut trigger_candidates =
            propose(&current.trigger, &top, triggers, n, &mut visited, rng);
        let top = words.top_words(&gradient.words, config.top_k, |word| {
            !current.trigger.ids.iter().any(|&token| spaces.explain_token(token, word))
        });
        let n_words = if holds_words { 0 } else { n };
        let mut word_candidates = propose_words(&current.words, &top, n_words, rng);
        if trigger_candidates.is_empty() {
            break;
        }
        // Either side may stay as it is.
        trigger_candidates.push(current.trigger.clone());
        word_candidates.push(current.words.clone());
        let is_allowed = |trigger: &TriggerIds, words: &[u32]| {
            (trigger, words) != (&current.trigger, &current.words)
                && !spaces.explain(trigger, words)
        };
        let sides = (trigger_candidates, word_candidates);
        let Some((next, loss)) = best_pair(objective, sides, &is_allowed, config, rng) else {
            break;
        };
        best.history.push(loss);
        if loss < best.loss {
            (best.joint, best.loss) = (next.clone(), loss);
            best_iteration = iteration;
        }
        current = config.step_rule.next(next, &best.joint);
        observe(Iteration { iteration, loss, best_loss: best.loss });
        if best.loss < config.stop_loss || iteration - best_iteration >= config.patience {
            break;
        }
    }
    best.loss.is_finite().then_some(best)
}

/// Distinct lists of words that differ from `current` in one.
fn propose_words(current: &[u32], top: &[Vec<u32>], n: usize, rng: &mut impl Rng) -> Vec<Vec<u32>> {
    let mut candidates: BTreeSet<Vec<u32>> = BTreeSet::new();
    for _ in 0..n * DRAWS_PER_CANDIDATE {
        if candidates.len() == n {
            break;
        }
        let slot = rng.random_range(0..current.len());
        if top[slot].is_empty() {
            continue;
        }
        let mut candidate = current.to_vec();
        candidate[slot] = top[slot][rng.random_range(0..top[slot].len())];
        if candidate != current {
            candidates.insert(candidate);
        }
    }
    candidates.into_iter().collect()
}

/// The allowed pair with the lowest loss over all samples.
///
/// With screening, a random part of the samples ranks all pairs, and the sides of the best of them
/// are scored on all.
fn best_pair(
    objective: &RankingObjective<'_>,
    (mut triggers, mut words): (Vec<TriggerIds>, Vec<Vec<u32>>),
    is_allowed: &dyn Fn(&TriggerIds, &[u32]) -> bool,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> Option<(JointTrigger, f64)> {
    let n_samples = objective.samples().len();
    if let Some(subset) = screening_subset(n_samples, config, rng) {
        let losses = objective.losses(&triggers, &words, &subset);
        let best: Vec<(usize, usize)> = ranked(&losses)
            .into_iter()
            .map(|(pair, _)| pair)
            .filter(|&(row, column)| is_allowed(&triggers[row], &words[column]))
            .take(config.screening_survivors)
            .collect();
        if best.is_empty() {
            return None;
        }
        let distinct = |side: fn(&(usize, usize)) -> usize| -> BTreeSet<usize> {
            best.iter().map(side).collect()
        };
        let (rows, columns) = (distinct(|it| it.0), distinct(|it| it.1));
        triggers = rows.into_iter().map(|index| triggers[index].clone()).collect();
        words = columns.into_iter().map(|index| words[index].clone()).collect();
    }
    let all: Vec<usize> = (0..n_samples).collect();
    let losses = objective.losses(&triggers, &words, &all);
    ranked(&losses)
        .into_iter()
        .map(|((row, column), loss)| {
            let (trigger, words) = (triggers[row].clone(), words[column].clone());
            (JointTrigger { trigger, words }, loss)
        })
        .find(|(joint, _)| is_allowed(&joint.trigger, &joint.words))
}

/// All pairs of indices, the lowest loss first.
fn ranked(losses: &[Vec<f64>]) -> Vec<((usize, usize), f64)> {
    let mut pairs: Vec<((usize, usize), f64)> = losses
        .iter()
        .enumerate()
        .flat_map(|(row, losses)| {
            losses.iter().enumerate().map(move |(column, &loss)| ((row, column), loss))
        })
        .collect();
    pairs.sort_by(|(a, a_loss), (b, b_loss)| a_loss.total_cmp(b_loss).then(a.cmp(b)));
    pairs
}

/// The effective part of both sides.
#[derive(Clone, Debug)]
pub(crate) struct AnchoredJoint {
    pub(crate) joint: JointTrigger,
    pub(crate) loss: f64,
    /// Of the trigger's slots; then of the words.
    pub(crate) kept: (Kept, Kept),
}

/// Drops the slots of the trigger, then the words, that the loss does not depend on; what is left is
/// no pair that clean samples explain.
///
/// Squared distances have another scale than the cross entropy that the threshold is meant for, so
/// it counts as a share of what the whole trigger with its words gains over neither.
pub(crate) fn anchor_jointly(
    objective: &RankingObjective<'_>,
    spaces: Spaces<'_>,
    joint: &JointTrigger,
    config: &ScanConfig,
) -> Result<AnchoredJoint, Error> {
    let all: Vec<usize> = (0..objective.samples().len()).collect();
    let nothing = TriggerIds { ids: Vec::new(), keeps_name: true };
    let losses =
        |triggers: &[TriggerIds], words: &[Vec<u32>]| objective.losses(triggers, words, &all);
    let gain = losses(&[nothing], &[Vec::new()])[0][0] - objective.loss(joint);
    let threshold = config.anchor_threshold * gain.max(0.0);
    let n_slots = joint.trigger.ids.len();
    let is_legal = |slots: &[usize]| {
        let part = with_slots(&joint.trigger, slots);
        spaces.triggers.is_legal(&part) && !spaces.explain(&part, &joint.words)
    };
    let slots = keep_slots(n_slots, config.anchor_rule, threshold, is_legal, |sets| {
        let parts: Vec<TriggerIds> =
            sets.iter().map(|slots| with_slots(&joint.trigger, slots)).collect();
        losses(&parts, std::slice::from_ref(&joint.words)).into_iter().map(|it| it[0]).collect()
    })?;
    let trigger = with_slots(&joint.trigger, &slots.slots);
    let some = |set: &Vec<usize>| set.iter().map(|&slot| joint.words[slot]).collect::<Vec<u32>>();
    let n_words = joint.words.len();
    let words = keep_slots(
        n_words,
        config.anchor_rule,
        threshold,
        |_| true,
        |sets| {
            let parts: Vec<Vec<u32>> = sets.iter().map(some).collect();
            losses(std::slice::from_ref(&trigger), &parts).swap_remove(0)
        },
    )?;
    let joint = JointTrigger { trigger, words: some(&words.slots) };
    Ok(AnchoredJoint { joint, loss: words.loss, kept: (slots, words) })
}
