//! What a page shows of a repair.

use serde_json::Value;

use super::certificate_view;
use super::unlearning_view::UnlearningView;
use crate::error::Error;
use crate::records::Certificate;

/// What a repair did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RepairReport {
    /// The model was made to forget triggers.
    Unlearning(UnlearningView),
    /// The model was made blind to names.
    Canonical(Box<Certificate>),
}

impl RepairReport {
    /// The record of unlearning, in the repaired model's folder.
    pub const UNLEARNING_FILE: &str = "purification.json";
    /// The record of canonical names, in the repaired model's folder.
    pub const CANONICAL_FILE: &str = "certificate.json";

    /// Reads the text of either file.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let malformed = |source| Error::Malformed { file: Self::UNLEARNING_FILE, source };
        let document: Value = serde_json::from_str(text).map_err(malformed)?;
        if document.get("excluded").is_some() {
            return Ok(Self::Canonical(Box::new(Certificate::from_json(text)?)));
        }
        Ok(Self::Unlearning(serde_json::from_value(document).map_err(malformed)?))
    }

    /// Whether the repair is that of the model with this hash.
    pub fn is_of(&self, model_hash: &str) -> bool {
        match self {
            Self::Unlearning(it) => it.inputs().iter().any(|it| it == model_hash),
            Self::Canonical(it) => {
                let inputs = it.run.get("inputs").and_then(Value::as_array);
                inputs.is_some_and(|inputs| inputs.iter().any(|it| it == model_hash))
            }
        }
    }

    pub(super) fn html(&self) -> String {
        match self {
            Self::Unlearning(it) => it.html(),
            Self::Canonical(it) => certificate_view::html(it),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::unlearning_view::tests::{RUN, labels};
    use super::*;

    #[test]
    fn either_file_is_read() {
        let unlearning = RepairReport::from_json(&labels(true)).expect("test data");
        assert!(unlearning.is_of("abc") && !unlearning.is_of("ab"));
        assert!(unlearning.html().contains("passed its checks"));
        let certificate = format!(
            r#"{{"schema_version": 1, "run": {RUN}, "task": "defect", "language": "c",
                "canonical_input": {{}}, "excluded": ["names of <parameters>"],
                "not_covered": ["called functions"],
                "law": {{"n_renamings": 20, "n_functions": 9, "n_violations": 0,
                    "n_with_errors": 1, "n_violations_with_errors": 0}},
                "scores": {{"measure": "accuracy", "n_samples": 50, "raw": 0.9, "canonical": 0.8,
                    "repaired": 0.88, "cost": {{"low": -0.01, "high": 0.05}}}},
                "fine_tuning": {{"n_training": 9, "n_selection": 3, "best_epoch": 1,
                    "selection_before": 0.8, "selection_after": 0.9, "is_kept": true}},
                "objections": []}}"#
        );
        let canonical = RepairReport::from_json(&certificate).expect("test data");
        assert!(canonical.is_of("abc") && !canonical.is_of("ab"));
        let html = canonical.html();
        for part in ["names of &lt;parameters&gt;", "88.0 % after", "−1.0 to 5.0", "20 random"] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        for text in [r#"{"attempts": []}"#, "[]", "", r#"{"excluded": []}"#] {
            RepairReport::from_json(text).expect_err("neither");
        }
    }
}
