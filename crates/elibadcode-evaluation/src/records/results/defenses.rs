//! Defenses against each other: what the attacks still do after each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cell, CellStatus, OWN_DEFENSE};
use crate::statistics::{mann_whitney_exact, median, signed_rank_exact};

/// [`OWN_DEFENSE`] against another one, over all models, attacks and seeds of some tasks.
///
/// The samples are the attack success rates (code search: normalized ranks) after the defense, one
/// per cell; only cells that both defended count, so that neither has the easier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefenseComparison {
    /// The tasks, joined by `+`.
    pub task: String,
    /// `asr` (low is good) or `anr` (high is good).
    pub measure: String,
    /// The other defense.
    pub other: String,
    /// Cells that both defended.
    pub n: usize,
    /// Median of the measure after [`OWN_DEFENSE`].
    pub own_median: f64,
    /// Median of the measure after the other defense.
    pub other_median: f64,
    /// U of the values after [`OWN_DEFENSE`].
    pub u: f64,
    /// Two-sided p-value of Wilcoxon's signed-rank test, exact: each cell is defended in both ways.
    pub p_value: f64,
    /// That of the Mann-Whitney U test, exact for at most 100 values, which is the paper's and takes the
    /// cells for unrelated.
    pub unpaired_p_value: f64,
}

/// The tasks that are pooled, and their measure. Paper: one test over the 18 cells of defect and
/// clone detection.
const POOLS: [(&[&str], &str); 4] = [
    (&["defect"], "asr"),
    (&["clone"], "asr"),
    (&["defect", "clone"], "asr"),
    (&["search"], "anr"),
];

/// Compares every other defense among the cells with [`OWN_DEFENSE`].
pub fn compare_defenses(cells: &[Cell]) -> Vec<DefenseComparison> {
    let mut others: Vec<&str> = Vec::new();
    for cell in cells {
        if cell.variant != OWN_DEFENSE && !others.contains(&&*cell.variant) {
            others.push(&cell.variant);
        }
    }
    let of_pool = |&(tasks, measure): &(&[&str], &str)| {
        // A pool of which a task is missing would repeat that of the other task.
        let is_whole = tasks.iter().all(|task| cells.iter().any(|cell| cell.task == *task));
        let compared = others.iter().filter_map(move |other| compare(cells, tasks, measure, other));
        compared.filter(|_| is_whole).collect::<Vec<_>>()
    };
    POOLS.iter().flat_map(of_pool).collect()
}

fn compare(
    cells: &[Cell],
    tasks: &[&str],
    measure: &str,
    other: &str,
) -> Option<DefenseComparison> {
    let effects = |variant: &str| -> BTreeMap<_, f64> {
        let key =
            |cell: &Cell| (cell.task.clone(), cell.model.clone(), cell.attack.clone(), cell.seed);
        cells
            .iter()
            .filter(|cell| cell.status == CellStatus::Ok)
            .filter(|cell| tasks.contains(&&*cell.task) && cell.variant == variant)
            .filter_map(|cell| Some((key(cell), effect_after(cell)?)))
            .collect()
    };
    let (own, other_effects) = (effects(OWN_DEFENSE), effects(other));
    let pairs: Vec<(f64, f64)> =
        own.iter().filter_map(|(key, &effect)| Some((effect, *other_effects.get(key)?))).collect();
    let p_value = signed_rank_exact(&pairs)?;
    let (own, others): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let test = mann_whitney_exact(&own, &others)?;
    Some(DefenseComparison {
        task: tasks.join("+"),
        measure: measure.to_owned(),
        other: other.to_owned(),
        n: own.len(),
        own_median: median(&own)?,
        other_median: median(&others)?,
        u: test.u,
        p_value,
        unpaired_p_value: test.p_two_sided,
    })
}

fn effect_after(cell: &Cell) -> Option<f64> {
    cell.after.as_ref().and_then(|after| after.asr.or(after.anr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;
    use crate::records::results::Results;

    fn cell(task: &str, variant: &str, seed: u64, asr: f64) -> String {
        format!(
            r#"{{"task": "{task}", "model": "codebert", "attack": "badcode", "seed": {seed},
                "variant": "{variant}", "status": "ok", "after": {{"score": 0.9, "asr": {asr}}}}}"#
        )
    }

    fn compared(cells: &[String]) -> Vec<DefenseComparison> {
        let cells = cells.join(",");
        let text = format!(
            r#"{{"schema_version": 3, "scale": "small", "device": "cpu", "cells": [{cells}]}}"#
        );
        compare_defenses(&Results::from_json(&text).expect("test data").cells)
    }

    #[test]
    fn only_cells_that_both_defended_count() {
        let mut cells: Vec<String> =
            (1..=3).map(|seed| cell("defect", OWN_DEFENSE, seed, 0.01 * seed as f64)).collect();
        cells.extend((1..=4).map(|seed| cell("defect", "fine-tuning", seed, 0.9)));
        let [comparison] = &compared(&cells)[..] else { panic!("one task, one other defense") };
        assert_eq!((&*comparison.task, &*comparison.other), ("defect", "fine-tuning"));
        assert_eq!((comparison.n, Some(comparison.u)), (3, Some(0.0)));
        assert_close(comparison.own_median, 0.02, 1e-12);
        assert_close(comparison.p_value, 0.25, 1e-12);
        assert_close(comparison.unpaired_p_value, 0.1, 1e-12);
    }

    #[test]
    fn label_tasks_are_pooled() {
        let mut cells = Vec::new();
        for (task, seed) in [("defect", 1), ("clone", 1), ("clone", 2)] {
            cells.push(cell(task, OWN_DEFENSE, seed, 0.1));
            cells.push(cell(task, "no", seed, 0.2));
        }
        let counts: Vec<(String, usize)> =
            compared(&cells).into_iter().map(|it| (it.task, it.n)).collect();
        let expected = [("defect", 1), ("clone", 2), ("defect+clone", 3)];
        assert_eq!(counts, expected.map(|(task, n)| (task.to_owned(), n)));
    }

    #[test]
    fn one_defense_is_compared_with_nothing() {
        assert!(compared(&[cell("defect", OWN_DEFENSE, 1, 0.1)]).is_empty());
        assert!(compared(&[]).is_empty());
    }
}
