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
            let is_real = matches!(scale, Scale::Real | Scale::Paper);
            assert_eq!(experiment.needs_data(), is_real);
            assert_eq!(experiment.variants, [Variant::own()]);
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
fn foreign_keys_are_refused() {
    let check = |from: &str, to: &str| {
        assert!(SMALL.contains(from), "{from}");
        Experiment::parse(&SMALL.replacen(from, to, 1)).expect_err("changed").to_string()
    };
    assert!(check("epochs", "epohcs").contains("epohcs"));
    assert!(check("train = 12000", "train = 12000\nextra = 1").contains("extra"));
    assert!(check("max_above_twin", "max_above").contains("max_above"));
    assert!(check("afraidoor", "afraidor").contains("no attack `afraidor`"));
    assert_eq!(check("[1, 2, 3]", "[]"), "no seeds");
    assert_eq!(check("task = \"defect\"", "task = \"search\""), "the other tasks' measure");
}

fn small() -> Experiment {
    Experiment::load(Task::Defect, Scale::Small).expect("valid")
}

#[test]
fn questions_vary_the_tasks_experiments() {
    let n_cells = |question: Question, scale| -> usize {
        let experiments = question.experiments(&Task::ALL, scale).expect("valid");
        let cells = experiments.iter().map(|it| {
            assert!(it.question.is_some() && it.tables != "Table 1");
            it.models.len() * it.attacks.len() * it.seeds.len() * it.variants.len()
        });
        cells.sum()
    };
    for scale in [Scale::Smoke, Scale::Small, Scale::Paper] {
        let counts = Question::value_variants().iter().map(|it| n_cells(*it, scale));
        assert_eq!(counts.collect::<Vec<_>>(), [54, 8, 14, 9, 9, 48]);
    }
    for question in Question::value_variants() {
        assert_eq!(Question::named(question.name()), Some(*question));
    }
    let foreign = Question::Three.experiments(&[Task::Search], Scale::Small).expect_err("defect");
    assert_eq!(foreign.to_string(), "rq3 is asked of defect only");
}

#[test]
fn questions_can_be_asked_of_the_models_that_have_weights() {
    for question in Question::value_variants() {
        let experiments = question.experiments(&Task::ALL, Scale::Real).expect("valid");
        for mut experiment in experiments {
            // Code search has a base of its own for every architecture.
            let has_all = experiment.task == Task::Search || experiment.models.len() == 1;
            assert_eq!(experiment.check_weights().is_ok(), has_all, "{}", question.name());
            experiment.narrow(&["codebert".to_owned()], &[], &[]).expect("published");
            experiment.check_weights().expect("there are weights of it");
        }
    }
    let mut defect = Experiment::load(Task::Defect, Scale::Real).expect("valid");
    defect.narrow(&["codet5".to_owned()], &[], &[]).expect("published");
    let error = defect.check_weights().expect_err("no weights of it").to_string();
    assert!(error.ends_with("weights of codebert only, not of codet5: say --models codebert"));
}

#[test]
fn code_search_at_the_papers_scale_ranks_among_4000_codes() {
    let paper = Experiment::load(Task::Search, Scale::Paper).expect("valid");
    assert_eq!(paper.distractors, Some(3999));
    let text = SMALL.replacen("attack_rate", "distractors = 9\nattack_rate", 1);
    let error = Experiment::parse(&text).expect_err("of another task");
    assert_eq!(error.to_string(), "distractors are for search");
}

#[test]
fn every_variant_changes_something() {
    for question in Question::value_variants() {
        for experiment in question.experiments(&Task::ALL, Scale::Small).expect("valid") {
            let mut seen: Vec<&Variant> = Vec::new();
            for variant in &experiment.variants {
                let is_same = |it: &&Variant| {
                    (it.defense, &it.scan, &it.purify)
                        == (variant.defense, &variant.scan, &variant.purify)
                };
                assert!(!seen.iter().any(is_same), "{}", variant.name);
                seen.push(variant);
            }
            for cell in experiment.paper.iter().filter(|it| it.variant != "fine-tuning") {
                let is_own = cell.variant == "elibadcode";
                let is_known = experiment.variants.iter().any(|it| it.name == cell.variant);
                assert!(is_own || is_known, "{} is a variant of nothing", cell.variant);
            }
        }
    }
}

#[test]
fn architectures_can_be_trained_in_their_own_way() {
    let experiment = Experiment::load(Task::Defect, Scale::Paper).expect("valid");
    assert_eq!(experiment.training("unixcoder").batch_size, Some(8));
    assert_eq!(experiment.training("codebert").batch_size, Some(32));
}

#[test]
fn a_part_of_the_matrix_can_be_chosen() {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut experiment = small();
    experiment.narrow(&[], &[], &[]).expect("all");
    assert_eq!(experiment, small());
    experiment.narrow(&owned(&["codet5", "unixcoder"]), &owned(&["badcode"]), &[7]).expect("known");
    assert_eq!(experiment.models, ["codet5", "unixcoder"]);
    assert_eq!((&*experiment.attacks, &*experiment.seeds), (&owned(&["badcode"])[..], &[7][..]));
    // The paper has no such cell.
    experiment.narrow(&owned(&["codebert"]), &owned(&["bnc-grammar"]), &[]).expect("known");
    let refused = |models: &[&str], attacks: &[&str]| {
        let mut experiment = small();
        let error = experiment.narrow(&owned(models), &owned(attacks), &[]).expect_err("unknown");
        assert_eq!(experiment, small());
        error.to_string()
    };
    assert!(refused(&[], &["nobody"]).contains("no attack `nobody`: there are codepoisoner, "));
    assert!(refused(&["gpt"], &[]).contains("no model `gpt`: there are codebert, "));
}
