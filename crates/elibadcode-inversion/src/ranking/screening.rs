//! Every word on its own, before any search: which of them can a trigger be tied to?
//!
//! The words of the queries are known, and their vectors are the same for every trigger. So every
//! word gets its own trigger: the token of the vocabulary that goes with it best, and a few greedy
//! steps from there, all with the same effort. A planted trigger's word then stands out among all
//! words, in the way in which Neural Cleanse's label stands out among all labels.

use std::collections::BTreeSet;

use elibadcode_evaluation::statistics::mad_outlier_index;
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
    /// How far that is from the median of all words, in scaled median deviations (Neural Cleanse).
    pub(crate) outlier_index: f64,
}

/// Finds a trigger for every word, of those that are not `known` to go with it; the closest first.
pub(crate) fn screen(
    objective: &RankingObjective<'_>,
    (triggers, words, known): Spaces<'_>,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> Result<Vec<ScreenedPair>, Error> {
    let subset: Vec<usize> = (0..SAMPLES.min(objective.samples().len())).collect();
    let queries = objective.mean_queries(words.ids(), &subset);
    let center = mean(&queries);
    let tokens = triggers.single_tokens();
    let codes = objective.mean_codes(&tokens, &subset);
    let average_code = mean(&codes);
    let mut pairs = Vec::with_capacity(queries.len());
    for (&word, query) in words.ids().iter().zip(&queries) {
        let direction: Vec<f64> = query.iter().zip(&center).map(|(a, b)| a - b).collect();
        let affinity = |code: &[f64]| dot(code, &direction) - dot(&average_code, &direction);
        let is_allowed =
            |trigger: &TriggerIds| known.is_none_or(|it| !it.explain(trigger, &[word]));
        let best = (0..tokens.len())
            .filter(|&row| is_allowed(&tokens[row]))
            .max_by(|&a, &b| affinity(&codes[a]).total_cmp(&affinity(&codes[b])));
        let Some(best) = best else { continue };
        let mut trigger = grown(&tokens[best], triggers, config, rng)?;
        let mut best = (tokens[best].clone(), affinity(&codes[best]));
        let mut visited: BTreeSet<TriggerIds> = [trigger.clone()].into();
        for _ in 0..config.screening_steps {
            let gradient = objective.code_gradient(&trigger, &direction, &subset);
            let top = triggers.top_tokens(&gradient, config.top_k, |token| {
                known.is_none_or(|it| !it.explain_token(token, word))
            });
            let n = config.candidates / 2;
            let mut candidates = propose(&trigger, &top, triggers, n, &mut visited, rng);
            candidates.retain(&is_allowed);
            let affinities =
                objective.mean_codes(&candidates, &subset).into_iter().map(|code| affinity(&code));
            let Some((candidate, affinity)) =
                candidates.iter().zip(affinities).max_by(|(_, a), (_, b)| a.total_cmp(b))
            else {
                break;
            };
            trigger = candidate.clone();
            if affinity > best.1 {
                best = (trigger.clone(), affinity);
            }
        }
        let (trigger, affinity) = best;
        pairs.push(ScreenedPair { trigger, word, affinity, outlier_index: 0.0 });
    }
    pairs.sort_by(|a, b| b.affinity.total_cmp(&a.affinity).then(a.word.cmp(&b.word)));
    let affinities: Vec<f64> = pairs.iter().map(|pair| pair.affinity).collect();
    if let Some(indices) = mad_outlier_index(&affinities) {
        for (pair, index) in pairs.iter_mut().zip(indices) {
            pair.outlier_index = index;
        }
    }
    Ok(pairs)
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
