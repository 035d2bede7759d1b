//! What a scan tells while it runs.

use elibadcode_evaluation::Rate;

use crate::expected::ExpectedForwards;
use crate::gcg::Iteration;

/// What is tried on its own before the first search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screened {
    /// The tokens of the trigger vocabulary.
    Tokens,
    /// The words of the queries, of which each round keeps half.
    Words,
}

/// What a scan tells while it runs.
#[derive(Clone, Copy, Debug)]
pub enum ScanEvent {
    /// The clean samples are put through the model, before anything else.
    Clean {
        /// How many functions (and queries) that are.
        n_functions: u64,
    },
    /// Accuracy on the clean samples, by label.
    CleanAccuracy([Rate; 2]),
    /// How well a model of code search ranks the clean samples.
    CleanRank {
        /// Over all of them, in `0..=1`.
        mean_reciprocal_rank: f64,
    },
    /// What is to come, before the first screening or search.
    Expected(ExpectedForwards),
    /// A search begins.
    Search {
        /// The label that is attacked.
        victim_label: u8,
        /// The label that is wanted.
        target_label: u8,
        /// Which search of the hypothesis, from 1; of those for longer triggers from 1 again.
        restart: usize,
        /// Tokens of its trigger.
        n_slots: usize,
        /// Iterations that it may take.
        iterations: usize,
        /// Tokens that it leaves out, because they are of a trigger that convinced.
        n_left_out: usize,
    },
    /// Something is tried on its own before the first search.
    Screening {
        /// What.
        screened: Screened,
        /// How many are tried.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// A joint search of a trigger and target words begins.
    JointSearch {
        /// Which search, from 1.
        restart: usize,
        /// Iterations that it may take.
        iterations: usize,
    },
    /// An iteration of it is done.
    Iteration(Iteration),
    /// The search is over and its trigger is being judged.
    Judging,
}
