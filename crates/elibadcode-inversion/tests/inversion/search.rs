use elibadcode_corpus::stage_rng;
use elibadcode_inversion::{
    AnchorRule, Error, Found, Iteration, Objective, Partners, ScanConfig, StepRule, TriggerIds,
    TriggerSpace, anchor, search,
};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;

use crate::{FIXTURES, load, masked, small_config};

const RULES: [AnchorRule; 2] = [AnchorRule::LeaveOneOut, AnchorRule::BackwardElimination];

fn config() -> ScanConfig {
    ScanConfig { iterations: 8, candidates: 16, screening_samples: 3, ..small_config() }
}

fn found(model: &LoadedModel, config: &ScanConfig, seed: u64) -> (Found, Vec<Iteration>) {
    let space = TriggerSpace::new(model, Language::C, config).unwrap();
    let objective = Objective::new(model, masked(model, config.trigger_len), Partners::NONE, 0);
    let mut seen = Vec::new();
    let mut rng = stage_rng(seed, "search");
    let start = space.random(config.trigger_len, false, &mut rng).unwrap();
    let found = search(&objective, &space, start, config, &mut rng, &mut |it| seen.push(it));
    (found, seen)
}

#[test]
fn a_seed_decides_everything() {
    let model = load(FIXTURES[0]);
    let (a, _) = found(&model, &config(), 1);
    let (b, _) = found(&model, &config(), 1);
    let (other, _) = found(&model, &config(), 2);
    assert_eq!((&a.trigger, a.loss, &a.history), (&b.trigger, b.loss, &b.history));
    assert_ne!(a.trigger, other.trigger);
}

#[test]
fn the_best_trigger_is_kept_and_better_than_the_start() {
    for fixture in FIXTURES {
        let model = load(fixture);
        for screening_samples in [0, 3] {
            let config = ScanConfig { screening_samples, ..config() };
            let space = TriggerSpace::new(&model, Language::C, &config).unwrap();
            let objective =
                Objective::new(&model, masked(&model, config.trigger_len), Partners::NONE, 0);
            let start =
                space.random(config.trigger_len, false, &mut stage_rng(1, "search")).unwrap();
            let start_loss = objective.losses(&[start], &[0, 1, 2, 3, 4])[0];
            let (found, seen) = found(&model, &config, 1);
            let lowest = found.history.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(found.loss <= lowest, "{} and {lowest}", found.loss);
            assert!(found.loss < start_loss - 1e-3, "{} from {start_loss}", found.loss);
            assert!(space.is_legal(&found.trigger));
            let again = objective.answers(&found.trigger).loss;
            assert!((again - found.loss).abs() < 1e-5, "{again} and {}", found.loss);
            assert_eq!(seen.len(), found.history.len());
            assert!(seen.is_sorted_by(|a, b| a.best_loss >= b.best_loss));
        }
    }
}

#[test]
fn a_search_ends_early() {
    let model = load(FIXTURES[0]);
    let at_once = ScanConfig { stop_loss: 1e9, ..config() };
    assert_eq!(found(&model, &at_once, 1).0.history.len(), 1);
    let impatient = ScanConfig { patience: 1, iterations: 60, stop_loss: 0.0, ..config() };
    assert!(found(&model, &impatient, 1).0.history.len() < 60);
}

#[test]
fn from_the_best_so_far_one_slot_changes_at_a_time() {
    let model = load(FIXTURES[0]);
    // The best triggers after 1, 2, … iterations, and the slots that tell each from the one before.
    let largest_change = |step_rule| {
        let best = |iterations| {
            let config = ScanConfig { step_rule, iterations, patience: 30, ..config() };
            found(&model, &config, 1).0.trigger
        };
        let path: Vec<TriggerIds> = (1..=30).map(best).collect();
        let n_changed = |pair: &[TriggerIds]| {
            let slots = pair[0].ids.iter().zip(&pair[1].ids);
            slots.filter(|(a, b)| a != b).count()
        };
        path.windows(2).map(n_changed).max().unwrap()
    };
    assert_eq!(largest_change(StepRule::BestSoFar), 1);
    assert!(largest_change(StepRule::BestCandidate) > 1);
}

#[test]
fn without_samples_the_start_is_all() {
    let model = load(FIXTURES[0]);
    let space = TriggerSpace::new(&model, Language::C, &config()).unwrap();
    let objective = Objective::new(&model, Vec::new(), Partners::NONE, 0);
    let mut rng = stage_rng(1, "search");
    let start = space.random(3, false, &mut rng).unwrap();
    let found = search(&objective, &space, start.clone(), &config(), &mut rng, &mut |_| {});
    assert_eq!((found.trigger, found.history), (start, Vec::new()));
}

/// A trigger that a search found, with its objective.
fn searched(model: &LoadedModel) -> (Objective<'_>, TriggerIds) {
    let (found, _) = found(model, &config(), 1);
    (Objective::new(model, masked(model, config().trigger_len), Partners::NONE, 0), found.trigger)
}

#[test]
fn a_threshold_that_nothing_reaches_leaves_no_trigger() {
    let model = load(FIXTURES[0]);
    let (objective, trigger) = searched(&model);
    let space = TriggerSpace::new(&model, Language::C, &config()).unwrap();
    for anchor_rule in RULES {
        for anchor_threshold in [1e6, f64::INFINITY] {
            let config = ScanConfig { anchor_rule, anchor_threshold, ..config() };
            let error = anchor(&objective, &space, &trigger, &config).unwrap_err();
            assert!(matches!(error, Error::EmptyAnchor { n_slots: 3, .. }), "{error}");
            assert!(error.to_string().contains("all 3 slots"), "{error}");
        }
    }
}

#[test]
fn a_threshold_of_zero_keeps_what_does_the_work() {
    let model = load(FIXTURES[0]);
    let (objective, trigger) = searched(&model);
    let space = TriggerSpace::new(&model, Language::C, &config()).unwrap();
    let whole = objective.answers(&trigger).loss;
    assert!(whole < objective.untriggered().loss, "the search found nothing to anchor");
    for anchor_rule in RULES {
        let config = ScanConfig { anchor_rule, anchor_threshold: 0.0, ..config() };
        let anchored = anchor(&objective, &space, &trigger, &config).unwrap();
        assert!(!anchored.trigger.ids.is_empty());
        assert_eq!(anchored.loss_without.len(), 3);
        let again = objective.answers(&anchored.trigger).loss;
        assert!((again - anchored.loss).abs() < 1e-5);
        // Each slot changes the loss of this model, so each on its own is kept.
        match anchor_rule {
            AnchorRule::LeaveOneOut | AnchorRule::KeepAll => {
                assert_eq!(anchored.trigger, trigger);
            }
            AnchorRule::BackwardElimination => assert!(anchored.loss <= whole + 1e-9),
        }
    }
}

#[test]
fn without_anchoring_all_slots_stay() {
    let model = load(FIXTURES[0]);
    let (objective, trigger) = searched(&model);
    let space = TriggerSpace::new(&model, Language::C, &config()).unwrap();
    let config = ScanConfig { anchor_rule: AnchorRule::KeepAll, anchor_threshold: 1e6, ..config() };
    let anchored = anchor(&objective, &space, &trigger, &config).unwrap();
    assert_eq!((anchored.trigger, anchored.kept), (trigger, vec![0, 1, 2]));
}

#[test]
fn a_slot_is_judged_by_the_loss_without_it() {
    let model = load(FIXTURES[0]);
    let (objective, trigger) = searched(&model);
    let space = TriggerSpace::new(&model, Language::C, &config()).unwrap();
    let config =
        ScanConfig { anchor_rule: AnchorRule::LeaveOneOut, anchor_threshold: 0.0, ..config() };
    let anchored = anchor(&objective, &space, &trigger, &config).unwrap();
    for slot in 0..3 {
        let mut ids = trigger.ids.clone();
        ids.remove(slot);
        // Without its first token the trigger no longer begins a name.
        let shorter = TriggerIds { ids, keeps_name: slot == 0 };
        let expected = objective.answers(&shorter).loss;
        assert!((anchored.loss_without[slot] - expected).abs() < 1e-5, "slot {slot}");
    }
    // A threshold between two slots' changes drops the one and keeps the other.
    let whole = objective.answers(&trigger).loss;
    let mut changes: Vec<f64> =
        anchored.loss_without.iter().map(|loss| (loss - whole).abs()).collect();
    changes.sort_by(f64::total_cmp);
    let config = ScanConfig { anchor_threshold: f64::midpoint(changes[1], changes[2]), ..config };
    assert_eq!(anchor(&objective, &space, &trigger, &config).unwrap().trigger.ids.len(), 1);
}
