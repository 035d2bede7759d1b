//! Wilcoxon's signed-rank test, for samples that come in pairs: the p-value is counted, not
//! approximated.

use super::rank_test::ranks;

/// Differences of rates round: what differs by less than this is a tie.
const RESOLUTION: f64 = 1e-9;

/// Two-sided p-value of Wilcoxon's signed-rank test, by its exact distribution given the ties.
///
/// Pairs that are equal say nothing and are left out; 1 if all are, `None` without pairs or with a NaN.
pub fn signed_rank_exact(pairs: &[(f64, f64)]) -> Option<f64> {
    let difference = |(first, second): &(f64, f64)| ((first - second) / RESOLUTION).round();
    let differences: Vec<f64> = pairs.iter().map(difference).collect();
    if differences.is_empty() || differences.iter().any(|it| it.is_nan()) {
        return None;
    }
    let sizes = |is_wanted: fn(&f64) -> bool| -> Vec<f64> {
        differences.iter().filter(|it| is_wanted(it)).map(|it| it.abs()).collect()
    };
    let ranks = ranks(&sizes(|it| *it > 0.0), &sizes(|it| *it < 0.0));
    // Mean ranks are halves at worst, so that twice a rank is whole.
    let doubled = |&(rank, _): &(f64, bool)| (2.0 * rank) as usize;
    let observed: usize = ranks.iter().filter(|(_, is_positive)| *is_positive).map(doubled).sum();
    let most: usize = ranks.iter().map(doubled).sum();
    // How probable each sum of the positive ones is, if every sign is as likely as the other.
    let mut probabilities = vec![0.0; most + 1];
    probabilities[0] = 1.0;
    for rank in ranks.iter().map(doubled) {
        for sum in (0..=most).rev() {
            let more = if sum >= rank { probabilities[sum - rank] } else { 0.0 };
            probabilities[sum] = f64::midpoint(probabilities[sum], more);
        }
    }
    let at_most: f64 = probabilities[..=observed].iter().sum();
    let at_least: f64 = probabilities[observed..].iter().sum();
    Some((2.0 * at_most.min(at_least)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;

    fn check(differences: &[f64], expected: f64) {
        let pairs: Vec<(f64, f64)> = differences.iter().map(|it| (it + 1.0, 1.0)).collect();
        assert_close(signed_rank_exact(&pairs).expect("there are pairs"), expected, 1e-12);
        let turned: Vec<(f64, f64)> = pairs.into_iter().map(|(a, b)| (b, a)).collect();
        assert_close(signed_rank_exact(&turned).expect("there are pairs"), expected, 1e-12);
    }

    // uv run --with scipy==1.17.1 python -c "from scipy.stats import wilcoxon
    //   print(wilcoxon(differences, method='exact').pvalue)"
    #[test]
    fn p_values_as_in_scipy() {
        check(&[1.25, -0.5, 2.5, 3.0, 1.0, -1.75, 4.5], 0.156_25);
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.0625);
    }

    // The same with scipy.stats.permutation_test over all signs, whose statistic is the sum of the
    // positive ranks: its 'exact' test does not know ties.
    #[test]
    fn ties_as_in_scipy() {
        check(&[1.0, -1.0, 2.0, 2.0, -3.0, 4.0, 0.0, 5.0], 0.25);
        // The same in rates, whose differences round.
        check(&[0.1, -0.1, 0.2, 0.2, -0.3, 0.4, 0.0, 0.5], 0.25);
        check(&[0.5, 0.5, -0.5], 1.0);
    }

    #[test]
    fn nothing_to_compare() {
        assert_eq!(signed_rank_exact(&[]), None);
        assert_eq!(signed_rank_exact(&[(1.0, f64::NAN)]), None);
        assert_eq!(signed_rank_exact(&[(1.0, 1.0)]), Some(1.0));
    }

    #[test]
    fn many_pairs_do_not_overflow() {
        let pairs: Vec<(f64, f64)> = (1..=400).map(|n| (f64::from(n), 0.0)).collect();
        assert!(signed_rank_exact(&pairs).expect("there are pairs") < 1e-60);
    }
}
