//! Comparisons by rank: the Mann-Whitney U test and the area under the ROC curve.

use std::cmp::Ordering;

use super::normal::upper_tail;

/// The outcome of a Mann-Whitney U test of a first against a second sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the first sample's value is the larger one, ties counting half.
    pub u: f64,
    /// P-value against "the samples do not differ in either direction".
    pub p_two_sided: f64,
    /// P-value against "the first sample is not larger".
    pub p_greater: f64,
    /// P-value against "the first sample is not smaller".
    pub p_less: f64,
}

/// The Mann-Whitney U test with the normal approximation, continuity and tie correction, or `None`
/// if a sample is empty or holds a NaN.
///
/// The approximation is rough for samples of fewer than about eight values; see
/// [`mann_whitney_exact`](super::mann_whitney_exact).
pub fn mann_whitney_u(first: &[f64], second: &[f64]) -> Option<MannWhitney> {
    let Ranked { u, tie_term } = rank(first, second)?;
    let (n_first, n_second) = (first.len() as f64, second.len() as f64);
    let n = n_first + n_second;
    let pairs = n_first * n_second;
    let variance = pairs / 12.0 * ((n + 1.0) - tie_term / (n * (n - 1.0)));
    let p_above = |u: f64| {
        // With all values equal there is no variance and no evidence either way.
        if variance > 0.0 { upper_tail((u - pairs / 2.0 - 0.5) / variance.sqrt()) } else { 1.0 }
    };
    Some(MannWhitney {
        u,
        p_two_sided: (2.0 * p_above(u.max(pairs - u))).min(1.0),
        p_greater: p_above(u),
        p_less: p_above(pairs - u),
    })
}

/// The probability that a positive scores higher than a negative, ties counting half, or `None` if
/// one kind is missing or a score is NaN; the slices must be of the same length.
pub fn roc_auc(scores: &[f64], is_positive: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), is_positive.len(), "scores and labels must be of the same length");
    let pick = |wanted: bool| -> Vec<f64> {
        let labeled = scores.iter().zip(is_positive);
        labeled.filter(|&(_, &positive)| positive == wanted).map(|(&score, _)| score).collect()
    };
    let (positives, negatives) = (pick(true), pick(false));
    let Ranked { u, .. } = rank(&positives, &negatives)?;
    Some(u / (positives.len() * negatives.len()) as f64)
}

struct Ranked {
    /// U of the first sample.
    u: f64,
    /// Sum of t³ − t over groups of t equal values.
    tie_term: f64,
}

/// Ranks both samples together, equal values sharing their mean rank.
fn rank(first: &[f64], second: &[f64]) -> Option<Ranked> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    if first.iter().chain(second).any(|value| value.is_nan()) {
        return None;
    }
    let ranks = ranks(first, second);
    let rank_sum: f64 = ranks.iter().filter(|(_, is_first)| *is_first).map(|(rank, _)| rank).sum();
    let tie_term = ranks
        .chunk_by(|(left, _), (right, _)| left.total_cmp(right).is_eq())
        .map(|tied| (tied.len() as f64).powi(3) - tied.len() as f64)
        .sum();
    let n_first = first.len() as f64;
    Some(Ranked { u: rank_sum - n_first * (n_first + 1.0) / 2.0, tie_term })
}

/// The mean rank of every value of both samples, ascending, and whether it is of the first.
pub(super) fn ranks(first: &[f64], second: &[f64]) -> Vec<(f64, bool)> {
    let mut pooled: Vec<(f64, bool)> = first.iter().map(|&value| (value, true)).collect();
    pooled.extend(second.iter().map(|&value| (value, false)));
    pooled.sort_by(|(left, _), (right, _)| left.total_cmp(right));
    let mut ranks = Vec::with_capacity(pooled.len());
    // `partial_cmp` rather than `total_cmp`: 0.0 and -0.0 are equal measurements.
    for tied in pooled
        .chunk_by(|(left, _), (right, _)| left.partial_cmp(right).is_some_and(Ordering::is_eq))
    {
        let mean_rank = ranks.len() as f64 + f64::midpoint(1.0, tied.len() as f64);
        ranks.extend(tied.iter().map(|&(_, is_first)| (mean_rank, is_first)));
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    // uv run --with scipy==1.17.1 python -c "from scipy.stats import mannwhitneyu
    //   for alternative in ('two-sided', 'greater', 'less'):
    //     print(mannwhitneyu(first, second, alternative=alternative, method='asymptotic'))"
    #[test]
    fn p_values_as_in_scipy() {
        let check = |first: &[f64], second: &[f64], expected: [f64; 4]| {
            let test = mann_whitney_u(first, second).expect("two samples");
            let actual = [test.u, test.p_two_sided, test.p_greater, test.p_less];
            for (actual, expected) in actual.into_iter().zip(expected) {
                assert_close(actual, expected, 1e-12);
            }
        };
        check(
            &[19.0, 22.0, 16.0, 29.0, 24.0],
            &[20.0, 11.0, 17.0, 12.0],
            [17.0, 0.111_346_886_533_140_41, 0.055_673_443_266_570_206, 0.966_903_710_138_903_1],
        );
        check(
            &[1.0, 2.0, 2.0, 3.0, 5.0],
            &[2.0, 3.0, 4.0, 4.0, 6.0, 7.0],
            [6.5, 0.138_625_879_878_927_63, 0.952_147_624_412_559_3, 0.069_312_939_939_463_82],
        );
        check(
            &[0.5, 0.5, 0.9],
            &[0.1, 0.2, 0.5, 0.4],
            [11.0, 0.098_728_647_894_824_93, 0.049_364_323_947_412_46, 0.978_201_677_557_229_3],
        );
    }

    #[test]
    fn no_evidence() {
        assert_eq!(mann_whitney_u(&[], &[1.0]), None);
        assert_eq!(mann_whitney_u(&[1.0], &[f64::NAN]), None);
        let tied = mann_whitney_u(&[1.0, 1.0], &[1.0]).expect("two samples");
        assert_eq!((Some(tied.u), Some(tied.p_two_sided)), (Some(1.0), Some(1.0)));
    }

    #[test]
    fn area_by_hand() {
        let check = |scores: &[f64], is_positive: &[bool], expected: Option<f64>| {
            assert_eq!(roc_auc(scores, is_positive), expected);
        };
        check(&[], &[], None);
        check(&[0.1, 0.2], &[true, true], None);
        check(&[0.1, f64::NAN], &[true, false], None);
        check(&[0.1, 0.9], &[false, true], Some(1.0));
        check(&[0.1, 0.9], &[true, false], Some(0.0));
        check(&[0.5, 0.5], &[true, false], Some(0.5));
        check(&[0.0, -0.0], &[true, false], Some(0.5));
        check(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], Some(0.75));
        check(&[0.3, 0.3, 0.1, 0.9], &[true, false, false, true], Some(0.875));
    }

    proptest! {
        #[test]
        fn swapping_the_classes_mirrors_the_area(
            samples in prop::collection::vec((0_u8..6, any::<bool>()), 0..40),
        ) {
            let scores: Vec<f64> = samples.iter().map(|&(score, _)| f64::from(score)).collect();
            let labels: Vec<bool> = samples.iter().map(|&(_, label)| label).collect();
            let swapped: Vec<bool> = labels.iter().map(|label| !label).collect();
            match (roc_auc(&scores, &labels), roc_auc(&scores, &swapped)) {
                (Some(area), Some(mirrored)) => {
                    prop_assert!((0.0..=1.0).contains(&area));
                    prop_assert!((area + mirrored - 1.0).abs() < 1e-12);
                }
                (area, mirrored) => prop_assert_eq!(area, mirrored),
            }
        }

        #[test]
        fn p_values_are_probabilities(
            first in prop::collection::vec(-5.0..5.0_f64, 1..20),
            second in prop::collection::vec(-5.0..5.0_f64, 1..20),
        ) {
            let test = mann_whitney_u(&first, &second).expect("two samples");
            for p_value in [test.p_two_sided, test.p_greater, test.p_less] {
                prop_assert!((0.0..=1.0).contains(&p_value));
            }
        }
    }
}
