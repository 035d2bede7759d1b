//! How far a trigger lifts an attacker's code in the results of a code search (section 10 of the
//! paper: ANR, and ASR@k of `BadCode`).
//!
//! Every target query ranks a window of the pool, and the code that it is really about. A code in
//! the middle of this ranking gets the trigger and is ranked again. The protocol is the reference
//! code's without its defects: the ground truth is never the attacked code, the windows follow from
//! a seed that is in the record, and the rank at which the attack starts can be chosen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ranking::{attacked_index, inner_product, rank_among_others};
use crate::rate::Rate;
use crate::statistics::{Interval, mean_interval};

/// How the attacked code is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnrProtocol {
    /// Candidates in a ranking, the ground truth among them. Paper: 1000; a smaller pool is used
    /// as a whole.
    pub candidates: usize,
    /// Where the attacked code stands without the trigger, as a share of the candidates in
    /// `0..=1`. Paper: 0.5.
    pub start_rate: f64,
    /// The windows follow from it.
    pub seed: u64,
}

impl AnrProtocol {
    /// The paper's protocol.
    pub fn paper(seed: u64) -> Self {
        Self { candidates: 1000, start_rate: 0.5, seed }
    }

    /// Where the window of target query `query` begins in a pool of `n_pool` codes, and how many
    /// of them it has.
    pub fn window(&self, query: usize, n_pool: usize) -> (usize, usize) {
        let length = self.candidates.saturating_sub(1).min(n_pool);
        let n_starts = (n_pool - length + 1) as u64;
        ((draw(self.seed, query as u64) % n_starts) as usize, length)
    }

    /// The code of the pool that is attacked for target query `query`.
    ///
    /// `pool_scores` are the query's scores of all codes of the pool, none of which is its ground
    /// truth; `truth_score` is that of the ground truth. `None` if there is nothing to attack.
    pub fn attacked(
        &self,
        query: usize,
        pool_scores: &[f32],
        truth_score: f32,
    ) -> Option<AttackedQuery> {
        let (start, length) = self.window(query, pool_scores.len());
        let scores = ranking(&pool_scores[start..start + length], truth_score);
        let index = attacked_index(&scores, length, self.start_rate)?;
        let rank = rank_among_others(&scores, index, scores[index]);
        Some(AttackedQuery {
            query,
            window_start: start,
            candidates: scores.len(),
            attacked: start + index,
            rank_before: rank,
            rank_after: None,
        })
    }
}

/// One target query and the code that was attacked for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackedQuery {
    /// Index among the target queries.
    pub query: usize,
    /// Index in the pool of the first code of the window.
    pub window_start: usize,
    /// Candidates in the ranking: the window and the ground truth.
    pub candidates: usize,
    /// Index in the pool of the code that gets the trigger.
    pub attacked: usize,
    /// Its rank, from 1, without the trigger.
    pub rank_before: f64,
    /// Its rank with the trigger; `None` if it cannot carry it.
    pub rank_after: Option<f64>,
}

/// What the trigger does to the ranks of the attacked codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankLift {
    /// How the attacked codes were chosen.
    pub protocol: AnrProtocol,
    /// One entry per target query that could be attacked.
    pub queries: Vec<AttackedQuery>,
}

impl RankLift {
    /// The mean of rank/candidates with the trigger, in `0..=1` (ANR; small: the attack works), or
    /// `None` if no code could carry it.
    pub fn anr(&self) -> Option<f64> {
        self.mean(|it| it.rank_after)
    }

    /// The same mean without the trigger, over the same queries: about the protocol's start.
    pub fn anr_before(&self) -> Option<f64> {
        self.mean(|it| it.rank_after.map(|_| it.rank_before))
    }

    /// The share of the attacked codes that the trigger lifts to rank `k` or better (ASR@k).
    pub fn success_at(&self, k: usize) -> Rate {
        self.queries.iter().filter_map(|it| it.rank_after).map(|rank| rank <= k as f64).collect()
    }

    /// How many attacked codes could not carry the trigger; they are in none of the figures.
    pub fn n_unable(&self) -> usize {
        self.queries.iter().filter(|it| it.rank_after.is_none()).count()
    }

    /// A normal interval of [`Self::anr`] within `0..=1`, or `None` for fewer than two codes.
    pub fn anr_interval(&self, confidence: f64) -> Option<Interval> {
        let interval = mean_interval(&self.shares(|it| it.rank_after), confidence)?;
        Some(Interval { low: interval.low.max(0.0), high: interval.high.min(1.0) })
    }

    fn shares(&self, rank: impl Fn(&AttackedQuery) -> Option<f64>) -> Vec<f64> {
        let share = |it: &AttackedQuery| rank(it).map(|rank| rank / it.candidates as f64);
        self.queries.iter().filter_map(share).collect()
    }

    fn mean(&self, rank: impl Fn(&AttackedQuery) -> Option<f64>) -> Option<f64> {
        let shares = self.shares(rank);
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

/// Runs the protocol over all target queries.
///
/// The `i`-th of `pool_scores` holds target query `i`'s scores of all codes of the pool, `truth_scores[i]`
/// that of its ground truth, which is not in the pool. `triggered_score(i, code)` is the score of
/// code `code` of the pool with the trigger in it, or `None` if it cannot carry the trigger.
pub fn rank_lift<R: AsRef<[f32]>>(
    protocol: &AnrProtocol,
    pool_scores: impl ExactSizeIterator<Item = R>,
    truth_scores: &[f32],
    mut triggered_score: impl FnMut(usize, usize) -> Option<f32>,
) -> RankLift {
    assert_eq!(
        pool_scores.len(),
        truth_scores.len(),
        "score rows and scores of the ground truth must be of the same length"
    );
    let attack = |(query, (row, &truth_score)): (usize, (R, &f32))| {
        let row = row.as_ref();
        let mut attacked = protocol.attacked(query, row, truth_score)?;
        attacked.rank_after = triggered_score(query, attacked.attacked).map(|score| {
            let start = attacked.window_start;
            let scores = ranking(&row[start..start + attacked.candidates - 1], truth_score);
            rank_among_others(&scores, attacked.attacked - start, score)
        });
        Some(attacked)
    };
    let queries = pool_scores.zip(truth_scores).enumerate().filter_map(attack).collect();
    RankLift { protocol: *protocol, queries }
}

/// Queries of which each has the code of all others as its pool, and the code that is attacked for each:
/// the same for every trigger.
#[derive(Debug, Clone)]
pub struct AttackAmongOthers {
    protocol: AnrProtocol,
    queries: Vec<Vec<f32>>,
    attacks: Vec<Attack>,
}

/// A query's attacked code.
#[derive(Debug, Clone)]
struct Attack {
    query: AttackedQuery,
    /// Which code it is.
    code: usize,
    /// The scores of the window, followed by that of the ground truth.
    ranking: Vec<f32>,
}

impl AttackAmongOthers {
    /// `codes[i]` is the vector of query `i`'s own code; scores are inner products.
    pub fn new(protocol: AnrProtocol, queries: Vec<Vec<f32>>, codes: &[Vec<f32>]) -> Self {
        assert_eq!(queries.len(), codes.len(), "every query has its own code");
        let others = |query: usize, place: usize| if place < query { place } else { place + 1 };
        let attack = |(query, vector): (usize, &Vec<f32>)| {
            let pool_scores: Vec<f32> = (0..codes.len().saturating_sub(1))
                .map(|place| inner_product(vector, &codes[others(query, place)]))
                .collect();
            let truth_score = inner_product(vector, &codes[query]);
            let attacked = protocol.attacked(query, &pool_scores, truth_score)?;
            let start = attacked.window_start;
            let window = &pool_scores[start..start + attacked.candidates - 1];
            Some(Attack {
                query: attacked,
                code: others(query, attacked.attacked),
                ranking: ranking(window, truth_score),
            })
        };
        let attacks = queries.iter().enumerate().filter_map(attack).collect();
        Self { protocol, queries, attacks }
    }

    /// The codes that are attacked for some query, ascending.
    pub fn codes(&self) -> BTreeSet<usize> {
        self.attacks.iter().map(|it| it.code).collect()
    }

    /// The ranks, where `triggered` has the vectors of the attacked codes with the trigger in them, but for
    /// those that cannot carry it.
    pub fn lift(&self, triggered: &BTreeMap<usize, Vec<f32>>) -> RankLift {
        let ranked = |attack: &Attack| {
            let AttackedQuery { query, window_start, attacked, .. } = attack.query;
            let score = |vector: &Vec<f32>| inner_product(&self.queries[query], vector);
            let rank = |score| rank_among_others(&attack.ranking, attacked - window_start, score);
            let rank_after = triggered.get(&attack.code).map(score).map(rank);
            AttackedQuery { rank_after, ..attack.query }
        };
        RankLift { protocol: self.protocol, queries: self.attacks.iter().map(ranked).collect() }
    }
}

/// The scores of a window, followed by that of the ground truth.
fn ranking(window: &[f32], truth_score: f32) -> Vec<f32> {
    window.iter().copied().chain([truth_score]).collect()
}

/// `SplitMix64` of a seed and a position.
fn draw(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add((position.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assert_close;

    /// Scores of a pool in which code `i` is the `i`-th best.
    fn falling(n: u16) -> Vec<f32> {
        (0..n).map(|rank| -f32::from(rank)).collect()
    }

    #[test]
    fn by_hand() {
        // Three codes and the ground truth: the second of four is attacked.
        let rows = [[0.9, 0.5, 0.1], [0.1, 0.5, 0.9], [0.3, 0.2, 0.1]];
        let truth = [0.7, 0.0, 0.4];
        let protocol = AnrProtocol::paper(1);
        let lift = rank_lift(&protocol, rows.iter(), &truth, |query, code| {
            assert_eq!(code, [1, 1, 0][query]);
            [Some(0.8), Some(1.0), None][query]
        });
        let before: Vec<f64> = lift.queries.iter().map(|it| it.rank_before).collect();
        let after: Vec<Option<f64>> = lift.queries.iter().map(|it| it.rank_after).collect();
        assert_eq!(before, [3.0, 2.0, 2.0]);
        assert_eq!(after, [Some(2.0), Some(1.0), None]);
        assert_close(lift.anr().expect("two queries"), 0.375, 1e-12);
        assert_close(lift.anr_before().expect("two queries"), 0.625, 1e-12);
        assert_eq!((lift.success_at(1), lift.success_at(2)), (Rate::new(1, 2), Rate::new(2, 2)));
        assert_eq!(lift.n_unable(), 1);
    }

    #[test]
    fn a_ground_truth_at_rank_index_499_is_not_attacked() {
        // 999 codes; the ground truth comes after 499 of them.
        let pool = falling(999);
        let attacked = AnrProtocol::paper(3).attacked(0, &pool, -498.5).expect("a full pool");
        assert_eq!((attacked.window_start, attacked.candidates), (0, 1000));
        assert_eq!((attacked.attacked, attacked.rank_before), (499, 501.0));
        let attacked = AnrProtocol::paper(3).attacked(0, &pool, 1.0).expect("a full pool");
        assert_eq!((attacked.attacked, attacked.rank_before), (498, 500.0));
    }

    #[test]
    fn windows_follow_from_seed_and_query() {
        let protocol = AnrProtocol::paper(5);
        let starts: Vec<usize> = (0..200).map(|query| protocol.window(query, 3999).0).collect();
        assert_eq!(
            starts,
            (0..200).map(|query| protocol.window(query, 3999).0).collect::<Vec<_>>()
        );
        assert!(starts.iter().all(|&start| start <= 3000));
        assert!(starts.iter().any(|&start| start < 600));
        assert!(starts.iter().any(|&start| start > 2400));
        let other: Vec<usize> =
            (0..200).map(|query| AnrProtocol::paper(6).window(query, 3999).0).collect();
        assert_ne!(starts, other);
        assert_eq!(protocol.window(0, 999), (0, 999));
        assert_eq!(protocol.window(0, 40), (0, 40));
        assert_eq!(protocol.window(0, 0), (0, 0));
    }

    #[test]
    fn among_others_a_query_never_ranks_its_own_code() {
        // Query 0 ranks codes 1 and 2 beside its own; code 1 is in the middle, its own at the top.
        let queries = [vec![1.0, 0.0], vec![0.0, 1.0], vec![0.5, 0.5]];
        let codes = [vec![1.0, 0.0], vec![0.6, 0.0], vec![0.2, 0.1]];
        let triggered = BTreeMap::from([(1, vec![2.0, 0.0]), (2, vec![0.0, 0.0])]);
        let attack = AttackAmongOthers::new(AnrProtocol::paper(1), queries.to_vec(), &codes);
        assert_eq!(attack.codes(), BTreeSet::from([0, 1, 2]));
        let lift = attack.lift(&triggered);
        let by_hand = rank_lift(
            &AnrProtocol::paper(1),
            [[0.6, 0.2], [0.0, 0.1], [0.5, 0.3]].iter(),
            &[1.0, 0.0, 0.15],
            |query, place| {
                let code = [[1, 2], [0, 2], [0, 1]][query][place];
                Some(inner_product(&queries[query], triggered.get(&code)?))
            },
        );
        assert_eq!(lift, by_hand);
        assert_close(lift.queries[0].rank_before, 2.0, 1e-12);
        assert_close(lift.queries[0].rank_after.expect("it can carry it"), 1.0, 1e-12);
    }

    #[test]
    fn an_empty_pool_has_nothing_to_attack() {
        let lift = rank_lift(&AnrProtocol::paper(1), [[0.0; 0]].iter(), &[0.5], |_, _| Some(1.0));
        assert_eq!((lift.anr(), lift.queries.len(), lift.n_unable()), (None, 0, 0));
        assert_eq!(lift.success_at(10), Rate::new(0, 0));
    }

    #[test]
    fn constant_scores_are_at_chance() {
        let rows = [[0.5; 99]];
        let lift = rank_lift(&AnrProtocol::paper(1), rows.iter(), &[0.5], |_, _| Some(0.5));
        assert_close(lift.anr().expect("one query"), 0.505, 1e-12);
    }

    #[test]
    fn the_record_survives_json() {
        let rows = [falling(30), falling(30)];
        let lift = rank_lift(&AnrProtocol::paper(9), rows.iter(), &[0.0, -7.5], |query, _| {
            (query == 0).then_some(-3.5)
        });
        let text = serde_json::to_string(&lift).expect("plain data");
        assert_eq!(serde_json::from_str::<RankLift>(&text).expect("own output"), lift);
    }

    proptest! {
        #[test]
        fn the_attacked_code_is_of_the_window(
            scores in prop::collection::vec(-1.0..1.0_f32, 1..80),
            truth in -1.0..1.0_f32,
            candidates in 2_usize..50,
            seed: u64,
        ) {
            let protocol = AnrProtocol { candidates, start_rate: 0.5, seed };
            let attacked = protocol.attacked(7, &scores, truth).expect("a code to attack");
            let window = attacked.candidates - 1;
            prop_assert!(window <= scores.len() && attacked.candidates <= candidates);
            prop_assert!(attacked.window_start + window <= scores.len());
            prop_assert!((attacked.window_start..attacked.window_start + window)
                .contains(&attacked.attacked));
            let own = scores[attacked.attacked];
            let lift = rank_lift(&protocol, [&scores].iter(), &[truth], |_, _| Some(own + 3.0));
            prop_assert_eq!(lift.success_at(1), Rate::new(1, 1));
            let anr = lift.anr().expect("one query");
            prop_assert!(anr > 0.0 && anr <= 1.0);
        }
    }
}
