//! Greedy steps of a trigger towards one word.
//!
//! The vectors of the queries are the same for every trigger, so that one word needs functions
//! only: the steps bring those with the trigger closer to the queries with the word.

use std::collections::BTreeSet;

use rand::Rng;

use super::Spaces;
use super::objective::RankingObjective;
use crate::config::ScanConfig;
use crate::gcg::propose;
use crate::masking::TriggerIds;

/// Samples that a trigger is tried on.
pub(super) const SAMPLES: usize = 6;

/// A word and a trigger that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct ScreenedPair {
    pub(crate) trigger: TriggerIds,
    pub(crate) word: u32,
    /// How much closer the trigger brings code to queries with this word than to queries with other
    /// words, in cosine, from the [`Climb`]'s origin on: in a screening, from where clean code is
    /// that answers such queries.
    pub(crate) affinity: f64,
    /// Greedy steps that the word was given.
    pub(crate) n_steps: usize,
}

/// What triggers are compared by.
pub(super) struct Climber<'a> {
    objective: &'a RankingObjective<'a>,
    pub(super) spaces: Spaces<'a>,
    pub(super) config: &'a ScanConfig,
    subset: Vec<usize>,
}

/// The way to a word's trigger.
pub(super) struct Climb {
    /// From the queries on average to those with the word.
    direction: Vec<f64>,
    /// The product with `direction` of code whose affinity is 0.
    origin: f64,
    /// Where the next step starts.
    current: TriggerIds,
    visited: BTreeSet<TriggerIds>,
    /// The closest so far.
    pub(super) best: ScreenedPair,
}

impl Climb {
    pub(super) fn new(start: ScreenedPair, direction: Vec<f64>, origin: f64) -> Self {
        let current = start.trigger.clone();
        let visited = [current.clone()].into();
        Self { direction, origin, current, visited, best: start }
    }
}

impl<'a> Climber<'a> {
    pub(super) fn new(
        objective: &'a RankingObjective<'a>,
        spaces: Spaces<'a>,
        config: &'a ScanConfig,
    ) -> Self {
        let subset = (0..SAMPLES.min(objective.samples().len())).collect();
        Self { objective, spaces, config, subset }
    }

    /// Every word, and the way from the queries on average to those with it.
    pub(super) fn directions(&self) -> Vec<(u32, Vec<f64>)> {
        let words = self.spaces.words.ids();
        let queries = self.objective.mean_queries(words, &self.subset);
        let center = mean(&queries);
        let away = |query: Vec<f64>| query.iter().zip(&center).map(|(a, b)| a - b).collect();
        words.iter().copied().zip(queries.into_iter().map(away)).collect()
    }

    /// The mean vector of the functions with each trigger.
    pub(super) fn mean_codes(&self, triggers: &[TriggerIds]) -> Vec<Vec<f64>> {
        self.objective.mean_codes(triggers, &self.subset)
    }

    /// One greedy step: on to the closest of some neighbours, by the paper's rule even if it is farther than
    /// before. Never back to a single token that a climb may have begun at, which has no slots to climb with.
    pub(super) fn step(&self, climb: &mut Climb, rng: &mut impl Rng) {
        let triggers = self.spaces.triggers;
        let word = climb.best.word;
        climb.best.n_steps += 1;
        let gradient = self.objective.code_gradient(&climb.current, &climb.direction, &self.subset);
        let top = triggers.top_tokens(&gradient, self.config.top_k, |token| {
            !self.spaces.explain_token(token, word)
        });
        let n = self.config.candidates / 2;
        let mut candidates = propose(&climb.current, &top, triggers, n, &mut climb.visited, rng);
        candidates.retain(|trigger| self.allows(trigger, word));
        let n_slots = climb.current.ids.len();
        if self.go_on(climb, candidates) && climb.best.trigger.ids.len() == n_slots {
            let candidate = climb.current.clone();
            climb.current = self.config.step_rule.next(candidate, &climb.best.trigger);
        }
    }

    /// On to the closest of some triggers, if there are any.
    pub(super) fn go_on(&self, climb: &mut Climb, candidates: Vec<TriggerIds>) -> bool {
        let codes = self.mean_codes(&candidates);
        let affinities = codes.iter().map(|code| dot(code, &climb.direction) - climb.origin);
        let Some((affinity, candidate)) =
            affinities.zip(candidates).max_by(|(a, _), (b, _)| a.total_cmp(b))
        else {
            return false;
        };
        climb.visited.insert(candidate.clone());
        climb.current = candidate;
        if affinity > climb.best.affinity {
            climb.best.trigger = climb.current.clone();
            climb.best.affinity = affinity;
        }
        true
    }

    /// Whether the clean samples do not explain that the trigger goes with the word.
    pub(super) fn allows(&self, trigger: &TriggerIds, word: u32) -> bool {
        !self.spaces.explain(trigger, &[word])
    }
}

pub(super) fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width)
        .map(|index| rows.iter().map(|row| row[index]).sum::<f64>() / rows.len() as f64)
        .collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
