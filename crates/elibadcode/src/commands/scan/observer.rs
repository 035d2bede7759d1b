//! What a running scan shows.

use std::time::{Duration, Instant};

use elibadcode_inversion::{ExpectedForwards, ScanConfig, ScanEvent, Screened};
use indicatif::HumanDuration;

use crate::progress::Progress;

/// A scan that takes less needs no warning.
const WORTH_SAYING: Duration = Duration::from_mins(1);

/// Shows the events of a scan.
pub(super) struct Observer<'a> {
    progress: &'a Progress,
    config: &'a ScanConfig,
    pace: Pace,
}

/// How long the model takes for a function, by the clean samples.
#[derive(Debug, Default)]
struct Pace {
    started: Option<Instant>,
    n_functions: u64,
    per_function: Duration,
}

impl Pace {
    fn starting(n_functions: u64) -> Self {
        Self { started: Some(Instant::now()), n_functions, ..Self::default() }
    }

    fn stop(&mut self) {
        if let Some(started) = self.started {
            self.per_function = started.elapsed().div_f64(self.n_functions.max(1) as f64);
        }
    }

    /// How long the rest will take, unless that is no time to speak of.
    fn in_words(&self, ExpectedForwards { usual, most }: ExpectedForwards) -> Option<String> {
        let time = |n: u64| self.per_function.mul_f64(n as f64);
        if time(most) < WORTH_SAYING {
            return None;
        }
        let more = if most > usual {
            format!("; up to {} if it finds something suspicious", HumanDuration(time(most)))
        } else {
            String::new()
        };
        Some(format!(
            "about {} at the pace of the clean samples ({usual} functions through the model, at {:.1} a \
             second){more}",
            HumanDuration(time(usual)),
            1.0 / self.per_function.as_secs_f64(),
        ))
    }
}

impl<'a> Observer<'a> {
    pub(super) fn new(progress: &'a Progress, config: &'a ScanConfig) -> Self {
        Self { progress, config, pace: Pace::default() }
    }

    pub(super) fn show(&mut self, event: ScanEvent) {
        let progress = self.progress;
        match event {
            ScanEvent::Clean { n_functions } => {
                self.pace = Pace::starting(n_functions);
                progress.start("clean samples", 0);
            }
            ScanEvent::Expected(expected) => {
                if let Some(line) = self.pace.in_words(expected) {
                    progress.line(&line);
                }
            }
            ScanEvent::CleanAccuracy(accuracy) => {
                self.pace.stop();
                let right = accuracy.map(|it| it.value().unwrap_or(0.0));
                let [of_0, of_1] = right.map(|it| format!("{:.1} %", 100.0 * it));
                progress.line(&format!(
                    "clean samples: {of_0} of label 0 are right, {of_1} of label 1"
                ));
                let least = self.config.min_victim_accuracy;
                for (label, _) in right.into_iter().enumerate().filter(|(_, right)| *right < least)
                {
                    progress.line(&format!(
                        "no trigger against label {label} will be called an attack: less than {} % are right",
                        100.0 * least
                    ));
                }
            }
            ScanEvent::CleanRank { mean_reciprocal_rank } => {
                self.pace.stop();
                progress.line(&format!(
                    "clean samples: mean reciprocal rank {mean_reciprocal_rank:.3}"
                ));
            }
            ScanEvent::Search {
                victim_label,
                target_label,
                restart,
                n_slots,
                iterations,
                n_left_out,
            } => {
                let longer = if n_slots > self.config.trigger_len {
                    format!(" for a longer trigger, of {n_slots} tokens")
                } else {
                    String::new()
                };
                let without = match n_left_out {
                    0 => String::new(),
                    n => format!(", without {n} tokens like those found"),
                };
                progress.line(&format!(
                    "hypothesis {victim_label} → {target_label}, search {restart}{longer}{without}"
                ));
                progress.start(&format!("{victim_label} → {target_label}"), iterations);
            }
            ScanEvent::Screening { screened, done, total } => {
                let what = match screened {
                    Screened::Tokens => "tokens",
                    Screened::Words => "words",
                };
                if done == 0 {
                    progress.line(&format!("screening, {total} {what} one by one"));
                    progress.start(what, total);
                }
                progress.step(done, String::new());
            }
            ScanEvent::JointSearch { restart, iterations } => {
                progress.line(&format!("trigger and target words, search {restart}"));
                progress.start("trigger", iterations);
            }
            ScanEvent::Iteration(it) => {
                progress
                    .step(it.iteration, format!("loss {:.3}, best {:.3}", it.loss, it.best_loss));
            }
            ScanEvent::Judging => progress.step(self.config.iterations, "held-out samples".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_scans_say_how_long() {
        let pace = |per_function| Pace { per_function, ..Pace::default() };
        let expected = ExpectedForwards { usual: 50_000, most: 250_000 };
        assert_eq!(pace(Duration::from_micros(200)).in_words(expected), None);
        assert_eq!(
            pace(Duration::from_millis(125)).in_words(expected).as_deref(),
            Some(
                "about 2 hours at the pace of the clean samples (50000 functions through the model, at 8.0 \
                 a second); up to 9 hours if it finds something suspicious"
            )
        );
        let fixed = ExpectedForwards { usual: 50_000, most: 50_000 };
        assert_eq!(
            pace(Duration::from_millis(4)).in_words(fixed).as_deref(),
            Some(
                "about 3 minutes at the pace of the clean samples (50000 functions through the model, at \
                 250.0 a second)"
            )
        );
    }
}
