//! P-values from control measurements.

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

    proptest! {
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
