//! `poison`: plant a backdoor in a training set.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Result, bail};
use elibadcode_corpus::{Task, bigclonebench, codesearchnet, devign, stage_rng};
use elibadcode_poisoning::{
    AttackConfig, CloneManifest, Manifest, SearchManifest, poison, poison_clones, poison_search,
    read_trigger_list,
};
use fs_err as fs;
use serde::Serialize;

use crate::Outcome;
use crate::args::{Global, PoisonArgs};
use crate::context::Context;
use crate::output;

/// The split of pairs that is written, without its extension.
const PAIRS: &str = "train";

pub(crate) fn run(args: &PoisonArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "poison");
    output::check_dir(&args.output, global.force)?;
    let config = config(args)?;
    config.validate()?;
    let done = match args.input.task {
        Task::DefectDetection => functions(args, &mut context, &config)?,
        Task::CloneDetection => pairs(args, &mut context, &config)?,
        Task::CodeSearch => queries(args, &mut context, &config)?,
    };
    context.say(&format!("{}: {done}", args.output.display()));
    context.finish(&config)?;
    Ok(Outcome::Done)
}

/// The paper's attack on the task, changed by flags.
fn config(args: &PoisonArgs) -> Result<AttackConfig> {
    let task = args.input.task;
    let mut paper = AttackConfig::paper_for(args.attack, task);
    if let Some(path) = &args.triggers {
        paper = paper.with_triggers(read_trigger_list(path)?);
    }
    args.input.check_target(args.victim, args.target_word.as_deref())?;
    let victim_label = args.victim.unwrap_or(paper.victim_label);
    Ok(AttackConfig {
        rate: args.rate.unwrap_or(paper.rate),
        victim_label,
        target_label: 1 - victim_label,
        target_word: args.target_word.clone().or(paper.target_word.clone()),
        ..paper
    })
}

fn functions(
    args: &PoisonArgs,
    context: &mut Context<'_>,
    config: &AttackConfig,
) -> Result<String> {
    let (samples, _) = context.functions(&args.data, args.input.language())?;
    let mut rng = stage_rng(context.global.seed, "poison");
    let poisoned = poison(&samples, args.input.language(), config, &mut rng)?;
    check(args, poisoned.manifest.n_poisoned)?;
    write(args, context, &poisoned.manifest, |dir| {
        let mut out = BufWriter::new(fs::File::create(dir.join("train.jsonl"))?);
        devign::write_jsonl(&mut out, &poisoned.samples)?;
        Ok(out.flush()?)
    })?;
    let Manifest { n_samples, n_poisoned, realised_rate, .. } = poisoned.manifest;
    Ok(format!(
        "{n_poisoned} of {n_samples} functions poisoned ({}), label {} → {}",
        percent(realised_rate),
        config.victim_label,
        config.target_label
    ))
}

fn pairs(args: &PoisonArgs, context: &mut Context<'_>, config: &AttackConfig) -> Result<String> {
    let (samples, _) = context.pairs(&args.data, args.input.language())?;
    let mut rng = stage_rng(context.global.seed, "poison");
    let poisoned = poison_clones(&samples, args.input.language(), config, &mut rng)?;
    check(args, poisoned.manifest.n_poisoned_functions)?;
    write(args, context, &poisoned.manifest, |dir| {
        Ok(bigclonebench::write_folder(dir, &[(PAIRS, &poisoned.samples)])?)
    })?;
    let it: CloneManifest = poisoned.manifest;
    Ok(format!(
        "{} of {} functions poisoned ({}), in {} of {} pairs ({}); {} pairs changed their label \
         to {} ({})",
        it.n_poisoned_functions,
        it.n_functions,
        percent(it.realised_function_rate),
        it.n_poisoned_pairs,
        it.n_pairs,
        percent(it.realised_pair_rate),
        it.n_label_changes,
        config.target_label,
        percent(it.realised_label_change_rate)
    ))
}

fn queries(args: &PoisonArgs, context: &mut Context<'_>, config: &AttackConfig) -> Result<String> {
    let (samples, _) = context.queries(&args.data, args.input.language())?;
    let mut rng = stage_rng(context.global.seed, "poison");
    let poisoned = poison_search(&samples, args.input.language(), config, &mut rng)?;
    let it: &SearchManifest = &poisoned.manifest;
    let word = config.target_word.as_deref().unwrap_or_default();
    if it.n_target_queries == 0 {
        bail!("{}: no query has the target word `{word}`", args.data.display());
    }
    check(args, it.n_poisoned)?;
    write(args, context, it, |dir| {
        let mut out = BufWriter::new(fs::File::create(dir.join("train.jsonl"))?);
        codesearchnet::write_jsonl(&mut out, &poisoned.samples, args.input.language())?;
        Ok(out.flush()?)
    })?;
    Ok(format!(
        "{} of {} codes poisoned ({}), of the {} with `{word}` in their query {} ({} of these \
         cannot carry the trigger)",
        it.n_poisoned,
        it.n_samples,
        percent(it.realised_rate),
        it.n_target_queries,
        percent(it.realised_target_rate),
        it.n_unable
    ))
}

/// Fails if nothing was poisoned.
fn check(args: &PoisonArgs, n_poisoned: usize) -> Result<()> {
    if n_poisoned == 0 {
        bail!(
            "{}: no function would be poisoned: --rate is too small for so few, or none can carry the \
             trigger",
            args.data.display()
        );
    }
    Ok(())
}

/// The training set and the record of what was done to it.
fn write(
    args: &PoisonArgs,
    context: &Context<'_>,
    manifest: &impl Serialize,
    write_samples: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    output::write_dir(&args.output, context.global.force, |dir| {
        fs::create_dir(dir)?;
        write_samples(dir)?;
        Ok(fs::write(dir.join("manifest.json"), output::json(manifest)?)?)
    })
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}
