//! Metrics, statistics and the files that publish them; no tensors.
//!
//! This crate is the last step of the pipeline: plain slices of labels, scores and tokens come in,
//! numbers, records and tables come out. It reads no file, no clock and no random numbers;
//! what the protocols draw follows from a seed.
//!
//! ```
//! use elibadcode_evaluation::attack_success;
//!
//! let labels = [1, 1, 0]; // the attacker wants 1 to become 0
//! let success = attack_success(&[1, 1, 0], &[0, 1, 0], &labels, 0);
//! assert_eq!(success.asr.value(), Some(0.5));
//! assert_eq!(success.flip_rate.value(), Some(0.0));
//! ```

pub mod attack;
pub mod classification;
mod error;
pub mod ranking;
pub mod ranking_attack;
mod rate;
pub mod records;
pub mod report;
pub mod similarity;
pub mod statistics;

pub use attack::{AttackSuccess, attack_success};
pub use classification::{Confusion, accuracy, f1};
pub use error::Error;
pub use ranking::{inner_product, mean_reciprocal_rank, rank, recall_at, reciprocal_ranks};
pub use ranking_attack::{AnrProtocol, AttackAmongOthers, AttackedQuery, RankLift, rank_lift};
pub use rate::Rate;
pub use records::{Calibrations, Metrics, Results, RunRecord};
pub use report::{PaperCell, escape_untrusted, markdown_table, results_markdown};
pub use similarity::{bleu, levenshtein};
pub use statistics::Interval;

#[cfg(test)]
fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{actual} is not within {tolerance} of {expected}"
    );
}
