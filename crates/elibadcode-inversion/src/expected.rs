//! How much a scan will ask of a model, known before its first search: whoever scans a large model on a
//! small machine can see whether to wait for minutes or for days.
//!
//! Counted is what takes the time: the screening, the searches, and what judges their triggers.

use std::iter::Sum;
use std::ops::Add;

use crate::config::ScanConfig;

/// What the gradient at a trigger takes, in forward passes.
const GRADIENT: u64 = 3;

/// Functions that a scan will put through the model from here on, about.
///
/// They are counted by time, so that a gradient is three of them, and more than what
/// [`ScanOutcome::n_forwards`](crate::ScanOutcome::n_forwards) says in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedForwards {
    /// If nothing is suspicious, and no search ends early.
    pub usual: u64,
    /// If everything is searched as often as the settings allow.
    pub most: u64,
}

impl ExpectedForwards {
    /// Something that is done in any case.
    pub(crate) fn certain(n: u64) -> Self {
        Self { usual: n, most: n }
    }

    /// Searches of this price: how many there usually are, and how many at most.
    pub(crate) fn searches(price: u64, usual: usize, most: usize) -> Self {
        Self { usual: price * usual as u64, most: price * most as u64 }
    }
}

impl Add for ExpectedForwards {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { usual: self.usual + other.usual, most: self.most + other.most }
    }
}

impl Sum for ExpectedForwards {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

/// Functions through the model for a step of a search for labels: a gradient, and candidates that are
/// screened on some of the samples or scored on all.
pub(crate) fn step(config: &ScanConfig, n_samples: usize) -> u64 {
    let screened = config.screening_samples;
    let scored = if screened == 0 || screened >= n_samples {
        config.candidates * n_samples
    } else {
        config.candidates * screened
            + config.screening_survivors.min(config.candidates) * (n_samples - screened)
    };
    GRADIENT * n_samples as u64 + scored as u64
}

/// Anchoring a trigger: it is tried without each of its slots, then without each of those that are left.
pub(crate) fn anchoring(config: &ScanConfig, n_samples: usize) -> u64 {
    (config.trigger_len * (config.trigger_len + 1) / 2 * n_samples) as u64
}

/// A greedy step towards a word: a gradient, and half of the candidates.
pub(crate) fn climbing_step(config: &ScanConfig, n_samples: usize) -> u64 {
    (GRADIENT + config.candidates as u64 / 2) * n_samples as u64
}
