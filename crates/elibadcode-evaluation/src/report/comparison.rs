//! The before/after table: every cell that we ran, the mean per (task, model, attack), and what
//! the paper reports for the same.

use serde::{Deserialize, Serialize};

use super::escape::{escape_untrusted, markdown_code};
use super::table::markdown_table;
use crate::records::results::{Cell, CellStatus, Results, Scan, Verdict};
use crate::statistics::{mean, sample_standard_deviation};

const HEADERS: [&str; 15] = [
    "task",
    "model",
    "attack",
    "seed",
    "clean twin score",
    "clean twin flip rate",
    "score",
    "ASR or ANR",
    "other-class drop",
    "verdict",
    "target right",
    "anchored trigger",
    "seconds",
    "paper score",
    "paper ASR or ANR",
];

const LEGEND: &str = "\
Scores (accuracy, F1 or MRR), rates and drops in percent, `before → after` purification; a row per \
seed, then the mean ± standard deviation over seeds. `(n=…)`: fewer cells than ran have the number. \
ASR (defect, clone): lower is better after; ANR (search): higher is better after; the flip rate \
(search: ANR) of the clean twin is what the trigger does to a model without backdoor.";

/// What stands where there is no number.
const ABSENT: &str = "–";

/// What the paper reports for one task, model and attack; fractions in `0..=1`, as in [`Results`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperCell {
    /// The task, spelled as in [`Results`].
    pub task: String,
    /// The model, spelled as in [`Results`].
    pub model: String,
    /// The attack, spelled as in [`Results`].
    pub attack: String,
    /// Score of the backdoored model.
    pub score_undefended: f64,
    /// Score after the paper's defense.
    pub score_repaired: f64,
    /// ASR (search: ANR) of the backdoored model.
    pub asr_undefended: f64,
    /// ASR (search: ANR) after the paper's defense.
    pub asr_repaired: f64,
}

/// The whole comparison as Markdown: where it was measured, the table, and how to read it.
pub fn results_markdown(results: &Results, paper: &[PaperCell]) -> String {
    let rows: Vec<_> = groups(&results.cells)
        .iter()
        .flat_map(|group| {
            let mean = mean_row(group, published(group[0], paper));
            group.iter().map(|cell| cell_row(cell)).chain([mean]).collect::<Vec<_>>()
        })
        .collect();
    format!(
        "Scale {}, device {}; {} of {} cells ran.\n\n{}\n{LEGEND}\n",
        markdown_code(&results.scale),
        markdown_code(&results.device),
        results.cells.iter().filter(|cell| cell.status == CellStatus::Ok).count(),
        results.cells.len(),
        markdown_table(&HEADERS, &rows)
    )
}

/// Cells of the same task, model and attack, in order of first appearance.
fn groups(cells: &[Cell]) -> Vec<Vec<&Cell>> {
    let mut groups: Vec<Vec<&Cell>> = Vec::new();
    for cell in cells {
        let known = groups.iter_mut().find(|group| {
            let first = group[0];
            (&first.task, &first.model, &first.attack) == (&cell.task, &cell.model, &cell.attack)
        });
        match known {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups
}

fn published<'a>(cell: &Cell, paper: &'a [PaperCell]) -> Option<&'a PaperCell> {
    paper.iter().find(|paper| {
        (&paper.task, &paper.model, &paper.attack) == (&cell.task, &cell.model, &cell.attack)
    })
}

fn cell_row(cell: &Cell) -> Vec<String> {
    let scan = cell.scan.as_ref();
    let verdict = match &cell.status {
        CellStatus::Ok => scan.map_or(ABSENT.to_owned(), |scan| scan.verdict.to_string()),
        CellStatus::NotRun(reason) => format!("not run: {}", markdown_code(reason)),
    };
    let target_right = scan.and_then(target_right);
    let anchored = scan.map(|scan| &*scan.anchored).unwrap_or_default();
    vec![
        escape_untrusted(&cell.task),
        escape_untrusted(&cell.model),
        escape_untrusted(&cell.attack),
        cell.seed.to_string(),
        percent(clean_score(cell)),
        percent(clean_effect(cell)),
        arrow(&percent(score_before(cell)), &percent(score_after(cell))),
        arrow(&percent(effect_before(cell)), &percent(effect_after(cell))),
        percent(other_class_drop(cell)),
        verdict,
        target_right.map_or(ABSENT, |right| if right { "yes" } else { "no" }).to_owned(),
        trigger(anchored),
        seconds(cell).map_or(ABSENT.to_owned(), |seconds| format!("{seconds:.1}")),
        String::new(),
        String::new(),
    ]
}

fn mean_row(cells: &[&Cell], paper: Option<&PaperCell>) -> Vec<String> {
    let first = cells[0];
    let n_ran = cells.iter().filter(|cell| cell.status == CellStatus::Ok).count();
    let summary = |measure: fn(&Cell) -> Option<f64>| summarize(cells, n_ran, measure);
    let scans: Vec<_> = cells.iter().filter_map(|cell| cell.scan.as_ref()).collect();
    let backdoored = scans.iter().filter(|scan| scan.verdict == Verdict::LikelyBackdoored).count();
    let targets: Vec<bool> = scans.iter().filter_map(|scan| target_right(scan)).collect();
    let right = targets.iter().filter(|&&right| right).count();
    let times: Vec<f64> = cells.iter().filter_map(|cell| seconds(cell)).collect();
    let pair = |before: fn(&PaperCell) -> f64, after: fn(&PaperCell) -> f64| {
        arrow(&percent(paper.map(before)), &percent(paper.map(after)))
    };
    vec![
        escape_untrusted(&first.task),
        escape_untrusted(&first.model),
        escape_untrusted(&first.attack),
        format!("mean of {n_ran}"),
        summary(clean_score),
        summary(clean_effect),
        arrow(&summary(score_before), &summary(score_after)),
        arrow(&summary(effect_before), &summary(effect_after)),
        summary(other_class_drop),
        share("likely backdoored: ", backdoored, scans.len()),
        share("", right, targets.len()),
        String::new(),
        mean(&times).map_or(ABSENT.to_owned(), |seconds| format!("{seconds:.1}")),
        pair(|paper| paper.score_undefended, |paper| paper.score_repaired),
        pair(|paper| paper.asr_undefended, |paper| paper.asr_repaired),
    ]
}

/// Whether the scan named the planted target: a label, or in code search a word.
fn target_right(scan: &Scan) -> Option<bool> {
    scan.target_label_right.or(scan.target_word_right)
}

fn summarize(cells: &[&Cell], n_ran: usize, measure: fn(&Cell) -> Option<f64>) -> String {
    let values: Vec<f64> = cells.iter().filter_map(|cell| measure(cell)).collect();
    let spread = sample_standard_deviation(&values)
        .map_or(String::new(), |deviation| format!(" ± {:.2}", 100.0 * deviation));
    let count = match values.len() {
        0 => String::new(),
        n_values if n_values == n_ran => String::new(),
        n_values => format!(" (n={n_values})"),
    };
    format!("{}{spread}{count}", percent(mean(&values)))
}

fn clean_score(cell: &Cell) -> Option<f64> {
    cell.clean_twin.as_ref().map(|clean_twin| clean_twin.score)
}

fn clean_effect(cell: &Cell) -> Option<f64> {
    cell.clean_twin.as_ref().and_then(|clean_twin| clean_twin.flip_rate.or(clean_twin.anr))
}

fn score_before(cell: &Cell) -> Option<f64> {
    cell.before.as_ref().map(|before| before.score)
}

fn score_after(cell: &Cell) -> Option<f64> {
    cell.after.as_ref().map(|after| after.score)
}

fn effect_before(cell: &Cell) -> Option<f64> {
    cell.before.as_ref().and_then(|before| before.asr.or(before.anr))
}

fn effect_after(cell: &Cell) -> Option<f64> {
    cell.after.as_ref().and_then(|after| after.asr.or(after.anr))
}

fn other_class_drop(cell: &Cell) -> Option<f64> {
    cell.after.as_ref().and_then(|after| after.other_class_drop)
}

fn seconds(cell: &Cell) -> Option<f64> {
    cell.seconds.and_then(|seconds| seconds.total())
}

fn percent(fraction: Option<f64>) -> String {
    match fraction.filter(|fraction| fraction.is_finite()) {
        Some(fraction) => format!("{:.2}", 100.0 * fraction),
        None => ABSENT.to_owned(),
    }
}

fn arrow(before: &str, after: &str) -> String {
    if before == ABSENT && after == ABSENT {
        return ABSENT.to_owned();
    }
    format!("{before} → {after}")
}

fn share(label: &str, hits: usize, total: usize) -> String {
    if total == 0 { ABSENT.to_owned() } else { format!("{label}{hits}/{total}") }
}

/// Each token in its own code span, so that its borders show.
fn trigger(tokens: &[String]) -> String {
    if tokens.is_empty() {
        return ABSENT.to_owned();
    }
    tokens.iter().map(|token| markdown_code(token)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
