//! `poison`: plant a backdoor in a training set.

use std::io::Write;

use anyhow::Result;
use elibadcode_corpus::{devign, stage_rng};
use elibadcode_poisoning::{AttackConfig, poison};
use fs_err as fs;

use crate::Outcome;
use crate::args::{Global, PoisonArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &PoisonArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "poison");
    output::check(&args.output, global.force)?;
    let (samples, _) = context.samples(&args.input, &args.data)?;
    let config = AttackConfig {
        rate: args.rate,
        victim_label: args.victim,
        target_label: 1 - args.victim,
        ..AttackConfig::paper(args.attack)
    };
    let poisoned = poison(&samples, &config, &mut stage_rng(global.seed, "poison"))?;
    output::write_dir(&args.output, global.force, |dir| {
        fs::create_dir(dir)?;
        let mut file = std::io::BufWriter::new(fs::File::create(dir.join("train.jsonl"))?);
        devign::write_jsonl(&mut file, &poisoned.samples)?;
        file.flush()?;
        fs::write(dir.join("manifest.json"), output::json(&poisoned.manifest)?)?;
        Ok(())
    })?;
    context.say(&format!(
        "{}: {} of {} functions poisoned ({:.2} %), label {} → {}",
        args.output.display(),
        poisoned.manifest.n_poisoned,
        samples.len(),
        100.0 * poisoned.manifest.realised_rate,
        config.victim_label,
        config.target_label
    ));
    context.finish(&config)?;
    Ok(Outcome::Done)
}
