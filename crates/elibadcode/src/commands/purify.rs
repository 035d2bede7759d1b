//! `purify`: make a model forget the trigger that a scan found, or blind to names.

mod canonical;
mod ranking;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use elibadcode_corpus::Task;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::records::{PURIFICATION_SCHEMA_VERSION, SCAN_SCHEMA_VERSION};
use elibadcode_evaluation::report::html::RepairReport;
use elibadcode_evaluation::{Interval, Rate, escape_untrusted};
use elibadcode_inversion::{InvertedTrigger, ScanOutcome};
use elibadcode_models::{CodeModel, LoadedModel, ModelDir, Reading, TrainingEvent};
use elibadcode_syntax::Language;
use elibadcode_unlearning::{
    Attempt, Checks, Divergence, UnlearnEvent, Unlearned, UnlearningConfig, hand_written, unlearn,
};
use fs_err as fs;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::{EditArg, Global, PurifyArgs, SettingsPreset};
use crate::context::{Context, settings};
use crate::output;

pub(crate) fn run(args: &PurifyArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "purify");
    let preset = match args.settings.preset {
        SettingsPreset::Recommended => UnlearningConfig::recommended(args.input.task),
        SettingsPreset::Paper => UnlearningConfig::paper(),
    };
    let config = settings(preset, args.settings.config.as_deref())?;
    config.validate_for(args.input.task)?;
    if args.settings.print_config {
        context.print(&toml::to_string_pretty(&config)?)?;
        return Ok(Outcome::Done);
    }
    args.input.check_target(args.victim, args.target_word.as_deref())?;
    output::check_dir(&args.output, global.force)?;
    if let Some(path) = &args.report {
        output::check_file(path, global.force)?;
    }
    let is_accepted = match (args.canonical_input(), args.input.task) {
        (Some(form), _) => canonical::run(args, form, &config, &mut context)?,
        (None, Task::CodeSearch) => ranking::run(args, &config, &mut context)?,
        (None, Task::DefectDetection | Task::CloneDetection) => {
            labels(args, &config, &mut context)?
        }
    };
    Ok(if is_accepted { Outcome::Done } else { Outcome::Found })
}

/// Repairs a model of a classification task; whether the repair was accepted.
fn labels(args: &PurifyArgs, config: &UnlearningConfig, context: &mut Context<'_>) -> Result<bool> {
    let task = args.input.task;
    let (model, model_hash) = context.model_for(&args.model, task)?;
    let (clean, _) = context.clean_samples(task, &args.data, args.input.language())?;
    let (triggers, labels, doubt) = triggers(args, context, &model, &model_hash)?;
    let language = args.input.language();
    let seed = context.global.seed;
    let mut show = |event| show(context, "unlearning", event);
    let result = unlearn(&model, &clean, language, &triggers, labels, config, seed, &mut show)?;
    let summary = summary(&result, &triggers, args, config) + doubt;
    let unlearned =
        json!({ "triggers": triggers, "victim_label": labels.0, "target_label": labels.1 });
    conclude(args, config, context, model, unlearned, result, &summary)
}

/// Publishes what came of unlearning, beside what was `unlearned`; whether it was accepted.
fn conclude<C: Serialize>(
    args: &PurifyArgs,
    config: &UnlearningConfig,
    context: &Context<'_>,
    model: LoadedModel,
    unlearned: Value,
    result: Unlearned<C>,
    summary: &str,
) -> Result<bool> {
    let is_accepted = result.accepted.is_some();
    let mut report = unlearned;
    report["schema_version"] = PURIFICATION_SCHEMA_VERSION.into();
    report["task"] = args.input.task.to_string().into();
    report["run"] = context.made_by(config)?;
    report["is_accepted"] = is_accepted.into();
    report["accepted_attempt"] = json!(result.accepted);
    report["before"] = serde_json::to_value(&result.before)?;
    report["attempts"] = serde_json::to_value(&result.attempts)?;
    report["diverged"] = serde_json::to_value(&result.diverged)?;
    let network = is_accepted.then_some(result.network);
    let file = (RepairReport::UNLEARNING_FILE, &report);
    // `--raw-names` is how this command reads the model; its folder goes on asking for what it asked for.
    let asked = ModelDir::open(&args.model.model_dir)?.reading().canonical_input;
    let summary = if is_accepted && asked != model.canonical_input() {
        &format!(
            "{summary}the new folder asks for canonical names, as the old one does; these figures are of names as \
             they are (--raw-names)\n"
        )
    } else {
        summary
    };
    let model = model.with_canonical_input(asked);
    publish(args, config, context, model, network, file, summary)?;
    Ok(is_accepted)
}

/// Progress of a repair.
fn show(context: &Context<'_>, what: &str, event: UnlearnEvent) {
    let progress = &context.progress;
    match event {
        UnlearnEvent::Round { scope, learning_rate, round } => {
            progress.line(&format!(
                "{what}, scope {scope}, learning rate {learning_rate:e}, round {round}"
            ));
        }
        UnlearnEvent::Diverged(Divergence { learning_rate, round, .. }) => progress.line(&format!(
            "{what}, learning rate {learning_rate:e}, round {round}: the loss is no number any more"
        )),
        UnlearnEvent::Searches(n) => progress.line(&format!("{n} searches for more triggers")),
        UnlearnEvent::Training(TrainingEvent::Step { step, n_steps, loss }) => {
            if step == 1 {
                progress.start(what, n_steps);
            }
            progress.step(step, format!("loss {loss:.3}"));
        }
        UnlearnEvent::Training(TrainingEvent::Epoch(_)) => {}
    }
}

/// Prints what happened, and writes it and the repaired model, if there is one.
fn publish(
    args: &PurifyArgs,
    config: &UnlearningConfig,
    context: &Context<'_>,
    model: LoadedModel,
    network: Option<CodeModel>,
    (file, report): (&str, &impl Serialize),
    summary: &str,
) -> Result<()> {
    // First of all: a full disk is not to cost the figures.
    context.print(summary)?;
    if let Some(network) = network {
        let repaired = model.with_network(network);
        output::write_dir(&args.output, context.global.force, |dir| {
            repaired.save(dir, context.made_by(config)?)?;
            Ok(fs::write(dir.join(file), output::json(report)?)?)
        })?;
    }
    if let Some(path) = &args.report {
        let text = output::json(report)?;
        output::write_file(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    context.finish(config)
}

/// Reads what a scan of this task by this version wrote.
fn read_scan<T: DeserializeOwned>(context: &mut Context<'_>, path: &Path, task: Task) -> Result<T> {
    let document: Value = context.json(path)?;
    // Anything else that is wrong with it is said by the field.
    if let Some(version) = document.get("schema_version").and_then(Value::as_u64)
        && version != u64::from(SCAN_SCHEMA_VERSION)
    {
        bail!(
            "{} has the schema version {version}, this program reads {SCAN_SCHEMA_VERSION}; scan the \
             model again",
            path.display()
        );
    }
    let other = document.get("task").and_then(Value::as_str).filter(|it| *it != task.to_string());
    if let Some(other) = other.and_then(|it| it.parse::<Task>().ok()) {
        bail!("{} is of a scan with --task {other}, not {task}", path.display());
    }
    serde_json::from_value(document).with_context(|| format!("reading {}", path.display()))
}

/// What a summary says at last of a repair that rests on a scan which ended so.
fn doubt(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Inconclusive {
        "the scan was inconclusive: what it found may be a natural trigger that hides a planted one, which then \
         works as before\n  `purify --canonical` needs no scan\n"
    } else {
        ""
    }
}

/// The triggers and the (victim, target) labels, from a scan of this very model or by hand, and what is to
/// be said of that scan.
fn triggers(
    args: &PurifyArgs,
    context: &mut Context<'_>,
    model: &LoadedModel,
    model_hash: &str,
) -> Result<(Vec<InvertedTrigger>, (u8, u8), &'static str)> {
    if let Some(trigger) = hand_written_trigger(args, model)? {
        let victim = args.victim.unwrap_or(1);
        return Ok((vec![trigger], (victim, 1 - victim), ""));
    }
    let Some(path) = &args.scan else { bail!("--scan or --trigger is needed") };
    let scan: ScanOutcome = read_scan(context, path, args.input.task)?;
    let languages = (scan.language, args.input.language());
    let readings = (&scan.reading, &model.reading());
    check_subject(path, languages, readings, (&scan.model_hash, model_hash))?;
    let (Some(victim), Some(target)) = (scan.victim_label, scan.target_label) else {
        bail!(nothing_to_unlearn(path, scan.verdict))
    };
    Ok((scan.triggers, (victim, target), doubt(scan.verdict)))
}

/// Of a scan without a trigger that is worth it.
fn nothing_to_unlearn(path: &Path, verdict: Verdict) -> String {
    format!(
        "{}: the verdict is `{verdict}` without a trigger that stands out, so there is nothing to unlearn; \
         --canonical needs no scan",
        path.display()
    )
}

/// The trigger of `--trigger`, if there is one.
fn hand_written_trigger(args: &PurifyArgs, model: &LoadedModel) -> Result<Option<InvertedTrigger>> {
    let Some(text) = &args.trigger else { return Ok(None) };
    let language = args.input.language();
    let is_legal = match args.edit {
        EditArg::Replace => language.is_identifier(text),
        EditArg::Append => {
            !text.is_empty() && text.chars().all(|it| language.is_identifier_continue(it))
        }
    };
    if !is_legal {
        bail!("--trigger {text}: not a legal {language} identifier, or the end of one");
    }
    Ok(Some(hand_written(model, text, args.edit.into())))
}

/// Fails if a scan is of other code, of another model, or read it otherwise than this command does.
fn check_subject(
    path: &Path,
    (scanned_language, language): (Language, Language),
    (scanned_reading, reading): (&Reading, &Reading),
    (scanned, model): (&str, &str),
) -> Result<()> {
    if scanned_language != language {
        bail!("{} is a scan with --language {scanned_language}, not {language}", path.display());
    }
    let differences = scanned_reading.differences(reading);
    if !differences.is_empty() {
        bail!(
            "{} is a scan of {}: give both commands the same --max-length, --positive-output, --input-format, \
             --encoder-only-prefix and --raw-names",
            path.display(),
            differences.join("; ")
        );
    }
    if scanned != model {
        bail!(
            "{} is the scan of another model (hash {}…, this one is {}…)",
            path.display(),
            scanned.get(..12).unwrap_or_default(),
            model.get(..12).unwrap_or_default()
        );
    }
    Ok(())
}

fn summary(
    result: &Unlearned<Checks>,
    triggers: &[InvertedTrigger],
    args: &PurifyArgs,
    config: &UnlearningConfig,
) -> String {
    let mut text = String::new();
    let names: Vec<String> =
        triggers.iter().map(|it| format!("`{}`", escape_untrusted(&it.text))).collect();
    let _ = writeln!(text, "unlearned: {}", names.join(", "));
    let _ = writeln!(text, "{:<46}{:>8}{:>8}", "on clean samples kept aside", "before", "after");
    let after = result.decisive().map(|it| &it.after);
    let mut line = |name: &str, rate: fn(&Checks) -> &Rate| {
        let percent = |checks: &Checks| {
            rate(checks).value().map_or("n/a".to_owned(), |it| format!("{:.1} %", 100.0 * it))
        };
        let after = after.map_or(String::new(), percent);
        let _ = writeln!(text, "{name:<46}{:>8}{after:>8}", percent(&result.before));
    };
    line("accuracy", |it| &it.accuracy);
    let one =
        if triggers.len() > 1 { "one of the inverted triggers" } else { "the inverted trigger" };
    line(&format!("success of {one}"), |it| &it.asr);
    if triggers.len() > 1 {
        line("success of the strongest of them alone", |it| {
            it.asr_of_strongest().unwrap_or(&it.asr)
        });
    }
    line("success of random triggers there", |it| &it.control);
    line("flip rate without a trigger", |it| &it.flip_rate);
    line("other class, accuracy without the trigger", |it| &it.other_class_clean);
    line("other class, accuracy with the trigger", |it| &it.other_class_triggered);
    line("other class, accuracy with random triggers", |it| &it.other_class_control);
    if let Some(attempt) = result.decisive() {
        let (low, high) = (100.0 * attempt.score_drop.low, 100.0 * attempt.score_drop.high);
        let _ = writeln!(text, "accuracy fell by {low:.1} to {high:.1} points (90 % interval)");
        text.push_str(few_samples(&attempt.score_drop, config.limits.accuracy_drop));
    }
    text + &rounds(result, args, config)
}

/// Says that a fall by more than the limit cannot be excluded, if it cannot.
fn few_samples(drop: &Interval, limit: f64) -> &'static str {
    if drop.low <= limit && drop.high > limit {
        "too few clean samples were kept aside to exclude a larger fall than allowed\n"
    } else {
        ""
    }
}

/// What became of every round.
fn rounds<C>(result: &Unlearned<C>, args: &PurifyArgs, config: &UnlearningConfig) -> String {
    let mut text = String::new();
    for (index, attempt) in result.attempts.iter().enumerate() {
        let Attempt { scope, learning_rate, round, .. } = attempt;
        let way = format!("scope {scope}, learning rate {learning_rate:e}, round {round}");
        if result.accepted == Some(index) {
            let _ = writeln!(
                text,
                "accepted: {way}, {} samples with the trigger; it goes to {}",
                attempt.n_injected,
                args.output.display()
            );
            if *round < config.min_rounds {
                text.push_str(
                    "  later rounds were refused or diverged: more of the planted trigger may be left than after them\n",
                );
            }
        }
        for objection in &attempt.objections {
            let _ = writeln!(text, "refused: {way}: {objection}");
        }
    }
    for Divergence { scope, learning_rate, round } in &result.diverged {
        let _ = writeln!(
            text,
            "diverged: scope {scope}, learning rate {learning_rate:e}, round {round}: the loss was no number"
        );
    }
    let n_passed = result.attempts.iter().filter(|it| it.objections.is_empty()).count();
    let n_others = n_passed - usize::from(result.accepted.is_some());
    if n_others > 0 {
        let _ = writeln!(text, "other rounds that passed: {n_others}");
    }
    if result.accepted.is_none() {
        text.push_str("no model was written: no attempt was accepted\n");
    }
    text
}
