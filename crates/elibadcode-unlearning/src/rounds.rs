//! The rounds of a repair, of any task: fine-tune, measure, accept or go on, else roll back.

use elibadcode_corpus::stage_rng;
use elibadcode_evaluation::Interval;
use elibadcode_inversion::InvertedTrigger;
use elibadcode_models::{
    CodeModel, EpochRecord, LoadedModel, Scope, Trained, TrainingConfig, TrainingEvent,
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::checks::Limits;
use crate::config::UnlearningConfig;
use crate::error::Error;

/// One round of fine-tuning; `C` is what the samples that were kept aside say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt<C> {
    /// What was trained.
    pub scope: Scope,
    /// Triggers that were searched for in the model before it
    /// ([`UnlearningConfig::searches`]).
    pub searched: Vec<InvertedTrigger>,
    /// Clean samples that got a trigger.
    pub n_injected: usize,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// What the samples that were kept aside say.
    pub after: C,
    /// How much of their accuracy, or mean reciprocal rank, was lost, as a 90 % interval.
    pub score_drop: Interval,
    /// What speaks against the result. Without objections it is accepted, unless there are to be
    /// more rounds first ([`UnlearningConfig::min_rounds`]).
    pub objections: Vec<String>,
}

/// The result of a repair.
#[derive(Debug)]
pub struct Unlearned<C> {
    /// The repaired network, or the original one if no attempt was accepted.
    pub network: CodeModel,
    /// Index of the attempt that is the repair, if one was accepted.
    pub accepted: Option<usize>,
    /// What the samples that were kept aside said before.
    pub before: C,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt<C>>,
}

impl<C> Unlearned<C> {
    /// The attempt that is the repair, or the last one if none was accepted.
    pub fn decisive(&self) -> Option<&Attempt<C>> {
        self.accepted.map_or(self.attempts.last(), |index| self.attempts.get(index))
    }
}

/// What a repair tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum UnlearnEvent {
    /// A round begins.
    Round {
        /// What it trains.
        scope: Scope,
        /// From 1.
        round: usize,
    },
    /// So many triggers are searched for.
    Searches(usize),
    /// It goes on.
    Training(TrainingEvent),
}

/// What samples that were kept aside say about a network.
pub(crate) trait Measured {
    /// The part that is written down.
    type Checks;

    fn into_checks(self) -> Self::Checks;

    /// How much of the task's score was lost since `before`, as a 90 % interval.
    fn score_drop(&self, before: &Self) -> Interval;

    /// What these limits say against a repair that led from `before` to here.
    fn objections(&self, before: &Self, limits: &Limits) -> Vec<String>;
}

/// What a round of fine-tuning gave.
pub(crate) struct Round {
    pub(crate) trained: Trained,
    pub(crate) searched: Vec<InvertedTrigger>,
    pub(crate) n_injected: usize,
}

/// Fine-tunes a network in one scope on newly injected samples.
pub(crate) type Train<'a> = dyn FnMut(
        CodeModel,
        &TrainingConfig,
        &mut ChaCha8Rng,
        &mut dyn FnMut(UnlearnEvent),
    ) -> Result<Round, Error>
    + 'a;

/// Tries every scope for as many rounds as it takes. The first result without objections after the
/// least number of rounds is the repair; if there is none, the last one without objections.
pub(crate) fn repair<M: Measured>(
    model: &LoadedModel,
    config: &UnlearningConfig,
    seed: u64,
    before: M,
    measure: &dyn Fn(&CodeModel) -> M,
    train: &mut Train<'_>,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<Unlearned<M::Checks>, Error> {
    let mut attempts: Vec<Attempt<M::Checks>> = Vec::new();
    let mut passed: Option<(CodeModel, usize)> = None;
    'scopes: for &scope in &config.scopes {
        let mut network = model.network.clone();
        for round in 1..=config.rounds {
            observe(UnlearnEvent::Round { scope, round });
            let mut rng = stage_rng(seed, &format!("unlearn {scope} {round}"));
            let Round { trained, searched, n_injected } =
                train(network, &config.training(scope), &mut rng, observe)?;
            network = trained.model;
            let after = measure(&network);
            let objections = after.objections(&before, &config.limits);
            if objections.is_empty() {
                passed = Some((network.clone(), attempts.len()));
            }
            let is_done = objections.is_empty() && round >= config.min_rounds;
            attempts.push(Attempt {
                scope,
                searched,
                n_injected,
                history: trained.history,
                score_drop: after.score_drop(&before),
                after: after.into_checks(),
                objections,
            });
            if is_done {
                break 'scopes;
            }
        }
    }
    let (network, accepted) = match passed {
        Some((network, index)) => (network, Some(index)),
        None => (model.network.clone(), None),
    };
    Ok(Unlearned { network, accepted, before: before.into_checks(), attempts })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use elibadcode_corpus::Task;

    use super::*;
    use crate::fixture;

    /// How many rounds were trained before it was measured.
    struct After(usize);

    impl Measured for After {
        type Checks = usize;

        fn into_checks(self) -> usize {
            self.0
        }

        fn score_drop(&self, _: &Self) -> Interval {
            Interval { low: 0.0, high: 0.0 }
        }

        /// Only the first round passes.
        fn objections(&self, _: &Self, _: &Limits) -> Vec<String> {
            if self.0 == 1 { Vec::new() } else { vec!["no".into()] }
        }
    }

    #[test]
    fn a_round_that_passed_is_kept_if_later_ones_are_refused() {
        let model = fixture("roberta-one-logit");
        let n_trained = Cell::new(0);
        let mut train = |network, _: &TrainingConfig, _: &mut ChaCha8Rng, _: &mut dyn FnMut(_)| {
            n_trained.set(n_trained.get() + 1);
            let trained = Trained { model: network, history: Vec::new(), best_epoch: 1 };
            Ok(Round { trained, searched: Vec::new(), n_injected: 1 })
        };
        let measure = |_: &CodeModel| After(n_trained.get());
        let run = |min_rounds, train: &mut Train<'_>| {
            n_trained.set(0);
            let config = UnlearningConfig {
                min_rounds,
                ..UnlearningConfig::recommended(Task::DefectDetection)
            };
            repair(&model, &config, 1, After(0), &measure, train, &mut |_| ()).expect("it runs")
        };
        let kept = run(2, &mut train);
        assert_eq!((kept.accepted, kept.attempts.len()), (Some(0), 3));
        assert_eq!(kept.decisive().map(|it| it.after), Some(1));
        let done = run(1, &mut train);
        assert_eq!((done.accepted, done.attempts.len()), (Some(0), 1));
    }
}
