//! The order of the matrix, and cells that could not run.

use super::*;
use crate::chain::SettingsFiles;
use crate::cost::Costs;
use crate::experiment::{Defense, Experiment, Scale, Task, Variant};
use crate::stage::Runner;

fn runner(is_dry_run: bool) -> Runner {
    Runner::new("/bin/sh", "/nowhere", "", is_dry_run)
}

/// A plan without settings.
fn plan<'a>(experiment: &'a Experiment, runner: &'a Runner, costs: &'a Costs) -> Plan<'a> {
    const NO_SETTINGS: [SettingsFiles; 2] =
        [const { SettingsFiles { scan: None, purify: None } }; 2];
    Plan { experiment, runner, data: None, settings: &NO_SETTINGS, costs }
}

fn experiment(task: Task) -> Experiment {
    Experiment::load(task, Scale::Smoke).expect("test data")
}

#[test]
fn a_cell_without_foundation_is_listed() {
    let (experiment, runner) = (experiment(Task::Search), runner(false));
    let costs = Costs::unknown(&experiment);
    let plan = plan(&experiment, &runner, &costs);
    let subject = Subject { model: "codet5", seed: 3 };
    let foundation = Err("no corpus".to_owned());
    let Entry { cell, note, .. } = cell(&plan, "badcode", 0, subject, &foundation);
    assert_eq!(cell.status, CellStatus::NotRun("no corpus".to_owned()));
    assert_eq!((&*cell.task, &*cell.model, cell.seed), ("search", "codet5", 3));
    assert!(cell.scan.is_none() && cell.seconds.is_none() && note.is_none());
    let twin = twin(&plan, subject, &foundation);
    assert_eq!((&*twin.task, &*twin.model, twin.seed), ("search", "codet5", 3));
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
    let (runner, costs) = (runner(true), Costs::unknown(&experiments[0]));
    let plans: Vec<Plan<'_>> =
        experiments.iter().map(|experiment| plan(experiment, &runner, &costs)).collect();
    let keys = |shard: &str| -> (Vec<String>, usize) {
        let products = run(&plans, shard.parse().expect("a part"), 3);
        let keys = products.iter().filter_map(|product| match product {
            Product::Cell(entry) => {
                let Cell { task, model, attack, seed, status, .. } = &entry.cell;
                assert_eq!(*status, CellStatus::Ok);
                Some(format!("{task} {model} {attack} {seed}"))
            }
            Product::Twin(_) => None,
        });
        (keys.collect(), products.len())
    };
    let parts: Vec<(Vec<String>, usize)> = ["1/3", "2/3", "3/3"].map(keys).into();
    let (keys, n_products) = keys("1/1");
    assert_eq!((keys.len(), n_products), (16, 24));
    assert_eq!(parts.iter().map(|(_, n)| n).sum::<usize>(), 24);
    let mut together: Vec<&String> = parts.iter().flat_map(|(keys, _)| keys).collect();
    together.sort();
    let mut whole: Vec<&String> = keys.iter().collect();
    whole.sort();
    assert_eq!(together, whole);
    assert_eq!(
        keys[..5],
        [
            "defect codebert codepoisoner 4",
            "defect codebert codepoisoner 5",
            "defect codebert badcode 4",
            "defect codebert badcode 5",
            "defect codet5 codepoisoner 4",
        ]
    );
    assert_eq!(keys[8], "clone codebert codepoisoner 4");
}

#[cfg(unix)]
#[test]
fn a_cell_of_code_search_from_the_documents_of_its_stages() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    let folder = std::env::temp_dir().join(format!("xtask-matrix-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("test data");
    let binary = folder.join("program");
    let program = include_str!("stand_in.sh")
        .replace("METRICS", &elibadcode_evaluation::records::METRICS_SCHEMA_VERSION.to_string());
    fs::write(&binary, program).expect("test data");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("test data");
    let mut experiment = experiment(Task::Search);
    experiment.narrow(&["codet5".to_owned()], &["badcode".to_owned()], &[4]).expect("published");
    let root = folder.join("out");
    experiment.variants.push(Variant {
        name: "fine-tuning".to_owned(),
        defense: Defense::FineTuning,
        ..Variant::own()
    });
    let (runner, costs) = (Runner::new(binary, root, "cpu", false), Costs::unknown(&experiment));
    let products = run(&[plan(&experiment, &runner, &costs)], Shard::WHOLE, 1);
    let arguments = fs::read_to_string(folder.join("arguments")).expect("stages ran");
    fs::remove_dir_all(&folder).expect("it was made here");

    let [Product::Twin(twin), Product::Cell(entry), Product::Cell(tuned)] = &products[..] else {
        panic!("{} products", products.len())
    };
    let Entry { cell, note, device, day, .. } = &**entry;
    assert!(day.is_some());
    assert_eq!((&*tuned.cell.variant, &tuned.cell.status), ("fine-tuning", &CellStatus::Ok));
    assert_eq!((&tuned.cell.scan, tuned.detail.scan.is_some()), (&None, false));
    assert_eq!(tuned.cell.after.as_ref().and_then(|it| it.anr), Some(0.12));
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
    // The attacked model is there already, and so is what the twin makes of the attack.
    let tuning = ["train", "evaluate"];
    assert_eq!(commands, [&twin[..], &attack[..], &tuning[..]].concat());
    assert!(arguments.lines().all(|line| line.contains("--task search --seed 4 ")));
    assert!(arguments.contains("--arch codet5"), "{arguments}");
    let poisoned = "badcode/poison/poisoned/train.jsonl --valid ";
    assert!(arguments.contains(poisoned), "{arguments}");
}
