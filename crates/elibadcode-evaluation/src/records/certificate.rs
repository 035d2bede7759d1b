//! `certificate.json`: what a model that reads canonical names cannot be made to do, what it can,
//! and what that cost.

use serde::{Deserialize, Serialize};

use super::document;
use crate::error::Error;
use crate::statistics::Interval;

/// The version of `certificate.json` that this crate reads and writes.
pub const CERTIFICATE_SCHEMA_VERSION: u32 = 1;

const FILE: &str = "certificate.json";

/// The whole of a `certificate.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Version of the format, [`CERTIFICATE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made it: command, settings, seed and hashes of the inputs.
    pub run: serde_json::Value,
    /// The task: `defect`, `clone` or `search`.
    pub task: String,
    /// The language of the functions.
    pub language: String,
    /// The form of the input, as the folder states it.
    pub canonical_input: serde_json::Value,
    /// Triggers that cannot change an answer, found or not, because they never reach the model.
    pub excluded: Vec<String>,
    /// Triggers that can.
    pub not_covered: Vec<String>,
    /// The exclusion put to the test on the clean functions.
    pub law: LawCheck,
    /// What the model's task lost.
    pub scores: CanonicalScores,
    /// Whether and how the weights were changed.
    pub fine_tuning: FineTuning,
    /// What speaks against the model; empty if it was written.
    pub objections: Vec<String>,
}

impl Certificate {
    /// Reads the text of a `certificate.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        document::read(text, FILE, CERTIFICATE_SCHEMA_VERSION)
    }
}

/// Clean functions under random legal renamings: how many canonical forms were not the same bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LawCheck {
    /// Renamings of each function.
    pub n_renamings: usize,
    /// Functions that parse without errors.
    pub n_functions: usize,
    /// Those of them that have more than one canonical form: 0.
    pub n_violations: usize,
    /// Functions that do not parse; the form is not promised for them.
    pub n_with_errors: usize,
    /// Those of them that have more than one canonical form.
    pub n_violations_with_errors: usize,
}

/// The score of the task on clean samples that were kept aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonicalScores {
    /// Accuracy, F1 or mean reciprocal rank.
    pub measure: String,
    /// Samples.
    pub n_samples: usize,
    /// Of the model as it came, with the functions' own names.
    pub raw: f64,
    /// Of the same weights with canonical names.
    pub canonical: f64,
    /// Of the repaired model, with canonical names.
    pub repaired: f64,
    /// How much was lost from `raw` to `repaired`, as a 90 % interval; negative where it rose.
    pub cost: Interval,
}

/// Fine-tuning on canonical samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FineTuning {
    /// Samples that were trained on.
    pub n_training: usize,
    /// Other samples, which chose the epoch.
    pub n_selection: usize,
    /// Its peak learning rate, that of the last trial; absent if there was none.
    pub learning_rate: Option<f64>,
    /// The epoch of the best score; absent if there were too few samples to train on.
    pub best_epoch: Option<usize>,
    /// Score of the untrained weights on the selection samples.
    pub selection_before: Option<f64>,
    /// Score of the best epoch on them.
    pub selection_after: Option<f64>,
    /// Whether the trained weights are better there and were kept.
    pub is_kept: bool,
}
