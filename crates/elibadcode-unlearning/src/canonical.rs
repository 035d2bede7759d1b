//! The repair of a model by what it reads: canonical names instead of the function's own.
//!
//! No trigger in a declared name reaches such a model, whatever its weights have learned, so there
//! is nothing to search for and nothing to unlearn. What has to be found out is what it costs that
//! the model does not see names, and whether fine-tuning on canonical functions makes up for it.

mod scored;

use elibadcode_corpus::stage_rng;
use elibadcode_evaluation::Interval;
use elibadcode_evaluation::records::certificate::{CanonicalScores, FineTuning};
use elibadcode_models::{CodeModel, TrainingConfig, fine_tune};
use rand::seq::SliceRandom;

pub use self::scored::ScoredRow;
use crate::checks::{check_answers, costs};
use crate::config::UnlearningConfig;
use crate::error::Error;
use crate::parts::divide;
use crate::rounds::{Divergence, UnlearnEvent};

/// Fewer samples than this cannot be divided into training and checks.
const MIN_SAMPLES: usize = 40;
/// Fewer samples than this say nothing about the cost.
const MIN_CHECKS: usize = 10;
/// Fine-tuning on fewer samples than this, or choosing an epoch by fewer, is not tried.
const MIN_TRAINING: usize = 10;

/// Clean samples in the two forms, in the same order.
#[derive(Debug)]
pub struct CanonicalSamples<'a, R> {
    /// As the model read them so far.
    pub raw: &'a [R],
    /// As it is to read them.
    pub canonical: &'a [R],
    /// Numbers of the functions in each sample, the same for those that the model is to read alike: none is
    /// both trained on and asked about.
    pub functions: &'a [Vec<usize>],
}

impl<R> CanonicalSamples<'_, R> {
    /// Fails if one of the forms lacks a sample.
    fn check_lengths(&self) -> Result<(), Error> {
        let Self { raw, canonical, functions } = self;
        if raw.len() == functions.len() && canonical.len() == functions.len() {
            return Ok(());
        }
        Err(Error::Samples(format!(
            "there are {} raw samples, {} canonical ones and the functions of {}, expected as many \
             of each",
            raw.len(),
            canonical.len(),
            functions.len()
        )))
    }
}

/// The result of a canonical repair.
#[derive(Debug)]
pub struct CanonicalRepair {
    /// The network for canonical input.
    pub network: CodeModel,
    /// What it costs, on samples that were kept aside.
    pub scores: CanonicalScores,
    /// Whether and how the network was fine-tuned.
    pub fine_tuning: FineTuning,
    /// What speaks against the result; without objections it is accepted.
    pub objections: Vec<String>,
}

/// Measures a model on canonical samples, and fine-tunes it on others of them where that helps.
///
/// Fine-tuning has the passes of all rounds of [`unlearn`](crate::unlearn), over fewer rows: none
/// of them carries a trigger. If it helps nothing, it is tried again slower.
/// A share [`UnlearningConfig::check_rate`] of the samples is kept aside for the scores, and as
/// many of the rest choose the epoch.
pub fn canonical_repair<R: ScoredRow>(
    network: &CodeModel,
    samples: &CanonicalSamples<'_, R>,
    config: &UnlearningConfig,
    seed: u64,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<CanonicalRepair, Error> {
    network.expect_head(R::HEAD)?;
    config.validate()?;
    samples.check_lengths()?;
    let parts = Parts::draw(samples.functions, config, seed)?;
    let rows = |all: &[R], part: &[usize]| -> Vec<R> {
        part.iter().map(|&index| all[index].clone()).collect()
    };
    let checks = rows(samples.canonical, &parts.checks);
    let raw_checks = rows(samples.raw, &parts.checks);
    if let Some(right) = R::right_answers(network, &raw_checks) {
        check_answers(&right)?;
    }
    let before = R::scores(network, &raw_checks);
    let untrained = R::scores(network, &checks);

    let training = rows(samples.canonical, &parts.training);
    let selection = rows(samples.canonical, &parts.selection);
    let mut result = network.clone();
    let mut fine_tuning = FineTuning {
        n_training: training.len(),
        n_selection: selection.len(),
        ..FineTuning::default()
    };
    if training.len().min(selection.len()) >= MIN_TRAINING {
        let untrained = R::validate(network, &selection).score;
        fine_tuning.selection_before = Some(untrained);
        for n_slowdowns in 0..=config.slowdowns {
            let settings = settings(config, n_slowdowns);
            let TrainingConfig { scope, learning_rate, .. } = settings;
            observe(UnlearnEvent::Round { scope, learning_rate, round: 1 });
            let mut rng = stage_rng(seed, "canonical fine-tuning");
            let mut show = |event| observe(UnlearnEvent::Training(event));
            let trained =
                fine_tune(network.clone(), &training, &selection, &settings, &mut rng, &mut show);
            let trained = match trained {
                Err(elibadcode_models::Error::NotFinite(_)) => {
                    let divergence = Divergence { round: 1, scope, learning_rate };
                    observe(UnlearnEvent::Diverged(divergence));
                    continue;
                }
                other => other?,
            };
            let best = trained.history[trained.best_epoch - 1].valid_score;
            fine_tuning.learning_rate = Some(learning_rate);
            fine_tuning.best_epoch = Some(trained.best_epoch);
            fine_tuning.selection_after = best;
            fine_tuning.is_kept = best.is_some_and(|score| score > untrained);
            if fine_tuning.is_kept {
                result = trained.model;
                break;
            }
        }
    }
    let after = if fine_tuning.is_kept { R::scores(&result, &checks) } else { untrained.clone() };
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    let drop = R::drop(&before, &after).unwrap_or(Interval { low: -1.0, high: 1.0 });
    let scores = CanonicalScores {
        measure: R::MEASURE.to_owned(),
        n_samples: checks.len(),
        raw: mean(&before),
        canonical: mean(&untrained),
        repaired: mean(&after),
        cost: drop,
    };
    let fell = mean(&before) - mean(&after);
    let objections = costs(&format!("the {}", R::MEASURE), drop.low, fell, &config.limits);
    Ok(CanonicalRepair { network: result, scores, fine_tuning, objections })
}

/// How a model is fine-tuned on canonical samples: in the widest scope, for all rounds at once.
fn settings(config: &UnlearningConfig, n_slowdowns: usize) -> TrainingConfig {
    let scope = config.scopes.last().copied().expect("validate() asked for a scope");
    let epochs = config.epochs * config.rounds;
    TrainingConfig { epochs, keep_best: true, ..config.training(scope, n_slowdowns) }
}

/// Indices of samples by what they are for.
struct Parts {
    checks: Vec<usize>,
    selection: Vec<usize>,
    training: Vec<usize>,
}

impl Parts {
    /// Parts without a function in common: a sample with functions of two of them is left out.
    fn draw(functions: &[Vec<usize>], config: &UnlearningConfig, seed: u64) -> Result<Self, Error> {
        let n = functions.len();
        if n < MIN_SAMPLES {
            return Err(Error::Samples(format!(
                "the repair needs at least {MIN_SAMPLES} clean samples, there are {n}"
            )));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut stage_rng(seed, "canonical split"));
        let samples: Vec<(u8, Vec<usize>)> = functions.iter().map(|it| (0, it.clone())).collect();
        let rate = config.check_rate;
        let shares = [rate, rate * (1.0 - rate), (1.0 - rate).powi(2)];
        let [checks, selection, training] =
            <[_; 3]>::try_from(divide(&samples, &order, &shares)).expect("as many parts as shares");
        if (n as f64 * rate).round() < MIN_CHECKS as f64 {
            return Err(Error::Samples(format!(
                "a share of {rate} (check_rate) of {n} clean samples are fewer than the {MIN_CHECKS} that \
                 are needed to check the repair"
            )));
        }
        if checks.len() < MIN_CHECKS {
            return Err(Error::Samples(format!(
                "the clean samples have so many functions in common, or names alone tell so many apart, \
                 that {} of {n} can be kept aside; at least {MIN_CHECKS} are needed to check the repair",
                checks.len()
            )));
        }
        Ok(Self { checks, selection, training })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use elibadcode_corpus::{LabelledIds, LabelledPairIds, Task};

    use super::*;
    use crate::fixture;

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let network = fixture("roberta-one-logit").network;
        let config = UnlearningConfig::recommended(Task::DefectDetection);
        let functions: Vec<Vec<usize>> = (0..3).map(|index| vec![index]).collect();
        let pairs: CanonicalSamples<'_, LabelledPairIds> =
            CanonicalSamples { raw: &[], canonical: &[], functions: &functions };
        let error =
            canonical_repair(&network, &pairs, &config, 1, &mut |_| ()).expect_err("no pairs");
        assert_eq!(error.to_string(), "the model has the head `classification`, expected `pair`");

        let rows = vec![LabelledIds { ids: vec![0, 2], label: 0 }; 3];
        let samples = CanonicalSamples { raw: &rows, canonical: &rows[1..], functions: &functions };
        let error =
            canonical_repair(&network, &samples, &config, 1, &mut |_| ()).expect_err("one lacks");
        assert!(error.to_string().contains("3 raw samples, 2 canonical ones"), "{error}");
    }

    #[test]
    fn no_function_is_in_two_parts() {
        let config = UnlearningConfig::recommended(Task::CloneDetection);
        // Neighbours share a function.
        let functions: Vec<Vec<usize>> = (0..100).map(|index| vec![index, index + 1]).collect();
        let parts = Parts::draw(&functions, &config, 3).expect("enough samples");
        assert!(!parts.checks.is_empty());
        let of = |part: &[usize]| -> BTreeSet<usize> {
            part.iter().flat_map(|&index| functions[index].clone()).collect()
        };
        let (checks, selection) = (of(&parts.checks), of(&parts.selection));
        assert!(checks.is_disjoint(&selection));
        assert!(of(&parts.training).is_disjoint(&(&checks | &selection)));
        assert!(!parts.selection.is_empty() && !parts.training.is_empty());

        let alone: Vec<Vec<usize>> = (0..100).map(|index| vec![index]).collect();
        let parts = Parts::draw(&alone, &config, 3).expect("enough samples");
        let sizes = [parts.checks.len(), parts.selection.len(), parts.training.len()];
        assert_eq!(sizes, [25, 19, 56]);
        let error = Parts::draw(&alone[..39], &config, 3).err().expect("too few");
        assert!(error.to_string().contains("at least 40"), "{error}");
        // All of them share one function.
        let hub: Vec<Vec<usize>> = (1..=100).map(|index| vec![0, index]).collect();
        let error = Parts::draw(&hub, &config, 3).err().expect("nothing is kept aside");
        assert!(error.to_string().contains("0 of 100 can be kept aside"), "{error}");
    }
}
