//! `reproduce`: the experiments of the tasks that were asked for, and their results.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use elibadcode_evaluation::Results;
use elibadcode_evaluation::records::results::{CellStatus, RESULTS_SCHEMA_VERSION};

use crate::chain::{Plan, SettingsFiles};
use crate::experiment::{Experiment, Scale, Task};
use crate::matrix::{self, Product};
use crate::parallel::{n_cores, n_jobs};
use crate::program;
use crate::report::Report;
use crate::stage::{Runner, write};

/// What to run, and where.
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Which tasks
    #[arg(value_enum, default_value_t = Which::All)]
    which: Which,
    /// Size of the experiments
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// Folder of the real data (scale real)
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
    /// Only show what would run
    #[arg(long)]
    dry_run: bool,
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
            Self::All => vec![Task::Defect, Task::Clone, Task::Search],
        }
    }
}

/// Runs the experiments; false if a cell did not run.
pub(crate) fn run(args: &ReproduceArgs) -> Result<bool> {
    let experiments = experiments(args)?;
    if experiments.iter().any(Experiment::needs_data) && args.data.is_none() {
        bail!("--scale {} reads real data: --data DIR is needed", args.scale.name());
    }
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        None => program::build(args.features.as_deref())?,
    };
    let root = args.out.join(args.scale.name());
    let prepared: Vec<Prepared<'_>> = experiments
        .iter()
        .map(|experiment| Prepared::new(experiment, args, &binary, &root))
        .collect::<Result<_>>()?;
    let plans: Vec<Plan<'_>> =
        prepared.iter().map(|prepared| prepared.plan(args.data.as_deref())).collect();
    let products = matrix::run(&plans, n_jobs(args.jobs));
    if args.dry_run {
        return Ok(true);
    }
    let mut report = Report::new(&experiments);
    let (mut cells, mut devices) = (Vec::new(), BTreeSet::new());
    for product in products {
        match product {
            Product::Twin(twin) => report.twins.push(twin),
            Product::Cell { task, cell, note, device } => {
                report.notes.extend(note.map(|note| (task, note)));
                devices.extend(device);
                cells.push(*cell);
            }
        }
    }
    let device = devices.into_iter().collect::<Vec<_>>().join(", ");
    let (schema_version, scale) = (RESULTS_SCHEMA_VERSION, args.scale.name().to_owned());
    let results = Results { schema_version, scale, device, cells };
    publish(&results, &report, &root)?;
    let is_complete = results.cells.iter().map(|cell| &cell.status);
    let is_complete = is_complete.chain(report.twins.iter().map(|twin| &twin.status));
    Ok(is_complete.into_iter().all(|status| *status == CellStatus::Ok))
}

/// The part of each task's experiment that is asked for.
fn experiments(args: &ReproduceArgs) -> Result<Vec<Experiment>> {
    let load = |task| {
        let mut experiment = Experiment::load(task, args.scale)?;
        experiment.narrow(&args.models, &args.attacks, &args.seeds)?;
        Ok(experiment)
    };
    args.which.tasks().into_iter().map(load).collect()
}

/// An experiment with its runner and settings files.
struct Prepared<'a> {
    experiment: &'a Experiment,
    runner: Runner,
    settings: SettingsFiles,
}

impl<'a> Prepared<'a> {
    fn new(
        experiment: &'a Experiment,
        args: &ReproduceArgs,
        binary: &Path,
        root: &Path,
    ) -> Result<Self> {
        let runner = Runner {
            binary: binary.to_owned(),
            root: root.join(experiment.task.name()),
            device: args.device.clone(),
            n_threads: (n_cores() / n_jobs(args.jobs)).max(1),
            is_dry_run: args.dry_run,
        };
        let settings = settings_files(experiment, &runner)?;
        Ok(Self { experiment, runner, settings })
    }

    fn plan<'b>(&'b self, data: Option<&'b Path>) -> Plan<'b> {
        let Self { experiment, runner, settings } = self;
        Plan { experiment, runner, data, settings }
    }
}

/// Writes the settings that the experiment has on top of the program's own.
fn settings_files(experiment: &Experiment, runner: &Runner) -> Result<SettingsFiles> {
    let root = &runner.root;
    let file = |name: &str, settings: &toml::Table| -> Result<Option<PathBuf>> {
        if settings.is_empty() {
            return Ok(None);
        }
        let (path, text) = (root.join(name), toml::to_string_pretty(settings)?);
        // An unchanged file keeps its time, by which stages know it.
        if !runner.is_dry_run && fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
            fs::create_dir_all(root).with_context(|| format!("making {}", root.display()))?;
            write(&path, &text)?;
        }
        Ok(path.exists().then_some(path))
    };
    Ok(SettingsFiles {
        scan: file("scan-settings.toml", &experiment.scan)?,
        purify: file("purify-settings.toml", &experiment.purify)?,
    })
}

fn publish(results: &Results, report: &Report<'_>, root: &Path) -> Result<()> {
    let markdown = report.markdown(results);
    let path = root.join("results.md");
    write(&root.join("results.json"), &results.to_json()?)?;
    write(&root.join("twins.json"), &(serde_json::to_string_pretty(&report.twins)? + "\n"))?;
    write(&path, &markdown)?;
    program::print(&format!("{}\n\n{markdown}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_once() {
        let root = std::env::temp_dir().join(format!("xtask-settings-{}", std::process::id()));
        let mut experiment = Experiment::load(Task::Defect, Scale::Smoke).expect("test data");
        experiment.purify.clear();
        let runner = Runner {
            binary: PathBuf::new(),
            root: root.clone(),
            device: String::new(),
            n_threads: 1,
            is_dry_run: false,
        };
        let files = settings_files(&experiment, &runner).expect("a writable folder");
        assert_eq!(files.purify, None);
        let path = files.scan.expect("the experiment has some");
        let written = fs::metadata(&path).and_then(|it| it.modified()).expect("a file");
        settings_files(&experiment, &runner).expect("a writable folder");
        assert_eq!(fs::metadata(&path).and_then(|it| it.modified()).expect("a file"), written);
        let text = fs::read_to_string(&path).expect("a file");
        assert_eq!(text.parse::<toml::Table>().expect("TOML"), experiment.scan);
        fs::remove_dir_all(root).expect("it was made here");
    }
}
