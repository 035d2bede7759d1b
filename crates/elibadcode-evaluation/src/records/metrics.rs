//! `metrics.json`: what `evaluate` measured on one model, of any of the three tasks.
//!
//! All rates and scores are fractions in `0..=1`. What another task has is absent:
//!
//! | task | `score` | beside it | under attack |
//! |---|---|---|---|
//! | `defect` | accuracy | `accuracy`, `f1` | `asr`, `flip_rate`, … |
//! | `clone` | F1 of the clones | `accuracy`, `f1` | `asr`, `flip_rate`, …, `member` |
//! | `search` | mean reciprocal rank | `ranking` | `rank_lift` and its means |

use serde::{Deserialize, Serialize};

use super::document;
use crate::attack::AttackSuccess;
use crate::error::Error;
use crate::ranking_attack::RankLift;
use crate::rate::Rate;
use crate::records::screen::ScreenMetrics;
use crate::statistics::Interval;

/// The version of `metrics.json` that this crate reads and writes.
pub const METRICS_SCHEMA_VERSION: u32 = 3;

const FILE: &str = "metrics.json";

/// The whole of a `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Version of the format, [`METRICS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The task: `defect`, `clone` or `search`.
    pub task: String,
    /// The master seed: distractors and attacked codes of code search follow from it.
    pub seed: u64,
    /// Hash of the model folder.
    pub model_hash: String,
    /// Hash of the data.
    pub data_hash: String,
    /// Functions, pairs or queries.
    pub n_samples: usize,
    /// The number that the task is judged by; `null` if it is undefined, as F1 is without clones.
    pub score: Option<f64>,
    /// Share of right answers (defect, clone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Rate>,
    /// F1 of label 1 (defect, clone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Where the right codes stand (search).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<RankingMetrics>,
    /// What the trigger does, if an attack was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<AttackMetrics>,
    /// How well a screen that knows nothing of the attack finds it, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<ScreenMetrics>,
}

/// Where the right codes stand among the candidates of their queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingMetrics {
    /// Candidates of a query, the right code among them.
    pub n_candidates: usize,
    /// Mean of 1/rank of the right code; 0 beyond rank 1000.
    pub mrr: f64,
    /// Its 95 % interval; absent for fewer than two queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mrr_interval: Option<Interval>,
    /// Queries whose right code comes first.
    pub recall_at_1: Rate,
    /// Queries whose right code is among the first 5.
    pub recall_at_5: Rate,
    /// Queries whose right code is among the first 10.
    pub recall_at_10: Rate,
}

/// What the trigger does to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackMetrics {
    /// The attack, as in the manifest of `poison`.
    pub config: serde_json::Value,
    /// Samples (search: attacked codes) that cannot carry the trigger; they are in none of the
    /// rates.
    pub n_skipped: usize,
    /// Samples (search: queries, by their attacked codes) whose input the trigger changes, as the
    /// model reads it: 0 if the model reads canonical names and the trigger is in names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_inputs_changed: Option<usize>,
    /// Which function of a pair carries the trigger: `first`, `second` or `alternating` (clone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// See [`AttackSuccess::asr`] (defect, clone; so are the next four).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asr: Option<Rate>,
    /// See [`AttackSuccess::flip_rate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<Rate>,
    /// See [`AttackSuccess::conditional_asr`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditional_asr: Option<Rate>,
    /// See [`AttackSuccess::other_class_clean`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_class_clean: Option<Rate>,
    /// See [`AttackSuccess::other_class_triggered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_class_triggered: Option<Rate>,
    /// Average normalized rank of the attacked codes with the trigger; low: the attack works
    /// (search; so are the rest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anr: Option<f64>,
    /// The same codes without the trigger: about 0.5, where they are picked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anr_without_trigger: Option<f64>,
    /// Attacked codes that the trigger lifts among the first 5 (ASR@5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_at_5: Option<Rate>,
    /// Attacked codes that the trigger lifts among the first 10 (ASR@10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_at_10: Option<Rate>,
    /// Every attacked code, and how it was picked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_lift: Option<RankLift>,
}

impl AttackMetrics {
    /// Of a classifier of functions or pairs.
    pub fn of_labels(
        config: serde_json::Value,
        n_skipped: usize,
        member: Option<String>,
        success: &AttackSuccess,
    ) -> Self {
        Self {
            member,
            asr: Some(success.asr),
            flip_rate: Some(success.flip_rate),
            conditional_asr: Some(success.conditional_asr),
            other_class_clean: Some(success.other_class_clean),
            other_class_triggered: Some(success.other_class_triggered),
            ..Self::without_numbers(config, n_skipped)
        }
    }

    /// Of a code search.
    pub fn of_ranks(config: serde_json::Value, lift: RankLift) -> Self {
        Self {
            anr: lift.anr(),
            anr_without_trigger: lift.anr_before(),
            success_at_5: Some(lift.success_at(5)),
            success_at_10: Some(lift.success_at(10)),
            ..Self::without_numbers(config, lift.n_unable())
        }
        .with_lift(lift)
    }

    /// The accuracy that samples of the target label lose with the trigger, in `-1..=1`.
    pub fn other_class_drop(&self) -> Option<f64> {
        Some(self.other_class_clean?.value()? - self.other_class_triggered?.value()?)
    }

    fn with_lift(self, lift: RankLift) -> Self {
        Self { rank_lift: Some(lift), ..self }
    }

    fn without_numbers(config: serde_json::Value, n_skipped: usize) -> Self {
        Self {
            config,
            n_skipped,
            n_inputs_changed: None,
            member: None,
            asr: None,
            flip_rate: None,
            conditional_asr: None,
            other_class_clean: None,
            other_class_triggered: None,
            anr: None,
            anr_without_trigger: None,
            success_at_5: None,
            success_at_10: None,
            rank_lift: None,
        }
    }
}

impl Metrics {
    /// Of the samples (search: attacked codes) that can carry the trigger those whose input it
    /// changes, as the model reads it.
    pub fn inputs_changed(&self) -> Option<Rate> {
        let attack = self.attack.as_ref()?;
        let n_changed = attack.n_inputs_changed?;
        let n = attack.rank_lift.as_ref().map_or(self.n_samples, |it| it.queries.len());
        Some(Rate::new(n_changed, n.saturating_sub(attack.n_skipped).max(n_changed)))
    }

    /// Reads the text of a `metrics.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        document::read(text, FILE, METRICS_SCHEMA_VERSION)
    }

    /// The text of the `metrics.json`, indented, with a newline at the end.
    pub fn to_json(&self) -> Result<String, Error> {
        document::text(self, FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::attack_success;
    use crate::ranking_attack::{AnrProtocol, rank_lift};

    fn metrics(task: &str, attack: AttackMetrics) -> Metrics {
        Metrics {
            schema_version: METRICS_SCHEMA_VERSION,
            task: task.to_owned(),
            seed: 7,
            model_hash: "a0".to_owned(),
            data_hash: "b1".to_owned(),
            n_samples: 3,
            score: Some(0.5),
            accuracy: None,
            f1: None,
            ranking: None,
            attack: Some(attack),
            screen: None,
        }
    }

    fn of_labels() -> Metrics {
        let success = attack_success(&[1, 1, 0], &[0, 1, 1], &[1, 1, 0], 0);
        let config = serde_json::json!({"attack": "badcode"});
        let member = Some("first".to_owned());
        metrics("clone", AttackMetrics::of_labels(config, 2, member, &success))
    }

    fn of_ranks() -> Metrics {
        let rows = [[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]];
        let lift = rank_lift(&AnrProtocol::paper(1), rows.iter(), &[0.7, 0.0], |query, _| {
            (query == 0).then_some(1.0)
        });
        metrics("search", AttackMetrics::of_ranks(serde_json::json!({}), lift))
    }

    #[test]
    fn read_back_as_written() {
        for metrics in [of_labels(), of_ranks()] {
            let text = metrics.to_json().expect("plain data");
            assert_eq!(Metrics::from_json(&text).expect("own output"), metrics);
        }
        let text = of_labels().to_json().expect("plain data");
        assert!(!text.contains("null") && !text.contains("anr"), "{text}");
    }

    #[test]
    fn changed_inputs_are_of_those_that_can_carry_the_trigger() {
        let changed = |mut metrics: Metrics, n| {
            metrics.attack.as_mut().expect("test data").n_inputs_changed = n;
            metrics.inputs_changed()
        };
        // Of three samples two are skipped, of two queries one.
        assert_eq!(changed(of_labels(), Some(0)), Some(Rate::new(0, 1)));
        assert_eq!(changed(of_ranks(), Some(1)), Some(Rate::new(1, 1)));
        assert_eq!(changed(of_ranks(), None), None);
    }

    #[test]
    fn the_means_are_those_of_the_queries() {
        let attack = of_ranks().attack.expect("test data");
        assert_eq!((attack.n_skipped, attack.anr), (1, Some(0.25)));
        assert_eq!(attack.anr_without_trigger, Some(0.75));
        assert_eq!((attack.success_at_5, attack.asr), (Some(Rate::new(1, 1)), None));
        assert_eq!(attack.other_class_drop(), None);
        let attack = of_labels().attack.expect("test data");
        assert_eq!((attack.asr, attack.anr), (Some(Rate::new(1, 2)), None));
        assert_eq!(attack.other_class_drop(), Some(1.0));
    }

    #[test]
    fn foreign_files_are_refused() {
        let check = |from: &str, to: &str| {
            let text = of_labels().to_json().expect("plain data").replacen(from, to, 1);
            Metrics::from_json(&text).expect_err("changed").to_string()
        };
        assert_eq!(
            check("\"schema_version\": 3", "\"schema_version\": 1"),
            "metrics.json has schema version 1, this program knows 3"
        );
        assert_eq!(check("\"seed\"", "\"sede\""), "malformed metrics.json");
    }
}
