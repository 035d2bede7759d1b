//! The order of the matrix, and cells that could not run.

use std::path::PathBuf;

use super::*;
use crate::chain::SettingsFiles;
use crate::experiment::{Experiment, Scale};
use crate::stage::Runner;

fn runner(is_dry_run: bool) -> Runner {
    let (binary, root) = (PathBuf::from("/bin/sh"), PathBuf::from("/nowhere"));
    Runner { binary, root, device: String::new(), n_threads: 1, is_dry_run }
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

#[cfg(unix)]
#[test]
fn a_cell_of_code_search_from_the_documents_of_its_stages() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    let folder = std::env::temp_dir().join(format!("xtask-matrix-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("test data");
    let binary = folder.join("program");
    fs::write(&binary, include_str!("stand_in.sh")).expect("test data");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("test data");
    let mut experiment = experiment(Task::Search);
    experiment.narrow(&["codet5".to_owned()], &["badcode".to_owned()], &[4]).expect("published");
    let root = folder.join("out");
    let runner = Runner { binary, root, device: "cpu".to_owned(), n_threads: 1, is_dry_run: false };
    let settings = SettingsFiles::default();
    let plan = Plan { experiment: &experiment, runner: &runner, data: None, settings: &settings };
    let products = run(&[plan], 1);
    let arguments = fs::read_to_string(folder.join("arguments")).expect("stages ran");
    fs::remove_dir_all(&folder).expect("it was made here");

    let [Product::Twin(twin), Product::Cell { cell, note, device, .. }] = &products[..] else {
        panic!("{} products", products.len())
    };
    assert_eq!((&twin.status, &cell.status), (&CellStatus::Ok, &CellStatus::Ok));
    assert_eq!((note, device.as_deref()), (&None, Some("cpu")));
    let scan = cell.scan.as_ref().expect("it ran");
    assert_eq!((scan.target_word_right, scan.target_label_right), (Some(true), None));
    let anr = [
        cell.clean_twin.as_ref().and_then(|it| it.anr),
        cell.before.as_ref().and_then(|it| it.anr),
        cell.after.as_ref().and_then(|it| it.anr),
    ];
    assert_eq!(anr, [Some(0.46), Some(0.12), Some(0.44)]);

    let commands: Vec<&str> = arguments.lines().filter_map(|line| line.split(' ').next()).collect();
    let twin = ["synthesize", "init", "train", "scan"];
    let attack = ["poison", "train", "evaluate", "scan", "purify", "evaluate", "evaluate"];
    assert_eq!(commands, [&twin[..], &attack[..]].concat());
    assert!(arguments.lines().all(|line| line.contains("--task search --seed 4 ")));
    assert!(arguments.contains("--arch codet5"), "{arguments}");
    let poisoned = "badcode/poison/poisoned/train.jsonl --valid ";
    assert!(arguments.contains(poisoned), "{arguments}");
}
