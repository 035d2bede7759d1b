//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One running stage.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Lines are printed when there is no terminal to draw on.
    prints_lines: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() },
        );
        let style =
            ProgressStyle::with_template("{prefix:>12} {bar:30} {pos}/{len} {msg} {elapsed}")
                .expect("the template is a constant")
                .progress_chars("█▓░");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, prints_lines: !is_terminal && !quiet }
    }

    /// Begins a stage of `length` steps.
    pub(crate) fn start(&self, stage: &str, length: usize) {
        self.bar.reset();
        self.bar.set_length(length as u64);
        self.bar.set_prefix(stage.to_owned());
        self.bar.set_message("");
    }

    /// Reports a step of the current stage.
    pub(crate) fn step(&self, position: usize, message: String) {
        self.bar.set_position(position as u64);
        self.bar.set_message(message);
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        if self.prints_lines {
            status(text);
        } else {
            self.bar.println(text);
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A line on standard error.
#[expect(clippy::print_stderr, reason = "this is where status lines are printed")]
pub(crate) fn status(text: &str) {
    eprintln!("{text}");
}
