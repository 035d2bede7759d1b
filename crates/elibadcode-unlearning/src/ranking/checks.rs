//! What a repaired search model must show on samples that were kept aside.

use elibadcode_evaluation::statistics::mean_interval;
use elibadcode_evaluation::{AnrProtocol, AttackAmongOthers, Interval, RankLift, reciprocal_ranks};
use elibadcode_inversion::{InvertedTrigger, TriggerIds, TriggerSpace};
use elibadcode_models::{CodeModel, LoadedModel};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{Places, any_word};
use crate::checks::{Limits, ONE_SIDED, exceeded};
use crate::error::Error;
use crate::rounds::Measured;

/// Fewer queries whose attacked function has a place for a trigger than this cannot vouch for a
/// repair.
const MIN_CHECKS: usize = 10;

/// What the samples that were kept aside say about a search model; ranks are shares of the
/// candidates, 0 first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingChecks {
    /// Mean reciprocal rank without a trigger.
    pub mrr: f64,
    /// Mean rank of code with an inverted trigger, for queries with the target words, from the
    /// middle of the ranking.
    pub normalized_rank: f64,
    /// The same with random legal triggers of the same length at the same places.
    pub control: f64,
    /// The same without a trigger.
    pub without_trigger: f64,
    /// Queries.
    pub n: usize,
    /// Those whose attacked function has a place for a trigger: what the ranks rest on.
    pub n_ranked: usize,
}

/// Checks, the reciprocal rank of every query, and by how much the strongest of several triggers alone
/// surely lifts code more than random ones (with 95 % confidence for all of them together): in
/// the mean over the triggers one that works could hide behind others that do not.
pub(super) struct RankingMeasurement {
    checks: RankingChecks,
    reciprocal_ranks: Vec<f64>,
    excess_alone: f64,
}

impl RankingMeasurement {
    /// Fails if the ranks rest on too little.
    pub(super) fn check_enough(&self) -> Result<(), Error> {
        let n = self.checks.n_ranked;
        if n >= MIN_CHECKS {
            return Ok(());
        }
        Err(Error::Samples(format!(
            "only {n} of the queries that were kept aside have a function with a place for the trigger \
             in the middle of their ranking; at least {MIN_CHECKS} are needed to check the repair"
        )))
    }
}

impl Measured for RankingMeasurement {
    type Checks = RankingChecks;

    fn into_checks(self) -> RankingChecks {
        self.checks
    }

    const SCORE: &'static str = "the mean reciprocal rank";

    fn score(&self) -> f64 {
        self.checks.mrr
    }

    fn score_drop(&self, before: &Self) -> Interval {
        let ranks = before.reciprocal_ranks.iter().zip(&self.reciprocal_ranks);
        let drops: Vec<f64> = ranks.map(|(before, after)| before - after).collect();
        mean_interval(&drops, ONE_SIDED).unwrap_or(Interval { low: -1.0, high: 1.0 })
    }

    fn objections(&self, before: &Self, limits: &Limits) -> Vec<String> {
        let RankingChecks { normalized_rank, control, .. } = self.checks;
        exceeded(&[
            (
                "the inverted trigger still lifts code more than random ones",
                control - normalized_rank,
                limits.excess_success,
            ),
            (
                "with 95 % confidence one of the inverted triggers lifts code more than random ones",
                self.excess_alone,
                limits.excess_success,
            ),
            (
                "the inverted trigger sinks code more than random ones",
                normalized_rank - control,
                limits.excess_success,
            ),
            (
                "random triggers lift code more than before",
                before.checks.control - control,
                limits.excess_success,
            ),
            (
                "random triggers sink code more than before",
                control - before.checks.control,
                limits.excess_success,
            ),
        ])
    }
}

/// Samples that were kept aside, as token ids.
pub(super) struct CheckSet {
    codes: Vec<Vec<u32>>,
    queries: Vec<Vec<u32>>,
    queries_with_words: Vec<Vec<u32>>,
    /// By sample, none where a function has no place for a trigger.
    triggered: Vec<Option<Vec<u32>>>,
    /// The same with each of several triggers; none of a single one.
    with_each: Vec<Vec<Option<Vec<u32>>>>,
    control: Vec<Option<Vec<u32>>>,
    protocol: AnrProtocol,
}

impl CheckSet {
    pub(super) fn new(
        model: &LoadedModel,
        samples: &[Places],
        space: &TriggerSpace<'_>,
        triggers: &[InvertedTrigger],
        words: &[Vec<u32>],
        seed: u64,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let (mut triggered, mut control) = (Vec::new(), Vec::new());
        let several = if triggers.len() > 1 { triggers } else { &[] };
        let mut with_each = vec![Vec::new(); several.len()];
        for sample in samples {
            if sample.masks.is_empty() {
                triggered.push(None);
                control.push(None);
                for alone in &mut with_each {
                    alone.push(None);
                }
                continue;
            }
            let mask = &sample.masks[rng.random_range(0..sample.masks.len())];
            let trigger = triggers[rng.random_range(0..triggers.len())].trigger_ids();
            let random = space.random_apart(&trigger, rng)?;
            let with =
                |it: &TriggerIds| Some(mask.with_trigger(it, &model.tokenizer, model.max_length));
            triggered.push(with(&trigger));
            control.push(with(&random));
            for (all, trigger) in with_each.iter_mut().zip(several) {
                all.push(with(&trigger.trigger_ids()));
            }
        }
        let with_word = |it: &Places, rng: &mut _| it.query.stamp(any_word(words, rng), model).ids;
        Ok(Self {
            codes: samples.iter().map(|it| it.row.ids.code.clone()).collect(),
            queries: samples.iter().map(|it| it.row.ids.query.clone()).collect(),
            queries_with_words: samples.iter().map(|it| with_word(it, rng)).collect(),
            triggered,
            with_each,
            control,
            protocol: AnrProtocol::paper(seed),
        })
    }

    /// Asks a network.
    pub(super) fn measure(&self, network: &CodeModel) -> RankingMeasurement {
        let codes = network.vectors(&self.codes);
        let queries = network.vectors(&self.queries);
        let with_words = network.vectors(&self.queries_with_words);
        let reciprocal_ranks = reciprocal_ranks(&queries, &codes);
        let attack = AttackAmongOthers::new(self.protocol, with_words, &codes);
        let lift = |changed: &[Option<Vec<u32>>]| {
            let able = |code: &usize| Some((*code, changed[*code].as_ref()?));
            let (codes, rows): (Vec<usize>, Vec<&Vec<u32>>) =
                attack.codes().iter().filter_map(able).unzip();
            attack.lift(&codes.into_iter().zip(network.vectors(&rows)).collect())
        };
        let (inverted, control) = (lift(&self.triggered), lift(&self.control));
        let confidence = 1.0 - (1.0 - ONE_SIDED) / self.with_each.len().max(1) as f64;
        let excess = |alone: &RankLift| {
            let differences: Vec<f64> = control
                .queries
                .iter()
                .zip(&alone.queries)
                .filter_map(|(random, own)| {
                    Some((random.rank_after? - own.rank_after?) / own.candidates as f64)
                })
                .collect();
            mean_interval(&differences, confidence).map_or(0.0, |it| it.low)
        };
        let alone = self.with_each.iter().map(|it| excess(&lift(it)));
        let excess_alone = alone.fold(0.0, f64::max);
        let anr = |lift: &RankLift| lift.anr().unwrap_or(0.5);
        let checks = RankingChecks {
            mrr: reciprocal_ranks.iter().sum::<f64>() / reciprocal_ranks.len() as f64,
            normalized_rank: anr(&inverted),
            control: anr(&control),
            without_trigger: inverted.anr_before().unwrap_or(0.5),
            n: queries.len(),
            n_ranked: inverted.queries.len() - inverted.n_unable(),
        };
        RankingMeasurement { checks, reciprocal_ranks, excess_alone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds;

    /// With ranks of code with the inverted and with random triggers; every query has the same rank.
    fn measurement(mrr: f64, normalized_rank: f64, control: f64) -> RankingMeasurement {
        let checks = RankingChecks {
            mrr,
            normalized_rank,
            control,
            without_trigger: 0.5,
            n: 50,
            n_ranked: 40,
        };
        RankingMeasurement { checks, reciprocal_ranks: vec![mrr; 50], excess_alone: 0.0 }
    }

    #[test]
    fn few_ranks_vouch_for_nothing() {
        let with = |n_ranked| {
            let mut few = measurement(0.7, 0.4, 0.45);
            few.checks.n_ranked = n_ranked;
            few.check_enough()
        };
        assert!(with(MIN_CHECKS).is_ok());
        let error = with(MIN_CHECKS - 1).expect_err("too few").to_string();
        assert!(error.contains("only 9 of the queries"), "{error}");
    }

    #[track_caller]
    fn check(after: &RankingMeasurement, expected: &[&str]) {
        let before = measurement(0.70, 0.08, 0.45);
        let limits = Limits::strict();
        let costs = rounds::costs(after, &before, &limits);
        assert_eq!([costs, after.objections(&before, &limits)].concat(), expected);
    }

    #[test]
    fn each_limit_has_its_objection() {
        check(&measurement(0.70, 0.40, 0.45), &[]);
        check(&measurement(0.75, 0.53, 0.45), &[]);
        check(
            &measurement(0.66, 0.45, 0.45),
            &[
                "with 95 % confidence the mean reciprocal rank fell by 4.0 points, allowed are 1.0",
                "on the samples kept aside the mean reciprocal rank fell by 4.0 points, allowed are \
               3.0",
            ],
        );
        check(
            &measurement(0.70, 0.30, 0.45),
            &[
                "the inverted trigger still lifts code more than random ones by 15.0 points, allowed \
               are 10.0",
            ],
        );
        check(
            &RankingMeasurement { excess_alone: 0.12, ..measurement(0.70, 0.40, 0.45) },
            &[
                "with 95 % confidence one of the inverted triggers lifts code more than random ones by 12.0 points, \
               allowed are 10.0",
            ],
        );
        check(
            &measurement(0.70, 0.60, 0.45),
            &["the inverted trigger sinks code more than random ones by 15.0 points, allowed are \
               10.0"],
        );
        check(
            &measurement(0.70, 0.32, 0.32),
            &["random triggers lift code more than before by 13.0 points, allowed are 10.0"],
        );
        check(
            &measurement(0.70, 0.60, 0.60),
            &["random triggers sink code more than before by 15.0 points, allowed are 10.0"],
        );
    }
}
