//! The rounds of a repair, of any task: fine-tune, measure, accept or go on, else roll back.

use elibadcode_corpus::stage_rng;
use elibadcode_evaluation::Interval;
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
    /// Whether the last attempt was accepted.
    pub is_accepted: bool,
    /// What the samples that were kept aside said before.
    pub before: C,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt<C>>,
}

/// What a repair tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum UnlearnEvent {
    /// Fine-tuning in this scope begins.
    Attempt(Scope),
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

/// Fine-tunes a network in one scope on newly injected samples; gives how many were injected, too.
pub(crate) type Train<'a> = dyn FnMut(
        CodeModel,
        &TrainingConfig,
        &mut ChaCha8Rng,
        &mut dyn FnMut(TrainingEvent),
    ) -> Result<(Trained, usize), Error>
    + 'a;

/// Tries every scope for as many rounds as it takes; the first accepted result is the repair.
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
    for &scope in &config.scopes {
        let mut network = model.network.clone();
        for round in 1..=config.rounds {
            observe(UnlearnEvent::Attempt(scope));
            let mut rng = stage_rng(seed, &format!("unlearn {scope} {round}"));
            let mut show = |event| observe(UnlearnEvent::Training(event));
            let (trained, n_injected) =
                train(network, &config.training(scope), &mut rng, &mut show)?;
            network = trained.model;
            let after = measure(&network);
            let objections = after.objections(&before, &config.limits);
            let is_accepted = objections.is_empty() && round >= config.min_rounds;
            attempts.push(Attempt {
                scope,
                n_injected,
                history: trained.history,
                score_drop: after.score_drop(&before),
                after: after.into_checks(),
                objections,
            });
            if is_accepted {
                let before = before.into_checks();
                return Ok(Unlearned { network, is_accepted, before, attempts });
            }
        }
    }
    Ok(Unlearned {
        network: model.network.clone(),
        is_accepted: false,
        before: before.into_checks(),
        attempts,
    })
}
