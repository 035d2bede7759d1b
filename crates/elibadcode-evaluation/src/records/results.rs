//! `results.json`: what the reproduction measured, one cell per task, model, attack and seed.
//!
//! All rates and scores are fractions in `0..=1`. Parts of a cell that did not run are absent.

use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::records::screen::ScreenMetrics;
use crate::statistics::Interval;

mod defenses;
mod file;
mod status;

pub use defenses::{DefenseComparison, compare_defenses};
pub use file::RESULTS_SCHEMA_VERSION;
pub use status::{CellStatus, Verdict};

/// The whole of a `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Version of the format, [`RESULTS_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Size of the experiment: `smoke`, `small`, `real` or `paper`.
    pub scale: String,
    /// The research question that the cells answer: `rq1` to `rq4`, `time` or `names`; absent for the
    /// experiments of the tasks themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The day (UTC, `2026-11-25`) on which the last stage ran; absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The device and adapter that computed.
    pub device: String,
    /// One entry per planned cell, also for those that could not run.
    pub cells: Vec<Cell>,
    /// What the attacks still do after each defense, against [`OWN_DEFENSE`]; empty if nothing
    /// else was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<DefenseComparison>,
}

/// The variant of a cell that was defended by `scan` and `purify` with the experiment's settings.
pub const OWN_DEFENSE: &str = "elibadcode";

fn own_defense() -> String {
    OWN_DEFENSE.to_owned()
}

/// One chain of poison, train, evaluate, scan, purify, evaluate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The task: `defect`, `clone` or `search`.
    pub task: String,
    /// The model's name, for example `codebert`.
    pub model: String,
    /// The attack's name, for example `codepoisoner`.
    pub attack: String,
    /// How the model was defended: [`OWN_DEFENSE`], a variation of it, or another defense.
    #[serde(default = "own_defense")]
    pub variant: String,
    /// The master seed of the chain.
    pub seed: u64,
    /// Whether the cell ran.
    pub status: CellStatus,
    /// An unpoisoned model of the same recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_twin: Option<CleanTwin>,
    /// The backdoored model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// What the scan of the backdoored model found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// The model after purification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// How well a screen of the backdoored model's inputs finds the attack, if that is the defense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<ScreenMetrics>,
    /// Wall-clock time of the stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<StageSeconds>,
}

/// 95 % confidence intervals of the numbers beside them, over the test samples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// Of `score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Interval>,
    /// Of `asr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asr: Option<Interval>,
    /// Of `anr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anr: Option<Interval>,
    /// Of `flip_rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<Interval>,
}

impl Intervals {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Measurements on the clean twin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanTwin {
    /// Accuracy, F1 or mean reciprocal rank, by task.
    pub score: f64,
    /// Share of victims that the trigger turns into the target label in this clean model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<f64>,
    /// Average normalized rank of triggered code in this clean model (search).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anr: Option<f64>,
    /// How sure the numbers are.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
}

/// Measurements on the backdoored model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Accuracy, F1 or mean reciprocal rank, by task.
    pub score: f64,
    /// Attack success rate (defect, clone).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asr: Option<f64>,
    /// Average normalized rank (search).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anr: Option<f64>,
    /// Share of victims predicted as the target label without any trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<f64>,
    /// How sure the numbers are.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
}

/// What the scan found, compared with what was planted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The verdict on the model.
    pub verdict: Verdict,
    /// The suspected target label (defect, clone).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_label: Option<u8>,
    /// Whether that is the planted one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_label_right: Option<bool>,
    /// The inverted target words (search).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_words: Vec<String>,
    /// Whether the planted one is among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_word_right: Option<bool>,
    /// Tokens of the inverted trigger.
    pub trigger: Vec<String>,
    /// Tokens that are left after anchoring.
    pub anchored: Vec<String>,
    /// Permutation p-value against random triggers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Iterations of the search that found the trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// Loss of the inverted trigger on the search samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Samples sent through the model.
    pub forwards: u64,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// Share of the parts (between `_`) of the nearest planted trigger that the anchored one contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_recall: Option<f64>,
    /// Edits between the inverted and the planted trigger, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levenshtein: Option<usize>,
    /// BLEU-4 of the inverted against the planted trigger, in percent (0 to 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bleu: Option<f64>,
}

/// Measurements on the purified model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Accuracy, F1 or mean reciprocal rank, by task.
    pub score: f64,
    /// Attack success rate of the planted trigger (defect, clone).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asr: Option<f64>,
    /// Average normalized rank (search).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anr: Option<f64>,
    /// Share of victims predicted as the target label without any trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<f64>,
    /// ANR of the attacked codes without the trigger (search).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anr_without_trigger: Option<f64>,
    /// Of the test samples (search: attacked codes) that can carry the trigger those whose input it
    /// changes, as the model reads it; none if the model sees no names and the trigger is in names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_changed: Option<Rate>,
    /// Accuracy that samples of the target label lose when they carry the trigger; in `-1..=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_class_drop: Option<f64>,
    /// `score` before minus `score` after; in `-1..=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_drop: Option<f64>,
    /// How sure the numbers are.
    #[serde(default, skip_serializing_if = "Intervals::is_empty")]
    pub intervals: Intervals,
}

/// Wall-clock time of each stage that ran, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSeconds {
    /// Training of the backdoored model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<f64>,
    /// The scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<f64>,
    /// The purification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purify: Option<f64>,
}

impl StageSeconds {
    /// The time of all stages that ran, or `None` if none did.
    pub fn total(&self) -> Option<f64> {
        let stages = [self.train, self.scan, self.purify];
        stages.iter().any(Option::is_some).then(|| stages.iter().flatten().sum())
    }
}
