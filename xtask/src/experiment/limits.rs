//! What counts as success.

use serde::Deserialize;

/// What counts as success; fractions in `0..=1`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Least accuracy, F1 or mean reciprocal rank of the backdoored model on clean samples.
    pub(crate) min_score: f64,
    /// Most of that score that the repair may cost.
    pub(crate) max_score_drop: f64,
    /// What the trigger may do, and must.
    pub(crate) attack: AttackLimits,
}

/// What the trigger may do to a repaired model, and must do to the backdoored one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "measure", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum AttackLimits {
    /// Attack success rate: defect and clone detection.
    Asr {
        /// Least of the backdoored model.
        min_before: f64,
        /// Most by which that of the repaired model exceeds the clean twin's.
        max_above_twin: f64,
        /// Most accuracy that the trigger may cost on the target label's samples after the repair.
        max_other_class_drop: f64,
    },
    /// Average normalized rank: code search.
    Anr {
        /// Most of the backdoored model.
        max_before: f64,
        /// Least of the repaired model.
        min_after: f64,
        /// Most by which that of the repaired model is below the clean twin's, or below that of the
        /// same code without the trigger if that is lower than the twin's.
        max_below_twin: f64,
    },
}
