//! What each option of the search is worth: the models of a fleet, scanned with one of them changed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use elibadcode_evaluation::statistics::mean;
use elibadcode_evaluation::{Rate, markdown_table};
use serde::{Deserialize, Serialize};

use super::plan::Fleet;
use super::record::{MemberRecord, Rule, ScanRecord, n_programs};
use super::{Programs, fit, load, measure};
use crate::experiment::Task;
use crate::stage::write;
use crate::{program, settings};

/// Version of `ablation.json`.
const ABLATION_SCHEMA_VERSION: u32 = 1;
/// The fleet's own settings.
const UNCHANGED: &str = "as it is";

/// `ablation.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ablation {
    options: Vec<SearchOption>,
}

/// Settings of `scan` that differ from a fleet's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchOption {
    name: String,
    /// The tasks that it is tried on; all if absent.
    tasks: Option<Vec<Task>>,
    scan: toml::Table,
}

/// The fleet with each option that is asked for, or with all of its task.
pub(super) fn fleets(folder: &Path, fleet: &Fleet, names: &[String]) -> Result<Vec<Fleet>> {
    let path = folder.join("ablation.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let Ablation { options } =
        toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let is_of_task =
        |it: &&SearchOption| it.tasks.as_ref().is_none_or(|tasks| tasks.contains(&fleet.task));
    let own: Vec<&SearchOption> = options.iter().filter(is_of_task).collect();
    if let Some(unknown) = names.iter().find(|name| own.iter().all(|it| it.name != **name)) {
        let known: Vec<&str> = own.iter().map(|it| &*it.name).collect();
        bail!(
            "--ablation={unknown}: {} has no such option for {}, only {}",
            path.display(),
            fleet.task.name(),
            known.join(", ")
        );
    }
    let asked = own.into_iter().filter(|it| names.is_empty() || names.contains(&it.name));
    let varied = asked.map(|it| Fleet {
        scan: settings::merged(&fleet.scan, &it.scan),
        option: Some(it.name.clone()),
        ..fleet.clone()
    });
    Ok(varied.collect())
}

/// The whole of `ablation.json`.
#[derive(Clone, Debug, Serialize)]
struct AblationDocument {
    schema_version: u32,
    /// The experiment file.
    fleet: String,
    task: String,
    /// Programs that scanned the models.
    n_programs: usize,
    /// What models are told apart by in these figures.
    figure: String,
    rows: Vec<Row>,
}

/// What scans with one option changed make of the fleet's models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) option: String,
    /// How the first figure of the evidence tells models apart: no option has a score of its own.
    pub(super) rule: Rule,
    /// The figure's mean over backdoored models.
    pub(super) backdoored: Option<f64>,
    /// The same over clean ones.
    pub(super) clean: Option<f64>,
    /// Area under the ROC curve of a score that is fitted to these scans, cross-validated.
    pub(super) fitted_auroc: Option<f64>,
    /// How often the most suspicious target is the planted one.
    pub(super) targets: Rate,
    /// Share of the tokens found that are part of a planted trigger.
    pub(super) token_precision: Option<f64>,
    /// Share of a planted trigger's letters that they cover.
    pub(super) letter_recall: Option<f64>,
    /// Forward passes of a scan.
    pub(super) n_forwards: Option<f64>,
    pub(super) scan_seconds: Option<f64>,
}

/// Writes `ablation.json` and `ablation.md` of the models that every option was tried on; `unchanged` are
/// those of the fleet as it is.
pub(super) fn publish(
    name: &str,
    fleet: &Fleet,
    unchanged: Vec<MemberRecord>,
    varied: &[Fleet],
    programs: &Programs,
) -> Result<()> {
    let mut loaded = vec![(fleet, unchanged)];
    for it in varied {
        loaded.push((it, load(it, programs)?.0));
    }
    for (fleet, members) in &mut loaded {
        members.retain(|member| has_settings(member, fleet));
    }
    loaded.retain(|(_, members)| !members.is_empty());
    let all: Vec<MemberRecord> = loaded.iter().flat_map(|(_, it)| it.iter().cloned()).collect();
    let n_programs = n_programs(&all);
    let figures = loaded.iter().flat_map(|(_, it)| it).filter_map(|it| it.scan.as_ref());
    let figure = figures.filter_map(|it| it.figures.first()).map(|it| it.name.clone()).next();
    let figure = figure.context("no scan has evidence that an ablation could compare")?;
    let rows = compare(loaded, &figure);
    ensure!(
        rows[0].rule.n_clean + rows[0].rule.n_backdoored > 0,
        "{}: no model that counts was scanned with every option",
        programs.runner.root.display()
    );
    let document = AblationDocument {
        schema_version: ABLATION_SCHEMA_VERSION,
        fleet: format!("fleet-{name}.toml"),
        n_programs,
        task: fleet.task.name().to_owned(),
        figure,
        rows,
    };
    let root = &programs.runner.root;
    let text = markdown(&document);
    write(&root.join("ablation.json"), &(serde_json::to_string_pretty(&document)? + "\n"))?;
    write(&root.join("ablation.md"), &text)?;
    program::print(&format!("{}\n\n{text}", root.join("ablation.md").display()))
}

/// A row for each, of the models that are there and counted in all of them.
pub(super) fn compare(mut loaded: Vec<(&Fleet, Vec<MemberRecord>)>, figure: &str) -> Vec<Row> {
    let counted = |members: &[MemberRecord]| -> Vec<String> {
        let has_figure =
            |it: &&MemberRecord| it.counted().is_some_and(|it| it.figure(figure).is_some());
        let compared = members.iter().filter(|it| measure::is_compared(it)).filter(has_figure);
        compared.map(|it| it.name.clone()).collect()
    };
    let of_each: Vec<Vec<String>> = loaded.iter().map(|(_, it)| counted(it)).collect();
    for (_, members) in &mut loaded {
        members.retain(|member| of_each.iter().all(|names| names.contains(&member.name)));
    }
    loaded.iter().map(|(fleet, members)| row(fleet, members, figure)).collect()
}

/// Whether a scan was made with the settings that the fleet has now.
fn has_settings(member: &MemberRecord, fleet: &Fleet) -> bool {
    let Ok(serde_json::Value::Object(wanted)) = serde_json::to_value(&fleet.scan) else {
        return false;
    };
    let Some(scan) = &member.scan else { return false };
    wanted.iter().all(|(key, value)| scan.settings.get(key) == Some(value))
}

fn row(fleet: &Fleet, members: &[MemberRecord], figure: &str) -> Row {
    let of_kind = |is_backdoored: bool| {
        let own = members.iter().filter(|it| it.is_backdoored == is_backdoored);
        mean(&own.filter_map(|it| it.counted()?.figure(figure)).collect::<Vec<f64>>())
    };
    let scans = || members.iter().filter_map(MemberRecord::counted);
    let mean_of = |part: &dyn Fn(&ScanRecord) -> Option<f64>| {
        mean(&scans().filter_map(part).collect::<Vec<f64>>())
    };
    Row {
        option: fleet.option.clone().unwrap_or_else(|| UNCHANGED.to_owned()),
        rule: measure::by_figure(figure, members),
        backdoored: of_kind(true),
        clean: of_kind(false),
        fitted_auroc: fit::cross_validate(members, fleet).map(|it| it.auroc),
        targets: scans().filter_map(|it| it.target_is_right).collect(),
        token_precision: mean_of(&|it| it.token_precision),
        letter_recall: mean_of(&|it| it.letter_recall),
        n_forwards: mean_of(&|it| Some(it.n_forwards as f64)),
        scan_seconds: mean(&members.iter().filter_map(|it| it.scan_seconds).collect::<Vec<_>>()),
    }
}

fn markdown(document: &AblationDocument) -> String {
    let percent =
        |it: Option<f64>| it.map_or("n/a".to_owned(), |it| format!("{:.1} %", 100.0 * it));
    let area = |it: Option<f64>| it.map_or("n/a".to_owned(), |it| format!("{it:.3}"));
    let row = |it: &Row| {
        vec![
            it.option.clone(),
            area(it.rule.auroc),
            percent(it.rule.tpr_at_1_2_5.map(|it| it[2])),
            percent(it.backdoored),
            percent(it.clean),
            area(it.fitted_auroc),
            format!("{} of {}", it.targets.hits, it.targets.total),
            percent(it.token_precision),
            percent(it.letter_recall),
            it.n_forwards.map_or("n/a".to_owned(), |it| format!("{it:.0}")),
            it.scan_seconds.map_or("n/a".to_owned(), |it| format!("{it:.1} s")),
        ]
    };
    let rows: Vec<Vec<String>> = document.rows.iter().map(row).collect();
    let header = [
        "option",
        "AUROC",
        "TPR at FPR 5 %",
        "backdoored",
        "clean",
        "AUROC, fitted",
        "target right",
        "precision",
        "recall",
        "forwards",
        "a scan",
    ];
    let first = document.rows.first();
    let (n_clean, n_backdoored) =
        first.map_or((0, 0), |it| (it.rule.n_clean, it.rule.n_backdoored));
    let mixed = match document.n_programs {
        0 | 1 => String::new(),
        n => format!(
            " **They were scanned by {n} programs**: the rows do not compare options alone."
        ),
    };
    format!(
        "# Options of the search ({})\n\n{n_clean} clean and {n_backdoored} backdoored models, those that \
         every option below was tried on.{mixed} Each row changes one option of the fleet's scans \
         (xtask/experiments/ablation.toml). Models are told apart by one figure of the evidence, the {}: a \
         score holds for the settings that it was fitted to only. \"Fitted\" is a score of the fleet's \
         figures that is fitted to these scans, cross-validated. Precision is the share of the tokens found \
         that are part of a planted trigger, recall the share of its letters that they cover.\n\n{}",
        document.fleet,
        document.figure,
        markdown_table(&header, &rows)
    )
}
