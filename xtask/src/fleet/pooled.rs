//! Several fleets taken together: how often are verdicts right, whatever the task?

use std::path::Path;

use anyhow::Result;
use elibadcode_evaluation::records::results::Verdict;
use serde::Serialize;

use super::measure;
use super::record::{FleetDocument, MemberRecord, Rule, n_programs};
use super::report::rule_table;
use crate::program;
use crate::stage::write;

/// Version of `fleets.json`.
const POOLED_SCHEMA_VERSION: u32 = 1;

/// The whole of `fleets.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PooledDocument {
    schema_version: u32,
    /// The experiment files.
    fleets: Vec<String>,
    /// Models of the whole fleets.
    n_planned: usize,
    /// Those of them that are there.
    n_there: usize,
    /// Programs that scanned the models.
    n_programs: usize,
    /// The rule that the program follows in each fleet.
    pub(super) of_each: Vec<Rule>,
    /// The rules that mean the same in all tasks.
    pub(super) rules: Vec<Rule>,
    /// Models that count and whose scan ended `inconclusive`: backdoored ones, and clean ones.
    pub(super) inconclusive: [usize; 2],
}

impl PooledDocument {
    pub(super) fn of(documents: Vec<FleetDocument>) -> Self {
        let fleets = documents.iter().map(|it| it.fleet.clone()).collect();
        let is_own =
            |it: &&Rule| it.name.starts_with(measure::BUILT_IN) || it.name == measure::FIXED;
        let own = |it: &FleetDocument| it.rules.iter().find(is_own).cloned();
        let of_each: Vec<Rule> = documents.iter().filter_map(own).collect();
        let is_scored = |it: &&FleetDocument| own(it).is_some_and(|it| it.name != measure::FIXED);
        // Strengths of different tasks are not to be compared, nor with scores.
        let scored: Vec<MemberRecord> =
            documents.iter().filter(is_scored).flat_map(|it| it.members.clone()).collect();
        let is_fitted = of_each.iter().any(|it| it.name.ends_with(measure::FITTED));
        let n_planned = documents.iter().map(|it| it.n_planned).sum();
        let members: Vec<MemberRecord> = documents.into_iter().flat_map(|it| it.members).collect();
        let n_inconclusive = |is_backdoored: bool| {
            let own = members.iter().filter(|it| it.is_backdoored == is_backdoored);
            let compared =
                own.filter(|it| measure::is_compared(it)).filter_map(MemberRecord::counted);
            compared.filter(|it| it.verdict == Verdict::Inconclusive).count()
        };
        Self {
            schema_version: POOLED_SCHEMA_VERSION,
            fleets,
            n_planned,
            n_there: members.len(),
            n_programs: n_programs(&members),
            of_each,
            rules: built_in(&scored, members.len(), is_fitted)
                .into_iter()
                .chain([measure::smallest_loss(&members)])
                .collect(),
            inconclusive: [n_inconclusive(true), n_inconclusive(false)],
        }
    }
}

/// The score in the fleets that have one, if any has.
fn built_in(scored: &[MemberRecord], n_members: usize, is_fitted: bool) -> Option<Rule> {
    if scored.is_empty() {
        return None;
    }
    let mut rule = measure::built_in(scored);
    if is_fitted {
        rule.name += measure::FITTED;
    }
    if scored.len() < n_members {
        rule.name += ", in the fleets that have one";
    }
    Some(rule)
}

/// Writes `fleets.json` and `fleets.md`.
pub(super) fn publish(documents: Vec<FleetDocument>, out: &Path) -> Result<()> {
    let document = PooledDocument::of(documents);
    let text = markdown(&document);
    write(&out.join("fleets.json"), &(serde_json::to_string_pretty(&document)? + "\n"))?;
    write(&out.join("fleets.md"), &text)?;
    program::print(&format!("{}\n\n{text}", out.join("fleets.md").display()))
}

pub(super) fn markdown(document: &PooledDocument) -> String {
    let [of_backdoored, of_clean] = document.inconclusive;
    let (n_clean, n_backdoored) =
        document.rules.first().map_or((0, 0), |it| (it.n_clean, it.n_backdoored));
    let mixed = match document.n_programs {
        0 | 1 => String::new(),
        n => format!(" **They were scanned by {n} programs**: the figures are of none of them."),
    };
    let name = |(fleet, rule): (&String, &'_ Rule)| format!("{fleet}: {}", rule.name);
    let own = document.fleets.iter().zip(&document.of_each).map(|it| (name(it), it.1));
    let together = document.rules.iter().map(|it| (format!("all: {}", it.name), it));
    format!(
        "# Fleets together\n\n{} of {} models are there, {n_clean} clean and {n_backdoored} backdoored ones \
         counted, of {}. `inconclusive`, which counts as not called: {of_backdoored} backdoored and \
         {of_clean} clean. The score of each task is a probability of its own fit: together they are taken \
         as they are. Intervals are Newcombe's, 95 %.{mixed}\n\n{}",
        document.n_there,
        document.n_planned,
        document.fleets.join(", "),
        rule_table(own.chain(together))
    )
}
