//! The matrix of tasks, models, attacks and seeds, cell by cell.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use anyhow::Result;
use elibadcode_evaluation::records::results::{Cell, CellStatus, StageSeconds};

use crate::chain::{Chain, Corpus, Foundation, Plan, Subject};
use crate::experiment::Task;
use crate::parallel::{in_order, in_parallel};
use crate::report::TwinScan;
use crate::stage::Done;
use crate::{collect, say};

/// What a unit of work gave.
pub(crate) enum Product {
    /// One attack on one model.
    Cell {
        /// The task.
        task: Task,
        /// What was measured.
        cell: Box<Cell>,
        /// What a reader must know of it.
        note: Option<String>,
        /// Where it was computed.
        device: Option<String>,
    },
    /// The scan of a model without backdoor.
    Twin(TwinScan),
}

/// A model of the matrix.
struct Model<'a> {
    plan: &'a Plan<'a>,
    subject: Subject<'a>,
    corpus: &'a Result<Corpus, String>,
    /// What its jobs share, once it is laid.
    foundation: OnceLock<Result<Foundation, String>>,
}

/// A unit of work after the foundation of its model.
struct Job<'a> {
    /// Index of the model.
    model: usize,
    work: Work<'a>,
}

enum Work<'a> {
    Attack(&'a str),
    ScanTwin,
}

/// Runs all cells of all plans, `n_jobs` at a time; products are grouped by task, model and attack
/// in the order of the experiments.
pub(crate) fn run(plans: &[Plan<'_>], n_jobs: usize) -> Vec<Product> {
    let corpora = corpora(plans, n_jobs);
    let models = models(plans, &corpora);
    let jobs = jobs(plans, &models);
    // Foundations come first, but only the jobs of their own model wait for them. The twin of a
    // seed is trained while its first attack is, and scanned after.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&index| models[jobs[index].model].subject.seed);
    let units: Vec<Unit> =
        (0..models.len()).map(Unit::Foundation).chain(order.into_iter().map(Unit::Job)).collect();
    let needs = |unit: &Unit| match *unit {
        Unit::Foundation(_) => None,
        Unit::Job(index) => Some(jobs[index].model),
    };
    let work = |unit: &Unit| match *unit {
        Unit::Foundation(index) => {
            models[index].foundation();
            None
        }
        Unit::Job(index) => Some((index, jobs[index].run(&models))),
    };
    let products = in_order(n_jobs, &units, needs, work);
    let mut products: Vec<(usize, Product)> = products.into_iter().flatten().collect();
    products.sort_by_key(|(index, _)| *index);
    products.into_iter().map(|(_, product)| product).collect()
}

/// What a thread does at a time, by index.
enum Unit {
    Foundation(usize),
    Job(usize),
}

/// By plan and seed.
type Corpora = BTreeMap<(usize, u64), Result<Corpus, String>>;

fn corpora(plans: &[Plan<'_>], n_jobs: usize) -> Corpora {
    let seeds = |index: usize| plans[index].experiment.seeds.iter().map(move |&seed| (index, seed));
    let wanted: Vec<(usize, u64)> = (0..plans.len()).flat_map(seeds).collect();
    let made = in_parallel(n_jobs, &wanted, |&(index, seed)| {
        plans[index].corpus(seed).map_err(|error| failure(&error))
    });
    wanted.into_iter().zip(made).collect()
}

/// The models of each plan, each for all seeds.
fn models<'a>(plans: &'a [Plan<'a>], corpora: &'a Corpora) -> Vec<Model<'a>> {
    let mut models = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        for model in &plan.experiment.models {
            models.extend(plan.experiment.seeds.iter().map(|&seed| Model {
                plan,
                subject: Subject { model, seed },
                corpus: &corpora[&(index, seed)],
                foundation: OnceLock::new(),
            }));
        }
    }
    models
}

/// By plan: twins first, then the attacks, each for all seeds of a model.
fn jobs<'a>(plans: &'a [Plan<'a>], models: &[Model<'a>]) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for plan in plans {
        let of_plan = |&index: &usize| std::ptr::eq(models[index].plan, plan);
        let of_plan: Vec<usize> = (0..models.len()).filter(of_plan).collect();
        jobs.extend(of_plan.iter().map(|&model| Job { model, work: Work::ScanTwin }));
        for name in &plan.experiment.models {
            for attack in &plan.experiment.attacks {
                let of_name = of_plan.iter().filter(|&&index| models[index].subject.model == name);
                jobs.extend(of_name.map(|&model| Job { model, work: Work::Attack(attack) }));
            }
        }
    }
    jobs
}

impl Model<'_> {
    /// Lays the foundation, or waits for who does.
    fn foundation(&self) -> &Result<Foundation, String> {
        self.foundation.get_or_init(|| {
            let corpus = self.corpus.as_ref().map_err(Clone::clone)?;
            self.plan.foundation(self.subject, corpus).map_err(|error| failure(&error))
        })
    }
}

impl Job<'_> {
    fn run(&self, models: &[Model<'_>]) -> Product {
        let model = &models[self.model];
        let (plan, subject, foundation) = (model.plan, model.subject, model.foundation());
        match self.work {
            Work::ScanTwin => Product::Twin(twin(plan, subject, foundation)),
            Work::Attack(attack) => cell(plan, attack, subject, foundation),
        }
    }
}

/// One cell, with whatever ran of it.
fn cell(
    plan: &Plan<'_>,
    attack: &str,
    subject: Subject<'_>,
    foundation: &Result<Foundation, String>,
) -> Product {
    let task = plan.experiment.task;
    let mut cell = Cell {
        task: task.name().to_owned(),
        model: subject.model.to_owned(),
        attack: attack.to_owned(),
        seed: subject.seed,
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
            plan.attack(attack, subject, foundation, &mut chain).map_err(|error| failure(&error))
        }
        Err(reason) => Err(reason.clone()),
    };
    if !plan.runner.is_dry_run {
        let filled = fill(&mut cell, &chain).map_err(|error| failure(&error));
        outcome = outcome.and(filled);
    }
    let name = format!("{}, {attack}, seed {}", subject.model, subject.seed);
    if let Err(reason) = outcome {
        say(&format!("{}, {name}: not run: {reason}", task.name()));
        cell.status = CellStatus::NotRun(reason);
    }
    let note = chain.unrepaired().map(|note| format!("{name}: {note}."));
    let device = chain.train.map(|train| train.device);
    Product::Cell { task, cell: Box::new(cell), note, device }
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
        cell.clean_twin = Some(collect::clean_twin(&collect::metrics(&done.output)?)?);
    }
    if let Some(done) = &chain.before {
        cell.before = Some(collect::before(&collect::metrics(&done.output)?)?);
    }
    if let (Some(poison), Some(scan)) = (&chain.poison, &chain.scan) {
        let planted = collect::read(&poison.file("manifest.json"))?;
        let document = collect::read(&scan.output)?;
        cell.scan = Some(collect::scan(&document, Some(&planted), scan.wall_seconds));
    }
    if let (Some(before), Some(done)) = (&cell.before, &chain.after) {
        cell.after = Some(collect::after(&collect::metrics(&done.output)?, before)?);
    }
    Ok(())
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
    let task = plan.experiment.task.name();
    TwinScan { task, model: model.to_owned(), seed, status, scan }
}

/// An error with its causes, in one line.
fn failure(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

#[cfg(test)]
mod tests;
