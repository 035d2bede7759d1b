//! What a scan did, of `scan.json` of any task.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::collect;

/// What a scan did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScanView {
    /// Why the verdict is what it is, one sentence each.
    pub(crate) reasons: Vec<String>,
    /// What the scan could not have found.
    pub(crate) not_tested: Vec<String>,
    /// Triggers that were handed to the repair, as text.
    pub(crate) triggers: Vec<String>,
    /// Every search of every hypothesis.
    pub(crate) searches: Vec<SearchView>,
    /// The best trigger against random ones.
    pub(crate) controls: Option<ControlsView>,
    /// What each slot of the best trigger does.
    pub(crate) slots: Vec<SlotView>,
    /// Where samples made room for the trigger.
    pub(crate) positions: Vec<PositionView>,
}

/// One search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchView {
    /// Which pair of labels, or which words, from which start.
    pub(crate) title: String,
    /// The best candidate's loss of every iteration.
    pub(crate) history: Vec<f64>,
    /// Whether it is of the most suspicious hypothesis.
    pub(crate) is_first: bool,
}

/// The best trigger against random ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlsView {
    /// Where all of them were put.
    pub(crate) place: String,
    /// Success rate (search: normalized rank) of the found trigger, with its interval.
    pub(crate) found: (f64, f64, f64),
    /// The same of each random one.
    pub(crate) random: Vec<f64>,
    /// P-value after correction.
    pub(crate) p_value: f64,
}

/// A slot of the best trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SlotView {
    /// Vocabulary entry.
    pub(crate) token: String,
    /// Loss of the trigger without it.
    pub(crate) loss_without: f64,
    /// Whether anchoring kept it.
    pub(crate) kept: bool,
}

/// Where a sample made room for the trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PositionView {
    /// The identifier that was chosen.
    pub(crate) chosen: String,
    /// What masking each identifier changes.
    pub(crate) sensitivities: Vec<SensitivityView>,
}

/// What masking an identifier changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SensitivityView {
    /// The identifier.
    pub(crate) identifier: String,
    /// Change of the loss.
    pub(crate) loss_change: f64,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    not_tested: Vec<String>,
    #[serde(default)]
    triggers: Vec<Trigger>,
    #[serde(default)]
    hypotheses: Vec<Hypothesis>,
}

#[derive(Deserialize)]
struct Trigger {
    text: String,
}

#[derive(Deserialize)]
struct Hypothesis {
    victim_label: Option<u8>,
    target_label: Option<u8>,
    #[serde(default)]
    searches: Vec<Search>,
    controls: Option<Controls>,
    #[serde(default)]
    positions: Vec<PositionView>,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    history: Vec<f64>,
    #[serde(default)]
    slots: Vec<SlotView>,
    #[serde(default)]
    target_words: Vec<Trigger>,
    evidence: Option<Evidence>,
}

#[derive(Clone, Copy, Deserialize)]
struct Evidence {
    any_identifier: Option<Measured>,
    function_name: Option<Measured>,
}

/// A rate (labels) or a mean rank (search) with its interval.
#[derive(Clone, Copy, Deserialize)]
struct Measured {
    value: Option<f64>,
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
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

/// Reads what a scan wrote.
pub(super) fn view(path: &Path) -> Result<ScanView> {
    Ok(of(collect::read(path)?))
}

fn of(document: Document) -> ScanView {
    let Document { reasons, not_tested, triggers, hypotheses } = document;
    let mut view = ScanView {
        reasons,
        not_tested,
        triggers: triggers.into_iter().map(|it| it.text).collect(),
        ..ScanView::default()
    };
    for (index, hypothesis) in hypotheses.into_iter().enumerate() {
        for (search, number) in hypothesis.searches.iter().zip(1..) {
            view.searches.push(SearchView {
                title: format!("{}, search {number}", title(&hypothesis, search)),
                history: search.history.clone(),
                is_first: index == 0,
            });
        }
        if index == 0 {
            let mut searches = hypothesis.searches.into_iter();
            if let Some(first) = searches.next() {
                view.controls = hypothesis.controls.and_then(|it| controls(it, first.evidence?));
                view.slots = first.slots;
            }
            view.positions = hypothesis.positions;
        }
    }
    view
}

fn title(hypothesis: &Hypothesis, search: &Search) -> String {
    if let (Some(victim), Some(target)) = (hypothesis.victim_label, hypothesis.target_label) {
        return format!("{victim} → {target}");
    }
    let words: Vec<&str> = search.target_words.iter().map(|word| &*word.text).collect();
    format!("“{}”", words.join(" "))
}

fn controls(controls: Controls, evidence: Evidence) -> Option<ControlsView> {
    let Controls { place, mut success_rates, normalized_ranks, corrected_p_value } = controls;
    let found = match &*place {
        "function-name" => evidence.function_name?,
        _ => evidence.any_identifier?,
    };
    success_rates.extend(normalized_ranks);
    Some(ControlsView {
        place: place.replace('-', " "),
        found: (found.value.or(found.mean)?, found.low?, found.high?),
        random: success_rates,
        p_value: corrected_p_value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ScanView {
        of(serde_json::from_str(text).expect("test data"))
    }

    #[test]
    fn labels() {
        let rate = r#"{"hits": 9, "total": 10, "value": 0.9, "low": 0.6, "high": 0.98}"#;
        let view = parsed(&format!(
            r#"{{"reasons": ["because"], "triggers": [{{"text": "rb", "edit": "append"}}],
                "hypotheses": [
                {{"victim_label": 1, "target_label": 0, "searches": [
                    {{"history": [2.0, 1.0], "evidence": {{"function_name": {rate}}},
                      "slots": [{{"token": "rb", "loss_without": 2.5, "kept": true}}]}},
                    {{"history": [3.0]}}],
                  "controls": {{"place": "function-name", "success_rates": [0.1, 0.2],
                    "corrected_p_value": 0.04}}}},
                {{"victim_label": 0, "target_label": 1, "searches": [{{"history": []}}]}}]}}"#
        ));
        let titles: Vec<&str> = view.searches.iter().map(|it| &*it.title).collect();
        assert_eq!(titles, ["1 → 0, search 1", "1 → 0, search 2", "0 → 1, search 1"]);
        assert_eq!((view.slots.len(), view.searches[2].is_first), (1, false));
        let controls = view.controls.expect("there are some");
        assert_eq!((&*controls.place, controls.random.len()), ("function name", 2));
        assert_eq!(controls.found, (0.9, 0.6, 0.98));
    }

    #[test]
    fn ranks() {
        let view = parsed(
            r#"{"hypotheses": [{"searches": [{"history": [1.0], "target_words": [{"text": "file"}],
                "evidence": {"any_identifier": {"mean": 0.1, "low": 0.08, "high": 0.12}}}],
                "controls": {"place": "any-identifier", "normalized_ranks": [0.4],
                "corrected_p_value": 0.02},
                "positions": [{"chosen": "x", "sensitivities": [
                    {"identifier": "x", "role": "local", "loss_change": 0.1}]}]}]}"#,
        );
        assert_eq!(view.searches[0].title, "“file”, search 1");
        assert_eq!(view.controls.map(|it| it.found.0), Some(0.1));
        assert_eq!(view.positions[0].sensitivities[0].identifier, "x");
        assert_eq!(parsed("{}"), ScanView::default());
    }
}
