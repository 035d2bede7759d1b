//! The order of the matrix, and cells that could not run.

use std::path::PathBuf;

use super::*;
use crate::chain::SettingsFiles;
use crate::experiment::{Experiment, Scale};
use crate::stage::Runner;

fn runner(is_dry_run: bool) -> Runner {
    let (binary, root) = (PathBuf::from("/bin/sh"), PathBuf::from("/nowhere"));
    Runner { binary, root, device: String::new(), is_dry_run }
}

fn experiment(task: Task) -> Experiment {
    Experiment::load(task, Scale::Smoke).expect("test data")
}

#[test]
fn a_cell_without_foundation_is_listed() {
    let (experiment, runner) = (experiment(Task::Search), runner(false));
    let settings = SettingsFiles::default();
    let plan = Plan { experiment: &experiment, runner: &runner, data: None, settings: &settings };
    let subject = Subject { model: "codet5", seed: 3 };
    let foundation = Err("no corpus".to_owned());
    let Product::Cell { task, cell, note, .. } = cell(&plan, "badcode", subject, &foundation)
    else {
        panic!("not a cell")
    };
    assert_eq!(cell.status, CellStatus::NotRun("no corpus".to_owned()));
    assert_eq!((task, &*cell.task, &*cell.model, cell.seed), (Task::Search, "search", "codet5", 3));
    assert!(cell.scan.is_none() && cell.seconds.is_none() && note.is_none());
    let twin = twin(&plan, subject, &foundation);
    assert_eq!((twin.task, &*twin.model, twin.seed), ("search", "codet5", 3));
    assert_eq!(twin.status, CellStatus::NotRun("no corpus".to_owned()));
}

#[test]
fn products_are_grouped_and_complete() {
    let mut experiments = [experiment(Task::Defect), experiment(Task::Clone)];
    for experiment in &mut experiments {
        let models = ["codebert".to_owned(), "codet5".to_owned()];
        let attacks = ["badcode".to_owned(), "codepoisoner".to_owned()];
        experiment.narrow(&models, &attacks, &[5, 4]).expect("published");
    }
    let (runner, settings) = (runner(true), SettingsFiles::default());
    let plans: Vec<Plan<'_>> = experiments
        .iter()
        .map(|experiment| Plan { experiment, runner: &runner, data: None, settings: &settings })
        .collect();
    let products = run(&plans, 3);
    let keys: Vec<String> = products
        .iter()
        .filter_map(|product| match product {
            Product::Cell { cell, .. } => {
                assert_eq!(cell.status, CellStatus::Ok);
                Some(format!("{} {} {} {}", cell.task, cell.model, cell.attack, cell.seed))
            }
            Product::Twin(_) => None,
        })
        .collect();
    assert_eq!((keys.len(), products.len()), (16, 24));
    assert_eq!(
        keys[..5],
        [
            "defect codebert badcode 5",
            "defect codebert badcode 4",
            "defect codebert codepoisoner 5",
            "defect codebert codepoisoner 4",
            "defect codet5 badcode 5",
        ]
    );
    assert_eq!(keys[8], "clone codebert badcode 5");
}
