//! The standard normal distribution to double precision, from its series and continued fraction
//! instead of tabulated coefficients.

use std::f64::consts::PI;

/// From here on the continued fraction converges faster than the series.
const SERIES_LIMIT: f64 = 2.5;

/// Depth at which the continued fraction has converged for every x above the limit.
const FRACTION_DEPTH: u32 = 200;

/// Beyond this the upper tail is zero in double precision.
const FARTHEST: f64 = 40.0;

/// The probability of a value above `x`.
pub(super) fn upper_tail(x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x < 0.0 {
        1.0 - upper_tail(-x)
    } else if x > FARTHEST {
        0.0
    } else if x < SERIES_LIMIT {
        0.5 - density(x) * series(x)
    } else {
        density(x) / fraction(x)
    }
}

/// The `z` that a standard normal value stays within, up and down, with probability `confidence`.
pub(super) fn critical_value(confidence: f64) -> f64 {
    let tail = (1.0 - confidence) / 2.0;
    let (mut low, mut high) = (0.0, FARTHEST);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if upper_tail(middle) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// x + x³/3 + x⁵/(3·5) + …, which times the density is the probability of 0 to x.
fn series(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    let mut odd = 1.0;
    while term > sum * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    sum
}

/// x + 1/(x + 2/(x + 3/(x + …))), by which the density is divided for the upper tail.
fn fraction(x: f64) -> f64 {
    (1..=FRACTION_DEPTH).rev().fold(x, |below, k| x + f64::from(k) / below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;

    // uv run --with scipy==1.17.1 python -c "from scipy.stats import norm; print(norm.sf(x))"
    #[test]
    fn tails_as_in_scipy() {
        let check = |x: f64, expected: f64| {
            assert_close(upper_tail(x) / expected, 1.0, 1e-12);
        };
        check(-8.0, 0.999_999_999_999_999_3);
        check(-3.0, 0.998_650_101_968_369_9);
        check(-0.2, 0.579_259_709_439_103);
        check(0.0, 0.5);
        check(0.5, 0.308_537_538_725_986_9);
        check(1.96, 0.024_997_895_148_220_435);
        check(2.5, 0.006_209_665_325_776_132);
        check(3.0, 0.001_349_898_031_630_093_3);
        check(6.0, 9.865_876_450_376_946e-10);
        check(8.0, 6.220_960_574_271_74e-16);
        check(30.0, 4.906_713_927_147_908e-198);
    }

    #[test]
    fn extremes() {
        assert_close(upper_tail(f64::INFINITY), 0.0, 0.0);
        assert_close(upper_tail(f64::NEG_INFINITY), 1.0, 0.0);
        assert!(upper_tail(f64::NAN).is_nan());
    }

    #[test]
    fn critical_values_as_in_scipy() {
        assert_close(critical_value(0.95), 1.959_963_984_540_054, 1e-12);
        assert_close(critical_value(0.6), 0.841_621_233_572_914_3, 1e-12);
        assert_close(critical_value(0.998), 3.090_232_306_167_813, 1e-11);
    }
}
