//! What hiding names from a model does to an attack, and what a screen finds of it: two tables of
//! `results.md`.

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::markdown_table;
use elibadcode_evaluation::records::results::{After, Cell};
use elibadcode_evaluation::records::screen::{Detection, ScreenMetrics};

use crate::bundle::Entry;
use crate::experiment::{Experiment, Task};

/// What stands where there is no number.
const ABSENT: &str = "–";

const HEADERS: [&str; 8] = [
    "model",
    "attack",
    "defense",
    "seed",
    "score before → after",
    "inputs that the trigger changes",
    "ASR or ANR",
    "the same without the trigger",
];

/// Per cell of a defense that hides names: what it cost, and whether the trigger still reaches the
/// model. Empty if there is no such cell.
pub(crate) fn hidden_markdown(entries: &[&Entry], experiment: &Experiment) -> String {
    let hides = |entry: &&&Entry| experiment.hides_names(&entry.cell);
    let rows: Vec<_> = entries.iter().filter(hides).filter_map(|it| hidden_row(it)).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "{}\nIn percent, but for the inputs: so many of the test {} that can carry the trigger read \
         otherwise with it, as the model gets them. If there is none, this trigger changes no answer.\n",
        markdown_table(&HEADERS, &rows),
        experiment.task.samples()
    )
}

fn hidden_row(Entry { cell, detail, .. }: &Entry) -> Option<Vec<String>> {
    let (before, after) = (cell.before.as_ref()?, cell.after.as_ref()?);
    let mut row = named(cell);
    if detail.repair.as_ref().is_some_and(|it| !it.is_accepted) {
        row.push("refused".to_owned());
        row.resize(HEADERS.len(), ABSENT.to_owned());
        return Some(row);
    }
    let After { asr, anr, flip_rate, anr_without_trigger, .. } = after;
    row.extend([
        format!("{} → {}", percent(Some(before.score)), percent(Some(after.score))),
        after.inputs_changed.map_or(ABSENT.to_owned(), |it| {
            let Rate { hits, total } = it;
            format!("{hits} of {total}")
        }),
        percent(asr.or(*anr)),
        percent(flip_rate.or(*anr_without_trigger)),
    ]);
    Some(row)
}

/// Per screened cell: how well the two kinds of suspicion find functions with the trigger. Empty if
/// there is no such cell.
pub(crate) fn screening_markdown(cells: &[&Cell]) -> String {
    let screened = cells.iter().filter_map(|cell| Some((*cell, cell.screen.as_ref()?)));
    let rows: Vec<_> = screened.flat_map(|(cell, screen)| screening_rows(cell, screen)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let headers = [
        "model",
        "attack",
        "defense",
        "seed",
        "suspicion",
        "AUROC",
        "found at 1 % false alarms",
        "at 5 %",
        "clean ones that change",
        "attacked ones that change",
    ];
    format!(
        "{}\nIn percent. Suspicion is how far an answer moves without the names (`names`), or \
         without the one that moves it most (`one name`: ONION's removal, of identifiers); those \
         that change get another label (a model of code search has no labels).\n",
        markdown_table(&headers, &rows)
    )
}

fn screening_rows(cell: &Cell, screen: &ScreenMetrics) -> [Vec<String>; 2] {
    // Every other vector would count as another answer.
    let has_labels = cell.task != Task::Search.name();
    let changed = |rate: &Rate| percent(rate.value().filter(|_| has_labels));
    [("names", &screen.canonical), ("one name", &screen.removal)].map(|(kind, detection)| {
        let Detection { roc_auc, at_1_percent, at_5_percent, .. } = detection;
        let mut row = named(cell);
        row.extend([
            kind.to_owned(),
            percent(*roc_auc),
            percent(*at_1_percent),
            percent(*at_5_percent),
            changed(&detection.clean_changed),
            changed(&detection.triggered_changed),
        ]);
        row
    })
}

fn named(cell: &Cell) -> Vec<String> {
    let Cell { model, attack, variant, seed, .. } = cell;
    vec![model.clone(), attack.clone(), variant.clone(), seed.to_string()]
}

fn percent(share: Option<f64>) -> String {
    share.map_or(ABSENT.to_owned(), |share| format!("{:.1}", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::{Detail, RepairView};
    use crate::experiment::{Question, Scale};

    fn cell(text: &str) -> Cell {
        let head = r#"{"task": "search", "model": "codebert", "attack": "badcode", "seed": 1,
            "status": "ok", "before": {"score": 0.7, "anr": 0.1}, "#;
        serde_json::from_str(&format!("{head}{text}}}")).expect("test data")
    }

    fn experiment() -> Experiment {
        Question::Names.experiments(&[Task::Search], Scale::Small).expect("valid").remove(0)
    }

    /// The cells of the first row below the head.
    fn first_row(table: &str) -> Vec<&str> {
        let line = table.lines().nth(2).expect("a row");
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    fn entry(text: &str, is_accepted: bool) -> Entry {
        let repair = Some(RepairView { is_accepted, n_rounds: None, scope: None });
        let detail = Detail { repair, ..Detail::default() };
        Entry { cell: cell(text), note: None, device: None, data: None, day: None, detail }
    }

    #[test]
    fn hidden_names_show_what_still_reaches_the_model() {
        let text = r#""variant": "canonical", "after": {"score": 0.6, "anr": 0.5,
            "inputs_changed": {"hits": 0, "total": 9}, "anr_without_trigger": 0.5}"#;
        let own = entry(r#""variant": "elibadcode", "after": {"score": 0.7, "anr": 0.4}"#, true);
        let row_of = |is_accepted| {
            let table = hidden_markdown(&[&own, &entry(text, is_accepted)], &experiment());
            first_row(&table).join(", ")
        };
        assert_eq!(
            row_of(true),
            "codebert, badcode, canonical, 1, 70.0 → 60.0, 0 of 9, 50.0, 50.0"
        );
        assert_eq!(row_of(false), "codebert, badcode, canonical, 1, refused, –, –, –");
        let table = hidden_markdown(&[&own, &entry(text, true)], &experiment());
        assert!(!table.contains("elibadcode"), "{table}");
        assert_eq!(hidden_markdown(&[&own], &experiment()), "");
    }

    #[test]
    fn a_screen_shows_both_kinds_of_suspicion() {
        let detection = r#"{"roc_auc": 0.9, "at_1_percent": null, "at_5_percent": 0.25,
            "clean_changed": {"hits": 1, "total": 4}, "triggered_changed": {"hits": 3, "total": 4}}"#;
        let task = |cell: Cell, task: &str| Cell { task: task.to_owned(), ..cell };
        let screened = cell(&format!(
            r#""variant": "screening", "screen": {{"n_clean": 4, "n_triggered": 4,
                "canonical": {detection}, "removal": {detection}}}"#
        ));
        let table = screening_markdown(&[&task(screened.clone(), "clone")]);
        assert_eq!(first_row(&table)[3..], ["1", "names", "90.0", "–", "25.0", "25.0", "75.0"]);
        let table = screening_markdown(&[&screened]);
        assert_eq!(first_row(&table)[3..], ["1", "names", "90.0", "–", "25.0", "–", "–"]);
        assert!(table.contains("one name"), "{table}");
        assert_eq!(screening_markdown(&[&cell(r#""variant": "canonical""#)]), "");
    }
}
