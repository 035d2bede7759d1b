//! `sample`: a part of a corpus that shares nothing with other files.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use elibadcode_corpus::near_duplicates::{NearDuplicates, Shingles};
use elibadcode_corpus::split::{fingerprint, merge_pairs, pairs_only, subsample};
use elibadcode_corpus::{
    ClonePair, CloneSamples, Error, Task, bigclonebench, codesearchnet, devign, stage_rng,
};
use elibadcode_syntax::Language;
use fs_err as fs;
use rayon::prelude::*;

use crate::Outcome;
use crate::args::{Global, SampleArgs};
use crate::context::Context;
use crate::output;

/// The split of pairs that is written, without its extension.
const PAIRS: &str = "pairs";

pub(crate) fn run(args: &SampleArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "sample");
    match args.input.task {
        Task::CloneDetection => output::check_dir(&args.output, global.force)?,
        Task::DefectDetection | Task::CodeSearch => {
            output::check_file(&args.output, global.force)?;
        }
    }
    match args.input.task {
        Task::DefectDetection => rows(
            args,
            &mut context,
            |context, path| context.functions(path, args.input.language()),
            |sample| sample.code.as_str(),
            |out, samples| devign::write_jsonl(out, samples),
        )?,
        Task::CloneDetection => pairs(args, &mut context)?,
        Task::CodeSearch => rows(
            args,
            &mut context,
            |context, path| context.queries(path, args.input.language()),
            |sample| sample.code.as_str(),
            |out, samples| codesearchnet::write_jsonl(out, samples, args.input.language()),
        )?,
    }
    context.finish(&settings(args))?;
    Ok(Outcome::Done)
}

/// Rows of one function each.
fn rows<'a, T: Clone + Sync>(
    args: &SampleArgs,
    context: &mut Context<'a>,
    read: impl Fn(&mut Context<'a>, &Path) -> Result<(Vec<T>, String)>,
    code: impl Fn(&T) -> &str + Sync,
    write: impl FnOnce(&mut dyn Write, &[T]) -> Result<(), Error>,
) -> Result<()> {
    let mut taken = Taken::new(args.input.language());
    for path in &args.exclude {
        let samples = read(context, path)?.0;
        taken.add(&samples.iter().map(&code).collect::<Vec<_>>());
    }
    let mut samples = Vec::new();
    for path in &args.data {
        samples.extend(read(context, path)?.0);
    }
    let n_read = samples.len();
    let free = taken.without_shared(samples, &code);
    let drawn = draw(args, context, &free, "samples")?;
    output::write_file(&args.output, |out| Ok(write(out, &drawn)?))?;
    say(args, context, [drawn.len(), n_read, n_read - free.len()], "functions");
    Ok(())
}

/// A pair is left out if one of its functions is; a function may be in many pairs.
fn pairs(args: &SampleArgs, context: &mut Context<'_>) -> Result<()> {
    let mut taken = Taken::new(args.input.language());
    for path in &args.exclude {
        let (samples, _) = context.pairs(path, args.input.language())?;
        taken.add(&codes(&samples));
    }
    let mut parts = Vec::new();
    for path in &args.data {
        parts.push(context.pairs(path, args.input.language())?.0);
    }
    let n_read = parts.iter().map(|part| part.pairs.len()).sum();
    let samples = merge_pairs(parts)?;
    let is_shared = taken.shared(&codes(&samples));
    let is_free = |pair: &&ClonePair| !(is_shared[pair.first] || is_shared[pair.second]);
    let free: Vec<ClonePair> = samples.pairs.iter().filter(is_free).copied().collect();
    let drawn = pairs_only(&samples, &draw(args, context, &free, "pairs")?);
    write_pairs(args, context, &drawn)?;
    say(args, context, [drawn.pairs.len(), n_read, n_read - free.len()], "pairs");
    Ok(())
}

fn codes(samples: &CloneSamples) -> Vec<&str> {
    samples.functions.iter().map(|function| function.code.as_str()).collect()
}

fn write_pairs(args: &SampleArgs, context: &Context<'_>, samples: &CloneSamples) -> Result<()> {
    let made_by = output::json(&context.made_by(&settings(args))?)?;
    output::write_dir(&args.output, context.global.force, |dir| {
        fs::create_dir(dir)?;
        bigclonebench::write_folder(dir, &[(PAIRS, samples)])?;
        Ok(fs::write(dir.join(output::CORPUS_FILE), made_by)?)
    })
}

/// Functions that must not be drawn.
struct Taken {
    language: Language,
    fingerprints: BTreeSet<[u8; 32]>,
    near: NearDuplicates,
}

impl Taken {
    fn new(language: Language) -> Self {
        let (fingerprints, near) = (BTreeSet::new(), NearDuplicates::default());
        Self { language, fingerprints, near }
    }

    /// Adds the functions of a file.
    fn add(&mut self, codes: &[&str]) {
        for (fingerprint, shingles) in self.described(codes) {
            if self.fingerprints.insert(fingerprint) {
                self.near.insert(shingles);
            }
        }
    }

    /// Whether each function is one of these, or almost one.
    fn shared(&self, codes: &[&str]) -> Vec<bool> {
        self.described(codes).par_iter().map(|described| self.has(described)).collect()
    }

    /// Drops the samples that are among these, or repeat an earlier one.
    fn without_shared<T: Sync>(&self, samples: Vec<T>, code: impl Fn(&T) -> &str) -> Vec<T> {
        let described = self.described(&samples.iter().map(code).collect::<Vec<_>>());
        let is_shared: Vec<bool> = described.par_iter().map(|it| self.has(it)).collect();
        let mut seen = BTreeSet::new();
        samples
            .into_iter()
            .zip(described.into_iter().zip(is_shared))
            .filter(|(_, ((fingerprint, _), is_shared))| !is_shared && seen.insert(*fingerprint))
            .map(|(sample, _)| sample)
            .collect()
    }

    fn has(&self, (fingerprint, shingles): &([u8; 32], Shingles)) -> bool {
        self.fingerprints.contains(fingerprint) || self.near.has(shingles)
    }

    fn described(&self, codes: &[&str]) -> Vec<([u8; 32], Shingles)> {
        let describe =
            |code: &&str| (fingerprint(code, self.language), Shingles::of(code, self.language));
        codes.par_iter().map(describe).collect()
    }
}

/// What is drawn, for the records.
fn settings(args: &SampleArgs) -> serde_json::Value {
    match args.rate {
        Some(rate) => serde_json::json!({ "rate": rate }),
        None => serde_json::json!({ "n": args.n }),
    }
}

/// As many as are asked for, by the seed.
fn draw<T: Clone>(
    args: &SampleArgs,
    context: &Context<'_>,
    samples: &[T],
    what: &str,
) -> Result<Vec<T>> {
    let n_left = samples.len();
    let share = |rate: f64| (rate * n_left as f64).round() as usize;
    match args.n.or(args.rate.map(share)) {
        _ if n_left == 0 => bail!("no {what} are left"),
        Some(0) => bail!("none of {n_left} {what} is asked for; a larger --rate draws some"),
        Some(n) if n > n_left => bail!("{n} {what} are asked for, {n_left} are distinct"),
        Some(n) => Ok(subsample(samples, n, &mut stage_rng(context.global.seed, "sample"))),
        None => Ok(samples.to_vec()),
    }
}

fn say(args: &SampleArgs, context: &Context<'_>, counts: [usize; 3], what: &str) {
    let [n_drawn, n_read, n_dropped] = counts;
    context.say(&format!(
        "{}: {n_drawn} of {n_read} {what} ({n_dropped} shared or repeated ones left out)",
        args.output.display()
    ));
}
