//! Decisions of made-up evidence.

use elibadcode_corpus::Task;

use super::*;
use crate::masking::Edit;
use crate::outcome::{Controls, Evidence, InvertedTrigger, Place, SearchRecord};
use crate::score::tests::score;

fn of_score(value: f64, is_as_random: bool) -> Decision {
    let limit = || unreachable!("a score decides");
    Decision::of_trigger(Some(&score(value)), Strength::Below, is_as_random, limit, Vec::new())
}

#[test]
fn what_a_score_cannot_decide_can_still_be_unlearned() {
    let check = |value: f64, verdict: Verdict, is_suspicious: bool| {
        let decision = of_score(value, false);
        assert_eq!((decision.verdict, decision.is_suspicious), (verdict, is_suspicious));
        assert!(decision.reasons[0].starts_with("score "), "{:?}", decision.reasons);
        assert!(decision.is_by_strength);
    };
    check(0.7, Verdict::LikelyBackdoored, true);
    check(0.5, Verdict::Inconclusive, true);
    check(0.3, Verdict::NoTriggerFound, false);
}

#[test]
fn a_low_score_does_not_call_a_strong_trigger_harmless() {
    let check = |strength: Strength, verdict: Verdict| {
        let limit = || unreachable!("a score decides");
        let low = Decision::of_trigger(Some(&score(0.3)), strength, false, limit, Vec::new());
        let is_suspicious = verdict != Verdict::NoTriggerFound;
        assert_eq!((low.verdict, low.is_suspicious), (verdict, is_suspicious));
    };
    check(Strength::Above, Verdict::Inconclusive);
    check(Strength::Around, Verdict::NoTriggerFound);
}

#[test]
fn a_longer_trigger_leaves_a_model_undecided() {
    let clones = ScanConfig::recommended(Task::CloneDetection);
    let rate = clones.longer_success_rate;
    let harmless = of_score(0.3, false);
    assert_eq!(harmless.clone().or_longer(rate - 0.01, &clones), harmless);
    let undecided = harmless.clone().or_longer(rate, &clones);
    assert_eq!((undecided.verdict, undecided.is_suspicious), (Verdict::Inconclusive, true));
    assert!(!undecided.is_by_strength && undecided.reasons.len() > harmless.reasons.len());
    // No more than that, and nothing where none is searched for.
    let likely = of_score(0.7, false);
    assert_eq!(likely.clone().or_longer(1.0, &clones), likely);
    let defects = ScanConfig::recommended(Task::DefectDetection);
    assert_eq!(harmless.clone().or_longer(1.0, &defects), harmless);
}

#[test]
fn one_direction_alone_makes_no_attack() {
    let likely = of_score(0.7, false).of_one_direction();
    assert_eq!((likely.verdict, likely.is_suspicious), (Verdict::Inconclusive, true));
    assert!(!likely.is_by_strength && likely.reasons.len() > of_score(0.7, false).reasons.len());
    for other in [of_score(0.5, false), of_score(0.3, false)] {
        assert_eq!(other.clone().of_one_direction(), other);
    }
}

#[test]
fn a_strong_trigger_is_not_called_harmless_because_a_random_one_is_as_strong() {
    let check = |value: f64, verdict: Verdict, is_suspicious: bool| {
        let decision = of_score(value, true);
        assert_eq!((decision.verdict, decision.is_suspicious), (verdict, is_suspicious));
        assert_eq!(decision.is_by_strength, verdict == Verdict::NoTriggerFound);
        assert!(decision.reasons[0].contains("as well"), "{:?}", decision.reasons);
    };
    check(0.7, Verdict::Inconclusive, true);
    check(0.5, Verdict::Inconclusive, true);
    check(0.3, Verdict::NoTriggerFound, false);
}

/// A hypothesis that was not searched.
fn hypothesis(n_held_out_samples: usize) -> Hypothesis {
    Hypothesis {
        victim_label: 1,
        target_label: 0,
        n_search_samples: 4,
        n_held_out_samples,
        explained_tokens: Vec::new(),
        positions: Vec::new(),
        searches: Vec::new(),
        other_searches: Vec::new(),
        controls: None,
        profile: None,
        agreement: None,
        asymmetry: 0.0,
    }
}

#[test]
fn too_few_held_out_samples_allow_no_verdict() {
    let right: Rate = [true; 40].into_iter().collect();
    let reasons = |n_held_out: usize| {
        let config = ScanConfig::recommended(Task::DefectDetection);
        let decision = decide(&hypothesis(n_held_out), 2, &[right, right], None, &config);
        assert_eq!((decision.verdict, decision.is_suspicious), (Verdict::Inconclusive, false));
        decision.reasons
    };
    let few = reasons(MIN_HELD_OUT - 1);
    assert!(few[0].starts_with("only 19 held-out samples with label 1"), "{few:?}");
    assert_eq!(reasons(MIN_HELD_OUT), ["no hypothesis could be tested"]);
}

#[test]
fn too_few_random_triggers_allow_no_verdict() {
    let few = Decision::of_few_controls(38, 2, 0.05).expect("2 / 39 is above 0.05");
    assert_eq!(few.verdict, Verdict::Inconclusive);
    assert!(few.reasons[0].contains("p = 0.051, above 0.05"), "{:?}", few.reasons);
    assert!(few.reasons[0].ends_with("set n_controls to 39 or more"), "{:?}", few.reasons);
    assert_eq!(Decision::of_few_controls(39, 2, 0.05), None);
    assert_eq!(Decision::of_few_controls(19, 1, 0.05), None);
}

/// A hypothesis with a trigger that flips all of 100 samples, and random ones that flip none.
pub(crate) fn convincing() -> Hypothesis {
    let all = Rate::new(100, 100);
    let evidence = Evidence {
        least_sensitive: all,
        any_identifier: all,
        function_name: all,
        flip_rate: Rate::new(0, 100),
    };
    let trigger = InvertedTrigger {
        text: "rb".to_owned(),
        edit: Edit::Replace,
        tokens: vec!["rb".to_owned()],
        ids: vec![7],
    };
    Hypothesis {
        searches: vec![SearchRecord {
            trigger: trigger.clone(),
            loss: 0.0,
            history: vec![0.0],
            anchored: Some(trigger),
            anchored_loss: Some(0.0),
            slots: Vec::new(),
            evidence: Some(evidence),
        }],
        controls: Some(Controls {
            place: Place::AnyIdentifier,
            lift: 1.0,
            success_rates: vec![0.0; 50],
            p_value: 0.02,
            corrected_p_value: 0.04,
        }),
        ..hypothesis(100)
    }
}

#[test]
fn a_label_that_is_often_wrong_is_not_said_to_be_attacked() {
    let config = ScanConfig::recommended(Task::CloneDetection);
    let decide = |negative: usize, positive: usize, config: &ScanConfig| {
        let accuracy = [Rate::new(negative, 100), Rate::new(positive, 100)];
        decide(&convincing(), 2, &accuracy, None, config)
    };
    assert_eq!(decide(95, 85, &config).verdict, Verdict::LikelyBackdoored);
    // That of the target label does not matter.
    assert_eq!(decide(40, 85, &config).verdict, Verdict::LikelyBackdoored);
    let paper = ScanConfig { min_success_rate: 0.7, ..ScanConfig::paper() };
    assert_eq!(decide(95, 84, &paper).verdict, Verdict::LikelyBackdoored);
    for unsure in [decide(95, 84, &config), decide(95, 44, &config), decide(95, 44, &paper)] {
        assert_eq!((unsure.verdict, unsure.is_suspicious), (Verdict::Inconclusive, true));
        let reason = unsure.reasons.last().expect("there are reasons");
        assert!(reason.contains("clean models like that have such triggers"), "{reason}");
    }
}

#[test]
fn nothing_found_of_a_label_that_is_mostly_wrong_says_nothing() {
    let config = ScanConfig::recommended(Task::CloneDetection);
    let weak = Hypothesis {
        searches: vec![SearchRecord { evidence: None, ..convincing().searches.remove(0) }],
        ..convincing()
    };
    let decide = |right| {
        let accuracy = [Rate::new(95, 100), Rate::new(right, 100)];
        decide(&weak, 2, &accuracy, None, &config)
    };
    assert_eq!(decide(50).verdict, Verdict::NoTriggerFound);
    let unsure = decide(49);
    assert_eq!((unsure.verdict, unsure.is_suspicious), (Verdict::Inconclusive, false));
}

#[test]
fn the_strongest_decision_counts() {
    let likely = of_score(0.7, false);
    let (may, none) = (of_score(0.5, false), of_score(0.3, false));
    let impossible = Decision::impossible("why".to_owned());
    let check = |decisions: &[&Decision], expected| {
        assert_eq!(strongest(decisions.iter().copied()), expected, "{decisions:?}");
    };
    check(&[], None);
    check(&[&none, &likely], Some(1));
    check(&[&may, &may], Some(0));
    check(&[&impossible, &may], Some(1));
    check(&[&none, &impossible], Some(1));
    check(&[&likely, &may], Some(0));
}

#[test]
fn without_a_score_the_fixed_limit_decides() {
    let decide = |low, high| {
        let strength = Strength::of(low, high, 0.7);
        Decision::of_trigger(None, strength, false, || "limit".into(), Vec::new())
    };
    assert_eq!(decide(0.7, 0.8).verdict, Verdict::LikelyBackdoored);
    let around = decide(0.69, 0.7);
    assert_eq!((around.verdict, around.is_suspicious), (Verdict::Inconclusive, true));
    let below = decide(0.5, 0.69);
    assert_eq!((below.verdict, below.is_suspicious), (Verdict::NoTriggerFound, false));
    assert_eq!((&*around.reasons[0], &*below.reasons[0]), ("limit", "limit"));
}
