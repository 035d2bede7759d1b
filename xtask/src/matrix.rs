//! The matrix of tasks, models, attacks and seeds, cell by cell.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use anyhow::Result;
use elibadcode_evaluation::records::results::{Cell, CellStatus, StageSeconds};

use crate::bundle::{Entry, TwinScan};
use crate::chain::{Chain, Corpus, Foundation, Plan, Subject};
use crate::detail::Detail;
use crate::parallel::{in_order, in_parallel};
use crate::shard::Shard;
use crate::stage::Done;
use crate::{collect, day, failure, say};

/// What a unit of work gave.
pub(crate) enum Product {
    /// One attack on one model, and one defense of it.
    Cell(Box<Entry>),
    /// The scan of a model without backdoor.
    Twin(Box<TwinScan>),
}

/// A unit of work after the foundations.
#[derive(Clone, Copy, Debug)]
struct Unit<'a> {
    /// Index of the plan.
    plan: usize,
    subject: Subject<'a>,
    work: Work<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Work<'a> {
    Defend { attack: &'a str, variant: usize },
    ScanTwin,
}

/// Runs the shard's cells of all plans, `n_jobs` at a time; products are grouped by task, model,
/// attack and defense in the order of the experiments.
pub(crate) fn run(plans: &[Plan<'_>], shard: Shard, n_jobs: usize) -> Vec<Product> {
    let units = shard.part(units(plans), |unit| (unit.plan, unit.subject));
    let corpora = corpora(plans, &units, n_jobs);
    let foundations = foundations(&units);
    let keys: Vec<&(usize, Subject<'_>)> = foundations.keys().collect();
    // Foundations come first, but only the units of their own model wait for them. The twin of a
    // seed is trained while its first attack is, and scanned after; a second defense of an attacked
    // model comes when the model is there.
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&index| match units[index].work {
        Work::ScanTwin => (units[index].subject.seed, 0),
        Work::Defend { variant, .. } => (units[index].subject.seed, variant),
    });
    let steps: Vec<Step> =
        (0..keys.len()).map(Step::Foundation).chain(order.into_iter().map(Step::Unit)).collect();
    let foundation_of = |unit: Unit<'_>| {
        let place = keys.iter().position(|it| **it == (unit.plan, unit.subject));
        place.expect("every unit has a foundation")
    };
    let needs = |step: &Step| match *step {
        Step::Foundation(_) => None,
        Step::Unit(index) => Some(foundation_of(units[index])),
    };
    let lay = |index: usize| {
        let (plan, subject) = *keys[index];
        foundations[keys[index]].get_or_init(|| {
            let corpus = corpora[&(plan, subject.seed)].as_ref().map_err(Clone::clone)?;
            plans[plan].foundation(subject, corpus).map_err(|error| failure(&error))
        })
    };
    let products = in_order(n_jobs, &steps, needs, |step| match *step {
        Step::Foundation(index) => {
            lay(index);
            None
        }
        Step::Unit(index) => {
            let Unit { plan, subject, work } = units[index];
            let foundation = lay(foundation_of(units[index]));
            let product = match work {
                Work::ScanTwin => Product::Twin(Box::new(twin(&plans[plan], subject, foundation))),
                Work::Defend { attack, variant } => Product::Cell(Box::new(cell(
                    &plans[plan],
                    attack,
                    variant,
                    subject,
                    foundation,
                ))),
            };
            Some((index, product))
        }
    });
    let mut products: Vec<(usize, Product)> = products.into_iter().flatten().collect();
    products.sort_by_key(|(index, _)| *index);
    products.into_iter().map(|(_, product)| product).collect()
}

/// What a thread does at a time, by index.
enum Step {
    Foundation(usize),
    Unit(usize),
}

/// By plan and seed.
type Corpora = BTreeMap<(usize, u64), Result<Corpus, String>>;
/// By plan and model.
type Foundations<'a> = BTreeMap<(usize, Subject<'a>), OnceLock<Result<Foundation, String>>>;

fn corpora(plans: &[Plan<'_>], units: &[Unit<'_>], n_jobs: usize) -> Corpora {
    let mut wanted: Vec<(usize, u64)> =
        units.iter().map(|unit| (unit.plan, unit.subject.seed)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let made = in_parallel(n_jobs, &wanted, |&(index, seed)| {
        plans[index].corpus(seed).map_err(|error| failure(&error))
    });
    wanted.into_iter().zip(made).collect()
}

/// A place for the foundation of every model.
fn foundations<'a>(units: &[Unit<'a>]) -> Foundations<'a> {
    units.iter().map(|unit| ((unit.plan, unit.subject), OnceLock::new())).collect()
}

/// Of each plan the twins first, then the attacks, each with all defenses for all seeds of a model.
fn units<'a>(plans: &'a [Plan<'a>]) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    for (plan, Plan { experiment, .. }) in plans.iter().enumerate() {
        let of_model =
            |model: &'a str| experiment.seeds.iter().map(move |&seed| Subject { model, seed });
        if experiment.scans_twins {
            let subjects = experiment.models.iter().flat_map(|model| of_model(model));
            units.extend(subjects.map(|subject| Unit { plan, subject, work: Work::ScanTwin }));
        }
        for model in &experiment.models {
            for attack in &experiment.attacks {
                for variant in 0..experiment.variants.len() {
                    let work = Work::Defend { attack, variant };
                    units.extend(of_model(model).map(|subject| Unit { plan, subject, work }));
                }
            }
        }
    }
    units
}

/// One cell, with whatever ran of it.
fn cell(
    plan: &Plan<'_>,
    attack: &str,
    variant: usize,
    subject: Subject<'_>,
    foundation: &Result<Foundation, String>,
) -> Entry {
    let task = plan.experiment.task;
    let variant_name = &plan.experiment.variants[variant].name;
    let mut cell = Cell {
        task: task.name().to_owned(),
        model: subject.model.to_owned(),
        attack: attack.to_owned(),
        variant: variant_name.clone(),
        seed: subject.seed,
        status: CellStatus::Ok,
        clean_twin: None,
        before: None,
        scan: None,
        after: None,
        screen: None,
        seconds: None,
    };
    let mut chain = Chain::default();
    let mut outcome = match foundation {
        Ok(foundation) => plan
            .attack(attack, variant, subject, foundation, &mut chain)
            .map_err(|error| failure(&error)),
        Err(reason) => Err(reason.clone()),
    };
    let (mut detail, mut data) = (Detail::default(), None);
    if !plan.runner.is_dry_run {
        match fill(&mut cell, &chain) {
            Ok(hash) => data = hash,
            Err(error) => outcome = outcome.and(Err(failure(&error))),
        }
        detail = Detail::read(&chain).unwrap_or_else(|error| {
            say(&format!("{}: the report lacks details: {}", task.name(), failure(&error)));
            Detail::default()
        });
    }
    let name = format!("{}, {attack}, {variant_name}, seed {}", subject.model, subject.seed);
    if let Err(reason) = outcome {
        say(&format!("{}, {name}: not run: {reason}", task.name()));
        cell.status = CellStatus::NotRun(reason);
    }
    let note = chain.unrepaired().map(|note| format!("{name}: {note}."));
    let day = chain.stages().filter_map(|done| done.finished).max().map(day::of);
    let device = chain.train.map(|train| train.device);
    Entry { cell, note, device, data, day, detail }
}

/// Reads the outputs of the stages that ran; gives a hash of the test samples.
fn fill(cell: &mut Cell, chain: &Chain) -> Result<Option<String>> {
    let mut data = None;
    let seconds = |done: &Option<Done>| done.as_ref().map(|done| done.wall_seconds);
    let times = StageSeconds {
        train: seconds(&chain.train),
        scan: seconds(&chain.scan),
        purify: seconds(&chain.purify),
    };
    cell.seconds = times.total().map(|_| times);
    if let Some(done) = &chain.twin_metrics {
        cell.clean_twin = Some(collect::clean_twin(&collect::metrics(&done.output)?)?);
    }
    if let Some(done) = &chain.before {
        let metrics = collect::metrics(&done.output)?;
        cell.before = Some(collect::before(&metrics)?);
        data = Some(metrics.data_hash);
    }
    if let (Some(poison), Some(scan)) = (&chain.poison, &chain.scan) {
        let planted = collect::read(&poison.file("manifest.json"))?;
        let document = collect::read(&scan.output)?;
        cell.scan = Some(collect::scan(&document, Some(&planted), scan.wall_seconds));
    }
    if let (Some(before), Some(done)) = (&cell.before, &chain.after) {
        cell.after = Some(collect::after(&collect::metrics(&done.output)?, before)?);
    }
    if let Some(done) = &chain.screen {
        cell.screen = collect::metrics(&done.output)?.screen;
    }
    Ok(data)
}

/// The scan of a clean twin.
fn twin(
    plan: &Plan<'_>,
    subject: Subject<'_>,
    foundation: &Result<Foundation, String>,
) -> TwinScan {
    let scan = || -> Result<_, String> {
        let foundation = foundation.as_ref().map_err(Clone::clone)?;
        let done = plan.scan_twin(subject, foundation).map_err(|error| failure(&error))?;
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
    let Subject { model, seed } = subject;
    let task = plan.experiment.task.name().to_owned();
    TwinScan { task, model: model.to_owned(), seed, status, scan }
}

#[cfg(test)]
mod tests;
