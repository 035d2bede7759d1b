//! Every word on its own, before any search: which of them can a trigger be tied to?
//!
//! The words of the queries are known, and their vectors are the same for every trigger. So every
//! word gets its own trigger: the token of the vocabulary that goes with it best, and greedy steps
//! from there. A natural trigger is found in few steps and gains little by more; a planted one of
//! many tokens gains with each of them. So the steps go to the promising half of the words, then to
//! the promising half of those, and so on (successive halving).

use std::collections::BTreeSet;

use rand::{Rng, RngExt};

use super::Spaces;
use super::objective::RankingObjective;
use crate::config::ScanConfig;
use crate::error::Error;
use crate::gcg::propose;
use crate::masking::TriggerIds;
use crate::space::TriggerSpace;

/// Samples that a trigger is tried on.
const SAMPLES: usize = 6;
/// With this many words left there is no further halving.
const SURVIVORS: usize = 6;
/// Draws of a legal trigger around a token before the greedy steps start without it.
const MAX_START_DRAWS: usize = 200;

/// A word and a trigger that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct ScreenedPair {
    pub(crate) trigger: TriggerIds,
    pub(crate) word: u32,
    /// How much closer the trigger brings code to queries with this word than to queries with other
    /// words, and than single tokens do on average, in cosine.
    pub(crate) affinity: f64,
    /// Greedy steps that the word was given.
    pub(crate) n_steps: usize,
}

/// Finds a trigger for every word, of those that are not `known` to go with it; the most promising
/// words first: those with the most steps, and among them the closest.
pub(crate) fn screen(
    objective: &RankingObjective<'_>,
    spaces: Spaces<'_>,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> Result<Vec<ScreenedPair>, Error> {
    let screening = Screening::new(objective, spaces, config);
    let mut climbs = screening.starts(rng)?;
    let mut n_left = climbs.len();
    while n_left > 0 {
        for climb in &mut climbs[..n_left] {
            for _ in 0..config.screening_steps {
                screening.step(climb, rng);
            }
        }
        climbs[..n_left].sort_by(|a, b| {
            b.best.affinity.total_cmp(&a.best.affinity).then(a.best.word.cmp(&b.best.word))
        });
        let is_last = n_left <= SURVIVORS || config.screening_steps == 0;
        n_left = if is_last { 0 } else { (n_left / 2).max(SURVIVORS) };
    }
    Ok(climbs.into_iter().map(|climb| climb.best).collect())
}

/// What the triggers of all words are compared by.
struct Screening<'a> {
    objective: &'a RankingObjective<'a>,
    spaces: Spaces<'a>,
    config: &'a ScanConfig,
    subset: Vec<usize>,
    tokens: Vec<TriggerIds>,
    /// The mean vector of the functions with each token.
    codes: Vec<Vec<f64>>,
    average_code: Vec<f64>,
}

/// The way to a word's trigger.
struct Climb {
    /// From the queries on average to those with the word.
    direction: Vec<f64>,
    /// Where the next step starts.
    current: TriggerIds,
    visited: BTreeSet<TriggerIds>,
    /// The closest so far.
    best: ScreenedPair,
}

impl<'a> Screening<'a> {
    fn new(
        objective: &'a RankingObjective<'a>,
        spaces: Spaces<'a>,
        config: &'a ScanConfig,
    ) -> Self {
        let subset: Vec<usize> = (0..SAMPLES.min(objective.samples().len())).collect();
        let tokens = spaces.0.single_tokens();
        let codes = objective.mean_codes(&tokens, &subset);
        let average_code = mean(&codes);
        Self { objective, spaces, config, subset, tokens, codes, average_code }
    }

    /// Every word with its best token, but for words that clean samples tie to every token.
    fn starts(&self, rng: &mut impl Rng) -> Result<Vec<Climb>, Error> {
        let (_, words, _) = self.spaces;
        let queries = self.objective.mean_queries(words.ids(), &self.subset);
        let center = mean(&queries);
        let mut climbs = Vec::with_capacity(queries.len());
        for (&word, query) in words.ids().iter().zip(&queries) {
            let direction: Vec<f64> = query.iter().zip(&center).map(|(a, b)| a - b).collect();
            let affinities = self.codes.iter().map(|code| self.affinity(code, &direction));
            let mut allowed: Vec<(f64, &TriggerIds)> =
                affinities.zip(&self.tokens).filter(|(_, it)| self.allows(it, word)).collect();
            allowed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let Some(&(affinity, token)) = allowed.first() else { continue };
            let mut climb = Climb {
                direction,
                visited: BTreeSet::new(),
                current: token.clone(),
                best: ScreenedPair { trigger: token.clone(), word, affinity, n_steps: 0 },
            };
            let tokens: Vec<&TriggerIds> = allowed.into_iter().map(|(_, token)| token).collect();
            let candidates = self.full_length(&tokens, word, rng)?;
            self.go_on(&mut climb, candidates);
            climbs.push(climb);
        }
        Ok(climbs)
    }

    /// Triggers of full length from the best tokens: one in a random trigger, one again and again,
    /// and one of each.
    fn full_length(
        &self,
        tokens: &[&TriggerIds],
        word: u32,
        rng: &mut impl Rng,
    ) -> Result<Vec<TriggerIds>, Error> {
        let triggers = self.spaces.0;
        let mut candidates = vec![grown(tokens[0], triggers, self.config, rng)?];
        let ids = |keeps_name: bool| {
            tokens.iter().filter(move |it| it.keeps_name == keeps_name).map(|it| it.ids[0])
        };
        if let (Some(first), Some(rest)) = (ids(false).next(), ids(true).next()) {
            let n_rest = self.config.trigger_len - 1;
            let again = std::iter::once(first).chain(std::iter::repeat_n(rest, n_rest));
            let each = std::iter::once(first).chain(ids(true).take(n_rest));
            let full = [again.collect(), each.collect()].map(TriggerIds::replacing);
            candidates.extend(full.into_iter().filter(|it| triggers.is_legal(it)));
        }
        candidates.retain(|trigger| self.allows(trigger, word));
        Ok(candidates)
    }

    /// One greedy step: on to the closest of some neighbours, even if it is farther than before.
    fn step(&self, climb: &mut Climb, rng: &mut impl Rng) {
        let (triggers, _, known) = self.spaces;
        let word = climb.best.word;
        climb.best.n_steps += 1;
        let gradient = self.objective.code_gradient(&climb.current, &climb.direction, &self.subset);
        let top = triggers.top_tokens(&gradient, self.config.top_k, |token| {
            known.is_none_or(|it| !it.explain_token(token, word))
        });
        let n = self.config.candidates / 2;
        let mut candidates = propose(&climb.current, &top, triggers, n, &mut climb.visited, rng);
        candidates.retain(|trigger| self.allows(trigger, word));
        self.go_on(climb, candidates);
    }

    /// On to the closest of some triggers.
    fn go_on(&self, climb: &mut Climb, candidates: Vec<TriggerIds>) {
        let codes = self.objective.mean_codes(&candidates, &self.subset);
        let affinities = codes.iter().map(|code| self.affinity(code, &climb.direction));
        let Some((affinity, candidate)) =
            affinities.zip(candidates).max_by(|(a, _), (b, _)| a.total_cmp(b))
        else {
            return;
        };
        climb.visited.insert(candidate.clone());
        climb.current = candidate;
        if affinity > climb.best.affinity {
            climb.best.trigger = climb.current.clone();
            climb.best.affinity = affinity;
        }
    }

    fn affinity(&self, code: &[f64], direction: &[f64]) -> f64 {
        dot(code, direction) - dot(&self.average_code, direction)
    }

    fn allows(&self, trigger: &TriggerIds, word: u32) -> bool {
        self.spaces.2.is_none_or(|known| !known.explain(trigger, &[word]))
    }
}

/// A random legal trigger of full length with these tokens in it.
pub(crate) fn grown(
    part: &TriggerIds,
    triggers: &TriggerSpace<'_>,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> Result<TriggerIds, Error> {
    let n = config.trigger_len;
    let mut trigger = triggers.random(n, false, rng)?;
    if part.ids.len() >= n && !part.keeps_name {
        return Ok(part.clone());
    }
    for _ in 0..MAX_START_DRAWS {
        let room = n.saturating_sub(part.ids.len());
        let start = if part.keeps_name && room > 0 { rng.random_range(1..=room) } else { 0 };
        for (slot, &id) in trigger.ids[start..].iter_mut().zip(&part.ids) {
            *slot = id;
        }
        if triggers.is_legal(&trigger) {
            break;
        }
        trigger = triggers.random(n, false, rng)?;
    }
    Ok(trigger)
}

fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width)
        .map(|index| rows.iter().map(|row| row[index]).sum::<f64>() / rows.len() as f64)
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
