//! The experiments that are built in, and broken ones.

use super::*;

const SMALL: &str = include_str!("../../experiments/defect-small.toml");

#[test]
fn embedded_experiments_are_valid() {
    for &task in Task::value_variants() {
        for &scale in Scale::value_variants() {
            let experiment = Experiment::load(task, scale).expect("valid");
            assert_eq!(
                (experiment.task, &*experiment.models),
                (task, &["codebert".to_owned()][..])
            );
            assert_eq!(experiment.needs_data(), scale == Scale::Real);
        }
    }
}

#[test]
fn tasks_and_their_names() {
    for task in Task::value_variants() {
        let text = SMALL.replacen("\"defect\"", &format!("\"{}\"", task.name()), 1);
        let table: toml::Table = text.parse().expect("TOML");
        let parsed: Task = table["task"].clone().try_into().expect("a task");
        assert_eq!(parsed, *task);
    }
}

#[test]
fn foreign_keys_and_unpublished_attacks_are_refused() {
    let check = |from: &str, to: &str| {
        assert!(SMALL.contains(from), "{from}");
        Experiment::parse(&SMALL.replacen(from, to, 1)).expect_err("changed").to_string()
    };
    assert!(check("epochs", "epohcs").contains("epohcs"));
    assert!(check("train = 12000", "train = 12000\nextra = 1").contains("extra"));
    assert!(check("max_above_twin", "max_above").contains("max_above"));
    let unpublished = "no paper value for the attack bnc on codebert";
    assert_eq!(check("\"badcode\"]", "\"bnc\"]"), unpublished);
    assert_eq!(check("[1, 2, 3]", "[]"), "no seeds");
    assert_eq!(check("task = \"defect\"", "task = \"search\""), "the other tasks' measure");
}

#[test]
fn a_part_of_the_matrix_can_be_chosen() {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut experiment = Experiment::parse(SMALL).expect("valid");
    experiment.narrow(&[], &[], &[]).expect("all");
    assert_eq!(experiment, Experiment::parse(SMALL).expect("valid"));
    experiment.narrow(&owned(&["codet5", "unixcoder"]), &owned(&["badcode"]), &[7]).expect("known");
    assert_eq!(experiment.models, ["codet5", "unixcoder"]);
    assert_eq!((&*experiment.attacks, &*experiment.seeds), (&owned(&["badcode"])[..], &[7][..]));
    let refused = |models: &[&str], attacks: &[&str]| {
        let mut experiment = Experiment::parse(SMALL).expect("valid");
        let error = experiment.narrow(&owned(models), &owned(attacks), &[]).expect_err("unknown");
        assert_eq!(experiment, Experiment::parse(SMALL).expect("valid"));
        error.to_string()
    };
    assert!(refused(&[], &["nobody"]).contains("no attack `nobody` on `codebert`: it has"));
    assert!(refused(&["gpt"], &[]).contains("badcode on codet5"));
}
