//! `scan`: search a model for a backdoor trigger, and give a verdict.

mod observer;
mod summary;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use elibadcode_corpus::Task;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_inversion::ranking::{RankingSubject, scan_search};
use elibadcode_inversion::{CleanSample, ScanConfig, Subject, scan};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rayon::prelude::*;

use crate::Outcome;
use crate::args::{Format, Global, ScanArgs, SettingsPreset};
use crate::context::{Context, settings};
use crate::output;
use observer::Observer;

pub(crate) fn run(args: &ScanArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "scan");
    let preset = match args.settings.preset {
        SettingsPreset::Recommended => ScanConfig::recommended(args.input.task),
        SettingsPreset::Paper => ScanConfig::paper(),
    };
    let config = settings(preset, args.settings.config.as_deref())?;
    config.validate_for(args.input.task)?;
    if args.settings.print_config {
        context.print(&toml::to_string_pretty(&config)?)?;
        return Ok(Outcome::Done);
    }
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    let Scanned { verdict, has_triggers, document, summary } = match args.input.task {
        Task::CodeSearch => ranking(args, &config, &mut context)?,
        Task::DefectDetection | Task::CloneDetection => labels(args, &config, &mut context)?,
    };
    // First of all: a full disk is not to cost the verdict.
    context.print(match args.format {
        Format::Json => &document,
        Format::Text => &summary,
    })?;
    if let Some(path) = &args.output {
        output::write_file(path, |out| Ok(out.write_all(document.as_bytes())?))?;
    }
    context.finish(&config)?;
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
    // Without a slash behind it.
    let model: PathBuf = args.model.model_dir.components().collect();
    let repaired = beside(&model);
    let mut words = vec!["purify".to_owned(), quoted(&model)];
    words.extend(args.model.reading.words());
    words.extend(["--task".to_owned(), args.input.task.to_string()]);
    if let Some(language) = args.input.language {
        words.extend(["--language".to_owned(), language.to_string()]);
    }
    words.extend(["--scan".to_owned(), quoted(path)]);
    words.extend(["--data".to_owned(), quoted(&args.data)]);
    words.extend(["-o".to_owned(), quoted(&repaired)]);
    format!("next: elibadcode {}", words.join(" "))
}

/// Where the repaired model goes: beside the model, also if that is `.` or ends in `..`.
fn beside(model: &Path) -> PathBuf {
    let named = match model.file_name() {
        Some(_) => model.to_owned(),
        None => model.canonicalize().unwrap_or_else(|_| model.to_owned()),
    };
    let mut repaired = named.file_name().unwrap_or_default().to_owned();
    repaired.push(".purified");
    named.with_file_name(repaired)
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |it: char| it.is_alphanumeric() || "/._-+=:,@%".contains(it);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The scan of a classification task.
fn labels(args: &ScanArgs, config: &ScanConfig, context: &mut Context<'_>) -> Result<Scanned> {
    let task = args.input.task;
    let (model, model_hash) = context.model_for(&args.model, task)?;
    let (clean, samples_hash) = context.clean_samples(task, &args.data, args.input.language())?;
    let codes: BTreeSet<&str> = clean.iter().flat_map(CleanSample::codes).collect();
    say_cut(context, &model, codes, args.input.language());
    let subject = Subject {
        model: &model,
        task,
        language: args.input.language(),
        clean: &clean,
        model_hash: &model_hash,
        samples_hash: &samples_hash,
    };
    let seed = context.global.seed;
    let mut observer = Observer::new(&context.progress, config);
    let outcome = scan(&subject, config, seed, &mut |event| observer.show(event))?;
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
    let codes: BTreeSet<&str> = clean.iter().map(|sample| &*sample.code).collect();
    say_cut(context, &model, codes, args.input.language());
    let subject = RankingSubject {
        model: &model,
        language: args.input.language(),
        clean: &clean,
        model_hash: &model_hash,
        samples_hash: &samples_hash,
    };
    let seed = context.global.seed;
    let mut observer = Observer::new(&context.progress, config);
    let outcome = scan_search(&subject, config, seed, &mut |event| observer.show(event))?;
    Ok(Scanned {
        verdict: outcome.verdict,
        has_triggers: !outcome.triggers.is_empty(),
        document: output::json(&outcome)?,
        summary: summary::of_ranking(&outcome),
    })
}

/// Names behind the end of what is read cannot be searched.
fn say_cut(context: &Context<'_>, model: &LoadedModel, codes: BTreeSet<&str>, language: Language) {
    let n = codes.len();
    let n_cut = codes.into_par_iter().filter(|code| model.encode(code, language).truncated).count();
    context.say_cut(n_cut, n, model);
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn the_next_step_reads_the_model_as_the_scan_did() {
        let check = |flags: &str, expected: &str| {
            let words = format!("elibadcode scan {flags}");
            let cli = Cli::parse_from(words.split('|').flat_map(|it| {
                // What stands between bars is one word.
                if it.contains("my ") { vec![it] } else { it.split_whitespace().collect() }
            }));
            let Command::Scan(args) = cli.command else { unreachable!("it is a scan") };
            assert_eq!(next_step(&args), format!("next: elibadcode purify {expected}"));
        };
        check("m --data d -o s", "m --task defect --scan s --data d -o m.purified");
        check(
            "a/m/ --data d -o s --task clone --max-length 64 --positive-output 0 --raw-names \
             --encoder-only-prefix --input-format source --language c",
            "a/m --max-length 64 --positive-output 0 --input-format source --encoder-only-prefix \
             --raw-names --task clone --language c --scan s --data d -o a/m.purified",
        );
        let here = std::env::current_dir().expect("there is one");
        let here = here.canonicalize().expect("it exists");
        let folder = here.file_name().expect("not the root").display();
        let beside = here.with_file_name(format!("{folder}.purified"));
        let next = format!(". --task defect --scan s --data d -o {}", quoted(&beside));
        check(". --data d -o s", &next);
        check("--data|my d's|-o s m", "m --task defect --scan s --data 'my d'\\''s' -o m.purified");
    }
}
