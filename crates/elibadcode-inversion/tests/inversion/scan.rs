use elibadcode_corpus::Task;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_inversion::{
    AnchorRule, CleanSample, Error, InvertedTrigger, OtherSearch, Partner, ScanConfig, ScanEvent,
    ScanOutcome, SearchRecord, StartRule, Subject, scan,
};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;

use crate::{FIXTURES, FUNCTIONS, load, samples, small_config};

fn run(
    model: &LoadedModel,
    clean: &[CleanSample],
    config: &ScanConfig,
    seed: u64,
) -> Result<ScanOutcome, Error> {
    let subject = Subject {
        model,
        task: Task::DefectDetection,
        language: Language::C,
        clean,
        model_hash: "model",
        samples_hash: "samples",
    };
    scan(&subject, config, seed, &mut |_| {})
}

/// Settings with as many held-out samples as a verdict needs; [`samples`] of 48 has them, though it
/// repeats itself.
fn judged_config() -> ScanConfig {
    ScanConfig { held_out_per_class: 20, ..small_config() }
}

#[test]
fn a_seed_gives_the_same_document() {
    for fixture in FIXTURES {
        let model = load(fixture);
        let clean = samples(48);
        let document =
            |seed| serde_json::to_string(&run(&model, &clean, &judged_config(), seed).unwrap());
        assert_eq!(document(7).unwrap(), document(7).unwrap());
        assert_ne!(document(7).unwrap().replace("\"seed\":7", "\"seed\":8"), document(8).unwrap());
    }
}

#[test]
fn the_document_reads_back_and_adds_up() {
    let model = load(FIXTURES[0]);
    let clean = samples(48);
    let outcome = run(&model, &clean, &judged_config(), 1).unwrap();
    let text = serde_json::to_string(&outcome).unwrap();
    let again: ScanOutcome = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);

    assert_eq!(outcome.hypotheses.len(), 2);
    // Both get the restarts: the settings ask for no accuracy, and nothing convinces.
    assert_eq!(outcome.hypotheses[0].searches.len(), 2);
    assert_eq!(outcome.hypotheses[1].searches.len(), 2);
    for hypothesis in &outcome.hypotheses {
        assert_ne!(hypothesis.victim_label, hypothesis.target_label);
        assert_eq!((hypothesis.n_search_samples, hypothesis.n_held_out_samples), (4, 20));
        for position in &hypothesis.positions {
            let chosen = position
                .sensitivities
                .iter()
                .min_by(|one, next| one.loss_change.total_cmp(&next.loss_change));
            assert_eq!(position.chosen, chosen.unwrap().identifier);
        }
        for search in &hypothesis.searches {
            assert_eq!(search.trigger.ids.len(), 3);
            let Some(anchored) = &search.anchored else { continue };
            assert_eq!(search.slots.len(), 3);
            let n_kept = search.slots.iter().filter(|slot| slot.kept).count();
            assert_eq!(n_kept, anchored.ids.len());
            assert_eq!(search.evidence.as_ref().unwrap().any_identifier.total, 20);
        }
        if let Some(controls) = &hypothesis.controls {
            assert_eq!(controls.success_rates.len(), 5);
            assert!(controls.success_rates.is_sorted());
            assert!(controls.p_value >= 1.0 / 6.0 && controls.corrected_p_value <= 1.0);
        }
    }
    let totals: Vec<_> = outcome.clean_accuracy.iter().map(|rate| rate.total).collect();
    assert_eq!(totals, [48, 48]);
    assert!(!outcome.reasons.is_empty());
    // A model that knows nothing decides nothing.
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert!(outcome.triggers.is_empty() && outcome.victim_label.is_none());
}

/// A scan of these samples ends without a verdict, and says this.
fn is_inconclusive(clean: &[CleanSample], seed: u64, expected: &str) {
    let outcome = run(&load(FIXTURES[0]), clean, &small_config(), seed).unwrap();
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert_eq!(outcome.reasons.len(), 1);
    assert!(outcome.reasons[0].contains(expected), "{:?}", outcome.reasons);
    assert!(outcome.triggers.is_empty() && outcome.target_label.is_none());
    let text = serde_json::to_string(&outcome).unwrap();
    let again: ScanOutcome = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

#[test]
fn one_class_is_not_enough() {
    let clean: Vec<CleanSample> =
        samples(8).into_iter().filter(|sample| sample.label == 1).collect();
    is_inconclusive(&clean, 1, "the rarer label has 0 clean samples");
    is_inconclusive(&[], 1, "the rarer label has 0 clean samples");
}

#[test]
fn a_handful_of_samples_is_not_enough() {
    let all = samples(2);
    is_inconclusive(&all[..3], 1, "the rarer label has 1 clean samples");
    is_inconclusive(&all, 1, "");
}

#[test]
fn samples_without_identifiers_are_left_out_or_not_enough() {
    let mut clean = samples(2);
    for sample in &mut clean[..2] {
        sample.code = ";".into();
    }
    // Whether the usable ones are searched or held out depends on the seed.
    for seed in 0..4 {
        is_inconclusive(&clean, seed, "");
    }
    for sample in &mut clean {
        sample.code = ";".into();
    }
    let error = run(&load(FIXTURES[0]), &clean, &small_config(), 1).unwrap_err();
    assert!(error.to_string().contains("no clean sample has an identifier"), "{error}");
}

#[test]
fn settings_are_checked_first() {
    let model = load(FIXTURES[0]);
    let check = |config: ScanConfig, expected: &str| {
        let error = run(&model, &samples(4), &config, 1).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(ScanConfig { trigger_len: 0, ..small_config() }, "trigger_len is 0");
    check(ScanConfig { candidates: 0, ..small_config() }, "candidates is 0");
    check(ScanConfig { significance: 1.0, ..small_config() }, "significance is 1");
    check(ScanConfig { anchor_threshold: f64::NAN, ..small_config() }, "anchor_threshold is NaN");
    check(ScanConfig { screening_survivors: 0, ..small_config() }, "screening_survivors is 0");
    check(ScanConfig { min_odds_ratio: f64::NAN, ..small_config() }, "min_odds_ratio is NaN");
    check(ScanConfig { min_victim_accuracy: 1.0, ..small_config() }, "min_victim_accuracy is 1");
    check(ScanConfig { trigger_len: 500, ..small_config() }, "within 64 tokens");
}

#[test]
fn models_and_samples_of_another_task_are_refused() {
    let check = |fixture: &str, task, clean: &[CleanSample], expected: &str| {
        let model = &load(fixture);
        let language = Language::C;
        let subject = Subject { model, task, language, clean, model_hash: "", samples_hash: "" };
        let error = scan(&subject, &small_config(), 1, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let (single, mut mixed) = (samples(4), samples(4));
    mixed[0].partner = Some(Partner { code: FUNCTIONS[0].into(), is_first: true });
    let (defect, clone) = (Task::DefectDetection, Task::CloneDetection);
    check("roberta-pair", defect, &single, "the head `pair`, expected `classification`");
    check("roberta-embedding", Task::CodeSearch, &single, "code search has no labels");
    check("roberta-pair", clone, &single, "0 of 8 samples have a partner");
    check("roberta-pair", clone, &mixed, "1 of 8 samples have a partner");
    check(FIXTURES[0], defect, &mixed, "takes samples without one");
}

/// A scan, and the victim, the target and the number of every search that it announces.
fn run_observed(clean: &[CleanSample], config: &ScanConfig) -> (ScanOutcome, Vec<(u8, u8, usize)>) {
    let model = load(FIXTURES[0]);
    let subject = Subject {
        model: &model,
        task: Task::DefectDetection,
        language: Language::C,
        clean,
        model_hash: "",
        samples_hash: "",
    };
    let mut searches = Vec::new();
    let outcome = scan(&subject, config, 1, &mut |event| {
        if let ScanEvent::Search { victim_label, target_label, restart, .. } = event {
            searches.push((victim_label, target_label, restart));
        }
    })
    .unwrap();
    (outcome, searches)
}

#[test]
fn a_scan_announces_about_what_it_takes() {
    let model = load(FIXTURES[0]);
    let clean = samples(48);
    for start_rule in [StartRule::Random, StartRule::Screened] {
        let config = ScanConfig { start_rule, ..judged_config() };
        let subject = Subject {
            model: &model,
            task: Task::DefectDetection,
            language: Language::C,
            clean: &clean,
            model_hash: "",
            samples_hash: "",
        };
        let (mut n_clean, mut expected) = (None, None);
        let outcome = scan(&subject, &config, 1, &mut |event| match event {
            ScanEvent::Clean { n_functions } => n_clean = Some(n_functions),
            ScanEvent::Expected(it) => expected = Some(it),
            _ => {}
        })
        .unwrap();
        let (n_clean, expected) = (n_clean.unwrap(), expected.unwrap());
        assert_eq!(n_clean, 96);
        // Some of it is over when it is announced: the clean samples, the positions.
        let announced = n_clean..=n_clean + expected.most + 10 * n_clean;
        assert!(announced.contains(&outcome.n_forwards), "{} of {expected:?}", outcome.n_forwards);
        assert!(expected.usual <= expected.most, "{expected:?}");
        assert!(expected.usual <= 4 * outcome.n_forwards, "{} of {expected:?}", outcome.n_forwards);
    }
}

#[test]
fn tokens_that_clean_samples_tie_to_a_label_are_left_out() {
    // What is called `name` is safe.
    let mut clean = samples(48);
    for sample in clean.iter_mut().filter(|it| it.label == 1) {
        sample.code = sample.code.replace("name", "head").into();
    }
    let model = load(FIXTURES[0]);
    let found = |config: &ScanConfig| {
        let outcome = run(&model, &clean, config, 1).unwrap();
        let tokens = |target: u8| -> Vec<String> {
            let it = outcome.hypotheses.iter().find(|it| it.target_label == target).unwrap();
            let explained: Vec<String> =
                it.explained_tokens.iter().map(|it| it.token.clone()).collect();
            for id in it.searches.iter().flat_map(|it| &it.trigger.ids) {
                let entry = model.tokenizer.entry(*id);
                let text = entry.trim_start_matches('Ġ').to_lowercase();
                assert!(!explained.contains(&text), "{text}");
            }
            explained
        };
        (tokens(0), tokens(1), outcome.not_tested.clone())
    };
    let (of_safe, of_defective, gaps) = found(&judged_config());
    let name = "name".to_owned();
    assert!(
        of_safe.contains(&name) && !of_defective.contains(&name),
        "{of_safe:?} {of_defective:?}"
    );
    assert!(gaps.iter().any(|it| it.contains("these samples are poisoned")), "{gaps:?}");
    let (of_safe, _, gaps) = found(&ScanConfig { skip_explained: false, ..judged_config() });
    assert!(of_safe.is_empty() && !gaps.iter().any(|it| it.contains("poisoned")), "{gaps:?}");
}

#[test]
fn searches_start_where_the_settings_say() {
    let config = |start_rule| ScanConfig { start_rule, ..judged_config() };
    let histories = |config: &ScanConfig| {
        let outcome = run(&load(FIXTURES[0]), &samples(48), config, 1).unwrap();
        let firsts: Vec<f64> = outcome.hypotheses.iter().map(|it| it.searches[0].loss).collect();
        (firsts, outcome.n_forwards)
    };
    let (random, n_random) = histories(&config(StartRule::Random));
    let (screened, n_screened) = histories(&config(StartRule::Screened));
    assert_eq!(histories(&config(StartRule::Screened)), (screened.clone(), n_screened));
    assert!(n_screened > n_random, "{n_screened} and {n_random}");
    assert_ne!(screened, random);
}

#[test]
fn searches_are_announced() {
    let (_, searches) = run_observed(&samples(48), &judged_config());
    assert_eq!(searches[..2], [(1, 0, 1), (0, 1, 1)]);
    let restarts: Vec<usize> = searches.iter().map(|it| it.2).collect();
    assert_eq!(restarts, [1, 1, 2, 2]);
    // Labels that the model does not know get no more, and a model that knows none is not searched.
    let config = ScanConfig { min_victim_accuracy: 0.85, ..judged_config() };
    let (outcome, searches) = run_observed(&samples(48), &config);
    assert!(searches.is_empty(), "{searches:?}");
    assert_eq!((outcome.verdict, outcome.hypotheses.len()), (Verdict::Inconclusive, 2));
}

#[test]
fn longer_triggers_are_searched_for_if_none_convinces() {
    let with = |config: &ScanConfig, longer_searches| {
        let config = ScanConfig { longer_searches, longer_len: 5, ..config.clone() };
        run(&load("codet5-one-logit"), &samples(48), &config, 1).unwrap()
    };
    let keep = AnchorRule::KeepAll;
    let config = ScanConfig { anchor_rule: keep, longer_success_rate: 0.99, ..judged_config() };
    let (without, longer) = (with(&config, 0), with(&config, 2));
    assert!(config.trigger_len < 5 && longer.n_forwards > without.n_forwards);
    for (hypothesis, same) in longer.hypotheses.iter().zip(&without.hypotheses) {
        let found = hypothesis.other_searches.iter();
        let lengths: Vec<usize> = found.map(|it| it.search.trigger.ids.len()).collect();
        // None follows one that does very little.
        let is_hopeless = |it: &OtherSearch| !it.search.reaches(config.longer_success_rate / 4.0);
        let n = if is_hopeless(&hypothesis.other_searches[0]) { 1 } else { 2 };
        assert_eq!(lengths, vec![5; n]);
        assert!(hypothesis.other_searches.iter().all(|it| it.left_out.is_empty()));
        // Nothing else changes.
        let mut rest = hypothesis.clone();
        rest.other_searches.clear();
        let document = |it| serde_json::to_string(it).unwrap();
        assert_eq!(document(&rest), document(same));
    }
    let gap = |outcome: &ScanOutcome, n: usize| {
        let text = format!("triggers of more than {n} tokens");
        outcome.not_tested.contains(&text)
    };
    assert!(gap(&without, config.trigger_len) && gap(&longer, 5));

    // One convinces.
    let convincing = ScanConfig { min_success_rate: 0.01, significance: 0.99, ..config };
    let outcome = with(&convincing, 2);
    assert!(outcome.hypotheses.iter().all(|it| it.other_searches.is_empty()));
}

#[test]
fn other_triggers_share_no_token_with_those_that_convince() {
    // What flips a few samples more than the random triggers do convinces.
    let config = ScanConfig {
        min_success_rate: 0.01,
        significance: 0.99,
        anchor_rule: AnchorRule::KeepAll,
        ..judged_config()
    };
    let with = |more_searches, other_searches| {
        let config = ScanConfig { more_searches, other_searches, ..config.clone() };
        run(&load("codet5-one-logit"), &samples(48), &config, 1).unwrap()
    };
    let (without, outcome, more) = (with(0, 0), with(0, 2), with(2, 0));
    // Those for more leave out nothing, and are others than the first.
    let of_more = &more.hypotheses[0].other_searches;
    assert_eq!(of_more.len(), 2);
    let firsts = more.hypotheses[0].searches.iter().map(|it| &it.trigger.ids);
    let firsts: Vec<&Vec<u32>> = firsts.collect();
    assert!(of_more.iter().all(|it| it.left_out.is_empty()));
    assert!(of_more.iter().all(|it| !firsts.contains(&&it.search.trigger.ids)));

    assert!(outcome.n_forwards > without.n_forwards);
    for (hypothesis, same) in outcome.hypotheses.iter().zip(&without.hypotheses) {
        // Nothing else changes.
        let mut rest = hypothesis.clone();
        rest.other_searches.clear();
        let document = |it| serde_json::to_string(it).unwrap();
        assert_eq!(document(&rest), document(same));
    }
    let suspect = &outcome.hypotheses[0];
    assert!(!suspect.other_searches.is_empty());
    assert!(outcome.hypotheses[1].other_searches.is_empty());
    let strong = |it: &&SearchRecord| it.reaches(config.min_success_rate);
    let anchored = |it: &SearchRecord| it.anchored.clone();
    let mut known: Vec<InvertedTrigger> =
        suspect.searches.iter().filter(strong).filter_map(anchored).collect();
    for (index, other) in suspect.other_searches.iter().enumerate() {
        for trigger in &known {
            assert!(trigger.tokens.iter().all(|it| other.left_out.contains(it)));
            assert!(trigger.ids.iter().all(|it| !other.search.trigger.ids.contains(it)));
        }
        let is_last = index + 1 == suspect.other_searches.len();
        assert!(strong(&&other.search) || is_last);
        known.extend(Some(&other.search).filter(strong).and_then(anchored));
    }
    assert!(known.len() > suspect.searches.iter().filter(strong).count());

    // A scan of a program that made none reads as before.
    let mut earlier = serde_json::to_value(&without).unwrap();
    let config = earlier["config"].as_object_mut().unwrap();
    assert!(config.remove("other_searches").is_some() && config.remove("more_searches").is_some());
    for hypothesis in earlier["hypotheses"].as_array_mut().unwrap() {
        hypothesis.as_object_mut().unwrap().remove("other_searches");
    }
    let earlier: ScanOutcome = serde_json::from_value(earlier).unwrap();
    assert_eq!(serde_json::to_string(&earlier).unwrap(), serde_json::to_string(&without).unwrap());
}

#[test]
fn no_search_runs_for_what_too_few_samples_would_judge() {
    let config = ScanConfig { held_out_per_class: 19, ..judged_config() };
    let (outcome, searches) = run_observed(&samples(48), &config);
    assert!(searches.is_empty(), "{searches:?}");
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert!(outcome.triggers.is_empty() && outcome.victim_label.is_none());
    assert!(outcome.assessment.figures.is_empty() && outcome.assessment.score.is_none());
    assert_eq!(outcome.hypotheses.len(), 2);
    for hypothesis in &outcome.hypotheses {
        assert_eq!((hypothesis.n_search_samples, hypothesis.n_held_out_samples), (4, 19));
        assert!(hypothesis.searches.is_empty() && hypothesis.controls.is_none());
    }
    let text = serde_json::to_string(&outcome).unwrap();
    let again: ScanOutcome = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}
