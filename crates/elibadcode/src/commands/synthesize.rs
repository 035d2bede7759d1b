//! `synthesize`: a made-up corpus in the format of the public one.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Result, bail};
use elibadcode_corpus::split::disjoint_splits;
use elibadcode_corpus::synthetic::{blemish, clone, defect, search};
use elibadcode_corpus::{
    CloneSamples, DefectSample, Error, SearchSample, Task, bigclonebench, codesearchnet, devign,
    stage_rng,
};
use elibadcode_syntax::Language;
use fs_err as fs;
use serde::Serialize;

use crate::Outcome;
use crate::args::{Global, SynthesizeArgs};
use crate::context::Context;
use crate::output;

/// Extra defect samples: duplicates, and near-duplicates of another split, are dropped.
const SPARE_RATE: f64 = 0.4;

/// Pairs of the split `unseen` unless another number is asked for.
const UNSEEN: usize = 500;

/// What is asked for: sizes in samples, and shares.
#[derive(Serialize)]
struct Sizes {
    task: Task,
    train: usize,
    valid: usize,
    clean: usize,
    test: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_noise: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    naming_habit: Option<f64>,
}

pub(crate) fn run(args: &SynthesizeArgs, global: &Global) -> Result<Outcome> {
    let context = Context::new(global, "synthesize");
    output::check_dir(&args.output, global.force)?;
    let sizes = sizes(args)?;
    let mut corpus = match sizes.task {
        Task::DefectDetection => functions(global.seed, args.input.language(), &sizes)?,
        Task::CloneDetection => pairs(global.seed, &sizes)?,
        Task::CodeSearch => queries(global.seed, &sizes)?,
    };
    add_blemishes(&mut corpus, args.input.language(), &sizes, global.seed);
    let made_by = output::json(&context.made_by(&sizes)?)?;
    output::write_dir(&args.output, global.force, |dir| {
        fs::create_dir(dir)?;
        corpus.write(dir)?;
        Ok(fs::write(dir.join(output::CORPUS_FILE), made_by)?)
    })?;
    let parts: Vec<String> = sizes.parts().iter().map(|(name, n)| format!("{name} {n}")).collect();
    let what = match sizes.task {
        Task::DefectDetection => "functions",
        Task::CloneDetection => "pairs",
        Task::CodeSearch => "functions with queries",
    };
    context.say(&format!("{}: {} {what}", args.output.display(), parts.join(", ")));
    context.finish(&sizes)?;
    Ok(Outcome::Done)
}

fn sizes(args: &SynthesizeArgs) -> Result<Sizes> {
    let task = args.input.task;
    if args.input.language() != task.language() {
        bail!("--language: the synthetic samples of the task `{task}` are in {}", task.language());
    }
    let unseen = match (task, args.unseen) {
        (Task::CloneDetection, n) => Some(n.unwrap_or(UNSEEN)),
        (_, Some(_)) => bail!("--unseen is for the task `clone`, this is `{task}`"),
        (_, None) => None,
    };
    let SynthesizeArgs { train, valid, clean, test, label_noise, naming_habit, .. } = *args;
    for (flag, rate) in [("--label-noise", label_noise), ("--naming-habit", naming_habit)] {
        if let Some(rate) = rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
            bail!("{flag} is {rate}, expected a share from 0 to 1");
        }
    }
    if label_noise.is_some() && task == Task::CodeSearch {
        bail!("--label-noise: the task `{task}` has no labels");
    }
    if naming_habit.is_some() && task != Task::DefectDetection {
        bail!("--naming-habit is for the task `defect`, this is `{task}`");
    }
    Ok(Sizes { task, train, valid, clean, test, unseen, label_noise, naming_habit })
}

impl Sizes {
    /// Every split with its size.
    fn parts(&self) -> Vec<(&'static str, usize)> {
        let mut parts = vec![
            ("train", self.train),
            ("valid", self.valid),
            ("clean", self.clean),
            ("test", self.test),
        ];
        parts.extend(self.unseen.map(|n| ("unseen", n)));
        parts
    }

    /// Refuses a split that the generator could not fill.
    fn check(&self, found: impl Iterator<Item = usize>) -> Result<()> {
        for ((name, wanted), found) in self.parts().into_iter().zip(found) {
            if found < wanted {
                bail!("{name}: only {found} distinct samples for this seed, not {wanted}");
            }
        }
        Ok(())
    }
}

/// Puts in what is asked for beside the samples: wrong labels in the training split, a habit of
/// naming in all splits.
fn add_blemishes(corpus: &mut Corpus, language: Language, sizes: &Sizes, seed: u64) {
    if let (Some(rate), Corpus::Functions(splits)) = (sizes.naming_habit, &mut *corpus) {
        let samples = splits.iter_mut().flat_map(|(_, split)| split);
        blemish::name_by_habit(samples, language, rate, &mut stage_rng(seed, "naming habit"));
    }
    let Some(rate) = sizes.label_noise else { return };
    let rng = &mut stage_rng(seed, "label noise");
    // The training split comes first.
    match corpus {
        Corpus::Functions(splits) => {
            let samples = splits.iter_mut().take(1).flat_map(|(_, split)| split);
            blemish::flip_labels(samples.map(|sample| &mut sample.label), rate, rng);
        }
        Corpus::Pairs(splits) => {
            let pairs = splits.iter_mut().take(1).flat_map(|(_, split)| &mut split.pairs);
            blemish::flip_labels(pairs.map(|pair| &mut pair.label), rate, rng);
        }
        Corpus::Queries(_) => {}
    }
}

/// Named splits.
type Splits<T> = Vec<(&'static str, T)>;

/// A corpus in memory.
enum Corpus {
    Functions(Splits<Vec<DefectSample>>),
    Pairs(Splits<CloneSamples>),
    Queries(Splits<Vec<SearchSample>>),
}

impl Corpus {
    /// Writes every split in the format of its task.
    fn write(&self, dir: &Path) -> Result<()> {
        match self {
            Self::Functions(splits) => {
                write_splits(dir, splits, |out, split| devign::write_jsonl(out, split))
            }
            Self::Queries(splits) => write_splits(dir, splits, |out, split| {
                codesearchnet::write_jsonl(out, split, Task::CodeSearch.language())
            }),
            Self::Pairs(splits) => {
                let splits: Vec<(&str, &CloneSamples)> =
                    splits.iter().map(|(name, split)| (*name, split)).collect();
                Ok(bigclonebench::write_folder(dir, &splits)?)
            }
        }
    }
}

fn functions(seed: u64, language: Language, sizes: &Sizes) -> Result<Corpus> {
    let wanted: usize = sizes.parts().iter().map(|(_, n)| n).sum();
    let n_generated = wanted + (wanted as f64 * SPARE_RATE) as usize + 50;
    // The training set comes last: of two functions that are almost the same it is the one that goes.
    let (names, lengths): (Vec<&str>, Vec<usize>) = sizes.parts().into_iter().rev().unzip();
    let splits = disjoint_splits(defect::generate(seed, n_generated), language, &lengths);
    let mut splits: Splits<Vec<DefectSample>> = names.into_iter().zip(splits).collect();
    splits.reverse();
    sizes.check(splits.iter().map(|(_, split)| split.len()))?;
    Ok(Corpus::Functions(splits))
}

fn pairs(seed: u64, sizes: &Sizes) -> Result<Corpus> {
    let Sizes { train, valid, clean, test, unseen, .. } = *sizes;
    let unseen = unseen.unwrap_or_default();
    let corpus = clone::generate(seed, &clone::Sizes { train, valid, clean, test, unseen });
    let splits = vec![
        ("train", corpus.train),
        ("valid", corpus.valid),
        ("clean", corpus.clean),
        ("test", corpus.test),
        ("unseen", corpus.unseen),
    ];
    sizes.check(splits.iter().map(|(_, split)| split.pairs.len()))?;
    Ok(Corpus::Pairs(splits))
}

fn queries(seed: u64, sizes: &Sizes) -> Result<Corpus> {
    let Sizes { train, valid, clean, test, .. } = *sizes;
    let corpus = search::generate(seed, &search::Sizes { train, valid, clean, test });
    let splits = vec![
        ("train", corpus.train),
        ("valid", corpus.valid),
        ("clean", corpus.clean),
        ("test", corpus.test),
    ];
    sizes.check(splits.iter().map(|(_, split)| split.len()))?;
    Ok(Corpus::Queries(splits))
}

/// Writes `NAME.jsonl` for every split.
fn write_splits<T>(
    dir: &Path,
    splits: &Splits<T>,
    write: impl Fn(&mut dyn Write, &T) -> Result<(), Error>,
) -> Result<()> {
    for (name, split) in splits {
        let mut out = BufWriter::new(fs::File::create(dir.join(format!("{name}.jsonl")))?);
        write(&mut out, split)?;
        out.flush()?;
    }
    Ok(())
}
