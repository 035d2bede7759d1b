//! `reproduce`: the matrix of seeds and attacks, cell by cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use elibadcode_evaluation::Results;
use elibadcode_evaluation::records::results::{
    Cell, CellStatus, RESULTS_SCHEMA_VERSION, StageSeconds,
};

use crate::chain::{Chain, Foundation, Plan, SettingsFiles};
use crate::experiment::{Experiment, Scale};
use crate::parallel::in_parallel;
use crate::report::{Report, TwinScan};
use crate::stage::{Done, Runner, write};
use crate::{collect, program, say};

/// What to run, and where.
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// Which experiment
    #[arg(value_enum, default_value_t = Which::All)]
    which: Which,
    /// Size of the experiment
    #[arg(long, value_enum, default_value_t = Scale::Small)]
    scale: Scale,
    /// Folder of the real data (scale real)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only these attacks [default: all of the experiment]
    #[arg(long, value_delimiter = ',')]
    attacks: Vec<String>,
    /// Only these seeds [default: all of the experiment]
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

/// Which experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Defect detection (RQ1)
    Defect,
    /// All there are
    All,
}

/// A unit of work after the foundations: an attack of a seed, or the scan of a seed's twin.
enum Job<'a> {
    Attack(u64, &'a str),
    Twin(u64),
}

/// What a unit of work gave.
enum Product {
    Cell { cell: Box<Cell>, note: Option<String>, device: Option<String> },
    Twin(TwinScan),
}

/// The foundation of every seed, or why there is none.
type Foundations = BTreeMap<u64, Result<Foundation, String>>;

/// Runs the experiment; false if a cell did not run.
pub(crate) fn run(args: &ReproduceArgs) -> Result<bool> {
    // Both names mean the only experiment there is so far.
    let (Which::Defect | Which::All) = args.which;
    let mut experiment = Experiment::defect(args.scale)?;
    experiment.narrow(&args.attacks, &args.seeds)?;
    if experiment.needs_data() && args.data.is_none() {
        bail!("--scale {} reads real data: --data DIR is needed", args.scale.name());
    }
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        None => program::build(args.features.as_deref())?,
    };
    let root = args.out.join(args.scale.name());
    let runner = Runner { binary, root, device: args.device.clone(), is_dry_run: args.dry_run };
    let settings = settings_files(&experiment, &runner)?;
    let data = args.data.as_deref();
    let plan = Plan { experiment: &experiment, runner: &runner, data, settings: &settings };
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_jobs = args.jobs.map_or(n_cores.min(8), usize::from);

    let foundations: Foundations = in_parallel(n_jobs, &experiment.seeds, |&seed| {
        (seed, plan.foundation(seed).map_err(|error| failure(&error)))
    })
    .into_iter()
    .collect();
    let mut jobs = Vec::new();
    for &seed in &experiment.seeds {
        jobs.push(Job::Twin(seed));
        jobs.extend(experiment.attacks.iter().map(|attack| Job::Attack(seed, attack)));
    }
    let products = in_parallel(n_jobs, &jobs, |job| match job {
        Job::Attack(seed, attack) => cell(&plan, attack, *seed, &foundations[seed]),
        Job::Twin(seed) => Product::Twin(twin(&plan, *seed, &foundations[seed])),
    });
    if args.dry_run {
        return Ok(true);
    }

    let mut report = Report::new(&experiment);
    let (mut cells, mut devices) = (Vec::new(), BTreeSet::new());
    for product in products {
        match product {
            Product::Twin(twin) => report.twins.push(twin),
            Product::Cell { cell, note, device } => {
                report.notes.extend(note);
                devices.extend(device);
                cells.push(*cell);
            }
        }
    }
    // The table groups by attack, in the experiment's order.
    cells.sort_by_key(|cell| experiment.attacks.iter().position(|it| *it == cell.attack));
    let device = devices.into_iter().collect::<Vec<_>>().join(", ");
    let (schema_version, scale) = (RESULTS_SCHEMA_VERSION, args.scale.name().to_owned());
    let results = Results { schema_version, scale, device, cells };
    publish(&results, &report, &runner.root)?;
    let is_complete = results.cells.iter().map(|cell| &cell.status);
    let is_complete = is_complete.chain(report.twins.iter().map(|twin| &twin.status));
    Ok(is_complete.into_iter().all(|status| *status == CellStatus::Ok))
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

/// One cell, with whatever ran of it.
fn cell(
    plan: &Plan<'_>,
    attack: &str,
    seed: u64,
    foundation: &Result<Foundation, String>,
) -> Product {
    let mut cell = Cell {
        task: plan.experiment.task.clone(),
        model: plan.experiment.model.clone(),
        attack: attack.to_owned(),
        seed,
        status: CellStatus::Ok,
        clean_twin: None,
        before: None,
        scan: None,
        after: None,
        seconds: None,
    };
    let mut chain = Chain::default();
    let mut outcome = match foundation {
        Ok(foundation) => {
            plan.attack(attack, seed, foundation, &mut chain).map_err(|error| failure(&error))
        }
        Err(reason) => Err(reason.clone()),
    };
    if !plan.runner.is_dry_run {
        let filled = fill(&mut cell, &chain).map_err(|error| failure(&error));
        outcome = outcome.and(filled);
    }
    if let Err(reason) = outcome {
        say(&format!("{attack}, seed {seed}: not run: {reason}"));
        cell.status = CellStatus::NotRun(reason);
    }
    let note = chain.unrepaired().map(|note| format!("{attack}, seed {seed}: {note}."));
    let device = chain.train.map(|train| train.device);
    Product::Cell { cell: Box::new(cell), note, device }
}

/// Reads the outputs of the stages that ran.
fn fill(cell: &mut Cell, chain: &Chain) -> Result<()> {
    let seconds = |done: &Option<Done>| done.as_ref().map(|done| done.wall_seconds);
    let times = StageSeconds {
        train: seconds(&chain.train),
        scan: seconds(&chain.scan),
        purify: seconds(&chain.purify),
    };
    cell.seconds = times.total().map(|_| times);
    if let Some(done) = &chain.twin_metrics {
        cell.clean_twin = Some(collect::clean_twin(&collect::read(&done.output)?)?);
    }
    if let Some(done) = &chain.before {
        cell.before = Some(collect::before(&collect::read(&done.output)?)?);
    }
    if let (Some(poison), Some(scan)) = (&chain.poison, &chain.scan) {
        let planted = collect::read(&poison.file("manifest.json"))?;
        let document = collect::read(&scan.output)?;
        cell.scan = Some(collect::scan(&document, Some(&planted), scan.wall_seconds));
    }
    if let (Some(before), Some(done)) = (&cell.before, &chain.after) {
        cell.after = Some(collect::after(&collect::read(&done.output)?, before)?);
    }
    Ok(())
}

/// The scan of a seed's clean twin.
fn twin(plan: &Plan<'_>, seed: u64, foundation: &Result<Foundation, String>) -> TwinScan {
    let scan = || -> Result<_, String> {
        let foundation = foundation.as_ref().map_err(Clone::clone)?;
        let done = plan.scan_twin(seed, foundation).map_err(|error| failure(&error))?;
        if plan.runner.is_dry_run {
            return Ok(None);
        }
        let document = collect::read(&done.output).map_err(|error| failure(&error))?;
        Ok(Some(collect::scan(&document, None, done.wall_seconds)))
    };
    let (status, scan) = match scan() {
        Ok(scan) => (CellStatus::Ok, scan),
        Err(reason) => (CellStatus::NotRun(reason), None),
    };
    TwinScan { seed, status, scan }
}

/// An error with its causes, in one line.
fn failure(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_without_foundation_is_listed() {
        let experiment = Experiment::defect(Scale::Smoke).expect("test data");
        let (binary, root) = (PathBuf::from("/nowhere"), PathBuf::from("/nowhere"));
        let runner = Runner { binary, root, device: String::new(), is_dry_run: false };
        let settings = SettingsFiles::default();
        let plan =
            Plan { experiment: &experiment, runner: &runner, data: None, settings: &settings };
        let Product::Cell { cell, note, .. } =
            cell(&plan, "badcode", 3, &Err("no corpus".to_owned()))
        else {
            panic!("not a cell")
        };
        assert_eq!(cell.status, CellStatus::NotRun("no corpus".to_owned()));
        assert!(cell.scan.is_none() && cell.seconds.is_none() && note.is_none());
    }
}
