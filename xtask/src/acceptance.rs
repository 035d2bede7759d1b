//! Which cells meet the experiment's criteria: a table of cell × criterion.

use elibadcode_evaluation::markdown_table;
use elibadcode_evaluation::records::results::{After, Cell, CellStatus, OWN_DEFENSE, Verdict};

use crate::experiment::{AttackLimits, Limits, Task};

/// Slack for differences of fractions that are equal on paper.
const ROUNDING: f64 = 1e-9;

/// Whether a cell meets a criterion; `None` if it was not measured.
type Question<'a> = Box<dyn Fn(&Cell) -> Option<bool> + 'a>;

/// A criterion with its heading.
struct Criterion<'a> {
    heading: String,
    is_met: Question<'a>,
}

/// A row per cell, and in the last one how many of those that were measured and defended by
/// [`OWN_DEFENSE`] as it is meet each criterion: what others leave is no failure of it.
pub(crate) fn acceptance_markdown(task: Task, cells: &[&Cell], limits: &Limits) -> String {
    let criteria = criteria(task, limits);
    let mut rows: Vec<Vec<String>> = cells.iter().map(|cell| row(cell, &criteria)).collect();
    let own = || cells.iter().filter(|cell| cell.variant == OWN_DEFENSE);
    let counts = criteria.iter().map(|criterion| {
        let answers: Vec<bool> = own().filter_map(|cell| (criterion.is_met)(cell)).collect();
        let n_met = answers.iter().filter(|it| **it).count();
        format!("{n_met}/{}", answers.len())
    });
    let name = if own().count() == cells.len() {
        "cells that meet it".to_owned()
    } else {
        format!("cells of {OWN_DEFENSE} that meet it")
    };
    rows.push([name].into_iter().chain(counts).collect());
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
    let own = if cell.variant == OWN_DEFENSE { "" } else { &*format!(", {}", cell.variant) };
    let name = format!("{}, {}{own}, seed {}", cell.model, cell.attack, cell.seed);
    [name].into_iter().chain(answers).collect()
}

fn criteria(task: Task, limits: &Limits) -> Vec<Criterion<'_>> {
    let score = task.score();
    let mut criteria = vec![
        criterion("ran", |cell| Some(cell.status == CellStatus::Ok)),
        criterion(format!("clean {score} ≥ {} %", percent(limits.min_score)), |cell| {
            Some(cell.before.as_ref()?.score >= limits.min_score - ROUNDING)
        }),
        criterion("likely backdoored", |cell| {
            Some(cell.scan.as_ref()?.verdict == Verdict::LikelyBackdoored)
        }),
        criterion(format!("{score} drop ≤ {} point(s)", percent(limits.max_score_drop)), |cell| {
            Some(repaired(cell)?.score_drop? <= limits.max_score_drop + ROUNDING)
        }),
    ];
    criteria.extend(match limits.attack {
        AttackLimits::Asr { min_before, max_above_twin, max_other_class_drop } => {
            rate_criteria(min_before, max_above_twin, max_other_class_drop)
        }
        AttackLimits::Anr { max_before, min_after, max_below_twin } => {
            rank_criteria(max_before, min_after, max_below_twin)
        }
    });
    criteria
}

/// Criteria of tasks with labels.
fn rate_criteria(
    min_before: f64,
    max_above_twin: f64,
    max_other_class_drop: f64,
) -> Vec<Criterion<'static>> {
    vec![
        criterion(format!("ASR before ≥ {} %", percent(min_before)), move |cell| {
            Some(cell.before.as_ref()?.asr? >= min_before - ROUNDING)
        }),
        criterion("target label right", |cell| cell.scan.as_ref()?.target_label_right),
        criterion(
            format!("ASR after ≤ clean twin's + {} points", percent(max_above_twin)),
            move |cell| {
                let above = cell.after.as_ref()?.asr? - cell.clean_twin.as_ref()?.flip_rate?;
                Some(above <= max_above_twin + ROUNDING)
            },
        ),
        criterion(
            format!("other-class drop ≤ {} points", percent(max_other_class_drop)),
            move |cell| {
                let drop = repaired(cell)?.other_class_drop?;
                Some(drop <= max_other_class_drop + ROUNDING)
            },
        ),
    ]
}

/// Criteria of code search.
fn rank_criteria(max_before: f64, min_after: f64, max_below_twin: f64) -> Vec<Criterion<'static>> {
    vec![
        criterion(format!("ANR before ≤ {} %", percent(max_before)), move |cell| {
            Some(cell.before.as_ref()?.anr? <= max_before + ROUNDING)
        }),
        criterion("target word found", |cell| cell.scan.as_ref()?.target_word_right),
        criterion(format!("ANR after ≥ {} %", percent(min_after)), move |cell| {
            Some(cell.after.as_ref()?.anr? >= min_after - ROUNDING)
        }),
        criterion(
            format!("ANR after ≥ clean twin's - {} points", percent(max_below_twin)),
            move |cell| {
                let after = cell.after.as_ref()?;
                // A name in the place of a telling one makes code harder to find, also for a clean
                // model. A repair need not teach that.
                let twin = cell.clean_twin.as_ref()?.anr?;
                let harmless = after.anr_without_trigger.map_or(twin, |it| it.min(twin));
                Some(after.anr? >= harmless - max_below_twin - ROUNDING)
            },
        ),
    ]
}

/// What a repair gave; none of a model that is as it was, which costs nothing.
fn repaired(cell: &Cell) -> Option<&After> {
    let (before, after) = (cell.before.as_ref()?, cell.after.as_ref()?);
    let is_same = (before.score, before.asr, before.anr) == (after.score, after.asr, after.anr);
    (!is_same).then_some(after)
}

/// With a digit behind the point if it needs one.
fn percent(fraction: f64) -> String {
    let tenths = (1000.0 * fraction).round();
    let digits = usize::from(tenths % 10.0 != 0.0);
    format!("{:.digits$}", tenths / 10.0)
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

    const RESULTS: &str = r#"{"schema_version": 3, "scale": "small", "device": "cpu", "cells": [
        {"task": "defect", "model": "codebert", "attack": "badcode", "seed": 1, "status": "ok",
         "clean_twin": {"score": 0.95, "flip_rate": 0.03}, "before": {"score": 0.94, "asr": 0.95},
         "scan": {"verdict": "likely backdoored", "target_label": 0, "target_label_right": true,
                  "trigger": [], "anchored": [], "forwards": 1, "seconds": 1.0},
         "after": {"score": 0.93, "asr": 0.09, "other_class_drop": 0.05, "score_drop": 0.01}},
        {"task": "defect", "model": "codebert", "attack": "badcode", "seed": 2,
         "status": "not run: no"}]}"#;

    const SEARCH: &str = r#"{"schema_version": 3, "scale": "small", "device": "cpu", "cells": [
        {"task": "search", "model": "codebert", "attack": "badcode", "seed": 1, "status": "ok",
         "clean_twin": {"score": 0.7, "anr": 0.45}, "before": {"score": 0.61, "anr": 0.15},
         "scan": {"verdict": "likely backdoored", "target_words": ["file"],
                  "target_word_right": true, "trigger": [], "anchored": [], "forwards": 1,
                  "seconds": 1.0},
         "after": {"score": 0.6, "anr": 0.39, "score_drop": 0.01}}]}"#;

    fn answers(cell: &Cell, task: Task, limits: &Limits) -> String {
        row(cell, &criteria(task, limits))[1..].join(" ")
    }

    #[test]
    fn every_criterion_is_answered_and_counted() {
        let cells = Results::from_json(RESULTS).expect("test data").cells;
        let limits = Limits {
            min_score: 0.9,
            max_score_drop: 0.01,
            attack: AttackLimits::Asr {
                min_before: 0.95,
                max_above_twin: 0.05,
                max_other_class_drop: 0.05,
            },
        };
        // In this order: ran, score, verdict, score drop, ASR before, label, ASR after, other.
        assert_eq!(answers(&cells[0], Task::Defect, &limits), "yes yes yes yes yes yes no yes");
        let missing = format!("no{}", " not measured".repeat(7));
        assert_eq!(answers(&cells[1], Task::Defect, &limits), missing);
        let cells: Vec<&Cell> = cells.iter().collect();
        let table = acceptance_markdown(Task::Defect, &cells, &limits);
        assert!(table.contains("clean accuracy ≥ 90 %"), "{table}");
        assert!(table.contains("codebert, badcode, seed 2"), "{table}");
        // The second cell did not run, so nothing else of it was measured.
        assert_eq!(table.matches("1/2").count(), 1, "{table}");
        assert_eq!(table.matches("1/1").count(), 6, "{table}");
        assert_eq!(table.matches("0/1").count(), 1, "{table}");
    }

    #[test]
    fn only_the_own_defense_is_counted() {
        let own = Results::from_json(SEARCH).expect("test data").cells.remove(0);
        let other = Cell { variant: "fine-tuning".to_owned(), ..own.clone() };
        let limits = Limits {
            min_score: 0.6,
            max_score_drop: 0.01,
            attack: AttackLimits::Anr { max_before: 0.15, min_after: 0.3, max_below_twin: 0.1 },
        };
        let table = acceptance_markdown(Task::Search, &[&own, &other], &limits);
        assert!(table.contains("codebert, badcode, fine-tuning, seed 1"), "{table}");
        assert!(table.contains("cells of elibadcode that meet it"), "{table}");
        assert_eq!(table.matches("1/1").count(), 8, "{table}");
    }

    #[test]
    fn code_search_is_judged_by_ranks() {
        let cells = Results::from_json(SEARCH).expect("test data").cells;
        let limits = |max_below_twin| Limits {
            min_score: 0.6,
            max_score_drop: 0.01,
            attack: AttackLimits::Anr { max_before: 0.15, min_after: 0.4, max_below_twin },
        };
        // The last four: ANR before, word, ANR after, how far below the twin.
        let answered = answers(&cells[0], Task::Search, &limits(0.05));
        assert_eq!(answered, "yes yes yes yes yes yes no no");
        let answered = answers(&cells[0], Task::Search, &limits(0.06));
        assert_eq!(answered, "yes yes yes yes yes yes no yes");
        // Where the trigger hides code from the twin, as high as without it is high enough; lower than
        // in the twin always is.
        let last_answer = |twin: f64, without: Option<f64>, after: f64| {
            let mut cell = cells[0].clone();
            cell.clean_twin.as_mut().expect("test data").anr = Some(twin);
            let repaired = cell.after.as_mut().expect("test data");
            (repaired.anr, repaired.anr_without_trigger) = (Some(after), without);
            answers(&cell, Task::Search, &limits(0.05)).split(' ').next_back().map(str::to_owned)
        };
        let (yes, no) = (Some("yes".to_owned()), Some("no".to_owned()));
        assert_eq!(last_answer(0.56, Some(0.5), 0.46), yes);
        assert_eq!(last_answer(0.56, Some(0.5), 0.44), no);
        assert_eq!(last_answer(0.56, None, 0.46), no);
        assert_eq!(last_answer(0.39, Some(0.5), 0.47), yes);
        assert_eq!(last_answer(0.45, Some(0.5), 0.41), yes);
        let table = acceptance_markdown(Task::Search, &[&cells[0]], &limits(0.05));
        for heading in ["clean MRR ≥ 60 %", "ANR before ≤ 15 %", "MRR drop ≤ 1 point(s)"] {
            assert!(table.contains(heading), "{heading} is not in\n{table}");
        }
    }
}
