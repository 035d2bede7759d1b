//! How much more likely one group is than another, in odds.

use super::normal::critical_value;
use super::proportion::Interval;

/// The odds of the first group over those of the second, each `(hits, misses)`, at `confidence`: Woolf's
/// interval, with 0.5 added to each count (Haldane and Anscombe). Counts may be weighted.
pub fn odds_ratio_interval(first: (f64, f64), second: (f64, f64), confidence: f64) -> Interval {
    let [a, b, c, d] = [first.0, first.1, second.0, second.1].map(|count| count + 0.5);
    let deviation = (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt();
    let (middle, half_width) = ((a * d / (b * c)).ln(), critical_value(confidence) * deviation);
    Interval { low: (middle - half_width).exp(), high: (middle + half_width).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;

    // python -c "from math import *; from statistics import NormalDist
    //   a, b, c, d = (it + 0.5 for it in counts); z = NormalDist().inv_cdf(0.975)
    //   half = z * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    //   print(a * d / b / c * exp(-half), a * d / b / c * exp(half))"
    #[test]
    fn intervals_as_in_python() {
        let check = |first, second, low, high| {
            let interval = odds_ratio_interval(first, second, 0.95);
            assert_close(interval.low, low, 1e-9);
            assert_close(interval.high, high, 1e-9);
        };
        check((53.0, 16.0), (247.0, 284.0), 2.091_802_758_205, 6.640_993_868);
        check((1.0, 0.0), (1.0, 1.0), 0.059_527_571_904, 151.190_443_555);
        check((18.0, 0.0), (282.0, 300.0), 2.360_752_350_115, 656.152_919_919);
        check((12.5, 3.5), (40.0, 60.0), 1.478_150_724_576, 15.945_887_810);
    }

    #[test]
    fn groups_without_hits_have_wide_intervals() {
        let interval = odds_ratio_interval((0.0, 0.0), (0.0, 0.0), 0.95);
        assert!(interval.low < 0.01 && interval.high > 100.0);
    }
}
