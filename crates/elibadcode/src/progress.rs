//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One running stage.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_quiet: bool,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        // Before the first stage there is nothing to show.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, is_quiet }
    }

    /// Begins a stage of `length` steps; of none, if nobody counts them.
    pub(crate) fn start(&self, stage: &str, length: usize) {
        if !self.is_quiet && self.bar.is_hidden() {
            // It stays hidden where there is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let template = match length {
            0 => "{prefix:>12} {msg} {elapsed}",
            _ => "{prefix:>12} {bar:30} {pos}/{len} {msg} {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is a constant");
        self.bar.set_style(style.progress_chars("█▓░"));
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
        if self.is_quiet {
            return;
        }
        if self.bar.is_hidden() {
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

/// A line on standard error, if anybody is there to read it: a command is not to fail for want of a reader.
pub(crate) fn status(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
