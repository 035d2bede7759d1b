//! `scan`: search a model for a backdoor trigger, and give a verdict.

mod summary;

use anyhow::Result;
use elibadcode_corpus::Task;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_inversion::ranking::{RankingSubject, scan_search};
use elibadcode_inversion::{ScanConfig, ScanEvent, Subject, scan};

use crate::Outcome;
use crate::args::{Format, Global, ScanArgs, SettingsPreset};
use crate::context::{Context, settings};
use crate::output;

pub(crate) fn run(args: &ScanArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "scan");
    let preset = match args.settings.preset {
        SettingsPreset::Recommended => ScanConfig::recommended(args.input.task),
        SettingsPreset::Paper => ScanConfig::paper(),
    };
    let config = settings(preset, args.settings.config.as_deref())?;
    config.validate()?;
    if args.settings.print_config {
        context.print(&toml::to_string_pretty(&config)?)?;
        return Ok(Outcome::Done);
    }
    if let Some(path) = &args.output {
        output::check(path, global.force)?;
    }
    let Scanned { verdict, has_triggers, document, summary } = match args.input.task {
        Task::CodeSearch => ranking(args, &config, &mut context)?,
        Task::DefectDetection | Task::CloneDetection => labels(args, &config, &mut context)?,
    };
    if let Some(path) = &args.output {
        output::write_file(path, |out| Ok(out.write_all(document.as_bytes())?))?;
    }
    context.finish(&config)?;
    context.print(match args.format {
        Format::Json => &document,
        Format::Text => &summary,
    })?;
    if has_triggers {
        context.say(&next_step(args));
    }
    Ok(match verdict {
        Verdict::LikelyBackdoored => Outcome::Found,
        Verdict::NoTriggerFound => Outcome::Done,
        Verdict::Inconclusive => Outcome::Inconclusive,
    })
}

/// What came of a scan.
struct Scanned {
    verdict: Verdict,
    /// Whether there is something to unlearn.
    has_triggers: bool,
    document: String,
    summary: String,
}

/// What to do about a trigger.
fn next_step(args: &ScanArgs) -> String {
    let Some(path) = &args.output else {
        return "nothing was saved: `purify` needs what `scan -o FILE` writes".to_owned();
    };
    let (model, data) = (args.model.model_dir.display(), args.data.display());
    format!(
        "next: elibadcode purify {model} --task {} --scan {} --data {data} -o {model}.purified",
        args.input.task,
        path.display()
    )
}

/// The scan of a classification task.
fn labels(args: &ScanArgs, config: &ScanConfig, context: &mut Context<'_>) -> Result<Scanned> {
    let task = args.input.task;
    let (model, model_hash) = context.model_for(&args.model, task)?;
    let (clean, samples_hash) = context.clean_samples(task, &args.data, args.input.language())?;
    let subject = Subject {
        model: &model,
        task,
        language: args.input.language(),
        clean: &clean,
        model_hash: &model_hash,
        samples_hash: &samples_hash,
    };
    let seed = context.global.seed;
    let outcome = scan(&subject, config, seed, &mut |event| show(context, config, event))?;
    Ok(Scanned {
        verdict: outcome.verdict,
        has_triggers: !outcome.triggers.is_empty(),
        document: output::json(&outcome)?,
        summary: summary::of_labels(&outcome),
    })
}

/// The same of code search.
fn ranking(args: &ScanArgs, config: &ScanConfig, context: &mut Context<'_>) -> Result<Scanned> {
    let (model, model_hash) = context.model_for(&args.model, Task::CodeSearch)?;
    let (clean, samples_hash) = context.queries(&args.data, args.input.language())?;
    let subject = RankingSubject {
        model: &model,
        language: args.input.language(),
        clean: &clean,
        model_hash: &model_hash,
        samples_hash: &samples_hash,
    };
    let seed = context.global.seed;
    let outcome = scan_search(&subject, config, seed, &mut |event| show(context, config, event))?;
    Ok(Scanned {
        verdict: outcome.verdict,
        has_triggers: !outcome.triggers.is_empty(),
        document: output::json(&outcome)?,
        summary: summary::of_ranking(&outcome),
    })
}

fn show(context: &Context<'_>, config: &ScanConfig, event: ScanEvent) {
    let progress = &context.progress;
    match event {
        ScanEvent::Search { victim_label, target_label, restart, iterations } => {
            progress.line(&format!("hypothesis {victim_label} → {target_label}, search {restart}"));
            progress.start(&format!("{victim_label} → {target_label}"), iterations);
        }
        ScanEvent::JointSearch { restart, iterations } => {
            progress.line(&format!("trigger and target words, search {restart}"));
            progress.start("trigger", iterations);
        }
        ScanEvent::Iteration(it) => {
            progress.step(it.iteration, format!("loss {:.3}, best {:.3}", it.loss, it.best_loss));
        }
        ScanEvent::Judging => progress.step(config.iterations, "held-out samples".into()),
    }
}
