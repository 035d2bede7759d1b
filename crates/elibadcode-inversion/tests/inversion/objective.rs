use elibadcode_corpus::stage_rng;
use elibadcode_inversion::{CleanSample, Objective, Partner, Partners, Stamped, TriggerIds};
use elibadcode_models::{Head, LoadedModel, Mode};
use elibadcode_syntax::Language;
use rand::RngExt;

use crate::{FIXTURES, FUNCTIONS, load, masked, shifted, trigger};

/// Agreement of two ways to compute the same number in `f32`.
const SAME: f64 = 1e-5;

fn cross_entropy(log_odds: f64, target_label: u8) -> f64 {
    let x = if target_label == 1 { -log_odds } else { log_odds };
    x.exp().ln_1p()
}

/// Mean loss with `shift` added to the embedding of every place of one slot.
fn loss_at(
    model: &LoadedModel,
    rows: &[Stamped],
    partners: &Partners,
    slot: usize,
    shift: &[f64],
    target_label: u8,
) -> f64 {
    let network = &model.network;
    let losses = rows.iter().enumerate().map(|(index, row)| {
        let words = shifted(model, row, slot, shift);
        let [_, seq, _] = words.dims();
        let mode = &mut Mode::Evaluate;
        let z = match partners.of(index) {
            None => network.forward_embeddings(words, &[seq], mode),
            Some((partner, is_first)) => {
                let partner = network.forward_vectors(&[partner], mode);
                let own = network.vectors_from_embeddings(words, &[seq], mode);
                let (first, second) = if is_first { (partner, own) } else { (own, partner) };
                network.classify_pair(first, second, mode)
            }
        };
        cross_entropy(f64::from(z.into_scalar::<f32>()), target_label)
    });
    losses.sum::<f64>() / rows.len() as f64
}

/// Partners of [`masked`]'s samples on alternating sides, if the model takes pairs.
fn partners(model: &LoadedModel) -> Partners {
    if model.network.head() != Head::Pair {
        return Partners::default();
    }
    let samples: Vec<CleanSample> = FUNCTIONS
        .iter()
        .enumerate()
        .map(|(index, &code)| CleanSample {
            code: code.into(),
            label: 1,
            partner: Some(Partner {
                code: FUNCTIONS[(index + 1) % 3].into(),
                is_first: index % 2 == 0,
            }),
        })
        .collect();
    Partners::new(model, &samples, Language::C).unwrap()
}

/// The gradient against central differences along random directions, one slot at a time.
#[track_caller]
fn check_gradient(fixture: &str, trigger: &TriggerIds, target_label: u8) {
    const STEP: f64 = 1e-2;
    let model = load(fixture);
    let samples = masked(&model, trigger.ids.len());
    let rows: Vec<Stamped> = samples
        .iter()
        .map(|sample| sample.stamp(trigger, &model.tokenizer, model.max_length))
        .collect();
    let partners = partners(&model);
    let objective = Objective::new(&model, samples, &partners, target_label);
    let gradient = objective.slot_gradient(trigger);
    let mut rng = stage_rng(1, "directions");
    for (slot, values) in gradient.values.iter().enumerate() {
        let norm = values.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-3, "slot {slot} has no gradient to compare");
        for _ in 0..4 {
            let mut direction: Vec<f64> =
                values.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let length = direction.iter().map(|it| it * it).sum::<f64>().sqrt();
            for it in &mut direction {
                *it /= length;
            }
            let at = |step: f64| {
                let shift: Vec<f64> = direction.iter().map(|it| it * step).collect();
                loss_at(&model, &rows, &partners, slot, &shift, target_label)
            };
            let measured = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let computed: f64 = values.iter().zip(&direction).map(|(a, b)| f64::from(*a) * b).sum();
            assert!(
                (measured - computed).abs() < 1e-2 * norm,
                "{fixture}, slot {slot}: measured {measured}, computed {computed}, norm {norm}"
            );
        }
    }
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    for fixture in ["roberta-one-logit", "roberta-two-logit", "roberta-pair", "codet5-pair"] {
        check_gradient(fixture, &trigger(&[324, 288, 299]), 0);
        check_gradient(fixture, &trigger(&[300, 293]), 1);
        check_gradient(fixture, &TriggerIds { ids: vec![283, 284], keeps_name: true }, 0);
    }
}

#[test]
fn the_gradient_pass_and_the_scores_give_the_same_loss() {
    for fixture in ["roberta-one-logit", "roberta-two-logit", "roberta-pair", "codet5-one-logit"] {
        let model = load(fixture);
        let partners = partners(&model);
        for target_label in [0, 1] {
            let objective = Objective::new(&model, masked(&model, 3), &partners, target_label);
            for ids in [[324, 288, 299], [300, 293, 301]] {
                let trigger = trigger(&ids);
                let scored = objective.losses(std::slice::from_ref(&trigger), &[0, 1, 2, 3, 4])[0];
                let computed = objective.slot_gradient(&trigger).loss;
                assert!((scored - computed).abs() < SAME, "{scored} and {computed}");
                let answers = objective.answers(&trigger);
                assert!((scored - answers.loss).abs() < SAME);
            }
        }
    }
}

#[test]
fn company_in_the_batch_changes_no_loss() {
    let model = load(FIXTURES[0]);
    let objective = Objective::new(&model, masked(&model, 3), Partners::NONE, 0);
    let triggers = [
        trigger(&[324, 288, 299]),
        trigger(&[300]),
        TriggerIds { ids: vec![283, 284, 288], keeps_name: true },
    ];
    let all = [0, 1, 2, 3, 4];
    let together = objective.losses(&triggers, &all);
    assert!((together[0] - together[1]).abs() > SAME, "the triggers must differ for this test");
    for (trigger, expected) in triggers.iter().zip(&together) {
        let trigger = std::slice::from_ref(trigger);
        let alone = objective.losses(trigger, &all)[0];
        assert!((alone - expected).abs() < SAME, "{alone} and {expected}");
        let one_by_one: f64 =
            all.iter().map(|&index| objective.losses(trigger, &[index])[0]).sum::<f64>() / 5.0;
        assert!((one_by_one - expected).abs() < SAME, "{one_by_one} and {expected}");
    }
}

#[test]
fn losses_toward_the_two_labels_belong_to_one_probability() {
    let model = load(FIXTURES[1]);
    let trigger = [trigger(&[324, 288])];
    let loss = |target| {
        Objective::new(&model, masked(&model, 2), Partners::NONE, target).losses(&trigger, &[0])[0]
    };
    let total = (-loss(0)).exp() + (-loss(1)).exp();
    assert!((total - 1.0).abs() < SAME, "{total}");
}

#[test]
fn forward_passes_are_counted() {
    let model = load(FIXTURES[0]);
    let objective = Objective::new(&model, masked(&model, 2), Partners::NONE, 0);
    objective.losses(&[trigger(&[300, 299]), trigger(&[301, 299])], &[0, 3]);
    assert_eq!(objective.n_forwards(), 4);
    objective.slot_gradient(&trigger(&[300, 299]));
    assert_eq!(objective.n_forwards(), 9);
}
