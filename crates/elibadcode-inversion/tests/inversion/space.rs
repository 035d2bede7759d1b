use std::collections::BTreeSet;

use elibadcode_corpus::{Task, stage_rng};
use elibadcode_inversion::{
    Objective, Occurrences, Partners, ScanConfig, TriggerIds, TriggerSpace, maskable,
};
use elibadcode_syntax::{Language, VocabularyRule};

use crate::{FIXTURES, FUNCTIONS, function, load, masked, small_config, trigger};

#[test]
fn a_renamed_function_has_the_stamped_ids() {
    let mut model = load(FIXTURES[0]);
    model.max_length = 1000;
    let config = ScanConfig::recommended(Task::DefectDetection);
    let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
    let mut rng = stage_rng(3, "triggers");
    let mut n_compared = 0;
    for length in [1, 2, 3, 5] {
        for _ in 0..6 {
            let trigger = space.random(length, false, &mut rng).unwrap();
            let text = space.text(&trigger);
            for code in FUNCTIONS {
                let function = function(&model, code);
                for mask in maskable(&model, &function, 0, Occurrences::All, length) {
                    // A name that the function has already is refused.
                    let Ok(renamed) = function.rename(&mask.identifier, &text) else { continue };
                    let stamped = mask.stamp(&trigger, &model.tokenizer, 1000);
                    let encoded = model.tokenizer.encode(&renamed, 1000);
                    assert_eq!(stamped.ids, encoded.ids, "{} → {text}", mask.identifier);
                    n_compared += 1;
                }
            }
        }
    }
    assert!(n_compared > 200, "{n_compared}");
}

#[test]
fn random_triggers_are_identifiers_and_no_keywords() {
    let model = load(FIXTURES[0]);
    for language in [Language::C, Language::Java, Language::Python] {
        let space =
            TriggerSpace::new(&model, language, &ScanConfig::recommended(Task::DefectDetection))
                .unwrap();
        let mut rng = stage_rng(4, "triggers");
        for length in 1..=5 {
            for _ in 0..60 {
                let trigger = space.random(length, false, &mut rng).unwrap();
                let text = space.text(&trigger);
                assert_eq!(trigger.ids.len(), length);
                assert!(space.is_legal(&trigger));
                assert!(language.is_identifier(&text), "{text}");
            }
        }
    }
}

#[test]
fn keywords_and_other_spellings_are_not_legal() {
    let model = load(FIXTURES[0]);
    let space =
        TriggerSpace::new(&model, Language::C, &ScanConfig::recommended(Task::DefectDetection))
            .unwrap();
    let legal = |text: &str| space.is_legal(&trigger(&model.tokenizer.word(text, true)));
    // One token, and several tokens that only together are a keyword.
    for keyword in ["return", "while", "switch", "volatile", "continue", "size_t"] {
        assert!(!legal(keyword), "{keyword}");
    }
    for text in ["1x", "a-b", "a b", "é", ""] {
        assert!(!legal(text), "{text}");
    }
    assert!(legal("testo_init"));
    assert!(legal("_x1"));

    // The same text from smaller tokens is not how the tokenizer writes it.
    let letters: Vec<u32> = "size"
        .chars()
        .enumerate()
        .flat_map(|(index, letter)| model.tokenizer.word(&letter.to_string(), index == 0).to_vec())
        .collect();
    assert_eq!(space.text(&trigger(&letters)), "size");
    assert!(legal("size"));
    assert!(!space.is_legal(&trigger(&letters)));

    // What is appended may begin with a digit.
    let appended = |text: &str| {
        let ids = model.tokenizer.word(text, false).to_vec();
        space.is_legal(&TriggerIds { ids, keeps_name: true })
    };
    assert!(appended("1x"));
    assert!(appended("_rb"));
    assert!(!appended("-x"));
}

#[test]
fn the_reference_rule_checks_nothing() {
    let model = load(FIXTURES[0]);
    let config = ScanConfig::paper();
    assert_eq!(config.vocabulary_rule, VocabularyRule::Reference);
    let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
    assert_eq!(space.vocabulary().first, space.vocabulary().rest);
    assert!(space.is_legal(&trigger(&model.tokenizer.word("return", false))));
}

#[test]
fn top_tokens_are_allowed_distinct_and_ordered_by_the_gradient() {
    let model = load(FIXTURES[0]);
    let space = TriggerSpace::new(&model, Language::C, &small_config()).unwrap();
    let objective = Objective::new(&model, masked(&model, 3), Partners::NONE, 0);
    let gradient =
        objective.slot_gradient(&space.random(3, false, &mut stage_rng(5, "start")).unwrap());
    let top = space.top_tokens(&gradient, 7, |_| true);
    let hidden = model.config.hidden_size();
    let table: Vec<f32> = model.network.token_embeddings().into_data().iter::<f32>().collect();
    for (slot, ids) in top.iter().enumerate() {
        let vocabulary = space.vocabulary();
        let allowed = if slot == 0 { &vocabulary.first } else { &vocabulary.rest };
        let score = |id: u32| -> f64 {
            let row = &table[id as usize * hidden..][..hidden];
            row.iter().zip(&gradient.values[slot]).map(|(a, b)| f64::from(a * b)).sum()
        };
        assert_eq!(ids.len(), 7);
        assert!(ids.iter().all(|id| allowed.contains(id)));
        let scores: Vec<f64> = ids.iter().map(|&id| score(id)).collect();
        assert!(scores.is_sorted_by(|a, b| *a <= *b + 1e-5), "{scores:?}");
        let n_better = allowed.iter().filter(|id| score(**id) < scores[6] - 1e-5).count();
        assert!(n_better < 7, "{n_better} tokens are better than the last of the top");
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 7);
    }
}

#[test]
fn random_triggers_share_no_token_with_the_one_that_they_are_compared_with() {
    let model = load(FIXTURES[0]);
    let space = TriggerSpace::new(&model, Language::C, &small_config()).unwrap();
    let mut rng = stage_rng(5, "apart");
    let trigger = space.random(3, false, &mut rng).unwrap();
    let letters = |id: &u32| model.tokenizer.decode(&[*id]).trim_start().to_owned();
    let own: Vec<String> = trigger.ids.iter().map(letters).collect();
    let shares = |it: &TriggerIds| it.ids.iter().map(letters).any(|it| own.contains(&it));
    let n_sharing = |draw: &mut dyn FnMut() -> TriggerIds| {
        (0..300).map(|_| draw()).filter(|it| it.ids.len() == 3 && shares(it)).count()
    };
    let mut other = stage_rng(6, "apart");
    assert!(n_sharing(&mut || space.random(3, false, &mut other).unwrap()) > 0);
    assert_eq!(n_sharing(&mut || space.random_apart(&trigger, &mut rng).unwrap()), 0);
}

#[test]
fn excluded_tokens_are_in_no_trigger() {
    let model = load(FIXTURES[0]);
    let whole = TriggerSpace::new(&model, Language::C, &small_config()).unwrap();
    let vocabulary = whole.vocabulary();
    let excluded: BTreeSet<u32> =
        vocabulary.first.iter().chain(&vocabulary.rest).copied().filter(|id| id % 3 > 0).collect();
    let space = whole.without(&excluded).unwrap();
    let is_allowed = |ids: &[u32]| ids.iter().all(|id| !excluded.contains(id));
    let mut rng = stage_rng(5, "without");
    let random: Vec<_> = (0..50).map(|_| space.random(3, false, &mut rng).unwrap()).collect();
    assert!(random.iter().all(|trigger| is_allowed(&trigger.ids)));
    let singles = space.single_tokens();
    assert!(!singles.is_empty() && singles.len() < whole.single_tokens().len());
    assert!(singles.iter().all(|trigger| is_allowed(&trigger.ids)));
    let objective = Objective::new(&model, masked(&model, 3), Partners::NONE, 0);
    let top = space.top_tokens(&objective.slot_gradient(&random[0]), 7, |_| true);
    assert!(top.iter().all(|ids| ids.len() == 7 && is_allowed(ids)));

    let all: BTreeSet<u32> = vocabulary.first.iter().copied().collect();
    assert!(whole.without(&all).is_none());
}
