//! `cargo xtask`: experiments and checks of this repository.
//!
//! `reproduce` drives the release binary, so that every published number went through a command
//! that a user has; `merge` puts its shards together; `fleet` gives the verdicts their error rates;
//! `tidy` checks the workspace against its own rules.

mod acceptance;
mod bundle;
mod chain;
mod collect;
mod cost;
mod day;
mod detail;
mod experiment;
mod fleet;
mod matrix;
mod names;
mod page;
mod parallel;
mod program;
mod publish;
mod report;
mod reproduce;
mod settings;
mod shard;
mod stage;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Experiments and checks of this repository
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run an experiment: plant backdoors, find and remove them, compare with the paper
    Reproduce(reproduce::ReproduceArgs),
    /// Make a fleet of clean and backdoored models, scan them, and measure the verdicts
    Fleet(fleet::FleetArgs),
    /// Put the results of several shards together
    Merge(publish::MergeArgs),
    /// Check crate dependencies, file sizes, the README's architecture table and leftovers
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Reproduce(args) => reproduce::run(&args),
        Task::Fleet(args) => fleet::run(&args),
        Task::Merge(args) => publish::merge(&args),
        Task::Tidy => tidy::run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// A line on standard error.
#[expect(clippy::print_stderr, reason = "this is where status lines are printed")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// An error with its causes, in one line.
fn failure(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
