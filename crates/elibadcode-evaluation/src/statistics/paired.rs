//! Differences between two answers to the same questions.

use super::normal::critical_value;
use super::proportion::Interval;
use super::summary::{mean, sample_standard_deviation};

/// A normal interval for the mean of differences; `None` for fewer than two.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let (mean, deviation) = (mean(values)?, sample_standard_deviation(values)?);
    let margin = critical_value(confidence) * deviation / (values.len() as f64).sqrt();
    Some(Interval { low: mean - margin, high: mean + margin })
}

/// An interval for the share of right answers that was lost between `before` and `after`, answer
/// by answer of the same samples, in `-1..=1`; `None` without samples.
///
/// Agresti and Min (2005): a Wald interval of the discordant pairs with half a pair added to each
/// cell of the table, which keeps its coverage for small samples.
pub fn paired_drop(before: &[bool], after: &[bool], confidence: f64) -> Option<Interval> {
    assert_eq!(before.len(), after.len(), "both are answers to the same samples");
    if before.is_empty() {
        return None;
    }
    let count = |was: bool, is: bool| {
        0.5 + before.iter().zip(after).filter(|&(&a, &b)| (a, b) == (was, is)).count() as f64
    };
    let (lost, gained) = (count(true, false), count(false, true));
    let n = before.len() as f64 + 2.0;
    let drop = (lost - gained) / n;
    let deviation = (lost + gained - (lost - gained).powi(2) / n).sqrt() / n;
    let margin = critical_value(confidence) * deviation;
    Some(Interval { low: (drop - margin).max(-1.0), high: (drop + margin).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;

    /// `lost` right answers become wrong, `gained` the other way round, of `n`.
    fn interval(lost: usize, gained: usize, n: usize) -> Interval {
        let before: Vec<bool> = (0..n).map(|i| i < lost || i >= lost + gained).collect();
        let after: Vec<bool> = (0..n).map(|i| i >= lost).collect();
        paired_drop(&before, &after, 0.95).expect("there are samples")
    }

    #[test]
    fn by_hand() {
        // (12.5 - 5.5) / 102 and sqrt(18 - 49 / 102) / 102 times 1.95996.
        let found = interval(12, 5, 100);
        assert_close(found.low, 0.068_627 - 0.080_423, 1e-5);
        assert_close(found.high, 0.068_627 + 0.080_423, 1e-5);
    }

    #[test]
    fn means_by_hand() {
        // Mean 2, deviation 1, root of 3.
        let found = mean_interval(&[1.0, 2.0, 3.0], 0.95).expect("three values");
        assert_close(found.low, 2.0 - 1.959_964 / 3.0_f64.sqrt(), 1e-6);
        assert_close(found.high, 2.0 + 1.959_964 / 3.0_f64.sqrt(), 1e-6);
        assert_eq!(mean_interval(&[1.0], 0.95), None);
    }

    #[test]
    fn no_change_is_an_interval_around_zero() {
        let found = interval(0, 0, 50);
        assert_close(found.low, -found.high, 1e-12);
        assert!(found.high > 0.0 && found.high < 0.05);
        assert_eq!(paired_drop(&[], &[], 0.95), None);
    }
}
