//! Flags of the commands that make and measure models.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use elibadcode_models::{Architecture, Preset, Scope};
use elibadcode_poisoning::Member;

use super::{Format, InputArgs, ModelArgs, ReadingArgs, at_least_one, count, share};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 a limit was broken (--max-asr and the like); 2 error or bad usage."
)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Labelled samples (JSONL); clone: pairs, with data.jsonl beside them; search: functions with
    /// their queries (JSONL)
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Also measure with the trigger of this attack: a name that `poison --attack` knows, or the
    /// manifest.json of `poison`
    #[arg(long, value_name = "NAME|FILE", group = "attacked")]
    pub(crate) attack: Option<String>,
    /// Also measure with functions that are renamed to this: a trigger that a scan found, or that
    /// somebody warns of
    #[arg(long, value_name = "NAME", group = "attacked")]
    pub(crate) trigger: Option<String>,
    /// Label that the --trigger attacks (defect, clone) [default: 1]
    #[arg(long, requires = "trigger", conflicts_with = "attack", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) victim: Option<u8>,
    /// Word of the queries that the --trigger attacks (search) [default: file]
    #[arg(long, value_name = "WORD", requires = "trigger", conflicts_with = "attack")]
    pub(crate) target_word: Option<String>,
    /// With --attack or --trigger: also measure how well `screen`, which does not know the attack, finds its
    /// functions, beside the removal of single identifiers
    #[arg(long, requires = "attacked")]
    pub(crate) screen: bool,
    /// Clone: which function of a pair carries the trigger [default: alternating]
    #[arg(long, value_enum)]
    pub(crate) member: Option<MemberArg>,
    /// Search: rank the right code among N other codes of the data [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) distractors: Option<usize>,
    /// Write the metrics here
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Fail (exit code 1) if the attack success rate is above this (defect, clone)
    #[arg(long, value_name = "RATE", requires = "attacked", value_parser = share)]
    pub(crate) max_asr: Option<f64>,
    /// Fail (exit code 1) if the average normalized rank with the trigger is below this (search)
    #[arg(long, value_name = "RATE", requires = "attacked", value_parser = share)]
    pub(crate) min_anr: Option<f64>,
    /// Fail (exit code 1) if the accuracy is below this (defect, clone)
    #[arg(long, value_name = "RATE", value_parser = share)]
    pub(crate) min_accuracy: Option<f64>,
    /// Fail (exit code 1) if the task's score is below this: accuracy (defect), F1 (clone), mean
    /// reciprocal rank (search)
    #[arg(long, value_name = "RATE", value_parser = share)]
    pub(crate) min_score: Option<f64>,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing flagged; 1 something flagged; 2 error or bad usage.")]
pub(crate) struct ScreenArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Functions to screen (JSONL), with labels or without; clone: pairs, with data.jsonl beside them and 0
    /// or 1 as their third column; search: functions with their queries
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// What is taken away to see whether the answer changes
    #[arg(long, value_enum, default_value_t = Without::Names)]
    pub(crate) without: Without,
    /// Clean samples of the same kind, to say how often they are flagged
    #[arg(long, value_name = "FILE")]
    pub(crate) clean: Option<PathBuf>,
    /// Flag at most this share of clean samples [default: all whose answer changes]
    #[arg(long, value_name = "RATE", requires = "clean", value_parser = share)]
    pub(crate) false_alarms: Option<f64>,
    /// Write the whole result here
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Without {
    /// All names that functions declare, and comments, at once
    Names,
    /// One name after the other, and the one that does most counts: slower, and better for code search
    OneName,
}

impl Without {
    /// Its name, as typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::OneName => "one-name",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MemberArg {
    /// The first one, as in the reference code
    First,
    /// The second one
    Second,
    /// The first one of every other pair, the second one of the rest
    Alternating,
}

impl MemberArg {
    /// Its name, as typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Alternating => "alternating",
        }
    }
}

impl From<MemberArg> for Member {
    fn from(member: MemberArg) -> Self {
        match member {
            MemberArg::First => Self::First,
            MemberArg::Second => Self::Second,
            MemberArg::Alternating => Self::Alternating,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Functions (JSONL), with labels or without; clone: pairs, with data.jsonl beside them and 0 or 1 as
    /// their third column; search: functions with their queries, all of which are searched
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Search: name this many codes that a query finds first [default: 5]
    #[arg(short, value_parser = at_least_one)]
    pub(crate) n: Option<usize>,
    /// Write to this file instead of standard output (JSONL)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Hugging Face folder to start from, as written by `init` or downloaded
    pub(crate) base_dir: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Training samples (JSONL); clone: pairs, with data.jsonl beside them
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Validation samples of the same kind, whose accuracy (defect), F1 (clone) or mean reciprocal
    /// rank (search) chooses the best epoch
    #[arg(long, value_name = "FILE")]
    pub(crate) valid: Option<PathBuf>,
    /// Where to write the model
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Passes over the training samples
    #[arg(long, default_value_t = 5)]
    pub(crate) epochs: usize,
    /// Peak learning rate; a small model trained from scratch wants about 1e-3
    #[arg(long, default_value_t = 2e-5)]
    pub(crate) learning_rate: f64,
    /// Samples per step
    #[arg(long, default_value_t = 32)]
    pub(crate) batch_size: usize,
    /// What to train: head, last-K or full
    #[arg(long, default_value_t = Scope::Full)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Size of the model: tiny, small or base
    #[arg(long)]
    pub(crate) preset: Preset,
    /// Shape of the model: codebert, unixcoder or codet5
    #[arg(long, default_value_t = Architecture::CodeBert)]
    pub(crate) arch: Architecture,
    /// Start inputs with `<s> <encoder-only> </s>`, as UniXcoder was pre-trained
    #[arg(long)]
    pub(crate) encoder_only_prefix: bool,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Samples that the tokenizer learns from, their queries included (JSONL); clone: pairs, with
    /// data.jsonl beside them
    #[arg(long, value_name = "FILE", required_unless_present = "tokenizer")]
    pub(crate) data: Option<PathBuf>,
    /// A folder whose tokenizer to take instead: tokenizer.json, or vocab.json and merges.txt
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Entries of the tokenizer [default: 2048]; with --tokenizer, rows of the word embedding
    /// [default: the tokenizer's entries]
    #[arg(long, value_parser = count)]
    pub(crate) vocab_size: Option<usize>,
    /// Cut inputs to this many tokens [default: as long as the model allows, at most 400]
    #[arg(long)]
    pub(crate) max_length: Option<usize>,
    /// Where to write the model
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}
