//! `results.md`: what was run, the comparison with the paper, the criteria, the false alarms.

use std::fmt::Write as _;

use elibadcode_evaluation::records::results::{CellStatus, Scan, Verdict};
use elibadcode_evaluation::report::markdown_code;
use elibadcode_evaluation::{Results, markdown_table, results_markdown};
use serde::Serialize;

use crate::acceptance::acceptance_markdown;
use crate::experiment::{BasePlan, CorpusPlan, Draw, Experiment};

/// The scan of a model without backdoor: an entry of `twins.json`.
#[derive(Debug, Serialize)]
pub(crate) struct TwinScan {
    /// The master seed.
    pub(crate) seed: u64,
    /// Whether the scan ran.
    pub(crate) status: CellStatus,
    /// What it found; nothing was planted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan: Option<Scan>,
}

/// All that `results.md` says beside the results.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    experiment: &'a Experiment,
    /// Scans of the clean twins.
    pub(crate) twins: Vec<TwinScan>,
    /// What a reader of the table must know about single cells.
    pub(crate) notes: Vec<String>,
}

impl<'a> Report<'a> {
    /// A report without twins and notes.
    pub(crate) fn new(experiment: &'a Experiment) -> Self {
        Self { experiment, twins: Vec::new(), notes: Vec::new() }
    }

    /// The text of `results.md`.
    pub(crate) fn markdown(&self, results: &Results) -> String {
        let experiment = self.experiment;
        let mut text = format!("# Reproduction, scale {}\n\n", results.scale);
        let _ = writeln!(text, "{}\n", description(experiment));
        let _ = writeln!(text, "## Results (paper: Table {})\n", experiment.paper.table);
        text += &results_markdown(results, &experiment.paper.cells);
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        let _ = writeln!(text, "\n## Criteria\n");
        text += &acceptance_markdown(&results.cells, &experiment.acceptance);
        let _ = writeln!(text, "\n## Scans of the models without backdoor\n");
        text += &self.twins_markdown();
        text
    }

    fn twins_markdown(&self) -> String {
        let scans = || self.twins.iter().filter_map(|twin| twin.scan.as_ref());
        let n_alarms = scans().filter(|scan| scan.verdict == Verdict::LikelyBackdoored).count();
        let rows: Vec<Vec<String>> = self.twins.iter().map(twin_row).collect();
        format!(
            "{n_alarms} false alarms in {} scans.\n\n{}",
            scans().count(),
            markdown_table(&["seed", "verdict", "anchored trigger", "p-value", "seconds"], &rows)
        )
    }
}

fn twin_row(twin: &TwinScan) -> Vec<String> {
    let mut row = vec![twin.seed.to_string()];
    if let Some(scan) = &twin.scan {
        let tokens: Vec<String> = scan.anchored.iter().map(|it| markdown_code(it)).collect();
        row.extend([
            scan.verdict.to_string(),
            tokens.join(" "),
            scan.p_value.map_or("–".to_owned(), |p_value| format!("{p_value:.3}")),
            format!("{:.1}", scan.seconds),
        ]);
    } else {
        let status = match &twin.status {
            CellStatus::Ok => "–".to_owned(),
            CellStatus::NotRun(reason) => format!("not run: {}", markdown_code(reason)),
        };
        row.extend([status, String::new(), String::new(), String::new()]);
    }
    row
}

/// What was run, in one paragraph.
fn description(experiment: &Experiment) -> String {
    let corpus = match &experiment.corpus {
        CorpusPlan::Synthetic { train, valid, clean, test } => format!(
            "a synthetic corpus ({train} training, {valid} validation, {clean} clean and {test} \
             test functions)"
        ),
        CorpusPlan::Files { test, clean, valid, train } => format!(
            "real functions (training: {}; validation: {}; clean: {}; test: {}), no function in \
             two parts",
            drawn(train),
            drawn(valid),
            drawn(clean),
            drawn(test)
        ),
    };
    let base = match &experiment.base {
        BasePlan::Init { preset, .. } => format!("an untrained model, preset `{preset}`"),
        BasePlan::Folder { path, .. } => format!("`{path}`"),
    };
    let training = &experiment.training;
    format!(
        "Task {}, model {}, on {corpus}. Training starts from {base}: {} epochs, learning rate \
         {}; {:.1} % of the training set is poisoned. The clean twin is trained alike without \
         poison. Each cell is poison → train → evaluate → scan → purify → evaluate with the \
         released command; the defender sees the clean functions only.",
        experiment.task,
        experiment.model,
        training.epochs,
        training.learning_rate,
        100.0 * experiment.attack_rate,
    )
}

fn drawn(draw: &Draw) -> String {
    let n = draw.n.map_or("all".to_owned(), |n| n.to_string());
    format!("{n} of {}", draw.from.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scale;

    #[test]
    fn every_section_is_there() {
        let experiment = Experiment::defect(Scale::Real).expect("test data");
        let mut report = Report::new(&experiment);
        report.notes.push("badcode, seed 1: a note.".to_owned());
        let status = CellStatus::NotRun("no weights".to_owned());
        report.twins.push(TwinScan { seed: 1, status, scan: None });
        let results = Results {
            schema_version: 1,
            scale: "real".to_owned(),
            device: "cpu".to_owned(),
            cells: Vec::new(),
        };
        let text = report.markdown(&results);
        for part in [
            "# Reproduction, scale real",
            "2000 of devign/train.jsonl + devign/train_extra.jsonl.gz",
            "4.0 % of the training set",
            "(paper: Table 1)",
            "- badcode, seed 1: a note.",
            "clean accuracy ≥ 55 %",
            "0 false alarms in 0 scans",
            "not run: `no weights`",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
