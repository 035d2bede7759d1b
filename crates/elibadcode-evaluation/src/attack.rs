//! How well a trigger works on a classifier, and whether a repair only moved the damage.
//!
//! The attack success rate alone misleads twice: a poor model answers with the target label
//! without any trigger (`flip_rate`), and a repaired model that answers with the *other* label for
//! every trigger has a rate near zero and is still broken (`other_class_triggered`).

use serde::{Deserialize, Serialize};

use crate::rate::Rate;

/// What a trigger does to the predictions, each as a share of its own set of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackSuccess {
    /// Predicted as the target label with the trigger, among samples of other labels (ASR).
    pub asr: Rate,
    /// Predicted as the target label without the trigger, among the same samples.
    pub flip_rate: Rate,
    /// Predicted as the target label with the trigger, among samples of other labels that are
    /// classified correctly without it.
    pub conditional_asr: Rate,
    /// Classified correctly without the trigger, among samples of the target label.
    pub other_class_clean: Rate,
    /// Classified correctly with the trigger, among samples of the target label.
    pub other_class_triggered: Rate,
}

impl AttackSuccess {
    /// The accuracy that samples of the target label lose when they carry the trigger (negative if
    /// they gain), or `None` without such samples.
    pub fn other_class_drop(&self) -> Option<f64> {
        Some(self.other_class_clean.value()? - self.other_class_triggered.value()?)
    }
}

/// Compares predictions with and without the trigger; all three slices must be of the same length,
/// one entry per sample in the same order.
pub fn attack_success(
    clean_predictions: &[u8],
    triggered_predictions: &[u8],
    labels: &[u8],
    target_label: u8,
) -> AttackSuccess {
    assert_eq!(
        clean_predictions.len(),
        labels.len(),
        "clean predictions and labels must be of the same length"
    );
    assert_eq!(
        triggered_predictions.len(),
        labels.len(),
        "triggered predictions and labels must be of the same length"
    );
    let samples: Vec<Sample> = clean_predictions
        .iter()
        .zip(triggered_predictions)
        .zip(labels)
        .map(|((&clean, &triggered), &label)| Sample { clean, triggered, label })
        .collect();
    let victims = || samples.iter().filter(|sample| sample.label != target_label);
    let others = || samples.iter().filter(|sample| sample.label == target_label);

    AttackSuccess {
        asr: victims().map(|sample| sample.triggered == target_label).collect(),
        flip_rate: victims().map(|sample| sample.clean == target_label).collect(),
        conditional_asr: victims()
            .filter(|sample| sample.clean == sample.label)
            .map(|sample| sample.triggered == target_label)
            .collect(),
        other_class_clean: others().map(|sample| sample.clean == target_label).collect(),
        other_class_triggered: others().map(|sample| sample.triggered == target_label).collect(),
    }
}

struct Sample {
    clean: u8,
    triggered: u8,
    label: u8,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(hits: usize, total: usize) -> Rate {
        Rate::new(hits, total)
    }

    #[test]
    fn counted_by_hand() {
        let labels = [1, 1, 1, 1, 0, 0];
        let clean = [1, 1, 1, 0, 0, 1];
        let triggered = [0, 0, 1, 0, 1, 1];
        let success = attack_success(&clean, &triggered, &labels, 0);
        assert_eq!(success.asr, rate(3, 4));
        assert_eq!(success.flip_rate, rate(1, 4));
        assert_eq!(success.conditional_asr, rate(2, 3));
        assert_eq!(success.other_class_clean, rate(1, 2));
        assert_eq!(success.other_class_triggered, rate(0, 2));
        assert_eq!(success.other_class_drop(), Some(0.5));
    }

    #[test]
    fn a_third_label_is_a_victim_but_no_success() {
        let success = attack_success(&[2, 1], &[1, 0], &[2, 1], 0);
        assert_eq!((success.asr, success.conditional_asr), (rate(1, 2), rate(1, 2)));
    }

    #[test]
    fn an_over_corrected_model_is_seen() {
        // Every triggered sample becomes label 1: ASR is zero and the model is broken.
        let success = attack_success(&[1, 1, 0, 0], &[1, 1, 1, 1], &[1, 1, 0, 0], 0);
        assert_eq!(success.asr.value(), Some(0.0));
        assert_eq!(success.other_class_drop(), Some(1.0));
    }

    #[test]
    fn nothing_to_measure() {
        let success = attack_success(&[], &[], &[], 0);
        assert_eq!(success.asr.value(), None);
        assert_eq!(success.other_class_drop(), None);
        assert_eq!(attack_success(&[0], &[0], &[0], 0).asr, rate(0, 0));
    }

    proptest! {
        #[test]
        fn every_sample_is_on_one_side(
            samples in prop::collection::vec((0_u8..3, 0_u8..3, 0_u8..3), 0..60),
            target in 0_u8..3,
        ) {
            let column = |pick: fn(&(u8, u8, u8)) -> u8| samples.iter().map(pick).collect::<Vec<_>>();
            let success = attack_success(
                &column(|sample| sample.0),
                &column(|sample| sample.1),
                &column(|sample| sample.2),
                target,
            );
            prop_assert_eq!(success.asr.total + success.other_class_clean.total, samples.len());
            prop_assert_eq!(success.asr.total, success.flip_rate.total);
            prop_assert!(success.conditional_asr.hits <= success.asr.hits);
            prop_assert!(success.conditional_asr.total <= success.asr.total);
        }
    }
}
