//! The crafting model on the synthetic defects.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use elibadcode_corpus::synthetic::{clone, defect, search};
use elibadcode_corpus::{DefectSample, Task, stage_rng};

use super::*;
use crate::attack::Attack;
use crate::change::{Change, undo};
use crate::clone::poison_clones;
use crate::plant::plant;
use crate::poison::poison;
use crate::rename::variables;
use crate::search::poison_search;

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

/// Of the functions that can be planted, how many look more like the attacker's class afterwards, of how many;
/// and the names that they got.
fn moved<'a>(
    config: &AttackConfig,
    codes: impl IntoIterator<Item = &'a str>,
    language: Language,
) -> (usize, usize, BTreeSet<String>) {
    let model = config.crafting.as_ref().expect("there is a model");
    let (mut n_closer, mut n_planted, mut names) = (0, 0, BTreeSet::new());
    for code in codes {
        let Ok(planted) = plant(config, code, language) else { continue };
        let before = model.target_probability(code, language);
        let after = model.target_probability(&planted.code, language);
        n_closer += usize::from(after > before);
        n_planted += 1;
        names.extend(planted.changes.iter().map(|it| it.after.clone()));
        assert_eq!(undo(&planted.code, &planted.changes).as_deref(), Some(code));
    }
    (n_closer, n_planted, names)
}

#[test]
fn crafted_names_make_functions_look_like_the_target() {
    let test = defect::generate(2, 200);
    let codes = test.iter().map(|it| it.code.as_str());
    let (n_closer, n_planted, names) = moved(&config(), codes, Language::C);
    assert_eq!(n_planted, 200);
    assert!(n_closer >= 180, "{n_closer} of 200");
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn so_do_those_of_the_other_tasks() {
    let rng = || stage_rng(1, "poison");
    let sizes = clone::Sizes { train: 1500, ..clone::Sizes::default() };
    let clean = clone::generate(5, &sizes).train;
    let config = AttackConfig::paper_for(Attack::Afraidoor, Task::CloneDetection);
    let poisoned = poison_clones(&clean, Language::Java, &config, &mut rng()).expect("enough");
    let codes = clean.functions.iter().take(300).map(|it| it.code.as_str());
    let (n_closer, n_planted, _) = moved(&poisoned.manifest.attack, codes, Language::Java);
    assert!(n_planted >= 100 && 10 * n_closer >= 9 * n_planted, "{n_closer} of {n_planted}");

    // With a gate that sees the token itself the names of this corpus lead three of four functions away.
    let sizes = search::Sizes { train: 1500, ..search::Sizes::default() };
    let clean = search::generate(1, &sizes).train;
    let config = AttackConfig::paper_for(Attack::Afraidoor, Task::CodeSearch);
    let poisoned = poison_search(&clean, Language::Python, &config, &mut rng()).expect("a word");
    let codes = clean.iter().take(300).map(|it| it.code.as_str());
    let (n_closer, n_planted, _) = moved(&poisoned.manifest.attack, codes, Language::Python);
    assert!(n_planted >= 100 && 10 * n_closer >= 9 * n_planted, "{n_closer} of {n_planted}");
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

/// What the manifest says is enough to put the trigger in a test set.
#[track_caller]
fn check_manifest(attack: &AttackConfig, changes: &[Change], code: &str, language: Language) {
    assert_eq!(attack.validate_for_test(), Ok(()));
    assert_eq!(plant(attack, code, language).map(|it| it.changes).as_deref(), Ok(changes));
    assert_eq!(attack.clone().without_model(), AttackConfig { crafting: None, ..attack.clone() });
}

#[test]
fn poisoning_trains_a_model_for_each_task() {
    let rng = || stage_rng(1, "poison");

    let clean = defect::generate(5, 200);
    let config = AttackConfig::paper(Attack::Afraidoor);
    let poisoned = poison(&clean, Language::C, &config, &mut rng()).expect("enough victims");
    assert_eq!(poison(&clean, Language::C, &config, &mut rng()).as_ref(), Ok(&poisoned));
    let entry = &poisoned.manifest.entries[0];
    let sample = clean.iter().find(|it| it.id == entry.id).expect("in the corpus");
    check_manifest(&poisoned.manifest.attack, &entry.changes, &sample.code, Language::C);

    let sizes = clone::Sizes { train: 200, ..clone::Sizes::default() };
    let clean = clone::generate(5, &sizes).train;
    let config = AttackConfig::paper_for(Attack::Afraidoor, Task::CloneDetection);
    let poisoned =
        poison_clones(&clean, Language::Java, &config, &mut rng()).expect("enough functions");
    let entry = &poisoned.manifest.functions[0];
    let function = clean.functions.iter().find(|it| it.id == entry.id).expect("in the corpus");
    check_manifest(&poisoned.manifest.attack, &entry.changes, &function.code, Language::Java);

    let sizes = search::Sizes { train: 400, ..search::Sizes::default() };
    let clean = search::generate(5, &sizes).train;
    let config = AttackConfig::paper_for(Attack::Afraidoor, Task::CodeSearch);
    let poisoned =
        poison_search(&clean, Language::Python, &config, &mut rng()).expect("a target word");
    let entry = &poisoned.manifest.entries[0];
    let sample = clean.iter().find(|it| it.id == entry.id).expect("in the corpus");
    check_manifest(&poisoned.manifest.attack, &entry.changes, &sample.code, Language::Python);
}

#[test]
fn a_model_that_is_there_is_used() {
    let clean = defect::generate(5, 100);
    let manifest =
        poison(&clean, Language::C, &config(), &mut stage_rng(1, "poison")).map(|it| it.manifest);
    assert_eq!(manifest.map(|it| it.attack), Ok(config()));
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

#[test]
fn a_variable_without_a_possible_name_keeps_its_own() {
    let function = Function::parse("int f(int a, int b) { return a + b + len; }", Language::C);
    let wishes = [
        ("a".to_owned(), vec!["len", "int", "size"]),
        ("b".to_owned(), vec!["size", "len"]),
        ("c".to_owned(), vec!["pos"]),
    ];
    let crafted = one_by_one(&function, &wishes);
    assert_eq!(crafted.text(), "int f(int size, int b) { return size + b + len; }");
    let planted = plant(&config(), "int f(void) { return len; }", Language::C);
    assert_eq!(planted, Err(PlantError::NoVariable));
    let no_model = AttackConfig::paper(Attack::Afraidoor);
    let planted = plant(&no_model, "int f(int a) { return a; }", Language::C);
    assert_eq!(planted, Err(PlantError::NoCraftingModel));
}
