//! `evaluate`: how well a model does its task, and what a trigger does to it.

mod gates;
mod inputs;
mod labels;
mod screening;
mod search;
mod summary;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::records::metrics::AttackMetrics;
use elibadcode_evaluation::{Metrics, Rate};
use elibadcode_poisoning::{Attack, AttackConfig, Trigger};
use serde::Deserialize;

use crate::Outcome;
use crate::args::{EvaluateArgs, Global};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &EvaluateArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "evaluate");
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    gates::check(args)?;
    let attack = attack(args, &mut context)?;
    let metrics = match args.input.task {
        Task::DefectDetection => labels::functions(args, &mut context, attack.as_ref())?,
        Task::CloneDetection => labels::pairs(args, &mut context, attack.as_ref())?,
        Task::CodeSearch => search::queries(args, &mut context, attack.as_ref())?,
    };
    context.print(&summary::text(&metrics))?;
    if let Some(warning) = metrics.attack.as_ref().and_then(other_way) {
        context.warn(&warning);
    }
    if let Some(path) = &args.output {
        let text = metrics.to_json()?;
        output::write_file(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    context.finish(&serde_json::json!({ "attack": args.attack, "trigger": args.trigger }))?;
    gates::judge(args, &metrics, &context)
}

/// How much more often a trigger must turn the label that is not attacked for it to look mistaken.
const CLEAR: f64 = 0.1;

/// Says so if the trigger turns the label that it should turn others into, instead of the attacked one: no
/// success against the attacked one is no safety then.
fn other_way(attack: &AttackMetrics) -> Option<String> {
    let rate = |rate: &Option<Rate>| rate.as_ref().and_then(Rate::value);
    let turned = rate(&attack.asr)? - rate(&attack.flip_rate)?;
    let turned_back = rate(&attack.other_class_clean)? - rate(&attack.other_class_triggered)?;
    let target = attack.config.get("target_label")?;
    (turned_back > turned + CLEAR).then(|| {
        format!(
            "the trigger turns samples with label {target} rather, {:.1} % of them: it attacks the other \
             label (with --trigger: --victim {target})",
            100.0 * turned_back
        )
    })
}

/// What we need of a manifest of any task.
#[derive(Deserialize)]
struct AnyManifest {
    attack: AttackConfig,
}

/// The attack by name with the paper's settings, as a manifest says, or with a trigger of the user's own.
fn attack(args: &EvaluateArgs, context: &mut Context<'_>) -> Result<Option<AttackConfig>> {
    let task = args.input.task;
    args.input.check_target(args.victim, args.target_word.as_deref())?;
    if let Some(name) = &args.trigger {
        if !args.input.language().is_identifier(name) {
            bail!("--trigger {name}: not a legal {} identifier", args.input.language());
        }
        let paper = AttackConfig::paper_for(Attack::CodePoisoner, task);
        let victim_label = args.victim.unwrap_or(paper.victim_label);
        let target_word = args.target_word.clone().or(paper.target_word.clone());
        let own =
            AttackConfig { victim_label, target_label: 1 - victim_label, target_word, ..paper };
        let own = own.with_triggers([Trigger::new(name.clone())?]);
        own.validate_for_test()?;
        return Ok(Some(own));
    }
    let Some(text) = &args.attack else { return Ok(None) };
    if let Ok(attack) = text.parse() {
        let config = AttackConfig::paper_for(attack, task);
        config.validate_for_test().with_context(|| format!("--attack {text}"))?;
        return Ok(Some(config));
    }
    let path = Path::new(text);
    if !path.exists() {
        bail!(
            "--attack {text}: neither a file nor an attack; attacks are {}",
            Attack::ALL.map(Attack::name).join(", ")
        );
    }
    let manifest = context.json::<AnyManifest>(path).with_context(|| {
        format!(
            "--attack {text}: expected the manifest.json that `poison` writes; what a scan found is given \
             as --trigger NAME"
        )
    });
    let config = manifest?.attack;
    if config.target_word.is_some() != (task == Task::CodeSearch) {
        bail!("--attack {text}: the manifest of an attack on another task than `{task}`");
    }
    config.validate_for_test()?;
    Ok(Some(config))
}

/// The part of the document that does not depend on the task.
fn unmeasured(
    args: &EvaluateArgs,
    context: &Context<'_>,
    model_hash: String,
    data_hash: String,
) -> Metrics {
    Metrics {
        schema_version: elibadcode_evaluation::records::METRICS_SCHEMA_VERSION,
        task: args.input.task.to_string(),
        seed: context.global.seed,
        model_hash,
        data_hash,
        n_samples: 0,
        score: None,
        accuracy: None,
        f1: None,
        ranking: None,
        attack: None,
        screen: None,
    }
}
