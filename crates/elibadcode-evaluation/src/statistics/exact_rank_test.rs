//! The Mann-Whitney U test for small samples: the p-value is counted, not approximated.

use super::rank_test::{MannWhitney, mann_whitney_u, ranks};

/// Values of both samples together up to which the arrangements are counted.
const MAX_VALUES: usize = 100;

/// The Mann-Whitney U test by its exact permutation distribution given the ties, or for more than
/// 100 values by [`mann_whitney_u`]; `None` if a sample is empty or holds a NaN.
///
/// The two-sided p-value is twice the smaller of the one-sided ones.
pub fn mann_whitney_exact(first: &[f64], second: &[f64]) -> Option<MannWhitney> {
    let approximate = mann_whitney_u(first, second)?;
    if first.len() + second.len() > MAX_VALUES {
        return Some(approximate);
    }
    // Mean ranks are halves at worst, so that twice a rank is whole.
    let doubled: Vec<(usize, bool)> = ranks(first, second)
        .into_iter()
        .map(|(rank, is_first)| ((2.0 * rank) as usize, is_first))
        .collect();
    let observed: usize =
        doubled.iter().filter(|(_, is_first)| *is_first).map(|(rank, _)| rank).sum();
    let ranks: Vec<usize> = doubled.into_iter().map(|(rank, _)| rank).collect();
    let n_arrangements = arrangements_by_sum(&ranks, first.len());
    let total: f64 = n_arrangements.iter().sum();
    let p_less = n_arrangements[..=observed].iter().sum::<f64>() / total;
    let p_greater = n_arrangements[observed..].iter().sum::<f64>() / total;
    let p_two_sided = (2.0 * p_less.min(p_greater)).min(1.0);
    Some(MannWhitney { u: approximate.u, p_two_sided, p_greater, p_less })
}

/// In how many ways `n_chosen` of the ranks have each sum.
fn arrangements_by_sum(ranks: &[usize], n_chosen: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    // ways[k][sum]: of k of the ranks so far.
    let mut ways = vec![vec![0.0; most + 1]; n_chosen + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for k in (1..=n_chosen).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            for sum in rank..=most {
                more[0][sum] += fewer[k - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(n_chosen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    fn check(first: &[f64], second: &[f64], expected: [f64; 4]) {
        let test = mann_whitney_exact(first, second).expect("two samples");
        let actual = [test.u, test.p_two_sided, test.p_greater, test.p_less];
        for (actual, expected) in actual.into_iter().zip(expected) {
            assert_close(actual, expected, 1e-12);
        }
    }

    // uv run --with scipy==1.17.1 python -c "from scipy.stats import mannwhitneyu
    //   for alternative in ('two-sided', 'greater', 'less'):
    //     print(mannwhitneyu(first, second, alternative=alternative, method='exact'))"
    #[test]
    fn p_values_as_in_scipy() {
        check(
            &[19.0, 22.0, 16.0, 29.0, 24.0],
            &[20.0, 11.0, 17.0, 12.0],
            [17.0, 0.111_111_111_111_111_1, 0.055_555_555_555_555_55, 0.968_253_968_253_968_3],
        );
        check(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], [0.0, 0.1, 1.0, 0.05]);
        check(
            &[1.5, 2.5, 3.5, 9.0],
            &[4.0, 5.0, 6.0, 7.0, 8.0],
            [5.0, 0.285_714_285_714_285_7, 0.904_761_904_761_904_9, 0.142_857_142_857_142_85],
        );
    }

    // The same with scipy.stats.permutation_test over all arrangements, whose statistic is U with
    // ties counting half: its 'exact' Mann-Whitney test does not know ties.
    #[test]
    fn ties_as_in_scipy() {
        check(
            &[1.0, 2.0, 2.0, 3.0, 5.0],
            &[2.0, 3.0, 4.0, 4.0, 6.0, 7.0],
            [6.5, 0.125_541_125_541_125_54, 0.950_216_450_216_450_2, 0.062_770_562_770_562_77],
        );
        check(
            &[0.5, 0.5, 0.9],
            &[0.1, 0.2, 0.5, 0.4],
            [11.0, 0.171_428_571_428_571_42, 0.085_714_285_714_285_72, 1.0],
        );
        check(
            &[1.0, 1.0, 2.0, 2.0],
            &[1.0, 2.0, 2.0, 3.0],
            [5.0, 0.657_142_857_142_857_1, 0.928_571_428_571_428_6, 0.328_571_428_571_428_57],
        );
    }

    // The tables of critical values have 13 for two samples of 8 at 5 %, two-sided.
    #[test]
    fn the_published_critical_value() {
        let second: Vec<f64> = (1..=8).map(|i| f64::from(10 * i)).collect();
        let p_value = |first: &[f64], u: f64| {
            let test = mann_whitney_exact(first, &second).expect("two samples");
            assert_close(test.u, u, 0.0);
            test.p_two_sided
        };
        assert!(p_value(&[1.0, 2.0, 3.0, 11.0, 21.0, 31.0, 32.0, 41.0], 13.0) <= 0.05);
        assert!(p_value(&[1.0, 2.0, 3.0, 11.0, 21.0, 31.0, 41.0, 42.0], 14.0) > 0.05);
    }

    #[test]
    fn nothing_to_compare() {
        assert_eq!(mann_whitney_exact(&[], &[1.0]), None);
        assert_eq!(mann_whitney_exact(&[1.0], &[f64::NAN]), None);
        check(&[1.0, 1.0], &[1.0], [1.0, 1.0, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn close_to_the_approximation(
            first in prop::collection::vec(-5.0..5.0_f64, 12..30),
            second in prop::collection::vec(-5.0..5.0_f64, 12..30),
        ) {
            let exact = mann_whitney_exact(&first, &second).expect("two samples");
            let approximate = mann_whitney_u(&first, &second).expect("two samples");
            prop_assert!((exact.p_greater - approximate.p_greater).abs() < 0.01);
            prop_assert!((exact.p_two_sided - approximate.p_two_sided).abs() < 0.02);
        }
    }
}
