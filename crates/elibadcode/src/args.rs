//! The command line, as typed. Doc comments here are the help texts.

mod corpora;
mod models;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use elibadcode_corpus::{InputFormat, Task};
use elibadcode_inversion::Edit;
use elibadcode_models::{CanonicalInput, CanonicalNames, ModelDir, ReadingChanges};
use elibadcode_syntax::Language;

pub(crate) use self::corpora::{CanonicalizeArgs, PoisonArgs, SampleArgs, SynthesizeArgs};
pub(crate) use self::models::{
    EvaluateArgs, InitArgs, MemberArg, PredictArgs, ScreenArgs, TrainArgs, Without,
};

/// Find and remove backdoors in neural code models
///
/// Exit codes: 0 done, nothing found; 1 backdoor found, a function flagged, or a gate or a repair's
/// checks failed; 2 error or bad usage; 3 inconclusive.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Seed of every random choice
    #[arg(long, global = true, default_value_t = 123_456)]
    pub(crate) seed: u64,
    /// Where to compute: auto, cpu or gpu, or a CPU backend by name (flex, ndarray)
    #[arg(long, global = true, default_value = "auto")]
    pub(crate) device: String,
    /// Replace outputs that exist
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// Show no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Write a run record (settings, input hashes, device, seconds) to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Search a model for a backdoor trigger, and give a verdict
    Scan(ScanArgs),
    /// Make a model forget the trigger that a scan found, and check the result
    Purify(PurifyArgs),
    /// Write what a scan found, and what became of its repair, as a page for people
    Report(ReportArgs),
    /// Flag functions whose answer hangs on their names, and say on which
    Screen(ScreenArgs),
    /// Measure a model: accuracy, F1 or mean reciprocal rank, and what a trigger does to it
    Evaluate(EvaluateArgs),
    /// Write what a model answers, function by function
    Predict(PredictArgs),
    /// Fine-tune a model, or train a small one from scratch
    Train(TrainArgs),
    /// Make an untrained model with a new tokenizer
    Init(InitArgs),
    /// Plant a backdoor in a training set
    Poison(PoisonArgs),
    /// Write a synthetic corpus
    Synthesize(SynthesizeArgs),
    /// Draw a seeded part of a corpus that shares no function, nor almost one, with other files
    Sample(SampleArgs),
    /// Give the names that functions declare canonical ones (f0, v0, v1, …), as a filter
    Canonicalize(CanonicalizeArgs),
    /// Show what a model folder holds
    Inspect(InspectArgs),
    /// List the devices that answer
    Devices,
}

/// A share of all: percents are refused.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.0..=1.0).contains(&value) {
        return Err("expected a share from 0 to 1, 0.05 for 5 %".to_owned());
    }
    Ok(value)
}

/// No such number is larger.
const MAX_COUNT: usize = 10_000_000;

/// A number of things that are all made or kept in memory.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    let value: usize = text.parse().map_err(|error| format!("{error}"))?;
    if value > MAX_COUNT { Err(format!("expected at most {MAX_COUNT}")) } else { Ok(value) }
}

/// A number of tries that are to mean something.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match count(text)? {
        0 => Err("expected at least 1".to_owned()),
        n => Ok(n),
    }
}

/// What the model's input is.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// The task of the model: defect, clone or search
    #[arg(long, default_value_t = Task::DefectDetection)]
    pub(crate) task: Task,
    /// The language of the samples, if not the task's own: c, java or python
    #[arg(long)]
    pub(crate) language: Option<Language>,
}

impl InputArgs {
    pub(crate) fn language(&self) -> Language {
        self.language.unwrap_or_else(|| self.task.language())
    }

    /// Fails if an attack is described by what the task has not: labels, or words of queries.
    pub(crate) fn check_target(&self, victim: Option<u8>, word: Option<&str>) -> Result<()> {
        match self.task {
            Task::CodeSearch if victim.is_some() => {
                bail!("--victim: the task `search` has no labels; --target-word is what it has")
            }
            Task::DefectDetection | Task::CloneDetection if word.is_some() => bail!(
                "--target-word: the task `{}` has no queries; --victim is what it has",
                self.task
            ),
            _ => Ok(()),
        }
    }
}

/// How a model folder is to be read.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Hugging Face folder: config.json, model.safetensors, tokenizer.json
    pub(crate) model_dir: PathBuf,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// How a model's inputs are built and its answers read, where its folder does not say.
#[derive(Debug, Args)]
pub(crate) struct ReadingArgs {
    /// Cut inputs to this many tokens [default: what the folder says, else 400]
    #[arg(long)]
    pub(crate) max_length: Option<usize>,
    /// Which output of a two-output head means label 1 [default: what the folder says, else 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) positive_output: Option<u8>,
    /// Input text: code-tokens (joined by a space), whitespace (source with white space collapsed)
    /// or source (as it is) [default: what the folder says, else code-tokens]
    #[arg(long)]
    pub(crate) input_format: Option<InputFormat>,
    /// Start inputs with `<s> <encoder-only> </s>`, as UniXcoder's own programs do
    #[arg(long)]
    pub(crate) encoder_only_prefix: bool,
    /// Read names as they are, though the folder's elibadcode.json asks for canonical ones: as
    /// programs do that do not know the file
    #[arg(long)]
    pub(crate) raw_names: bool,
}

impl ReadingArgs {
    /// Opens a model folder that is to be read so.
    pub(crate) fn open(&self, dir: &Path) -> Result<ModelDir, elibadcode_models::Error> {
        let Self { max_length, positive_output, input_format, encoder_only_prefix, raw_names } =
            *self;
        ModelDir::open(dir)?.with_reading(ReadingChanges {
            max_length,
            positive_output: positive_output.map(usize::from),
            input_format,
            encoder_only_prefix,
            raw_names,
        })
    }

    /// What was typed, to be typed again.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), value]);
            }
        };
        flag("--max-length", self.max_length.map(|it| it.to_string()));
        flag("--positive-output", self.positive_output.map(|it| it.to_string()));
        flag("--input-format", self.input_format.map(|it| it.to_string()));
        for (name, is_set) in
            [("--encoder-only-prefix", self.encoder_only_prefix), ("--raw-names", self.raw_names)]
        {
            words.extend(is_set.then(|| name.to_owned()));
        }
        words
    }
}

#[derive(Debug, Args)]
#[command(
    mut_args(unless_printing),
    after_help = "Exit codes: 0 no trigger found; 1 likely backdoored; 2 error or bad usage; 3 inconclusive.",
    override_usage = "elibadcode scan [OPTIONS] --data <FILE> <MODEL_DIR>\n       \
                      elibadcode scan [OPTIONS] --print-config"
)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Clean samples (JSONL; clone: pairs, with data.jsonl beside them); 130 of each label are used
    /// fully, or 230 for search
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Write the whole result here
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A summary for people
    Text,
    /// The whole result
    Json,
}

/// The settings of a scan or a repair.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// Which settings to start from
    #[arg(long, value_enum, default_value_t = SettingsPreset::Recommended)]
    pub(crate) preset: SettingsPreset,
    /// Settings file (TOML) on top of the preset
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the resolved settings as TOML and stop; nothing else has to be given
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Requires an argument only if the command is to do more than print its settings.
///
/// One that is left out then is a placeholder, which no code reads; an `Option` would be in the way of
/// all the code that reads the argument.
fn unless_printing(arg: Arg) -> Arg {
    const FLAG: &str = "print_config";
    if !arg.is_required_set() {
        return arg;
    }
    arg.required(false).required_unless_present(FLAG).default_value_if(FLAG, "true", "-")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SettingsPreset {
    /// The paper's settings with the deviations that were measured to help
    Recommended,
    /// The paper's settings
    Paper,
}

#[derive(Debug, Args)]
#[command(
    mut_args(unless_printing),
    after_help = "Exit codes: 0 repaired; 1 a check failed, and no model was written; 2 error or bad usage.",
    override_usage = "elibadcode purify [OPTIONS] <--scan <FILE>|--trigger <NAME>|--canonical> --data <FILE> \
                      --output <DIR> <MODEL_DIR>\n       \
                      elibadcode purify [OPTIONS] --print-config"
)]
pub(crate) struct PurifyArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Clean labelled samples (JSONL) to fine-tune on
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// What `scan -o` wrote for this model
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["trigger", "canonical", "print_config"]
    )]
    pub(crate) scan: Option<PathBuf>,
    /// Instead of unlearning a trigger: make the model read canonical names (f0, v0, v1, …), all
    /// declared ones or only that of the function, so that no trigger in them reaches it
    #[arg(
        long,
        value_enum,
        value_name = "NAMES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        conflicts_with_all = ["scan", "trigger", "edit", "victim"]
    )]
    pub(crate) canonical: Option<CanonicalArg>,
    /// With --canonical: leave comments and docstrings in
    #[arg(long, requires = "canonical", conflicts_with_all = ["scan", "trigger"])]
    pub(crate) keep_comments: bool,
    /// A trigger written by hand instead (with --victim, or for --task search --target-word)
    #[arg(long, conflicts_with = "scan")]
    pub(crate) trigger: Option<String>,
    /// The word that queries must have for the hand-written trigger to work (--task search)
    #[arg(long, value_name = "WORD", requires = "trigger", conflicts_with_all = ["scan", "canonical"])]
    pub(crate) target_word: Option<String>,
    /// How the hand-written trigger enters an identifier
    #[arg(long, value_enum, default_value_t = EditArg::Replace, conflicts_with = "scan")]
    pub(crate) edit: EditArg,
    /// The label that the hand-written trigger attacks (defect, clone) [default: 1]
    #[arg(long, conflicts_with = "scan", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) victim: Option<u8>,
    /// Where to write the repaired model
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Also write what the checks said to this file, for `report`, whether the repair passed or not;
    /// of one that passed it is in the model's folder
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

impl PurifyArgs {
    /// The form of names that the model is to read, if it is to be blind to them.
    pub(crate) fn canonical_input(&self) -> Option<CanonicalInput> {
        let names = match self.canonical? {
            CanonicalArg::All => CanonicalNames::All,
            CanonicalArg::Function => CanonicalNames::Function,
        };
        Some(CanonicalInput { keeps_comments: self.keep_comments, ..CanonicalInput::new(names) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CanonicalArg {
    /// Every declared name
    All,
    /// The name of the function only, for code search
    Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EditArg {
    /// The identifier becomes the trigger
    Replace,
    /// The trigger is appended to the identifier
    Append,
}

impl From<EditArg> for Edit {
    fn from(edit: EditArg) -> Self {
        match edit {
            EditArg::Replace => Self::Replace,
            EditArg::Append => Self::Append,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// What `scan -o` wrote
    #[arg(value_name = "SCAN_FILE")]
    pub(crate) scan: PathBuf,
    /// The repaired model's folder, or the file that `purify --report` wrote
    #[arg(long, value_name = "PATH")]
    pub(crate) repair: Option<PathBuf>,
    /// What the page calls the model [default: the scan's file]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where to write the page (HTML) [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Also print the vectors and log-odds of rows of token ids, an array of arrays in JSON; with a
    /// head for pairs the log-odds are those of each row and the next one
    #[arg(long, value_name = "FILE", requires = "json")]
    pub(crate) rows: Option<PathBuf>,
    /// Also write the model as a folder with safetensors weights
    #[arg(long, value_name = "DIR")]
    pub(crate) convert: Option<PathBuf>,
}
