//! Flags of the commands that make and change corpora.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use elibadcode_poisoning::Attack;
use elibadcode_syntax::Language;

use super::{InputArgs, at_least_one, count, share};

/// Every attack by its name, with what it does.
fn attacks() -> impl TypedValueParser<Value = Attack> {
    let names = Attack::ALL.map(|it| PossibleValue::new(it.name()).help(it.summary()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Attack>())
}

#[derive(Debug, Args)]
pub(crate) struct PoisonArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Clean training samples (JSONL); clone: pairs, with data.jsonl beside them
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The attack
    #[arg(long, value_parser = attacks())]
    pub(crate) attack: Attack,
    /// Plant these triggers instead of the attack's own, one per line: each sample gets one of them
    #[arg(long, value_name = "FILE")]
    pub(crate) triggers: Option<PathBuf>,
    /// What share to poison of the training set (defect), of the functions (clone) or of the codes
    /// whose query has the target word (search) [default: 0.02, 0.02, 1]
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// The label that is attacked (defect, clone) [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) victim: Option<u8>,
    /// The word in a query that makes its code poisoned (search) [default: file]
    #[arg(long, value_name = "WORD")]
    pub(crate) target_word: Option<String>,
    /// Where to write the training set (train.jsonl; clone: train.txt and data.jsonl) and
    /// manifest.json
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SynthesizeArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Training samples: functions, pairs (clone), functions with queries (search)
    #[arg(long, default_value_t = 4000, value_parser = count)]
    pub(crate) train: usize,
    /// Validation samples
    #[arg(long, default_value_t = 500, value_parser = count)]
    pub(crate) valid: usize,
    /// Clean samples for the defender
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) clean: usize,
    /// Test samples
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) test: usize,
    /// Clone: test pairs of methods that do what no other split's methods do [default: 500]
    #[arg(long)]
    pub(crate) unseen: Option<usize>,
    /// Share of the training samples whose label is wrong (defect, clone)
    #[arg(long, value_name = "RATE")]
    pub(crate) label_noise: Option<f64>,
    /// Share of the safe functions, in all splits, whose name ends in `_checked`: a habit of naming
    /// that goes with a label, and no attack (defect)
    #[arg(long, value_name = "RATE")]
    pub(crate) naming_habit: Option<f64>,
    /// Where to write train.jsonl, valid.jsonl, clean.jsonl and test.jsonl; clone: data.jsonl, and
    /// train.txt, valid.txt, clean.txt, test.txt and unseen.txt
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Samples (JSONL, also .gz); clone: pairs, with data.jsonl beside them; several files together if repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// How many to draw [default: all]
    #[arg(short, value_parser = at_least_one)]
    pub(crate) n: Option<usize>,
    /// Which share to draw, of those that are distinct, instead
    #[arg(long, value_name = "RATE", conflicts_with = "n", value_parser = share)]
    pub(crate) rate: Option<f64>,
    /// Leave out functions that are, or almost are, in this file, and their pairs; several if repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Vec<PathBuf>,
    /// Where to write the samples; clone: a folder for pairs.txt and data.jsonl
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags as typed")]
pub(crate) struct CanonicalizeArgs {
    /// Source files, one function each, or with --jsonl files of rows, also .gz [default: standard
    /// input]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The language of the functions: c, java or python
    #[arg(long)]
    pub(crate) language: Language,
    /// Inputs are rows of JSON, one function each; all but the function stays as it is
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// The field that holds the function [default: func, else code]
    #[arg(long, value_name = "NAME", requires = "jsonl")]
    pub(crate) field: Option<String>,
    /// Leave out bad rows and count them instead of stopping at the first
    #[arg(long, requires = "jsonl")]
    pub(crate) keep_going: bool,
    /// Stop at the first function with syntax errors, of which names may be left
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the old and new names, a JSON object per function, instead of the functions
    #[arg(long)]
    pub(crate) names: bool,
    /// Leave comments and docstrings in
    #[arg(long)]
    pub(crate) keep_comments: bool,
    /// Change the name of the function only, for code search
    #[arg(long)]
    pub(crate) function_name_only: bool,
    /// Instead: check with N random renamings of each function that their canonical forms are the
    /// same, and print where not (exit code 1)
    #[arg(long, value_name = "N", conflicts_with = "names", value_parser = at_least_one)]
    pub(crate) check_law: Option<usize>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
