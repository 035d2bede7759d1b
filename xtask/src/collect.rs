//! Numbers out of stage outputs into the parts of a
//! [`Cell`](elibadcode_evaluation::records::results::Cell).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use elibadcode_evaluation::classification::f1_interval;
use elibadcode_evaluation::records::metrics::AttackMetrics;
use elibadcode_evaluation::records::results::{After, Before, CleanTwin, Intervals, Scan, Verdict};
use elibadcode_evaluation::{Metrics, Rate, bleu, levenshtein};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::experiment::Task;

/// Confidence of all intervals.
const CONFIDENCE: f64 = 0.95;

/// What we need of `scan.json`, of any task.
#[derive(Debug, Deserialize)]
pub(crate) struct ScanDocument {
    verdict: Verdict,
    /// The suspected target label (defect, clone).
    target_label: Option<u8>,
    /// The inverted target words (search).
    #[serde(default)]
    target_words: Vec<WordDocument>,
    triggers: Vec<TriggerDocument>,
    hypotheses: Vec<HypothesisDocument>,
    n_forwards: u64,
}

impl ScanDocument {
    /// Whether `purify` has something to do.
    pub(crate) fn has_suspect(&self, task: Task) -> bool {
        match task {
            Task::Defect | Task::Clone => self.target_label.is_some(),
            Task::Search => !self.triggers.is_empty(),
        }
    }
}

/// A target word.
#[derive(Debug, Deserialize)]
pub(crate) struct WordDocument {
    text: String,
}

#[derive(Debug, Deserialize)]
struct TriggerDocument {
    text: String,
    tokens: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct HypothesisDocument {
    #[serde(default)]
    searches: Vec<SearchDocument>,
    controls: Option<ControlsDocument>,
}

#[derive(Debug, Deserialize)]
struct SearchDocument {
    trigger: TriggerDocument,
    #[serde(default)]
    history: Vec<f64>,
    loss: Option<f64>,
    anchored: Option<TriggerDocument>,
}

#[derive(Debug, Deserialize)]
struct ControlsDocument {
    corrected_p_value: f64,
}

/// What we need of `manifest.json`, written by `poison`.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    /// What was planted.
    pub(crate) attack: Planted,
}

/// The backdoor that was planted.
#[derive(Debug, Deserialize)]
pub(crate) struct Planted {
    /// The trigger; none of dead code and of names that differ from sample to sample.
    #[serde(default)]
    trigger: Option<String>,
    /// Others, if there are several.
    #[serde(default)]
    more_triggers: Vec<String>,
    target_label: u8,
    /// Code search has this in the place of labels.
    target_word: Option<String>,
}

/// Reads a JSON document of a stage.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Reads what `evaluate` measured.
pub(crate) fn metrics(path: &Path) -> Result<Metrics> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Metrics::from_json(&text).with_context(|| format!("reading {}", path.display()))
}

/// Measurements on the clean twin.
pub(crate) fn clean_twin(metrics: &Metrics) -> Result<CleanTwin> {
    let attack = metrics.attack.as_ref();
    Ok(CleanTwin {
        score: score(metrics)?,
        flip_rate: attack.and_then(|attack| attack.asr?.value()),
        anr: attack.and_then(|attack| attack.anr),
        // Here the flip rate is what the trigger does.
        intervals: {
            let Intervals { asr, .. } = intervals(metrics);
            Intervals { asr: None, flip_rate: asr, ..intervals(metrics) }
        },
    })
}

/// Measurements on the backdoored model.
pub(crate) fn before(metrics: &Metrics) -> Result<Before> {
    let attack = metrics.attack.as_ref();
    Ok(Before {
        score: score(metrics)?,
        asr: attack.and_then(|attack| attack.asr?.value()),
        anr: attack.and_then(|attack| attack.anr),
        flip_rate: attack.and_then(|attack| attack.flip_rate?.value()),
        intervals: intervals(metrics),
    })
}

/// Measurements on the repaired model.
pub(crate) fn after(metrics: &Metrics, before: &Before) -> Result<After> {
    let attack = metrics.attack.as_ref();
    let score = score(metrics)?;
    Ok(After {
        score,
        asr: attack.and_then(|attack| attack.asr?.value()),
        anr: attack.and_then(|attack| attack.anr),
        flip_rate: attack.and_then(|attack| attack.flip_rate?.value()),
        anr_without_trigger: attack.and_then(|attack| attack.anr_without_trigger),
        inputs_changed: metrics.inputs_changed(),
        other_class_drop: attack.and_then(AttackMetrics::other_class_drop),
        score_drop: Some(before.score - score),
        intervals: intervals(metrics),
    })
}

/// How sure the numbers of a model are.
fn intervals(metrics: &Metrics) -> Intervals {
    let of_rate = |rate: Option<Rate>| rate.and_then(|rate| rate.wilson(CONFIDENCE));
    let n_errors = metrics.accuracy.map(|it| it.total - it.hits);
    let attack = metrics.attack.as_ref();
    Intervals {
        score: match &*metrics.task {
            "search" => metrics.ranking.as_ref().and_then(|ranking| ranking.mrr_interval),
            "clone" => {
                metrics.score.zip(n_errors).and_then(|(f1, n)| f1_interval(f1, n, CONFIDENCE))
            }
            _ => of_rate(metrics.accuracy),
        },
        asr: attack.and_then(|attack| of_rate(attack.asr)),
        anr: attack.and_then(|attack| attack.rank_lift.as_ref()?.anr_interval(CONFIDENCE)),
        flip_rate: attack.and_then(|attack| of_rate(attack.flip_rate)),
    }
}

fn score(metrics: &Metrics) -> Result<f64> {
    metrics.score.context("the model has no score: it was measured on no sample, or on no clone")
}

/// What a scan found, compared with what was planted (if anything was).
pub(crate) fn scan(document: &ScanDocument, planted: Option<&Manifest>, seconds: f64) -> Scan {
    let hypothesis = document.hypotheses.first();
    let search = hypothesis.and_then(|hypothesis| hypothesis.searches.first());
    // A document without searches still says what it would hand to the repair.
    let first = document.triggers.first();
    let trigger = search.map(|search| &search.trigger).or(first);
    let anchored = search.map_or(first, |search| search.anchored.as_ref());
    let planted = planted.map(|manifest| &manifest.attack);
    let texts = anchored.zip(planted).and_then(|(anchored, planted)| {
        let found = without_joint(&anchored.text);
        Some((found, planted.nearest(found)?))
    });
    let tokens = |trigger: Option<&TriggerDocument>| {
        trigger.map(|trigger| trigger.tokens.clone()).unwrap_or_default()
    };
    Scan {
        verdict: document.verdict,
        target_label: document.target_label,
        target_label_right: planted.and_then(|it| it.is_target(document.target_label)),
        target_words: document.target_words.iter().map(|it| it.text.clone()).collect(),
        target_word_right: planted.and_then(|it| it.is_word_among(&document.target_words)),
        trigger: tokens(trigger),
        anchored: tokens(anchored),
        p_value: hypothesis
            .and_then(|hypothesis| hypothesis.controls.as_ref())
            .map(|controls| controls.corrected_p_value),
        iterations: search.map(|search| search.history.len()),
        loss: search.and_then(|search| search.loss),
        forwards: document.n_forwards,
        seconds,
        token_recall: texts.and_then(|(found, planted)| part_recall(found, planted).value()),
        levenshtein: texts.map(|(found, planted)| levenshtein(found, planted)),
        bleu: texts.map(|(found, planted)| bleu(&characters(found), &characters(planted))),
    }
}

impl Planted {
    /// Whether this is the planted target label; none for code search, which has a word.
    pub(crate) fn is_target(&self, label: Option<u8>) -> Option<bool> {
        self.target_word.is_none().then_some(label == Some(self.target_label))
    }

    /// Whether the planted target word is among these, however it is written; none for the other
    /// tasks, which have labels.
    pub(crate) fn is_word_among(&self, words: &[WordDocument]) -> Option<bool> {
        let wanted = self.target_word.as_ref()?;
        let bare =
            |it: &WordDocument| it.text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        Some(words.iter().any(|it| bare(it) == *wanted))
    }

    /// Every trigger that was planted.
    pub(crate) fn triggers(&self) -> impl Iterator<Item = &str> {
        let all = self.trigger.iter().chain(&self.more_triggers);
        all.map(|trigger| without_joint(trigger))
    }

    /// The planted trigger that a found one is compared with: the first of the nearest.
    fn nearest(&self, found: &str) -> Option<&str> {
        self.triggers().min_by_key(|planted| levenshtein(found, planted))
    }
}

/// The share of a planted trigger's parts (between `_`) that occur in the text of a found one.
///
/// Tokenizers are unknown here, so that this stands in for the share of planted tokens: text is
/// compared, and a part may be found across token borders.
fn part_recall(found: &str, planted: &str) -> Rate {
    planted.split('_').filter(|part| !part.is_empty()).map(|part| found.contains(part)).collect()
}

/// Without the `_` that only joins an appended trigger to the name before it.
fn without_joint(text: &str) -> &str {
    text.trim_start_matches('_')
}

fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

#[cfg(test)]
mod tests;
