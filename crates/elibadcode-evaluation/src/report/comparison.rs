//! The before/after table: every cell that we ran, the mean per (task, model, attack, defense), and
//! what the paper reports for the same.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::escape::{escape_untrusted, markdown_code};
use super::table::markdown_table;
use crate::records::results::{
    Cell, CellStatus, DefenseComparison, Intervals, OWN_DEFENSE, Results, Scan, Verdict,
};
use crate::statistics::{Interval, mean, sample_standard_deviation};

const HEADERS: [&str; 19] = [
    "task",
    "model",
    "attack",
    "defense",
    "seed",
    "clean twin score",
    "clean twin flip rate",
    "score",
    "ASR or ANR",
    "other-class drop",
    "verdict",
    "target right",
    "anchored trigger",
    "distance, BLEU",
    "iterations",
    "scan seconds",
    "repair seconds",
    "paper score",
    "paper ASR or ANR",
];

/// The columns of [`HEADERS`] that compare searches, shown only where the searches differ.
const SEARCH_COLUMNS: Range<usize> = 13..15;

const LEGEND: &str = "\
Scores (accuracy, F1 or MRR), rates and drops in percent, `before → after` purification; a row per \
seed, then the mean ± standard deviation over seeds. `(n=…)`: fewer cells than ran have the number. \
In brackets: 95 % confidence interval over the test samples. ASR (defect, clone): lower is better \
after; ANR (search): higher is better after; the flip rate (search: ANR) of the clean twin is what \
the trigger does to a model without backdoor. Seconds are wall-clock times of the whole command; a \
repair includes its own searches. `Ġ` in a trigger: the token begins a word.";

const SEARCH_LEGEND: &str = " \
Distance: edits (Levenshtein) between the anchored trigger and the nearest planted one, in \
characters; BLEU of the two in percent; iterations of the search that found it, until it stopped.";

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
    /// How the model was defended, spelled as in [`Results`].
    #[serde(default = "own_defense")]
    pub variant: String,
    /// Score of the backdoored model.
    #[serde(default)]
    pub score_undefended: Option<f64>,
    /// Score after the defense.
    #[serde(default)]
    pub score_repaired: Option<f64>,
    /// ASR (search: ANR) of the backdoored model.
    #[serde(default)]
    pub asr_undefended: Option<f64>,
    /// ASR (search: ANR) after the defense.
    #[serde(default)]
    pub asr_repaired: Option<f64>,
    /// What else the paper says of it, where it gives no such number.
    #[serde(default)]
    pub note: Option<String>,
}

fn own_defense() -> String {
    OWN_DEFENSE.to_owned()
}

/// The whole comparison as Markdown: where it was measured, the table, and how to read it.
pub fn results_markdown(results: &Results, paper: &[PaperCell]) -> String {
    let mut rows: Vec<Vec<String>> = groups(&results.cells)
        .iter()
        .flat_map(|group| {
            let mean = mean_row(group, published(group[0], paper));
            group.iter().map(|cell| cell_row(cell)).chain([mean]).collect::<Vec<_>>()
        })
        .collect();
    let mut headers = HEADERS.to_vec();
    let mut legend = LEGEND.to_owned();
    if varies_search(&results.cells) {
        legend += SEARCH_LEGEND;
    } else {
        headers.drain(SEARCH_COLUMNS);
        for row in &mut rows {
            row.drain(SEARCH_COLUMNS);
        }
    }
    let date = results
        .date
        .as_deref()
        .map_or(String::new(), |date| format!(", {}", escape_untrusted(date)));
    format!(
        "Scale {}, device {}{date}; {} of {} cells ran.\n\n{}\n{legend}\n",
        markdown_code(&results.scale),
        markdown_code(&results.device),
        results.cells.iter().filter(|cell| cell.status == CellStatus::Ok).count(),
        results.cells.len(),
        markdown_table(&headers, &rows)
    )
}

/// Whether there are variants of our own search; other defenses do not scan.
fn varies_search(cells: &[Cell]) -> bool {
    cells.iter().any(|cell| cell.variant != OWN_DEFENSE && cell.scan.is_some())
}

/// What the seeds of a row have in common.
fn key(cell: &Cell) -> [&str; 4] {
    [&cell.task, &cell.model, &cell.attack, &cell.variant]
}

/// The tests between defenses as a table, or nothing if there are none.
pub fn comparisons_markdown(comparisons: &[DefenseComparison]) -> String {
    if comparisons.is_empty() {
        return String::new();
    }
    let headers = [
        "tasks",
        "after the defense",
        "cells",
        OWN_DEFENSE,
        "other",
        "p-value",
        "U",
        "p-value, unpaired",
    ];
    let rows: Vec<[String; 8]> = comparisons
        .iter()
        .map(|it| {
            [
                escape_untrusted(&it.task),
                format!("{}, against {}", it.measure.to_uppercase(), escape_untrusted(&it.other)),
                it.n.to_string(),
                percent(Some(it.own_median)),
                percent(Some(it.other_median)),
                format!("{:.2e}", it.p_value),
                format!("{:.1}", it.u),
                format!("{:.2e}", it.unpaired_p_value),
            ]
        })
        .collect();
    format!(
        "{}\nMedians in percent; two-sided Wilcoxon signed-rank tests over cells that both defended, and \
         unpaired the paper's Mann-Whitney U tests, exact for at most 100 values; not corrected for \
         their number.\n",
        markdown_table(&headers, &rows)
    )
}

/// Cells of the same task, model, attack and defense, in order of first appearance.
fn groups(cells: &[Cell]) -> Vec<Vec<&Cell>> {
    let mut groups: Vec<Vec<&Cell>> = Vec::new();
    for cell in cells {
        let known = groups.iter_mut().find(|group| {
            let first = group[0];
            key(first) == key(cell)
        });
        match known {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups
}

fn published<'a>(cell: &Cell, paper: &'a [PaperCell]) -> Option<&'a PaperCell> {
    paper
        .iter()
        .find(|paper| [&*paper.task, &paper.model, &paper.attack, &paper.variant] == key(cell))
}

fn cell_row(cell: &Cell) -> Vec<String> {
    let scan = cell.scan.as_ref();
    let verdict = match &cell.status {
        CellStatus::Ok => scan.map_or(ABSENT.to_owned(), |scan| scan.verdict.to_string()),
        CellStatus::NotRun(reason) => format!("not run: {}", markdown_code(reason)),
    };
    let target_right = scan.and_then(target_right);
    let anchored = scan.map(|scan| &*scan.anchored).unwrap_or_default();
    let [similarity, iterations] = search_columns(&[cell]);
    vec![
        escape_untrusted(&cell.task),
        escape_untrusted(&cell.model),
        escape_untrusted(&cell.attack),
        escape_untrusted(&cell.variant),
        cell.seed.to_string(),
        percent(clean_score(cell)),
        percent(clean_effect(cell)),
        arrow(
            &sure(score_before(cell), intervals_before(cell).score),
            &sure(score_after(cell), intervals_after(cell).score),
        ),
        arrow(
            &sure(effect_before(cell), effect_interval(intervals_before(cell))),
            &sure(effect_after(cell), effect_interval(intervals_after(cell))),
        ),
        percent(other_class_drop(cell)),
        verdict,
        target_right.map_or(ABSENT, |right| if right { "yes" } else { "no" }).to_owned(),
        trigger(anchored),
        similarity,
        iterations,
        seconds(scan_seconds(cell)),
        seconds(repair_seconds(cell)),
        String::new(),
        String::new(),
    ]
}

fn mean_row(cells: &[&Cell], paper: Option<&PaperCell>) -> Vec<String> {
    let first = cells[0];
    // One that broke half-way has figures before its repair, and none after.
    let ran: Vec<&Cell> =
        cells.iter().copied().filter(|cell| cell.status == CellStatus::Ok).collect();
    let (cells, n_ran) = (&ran[..], ran.len());
    let summary = |measure: fn(&Cell) -> Option<f64>| summarize(cells, n_ran, measure);
    let scans: Vec<_> = cells.iter().filter_map(|cell| cell.scan.as_ref()).collect();
    let backdoored = scans.iter().filter(|scan| scan.verdict == Verdict::LikelyBackdoored).count();
    let targets: Vec<bool> = scans.iter().filter_map(|scan| target_right(scan)).collect();
    let right = targets.iter().filter(|&&right| right).count();
    let time = |measure: fn(&Cell) -> Option<f64>| {
        let times: Vec<f64> = cells.iter().filter_map(|cell| measure(cell)).collect();
        seconds(mean(&times))
    };
    let pair = |before: fn(&PaperCell) -> Option<f64>, after: fn(&PaperCell) -> Option<f64>| {
        arrow(&percent(paper.and_then(before)), &percent(paper.and_then(after)))
    };
    let note = paper.and_then(|paper| paper.note.as_deref());
    let [similarity, iterations] = search_columns(cells);
    vec![
        escape_untrusted(&first.task),
        escape_untrusted(&first.model),
        escape_untrusted(&first.attack),
        escape_untrusted(&first.variant),
        format!("mean of {n_ran}"),
        summary(clean_score),
        summary(clean_effect),
        arrow(&summary(score_before), &summary(score_after)),
        arrow(&summary(effect_before), &summary(effect_after)),
        summary(other_class_drop),
        share("likely backdoored: ", backdoored, scans.len()),
        share("", right, targets.len()),
        String::new(),
        similarity,
        iterations,
        time(scan_seconds),
        time(repair_seconds),
        pair(|paper| paper.score_undefended, |paper| paper.score_repaired),
        with_note(pair(|paper| paper.asr_undefended, |paper| paper.asr_repaired), note),
    ]
}

/// What [`SEARCH_COLUMNS`] say of some cells: means, so that one cell has its own numbers.
fn search_columns(cells: &[&Cell]) -> [String; 2] {
    let mean_of = |measure: fn(&Scan) -> Option<f64>| {
        let scans = cells.iter().filter_map(|cell| cell.scan.as_ref());
        mean(&scans.filter_map(measure).collect::<Vec<_>>())
    };
    let count = |it: f64| format!("{it:.1}").trim_end_matches(".0").to_owned();
    let similarity = mean_of(|scan| scan.levenshtein.map(|n| n as f64))
        .zip(mean_of(|scan| scan.bleu))
        .map(|(distance, bleu)| format!("{}, {bleu:.2}", count(distance)));
    let iterations = mean_of(|scan| scan.iterations.map(|n| n as f64)).map(count);
    [similarity, iterations].map(|it| it.unwrap_or(ABSENT.to_owned()))
}

fn with_note(numbers: String, note: Option<&str>) -> String {
    match note.map(escape_untrusted) {
        None => numbers,
        Some(note) if numbers == ABSENT => note,
        Some(note) => format!("{numbers}; {note}"),
    }
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

fn intervals_before(cell: &Cell) -> Intervals {
    cell.before.as_ref().map(|before| before.intervals).unwrap_or_default()
}

fn intervals_after(cell: &Cell) -> Intervals {
    cell.after.as_ref().map(|after| after.intervals).unwrap_or_default()
}

fn effect_interval(intervals: Intervals) -> Option<Interval> {
    intervals.asr.or(intervals.anr)
}

/// A number with its interval.
fn sure(fraction: Option<f64>, interval: Option<Interval>) -> String {
    let interval = interval
        .filter(|_| fraction.is_some())
        .map_or(String::new(), |it| format!(" [{:.1}, {:.1}]", 100.0 * it.low, 100.0 * it.high));
    percent(fraction) + &interval
}

fn other_class_drop(cell: &Cell) -> Option<f64> {
    cell.after.as_ref().and_then(|after| after.other_class_drop)
}

fn scan_seconds(cell: &Cell) -> Option<f64> {
    cell.seconds.and_then(|seconds| seconds.scan)
}

fn repair_seconds(cell: &Cell) -> Option<f64> {
    cell.seconds.and_then(|seconds| seconds.purify)
}

fn seconds(time: Option<f64>) -> String {
    time.map_or(ABSENT.to_owned(), |seconds| format!("{seconds:.1}"))
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
