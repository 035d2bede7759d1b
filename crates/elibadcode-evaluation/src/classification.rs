//! How well a classifier does its honest job: accuracy (defect detection) and F1 of class 1
//! (clone detection).

use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::statistics::{Interval, wilson_interval};

/// The label that F1 is about: defective, or a clone.
const POSITIVE: u8 = 1;

/// Counts of a two-way decision, "class 1 or not".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Class 1, predicted as class 1.
    pub true_positives: usize,
    /// Another class, predicted as class 1.
    pub false_positives: usize,
    /// Another class, predicted as another class.
    pub true_negatives: usize,
    /// Class 1, predicted as another class.
    pub false_negatives: usize,
}

impl Confusion {
    /// Counts `predicted` against `truth`, which must be of the same length.
    pub fn count(predicted: &[u8], truth: &[u8]) -> Self {
        assert_same_length(predicted, truth);
        let mut confusion = Self::default();
        for (&predicted, &truth) in predicted.iter().zip(truth) {
            let counter = match (predicted == POSITIVE, truth == POSITIVE) {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_positives,
                (false, false) => &mut confusion.true_negatives,
                (false, true) => &mut confusion.false_negatives,
            };
            *counter += 1;
        }
        confusion
    }

    /// The harmonic mean of precision and recall, or `None` if class 1 neither occurs nor is
    /// predicted.
    pub fn f1(&self) -> Option<f64> {
        let found = 2 * self.true_positives;
        let all = found + self.false_positives + self.false_negatives;
        (all > 0).then(|| found as f64 / all as f64)
    }
}

/// The share of samples whose prediction equals the truth; the slices must be of the same length.
pub fn accuracy(predicted: &[u8], truth: &[u8]) -> Rate {
    assert_same_length(predicted, truth);
    predicted.iter().zip(truth).map(|(predicted, truth)| predicted == truth).collect()
}

/// F1 of class 1, or `None` if class 1 neither occurs nor is predicted; the slices must be of the
/// same length.
pub fn f1(predicted: &[u8], truth: &[u8]) -> Option<f64> {
    Confusion::count(predicted, truth).f1()
}

/// The interval of an F1 of class 1 that rests on `n_errors` wrong predictions, or `None` without
/// errors, or without an F1 to speak of.
///
/// Of the samples that are of class 1 or predicted as it, a share J is both, and F1 is
/// 2 J / (1 + J): the ends are those of J's Wilson interval.
pub fn f1_interval(f1: f64, n_errors: usize, confidence: f64) -> Option<Interval> {
    if n_errors == 0 || !(0.0..1.0).contains(&f1) {
        return None;
    }
    let true_positives = (f1 * n_errors as f64 / (2.0 * (1.0 - f1))).round() as usize;
    let share = wilson_interval(true_positives, true_positives + n_errors, confidence)?;
    let f1_of = |share: f64| 2.0 * share / (1.0 + share);
    Some(Interval { low: f1_of(share.low), high: f1_of(share.high) })
}

fn assert_same_length(predicted: &[u8], truth: &[u8]) {
    assert_eq!(
        predicted.len(),
        truth.len(),
        "predictions and true labels must be of the same length"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(predicted: &[u8], truth: &[u8], expected: (usize, Option<f64>)) {
        assert_eq!((accuracy(predicted, truth).hits, f1(predicted, truth)), expected);
    }

    #[test]
    fn counted_by_hand() {
        check(&[], &[], (0, None));
        check(&[0, 0], &[0, 0], (2, None));
        check(&[1, 1], &[1, 1], (2, Some(1.0)));
        check(&[0, 0], &[1, 1], (0, Some(0.0)));
        check(&[1, 0, 1, 0], &[1, 1, 0, 0], (2, Some(0.5)));
        check(&[2, 1, 0], &[2, 1, 1], (2, Some(2.0 / 3.0)));
    }

    #[test]
    fn intervals_of_f1_follow_the_counts() {
        let confusion = Confusion {
            true_positives: 90,
            false_positives: 7,
            true_negatives: 100,
            false_negatives: 3,
        };
        let f1 = confusion.f1().expect("there are positives");
        let interval = f1_interval(f1, 10, 0.95).expect("there are errors");
        // J = 90 of 100: its Wilson interval is 0.82563 to 0.94477.
        assert!((interval.low - 2.0 * 0.825_63 / 1.825_63).abs() < 1e-5, "{interval:?}");
        assert!((interval.high - 2.0 * 0.944_77 / 1.944_77).abs() < 1e-5, "{interval:?}");
        assert!(interval.low < f1 && f1 < interval.high);
        assert_eq!(f1_interval(1.0, 0, 0.95), None);
        assert_eq!(f1_interval(0.0, 5, 0.95).map(|it| it.low), Some(0.0));
    }

    proptest! {
        #[test]
        fn counts_add_up(pairs: Vec<(u8, u8)>) {
            let (predicted, truth): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            let confusion = Confusion::count(&predicted, &truth);
            let Confusion { true_positives, false_positives, true_negatives, false_negatives } =
                confusion;
            prop_assert_eq!(
                true_positives + false_positives + true_negatives + false_negatives,
                truth.len()
            );
            prop_assert!(confusion.f1().is_none_or(|f1| (0.0..=1.0).contains(&f1)));
        }

        #[test]
        fn perfect_predictions_score_one(truth in prop::collection::vec(0_u8..3, 1..40)) {
            prop_assert_eq!(accuracy(&truth, &truth).value(), Some(1.0));
            prop_assert!(f1(&truth, &truth).is_none_or(|f1| f1 >= 1.0));
        }
    }
}
