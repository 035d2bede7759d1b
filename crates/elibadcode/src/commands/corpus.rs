//! `synthesize` and `sample`: corpora to work on.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Result, bail};
use elibadcode_corpus::split::{fingerprint, subsample, without_duplicates};
use elibadcode_corpus::synthetic::defect;
use elibadcode_corpus::{DefectSample, Task, devign, stage_rng};
use fs_err as fs;

use crate::Outcome;
use crate::args::{Global, SampleArgs, SynthesizeArgs};
use crate::context::Context;
use crate::output;

/// Extra samples generated per split, of which exact duplicates are dropped.
const SPARE_RATE: f64 = 0.05;

pub(crate) fn synthesize(args: &SynthesizeArgs, global: &Global) -> Result<Outcome> {
    let context = Context::new(global, "synthesize");
    if args.input.task != Task::DefectDetection {
        bail!("the task `{}` has no synthetic corpus yet, only `defect`", args.input.task);
    }
    output::check(&args.output, global.force)?;
    let sizes =
        [("train", args.train), ("valid", args.valid), ("clean", args.clean), ("test", args.test)];
    let wanted: usize = sizes.iter().map(|(_, n)| n).sum();
    let n_generated = wanted + (wanted as f64 * SPARE_RATE) as usize + 50;
    let samples = without_duplicates(
        defect::generate(global.seed, n_generated),
        args.input.language(),
        &mut BTreeSet::new(),
    );
    if samples.len() < wanted {
        bail!("only {} distinct functions for this seed, {wanted} are asked for", samples.len());
    }
    let mut samples = samples.into_iter();
    output::write_dir(&args.output, global.force, |dir| {
        fs::create_dir(dir)?;
        for (name, n) in sizes {
            let split: Vec<DefectSample> = samples.by_ref().take(n).collect();
            let mut file =
                std::io::BufWriter::new(fs::File::create(dir.join(format!("{name}.jsonl")))?);
            devign::write_jsonl(&mut file, &split)?;
            file.flush()?;
        }
        Ok(())
    })?;
    let parts: Vec<String> = sizes.iter().map(|(name, n)| format!("{name} {n}")).collect();
    context.say(&format!("{}: {} functions", args.output.display(), parts.join(", ")));
    let sizes: std::collections::BTreeMap<_, _> = sizes.into_iter().collect();
    context.finish(&sizes)?;
    Ok(Outcome::Done)
}

pub(crate) fn sample(args: &SampleArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "sample");
    output::check(&args.output, global.force)?;
    let language = args.input.language();
    let mut taken = BTreeSet::new();
    for path in &args.exclude {
        let (samples, _) = context.samples(&args.input, path)?;
        taken.extend(samples.iter().map(|sample| fingerprint(&sample.code, language)));
    }
    let mut samples = Vec::new();
    for path in &args.data {
        samples.extend(context.samples(&args.input, path)?.0);
    }
    let n_read = samples.len();
    let samples = without_duplicates(samples, language, &mut taken);
    let n_distinct = samples.len();
    let samples = match args.n {
        Some(n) if n > n_distinct => bail!("{n} samples are asked for, {n_distinct} are distinct"),
        Some(n) => subsample(&samples, n, &mut stage_rng(global.seed, "sample")),
        None => samples,
    };
    output::write_file(&args.output, |out| Ok(devign::write_jsonl(out, &samples)?))?;
    context.say(&format!(
        "{}: {} of {n_read} functions ({} shared or repeated ones left out)",
        args.output.display(),
        samples.len(),
        n_read - n_distinct
    ));
    context.finish(&serde_json::json!({ "n": args.n }))?;
    Ok(Outcome::Done)
}
