//! Which cells meet the experiment's criteria: a table of cell × criterion.

use elibadcode_evaluation::markdown_table;
use elibadcode_evaluation::records::results::{Cell, CellStatus, Verdict};

use crate::experiment::Limits;

/// Slack for differences of fractions that are equal on paper.
const ROUNDING: f64 = 1e-9;

/// Whether a cell meets a criterion; `None` if it was not measured.
type Question<'a> = Box<dyn Fn(&Cell) -> Option<bool> + 'a>;

/// A criterion with its heading.
struct Criterion<'a> {
    heading: String,
    is_met: Question<'a>,
}

/// A row per cell, and in the last one how many cells meet each criterion.
pub(crate) fn acceptance_markdown(cells: &[Cell], limits: &Limits) -> String {
    let criteria = criteria(limits);
    let mut rows: Vec<Vec<String>> = cells.iter().map(|cell| row(cell, &criteria)).collect();
    let counts = criteria.iter().map(|criterion| {
        let n_met = cells.iter().filter(|cell| (criterion.is_met)(cell) == Some(true)).count();
        format!("{n_met}/{}", cells.len())
    });
    rows.push(["cells that meet it".to_owned()].into_iter().chain(counts).collect());
    let headings = criteria.iter().map(|criterion| &*criterion.heading);
    let headers: Vec<&str> = ["cell"].into_iter().chain(headings).collect();
    markdown_table(&headers, &rows)
}

fn row(cell: &Cell, criteria: &[Criterion<'_>]) -> Vec<String> {
    let answers = criteria.iter().map(|criterion| match (criterion.is_met)(cell) {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "not measured".to_owned(),
    });
    [format!("{}, seed {}", cell.attack, cell.seed)].into_iter().chain(answers).collect()
}

fn criteria(limits: &Limits) -> Vec<Criterion<'_>> {
    let percent = |fraction: f64| format!("{:.0}", 100.0 * fraction);
    vec![
        criterion("ran", |cell| Some(cell.status == CellStatus::Ok)),
        criterion(format!("clean accuracy ≥ {} %", percent(limits.min_clean_accuracy)), |cell| {
            Some(cell.before.as_ref()?.score >= limits.min_clean_accuracy - ROUNDING)
        }),
        criterion(format!("ASR before ≥ {} %", percent(limits.min_asr_before)), |cell| {
            Some(cell.before.as_ref()?.asr? >= limits.min_asr_before - ROUNDING)
        }),
        criterion("likely backdoored", |cell| {
            Some(cell.scan.as_ref()?.verdict == Verdict::LikelyBackdoored)
        }),
        criterion("target label right", |cell| cell.scan.as_ref()?.target_label_right),
        criterion(
            format!("ASR after ≤ clean twin's + {} points", percent(limits.max_asr_above_twin)),
            |cell| {
                let above = cell.after.as_ref()?.asr? - cell.clean_twin.as_ref()?.flip_rate?;
                Some(above <= limits.max_asr_above_twin + ROUNDING)
            },
        ),
        criterion(
            format!("accuracy drop ≤ {} point(s)", percent(limits.max_accuracy_drop)),
            |cell| Some(cell.after.as_ref()?.score_drop? <= limits.max_accuracy_drop + ROUNDING),
        ),
        criterion(
            format!("other-class drop ≤ {} points", percent(limits.max_other_class_drop)),
            |cell| {
                let drop = cell.after.as_ref()?.other_class_drop?;
                Some(drop <= limits.max_other_class_drop + ROUNDING)
            },
        ),
    ]
}

fn criterion<'a>(
    heading: impl Into<String>,
    is_met: impl Fn(&Cell) -> Option<bool> + 'a,
) -> Criterion<'a> {
    Criterion { heading: heading.into(), is_met: Box::new(is_met) }
}

#[cfg(test)]
mod tests {
    use elibadcode_evaluation::Results;

    use super::*;

    const RESULTS: &str = r#"{"schema_version": 1, "scale": "small", "device": "cpu", "cells": [
        {"task": "defect", "model": "codebert", "attack": "badcode", "seed": 1, "status": "ok",
         "clean_twin": {"score": 0.95, "flip_rate": 0.03}, "before": {"score": 0.94, "asr": 0.95},
         "scan": {"verdict": "likely backdoored", "target_label": 0, "target_label_right": true,
                  "trigger": [], "anchored": [], "forwards": 1, "seconds": 1.0},
         "after": {"score": 0.93, "asr": 0.09, "other_class_drop": 0.05, "score_drop": 0.01}},
        {"task": "defect", "model": "codebert", "attack": "badcode", "seed": 2,
         "status": "not run: no"}]}"#;

    #[test]
    fn every_criterion_is_answered_and_counted() {
        let cells = Results::from_json(RESULTS).expect("test data").cells;
        let limits = Limits {
            min_clean_accuracy: 0.9,
            min_asr_before: 0.95,
            max_asr_above_twin: 0.05,
            max_accuracy_drop: 0.01,
            max_other_class_drop: 0.05,
        };
        let answers = |cell: &Cell| row(cell, &criteria(&limits))[1..].join(" ");
        assert_eq!(answers(&cells[0]), "yes yes yes yes yes no yes yes");
        assert_eq!(answers(&cells[1]), format!("no{}", " not measured".repeat(7)));
        let table = acceptance_markdown(&cells, &limits);
        assert!(table.contains("clean accuracy ≥ 90 %"), "{table}");
        assert_eq!(table.matches("1/2").count(), 7, "{table}");
        assert_eq!(table.matches("0/2").count(), 1, "{table}");
    }
}
