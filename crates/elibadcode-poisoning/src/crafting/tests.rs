//! The crafting model on the synthetic defects.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use elibadcode_corpus::synthetic::defect;
use elibadcode_corpus::{DefectSample, stage_rng};

use super::*;
use crate::attack::Attack;
use crate::change::undo;
use crate::plant::plant;

/// The attacker wants "not defective".
fn train(samples: &[DefectSample], seed: u64) -> Result<CraftingModel, PoisonError> {
    let functions = samples.iter().map(|it| (it.code.as_str(), it.label == 0));
    CraftingModel::train(functions, Language::C, &mut stage_rng(seed, "crafting"))
}

static TRAINED: LazyLock<CraftingModel> =
    LazyLock::new(|| train(&defect::generate(1, 600), 1).expect("both classes and names"));

fn config() -> AttackConfig {
    AttackConfig { crafting: Some(TRAINED.clone()), ..AttackConfig::paper(Attack::Afraidoor) }
}

#[test]
fn crafted_names_make_functions_look_like_the_target() {
    let (mut n_closer, mut n_distinct) = (0, BTreeSet::new());
    let test = defect::generate(2, 200);
    for sample in &test {
        let planted = plant(&config(), &sample.code, Language::C).expect("there are variables");
        let before = TRAINED.target_probability(&sample.code, Language::C);
        let after = TRAINED.target_probability(&planted.code, Language::C);
        n_closer += usize::from(after > before);
        n_distinct.extend(planted.changes.iter().map(|it| it.after.clone()));
        assert_eq!(undo(&planted.code, &planted.changes).as_ref(), Some(&sample.code));
    }
    assert!(n_closer >= 180, "{n_closer} of 200");
    assert!(n_distinct.len() >= 20, "{n_distinct:?}");
}

#[test]
fn every_variable_gets_a_name_of_its_own() {
    let known: BTreeSet<&str> = TRAINED.vocabulary.names().map(|(_, name)| name).collect();
    for sample in defect::generate(3, 50) {
        let before = Function::parse(sample.code.as_str(), Language::C);
        let planted = plant(&config(), &sample.code, Language::C).expect("there are variables");
        let after = Function::parse(planted.code.as_str(), Language::C);
        let words = |function: &Function| -> Vec<String> {
            variables(function).map(|it| it.text.clone()).collect()
        };
        let (old, new) = (words(&before), words(&after));
        assert_eq!(old.len(), new.len());
        for (old, new) in old.iter().zip(&new) {
            assert!(known.contains(new.as_str()), "{new}");
            assert!(before.tokens().iter().all(|it| before.token_text(it) != new), "{new}");
            assert!(planted.changes.iter().any(|it| (&it.before, &it.after) == (old, new)));
        }
    }
}

#[test]
fn names_depend_on_the_code_around_a_variable() {
    let code =
        "int f(char *alpha_, int beta_) { memset(alpha_, 0, beta_); return alpha_[beta_ - 1]; }";
    let function = Function::parse(code, Language::C);
    let wishes = TRAINED.wishes(&function);
    let names: Vec<&str> = wishes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["alpha_", "beta_"]);
    assert_ne!(wishes[0].1, wishes[1].1);
    // Only the sketch counts: other names, same wishes.
    let other = Function::parse(code.replace("alpha_", "q_").replace("beta_", "r_"), Language::C);
    let others = TRAINED.wishes(&other);
    assert_eq!([&others[0].1, &others[1].1], [&wishes[0].1, &wishes[1].1]);
}

#[test]
fn the_model_survives_json() {
    let json = serde_json::to_string(&*TRAINED).expect("plain lines");
    assert_eq!(serde_json::from_str::<CraftingModel>(&json).ok().as_ref(), Some(&*TRAINED));
    assert_eq!(
        serde_json::from_str::<AttackConfig>(
            &serde_json::to_string(&config()).expect("plain fields")
        )
        .ok(),
        Some(config())
    );
}

#[test]
fn a_damaged_model_is_refused() {
    let text = || ModelText::from(TRAINED.clone());
    let check = |damaged: ModelText, message: &str| {
        let error = CraftingModel::try_from(damaged).expect_err("a damaged model").to_string();
        assert!(error.starts_with(message), "{error}");
    };
    check(
        ModelText { names: vec!["a 1 2".to_owned()], ..text() },
        "the crafting model's line `a 1 2`",
    );
    check(
        ModelText { bias: "1 2 3 4 5 6 7 NaN".to_owned(), ..text() },
        "the crafting model's line",
    );
    check(
        ModelText { bias: "1 2 3 4 5 6 7 1e9".to_owned(), ..text() },
        "the crafting model's line",
    );
    check(ModelText { output_bias: String::new(), ..text() }, "the crafting model's line ``");
    check(ModelText { convolution: vec![], ..text() }, "the crafting model has 0 rows");
    let twice = text().tokens.into_iter().chain([text().names[0].clone()]).collect();
    check(ModelText { tokens: twice, ..text() }, "the crafting model has the token");
    check(ModelText { names: vec![], ..text() }, "the crafting model has no names");
}

#[test]
fn same_seed_same_model() {
    let samples = defect::generate(4, 60);
    assert_eq!(train(&samples, 1), train(&samples, 1));
    assert_ne!(train(&samples, 1), train(&samples, 2));
}

#[test]
fn one_class_alone_teaches_nothing() {
    let samples: Vec<DefectSample> =
        defect::generate(4, 20).into_iter().filter(|it| it.label == 0).collect();
    let error = train(&samples, 1).expect_err("one class");
    assert!(matches!(error, PoisonError::NoCraftingModel { n_target: 10, n_other: 0, .. }));
}
