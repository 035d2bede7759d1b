//! The receiver operating characteristic: what a threshold on a score would do.

use serde::{Deserialize, Serialize};

use super::normal::critical_value;
use super::proportion::Interval;

/// One threshold: scores at or above it are called positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// The threshold.
    pub threshold: f64,
    /// Share of the negatives at or above it.
    pub false_positive_rate: f64,
    /// Share of the positives at or above it.
    pub true_positive_rate: f64,
}

/// One point per distinct score, the highest threshold first; empty if a class is missing or a
/// score is NaN. The slices must be of the same length.
pub fn roc_curve(scores: &[f64], is_positive: &[bool]) -> Vec<RocPoint> {
    assert_eq!(scores.len(), is_positive.len(), "scores and labels must be of the same length");
    let n_positive = is_positive.iter().filter(|it| **it).count();
    let n_negative = scores.len() - n_positive;
    if n_positive == 0 || n_negative == 0 || scores.iter().any(|it| it.is_nan()) {
        return Vec::new();
    }
    let mut ranked: Vec<(f64, bool)> =
        scores.iter().copied().zip(is_positive.iter().copied()).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut true_positives, mut false_positives) = (0, 0);
    ranked
        .chunk_by(|(a, _), (b, _)| a.total_cmp(b).is_eq())
        .map(|tied| {
            let n_hits = tied.iter().filter(|(_, positive)| *positive).count();
            true_positives += n_hits;
            false_positives += tied.len() - n_hits;
            RocPoint {
                threshold: tied[0].0,
                false_positive_rate: f64::from(false_positives as u32) / n_negative as f64,
                true_positive_rate: f64::from(true_positives as u32) / n_positive as f64,
            }
        })
        .collect()
}

/// The highest true positive rate of a curve at or below a false positive rate; 0 if every
/// threshold has more.
pub fn true_positive_rate_at(curve: &[RocPoint], false_positive_rate: f64) -> f64 {
    curve
        .iter()
        .filter(|it| it.false_positive_rate <= false_positive_rate)
        .map(|it| it.true_positive_rate)
        .fold(0.0, f64::max)
}

/// An interval for the area under the curve: the areas from which the measured one is at most the
/// critical number of standard deviations away, with the variance of Hanley (1982) at those areas
/// (Newcombe 2006, method 5). Unlike intervals of the measured variance it has a width at 1, too.
/// `None` without one of the classes.
pub fn auroc_interval(
    auroc: f64,
    n_positive: usize,
    n_negative: usize,
    confidence: f64,
) -> Option<Interval> {
    assert!((0.0..=1.0).contains(&auroc), "an area of {auroc} is not within 0..=1");
    if n_positive == 0 || n_negative == 0 {
        return None;
    }
    let z = critical_value(confidence);
    let (m, n) = (n_positive as f64, n_negative as f64);
    let others = f64::midpoint(m, n) - 1.0;
    let deviation = |area: f64| {
        let spread = (1.0 - area) / (2.0 - area) + area / (1.0 + area);
        (area * (1.0 - area) * (1.0 + others * spread) / (m * n)).sqrt()
    };
    // The distance in deviations shrinks as the area comes nearer to the measured one.
    let end = |far: f64| {
        let (mut outside, mut inside) = (far, auroc);
        for _ in 0..60 {
            let middle = f64::midpoint(outside, inside);
            if (auroc - middle).abs() > z * deviation(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        inside
    };
    Some(Interval { low: end(0.0), high: end(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::roc_auc;

    const SCORES: [f64; 6] = [0.9, 0.8, 0.8, 0.4, 0.3, 0.1];
    const POSITIVE: [bool; 6] = [true, true, false, true, false, false];

    #[test]
    fn every_distinct_score_is_a_threshold() {
        let curve = roc_curve(&SCORES, &POSITIVE);
        let shares: Vec<(f64, f64)> = curve
            .iter()
            .map(|it| (it.false_positive_rate * 3.0, it.true_positive_rate * 3.0))
            .collect();
        assert_eq!(shares, [(0.0, 1.0), (1.0, 2.0), (1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]);
        assert!(roc_curve(&SCORES, &[true; 6]).is_empty());
        assert!(roc_curve(&[f64::NAN, 1.0], &[true, false]).is_empty());
    }

    #[test]
    fn a_false_positive_rate_buys_a_true_one() {
        let curve = roc_curve(&SCORES, &POSITIVE);
        assert!((true_positive_rate_at(&curve, 0.05) - 1.0 / 3.0).abs() < 1e-12);
        assert!((true_positive_rate_at(&curve, 0.34) - 1.0).abs() < 1e-12);
        assert!(true_positive_rate_at(&[], 0.5).abs() < 1e-12);
    }

    // Roots of (area - x)^2 = z^2 x (1 - x) (1 + ((m + n) / 2 - 1) ((1 - x) / (2 - x) + x / (1 + x))) / (m n),
    // found by bisection in Python.
    #[test]
    fn intervals_as_in_newcombes_equation() {
        let check = |area, m, n, low: f64, high: f64| {
            let found = auroc_interval(area, m, n, 0.95).expect("both classes");
            crate::assert_close(found.low, low, 1e-7);
            crate::assert_close(found.high, high, 1e-7);
        };
        check(0.9, 20, 30, 0.764_250_918, 0.958_833_499);
        check(0.75, 12, 8, 0.485_506_977, 0.898_828_474);
        check(1.0, 30, 30, 0.933_023_822, 1.0);
    }

    #[test]
    fn intervals_hold_the_area_and_have_a_width_at_1() {
        let area = roc_auc(&SCORES, &POSITIVE).expect("both classes");
        let interval = auroc_interval(area, 3, 3, 0.95).expect("both classes");
        assert!(interval.low < area && area < interval.high, "{interval:?}");
        let perfect = auroc_interval(1.0, 30, 30, 0.95).expect("both classes");
        assert!(perfect.low > 0.9 && perfect.low < 0.99, "{perfect:?}");
        crate::assert_close(perfect.high, 1.0, 1e-9);
        let few = auroc_interval(1.0, 3, 3, 0.95).expect("both classes");
        assert!(few.low < perfect.low);
        assert_eq!(auroc_interval(0.5, 0, 3, 0.95), None);
    }
}
