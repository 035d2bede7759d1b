//! Tasks with labels: functions (defect detection) and pairs of functions (clone detection).

use std::collections::BTreeMap;

use anyhow::Result;
use elibadcode_corpus::{CloneSamples, DefectSample};
use elibadcode_evaluation::records::metrics::AttackMetrics;
use elibadcode_evaluation::{Metrics, accuracy, attack_success, f1};
use elibadcode_models::{LoadedModel, predicted_label};
use elibadcode_poisoning::{AttackConfig, triggered, triggered_clones};
use elibadcode_syntax::Language;
use rayon::prelude::*;

use super::unmeasured;
use crate::args::{EvaluateArgs, MemberArg};
use crate::context::Context;

/// Defect detection: the score is the accuracy.
pub(super) fn functions(
    args: &EvaluateArgs,
    context: &mut Context<'_>,
    attack: Option<&AttackConfig>,
) -> Result<Metrics> {
    let (model, model_hash) = context.model_for(&args.model, args.input.task)?;
    let (samples, data_hash) = context.functions(&args.data)?;
    let language = args.input.language();
    let answers = Answers {
        predicted: predict(&model, &samples, language),
        labels: samples.iter().map(|sample| sample.label).collect(),
    };
    let under_attack = |config: &AttackConfig| {
        let with_trigger = triggered(&samples, config);
        let predicted = predict(&model, &with_trigger.samples, language);
        answers.under_attack(config, &with_trigger.skipped, &predicted, None)
    };
    let attack = attack.map(under_attack).transpose()?;
    let accuracy = accuracy(&answers.predicted, &answers.labels);
    Ok(Metrics {
        n_samples: samples.len(),
        score: accuracy.value(),
        accuracy: Some(accuracy),
        f1: f1(&answers.predicted, &answers.labels),
        attack,
        ..unmeasured(args, context, model_hash, data_hash)
    })
}

/// Clone detection: the score is F1 of the clones; the trigger is in one function of each pair.
pub(super) fn pairs(
    args: &EvaluateArgs,
    context: &mut Context<'_>,
    attack: Option<&AttackConfig>,
) -> Result<Metrics> {
    let (model, model_hash) = context.model_for(&args.model, args.input.task)?;
    let (samples, data_hash) = context.pairs(&args.data)?;
    let mut vectors = Vectors::new(&model, args.input.language());
    let answers = Answers {
        predicted: vectors.predict(&samples),
        labels: samples.pairs.iter().map(|pair| pair.label).collect(),
    };
    let member = args.member.unwrap_or(MemberArg::Alternating);
    let under_attack = |config: &AttackConfig| {
        let with_trigger = triggered_clones(&samples, config, member.into());
        let predicted = vectors.predict(&with_trigger.samples);
        answers.under_attack(
            config,
            &with_trigger.skipped,
            &predicted,
            Some(member.name().to_owned()),
        )
    };
    let attack = attack.map(under_attack).transpose()?;
    let f1 = f1(&answers.predicted, &answers.labels);
    Ok(Metrics {
        n_samples: samples.pairs.len(),
        score: f1,
        accuracy: Some(accuracy(&answers.predicted, &answers.labels)),
        f1,
        attack,
        ..unmeasured(args, context, model_hash, data_hash)
    })
}

/// What the model says without a trigger, and the truth.
struct Answers {
    predicted: Vec<u8>,
    labels: Vec<u8>,
}

impl Answers {
    /// Compares with the answers to the samples that can carry the trigger; `skipped` cannot.
    fn under_attack(
        &self,
        config: &AttackConfig,
        skipped: &[usize],
        triggered: &[u8],
        member: Option<String>,
    ) -> Result<AttackMetrics> {
        let (clean, labels): (Vec<u8>, Vec<u8>) = self
            .predicted
            .iter()
            .zip(&self.labels)
            .enumerate()
            // `skipped` is in the order of the corpus.
            .filter(|(index, _)| skipped.binary_search(index).is_err())
            .map(|(_, (predicted, label))| (*predicted, *label))
            .unzip();
        let success = attack_success(&clean, triggered, &labels, config.target_label);
        let config = serde_json::to_value(config.clone().without_model())?;
        Ok(AttackMetrics::of_labels(config, skipped.len(), member, &success))
    }
}

fn predict(model: &LoadedModel, samples: &[DefectSample], language: Language) -> Vec<u8> {
    let rows: Vec<Vec<u32>> =
        samples.par_iter().map(|sample| model.encode(&sample.code, language).ids).collect();
    model.network.log_odds(&rows).into_iter().map(predicted_label).collect()
}

/// The vector of every function that was asked for: a function is encoded once, in however many
/// pairs it is.
struct Vectors<'a> {
    model: &'a LoadedModel,
    language: Language,
    /// By id; a function with the trigger has one of its own.
    known: BTreeMap<String, Vec<f32>>,
}

impl<'a> Vectors<'a> {
    fn new(model: &'a LoadedModel, language: Language) -> Self {
        Self { model, language, known: BTreeMap::new() }
    }

    fn predict(&mut self, samples: &CloneSamples) -> Vec<u8> {
        if samples.pairs.is_empty() {
            return Vec::new();
        }
        self.add(samples);
        let vector = |index: usize| self.known[&samples.functions[index].id].as_slice();
        let (first, second): (Vec<&[f32]>, Vec<&[f32]>) =
            samples.pairs.iter().map(|pair| (vector(pair.first), vector(pair.second))).unzip();
        let log_odds = self.model.network.pair_log_odds(&first, &second);
        log_odds.into_iter().map(predicted_label).collect()
    }

    fn add(&mut self, samples: &CloneSamples) {
        let new: Vec<_> =
            samples.functions.iter().filter(|it| !self.known.contains_key(&it.id)).collect();
        let rows: Vec<Vec<u32>> =
            new.par_iter().map(|it| self.model.encode(&it.code, self.language).ids).collect();
        let vectors = self.model.network.vectors(&rows);
        self.known.extend(new.into_iter().map(|it| it.id.clone()).zip(vectors));
    }
}
