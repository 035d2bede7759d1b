//! The `elibadcode` command: the crates of this workspace behind one command line.
//!
//! Results go to standard output, everything else to standard error.

mod args;
mod commands;
mod context;
mod memory;
mod output;
mod paths;
mod progress;
mod row;
mod unlabelled;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use elibadcode_evaluation::escape_untrusted;

use crate::args::Cli;

/// burn allocates and frees every intermediate tensor; this allocator makes small models 15 to
/// 35 % faster than glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done, nothing found.
    Done = 0,
    /// A backdoor was found, or a gate failed.
    Found = 1,
    /// An error, or bad usage.
    Error = 2,
    /// The data do not allow a verdict.
    Inconclusive = 3,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}

fn main() -> ExitCode {
    memory::keep();
    let command = Cli::command();
    let matches = command.clone().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match paths::check(&command, &matches).and_then(|()| run(&cli)) {
        Ok(outcome) => outcome.into(),
        Err(error) if is_broken_pipe(&error) => Outcome::Done.into(),
        Err(error) => {
            // Paths, tokens and keys of hostile files end up in messages. A line of theirs must not look like one
            // of ours.
            for (number, line) in format!("error: {error:#}").lines().enumerate() {
                let indent = if number == 0 { "" } else { "  " };
                progress::status(&format!("{indent}{}", escape_untrusted(line.trim_start())));
            }
            Outcome::Error.into()
        }
    }
}

/// Runs the command: with a single thread, on the thread pool's own, which would otherwise be woken
/// for every operation while this one waits (a tenth of the time of small models).
fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    match rayon::current_num_threads() {
        1 => rayon::scope(|_| commands::run(cli)),
        _ => commands::run(cli),
    }
}

/// Whether the reader of our output went away, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
