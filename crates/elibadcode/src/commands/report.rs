//! `report`: a scan, and what became of its repair, as a page for people.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use elibadcode_evaluation::report::html::{RepairReport, ScanView, scan_page};
use fs_err as fs;
use serde_json::json;

use crate::Outcome;
use crate::args::{Global, ReportArgs};
use crate::context::Context;
use crate::output;

pub(crate) fn run(args: &ReportArgs, global: &Global) -> Result<Outcome> {
    let mut context = Context::new(global, "report");
    if let Some(path) = &args.output {
        output::check_file(path, global.force)?;
    }
    let scan = read(&args.scan, &mut context, ScanView::from_json)?;
    let repair = match &args.repair {
        None => None,
        Some(path) => Some(repair(&file_of(path)?, &scan, &mut context)?),
    };
    let name = args.name.clone().unwrap_or_else(|| args.scan.display().to_string());
    let page = scan_page(&name, &scan, repair.as_ref());
    match &args.output {
        Some(path) => output::write_file(path, |out| Ok(out.write_all(page.as_bytes())?))?,
        None => context.print(&page)?,
    }
    context.finish(&json!({ "name": name }))?;
    Ok(Outcome::Done)
}

/// The record of a repair, given as such or as the folder that it is in.
fn file_of(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let records = [RepairReport::CANONICAL_FILE, RepairReport::UNLEARNING_FILE];
    let found = records.map(|file| path.join(file)).into_iter().find(|it| it.exists());
    found.with_context(|| {
        format!(
            "--repair {}: no repaired model, it has neither {} nor {}",
            path.display(),
            records[0],
            records[1]
        )
    })
}

fn repair(path: &Path, scan: &ScanView, context: &mut Context<'_>) -> Result<RepairReport> {
    let repair = read(path, context, RepairReport::from_json)?;
    ensure!(
        repair.is_of(&scan.model_hash),
        "{} is the repair of another model than that of the scan",
        path.display()
    );
    Ok(repair)
}

fn read<T>(
    path: &Path,
    context: &mut Context<'_>,
    parse: impl FnOnce(&str) -> Result<T, elibadcode_evaluation::Error>,
) -> Result<T> {
    let text = fs::read_to_string(path)?;
    context.note_file(path)?;
    parse(&text).with_context(|| format!("reading {}", path.display()))
}
