//! How well a code-search model ranks: mean reciprocal rank and recall of the right code, and which
//! code an attacker tries to lift.
//!
//! Ties count half, so that a collapsed model with constant scores is at chance.
//! Reference: counts only strictly higher scores, which makes such a model a perfect one.
//! A NaN score is ranked as badly as possible for the item that is asked about.

use std::cmp::Ordering;

use crate::rate::Rate;

/// The reciprocal rank is 0 beyond this rank.
pub const MRR_CUTOFF: usize = 1000;

/// The score of a code for a query, from their vectors: of embedding models, whose vectors are of
/// length 1, the cosine.
pub fn inner_product(query: &[f32], code: &[f32]) -> f32 {
    query.iter().zip(code).map(|(a, b)| a * b).sum()
}

/// The mean of 1/rank of the right candidate over all queries (0 beyond rank [`MRR_CUTOFF`]), or
/// `None` without queries.
///
/// `score_rows[i]` holds the scores of all candidates for query `i`, `right[i]` the index of the
/// right one.
pub fn mean_reciprocal_rank<R: AsRef<[f32]>>(score_rows: &[R], right: &[usize]) -> Option<f64> {
    assert_eq!(
        score_rows.len(),
        right.len(),
        "score rows and right indices must be of the same length"
    );
    let reciprocals = score_rows.iter().zip(right).map(|(row, &right)| {
        let row = row.as_ref();
        let rank = rank(row, right);
        if rank <= MRR_CUTOFF as f64 { 1.0 / rank } else { 0.0 }
    });
    (!right.is_empty()).then(|| reciprocals.sum::<f64>() / right.len() as f64)
}

/// The reciprocal rank of each query's own code, the one at its index, among all codes (0 beyond
/// rank [`MRR_CUTOFF`]); scores are inner products of vectors.
pub fn reciprocal_ranks(queries: &[Vec<f32>], codes: &[Vec<f32>]) -> Vec<f64> {
    // One query at a time: all scores of a large file would not fit into memory.
    let reciprocal = |(own, query): (usize, &Vec<f32>)| {
        let scores: Vec<f32> = codes.iter().map(|code| inner_product(query, code)).collect();
        mean_reciprocal_rank(&[scores], &[own]).unwrap_or(0.0)
    };
    queries.iter().enumerate().map(reciprocal).collect()
}

/// The share of queries whose right candidate has a rank of at most `k` (R@k; for `k` 1, 5 and 10
/// in the paper).
///
/// `score_rows[i]` holds the scores of all candidates for query `i`, `right[i]` the index of the
/// right one. Ties count half, so that a query with the right candidate in a tie for the first
/// place is no hit for `k` 1.
pub fn recall_at<R: AsRef<[f32]>>(score_rows: &[R], right: &[usize], k: usize) -> Rate {
    assert_eq!(
        score_rows.len(),
        right.len(),
        "score rows and right indices must be of the same length"
    );
    let hits = score_rows.iter().zip(right).map(|(row, &right)| {
        let row = row.as_ref();
        rank(row, right) <= k as f64
    });
    hits.collect()
}

/// The candidate that the attacker tries to lift: the one of rank `start_rate` (in `0..=1`) times the
/// number of candidates, rounded down and at least 1; with 0.5 and 1000 candidates the 500th best.
/// `None` if there is no candidate but the ground truth.
///
/// If that is the ground truth, the next worse one is taken (the next better one if it is last).
/// Reference: takes a record from outside the ranking in that case.
pub fn attacked_index(scores: &[f32], ground_truth: usize, start_rate: f64) -> Option<usize> {
    assert!((0.0..=1.0).contains(&start_rate), "the start {start_rate} is not between 0 and 1");
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
    let start = ((start_rate * scores.len() as f64) as usize).saturating_sub(1);
    let below = order.iter().skip(start);
    let above = order.iter().take(start).rev();
    below.chain(above).copied().find(|&index| index != ground_truth)
}

/// The rank of the right candidate, from 1; ties count half, so that it need not be whole.
pub fn rank(scores: &[f32], right: usize) -> f64 {
    rank_among_others(scores, right, scores[right])
}

/// The rank, from 1, that `score` has among all of `scores` but the one at `own_index`.
pub(crate) fn rank_among_others(scores: &[f32], own_index: usize, score: f32) -> f64 {
    assert!(
        own_index < scores.len(),
        "candidate {own_index} is not among the {} scores",
        scores.len()
    );
    let others = scores.iter().enumerate().filter(|&(index, _)| index != own_index);
    1.0 + others
        .map(|(_, other)| match other.partial_cmp(&score) {
            Some(Ordering::Less) => 0.0,
            Some(Ordering::Equal) => 0.5,
            Some(Ordering::Greater) | None => 1.0,
        })
        .sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    #[test]
    fn reciprocal_ranks_by_hand() {
        let rows = [[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.9, 0.1, 0.5]];
        let mrr = mean_reciprocal_rank(&rows, &[0, 1, 2]).expect("three queries");
        assert_close(mrr, (1.0 + 1.0 / 3.0 + 0.5) / 3.0, 1e-12);
        assert_eq!(mean_reciprocal_rank::<[f32; 0]>(&[], &[]), None);
    }

    #[test]
    fn every_query_looks_for_its_own_code() {
        let queries = [vec![1.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0]];
        let codes = [vec![0.9, 0.1], vec![0.5, 0.5], vec![0.1, 0.9]];
        assert_eq!(reciprocal_ranks(&queries, &codes), [1.0, 0.5, 1.0]);
        assert!(reciprocal_ranks(&[], &[]).is_empty());
    }

    #[test]
    fn far_ranks_count_nothing() {
        let row: Vec<f32> = (0..=1000_u16).map(|rank| -f32::from(rank)).collect();
        assert_eq!(mean_reciprocal_rank(&[&row], &[999]), Some(0.001));
        assert_eq!(mean_reciprocal_rank(&[&row], &[1000]), Some(0.0));
    }

    #[test]
    fn constant_and_broken_scores_earn_nothing() {
        let rank = |row: &[f32]| mean_reciprocal_rank(&[row], &[0]).map(f64::recip);
        assert_eq!(rank(&[1.0, 1.0, 1.0]), Some(2.0));
        assert_eq!(rank(&[f32::NAN, 1.0, 1.0]), Some(3.0));
        assert_eq!(rank(&[1.0, f32::NAN, 0.0]), Some(2.0));
    }

    #[test]
    fn ranks_among_others_by_hand() {
        let rank = |score| rank_among_others(&[0.8, 0.6, 0.4, 0.2], 1, score).to_string();
        assert_eq!([0.9, 0.6, 0.4, 0.1, f32::NAN].map(rank), ["1", "2", "2.5", "4", "4"]);
    }

    #[test]
    fn the_attacked_candidate_is_the_500th_of_1000() {
        let scores: Vec<f32> = (0..1000_u16).map(|rank| -f32::from(rank)).collect();
        assert_eq!(attacked_index(&scores, 7, 0.5), Some(499));
        assert_eq!(attacked_index(&scores, 499, 0.5), Some(500));
    }

    #[test]
    fn the_attacked_candidate_of_few() {
        assert_eq!(attacked_index(&[], 0, 0.5), None);
        assert_eq!(attacked_index(&[0.5], 0, 0.5), None);
        assert_eq!(attacked_index(&[0.5, 0.7], 1, 0.5), Some(0));
        assert_eq!(attacked_index(&[0.5, 0.7], 0, 0.5), Some(1));
    }

    #[test]
    fn recall_by_hand() {
        let rows = [[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.5, 0.5, 0.1]];
        let right = [0, 1, 2, 0];
        let hits = |k| recall_at(&rows, &right, k).hits;
        assert_eq!([0, 1, 2, 3].map(hits), [0, 1, 3, 4]);
        assert_eq!(recall_at::<[f32; 0]>(&[], &[], 1), Rate::new(0, 0));
    }

    #[test]
    fn the_attack_may_start_elsewhere() {
        let scores: Vec<f32> = (0..1000_u16).map(|rank| -f32::from(rank)).collect();
        assert_eq!(attacked_index(&scores, 7, 0.0), Some(0));
        assert_eq!(attacked_index(&scores, 7, 0.1), Some(99));
        assert_eq!(attacked_index(&scores, 7, 1.0), Some(999));
        assert_eq!(attacked_index(&scores, 999, 1.0), Some(998));
    }

    proptest! {
        #[test]
        fn recall_grows_with_k(scores in prop::collection::vec(-1.0..1.0_f32, 1..30)) {
            let right = scores.len() / 3;
            let hits = |k| recall_at(&[&scores], &[right], k).hits;
            prop_assert!((0..scores.len()).all(|k| hits(k) <= hits(k + 1)));
            prop_assert_eq!(hits(scores.len()), 1);
        }

        #[test]
        fn ranks_are_shares(scores in prop::collection::vec(-1.0..1.0_f32, 1..50), score: f32) {
            let attacked = scores.len() / 2;
            let rank = rank_among_others(&scores, attacked, score);
            prop_assert!((1.0..=scores.len() as f64).contains(&rank));
            let mrr = mean_reciprocal_rank(&[&scores], &[attacked]).expect("one query");
            prop_assert!(mrr > 0.0 && mrr <= 1.0);
        }
    }
}
