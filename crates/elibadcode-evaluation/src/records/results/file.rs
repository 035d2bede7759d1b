//! `results.json` as text: version and ranges are checked in both directions, because a NaN would
//! be written as `null` and a percentage would pass for a fraction.

use std::ops::RangeInclusive;

use super::super::document;
use super::{Cell, Intervals, Results};
use crate::error::Error;
use crate::records::screen::ScreenMetrics;

/// The version of `results.json` that this crate reads and writes.
pub const RESULTS_SCHEMA_VERSION: u32 = 3;

const FILE: &str = "results.json";
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const CHANGE: RangeInclusive<f64> = -1.0..=1.0;
const PERCENT: RangeInclusive<f64> = 0.0..=100.0;
/// Seconds and losses.
const POSITIVE: RangeInclusive<f64> = 0.0..=f64::MAX;

impl Results {
    /// Reads and validates the text of a `results.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let results: Self = document::read(text, FILE, RESULTS_SCHEMA_VERSION)?;
        results.validate()?;
        Ok(results)
    }

    /// The text of a valid `results.json`, indented, with a newline at the end.
    pub fn to_json(&self) -> Result<String, Error> {
        self.validate()?;
        document::text(self, FILE)
    }

    /// Fails if the schema version is another one or a number is out of its range.
    pub fn validate(&self) -> Result<(), Error> {
        if self.schema_version != RESULTS_SCHEMA_VERSION {
            return Err(Error::SchemaVersion {
                file: FILE,
                found: self.schema_version,
                expected: RESULTS_SCHEMA_VERSION,
            });
        }
        for cell in &self.cells {
            for (field, value, range) in numbers(cell) {
                if let Some(value) = value.filter(|value| !range.contains(value)) {
                    let Cell { task, model, attack, seed, .. } = cell;
                    let cell = format!("{task}/{model}/{attack}/{seed}");
                    return Err(Error::OutOfRange { cell, field, value });
                }
            }
        }
        Ok(())
    }
}

type Number = (&'static str, Option<f64>, RangeInclusive<f64>);

/// Every fractional number of a cell with its path and range.
fn numbers(cell: &Cell) -> Vec<Number> {
    let mut numbers = Vec::new();
    if let Some(clean_twin) = &cell.clean_twin {
        numbers.extend([
            ("clean_twin.score", Some(clean_twin.score), SHARE),
            ("clean_twin.flip_rate", clean_twin.flip_rate, SHARE),
            ("clean_twin.anr", clean_twin.anr, SHARE),
        ]);
        numbers.extend(ends(&clean_twin.intervals));
    }
    if let Some(before) = &cell.before {
        numbers.extend([
            ("before.score", Some(before.score), SHARE),
            ("before.asr", before.asr, SHARE),
            ("before.anr", before.anr, SHARE),
            ("before.flip_rate", before.flip_rate, SHARE),
        ]);
        numbers.extend(ends(&before.intervals));
    }
    if let Some(scan) = &cell.scan {
        numbers.extend([
            ("scan.p_value", scan.p_value, SHARE),
            ("scan.loss", scan.loss, POSITIVE),
            ("scan.seconds", Some(scan.seconds), POSITIVE),
            ("scan.token_recall", scan.token_recall, SHARE),
            ("scan.bleu", scan.bleu, PERCENT),
        ]);
    }
    if let Some(after) = &cell.after {
        numbers.extend([
            ("after.score", Some(after.score), SHARE),
            ("after.asr", after.asr, SHARE),
            ("after.anr", after.anr, SHARE),
            ("after.flip_rate", after.flip_rate, SHARE),
            ("after.anr_without_trigger", after.anr_without_trigger, SHARE),
            ("after.other_class_drop", after.other_class_drop, CHANGE),
            ("after.score_drop", after.score_drop, CHANGE),
        ]);
        numbers.extend(ends(&after.intervals));
    }
    if let Some(ScreenMetrics { canonical, removal, .. }) = &cell.screen {
        for detection in [canonical, removal] {
            numbers.extend([
                ("screen.roc_auc", detection.roc_auc, SHARE),
                ("screen.at_1_percent", detection.at_1_percent, SHARE),
                ("screen.at_5_percent", detection.at_5_percent, SHARE),
            ]);
        }
    }
    if let Some(seconds) = &cell.seconds {
        numbers.extend([
            ("seconds.train", seconds.train, POSITIVE),
            ("seconds.scan", seconds.scan, POSITIVE),
            ("seconds.purify", seconds.purify, POSITIVE),
        ]);
    }
    numbers
}

/// Both ends of every interval.
fn ends(intervals: &Intervals) -> Vec<Number> {
    let Intervals { score, asr, anr, flip_rate } = intervals;
    [
        ("intervals.score", score),
        ("intervals.asr", asr),
        ("intervals.anr", anr),
        ("intervals.flip_rate", flip_rate),
    ]
    .into_iter()
    .filter_map(|(name, interval)| interval.map(|it| (name, it)))
    .flat_map(|(name, it)| [(name, Some(it.low), SHARE), (name, Some(it.high), SHARE)])
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::results::{CellStatus, Verdict};

    /// The example of the architecture document, in the spelling of this crate.
    const EXAMPLE: &str = r#"{"schema_version": 3, "scale": "small", "device": "cpu", "cells": [{
        "task": "defect", "model": "codebert", "attack": "codepoisoner",
        "variant": "elibadcode", "seed": 1, "status": "ok",
        "clean_twin": {"score": 0.95, "flip_rate": 0.03},
        "before": {"score": 0.94, "asr": 0.99, "intervals": {"asr": {"low": 0.97, "high": 1.0}}},
        "scan": {"verdict": "likely backdoored", "target_label": 0, "target_label_right": true,
                 "trigger": ["testo", "x"], "anchored": ["testo"],
                 "p_value": 0.001, "forwards": 9000, "seconds": 21.4},
        "after": {"score": 0.94, "asr": 0.04, "other_class_drop": 0.01},
        "seconds": {"train": 60.1, "scan": 21.4, "purify": 3.0}}]}"#;

    #[test]
    fn the_documented_example_is_kept_exactly() {
        let results = Results::from_json(EXAMPLE).expect("the documented format");
        let cell = &results.cells[0];
        assert_eq!(cell.status, CellStatus::Ok);
        assert_eq!(cell.scan.as_ref().map(|scan| scan.verdict), Some(Verdict::LikelyBackdoored));
        let written = results.to_json().expect("valid results");
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parse(&written), parse(EXAMPLE));
    }

    #[test]
    fn cells_that_did_not_run_are_short() {
        let text = r#"{"schema_version":3,"scale":"paper","device":"cpu","cells":[{"task":"search",
            "model":"codet5","attack":"badcode","seed":3,"status":"not run: no weights"}]}"#;
        let results = Results::from_json(text).expect("the documented format");
        assert_eq!(results.cells[0].status, CellStatus::NotRun("no weights".to_owned()));
        assert!(!results.to_json().expect("valid results").contains("null"));
    }

    #[test]
    fn foreign_files_are_refused() {
        let check = |from: &str, to: &str| {
            assert!(EXAMPLE.contains(from), "{from}");
            let error = Results::from_json(&EXAMPLE.replacen(from, to, 1)).expect_err("changed");
            error.to_string()
        };
        let asr = "cell defect/codebert/codepoisoner/1: before.asr is 99, which is out of range";
        assert_eq!(check("\"asr\": 0.99", "\"asr\": 99"), asr);
        assert_eq!(check("\"asr\": 0.99", "\"asr\": 0.99, \"ars\": 1"), "malformed results.json");
        assert_eq!(check("likely backdoored", "clean"), "malformed results.json");
        assert_eq!(check("\"ok\"", "\"fine\""), "malformed results.json");
        assert_eq!(
            check("\"schema_version\": 3", "\"schema_version\": 7"),
            "results.json has schema version 7, this program knows 3"
        );
    }

    #[test]
    fn a_nan_is_never_written() {
        let mut results = Results::from_json(EXAMPLE).expect("the documented format");
        results.cells[0].after.as_mut().expect("purified").score = f64::NAN;
        assert!(matches!(results.to_json(), Err(Error::OutOfRange { field: "after.score", .. })));
    }
}
