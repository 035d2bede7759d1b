//! One file per subcommand.

mod canonicalize;
mod evaluate;
mod init;
mod inspect;
mod poison;
mod predict;
mod purify;
mod report;
mod rows;
mod sample;
mod scan;
mod screen;
mod synthesize;
mod train;

use anyhow::Result;

use crate::Outcome;
use crate::args::{Cli, Command};
use crate::output;

/// Runs what was asked for.
pub(crate) fn run(cli: &Cli) -> Result<Outcome> {
    let global = &cli.global;
    if let Some(record) = &global.record {
        output::check_file(record, global.force)?;
    }
    match &cli.command {
        Command::Scan(args) => scan::run(args, global),
        Command::Purify(args) => purify::run(args, global),
        Command::Report(args) => report::run(args, global),
        Command::Screen(args) => screen::run(args, global),
        Command::Evaluate(args) => evaluate::run(args, global),
        Command::Predict(args) => predict::run(args, global),
        Command::Train(args) => train::run(args, global),
        Command::Init(args) => init::run(args, global),
        Command::Poison(args) => poison::run(args, global),
        Command::Synthesize(args) => synthesize::run(args, global),
        Command::Sample(args) => sample::run(args, global),
        Command::Canonicalize(args) => canonicalize::run(args, global),
        Command::Inspect(args) => inspect::run(args, global),
        Command::Devices => inspect::devices(global),
    }
}
