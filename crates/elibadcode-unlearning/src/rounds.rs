//! The rounds of a repair, of any task: fine-tune, measure, accept or go on, else roll back.

use std::collections::VecDeque;

use elibadcode_corpus::stage_rng;
use elibadcode_evaluation::Interval;
use elibadcode_inversion::InvertedTrigger;
use elibadcode_models::{
    CodeModel, EpochRecord, LoadedModel, Scope, Trained, TrainingConfig, TrainingEvent,
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::checks::{self, Limits};
use crate::config::UnlearningConfig;
use crate::error::Error;

/// One round of fine-tuning; `C` is what the samples that were kept aside say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt<C> {
    /// From 1; every scope and learning rate begins with the original network.
    pub round: usize,
    /// What was trained.
    pub scope: Scope,
    /// Its peak learning rate.
    pub learning_rate: f64,
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
    /// Rounds whose loss was no number, after which the rounds of that try ended.
    pub diverged: Vec<Divergence>,
}

/// A round without a result: its loss was no number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// From 1.
    pub round: usize,
    /// What was trained.
    pub scope: Scope,
    /// Its peak learning rate.
    pub learning_rate: f64,
}

impl<C> Unlearned<C> {
    /// The attempt that is the repair, or the last one if none was accepted.
    pub fn decisive(&self) -> Option<&Attempt<C>> {
        self.way().last()
    }

    /// The attempts that led to the decisive one, and it: the rounds of one scope and learning rate.
    pub fn way(&self) -> &[Attempt<C>] {
        let end = self.accepted.map_or(self.attempts.len(), |index| index + 1);
        let way = &self.attempts[..end];
        let n_rounds = way.last().map_or(0, |it| it.round);
        &way[end - n_rounds..]
    }
}

/// What a repair tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum UnlearnEvent {
    /// A round begins.
    Round {
        /// What it trains.
        scope: Scope,
        /// The peak learning rate.
        learning_rate: f64,
        /// From 1.
        round: usize,
    },
    /// The loss of this round was no number.
    Diverged(Divergence),
    /// So many triggers are searched for.
    Searches(usize),
    /// It goes on.
    Training(TrainingEvent),
}

/// What samples that were kept aside say about a network.
pub(crate) trait Measured {
    /// The part that is written down.
    type Checks;

    /// What tells how well the model does its task.
    const SCORE: &'static str;

    fn into_checks(self) -> Self::Checks;

    fn score(&self) -> f64;

    /// How much of the task's score was lost since `before`, as a 90 % interval.
    fn score_drop(&self, before: &Self) -> Interval;

    /// What these limits say against a repair that led from `before` to here, but for what it costs.
    fn objections(&self, before: &Self, limits: &Limits) -> Vec<String>;
}

/// What a round of fine-tuning gave.
pub(crate) struct Round {
    pub(crate) trained: Trained,
    pub(crate) searched: Vec<InvertedTrigger>,
    pub(crate) n_injected: usize,
}

/// Fine-tunes a network in one scope on newly injected samples, in the round with this number.
pub(crate) type Train<'a> = dyn FnMut(
        CodeModel,
        &TrainingConfig,
        usize,
        &mut ChaCha8Rng,
        &mut dyn FnMut(UnlearnEvent),
    ) -> Result<Round, Error>
    + 'a;

/// What speaks against a repair because of its cost.
pub(crate) fn costs<M: Measured>(after: &M, before: &M, limits: &Limits) -> Vec<String> {
    let (surely, measured) = (after.score_drop(before).low, before.score() - after.score());
    checks::costs(M::SCORE, surely, measured, limits)
}

/// Tries every scope for as many rounds as it takes. The first result without objections after the
/// least number of rounds is the repair; if there is none, the last one without objections.
///
/// A scope in which nothing passed and the last round costs too much is tried again, slower, and so is one
/// in which a round diverged before there were enough.
pub(crate) fn repair<M: Measured>(
    model: &LoadedModel,
    config: &UnlearningConfig,
    seed: u64,
    before: M,
    measure: &dyn Fn(&CodeModel) -> M,
    train: &mut Train<'_>,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<Unlearned<M::Checks>, Error> {
    let (attempts, passed, diverged, error) = (Vec::new(), None, Vec::new(), None);
    let mut repair =
        Repair { model, config, seed, before, measure, attempts, passed, diverged, error };
    'scopes: for &scope in &config.scopes {
        for n_slowdowns in 0..=config.slowdowns {
            match repair.try_out(&config.training(scope, n_slowdowns), train, observe)? {
                End::Accepted => break 'scopes,
                End::TooCostly => {}
                End::Done => break,
            }
        }
    }
    if let (Some(error), true) = (repair.error, repair.attempts.is_empty()) {
        return Err(error.into());
    }
    let (network, accepted) = match repair.passed {
        Some((network, index)) => (network, Some(index)),
        None => (model.network.clone(), None),
    };
    let before = repair.before.into_checks();
    let Repair { attempts, diverged, .. } = repair;
    Ok(Unlearned { network, accepted, before, attempts, diverged })
}

/// How the rounds of a scope at one learning rate ended.
enum End {
    Accepted,
    /// Nothing passed, and what the last round lost is more than allowed; or it diverged.
    TooCostly,
    /// A round passed, or the last one lost no more than is allowed: slower would be no better.
    Done,
}

/// A repair that goes on.
struct Repair<'a, M: Measured> {
    model: &'a LoadedModel,
    config: &'a UnlearningConfig,
    seed: u64,
    before: M,
    measure: &'a dyn Fn(&CodeModel) -> M,
    attempts: Vec<Attempt<M::Checks>>,
    /// The last network without objections, and its attempt.
    passed: Option<(CodeModel, usize)>,
    /// Rounds without a result.
    diverged: Vec<Divergence>,
    /// Why the last of them has none.
    error: Option<elibadcode_models::Error>,
}

impl<M: Measured> Repair<'_, M> {
    /// Fine-tunes the original network, round by round.
    fn try_out(
        &mut self,
        training: &TrainingConfig,
        train: &mut Train<'_>,
        observe: &mut dyn FnMut(UnlearnEvent),
    ) -> Result<End, Error> {
        let Self { config, before, .. } = self;
        let TrainingConfig { scope, learning_rate, .. } = *training;
        let mut network = self.model.network.clone();
        let mut recent = VecDeque::new();
        let (mut is_too_costly, mut has_passed) = (false, false);
        for round in 1..=config.rounds {
            observe(UnlearnEvent::Round { scope, learning_rate, round });
            let mut rng = stage_rng(self.seed, &format!("unlearn {scope} {round}"));
            let trained = match train(network, training, round, &mut rng, observe) {
                Err(Error::Model(error @ elibadcode_models::Error::NotFinite(_))) => {
                    let divergence = Divergence { round, scope, learning_rate };
                    observe(UnlearnEvent::Diverged(divergence));
                    self.diverged.push(divergence);
                    self.error = Some(error);
                    return Ok(End::TooCostly);
                }
                other => other?,
            };
            let Round { trained, searched, n_injected } = trained;
            network = trained.model;
            recent.push_back(network.clone());
            if recent.len() > config.averaged_rounds {
                recent.pop_front();
            }
            let repaired = CodeModel::mean(recent.make_contiguous()).expect("there is one");
            let after = (self.measure)(&repaired);
            let costs = costs(&after, before, &config.limits);
            is_too_costly = !costs.is_empty();
            let objections = [costs, after.objections(before, &config.limits)].concat();
            let is_passed = objections.is_empty();
            has_passed |= is_passed;
            if is_passed {
                self.passed = Some((repaired, self.attempts.len()));
            }
            self.attempts.push(Attempt {
                round,
                scope,
                learning_rate,
                searched,
                n_injected,
                history: trained.history,
                score_drop: after.score_drop(before),
                after: after.into_checks(),
                objections,
            });
            if is_passed && round >= config.min_rounds {
                return Ok(End::Accepted);
            }
        }
        Ok(if is_too_costly && !has_passed { End::TooCostly } else { End::Done })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use elibadcode_corpus::Task;
    use elibadcode_models::initialize;

    use super::*;
    use crate::fixture;

    /// What a model is worth after some training.
    #[derive(Clone, Copy)]
    struct After {
        n_rounds: usize,
        score: f64,
        is_refused: bool,
    }

    impl Measured for After {
        type Checks = usize;

        const SCORE: &'static str = "the score";

        fn into_checks(self) -> usize {
            self.n_rounds
        }

        fn score(&self) -> f64 {
            self.score
        }

        fn score_drop(&self, before: &Self) -> Interval {
            let drop = before.score - self.score;
            Interval { low: drop, high: drop }
        }

        fn objections(&self, _: &Self, _: &Limits) -> Vec<String> {
            if self.is_refused { vec!["no".into()] } else { Vec::new() }
        }
    }

    /// A repair by rounds with these learning rates' scores, of which those with these numbers are
    /// refused.
    fn run(
        min_rounds: usize,
        score: impl Fn(f64) -> f64,
        is_refused: impl Fn(usize) -> bool,
    ) -> Result<Unlearned<usize>, Error> {
        let model = fixture("roberta-one-logit");
        let (n_rounds, rate) = (Cell::new(0), Cell::new(0.0));
        let mut train =
            |network, it: &TrainingConfig, _: usize, _: &mut ChaCha8Rng, _: &mut dyn FnMut(_)| {
                n_rounds.set(n_rounds.get() + 1);
                rate.set(it.learning_rate);
                if score(it.learning_rate).is_nan() {
                    let error = elibadcode_models::Error::NotFinite("the loss is NaN".into());
                    return Err(error.into());
                }
                let trained = Trained { model: network, history: Vec::new(), best_epoch: 1 };
                Ok(Round { trained, searched: Vec::new(), n_injected: 1 })
            };
        let measure = |_: &CodeModel| {
            let n_rounds = n_rounds.get();
            After { n_rounds, score: score(rate.get()), is_refused: is_refused(n_rounds) }
        };
        let recommended = UnlearningConfig::recommended(Task::DefectDetection);
        let config = UnlearningConfig { min_rounds, ..recommended };
        let before = After { n_rounds: 0, score: 0.9, is_refused: true };
        repair(&model, &config, 1, before, &measure, &mut train, &mut |_| ())
    }

    #[test]
    fn a_round_that_passed_is_kept_if_later_ones_are_refused() {
        let kept = run(2, |_| 0.9, |round| round > 1).expect("it runs");
        assert_eq!((kept.accepted, kept.attempts.len()), (Some(0), 3));
        assert_eq!(kept.decisive().map(|it| it.after), Some(1));
        let done = run(1, |_| 0.9, |round| round > 1).expect("it runs");
        assert_eq!((done.accepted, done.attempts.len()), (Some(0), 1));
    }

    #[test]
    fn what_costs_too_much_is_tried_again_slower() {
        let slower =
            run(2, |rate| if rate > 2e-4 { 0.5 } else { 0.9 }, |_| false).expect("it runs");
        let rates: Vec<f64> = slower.attempts.iter().map(|it| it.learning_rate).collect();
        assert_eq!(rates, [5e-4, 5e-4, 5e-4, 1.25e-4, 1.25e-4]);
        assert_eq!(slower.accepted, Some(4));
        let first = &slower.attempts[0].objections[0];
        assert_eq!(first, "with 95 % confidence the score fell by 40.0 points, allowed are 1.0");
        let never = run(2, |_| 0.5, |_| false).expect("it runs");
        assert_eq!((never.accepted, never.attempts.len()), (None, 9));
        let for_another_reason = run(2, |_| 0.9, |_| true).expect("it runs");
        assert_eq!((for_another_reason.accepted, for_another_reason.attempts.len()), (None, 3));
        let n_rounds = |it: &Unlearned<usize>| it.way().len();
        assert_eq!((n_rounds(&slower), n_rounds(&never)), (2, 3));
    }

    #[test]
    fn a_repair_is_the_mean_of_its_last_rounds() {
        let model = fixture("roberta-one-logit");
        let network = |seed: usize| {
            let mut rng = stage_rng(seed as u64, "network");
            initialize(&model.config, model.network.head(), &mut rng, &model.network.device())
        };
        let mut train = |_, _: &TrainingConfig, round, _: &mut ChaCha8Rng, _: &mut dyn FnMut(_)| {
            let trained = Trained { model: network(round), history: Vec::new(), best_epoch: 1 };
            Ok(Round { trained, searched: Vec::new(), n_injected: 1 })
        };
        let measure = |_: &CodeModel| After { n_rounds: 1, score: 0.9, is_refused: false };
        let recommended = UnlearningConfig::recommended(Task::DefectDetection);
        let config =
            UnlearningConfig { rounds: 3, min_rounds: 3, averaged_rounds: 2, ..recommended };
        let before = measure(&model.network);
        let repaired =
            repair(&model, &config, 1, before, &measure, &mut train, &mut |_| ()).expect("it runs");
        let expected = CodeModel::mean(&[network(2), network(3)]).expect("two");
        let answer = |network: &CodeModel| network.log_odds(&[&[0_u32, 5, 6, 2]]);
        assert_eq!(answer(&repaired.network), answer(&expected));
        assert_ne!(answer(&repaired.network), answer(&network(3)));
    }

    #[test]
    fn a_round_that_passed_does_not_end_a_try_that_diverges() {
        let model = fixture("roberta-one-logit");
        let mut train =
            |network, it: &TrainingConfig, round, _: &mut ChaCha8Rng, _: &mut dyn FnMut(_)| {
                if round == 2 && it.learning_rate > 2e-4 {
                    let error = elibadcode_models::Error::NotFinite("the loss is NaN".into());
                    return Err(error.into());
                }
                let trained = Trained { model: network, history: Vec::new(), best_epoch: 1 };
                Ok(Round { trained, searched: Vec::new(), n_injected: 1 })
            };
        let measure = |_: &CodeModel| After { n_rounds: 1, score: 0.9, is_refused: false };
        let mut run = |slowdowns| {
            let recommended = UnlearningConfig::recommended(Task::DefectDetection);
            let config = UnlearningConfig { min_rounds: 2, slowdowns, ..recommended };
            let before = measure(&model.network);
            repair(&model, &config, 1, before, &measure, &mut train, &mut |_| ()).expect("it runs")
        };
        let slower = run(1);
        assert_eq!((slower.accepted, slower.diverged.len()), (Some(2), 1));
        // Without another try it is kept, and the record says what came of the next.
        let kept = run(0);
        assert_eq!((kept.accepted, kept.diverged.len()), (Some(0), 1));
    }

    #[test]
    fn a_loss_that_is_no_number_asks_for_a_slower_try() {
        let slower = run(2, |rate| if rate > 2e-4 { f64::NAN } else { 0.9 }, |_| false);
        let slower = slower.expect("the second rate does");
        let rounds: Vec<usize> = slower.attempts.iter().map(|it| it.round).collect();
        assert_eq!((rounds, slower.accepted), (vec![1, 2], Some(1)));
        assert_eq!(slower.diverged.len(), 1);
        let diverged = Divergence { round: 1, scope: Scope::Full, learning_rate: 5e-4 };
        assert_eq!(slower.diverged[0], diverged);
        let error = run(2, |_| f64::NAN, |_| false).expect_err("no rate does").to_string();
        assert!(error.contains("the loss is NaN"), "{error}");
    }
}
