//! Confidence intervals of a share.

use serde::{Deserialize, Serialize};

use super::normal::critical_value;

/// A closed interval of rates in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The Wilson score interval of `hits` in `total` trials at `confidence` (strictly between 0 and 1,
/// for example 0.95), or `None` without trials.
pub fn wilson_interval(hits: usize, total: usize, confidence: f64) -> Option<Interval> {
    assert!(hits <= total, "{hits} hits in {total} trials");
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not within 0..1");
    if total == 0 {
        return None;
    }
    let n = total as f64;
    let share = hits as f64 / n;
    let z = critical_value(confidence);
    let scale = 1.0 + z * z / n;
    let center = (share + z * z / (2.0 * n)) / scale;
    let half_width = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    // The ends are clamped because rounding may put them on the wrong side of 0, 1 or the share.
    Some(Interval {
        low: if hits == 0 { 0.0 } else { (center - half_width).clamp(0.0, share) },
        high: if hits == total { 1.0 } else { (center + half_width).clamp(share, 1.0) },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    // uv run --with scipy==1.17.1 python -c "from scipy.stats import binomtest
    //   print(binomtest(hits, total).proportion_ci(confidence, method='wilson'))"
    #[test]
    fn intervals_as_in_scipy() {
        let check = |hits, total, confidence, low, high| {
            let interval = wilson_interval(hits, total, confidence).expect("trials");
            assert_close(interval.low, low, 1e-12);
            assert_close(interval.high, high, 1e-12);
        };
        check(0, 10, 0.95, 0.0, 0.277_532_799_862_889_26);
        check(5, 10, 0.95, 0.236_593_090_512_564, 0.763_406_909_487_436_1);
        check(10, 10, 0.95, 0.722_467_200_137_110_7, 1.0);
        check(98, 100, 0.95, 0.929_988_209_271_456_1, 0.994_498_032_449_837_7);
        check(3, 7, 0.99, 0.116_373_680_516_138_17, 0.810_285_095_911_612_5);
        check(50, 1000, 0.9, 0.039_828_215_496_175_07, 0.062_600_203_419_609_41);
        assert_eq!(wilson_interval(0, 0, 0.95), None);
    }

    proptest! {
        #[test]
        fn the_point_estimate_is_inside(
            total in 1_usize..3000,
            share in 0.0..=1.0_f64,
            confidence in 0.001..0.9999_f64,
        ) {
            let hits = (total as f64 * share) as usize;
            let interval = wilson_interval(hits, total, confidence).expect("trials");
            prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
            let estimate = hits as f64 / total as f64;
            prop_assert!((interval.low..=interval.high).contains(&estimate));
        }
    }
}
