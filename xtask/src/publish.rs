//! The results folder: `results.json`, `results.md`, `report.html`, `twins.json` and `bundle.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use elibadcode_evaluation::Results;
use elibadcode_evaluation::records::results::{RESULTS_SCHEMA_VERSION, compare_defenses};

use crate::bundle::Bundle;
use crate::experiment::Experiment;
use crate::page;
use crate::program;
use crate::report::Report;
use crate::stage::write;

/// Which folders to put together.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Results folders of all shards
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Where the whole goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Puts the shards of a run together; false if a cell did not run.
pub(crate) fn merge(args: &MergeArgs) -> Result<bool> {
    let parts = args.folders.iter().map(|folder| Bundle::read(folder)).collect::<Result<_>>()?;
    let whole = Bundle::merge(parts)?;
    publish(&whole, &whole.experiments()?, &args.out)?;
    Ok(whole.is_complete())
}

/// Writes all files of a results folder and prints the tables.
pub(crate) fn publish(bundle: &Bundle, experiments: &[Experiment], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let results = results(bundle);
    let markdown = Report { experiments, bundle }.markdown(&results);
    let path = folder.join("results.md");
    write(&folder.join("results.json"), &results.to_json()?)?;
    write(&folder.join("twins.json"), &(serde_json::to_string_pretty(&bundle.twins)? + "\n"))?;
    write(&folder.join("report.html"), &page::html(&results, bundle, experiments))?;
    write(&folder.join("bundle.json"), &bundle.to_json()?)?;
    write(&path, &markdown)?;
    program::print(&format!("{}\n\n{markdown}", path.display()))
}

/// What `results.json` has of a bundle.
fn results(bundle: &Bundle) -> Results {
    let cells: Vec<_> = bundle.entries.iter().map(|entry| entry.cell.clone()).collect();
    let devices: BTreeSet<&str> =
        bundle.entries.iter().filter_map(|entry| entry.device.as_deref()).collect();
    Results {
        schema_version: RESULTS_SCHEMA_VERSION,
        scale: bundle.scale.clone(),
        question: bundle.question.clone(),
        date: bundle.entries.iter().filter_map(|entry| entry.day.clone()).max(),
        device: devices.into_iter().collect::<Vec<_>>().join(", "),
        comparisons: compare_defenses(&cells),
        cells,
    }
}
