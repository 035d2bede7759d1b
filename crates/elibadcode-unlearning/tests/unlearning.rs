//! The repair on a model folder that transformers wrote, with synthetic samples.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::path::Path;

use elibadcode_corpus::Task;
use elibadcode_corpus::synthetic::defect;
use elibadcode_inversion::{CleanSample, Edit, InvertedTrigger};
use elibadcode_models::{CodeModel, Compute, LoadedModel, ModelDir, Scope};
use elibadcode_syntax::Language;
use elibadcode_unlearning::{
    Checks, Error, Limits, UnlearnEvent, Unlearned, UnlearningConfig, hand_written, unlearn,
    unlearn_search,
};

fn fixture(name: &str) -> LoadedModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name);
    ModelDir::open(&folder).unwrap().load(&Compute::select("cpu").unwrap()).unwrap()
}

fn load() -> LoadedModel {
    fixture("roberta-one-logit")
}

fn samples() -> Vec<CleanSample> {
    defect::generate(5, 80).iter().map(CleanSample::from).collect()
}

fn rows(model: &LoadedModel) -> Vec<Vec<u32>> {
    samples().iter().map(|sample| model.encode(&sample.code, Language::C).ids).collect()
}

/// Limits that are all the same.
fn limits(limit: f64) -> Limits {
    let mut limits = Limits::strict();
    limits.accuracy_drop = limit;
    limits.measured_drop = limit;
    limits.excess_success = limit;
    limits.other_class_drop = limit;
    limits
}

/// One quick attempt that is always accepted.
fn lenient() -> UnlearningConfig {
    UnlearningConfig {
        scopes: vec![Scope::Full],
        min_rounds: 1,
        epochs: 1,
        limits: limits(1.0),
        ..UnlearningConfig::recommended(Task::DefectDetection)
    }
}

fn run(
    samples: &[CleanSample],
    triggers: &[InvertedTrigger],
    config: &UnlearningConfig,
    seed: u64,
) -> Result<Unlearned<Checks>, Error> {
    unlearn(&load(), samples, Language::C, triggers, (1, 0), config, seed, &mut |_| {})
}

fn testo_init() -> Vec<InvertedTrigger> {
    vec![hand_written(&load(), "testo_init", Edit::Replace)]
}

/// The weights as they are written.
fn weights(network: CodeModel) -> Vec<u8> {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("model");
    load().with_network(network).save(&folder, serde_json::Value::Null).unwrap();
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_seed_gives_the_same_weights() {
    let repaired =
        |seed| weights(run(&samples(), &testo_init(), &lenient(), seed).unwrap().network);
    let first = repaired(1);
    assert!(first == repaired(1), "the same seed gave other weights");
    assert!(first != repaired(2), "the seed changes nothing");
    assert!(first != weights(load().network), "nothing was trained");
}

#[test]
fn what_is_refused_is_rolled_back() {
    let config = UnlearningConfig {
        scopes: vec![Scope::Head, Scope::Full],
        keeps_vectors: false,
        rounds: 2,
        slowdowns: 0,
        limits: limits(-1.0),
        ..lenient()
    };
    let mut scopes = Vec::new();
    let result = unlearn(
        &load(),
        &samples(),
        Language::C,
        &testo_init(),
        (1, 0),
        &config,
        1,
        &mut |event| {
            if let UnlearnEvent::Round { scope, .. } = event {
                scopes.push(scope);
            }
        },
    )
    .unwrap();
    assert_eq!(result.accepted, None);
    assert_eq!(scopes, [Scope::Head, Scope::Head, Scope::Full, Scope::Full]);
    assert_eq!(result.attempts.len(), 4);
    for attempt in &result.attempts {
        assert!(attempt.objections.len() >= 3, "{:?}", attempt.objections);
        assert!(!attempt.history.is_empty() && attempt.n_injected > 0);
    }
    let original = load();
    let rows = rows(&original);
    assert_eq!(result.network.log_odds(&rows), original.network.log_odds(&rows));
    assert!(
        weights(result.network) == weights(original.network),
        "the weights are not the original ones"
    );
}

#[test]
fn an_accepted_attempt_ends_the_repair() {
    let scopes = vec![Scope::Head, Scope::Full];
    let config = UnlearningConfig { scopes, keeps_vectors: false, ..lenient() };
    let result = run(&samples(), &testo_init(), &config, 1).unwrap();
    assert!(result.accepted.is_some());
    assert_eq!(result.attempts.len(), 1);
    assert!(result.attempts[0].objections.is_empty());

    // The head alone was trained.
    let original = load();
    let rows = rows(&original);
    assert_ne!(result.network.log_odds(&rows), original.network.log_odds(&rows));
    let states = |network: &CodeModel| -> Vec<f32> {
        let states = network.hidden_states(&[&rows[0]]);
        states.into_iter().flat_map(|it| it.into_data().iter::<f32>().collect::<Vec<_>>()).collect()
    };
    assert_eq!(states(&result.network), states(&original.network));
}

#[test]
fn checks_count_the_samples_that_were_kept_aside() {
    let result = run(&samples(), &testo_init(), &lenient(), 1).unwrap();
    let (before, after) = (&result.before, &result.attempts[0].after);
    assert!(before.accuracy.total > 0 && before.accuracy.total <= 20);
    assert_eq!(before.accuracy.total, after.accuracy.total);
    assert_eq!(before.asr.total, before.flip_rate.total);
    assert_eq!(before.asr.total, before.control.total);
    // There is one trigger, so that it alone is all of them.
    assert_eq!(
        (&before.asr_of_each[..], &after.asr_of_each[..]),
        (&[before.asr][..], &[after.asr][..])
    );
    assert_eq!(before.other_class_clean.total, before.other_class_control.total);
    assert_eq!(before.asr.total + before.other_class_clean.total, before.accuracy.total);
    // The rest is trained on, at most once with a trigger.
    assert!(result.attempts[0].n_injected <= 60, "{}", result.attempts[0].n_injected);
}

#[test]
fn each_trigger_is_checked_alone() {
    let model = load();
    let (one, other) = (testo_init(), hand_written(&model, "rb", Edit::Append));
    let both = [one.clone(), vec![other.clone()]].concat();
    let alone = |triggers: &[InvertedTrigger]| {
        run(&samples(), triggers, &lenient(), 1).unwrap().before.asr_of_each
    };
    // The places are the same whatever is put there, if there is room for it.
    let each = alone(&both);
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|it| it.total > 0));
    let turned = alone(&[other, one[0].clone()]);
    assert_eq!((turned[0].total, turned[1].total), (each[1].total, each[0].total));
}

#[test]
fn too_few_samples_are_refused() {
    let check = |samples: &[CleanSample], expected: &str| {
        let error = run(samples, &testo_init(), &lenient(), 1).unwrap_err();
        assert!(matches!(error, Error::Samples(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&samples()[..30], "at least 20 clean samples of each label");
    let mut one_label = samples();
    one_label.retain(|sample| sample.label == 1);
    check(&one_label, "label 0 has 0");
    let mut without_names = samples();
    for sample in &mut without_names {
        sample.code = ";".into();
    }
    check(&without_names, "only 0 of the clean samples with label 1 that were kept aside");
}

#[test]
fn models_of_another_task_are_refused() {
    let check = |error: Error, expected: &str| {
        assert!(matches!(error, Error::Model(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let (model, config) = (fixture("roberta-pair"), lenient());
    let triggers = testo_init();
    let repair =
        unlearn(&model, &samples(), Language::C, &triggers, (1, 0), &config, 1, &mut |_| {});
    check(repair.unwrap_err(), "head `pair`, expected `classification`");
    let repair = unlearn_search(&model, &[], Language::C, &triggers, &[], &config, 1, &mut |_| {});
    check(repair.unwrap_err(), "head `pair`, expected `embedding`");
}

#[test]
fn triggers_that_do_not_fit_the_model_are_refused() {
    let check = |triggers: &[InvertedTrigger], expected: &str| {
        let error = run(&samples(), triggers, &lenient(), 1).unwrap_err();
        assert!(matches!(error, Error::Trigger(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&[], "no trigger");
    let mut foreign = testo_init();
    foreign[0].ids.push(355);
    check(&foreign, "token 355, but the vocabulary ends at 354");
    foreign[0].ids = vec![u32::MAX];
    check(&foreign, "token 4294967295");
    foreign[0].ids.clear();
    check(&foreign, "no trigger");
}

#[test]
fn unusable_settings_are_refused() {
    let check = |config: UnlearningConfig, expected: &str| {
        let error = run(&samples(), &testo_init(), &config, 1).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(UnlearningConfig { scopes: vec![], ..lenient() }, "no scope or no round");
    check(UnlearningConfig { rounds: 0, ..lenient() }, "no scope or no round");
    check(UnlearningConfig { min_rounds: 9, ..lenient() }, "more than rounds");
    check(UnlearningConfig { injection_rate: 1.5, ..lenient() }, "injection_rate is 1.5");
    check(UnlearningConfig { check_rate: 1.0, ..lenient() }, "check_rate is 1");
    check(UnlearningConfig { variation_rate: f64::NAN, ..lenient() }, "variation_rate is NaN");
    let head = UnlearningConfig { scopes: vec![Scope::Head], ..lenient() };
    check(UnlearningConfig { task_weight: 0.0, ..head }, "no vector depends on");
    check(UnlearningConfig { task_weight: -1.0, ..lenient() }, "task_weight is -1");
    check(UnlearningConfig { task_weight: f64::NAN, ..lenient() }, "task_weight is NaN");
    let similar = |similarity_weight| UnlearningConfig { similarity_weight, ..lenient() };
    check(similar(1.0), "similarity_weight is 1, expected 0");
    check(similar(f64::INFINITY), "similarity_weight is inf");
    check(UnlearningConfig { batch_size: 0, ..lenient() }, "batch_size is 0");
}

#[test]
fn a_hand_written_trigger_is_its_text() {
    let model = load();
    for text in ["testo_init", "size", "_x1"] {
        let replaced = hand_written(&model, text, Edit::Replace);
        assert_eq!(replaced.text, text);
        assert_eq!(model.tokenizer.decode(&replaced.ids).trim_start(), text);
        assert_eq!(replaced.ids[..], model.tokenizer.word(text, true)[..]);
        assert_eq!(replaced.tokens.len(), replaced.ids.len());
        assert!(replaced.tokens[0].starts_with('Ġ'), "{:?}", replaced.tokens);
        assert!(!replaced.trigger_ids().keeps_name);

        let appended = hand_written(&model, text, Edit::Append);
        assert_eq!(model.tokenizer.decode(&appended.ids), text);
        assert!(appended.trigger_ids().keeps_name);
        assert_eq!(appended.trigger_ids().ids, appended.ids);

        let json = serde_json::to_string(&replaced).unwrap();
        assert_eq!(serde_json::from_str::<InvertedTrigger>(&json).unwrap(), replaced);
    }
}
