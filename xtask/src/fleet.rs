//! `fleet`: many small models, clean and backdoored, made from seeds and scanned, so that a verdict
//! has error rates.
//!
//! `plan` lists the models, `member` makes and scans one, `record` is what is kept of it, `measure`
//! compares ways to decide, `fit` teaches the score, `report` writes it down; `ablation` scans the same
//! models with one option of the search changed, and `pooled` takes several fleets together.

mod ablation;
mod fit;
mod measure;
mod member;
mod plan;
mod pooled;
mod record;
mod report;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use elibadcode_evaluation::Calibrations;
use elibadcode_evaluation::records::calibration::Basis;

use self::member::Maker;
use self::plan::{Fleet, Member};
use self::record::{FLEET_SCHEMA_VERSION, FleetDocument, MemberRecord};
use crate::cost::{Costs, Estimate};
use crate::experiment::{Experiment, Scale, Task};
use crate::parallel::{in_parallel, n_cores, n_jobs};
use crate::shard::Shard;
use crate::stage::{Runner, write};
use crate::{collect, program, say, settings};

/// What to run, and where.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Which fleets: the TOML files xtask/experiments/fleet-NAME.toml
    #[arg(default_value = "defect", value_delimiter = ',')]
    fleets: Vec<String>,
    /// Only fleets of these tasks
    #[arg(long, value_enum, value_delimiter = ',')]
    tasks: Vec<Task>,
    /// Where stages and results go
    #[arg(long, value_name = "DIR", default_value = "target/fleet")]
    out: PathBuf,
    /// Only show what would run
    #[arg(long)]
    dry_run: bool,
    /// Make part I of N; models of one seed stay together
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Make this many models of each fleet at most
    #[arg(long)]
    limit: Option<usize>,
    /// Make nothing: report what is there; with --binary only what that program made
    #[arg(long, conflicts_with_all = ["dry_run", "shard", "limit"])]
    report: bool,
    /// Fit the score to the fleet, and write crates/elibadcode-inversion/calibration.json; beside --report
    /// only with --binary
    #[arg(long)]
    fit: bool,
    /// Scan the models with each option of the search changed, too (xtask/experiments/ablation.toml), and
    /// compare; with names, only with these
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',', num_args = 0.., require_equals = true
    )]
    ablation: Option<Vec<String>>,
    /// Seeds at a time [default: one per core, at most 8]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
    /// Where the program computes: its --device
    #[arg(long, default_value = "auto")]
    device: String,
    /// Take this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Scan with this program, the models being --binary's: two versions of the scan on the same models
    #[arg(long, value_name = "FILE", requires = "binary")]
    scanner: Option<PathBuf>,
}

/// The programs of a fleet, with the folder of its stages.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Makes the models.
    pub(crate) runner: Runner,
    /// Scans them.
    pub(crate) scanner: Runner,
    /// A hash of the latter; none if no program is named, as for `--report`.
    pub(crate) scanned_by: Option<String>,
}

impl Programs {
    /// Programs that only tell the fingerprints of their stages; none if one of them is unknown.
    fn planner(&self) -> Option<Self> {
        let (runner, scanner) = (self.runner.planner()?, self.scanner.planner()?);
        Some(Self { runner, scanner, scanned_by: self.scanned_by.clone() })
    }
}

/// Makes, scans and reports the fleets; false if a model could not be made.
pub(crate) fn run(args: &FleetArgs) -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut fleets: Vec<(&String, Fleet, Vec<Fleet>)> = Vec::new();
    for name in &args.fleets {
        ensure!(!fleets.iter().any(|(it, ..)| *it == name), "the fleet {name} is named twice");
        let fleet = Fleet::load(&folder, name)?;
        if args.tasks.is_empty() || args.tasks.contains(&fleet.task) {
            let varied = match &args.ablation {
                Some(options) => ablation::fleets(&folder, &fleet, options)?,
                None => Vec::new(),
            };
            fleets.push((name, fleet, varied));
        }
    }
    ensure!(!fleets.is_empty(), "none of the fleets is of the tasks that are asked for");
    ensure!(!args.fit || fleets.len() == 1, "--fit takes one fleet: it writes one calibration");
    ensure!(
        !args.fit || !args.report || args.binary.is_some(),
        "--report --fit needs --binary: without it models of an earlier plan would be taken for this one's"
    );
    let binary = match (&args.binary, args.report) {
        (Some(binary), _) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        (None, true) => PathBuf::new(),
        (None, false) => program::build(None)?,
    };
    let scanner = match &args.scanner {
        Some(file) => file.canonicalize().with_context(|| file.display().to_string())?,
        None => binary.clone(),
    };
    let names_program = args.binary.is_some() || !args.report;
    let scanned_by = names_program.then(|| program::digest(&scanner)).transpose()?;
    // Stages are known by their arguments, however the folder was spelled.
    let out = std::path::absolute(&args.out)?;
    let mut is_complete = true;
    let mut documents = Vec::new();
    for (name, fleet, varied) in &fleets {
        let runner = |program| Runner::new(program, out.join(name), &args.device, args.dry_run);
        let (runner, scanner) = (runner(&binary), runner(&scanner));
        let programs = Programs { runner, scanner, scanned_by: scanned_by.clone() };
        if !args.report {
            let all = || std::iter::once(fleet).chain(varied);
            for fleet in all() {
                settings::check(&programs.scanner.binary, "scan", fleet.task, &fleet.scan)
                    .with_context(|| fleet.scan_name(&format!("fleet {name}")))?;
            }
            for fleet in all() {
                is_complete &= make(fleet, &programs, args)?;
            }
        }
        if args.dry_run {
            say(&estimate(fleet, &programs, n_jobs(args.jobs).min(n_cores()))?);
        } else {
            let document = publish(name, fleet, &programs, args.fit)?;
            if !varied.is_empty() {
                ablation::publish(name, fleet, document.members.clone(), varied, &programs)?;
            }
            documents.push(document);
        }
    }
    if documents.len() > 1 {
        pooled::publish(documents, &out)?;
    }
    Ok(is_complete)
}

/// How long the planned stages will take, at the speed of the recipe that fleets have.
fn estimate(fleet: &Fleet, programs: &Programs, n_jobs: usize) -> Result<String> {
    let per_second = Experiment::load(fleet.task, Scale::Small)?.speed.forwards_per_second;
    let mut estimate = Estimate::default();
    for runner in [&programs.runner, &programs.scanner] {
        let planned = runner.planned.lock().expect("no thread panicked");
        estimate.add(planned.values().copied(), per_second);
    }
    Ok(estimate.in_words(n_jobs))
}

/// Makes the members that are asked for; those of one seed and architecture one after another,
/// because they share a corpus and a base model. False if one could not be made.
fn make(fleet: &Fleet, programs: &Programs, args: &FleetArgs) -> Result<bool> {
    let settings = programs.scanner.settings_file("scan-settings", &fleet.scan)?;
    let mut groups: Vec<Vec<Member>> = fleet.groups();
    if let Some(shard) = args.shard {
        groups = shard.part(groups, |group| group.first().map(|member| member.seed));
    }
    let mut left = args.limit.unwrap_or(usize::MAX);
    for group in &mut groups {
        group.truncate(left);
        left -= group.len();
    }
    groups.retain(|group| !group.is_empty());
    let costs = if args.dry_run {
        let sizes = (fleet.corpus.clean, fleet.corpus.test);
        Costs::of_scans(fleet.task, sizes, &fleet.scan, &programs.scanner.binary)
    } else {
        Costs::default()
    };
    let are_made = in_parallel(n_jobs(args.jobs), &groups, |group| {
        let maker = Maker { fleet, programs, settings: settings.as_deref(), costs: &costs };
        let mut is_made = true;
        for member in group {
            let record = maker.make(member);
            let Runner { is_dry_run, root, .. } = &programs.runner;
            let file = record_file(root, fleet, &record.name);
            let kept = if *is_dry_run { Ok(()) } else { keep(&record, &file) };
            if record.is_failure() {
                say(&format!("{}: {}", record.name, record.status));
            }
            if let Err(error) = &kept {
                say(&format!("{}: {error:#}", record.name));
            }
            is_made &= kept.is_ok() && !record.is_failure();
        }
        is_made
    });
    Ok(are_made.into_iter().all(|it| it))
}

/// The record of a member, beside its stages: shards find each other's so.
fn record_file(root: &Path, fleet: &Fleet, name: &str) -> PathBuf {
    root.join(name).join(fleet.scan_name("member") + ".json")
}

fn keep(record: &MemberRecord, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    write(path, &(serde_json::to_string_pretty(record)? + "\n"))
}

/// The records of a fleet that are there, and how many more are of another program or plan.
fn load(fleet: &Fleet, programs: &Programs) -> Result<(Vec<MemberRecord>, usize)> {
    let root = &programs.runner.root;
    let mut members: Vec<MemberRecord> = Vec::new();
    let mut n_left_out = 0;
    for member in fleet.groups().iter().flatten() {
        let path = record_file(root, fleet, &member.name());
        if path.exists() {
            let mut record: MemberRecord = collect::read(&path)
                .context("a record of another version? remove it and make the fleet again")?;
            ensure!(
                record.is_of(member),
                "{}: a model of another plan than the fleet has now (rate or data); make it again",
                path.display()
            );
            if is_stale(&record, member, fleet, programs)? {
                n_left_out += 1;
                continue;
            }
            fleet.judge(&mut record);
            members.push(record);
        }
    }
    Ok((members, n_left_out))
}

/// Writes `fleet.json` and `fleet.md` from the records that are there.
fn publish(name: &str, fleet: &Fleet, programs: &Programs, is_fit: bool) -> Result<FleetDocument> {
    let root = &programs.runner.root;
    let file = format!("fleet-{name}.toml");
    let (members, n_left_out) = load(fleet, programs)?;
    ensure!(
        !members.is_empty(),
        "{}: no model of the fleet is there, but for {n_left_out} of another program or plan; make the \
         fleet first",
        root.display()
    );
    fit::check_figures(&members, fleet)?;
    let validated = fit::cross_validate(&members, fleet);
    let calibrations = calibrations()?;
    let shipped = match calibrations.basis(fleet.task.name()) {
        Some(Basis::Fleet(it)) => Some(&**it),
        _ => None,
    };
    let is_of_these = |seed: &u64| members.iter().any(|member| member.seed == *seed);
    let is_own = shipped.is_some_and(|it| it.provenance.seeds.iter().any(is_of_these));
    let others = shipped.filter(|it| it.provenance.fleet != file);
    let mut rules = measure::rules(&members, validated.as_ref(), others);
    if let Some(rule) = rules.iter_mut().find(|it| is_own && it.name == measure::BUILT_IN) {
        rule.name += measure::FITTED;
    }
    let document = FleetDocument {
        schema_version: FLEET_SCHEMA_VERSION,
        fleet: file,
        task: fleet.task.name().to_owned(),
        n_planned: fleet.groups().concat().len(),
        n_left_out,
        rules,
        members,
    };
    let markdown = report::markdown(&document, fleet, validated.as_ref());
    write(&root.join("fleet.json"), &(serde_json::to_string_pretty(&document)? + "\n"))?;
    write(&root.join("fleet.md"), &markdown)?;
    program::print(&format!("{}\n\n{markdown}", root.join("fleet.md").display()))?;
    if is_fit {
        ensure!(
            document.members.len() == document.n_planned
                && !document.members.iter().any(MemberRecord::is_failure),
            "nothing was fitted: {} of {} models are there, or some failed",
            document.members.len(),
            document.n_planned
        );
        ensure!(
            document.n_programs() <= 1,
            "nothing was fitted: the models were scanned by {} programs; scan them by one",
            document.n_programs()
        );
        let calibration = fit::calibrate(&document, fleet, validated.as_ref())?;
        update(fleet.task, calibration)?;
    }
    Ok(document)
}

/// Whether a record is of another program or plan; unknown without a program, as for `--report`.
fn is_stale(
    record: &MemberRecord,
    member: &Member,
    fleet: &Fleet,
    programs: &Programs,
) -> Result<bool> {
    let Some(planners) = programs.planner() else { return Ok(false) };
    let settings = planners.scanner.settings_file("scan-settings", &fleet.scan)?;
    let (settings, costs) = (settings.as_deref(), &Costs::default());
    let maker = Maker { fleet, programs: &planners, settings, costs };
    Ok(record.is_stale(&maker.fingerprints(member)?))
}

/// The file that scans of the next build take their scores from.
fn calibration_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/elibadcode-inversion/calibration.json")
}

fn calibrations() -> Result<Calibrations> {
    let path = calibration_file();
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Calibrations::from_json(&text).with_context(|| format!("reading {}", path.display()))
}

/// Puts the calibration of one task into the file.
fn update(task: Task, basis: Basis) -> Result<()> {
    let path = calibration_file();
    let mut calibrations = calibrations()?;
    let place = calibrations.basis_mut(task.name()).context("every task has a basis")?;
    *place = basis;
    write(&path, &calibrations.to_json()?)?;
    say(&format!("{}: {} fitted", path.display(), task.name()));
    Ok(())
}
