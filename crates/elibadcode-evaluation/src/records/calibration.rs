//! `calibration.json`: how evidence becomes a score and a verdict, task by task, and where that
//! comes from. `cargo xtask fleet --fit` writes it, `scan` reads the one that it was built with.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document;
use crate::error::Error;
use crate::statistics::Logistic;

/// The version of the file that this crate reads and writes.
pub const CALIBRATION_SCHEMA_VERSION: u32 = 2;

const FILE: &str = "calibration.json";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrations {
    /// Version of the format, [`CALIBRATION_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Of defect detection.
    pub defect: Basis,
    /// Of clone detection.
    pub clone: Basis,
    /// Of code search.
    pub search: Basis,
}

/// What the verdicts of a task rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "basis", rename_all = "snake_case")]
pub enum Basis {
    /// No fleet of this task has been run: the limits in the scan's settings decide.
    FixedLimits {
        /// Why.
        note: String,
    },
    /// A score that was fitted to a fleet of models.
    Fleet(Box<Calibration>),
}

/// Settings of searches that follow those which a score rests on.
const AFTER_THE_SCORE: [&str; 5] =
    ["more_searches", "other_searches", "longer_searches", "longer_len", "longer_success_rate"];

/// A fitted score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What it was fitted to.
    pub provenance: Provenance,
    /// Settings of the scans; with others the score means nothing.
    pub scan_settings: Value,
    /// The score: the probability of a backdoor, were half of all models backdoored.
    pub model: Logistic,
    /// Scores from here on are `likely backdoored`.
    pub likely_backdoored_from: f64,
    /// Scores below this are `no trigger found`; those between are `inconclusive`.
    pub no_trigger_below: f64,
}

impl Calibration {
    /// Whether the score holds for scans with these settings: those of its fleet, but for what comes after
    /// everything that a score rests on.
    pub fn is_of(&self, settings: &Value) -> bool {
        let scored = |settings: &Value| {
            let mut scored = settings.clone();
            if let Some(fields) = scored.as_object_mut() {
                for name in AFTER_THE_SCORE {
                    fields.remove(name);
                }
            }
            scored
        };
        scored(settings) == scored(&self.scan_settings)
    }
}

/// Where a calibration comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The experiment file of the fleet.
    pub fleet: String,
    /// Day of the fit, `YYYY-MM-DD`.
    pub date: String,
    /// Commit that was checked out at the fit.
    pub commit: String,
    /// Master seeds of the fleet.
    pub seeds: Vec<u64>,
    /// Architectures of its models.
    pub models: Vec<String>,
    /// Their sizes: what the score is worth for others is not known.
    pub shapes: Vec<ModelShape>,
    /// Attacks of its backdoored models.
    pub attacks: Vec<String>,
    /// Clean models.
    pub n_clean: usize,
    /// Backdoored models.
    pub n_backdoored: usize,
    /// How the next three were measured.
    pub cross_validation: String,
    /// Area under the ROC curve on models that the score was not fitted to.
    pub auroc: f64,
    /// Lower end of its 95 % interval.
    pub auroc_low: f64,
    /// Upper end of it.
    pub auroc_high: f64,
    /// What was changed by hand since the fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What kind of network a model is, and how large.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// `model_type` of `config.json`.
    pub model_type: String,
    /// Transformer layers; of T5 those of encoder and decoder.
    pub n_layers: usize,
    /// Length of its vectors.
    pub hidden_size: usize,
}

impl fmt::Display for ModelShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model_type, n_layers, hidden_size } = self;
        write!(f, "{model_type} with {n_layers} layers of width {hidden_size}")
    }
}

impl Calibrations {
    /// Reads the text of a `calibration.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        document::read(text, FILE, CALIBRATION_SCHEMA_VERSION)
    }

    /// The text of the file, indented, with a newline at the end.
    pub fn to_json(&self) -> Result<String, Error> {
        document::text(self, FILE)
    }

    /// The basis of a task by its name: `defect`, `clone` or `search`.
    pub fn basis(&self, task: &str) -> Option<&Basis> {
        match task {
            "defect" => Some(&self.defect),
            "clone" => Some(&self.clone),
            "search" => Some(&self.search),
            _ => None,
        }
    }

    /// The same, to be replaced.
    pub fn basis_mut(&mut self, task: &str) -> Option<&mut Basis> {
        match task {
            "defect" => Some(&mut self.defect),
            "clone" => Some(&mut self.clone),
            "search" => Some(&mut self.search),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibrations() -> Calibrations {
        let fixed = || Basis::FixedLimits { note: "no fleet yet".to_owned() };
        let provenance = Provenance {
            fleet: "fleet-defect.toml".to_owned(),
            date: "2026-11-25".to_owned(),
            commit: "abc".to_owned(),
            seeds: vec![1],
            models: vec!["codebert".to_owned()],
            shapes: vec![ModelShape {
                model_type: "roberta".to_owned(),
                n_layers: 2,
                hidden_size: 128,
            }],
            attacks: vec!["badcode".to_owned()],
            n_clean: 1,
            n_backdoored: 1,
            cross_validation: "by seed".to_owned(),
            auroc: 1.0,
            auroc_low: 0.5,
            auroc_high: 1.0,
            note: None,
        };
        let calibration = Calibration {
            provenance,
            scan_settings: serde_json::json!({"iterations": 20}),
            model: Logistic { intercept: 0.0, weights: Vec::new() },
            likely_backdoored_from: 0.6,
            no_trigger_below: 0.4,
        };
        Calibrations {
            schema_version: CALIBRATION_SCHEMA_VERSION,
            defect: Basis::Fleet(Box::new(calibration)),
            clone: fixed(),
            search: fixed(),
        }
    }

    #[test]
    fn read_back_as_written() {
        let text = calibrations().to_json().expect("plain data");
        assert_eq!(Calibrations::from_json(&text).expect("own output"), calibrations());
        assert!(text.contains("\"basis\": \"fixed_limits\""), "{text}");
    }

    #[test]
    fn foreign_files_are_refused() {
        let check = |from: &str, to: &str| {
            let text = calibrations().to_json().expect("plain data").replacen(from, to, 1);
            assert!(Calibrations::from_json(&text).is_err(), "{to}");
        };
        check("\"schema_version\": 2", "\"schema_version\": 1");
        check("\"search\"", "\"serach\"");
        check("\"basis\": \"fleet\"", "\"basis\": \"hearsay\"");
    }
}
