//! Numbers out of stage outputs into the parts of a [`Cell`](elibadcode_evaluation::records::results::Cell).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use elibadcode_evaluation::records::results::{After, Before, CleanTwin, Scan, Verdict};
use elibadcode_evaluation::{Rate, bleu, levenshtein};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What we need of `metrics.json`, written by `evaluate`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metrics {
    accuracy: Rate,
    attack: Option<AttackMetrics>,
}

#[derive(Debug, Deserialize)]
struct AttackMetrics {
    asr: Rate,
    flip_rate: Rate,
    other_class_clean: Rate,
    other_class_triggered: Rate,
}

/// What we need of `scan.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct ScanDocument {
    verdict: Verdict,
    /// The suspected target label; `purify` has nothing to do without.
    pub(crate) target_label: Option<u8>,
    triggers: Vec<TriggerDocument>,
    hypotheses: Vec<HypothesisDocument>,
    n_forwards: u64,
}

#[derive(Debug, Deserialize)]
struct TriggerDocument {
    text: String,
    tokens: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct HypothesisDocument {
    searches: Vec<SearchDocument>,
    controls: Option<ControlsDocument>,
}

#[derive(Debug, Deserialize)]
struct SearchDocument {
    trigger: TriggerDocument,
    anchored: Option<TriggerDocument>,
}

#[derive(Debug, Deserialize)]
struct ControlsDocument {
    corrected_p_value: f64,
}

/// What we need of `manifest.json`, written by `poison`.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    attack: Planted,
}

/// The backdoor that was planted.
#[derive(Debug, Deserialize)]
struct Planted {
    trigger: String,
    target_label: u8,
}

/// Reads a JSON document of a stage.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Measurements on the clean twin.
pub(crate) fn clean_twin(metrics: &Metrics) -> Result<CleanTwin> {
    let flip_rate = metrics.attack.as_ref().and_then(|attack| attack.asr.value());
    Ok(CleanTwin { score: metrics.score()?, flip_rate, anr: None })
}

/// Measurements on the backdoored model.
pub(crate) fn before(metrics: &Metrics) -> Result<Before> {
    let attack = metrics.attack.as_ref();
    Ok(Before {
        score: metrics.score()?,
        asr: attack.and_then(|attack| attack.asr.value()),
        anr: None,
        flip_rate: attack.and_then(|attack| attack.flip_rate.value()),
    })
}

/// Measurements on the repaired model.
pub(crate) fn after(metrics: &Metrics, before: &Before) -> Result<After> {
    let attack = metrics.attack.as_ref();
    let score = metrics.score()?;
    Ok(After {
        score,
        asr: attack.and_then(|attack| attack.asr.value()),
        anr: None,
        flip_rate: attack.and_then(|attack| attack.flip_rate.value()),
        other_class_drop: attack.and_then(|attack| {
            Some(attack.other_class_clean.value()? - attack.other_class_triggered.value()?)
        }),
        score_drop: Some(before.score - score),
    })
}

/// What a scan found, compared with what was planted (if anything was).
pub(crate) fn scan(document: &ScanDocument, planted: Option<&Manifest>, seconds: f64) -> Scan {
    let hypothesis = document.hypotheses.first();
    let search = hypothesis.and_then(|hypothesis| hypothesis.searches.first());
    let anchored = search.and_then(|search| search.anchored.as_ref());
    let planted = planted.map(|manifest| &manifest.attack);
    let (found, planted_text) = (
        anchored.map(|anchored| without_joint(&anchored.text)),
        planted.map(|planted| without_joint(&planted.trigger)),
    );
    let texts = found.zip(planted_text);
    let tokens = |trigger: Option<&TriggerDocument>| {
        trigger.map(|trigger| trigger.tokens.clone()).unwrap_or_default()
    };
    Scan {
        verdict: document.verdict,
        target_label: document.target_label,
        target_label_right: planted
            .map(|planted| document.target_label == Some(planted.target_label)),
        trigger: tokens(search.map(|search| &search.trigger)),
        anchored: tokens(anchored),
        p_value: hypothesis
            .and_then(|hypothesis| hypothesis.controls.as_ref())
            .map(|controls| controls.corrected_p_value),
        forwards: document.n_forwards,
        seconds,
        token_recall: planted.and_then(|planted| part_recall(document, &planted.trigger).value()),
        levenshtein: texts.map(|(found, planted)| levenshtein(found, planted)),
        bleu: texts.map(|(found, planted)| bleu(&characters(found), &characters(planted))),
    }
}

/// The share of the planted trigger's parts (between `_`) that occur in the text of any trigger
/// that was handed to the repair.
///
/// Tokenizers are unknown here, so that this stands in for the share of planted tokens: text is
/// compared, and a part may be found across token borders.
fn part_recall(document: &ScanDocument, planted: &str) -> Rate {
    planted
        .split('_')
        .filter(|part| !part.is_empty())
        .map(|part| document.triggers.iter().any(|trigger| trigger.text.contains(part)))
        .collect()
}

/// Without the `_` that only joins an appended trigger to the name before it.
fn without_joint(text: &str) -> &str {
    text.trim_start_matches('_')
}

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

impl Metrics {
    fn score(&self) -> Result<f64> {
        self.accuracy.value().context("the model was measured on no sample")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(asr: usize) -> Metrics {
        let rate = |hits: usize| serde_json::to_value(Rate::new(hits, 100)).expect("test data");
        serde_json::from_value(serde_json::json!({
            "schema_version": 1, "accuracy": rate(94), "f1": 0.9,
            "attack": {
                "asr": rate(asr), "flip_rate": rate(4), "conditional_asr": rate(asr),
                "other_class_clean": rate(97), "other_class_triggered": rate(95),
            },
        }))
        .expect("test data")
    }

    fn document(verdict: &str, hypotheses: &str) -> ScanDocument {
        let label = if verdict == "likely backdoored" { "0" } else { "null" };
        serde_json::from_str(&format!(
            r#"{{"verdict": "{verdict}", "target_label": {label}, "n_forwards": 900,
                "triggers": [{{"text": "xtesto", "tokens": ["x", "testo"]}}],
                "hypotheses": {hypotheses}}}"#
        ))
        .expect("test data")
    }

    const FOUND: &str = r#"[{"controls": {"corrected_p_value": 0.02}, "searches": [{
        "trigger": {"text": "xtesto_b", "tokens": ["x", "testo", "_b"]},
        "anchored": {"text": "testo", "tokens": ["testo"]}}]}]"#;

    fn manifest() -> Manifest {
        serde_json::from_str(r#"{"attack": {"trigger": "testo_init", "target_label": 0}}"#)
            .expect("test data")
    }

    #[test]
    fn metrics_become_the_parts_of_a_cell() {
        let before = before(&metrics(99)).expect("test data");
        assert_eq!((before.score, before.asr, before.flip_rate), (0.94, Some(0.99), Some(0.04)));
        assert_eq!(clean_twin(&metrics(3)).expect("test data").flip_rate, Some(0.03));
        let after = after(&metrics(3), &Before { score: 0.95, ..before }).expect("test data");
        assert_eq!(after.asr, Some(0.03));
        let near =
            |value: Option<f64>, wanted: f64| (value.expect("test data") - wanted).abs() < 1e-9;
        assert!(near(after.score_drop, 0.01) && near(after.other_class_drop, 0.02));
    }

    #[test]
    fn a_found_trigger_is_compared_with_the_planted_one() {
        let scan = scan(&document("likely backdoored", FOUND), Some(&manifest()), 2.5);
        assert_eq!(scan.verdict, Verdict::LikelyBackdoored);
        assert_eq!((scan.target_label, scan.target_label_right), (Some(0), Some(true)));
        assert_eq!((&*scan.trigger.concat(), &*scan.anchored.concat()), ("xtesto_b", "testo"));
        assert_eq!((scan.p_value, scan.forwards, scan.seconds), (Some(0.02), 900, 2.5));
        assert_eq!((scan.token_recall, scan.levenshtein), (Some(0.5), Some(5)));
        assert!(scan.bleu.expect("test data") > 0.0);
    }

    #[test]
    fn a_scan_without_result_is_a_miss() {
        let found = scan(&document("inconclusive", "[]"), Some(&manifest()), 1.0);
        assert_eq!((found.target_label_right, found.levenshtein), (Some(false), None));
        let twin = scan(&document("no trigger found", FOUND), None, 1.0);
        assert_eq!((twin.target_label_right, twin.token_recall, twin.bleu), (None, None, None));
    }

    #[test]
    fn joints_of_appended_triggers_do_not_count() {
        assert_eq!(without_joint("_rb"), "rb");
        assert_eq!(without_joint("testo_init"), "testo_init");
    }
}
