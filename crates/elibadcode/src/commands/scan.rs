//! `scan`: search a model for a backdoor trigger, and give a verdict.

use std::fmt::Write as _;

use anyhow::Result;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::{Rate, escape_untrusted};
use elibadcode_inversion::{
    Edit, Hypothesis, InvertedTrigger, ScanConfig, ScanEvent, ScanOutcome, Subject, scan,
};

use crate::Outcome;
use crate::args::{Format, Global, ScanArgs, SettingsPreset};
use crate::context::{Context, settings};
use crate::output;

pub(crate) fn run(args: &ScanArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "scan");
    let preset = match args.preset {
        SettingsPreset::Recommended => ScanConfig::recommended(),
        SettingsPreset::Paper => ScanConfig::paper(),
    };
    let config = settings(preset, args.config.as_deref())?;
    config.validate()?;
    if args.print_config {
        context.print(&toml::to_string_pretty(&config)?)?;
        return Ok(Outcome::Done);
    }
    if let Some(path) = &args.output {
        output::check(path, global.force)?;
    }
    let (model, model_hash) = context.model_for(&args.model, args.input.task)?;
    let (clean, samples_hash) = context.clean_samples(args.input.task, &args.data)?;
    let subject = Subject {
        model: &model,
        task: args.input.task,
        language: args.input.language(),
        clean: &clean,
        model_hash: &model_hash,
        samples_hash: &samples_hash,
    };
    let progress = &context.progress;
    let outcome = scan(&subject, &config, global.seed, &mut |event| match event {
        ScanEvent::Search { victim_label, target_label, restart, iterations } => {
            progress.line(&format!(
                "hypothesis {victim_label} → {target_label}, search {restart} of {}",
                config.restarts
            ));
            progress.start(&format!("{victim_label} → {target_label}"), iterations);
        }
        ScanEvent::Iteration(it) => {
            progress.step(it.iteration, format!("loss {:.3}, best {:.3}", it.loss, it.best_loss));
        }
        ScanEvent::Judging => progress.step(config.iterations, "held-out samples".into()),
    })?;
    let text = output::json(&outcome)?;
    if let Some(path) = &args.output {
        output::write_file(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    context.finish(&config)?;
    context.print(&match args.format {
        Format::Json => text,
        Format::Text => summary(&outcome),
    })?;
    Ok(match outcome.verdict {
        Verdict::LikelyBackdoored => Outcome::Found,
        Verdict::NoTriggerFound => Outcome::Done,
        Verdict::Inconclusive => Outcome::Inconclusive,
    })
}

/// The result for people: verdict, evidence, what was not tested.
fn summary(outcome: &ScanOutcome) -> String {
    let mut text = format!("verdict: {}\n", outcome.verdict);
    for reason in &outcome.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    if let (Some(victim), Some(target)) = (outcome.victim_label, outcome.target_label) {
        let _ =
            writeln!(text, "\nlikely attack: functions with label {victim} are called {target}");
        for trigger in &outcome.triggers {
            let _ = writeln!(text, "  {}", describe(trigger));
        }
    }
    text.push_str("\nevidence, per hypothesis\n");
    for hypothesis in &outcome.hypotheses {
        text.push_str(&evidence(hypothesis));
    }
    let _ = writeln!(
        text,
        "\ntokens tried: {} first, {} later; {} forward passes",
        outcome.n_first_tokens, outcome.n_rest_tokens, outcome.n_forwards
    );
    text.push_str("not tested\n");
    for gap in &outcome.not_tested {
        let _ = writeln!(text, "  {gap}");
    }
    text
}

fn evidence(hypothesis: &Hypothesis) -> String {
    let percent = |rate: &Rate| match (rate.value(), rate.wilson(0.95)) {
        (Some(value), Some(interval)) => format!(
            "{:.1} % [{:.1}, {:.1}]",
            100.0 * value,
            100.0 * interval.low,
            100.0 * interval.high
        ),
        _ => "n/a".to_owned(),
    };
    let mut text = String::new();
    for search in &hypothesis.searches {
        let pair = format!("{} → {}", hypothesis.victim_label, hypothesis.target_label);
        let whole = escape_untrusted(&search.trigger.text);
        let _ = writeln!(
            text,
            "  {pair}  loss {:.3} after {} iterations: {whole}",
            search.loss,
            search.history.len()
        );
        match (&search.anchored, &search.evidence) {
            (Some(anchored), Some(it)) => {
                let _ = writeln!(
                    text,
                    "         anchored: {}\n         held out: {} at function names\n         \
                     {:>18} at random identifiers\n         {:>18} at the least sensitive \
                     ones\n         {:>18} without a trigger",
                    describe(anchored),
                    percent(&it.function_name),
                    percent(&it.any_identifier),
                    percent(&it.least_sensitive),
                    percent(&it.flip_rate),
                );
            }
            _ => text.push_str("         no slot does any work\n"),
        }
    }
    if let Some(controls) = &hypothesis.controls {
        let _ = writeln!(
            text,
            "         {} random triggers at {}: at most {:.1} %, p = {:.3}",
            controls.success_rates.len(),
            controls.place,
            100.0 * controls.success_rates.last().copied().unwrap_or(0.0),
            controls.corrected_p_value
        );
    }
    text
}

fn describe(trigger: &InvertedTrigger) -> String {
    let text = escape_untrusted(&trigger.text);
    let tokens: Vec<String> = trigger.tokens.iter().map(|it| escape_untrusted(it)).collect();
    match trigger.edit {
        Edit::Replace => format!("`{text}` as an identifier [{}]", tokens.join(" ")),
        Edit::Append => format!("`…{text}` at the end of an identifier [{}]", tokens.join(" ")),
    }
}
