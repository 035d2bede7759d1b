//! `reproduce`: the experiments of the tasks that were asked for, and their results.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::bundle::Bundle;
use crate::chain::{Plan, SettingsFiles};
use crate::cost::{Costs, Estimate};
use crate::experiment::{Experiment, Question, Scale, Task, Variant};
use crate::matrix::{self, Product};
use crate::parallel::{n_cores, n_jobs};
use crate::publish::publish;
use crate::shard::Shard;
use crate::stage::Runner;
use crate::{program, say, settings};

/// What to run, and where.
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Which tasks
    #[arg(value_enum, default_value_t = Which::All)]
    which: Which,
    /// Size of the experiments
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// A research question of the paper, or one of ours: more models and attacks, other defenses, other settings
    #[arg(long, value_enum)]
    rq: Option<Question>,
    /// Folder of the real data (scales real and paper)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only these models: codebert, codet5, unixcoder [default: those of the experiment]
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// Only these attacks [default: those of the experiment]
    #[arg(long, value_delimiter = ',')]
    attacks: Vec<String>,
    /// Only these seeds [default: those of the experiment]
    #[arg(long, value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Where stages and results go
    #[arg(long, value_name = "DIR", default_value = "target/reproduce")]
    out: PathBuf,
    /// Only show what would run, and about how long it would take
    #[arg(long)]
    dry_run: bool,
    /// Only part I of N of the cells, for machines that share the work; see `merge`
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Cells at a time [default: one per core, at most 8: training keeps one core busy]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
    /// Where the program computes: its --device
    #[arg(long, default_value = "auto")]
    device: String,
    /// Features to build the program with, as cargo takes them
    #[arg(long)]
    features: Option<String>,
    /// Take this program instead of building one
    #[arg(long, value_name = "FILE", conflicts_with = "features")]
    binary: Option<PathBuf>,
}

/// Which tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Defect detection
    Defect,
    /// Clone detection
    Clone,
    /// Code search
    Search,
    /// All three
    All,
}

impl Which {
    fn tasks(self) -> Vec<Task> {
        match self {
            Self::Defect => vec![Task::Defect],
            Self::Clone => vec![Task::Clone],
            Self::Search => vec![Task::Search],
            Self::All => Task::ALL.to_vec(),
        }
    }
}

/// Runs the experiments; false if a cell did not run.
pub(crate) fn run(args: &ReproduceArgs) -> Result<bool> {
    let experiments = experiments(args)?;
    let needs_data = experiments.iter().any(Experiment::needs_data);
    if needs_data && args.data.is_none() && !args.dry_run {
        bail!("--scale {} reads real data: --data DIR is needed", args.scale.name());
    }
    // A plan needs no data.
    let data = args.data.as_deref().or(args.dry_run.then_some(Path::new("DATA")));
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        None => program::build(args.features.as_deref())?,
    };
    // Stages are known by their arguments, however the folder was spelled.
    let root = std::path::absolute(&args.out)?.join(args.scale.name());
    let stages = stages_folder(args, &root);
    let prepared: Vec<Prepared<'_>> = experiments
        .iter()
        .map(|experiment| Prepared::new(experiment, args, &binary, &stages))
        .collect::<Result<_>>()?;
    let plans: Vec<Plan<'_>> = prepared.iter().map(|prepared| prepared.plan(data)).collect();
    let n_jobs = n_jobs(args.jobs);
    if args.dry_run {
        // One at a time, so that the plan is in order.
        matrix::run(&plans, args.shard, 1);
        say(&estimate(&prepared, n_jobs.min(n_cores())));
        return Ok(true);
    }
    let program = program::digest(&binary)?;
    let mut bundle = Bundle::new(args.scale, args.rq, &experiments, args.shard, &program);
    for product in matrix::run(&plans, args.shard, n_jobs) {
        match product {
            Product::Twin(twin) => bundle.twins.push(*twin),
            Product::Cell(entry) => bundle.entries.push(*entry),
        }
    }
    publish(&bundle, &experiments, &results_folder(args, &root))?;
    Ok(bundle.is_complete())
}

/// Stages are shared by all questions and shards, but for the question how long they take: those
/// of other questions ran beside other work.
fn stages_folder(args: &ReproduceArgs, root: &Path) -> PathBuf {
    if args.rq == Some(Question::Time) {
        return root.join(Question::Time.name());
    }
    root.to_owned()
}

/// Results are not shared: a part of the matrix does not take the place of the whole.
fn results_folder(args: &ReproduceArgs, root: &Path) -> PathBuf {
    let parts = [args.rq.map(|rq| rq.name().to_owned()), part_folder(args), args.shard.folder()];
    parts.into_iter().flatten().fold(root.to_owned(), |folder, part| folder.join(part))
}

/// The folder's name of a run that is asked for a part of the matrix only. It follows from the
/// command line, whatever ran before.
fn part_folder(args: &ReproduceArgs) -> Option<String> {
    let ReproduceArgs { which, models, attacks, seeds, .. } = args;
    let tasks = if *which == Which::All { Vec::new() } else { which.tasks() };
    let mut parts: Vec<String> = tasks.into_iter().map(|task| task.name().to_owned()).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    for (what, chosen) in [("models", models), ("attacks", attacks), ("seeds", &seeds)] {
        if !chosen.is_empty() {
            parts.push(format!("{what}-{}", chosen.join("-")));
        }
    }
    (!parts.is_empty()).then(|| format!("only-{}", parts.join("-")))
}

/// How long the planned stages will take.
fn estimate(prepared: &[Prepared<'_>], n_jobs: usize) -> String {
    let mut estimate = Estimate::default();
    for Prepared { experiment, runner, .. } in prepared {
        let planned = runner.planned.lock().expect("no thread panicked");
        estimate.add(planned.values().copied(), experiment.speed.forwards_per_second);
    }
    estimate.in_words(n_jobs)
}

/// The part of each task's experiment that is asked for.
fn experiments(args: &ReproduceArgs) -> Result<Vec<Experiment>> {
    let tasks = args.which.tasks();
    let mut experiments = match args.rq {
        Some(question) => question.experiments(&tasks, args.scale)?,
        None => tasks
            .into_iter()
            .map(|task| Experiment::load(task, args.scale))
            .collect::<Result<_>>()?,
    };
    for experiment in &mut experiments {
        experiment.narrow(&args.models, &args.attacks, &args.seeds)?;
        experiment.check_weights()?;
    }
    Ok(experiments)
}

/// An experiment with its runner and settings files.
struct Prepared<'a> {
    experiment: &'a Experiment,
    runner: Runner,
    /// By variant.
    settings: Vec<SettingsFiles>,
    costs: Costs,
}

impl<'a> Prepared<'a> {
    fn new(
        experiment: &'a Experiment,
        args: &ReproduceArgs,
        binary: &Path,
        stages: &Path,
    ) -> Result<Self> {
        let folder = stages.join(experiment.task.name());
        let runner = Runner::new(binary, folder, &args.device, args.dry_run);
        let variants = experiment.variants.iter();
        let settings = variants.map(|variant| {
            check_settings(experiment, variant, binary)?;
            settings_files(experiment, variant, &runner)
        });
        let settings = settings.collect::<Result<_>>()?;
        let costs =
            if args.dry_run { Costs::of(experiment, binary) } else { Costs::unknown(experiment) };
        Ok(Self { experiment, runner, settings, costs })
    }

    fn plan<'b>(&'b self, data: Option<&'b Path>) -> Plan<'b> {
        let Self { experiment, runner, settings, costs } = self;
        Plan { experiment, runner, data, settings, costs }
    }
}

/// Fails if the program refuses the settings of an experiment, before it has worked for hours.
fn check_settings(experiment: &Experiment, variant: &Variant, binary: &Path) -> Result<()> {
    let parts = [
        ("scan", &experiment.scan, &variant.scan),
        ("purify", &experiment.purify, &variant.purify),
    ];
    for (command, base, more) in parts {
        settings::check(binary, command, experiment.task, &settings::merged(base, more))
            .with_context(|| format!("{}, variant `{}`", experiment.task.name(), variant.name))?;
    }
    Ok(())
}

/// Writes the settings that a variant has on top of the program's own.
fn settings_files(
    experiment: &Experiment,
    variant: &Variant,
    runner: &Runner,
) -> Result<SettingsFiles> {
    let file = |name: &str, base, more| runner.settings_file(name, &settings::merged(base, more));
    Ok(SettingsFiles {
        scan: file("scan-settings", &experiment.scan, &variant.scan)?,
        purify: file("purify-settings", &experiment.purify, &variant.purify)?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    /// A command line.
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ReproduceArgs,
    }

    fn args(line: &str) -> ReproduceArgs {
        Line::parse_from(["reproduce"].into_iter().chain(line.split_whitespace())).args
    }

    #[test]
    fn results_of_a_part_have_a_folder_of_their_own() {
        let check = |line: &str, folder: &str| {
            assert_eq!(
                results_folder(&args(line), Path::new("small")),
                Path::new(folder),
                "{line}"
            );
        };
        check("", "small");
        check("all --rq 2", "small/rq2");
        check("defect", "small/only-defect");
        check("defect --seeds 4,5", "small/only-defect-seeds-4-5");
        check("--rq 1 --models codet5 --shard 1/2", "small/rq1/only-models-codet5/shard-1-of-2");
        check("search --attacks badcode,bnc-fixed", "small/only-search-attacks-badcode-bnc-fixed");
    }

    #[test]
    fn times_are_of_stages_that_nothing_else_shares() {
        let check = |line: &str, folder: &str| {
            assert_eq!(stages_folder(&args(line), Path::new("small")), Path::new(folder), "{line}");
        };
        check("", "small");
        check("--rq 1", "small");
        check("clone --rq time --shard 1/2", "small/time");
    }

    #[test]
    fn settings_are_written_once() {
        let root = std::env::temp_dir().join(format!("xtask-settings-{}", std::process::id()));
        let mut experiment = Experiment::load(Task::Defect, Scale::Smoke).expect("test data");
        experiment.purify.clear();
        let runner = Runner::new("", &root, "", false);
        let own = Variant::own();
        let files = settings_files(&experiment, &own, &runner).expect("a writable folder");
        assert_eq!(files.purify, None);
        let path = files.scan.expect("the experiment has some");
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(long_ago).expect("it was made here");
        settings_files(&experiment, &own, &runner).expect("a writable folder");
        assert_eq!(fs::metadata(&path).and_then(|it| it.modified()).expect("a file"), long_ago);
        let text = fs::read_to_string(&path).expect("a file");
        assert_eq!(text.parse::<toml::Table>().expect("TOML"), experiment.scan);
        let mut variant = Variant { name: "wide".to_owned(), ..own };
        let same = settings_files(&experiment, &variant, &runner).expect("a writable folder");
        assert_eq!(same.scan.as_ref(), Some(&path));
        variant.scan.insert("top_k".to_owned(), 7.into());
        let other = settings_files(&experiment, &variant, &runner).expect("a writable folder");
        let other = other.scan.expect("it has some");
        assert_ne!(other, path);
        let text = fs::read_to_string(&other).expect("a file");
        assert!(text.contains("top_k = 7") && text.contains("iterations"), "{text}");
        fs::remove_dir_all(root).expect("it was made here");
    }
}
