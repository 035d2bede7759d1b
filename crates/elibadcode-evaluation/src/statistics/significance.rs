//! P-values from control measurements, and their correction for many tests at once.

use std::cmp::Ordering;

/// The one-sided permutation p-value `(1 + controls at or above observed) / (1 + controls)`.
///
/// Never 0: with `n` controls the least possible value is 1/(n + 1), without controls it is 1.
/// A NaN on either side counts as a control that is at or above.
pub fn permutation_p_value(observed: f64, controls: &[f64]) -> f64 {
    let at_or_above = controls
        .iter()
        .filter(|control| control.partial_cmp(&&observed) != Some(Ordering::Less))
        .count();
    (1 + at_or_above) as f64 / (1 + controls.len()) as f64
}

/// P-values adjusted by Bonferroni's method, in the order given.
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    let n_tests = p_values.len() as f64;
    p_values.iter().map(|p_value| (p_value * n_tests).min(1.0)).collect()
}

/// P-values adjusted by Holm's step-down method, in the order given: never above Bonferroni's.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (n_done, &index) in order.iter().enumerate() {
        let n_left = (p_values.len() - n_done) as f64;
        largest = largest.max((p_values[index] * n_left).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    #[test]
    fn permutation_by_hand() {
        let check = |observed: f64, controls: &[f64], expected: f64| {
            assert_close(permutation_p_value(observed, controls), expected, 1e-12);
        };
        check(0.9, &[], 1.0);
        check(0.9, &[0.1, 0.2, 0.3], 0.25);
        check(0.9, &[0.1, 0.9, 0.95], 0.75);
        check(0.0, &[0.1, 0.9, 0.95], 1.0);
        check(f64::NAN, &[0.1, 0.9, 0.95], 1.0);
        check(0.9, &[f64::NAN, 0.1, 0.1], 0.5);
        check(1.0, &[0.0; 99], 0.01);
    }

    #[test]
    fn corrections_by_hand() {
        let check = |actual: Vec<f64>, expected: &[f64]| {
            assert_eq!(actual.len(), expected.len());
            for (actual, expected) in actual.iter().zip(expected) {
                assert_close(*actual, *expected, 1e-12);
            }
        };
        check(bonferroni(&[]), &[]);
        check(bonferroni(&[0.01, 0.4, 0.03]), &[0.03, 1.0, 0.09]);
        check(holm(&[]), &[]);
        check(holm(&[0.04]), &[0.04]);
        check(holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]);
        check(holm(&[0.01, 0.9, 0.8]), &[0.03, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn holm_lies_between(p_values in prop::collection::vec(0.0..=1.0_f64, 0..20)) {
            for ((raw, holm), bonferroni) in
                p_values.iter().zip(holm(&p_values)).zip(bonferroni(&p_values))
            {
                prop_assert!(*raw <= holm && holm <= bonferroni && bonferroni <= 1.0);
            }
        }

        #[test]
        fn permutation_is_a_probability(
            observed in -1.0..1.0_f64,
            controls in prop::collection::vec(-1.0..1.0_f64, 0..50),
        ) {
            let p_value = permutation_p_value(observed, &controls);
            prop_assert!(p_value > 0.0 && p_value <= 1.0);
        }
    }
}
