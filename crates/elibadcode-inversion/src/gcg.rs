//! Greedy Coordinate Gradient: the trigger search (phase (c), Algorithm 1).

use std::collections::BTreeSet;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::config::ScanConfig;
use crate::masking::TriggerIds;
use crate::objective::Objective;
use crate::space::TriggerSpace;

/// Draws per candidate before an iteration goes on with fewer (defect D6.7: the reference can
/// draw forever).
pub(crate) const DRAWS_PER_CANDIDATE: usize = 50;

/// The best trigger of one search.
#[derive(Clone, Debug)]
pub struct Found {
    /// The trigger.
    pub trigger: TriggerIds,
    /// Its mean loss over the search samples.
    pub loss: f64,
    /// The best candidate's loss of every iteration.
    pub history: Vec<f64>,
}

/// One finished iteration.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Iteration {
    /// From 1.
    pub iteration: usize,
    /// Loss of the best candidate.
    pub loss: f64,
    /// The lowest loss so far.
    pub best_loss: f64,
}

/// Searches for the trigger with the lowest loss, from one to start with.
///
/// Each iteration takes the gradient at the current trigger, draws candidates that differ in one
/// slot, and goes on with the best of them even if it is worse than the current one, or with the best so
/// far ([`crate::StepRule`]). Without samples nothing is better than the start.
pub fn search(
    objective: &Objective<'_>,
    space: &TriggerSpace<'_>,
    start: TriggerIds,
    config: &ScanConfig,
    rng: &mut impl Rng,
    observe: &mut dyn FnMut(Iteration),
) -> Found {
    let mut current = start;
    let mut best = Found { trigger: current.clone(), loss: f64::INFINITY, history: Vec::new() };
    if objective.samples().is_empty() {
        return best;
    }
    let mut best_iteration = 0;
    let mut visited: BTreeSet<TriggerIds> = [current.clone()].into();
    let mut gradient = objective.slot_gradient(&current);
    for iteration in 1..=config.iterations {
        if gradient.loss < best.loss {
            best.trigger = current.clone();
            best.loss = gradient.loss;
        }
        let top = space.top_tokens(&gradient, config.top_k, |_| true);
        let candidates = propose(&current, &top, space, config.candidates, &mut visited, rng);
        if candidates.is_empty() {
            break;
        }
        let (next, loss) = score(objective, candidates, config, rng);
        best.history.push(loss);
        if loss < best.loss {
            best.trigger = next.clone();
            best.loss = loss;
            best_iteration = iteration;
        }
        observe(Iteration { iteration, loss, best_loss: best.loss });
        if best.loss < config.stop_loss || iteration - best_iteration >= config.patience {
            break;
        }
        let next = config.step_rule.next(next, &best.trigger);
        if next != current && iteration < config.iterations {
            gradient = objective.slot_gradient(&next);
        }
        current = next;
    }
    best
}

/// Distinct legal triggers, never tried before, that differ from `current` in one slot.
pub(crate) fn propose(
    current: &TriggerIds,
    top: &[Vec<u32>],
    space: &TriggerSpace<'_>,
    n: usize,
    visited: &mut BTreeSet<TriggerIds>,
    rng: &mut impl Rng,
) -> Vec<TriggerIds> {
    let mut candidates = Vec::with_capacity(n);
    for _ in 0..n * DRAWS_PER_CANDIDATE {
        if candidates.len() == n {
            break;
        }
        let slot = rng.random_range(0..current.ids.len());
        if top[slot].is_empty() {
            continue;
        }
        let mut candidate = current.clone();
        candidate.ids[slot] = top[slot][rng.random_range(0..top[slot].len())];
        if visited.contains(&candidate) || !space.is_legal(&candidate) {
            continue;
        }
        visited.insert(candidate.clone());
        candidates.push(candidate);
    }
    candidates
}

/// The candidate with the lowest loss over all samples.
///
/// With screening, a random part of the samples ranks all candidates, and the best of them are
/// scored on the others, too.
fn score(
    objective: &Objective<'_>,
    candidates: Vec<TriggerIds>,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> (TriggerIds, f64) {
    let n_samples = objective.samples().len();
    let subset = (config.screening_survivors < candidates.len())
        .then(|| screening_subset(n_samples, config, rng))
        .flatten();
    let Some(subset) = subset else {
        let losses = objective.losses(&candidates, &(0..n_samples).collect::<Vec<_>>());
        return ranked(candidates, &losses).swap_remove(0);
    };
    let screened = objective.losses(&candidates, &subset);
    let mut survivors = ranked(candidates, &screened);
    survivors.truncate(config.screening_survivors);
    let (survivors, screened): (Vec<TriggerIds>, Vec<f64>) = survivors.into_iter().unzip();
    let others: Vec<usize> = (0..n_samples).filter(|index| !subset.contains(index)).collect();
    let mut losses = objective.losses(&survivors, &others);
    for (loss, screened) in losses.iter_mut().zip(screened) {
        let total = *loss * others.len() as f64 + screened * subset.len() as f64;
        *loss = total / n_samples as f64;
    }
    ranked(survivors, &losses).swap_remove(0)
}

/// The samples of a screening, if there is one.
pub(crate) fn screening_subset(
    n_samples: usize,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> Option<Vec<usize>> {
    if config.screening_samples == 0 || config.screening_samples >= n_samples {
        return None;
    }
    let mut subset: Vec<usize> = (0..n_samples).collect();
    for index in 0..config.screening_samples {
        subset.swap(index, rng.random_range(index..n_samples));
    }
    subset.truncate(config.screening_samples);
    Some(subset)
}

/// Triggers with their losses, the lowest first; equal ones in the order of their ids.
pub(crate) fn ranked(candidates: Vec<TriggerIds>, losses: &[f64]) -> Vec<(TriggerIds, f64)> {
    let mut pairs: Vec<(TriggerIds, f64)> =
        candidates.into_iter().zip(losses.iter().copied()).collect();
    pairs.sort_by(|(a, a_loss), (b, b_loss)| a_loss.total_cmp(b_loss).then_with(|| a.cmp(b)));
    pairs
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use elibadcode_corpus::{Task, stage_rng};
    use elibadcode_models::{Compute, LoadedModel, ModelDir};
    use elibadcode_syntax::Language;

    use super::*;

    pub(crate) fn fixture() -> LoadedModel {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/roberta-one-logit");
        let compute = Compute::select("cpu").expect("there is a CPU");
        let dir = ModelDir::open(&folder).expect("the fixture opens");
        dir.load(&compute).expect("the fixture loads")
    }

    #[test]
    fn proposals_are_distinct_legal_and_new() {
        let model = fixture();
        let config = ScanConfig::recommended(Task::DefectDetection);
        let space = TriggerSpace::new(&model, Language::C, &config).expect("the fixture has names");
        let mut rng = stage_rng(1, "proposals");
        let current = space.random(4, false, &mut rng).expect("there are legal triggers");
        let (first, rest) = (&space.vocabulary().first, &space.vocabulary().rest);
        let top = [first.clone(), rest.clone(), rest.clone(), rest.clone()];
        let mut visited: BTreeSet<TriggerIds> = [current.clone()].into();
        let mut seen: BTreeSet<TriggerIds> = visited.clone();
        for _ in 0..3 {
            let candidates = propose(&current, &top, &space, 20, &mut visited, &mut rng);
            assert_eq!(candidates.len(), 20);
            for candidate in candidates {
                let pairs = candidate.ids.iter().zip(&current.ids);
                assert_eq!(pairs.filter(|(a, b)| a != b).count(), 1);
                assert!(space.is_legal(&candidate));
                assert!(seen.insert(candidate), "proposed before");
            }
        }
        assert_eq!(visited, seen);
    }

    #[test]
    fn exhausted_proposals_end() {
        let model = fixture();
        let config = ScanConfig::recommended(Task::DefectDetection);
        let space = TriggerSpace::new(&model, Language::C, &config).expect("the fixture has names");
        let mut rng = stage_rng(1, "proposals");
        let current = space.random(2, false, &mut rng).expect("there are legal triggers");
        let top: Vec<Vec<u32>> = current.ids.iter().map(|&id| vec![id]).collect();
        let mut visited: BTreeSet<TriggerIds> = [current.clone()].into();
        assert!(propose(&current, &top, &space, 8, &mut visited, &mut rng).is_empty());
    }
}
