//! Tasks with labels: functions (defect detection) and pairs of functions (clone detection).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use elibadcode_corpus::{ClonePair, CloneSamples, DefectSample};
use elibadcode_evaluation::records::metrics::AttackMetrics;
use elibadcode_evaluation::{Metrics, accuracy, attack_success, f1};
use elibadcode_models::{LoadedModel, predicted_label};
use elibadcode_poisoning::{AttackConfig, triggered, triggered_clones};
use elibadcode_syntax::Language;

use super::inputs::Inputs;
use super::{screening, unmeasured};
use crate::args::{EvaluateArgs, MemberArg};
use crate::context::Context;

/// Defect detection: the score is the accuracy.
pub(super) fn functions(
    args: &EvaluateArgs,
    context: &mut Context<'_>,
    attack: Option<&AttackConfig>,
) -> Result<Metrics> {
    let (model, model_hash) = context.model_for(&args.model, args.input.task)?;
    let (samples, data_hash) = context.functions(&args.data, args.input.language())?;
    let mut inputs = Inputs::new(&model, args.input.language());
    let mut answers = |samples: &[DefectSample]| {
        let read = inputs.read(samples.iter().map(|sample| &*sample.code), |model, rows| {
            model.network.log_odds(rows).into_iter().map(predicted_label).collect()
        });
        let predicted = read.iter().map(|&input| *inputs.answer(input)).collect();
        Answers { predicted, inputs: read }
    };
    let clean = answers(&samples);
    let labels: Vec<u8> = samples.iter().map(|sample| sample.label).collect();
    let mut screen = None;
    let under_attack = |config: &AttackConfig| {
        let with_trigger = triggered(&samples, args.input.language(), config);
        let answers = answers(&with_trigger.samples);
        if args.screen {
            let (attacked, target) = (&with_trigger.samples, config.target_label);
            let language = args.input.language();
            screen = Some(screening::functions(&model, &samples, attacked, target, language));
        }
        clean.under_attack(&labels, config, &with_trigger.skipped, &answers, None)
    };
    let attack = attack.map(under_attack).transpose()?;
    inputs.say_cut(context);
    let accuracy = accuracy(&clean.predicted, &labels);
    Ok(Metrics {
        n_samples: samples.len(),
        score: accuracy.value(),
        accuracy: Some(accuracy),
        f1: f1(&clean.predicted, &labels),
        attack,
        screen,
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
    let (samples, data_hash) = context.pairs(&args.data, args.input.language())?;
    let mut asked = AskedPairs::new(&model, args.input.language());
    let clean = asked.answers(&samples);
    let labels: Vec<u8> = samples.pairs.iter().map(|pair| pair.label).collect();
    let member = args.member.unwrap_or(MemberArg::Alternating);
    let mut screen = None;
    let under_attack = |config: &AttackConfig| {
        let with_trigger = triggered_clones(&samples, args.input.language(), config, member.into());
        let answers = asked.answers(&with_trigger.samples);
        if args.screen {
            let (attacked, target) = (&with_trigger.samples, config.target_label);
            let language = args.input.language();
            screen = Some(screening::pairs(&model, &samples, attacked, target, language));
        }
        let member = Some(member.name().to_owned());
        clean.under_attack(&labels, config, &with_trigger.skipped, &answers, member)
    };
    let attack = attack.map(under_attack).transpose()?;
    asked.vectors.say_cut(context);
    let f1 = f1(&clean.predicted, &labels);
    Ok(Metrics {
        n_samples: samples.pairs.len(),
        score: f1,
        accuracy: Some(accuracy(&clean.predicted, &labels)),
        f1,
        attack,
        screen,
        ..unmeasured(args, context, model_hash, data_hash)
    })
}

/// What the model says about samples, and the number of each one's input.
struct Answers<I> {
    predicted: Vec<u8>,
    inputs: Vec<I>,
}

impl<I: Copy + PartialEq> Answers<I> {
    /// Compares with the answers to the samples that can carry the trigger; `skipped` cannot.
    fn under_attack(
        &self,
        labels: &[u8],
        config: &AttackConfig,
        skipped: &[usize],
        triggered: &Self,
        member: Option<String>,
    ) -> Result<AttackMetrics> {
        // `skipped` is in the order of the corpus.
        let able: Vec<usize> =
            (0..labels.len()).filter(|index| skipped.binary_search(index).is_err()).collect();
        let clean: Vec<u8> = able.iter().map(|&index| self.predicted[index]).collect();
        let labels: Vec<u8> = able.iter().map(|&index| labels[index]).collect();
        let success = attack_success(&clean, &triggered.predicted, &labels, config.target_label);
        let inputs = able.iter().zip(&triggered.inputs);
        let n_changed = inputs.filter(|&(&index, &input)| self.inputs[index] != input).count();
        let config = serde_json::to_value(config.clone().without_model())?;
        Ok(AttackMetrics {
            n_inputs_changed: Some(n_changed),
            ..AttackMetrics::of_labels(config, skipped.len(), member, &success)
        })
    }
}

/// The pairs that were asked about: a function is encoded once, in however many pairs it is, and a
/// pair is asked about once.
struct AskedPairs<'a> {
    model: &'a LoadedModel,
    vectors: Inputs<'a, Vec<f32>>,
    known: BTreeMap<(usize, usize), u8>,
}

impl<'a> AskedPairs<'a> {
    fn new(model: &'a LoadedModel, language: Language) -> Self {
        Self { model, vectors: Inputs::new(model, language), known: BTreeMap::new() }
    }

    fn answers(&mut self, samples: &CloneSamples) -> Answers<(usize, usize)> {
        let codes = samples.functions.iter().map(|function| &*function.code);
        let functions = self.vectors.read(codes, |model, rows| model.network.vectors(rows));
        let number = |pair: &ClonePair| (functions[pair.first], functions[pair.second]);
        let inputs: Vec<(usize, usize)> = samples.pairs.iter().map(number).collect();
        let new: BTreeSet<(usize, usize)> =
            inputs.iter().copied().filter(|pair| !self.known.contains_key(pair)).collect();
        if !new.is_empty() {
            let vector = |input| self.vectors.answer(input).as_slice();
            let (first, second): (Vec<&[f32]>, Vec<&[f32]>) =
                new.iter().map(|&(first, second)| (vector(first), vector(second))).unzip();
            let log_odds = self.model.network.pair_log_odds(&first, &second);
            self.known.extend(new.into_iter().zip(log_odds.into_iter().map(predicted_label)));
        }
        let predicted = inputs.iter().map(|pair| self.known[pair]).collect();
        Answers { predicted, inputs }
    }
}
