//! Where the searches of a hypothesis start: at random tokens, or at those that do most on their own.
//!
//! From random tokens the gradient has to lead to the planted ones, and often leads elsewhere. Most
//! planted tokens do something on their own, more than all but a few of the vocabulary. So every token
//! is tried alone, and a search starts at a trigger of the best of them.

use std::collections::BTreeSet;

use rand::{Rng, RngExt};

use crate::config::{ScanConfig, StartRule};
use crate::error::Error;
use crate::event::{ScanEvent, Screened};
use crate::gcg::ranked;
use crate::masking::TriggerIds;
use crate::objective::Objective;
use crate::space::TriggerSpace;

/// Tokens of each kind that starts are made of.
const N_TOKENS: usize = 16;
/// Starts that are drawn, of which a search takes the best.
const N_STARTS: usize = 16;
/// Tokens that are tried at a time.
const PART: usize = 1024;
/// Samples on which all tokens are tried.
const N_FIRST_SAMPLES: usize = 4;
/// Samples on which one in [`SHARE`] of them is tried, the best.
const N_SAMPLES: usize = 16;
const SHARE: usize = 8;

/// What the searches of a hypothesis start from.
#[derive(Debug)]
pub(crate) enum Starts {
    /// Random tokens.
    Random,
    /// Tokens that begin a name, and tokens that go on with one, the best first.
    Screened { first: Vec<u32>, rest: Vec<u32> },
}

impl Starts {
    /// Tries every token on its own, if the settings ask for it.
    pub(crate) fn new(
        objective: &Objective<'_>,
        space: &TriggerSpace<'_>,
        config: &ScanConfig,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Self {
        if config.start_rule == StartRule::Random {
            return Self::Random;
        }
        let mut losses = |tokens: &[TriggerIds], samples: &[usize]| {
            by_parts(tokens, observe, |part| objective.losses(part, samples))
        };
        let samples = spread(objective.samples().len(), N_SAMPLES);
        let (first, others) = samples.split_at(samples.len().min(N_FIRST_SAMPLES));
        let tokens = space.single_tokens();
        let losses_on_first = losses(&tokens, first);
        let n_kept = tokens.len().div_ceil(SHARE).max(2 * N_TOKENS);
        let kept = ranked(tokens, &losses_on_first).into_iter().take(n_kept);
        let (tokens, mut sums): (Vec<TriggerIds>, Vec<f64>) =
            kept.map(|(token, loss)| (token, loss * first.len() as f64)).unzip();
        for (sum, loss) in sums.iter_mut().zip(losses(&tokens, others)) {
            *sum += loss * others.len() as f64;
        }
        let tokens: Vec<TriggerIds> =
            ranked(tokens, &sums).into_iter().map(|(token, _)| token).collect();
        let best = |keeps_name: bool| {
            let own = tokens.iter().filter(|it| it.keeps_name == keeps_name);
            own.map(|it| it.ids[0]).take(N_TOKENS).collect()
        };
        Self::Screened { first: best(false), rest: best(true) }
    }

    /// The same without some tokens.
    pub(crate) fn without(&self, left_out: &BTreeSet<u32>) -> Self {
        let left = |ids: &[u32]| ids.iter().copied().filter(|id| !left_out.contains(id)).collect();
        match self {
            Self::Random => Self::Random,
            Self::Screened { first, rest } => {
                Self::Screened { first: left(first), rest: left(rest) }
            }
        }
    }

    /// A trigger to start from: random, or the best of some that are made of the screened tokens.
    pub(crate) fn draw(
        &self,
        objective: &Objective<'_>,
        space: &TriggerSpace<'_>,
        config: &ScanConfig,
        rng: &mut impl Rng,
    ) -> Result<TriggerIds, Error> {
        let random = space.random(config.trigger_len, false, rng)?;
        let Self::Screened { first, rest } = self else { return Ok(random) };
        let pick = |tokens: &[u32], fallback: u32, rng: &mut _| match tokens.len() {
            0 => fallback,
            n => tokens[RngExt::random_range(rng, 0..n)],
        };
        let mut starts = vec![random.clone()];
        for _ in 0..N_STARTS {
            let slots = random.ids.iter().enumerate();
            let ids = slots
                .map(|(slot, &id)| pick(if slot == 0 { first } else { rest }, id, rng))
                .collect();
            starts.push(TriggerIds::replacing(ids));
        }
        starts.retain(|start| space.is_legal(start));
        let losses = objective.losses(&starts, &spread(objective.samples().len(), N_SAMPLES));
        let best = losses.into_iter().zip(starts).min_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(best.map_or(random, |(_, start)| start))
    }
}

/// Functions through the model for a screening of so many tokens.
pub(crate) fn screening_forwards(config: &ScanConfig, n_tokens: usize, n_samples: usize) -> u64 {
    if config.start_rule == StartRule::Random {
        return 0;
    }
    let n_samples = n_samples.min(N_SAMPLES);
    let n_first = n_samples.min(N_FIRST_SAMPLES);
    (n_tokens * n_first + n_tokens.div_ceil(SHARE) * (n_samples - n_first)) as u64
}

/// What `try_out` gives for all tokens, some at a time: with a real vocabulary it takes long.
pub(crate) fn by_parts<T>(
    tokens: &[TriggerIds],
    observe: &mut dyn FnMut(ScanEvent),
    mut try_out: impl FnMut(&[TriggerIds]) -> Vec<T>,
) -> Vec<T> {
    let mut tried = Vec::with_capacity(tokens.len());
    for part in tokens.chunks(PART) {
        let (done, total) = (tried.len(), tokens.len());
        observe(ScanEvent::Screening { screened: Screened::Tokens, done, total });
        tried.extend(try_out(part));
    }
    tried
}

/// `n` of the indices below `total`, spread evenly.
fn spread(total: usize, n: usize) -> Vec<usize> {
    let n = n.min(total);
    (0..n).map(|index| index * total / n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_evenly() {
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
        assert_eq!(spread(3, 4), [0, 1, 2]);
        assert!(spread(0, 4).is_empty());
    }
}
