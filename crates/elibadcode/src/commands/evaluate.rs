//! `evaluate`: accuracy, and with a trigger its success rate.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use elibadcode_corpus::DefectSample;
use elibadcode_evaluation::{AttackSuccess, Rate, accuracy, attack_success, f1};
use elibadcode_models::{LoadedModel, predicted_label};
use elibadcode_poisoning::{AttackConfig, Manifest, triggered};
use elibadcode_syntax::Language;
use serde::Serialize;

use crate::Outcome;
use crate::args::{EvaluateArgs, Global};
use crate::context::Context;
use crate::output;

/// The document `metrics.json`.
#[derive(Serialize)]
struct Metrics {
    schema_version: u32,
    model_hash: String,
    data_hash: String,
    n_samples: usize,
    accuracy: Rate,
    f1: Option<f64>,
    attack: Option<AttackMetrics>,
}

#[derive(Serialize)]
struct AttackMetrics {
    config: AttackConfig,
    /// Samples that cannot carry the trigger; they are in none of the rates.
    n_skipped: usize,
    #[serde(flatten)]
    success: AttackSuccess,
}

pub(crate) fn run(args: &EvaluateArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "evaluate");
    if let Some(path) = &args.output {
        output::check(path, global.force)?;
    }
    let attack = args.attack.as_deref().map(|it| attack_config(&mut context, it)).transpose()?;
    let (model, model_hash) = context.model(&args.model)?;
    let (samples, data_hash) = context.samples(&args.input, &args.data)?;
    let language = args.input.language();
    let labels: Vec<u8> = samples.iter().map(|sample| sample.label).collect();
    let predicted = predict(&model, &samples, language);
    let attack = attack.map(|config| under_attack(&model, &samples, &predicted, config, language));
    let metrics = Metrics {
        schema_version: 1,
        model_hash,
        data_hash,
        n_samples: samples.len(),
        accuracy: accuracy(&predicted, &labels),
        f1: f1(&predicted, &labels),
        attack,
    };
    if let Some(path) = &args.output {
        let text = output::json(&metrics)?;
        output::write_file(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    context.finish(&serde_json::json!({ "attack": args.attack }))?;
    context.print(&summary(&metrics))?;
    gates(args, &metrics, &context)
}

/// An attack by name with the paper's settings, or as a manifest says.
fn attack_config(context: &mut Context<'_>, text: &str) -> Result<AttackConfig> {
    if let Ok(attack) = text.parse() {
        return Ok(AttackConfig::paper(attack));
    }
    let path = Path::new(text);
    if !path.exists() {
        bail!("--attack {text}: neither an attack (codepoisoner, badcode) nor a file");
    }
    Ok(context.json::<Manifest>(path)?.attack)
}

fn under_attack(
    model: &LoadedModel,
    samples: &[DefectSample],
    predicted: &[u8],
    config: AttackConfig,
    language: Language,
) -> AttackMetrics {
    let with_trigger = triggered(samples, &config);
    let skipped: BTreeSet<usize> = with_trigger.skipped.iter().copied().collect();
    let (clean, labels): (Vec<u8>, Vec<u8>) = samples
        .iter()
        .zip(predicted)
        .enumerate()
        .filter(|(index, _)| !skipped.contains(index))
        .map(|(_, (sample, answer))| (*answer, sample.label))
        .unzip();
    let answers = predict(model, &with_trigger.samples, language);
    let success = attack_success(&clean, &answers, &labels, config.target_label);
    AttackMetrics { config, n_skipped: skipped.len(), success }
}

fn predict(model: &LoadedModel, samples: &[DefectSample], language: Language) -> Vec<u8> {
    let rows: Vec<Vec<u32>> =
        samples.iter().map(|sample| model.encode(&sample.code, language).ids).collect();
    model.network.log_odds(&rows).into_iter().map(predicted_label).collect()
}

fn summary(metrics: &Metrics) -> String {
    let mut text = String::new();
    let mut line = |name: &str, rate: &Rate| {
        let value = rate.value().map_or("  n/a".to_owned(), |it| format!("{:5.1} %", 100.0 * it));
        let interval = rate.wilson(0.95).map_or(String::new(), |it| {
            format!("  [{:.1}, {:.1}]", 100.0 * it.low, 100.0 * it.high)
        });
        let _ = writeln!(text, "{name:<34}{value}{interval}  ({}/{})", rate.hits, rate.total);
    };
    line("accuracy", &metrics.accuracy);
    if let Some(attack) = &metrics.attack {
        line("attack success rate (ASR)", &attack.success.asr);
        line("flip rate without the trigger", &attack.success.flip_rate);
        line("ASR where it was right before", &attack.success.conditional_asr);
        line("other class, accuracy without", &attack.success.other_class_clean);
        line("other class, accuracy with trigger", &attack.success.other_class_triggered);
    }
    text
}

fn gates(args: &EvaluateArgs, metrics: &Metrics, context: &Context<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::Done;
    if let (Some(limit), Some(attack)) = (args.max_asr, &metrics.attack) {
        let asr = attack.success.asr.value().ok_or_else(|| anyhow!("no sample can be attacked"))?;
        if asr > limit {
            context.say(&format!("the attack success rate {asr:.3} is above --max-asr {limit}"));
            outcome = Outcome::Found;
        }
    }
    if let Some(limit) = args.min_accuracy {
        let accuracy = metrics.accuracy.value().unwrap_or(0.0);
        if accuracy < limit {
            context.say(&format!("the accuracy {accuracy:.3} is below --min-accuracy {limit}"));
            outcome = Outcome::Found;
        }
    }
    Ok(outcome)
}
