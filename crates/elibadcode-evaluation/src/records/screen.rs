//! `screen`'s document, and how well a screen tells functions with a trigger from clean ones.

use serde::{Deserialize, Serialize};

use crate::rate::Rate;
use crate::statistics::roc_auc;

/// The version of the document that this crate writes.
pub const SCREEN_SCHEMA_VERSION: u32 = 1;

/// What `screen` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenReport {
    /// Version of the format, [`SCREEN_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made it: command, settings, seed and hashes of the inputs.
    pub run: serde_json::Value,
    /// The task: `defect`, `clone` or `search`.
    pub task: String,
    /// The language of the functions.
    pub language: String,
    /// What is flagged is more suspicious than this.
    pub threshold: f64,
    /// Functions or pairs.
    pub n_subjects: usize,
    /// Those of them with a function that does not parse.
    pub n_with_errors: usize,
    /// What is flagged, the most suspicious first.
    pub flagged: Vec<FlaggedSubject>,
    /// What the same threshold does to clean subjects, if there were any.
    pub clean: Option<CleanAlarms>,
}

/// How often clean subjects are flagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanAlarms {
    /// The rate of false alarms that the threshold was set for; none if it is where answers change.
    pub wanted_rate: Option<f64>,
    /// Clean subjects that are flagged.
    pub false_alarms: Rate,
}

/// A function, or pair, whose answer hangs on its names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlaggedSubject {
    /// Number of the function or pair among the usable ones of its file, from 0.
    pub index: usize,
    /// Where it stands: the line, or the ids.
    pub place: String,
    /// How much of the answer hangs on names: log-odds, or for search one minus the cosine.
    pub suspicion: f64,
    /// Chance that a clean subject is as suspicious, if there were any.
    pub p_value: Option<f64>,
    /// The label as it is (defect, clone).
    pub label: Option<u8>,
    /// The label without names (defect, clone).
    pub label_without_names: Option<u8>,
    /// The name that does most of it; none if comments do more.
    pub responsible: Option<String>,
    /// Every name, the one that does most first.
    pub names: Vec<NameEvidence>,
    /// Share of the change that comments and docstrings account for.
    pub comments: f64,
}

/// What one name does to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameEvidence {
    /// Which function declares it: 0, or 1 for the second of a pair.
    pub function: usize,
    /// The name.
    pub name: String,
    /// Share of the change when it alone is taken away.
    pub removed: f64,
    /// Share of the change that is undone when it alone is given back.
    pub restored: f64,
    /// Whether the answer changes when it alone is taken away.
    pub changes_the_answer: bool,
    /// Whether the answer comes back when it alone is given back.
    pub brings_it_back: bool,
}

impl NameEvidence {
    /// How much of the change hangs on this name.
    pub fn share(&self) -> f64 {
        f64::midpoint(self.removed, self.restored)
    }
}

/// How well a screen tells functions with a trigger from clean ones, beside the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenMetrics {
    /// Clean subjects.
    pub n_clean: usize,
    /// Subjects of the attacked label (search: all) with the trigger.
    pub n_triggered: usize,
    /// With names against without.
    pub canonical: Detection,
    /// With every identifier against without one (ONION's removal, of identifiers).
    pub removal: Detection,
}

/// How well one kind of suspicion does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Chance that a subject with the trigger is more suspicious than a clean one.
    pub roc_auc: Option<f64>,
    /// Share of those with the trigger that are flagged where 1 % of the clean ones are.
    pub at_1_percent: Option<f64>,
    /// Where 5 % of the clean ones are.
    pub at_5_percent: Option<f64>,
    /// Clean subjects whose answer changes at all.
    pub clean_changed: Rate,
    /// Subjects with the trigger whose answer changes at all.
    pub triggered_changed: Rate,
}

impl Detection {
    /// From the suspicions of clean subjects and of those with the trigger; 0: nothing changes.
    pub fn of(clean: &[f64], triggered: &[f64]) -> Self {
        let changed = |suspicions: &[f64]| suspicions.iter().map(|&it| it > 0.0).collect();
        let scores = [triggered, clean].concat();
        let is_triggered: Vec<bool> = (0..scores.len()).map(|it| it < triggered.len()).collect();
        Self {
            roc_auc: roc_auc(&scores, &is_triggered),
            at_1_percent: detection_rate(clean, triggered, 0.01),
            at_5_percent: detection_rate(clean, triggered, 0.05),
            clean_changed: changed(clean),
            triggered_changed: changed(triggered),
        }
    }
}

/// The share of `triggered` suspicions above the lowest threshold that at most `rate` of the
/// `clean` ones are above, and that is not below 0; `None` without any.
fn detection_rate(clean: &[f64], triggered: &[f64], rate: f64) -> Option<f64> {
    let mut descending = clean.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    let n_above = (rate * clean.len() as f64).floor() as usize;
    let limit = descending.get(n_above).copied()?.max(0.0);
    triggered.iter().map(|&it| it > limit).collect::<Rate>().value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_by_hand() {
        let clean = [0.0, 0.0, 1.0, 2.0];
        let rate = |triggered: &[f64], rate| detection_rate(&clean, triggered, rate);
        assert_eq!(rate(&[3.0, 2.0, 1.5], 0.01), Some(1.0 / 3.0));
        assert_eq!(rate(&[3.0, 2.0, 1.5], 0.25), Some(1.0));
        assert_eq!(rate(&[0.0], 0.9), Some(0.0));
        assert_eq!((rate(&[], 0.05), detection_rate(&[], &[1.0], 0.05)), (None, None));
        let detection = Detection::of(&clean, &[3.0, 0.0]);
        assert_eq!(detection.clean_changed, Rate::new(2, 4));
        assert_eq!(detection.triggered_changed, Rate::new(1, 2));
        // 3 is above all four, 0 is below two and level with two.
        assert_eq!(detection.roc_auc, Some(0.625));
    }
}
