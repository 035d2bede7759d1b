//! How well a classifier does its honest job: accuracy (defect detection) and F1 of class 1
//! (clone detection).

use serde::{Deserialize, Serialize};

use crate::rate::Rate;

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

    /// The share of class-1 predictions that are right.
    pub fn precision(&self) -> Rate {
        Rate::new(self.true_positives, self.true_positives + self.false_positives)
    }

    /// The share of class-1 samples that are found.
    pub fn recall(&self) -> Rate {
        Rate::new(self.true_positives, self.true_positives + self.false_negatives)
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
    fn precision_and_recall() {
        let confusion = Confusion::count(&[1, 1, 1, 0], &[1, 0, 0, 1]);
        assert_eq!(confusion.precision(), Rate::new(1, 3));
        assert_eq!(confusion.recall(), Rate::new(1, 2));
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
