//! What a page shows of a scan.

mod reading;

use serde::{Deserialize, Serialize};

use crate::records::results::Verdict;
use crate::statistics::Interval;

#[cfg(test)]
pub(super) use self::reading::tests;

/// What a scan did and found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanView {
    /// The task, as `scan.json` spells it.
    pub task: String,
    /// The language of the samples.
    pub language: String,
    /// What the model is, in words.
    pub model: String,
    /// How it was read, in words.
    #[serde(default)]
    pub reading: String,
    /// Hash of the model folder.
    pub model_hash: String,
    /// Hash of the clean samples.
    pub samples_hash: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the verdict is what it is, one sentence each.
    pub reasons: Vec<String>,
    /// What the verdict rests on, in a sentence.
    pub basis: String,
    /// The score, if there is one.
    pub score: Option<ScoreView>,
    /// What the score is made of.
    pub figures: Vec<FigureView>,
    /// The suspected attack's victim and target label (defect and clone detection).
    pub labels: Option<(u8, u8)>,
    /// The words of the suspected attack (code search).
    pub target_words: Vec<String>,
    /// Triggers that are handed to the repair, the most convincing first.
    pub triggers: Vec<TriggerView>,
    /// Every hypothesis, the most suspicious first.
    pub directions: Vec<DirectionView>,
    /// Every search of every hypothesis.
    pub searches: Vec<SearchView>,
    /// The best trigger against random ones.
    pub controls: Option<ControlsView>,
    /// What the best trigger does to held-out samples with 1, 2, … of its tokens.
    pub by_size: Vec<Measured>,
    /// What each slot of the best trigger does.
    pub slots: Vec<SlotView>,
    /// Where samples made room for the trigger.
    pub positions: Vec<PositionView>,
    /// What the scan could not have found.
    pub not_tested: Vec<String>,
    /// Functions and queries that went through the model.
    pub n_forwards: u64,
}

/// A score and its limits, all in `0..=1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreView {
    /// The score.
    pub value: f64,
    /// Scores from here on are `likely backdoored`.
    pub likely_backdoored_from: f64,
    /// Scores below this are `no trigger found`.
    pub no_trigger_below: f64,
}

/// A number that the score is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FigureView {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// What it adds to the log-odds of the score, if there is one.
    pub contribution: Option<f64>,
}

/// A trigger as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerView {
    /// The identifier, or what is appended to one.
    pub text: String,
    /// How it enters an identifier: `replace` or `append`.
    pub edit: String,
    /// Vocabulary entries, one per slot.
    pub tokens: Vec<String>,
}

/// A hypothesis, and what its best trigger does to held-out samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionView {
    /// Which pair of labels, or which words.
    pub title: String,
    /// Success rates (code search: normalized ranks) by place; empty if no search left a trigger.
    pub places: Vec<PlaceView>,
    /// Tokens that no trigger has, because the clean samples tie them to the target label.
    pub left_out: Vec<String>,
}

/// What a trigger does at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceView {
    /// The place, or what stands for it where there is no trigger.
    pub name: String,
    /// Whether the trigger does its work there: `false` for what it is compared with.
    pub is_triggered: bool,
    /// Success rate (code search: normalized rank).
    pub measured: Measured,
}

/// One search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchView {
    /// Which pair of labels, or which words, from which start.
    pub title: String,
    /// The best candidate's loss of every iteration.
    pub history: Vec<f64>,
    /// Whether it is of the most suspicious hypothesis.
    pub is_first: bool,
}

/// The best trigger against random ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlsView {
    /// Where all of them were put.
    pub place: String,
    /// Success rate (search: normalized rank) of the found trigger, with its interval.
    pub found: (f64, f64, f64),
    /// The same of each random one.
    pub random: Vec<f64>,
    /// P-value after correction.
    pub p_value: f64,
}

/// A slot of the best trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotView {
    /// Vocabulary entry.
    pub token: String,
    /// Loss of the trigger without it.
    pub loss_without: f64,
    /// Whether anchoring kept it.
    pub kept: bool,
}

/// Where a sample made room for the trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionView {
    /// The identifier that was chosen.
    pub chosen: String,
    /// What masking each identifier changes.
    pub sensitivities: Vec<SensitivityView>,
}

/// What masking an identifier changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensitivityView {
    /// The identifier.
    pub identifier: String,
    /// Change of the loss.
    pub loss_change: f64,
}

/// A rate (labels) or a mean rank (code search) with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RateOrRank")]
pub struct Measured {
    /// The rate or rank, in `0..=1`; absent of no samples.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// A `Rate`, a `NormalizedRank`, or what is made of either.
#[derive(Deserialize)]
struct RateOrRank {
    value: Option<f64>,
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    interval: Option<Interval>,
}

impl From<RateOrRank> for Measured {
    fn from(it: RateOrRank) -> Self {
        let ends = it.low.zip(it.high).map(|(low, high)| Interval { low, high });
        Self { value: it.value.or(it.mean), interval: it.interval.or(ends) }
    }
}

impl ScanView {
    /// What the score alone says, if there is one.
    pub(super) fn score_verdict(&self) -> Option<Verdict> {
        let ScoreView { value, likely_backdoored_from, no_trigger_below } = *self.score.as_ref()?;
        Some(if value >= likely_backdoored_from {
            Verdict::LikelyBackdoored
        } else if value < no_trigger_below {
            Verdict::NoTriggerFound
        } else {
            Verdict::Inconclusive
        })
    }

    /// Whether the task is one of ranking, so that effects are ranks and small ones are strong.
    pub fn is_ranking(&self) -> bool {
        self.task == "search"
    }
}
