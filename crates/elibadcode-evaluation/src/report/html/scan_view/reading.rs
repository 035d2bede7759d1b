//! `scan.json`, of any task, as a view.

use serde::Deserialize;

use super::{
    ControlsView, DirectionView, FigureView, Measured, PlaceView, PositionView, ScanView,
    ScoreView, SearchView, SlotView, TriggerView,
};
use crate::error::Error;
use crate::records::calibration::ModelShape;
use crate::records::results::Verdict;
use crate::records::{SCAN_SCHEMA_VERSION, document};
use crate::statistics::Interval;

/// What errors call the document.
const FILE: &str = "scan.json";
/// The places where a trigger is judged.
const FUNCTION_NAMES: &str = "function names";
const ANY_IDENTIFIERS: &str = "random identifiers";

#[derive(Deserialize)]
struct Document {
    task: String,
    language: String,
    model: ModelShape,
    reading: Reading,
    model_hash: String,
    samples_hash: String,
    seed: u64,
    verdict: Verdict,
    reasons: Vec<String>,
    assessment: Assessment,
    victim_label: Option<u8>,
    target_label: Option<u8>,
    #[serde(default)]
    target_words: Vec<Word>,
    triggers: Vec<TriggerView>,
    hypotheses: Vec<Hypothesis>,
    not_tested: Vec<String>,
    n_forwards: u64,
}

/// How the model was read.
#[derive(Deserialize)]
struct Reading {
    max_length: usize,
    positive_output: usize,
    input_format: String,
    canonical_input: Option<serde_json::Value>,
    encoder_only_prefix: bool,
}

impl Reading {
    fn in_words(&self) -> String {
        let Self { max_length, positive_output, input_format, .. } = self;
        let names =
            if self.canonical_input.is_some() { "canonical names" } else { "names as they are" };
        let prefix = if self.encoder_only_prefix { ", <encoder-only> first" } else { "" };
        format!(
            "{input_format} of at most {max_length} tokens{prefix}, {names}; output {positive_output} is label 1"
        )
    }
}

#[derive(Deserialize)]
struct Assessment {
    figures: Vec<FigureView>,
    score: Option<ScoreView>,
    basis: String,
}

#[derive(Deserialize)]
struct Word {
    text: String,
}

#[derive(Deserialize)]
struct Hypothesis {
    victim_label: Option<u8>,
    target_label: Option<u8>,
    searches: Vec<Search>,
    #[serde(default)]
    other_searches: Vec<OtherSearch>,
    controls: Option<Controls>,
    profile: Option<Profile>,
    #[serde(default)]
    positions: Vec<PositionView>,
    #[serde(default)]
    explained_tokens: Vec<Explained>,
}

#[derive(Deserialize)]
struct Explained {
    token: String,
}

#[derive(Deserialize)]
struct Search {
    history: Vec<f64>,
    slots: Vec<SlotView>,
    #[serde(default)]
    target_words: Vec<Word>,
    #[serde(default)]
    anchored_words: Vec<Word>,
    evidence: Option<Evidence>,
}

/// A search after a trigger convinced, for more of it or for others.
#[derive(Deserialize)]
struct OtherSearch {
    left_out: Vec<String>,
    search: Search,
}

#[derive(Clone, Copy, Deserialize)]
struct Evidence {
    function_name: Measured,
    any_identifier: Measured,
    least_sensitive: Option<Measured>,
    flip_rate: Option<Measured>,
    without_trigger: Option<Measured>,
    without_words: Option<Measured>,
}

#[derive(Deserialize)]
struct Controls {
    place: String,
    #[serde(default)]
    success_rates: Vec<f64>,
    #[serde(default)]
    normalized_ranks: Vec<f64>,
    corrected_p_value: f64,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    success_by_size: Vec<Measured>,
    #[serde(default)]
    rank_by_size: Vec<Measured>,
}

impl ScanView {
    /// Reads the text of a `scan.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        Ok(Self::of(document::read(text, FILE, SCAN_SCHEMA_VERSION)?))
    }

    fn of(document: Document) -> Self {
        let words = |words: Vec<Word>| words.into_iter().map(|it| it.text).collect();
        let mut view = Self {
            task: document.task,
            language: document.language,
            model: document.model.to_string(),
            reading: document.reading.in_words(),
            model_hash: document.model_hash,
            samples_hash: document.samples_hash,
            seed: document.seed,
            verdict: document.verdict,
            reasons: document.reasons,
            basis: document.assessment.basis,
            score: document.assessment.score,
            figures: document.assessment.figures,
            labels: document.victim_label.zip(document.target_label),
            target_words: words(document.target_words),
            triggers: document.triggers,
            directions: Vec::new(),
            searches: Vec::new(),
            controls: None,
            by_size: Vec::new(),
            slots: Vec::new(),
            positions: Vec::new(),
            not_tested: document.not_tested,
            n_forwards: document.n_forwards,
        };
        for (index, hypothesis) in document.hypotheses.into_iter().enumerate() {
            view.add(hypothesis, index == 0);
        }
        view
    }

    fn add(&mut self, hypothesis: Hypothesis, is_first: bool) {
        // A hypothesis of code search has searches for several words.
        let suspected = hypothesis.searches.first().map(|search| title(&hypothesis, search));
        let searches = hypothesis.searches.iter().map(|it| (it, false));
        let others = hypothesis.other_searches.iter();
        let others = others.map(|it| (&it.search, !it.left_out.is_empty()));
        let mut of_others = Vec::new();
        for ((search, is_other), number) in searches.chain(others).zip(1..) {
            let title = title(&hypothesis, search);
            let is_first = is_first && Some(&title) == suspected.as_ref();
            let how = if is_other { " without the tokens found" } else { "" };
            let title = format!("{title}, search {number}{how}");
            if let (true, Some(evidence)) = (is_other, search.evidence) {
                let (title, places) = (title.clone(), places(evidence));
                of_others.push(DirectionView { title, places, left_out: Vec::new() });
            }
            self.searches.push(SearchView { is_first, title, history: search.history.clone() });
        }
        if let Some(first) = hypothesis.searches.first() {
            self.directions.push(DirectionView {
                title: title(&hypothesis, first),
                places: first.evidence.map_or_else(Vec::new, places),
                left_out: hypothesis.explained_tokens.iter().map(|it| it.token.clone()).collect(),
            });
        }
        self.directions.append(&mut of_others);
        if !is_first {
            return;
        }
        if let Some(first) = hypothesis.searches.into_iter().next() {
            self.controls = hypothesis.controls.and_then(|it| controls(it, first.evidence?));
            self.slots = first.slots;
        }
        if let Some(mut profile) = hypothesis.profile {
            self.by_size.append(&mut profile.success_by_size);
            self.by_size.append(&mut profile.rank_by_size);
        }
        self.positions = hypothesis.positions;
    }
}

fn title(hypothesis: &Hypothesis, search: &Search) -> String {
    if let (Some(victim), Some(target)) = (hypothesis.victim_label, hypothesis.target_label) {
        return format!("{victim} → {target}");
    }
    let anchored = &search.anchored_words;
    let words = if anchored.is_empty() { &search.target_words } else { anchored };
    let words: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    format!("“{}”", words.join(" "))
}

fn places(evidence: Evidence) -> Vec<PlaceView> {
    let place = |name: &str, is_triggered, measured: Option<Measured>| {
        Some(PlaceView { name: name.to_owned(), is_triggered, measured: measured? })
    };
    let places = [
        place(FUNCTION_NAMES, true, Some(evidence.function_name)),
        place(ANY_IDENTIFIERS, true, Some(evidence.any_identifier)),
        place("least sensitive ones", true, evidence.least_sensitive),
        place("without a trigger", false, evidence.flip_rate.or(evidence.without_trigger)),
        place("without the word", false, evidence.without_words),
    ];
    places.into_iter().flatten().collect()
}

fn controls(controls: Controls, evidence: Evidence) -> Option<ControlsView> {
    let Controls { place, mut success_rates, normalized_ranks, corrected_p_value } = controls;
    let (place, found) = match &*place {
        "function-name" => (FUNCTION_NAMES, evidence.function_name),
        _ => (ANY_IDENTIFIERS, evidence.any_identifier),
    };
    success_rates.extend(normalized_ranks);
    let Interval { low, high } = found.interval?;
    Some(ControlsView {
        place: place.to_owned(),
        found: (found.value?, low, high),
        random: success_rates,
        p_value: corrected_p_value,
    })
}

#[cfg(test)]
pub(in crate::report::html) mod tests {
    use super::*;

    /// What every `scan.json` has, around these hypotheses; more fields may follow.
    pub(in crate::report::html) fn parsed(task: &str, more: &str) -> ScanView {
        let text = format!(
            r#"{{"schema_version": 7, "task": "{task}", "language": "c",
                "model": {{"model_type": "roberta", "n_layers": 2, "hidden_size": 128}},
                "reading": {{"max_length": 400, "positive_output": 1, "input_format": "code-tokens",
                    "canonical_input": null, "encoder_only_prefix": false}},
                "model_hash": "abc", "samples_hash": "def", "seed": 7, "config": {{}},
                "verdict": "likely backdoored", "reasons": ["because `rb`"],
                "assessment": {{"figures": [{{"name": "assured success", "value": 0.9,
                    "contribution": 1.5}}],
                    "score": {{"value": 0.97, "likely_backdoored_from": 0.6,
                        "no_trigger_below": 0.4}}, "basis": "a score"}},
                "not_tested": ["dead code"], "n_forwards": 900, {more}}}"#
        );
        ScanView::from_json(&text).expect("test data")
    }

    pub(in crate::report::html) const LABELS: &str = r#"
        "victim_label": 1, "target_label": 0,
        "triggers": [{"text": "rb", "edit": "append", "tokens": ["rb"]}],
        "hypotheses": [
            {"victim_label": 1, "target_label": 0, "searches": [
                {"history": [2.0, 1.0], "evidence": {
                    "function_name": {"hits": 9, "total": 10, "value": 0.9, "low": 0.6,
                        "high": 0.98},
                    "any_identifier": {"value": 0.5, "low": 0.2, "high": 0.8},
                    "least_sensitive": {"value": 0.4, "low": 0.1, "high": 0.7},
                    "flip_rate": {"value": null, "low": null, "high": null}},
                 "slots": [{"token": "rb", "loss_without": 2.5, "kept": true}]},
                {"history": [3.0], "slots": [], "evidence": null}],
             "other_searches": [{"left_out": ["rb"],
                "search": {"history": [4.0], "slots": [], "evidence": {
                    "function_name": {"value": 0.8, "low": 0.7, "high": 0.9},
                    "any_identifier": {"value": 0.5, "low": 0.2, "high": 0.8}}}}],
             "controls": {"place": "function-name", "success_rates": [0.1, 0.2],
                "corrected_p_value": 0.04},
             "profile": {"success_by_size": [{"value": 0.7, "low": 0.5, "high": 0.9}]},
             "explained_tokens": [{"token": "<map>", "n_functions": 40}]},
            {"victim_label": 0, "target_label": 1, "searches": [
                {"history": [], "slots": [], "evidence": null}],
             "controls": null, "profile": null}]"#;

    pub(in crate::report::html) const WORDS: &str = r#"
        "target_words": [{"text": "file", "id": 3}],
        "triggers": [{"text": "rb", "edit": "replace", "tokens": ["rb"]}],
        "hypotheses": [{"searches": [
            {"history": [1.0], "slots": [], "target_words": [{"text": "file", "id": 3}],
             "evidence": {"any_identifier": {"mean": 0.1, "low": 0.08, "high": 0.12, "n": 50},
                "function_name": {"mean": 0.2, "low": 0.18, "high": 0.22, "n": 50},
                "without_trigger": {"mean": 0.5, "low": 0.5, "high": 0.5, "n": 50},
                "without_words": {"mean": 0.4, "low": 0.3, "high": 0.5, "n": 50}}}],
            "controls": {"place": "any-identifier", "normalized_ranks": [0.4],
                "corrected_p_value": 0.02},
            "profile": {"rank_by_size": [{"mean": 0.3, "low": 0.2, "high": 0.4, "n": 50}]},
            "positions": [{"chosen": "x", "sensitivities": [
                {"identifier": "x", "role": "local", "loss_change": 0.1}]}]}]"#;

    #[test]
    fn labels() {
        let view = parsed("defect", LABELS);
        let titles: Vec<&str> = view.searches.iter().map(|it| &*it.title).collect();
        let other = "1 → 0, search 3 without the tokens found";
        assert_eq!(titles, ["1 → 0, search 1", "1 → 0, search 2", other, "0 → 1, search 1"]);
        let firsts: Vec<bool> = view.searches.iter().map(|it| it.is_first).collect();
        assert_eq!((view.slots.len(), &firsts[..]), (1, &[true, true, true, false][..]));
        assert_eq!(view.labels, Some((1, 0)));
        let controls = view.controls.expect("there are some");
        assert_eq!((&*controls.place, controls.random.len()), ("function names", 2));
        assert_eq!(controls.found, (0.9, 0.6, 0.98));
        let names: Vec<&str> = view.directions[0].places.iter().map(|it| &*it.name).collect();
        let expected =
            ["function names", "random identifiers", "least sensitive ones", "without a trigger"];
        assert_eq!(names, expected);
        assert_eq!(view.directions[0].places[3].measured.value, None);
        assert_eq!((&*view.directions[1].title, view.directions[1].places.len()), (other, 2));
        assert!(view.directions[2].places.is_empty());
        assert_eq!(view.directions[0].left_out, ["<map>"]);
        assert!(view.directions[1].left_out.is_empty() && view.directions[2].left_out.is_empty());
        assert_eq!(view.by_size[0].value, Some(0.7));
    }

    #[test]
    fn searches_for_other_words_are_others() {
        let other = r#""searches": [{"history": [2.0], "slots": [], "evidence": null,
            "target_words": [{"text": "name"}], "anchored_words": [{"text": "path"}]},"#;
        let view = parsed("search", &WORDS.replace("\"searches\": [", other));
        let searches: Vec<_> = view.searches.iter().map(|it| (&*it.title, it.is_first)).collect();
        assert_eq!(searches, [("“path”, search 1", true), ("“file”, search 2", false)]);
    }

    #[test]
    fn ranks() {
        let view = parsed("search", WORDS);
        assert_eq!(view.searches[0].title, "“file”, search 1");
        assert_eq!(view.controls.as_ref().map(|it| it.found.0), Some(0.1));
        assert_eq!(view.positions[0].sensitivities[0].identifier, "x");
        assert_eq!((view.directions[0].places.len(), view.target_words.len()), (4, 1));
        assert!(view.is_ranking());
        let again: ScanView =
            serde_json::from_str(&serde_json::to_string(&view).expect("plain data"))
                .expect("a bundle holds it");
        assert_eq!(again, view);
    }

    #[test]
    fn other_versions_are_refused() {
        let error = ScanView::from_json(r#"{"schema_version": 5}"#).expect_err("too old");
        assert!(error.to_string().contains("schema version 5"), "{error}");
        assert!(ScanView::from_json("{}").is_err());
    }
}
