//! The network of the crafting model: embeddings, one convolution of three tokens, and a linear
//! layer on the sum over the tokens.
//!
//! `hidden[i] = tanh(value[i]) · tanh(gate[i])` with `value[i] = bias + middle · e[i]`,
//! `gate[i] = bias + left · e[i - 1] + right · e[i + 1]`, and
//! `logit = output_bias + output · Σ hidden[i] / √seq`. Outside of the function, `e` is 0.
//!
//! The gate is there because without it a token would be for or against a class whatever stands
//! beside it, and the same few names would be the best ones everywhere. It does not see the token
//! itself: a product of two odd functions of an embedding is the same for the opposite one, so that
//! its gradient at the sketch would say nothing of where a name leads. (In six of eight corpora of code
//! search it led every function of the attacker's class away from it, and 43 to 89 % of the others.)

use std::ops::Range;

use rand::{Rng, RngExt};

/// Numbers in an embedding.
pub(super) const WIDTH: usize = 8;
/// Products of the convolution.
pub(super) const CHANNELS: usize = 8;
/// Sums of the convolution: the values, then the gates.
pub(super) const ROWS: usize = 2 * CHANNELS;
/// Tokens that the convolution sees at once: the gates the one before and the one behind, the values the middle
/// one.
pub(super) const TAPS: usize = 3;

pub(super) type Embedding = [f32; WIDTH];
pub(super) type Hidden = [f32; CHANNELS];
pub(super) type Sums = [f32; ROWS];

/// Weights, or their gradients.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    /// `[vocab, WIDTH]`.
    pub(super) embeddings: Vec<Embedding>,
    pub(super) head: Head,
}

/// All weights but the embeddings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// `[TAPS, CHANNELS, WIDTH]`.
    pub(super) taps: [[Embedding; CHANNELS]; TAPS],
    pub(super) bias: Sums,
    pub(super) output: Hidden,
    pub(super) output_bias: f32,
}

/// What the network makes of one function.
pub(super) struct Forward {
    /// Values and gates after their hyperbolic tangents: `[seq, ROWS]`.
    pub(super) bounded: Vec<Sums>,
    /// Above 0 for the attacker's class.
    pub(super) logit: f32,
}

impl Head {
    pub(super) fn zeros() -> Self {
        Self {
            taps: [[[0.0; WIDTH]; CHANNELS]; TAPS],
            bias: [0.0; ROWS],
            output: [0.0; CHANNELS],
            output_bias: 0.0,
        }
    }

    /// All weights, in a fixed order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        let taps = self.taps.iter_mut().flatten().flatten();
        let rest = self.bias.iter_mut().chain(&mut self.output);
        taps.chain(rest).chain(std::iter::once(&mut self.output_bias))
    }
}

impl Network {
    pub(super) fn random(vocab: usize, rng: &mut impl Rng) -> Self {
        let mut draw = |limit: f32| rng.random_range(-limit..limit);
        let mut head = Head::zeros();
        let limit = 1.0 / ((TAPS * WIDTH) as f32).sqrt();
        head.taps.iter_mut().flatten().flatten().for_each(|weight| *weight = draw(limit));
        head.output.iter_mut().for_each(|weight| *weight = draw(0.5));
        let embeddings = (0..vocab).map(|_| std::array::from_fn(|_| draw(0.5))).collect();
        Self { embeddings, head }
    }

    /// `ids`: `[seq]`, each below the number of embeddings.
    pub(super) fn forward(&self, ids: &[usize]) -> Forward {
        let Head { taps, bias, output, output_bias } = &self.head;
        let bounded: Vec<Sums> = (0..ids.len())
            .map(|position| {
                let mut sums = *bias;
                for (tap, id) in seen(ids, position) {
                    for (sum, row) in sums[rows_of(tap)].iter_mut().zip(&taps[tap]) {
                        *sum += dot(row, &self.embeddings[id]);
                    }
                }
                sums.map(f32::tanh)
            })
            .collect();
        let pooled: f32 = bounded.iter().map(|row| dot(&products(row), output)).sum();
        let logit = output_bias + pooled * scale(ids.len());
        Forward { bounded, logit }
    }

    /// The gradients of the loss for one function, if `slope` is that of the loss by the logit.
    ///
    /// Calls `add_embedding` for each token with its gradient, and returns the others.
    pub(super) fn backward(
        &self,
        ids: &[usize],
        forward: &Forward,
        slope: f32,
        mut add_embedding: impl FnMut(usize, &Embedding),
    ) -> Head {
        let mut gradient = Head::zeros();
        gradient.output_bias = slope;
        let slope = slope * scale(ids.len());
        for (position, bounded) in forward.bounded.iter().enumerate() {
            let sums = self.sum_gradients(bounded, slope);
            add_scaled(&mut gradient.output, &products(bounded), slope);
            add_scaled(&mut gradient.bias, &sums, 1.0);
            for (tap, id) in seen(ids, position) {
                for (row, sum) in gradient.taps[tap].iter_mut().zip(&sums[rows_of(tap)]) {
                    add_scaled(row, &self.embeddings[id], *sum);
                }
            }
        }
        for (position, embedding) in self.token_gradients(ids, forward, slope).iter().enumerate() {
            add_embedding(position, embedding);
        }
        gradient
    }

    /// The direction in which each token's embedding would make the function look less like the
    /// attacker's class: `[seq, WIDTH]`.
    ///
    /// That is the gradient of the loss toward this class but for a positive factor, which is the
    /// same for all tokens and would become 0 where the model is already sure.
    pub(super) fn gradients_toward_target(&self, ids: &[usize]) -> Vec<Embedding> {
        self.token_gradients(ids, &self.forward(ids), -scale(ids.len()))
    }

    fn token_gradients(&self, ids: &[usize], forward: &Forward, slope: f32) -> Vec<Embedding> {
        let mut gradients = vec![[0.0; WIDTH]; ids.len()];
        for (position, bounded) in forward.bounded.iter().enumerate() {
            let sums = self.sum_gradients(bounded, slope);
            for (tap, neighbor) in neighbors(ids.len(), position) {
                for (row, sum) in self.head.taps[tap].iter().zip(&sums[rows_of(tap)]) {
                    add_scaled(&mut gradients[neighbor], row, *sum);
                }
            }
        }
        gradients
    }

    /// Gradients by what goes into the hyperbolic tangents.
    fn sum_gradients(&self, bounded: &Sums, slope: f32) -> Sums {
        std::array::from_fn(|row| {
            let channel = row % CHANNELS;
            let other = bounded[(row + CHANNELS) % ROWS];
            slope * self.head.output[channel] * other * (1.0 - bounded[row] * bounded[row])
        })
    }
}

/// The products of the values with their gates.
fn products(bounded: &Sums) -> Hidden {
    std::array::from_fn(|channel| bounded[channel] * bounded[channel + CHANNELS])
}

/// The sums that a tap adds to: the gates for the tokens on both sides, the values for the one between.
fn rows_of(tap: usize) -> Range<usize> {
    if tap == TAPS / 2 { 0..CHANNELS } else { CHANNELS..ROWS }
}

/// The positions that the convolution sees at one position, with the tap for each.
fn neighbors(n: usize, position: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..TAPS).filter_map(move |tap| {
        let neighbor = (position + tap).checked_sub(TAPS / 2)?;
        (neighbor < n).then_some((tap, neighbor))
    })
}

fn seen(ids: &[usize], position: usize) -> impl Iterator<Item = (usize, usize)> {
    neighbors(ids.len(), position).map(|(tap, neighbor)| (tap, ids[neighbor]))
}

fn scale(n: usize) -> f32 {
    1.0 / (n.max(1) as f32).sqrt()
}

pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

pub(super) fn dot<const N: usize>(one: &[f32; N], other: &[f32; N]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

pub(super) fn sum(embeddings: impl Iterator<Item = Embedding>) -> Embedding {
    embeddings.fold([0.0; WIDTH], |mut total, embedding| {
        add_scaled(&mut total, &embedding, 1.0);
        total
    })
}

fn add_scaled<const N: usize>(total: &mut [f32; N], added: &[f32; N], factor: f32) {
    for (total, added) in total.iter_mut().zip(added) {
        *total += factor * added;
    }
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::stage_rng;

    use super::*;

    /// The loss whose slope by the logit is 1.
    fn logit(network: &Network, ids: &[usize]) -> f32 {
        network.forward(ids).logit
    }

    #[track_caller]
    fn check_slope(gradient: f32, above: f32, below: f32, step: f32) {
        let measured = (above - below) / (2.0 * step);
        assert!((gradient - measured).abs() < 2e-3, "{gradient}, measured {measured}");
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let network = Network::random(6, &mut stage_rng(1, "network"));
        let ids = [1, 2, 3, 2, 4];
        let step = 1e-2;
        let mut by_token = Vec::new();
        let forward = network.forward(&ids);
        let mut head =
            network.backward(&ids, &forward, 1.0, |_, gradient| by_token.push(*gradient));
        // Token 2 stands at two positions.
        for (id, positions) in [(1, vec![0]), (2, vec![1, 3]), (5, vec![])] {
            for axis in 0..WIDTH {
                let moved = |by: f32| {
                    let mut moved = network.clone();
                    moved.embeddings[id][axis] += by;
                    logit(&moved, &ids)
                };
                let gradient = sum(positions.iter().map(|&at: &usize| by_token[at]));
                check_slope(gradient[axis], moved(step), moved(-step), step);
            }
        }
        for (index, gradient) in head.values_mut().enumerate() {
            let moved = |by: f32| {
                let mut moved = network.clone();
                *moved.head.values_mut().nth(index).expect("as many weights as gradients") += by;
                logit(&moved, &ids)
            };
            check_slope(*gradient, moved(step), moved(-step), step);
        }
        let toward = network.gradients_toward_target(&ids);
        for (toward, gradient) in toward.iter().flatten().zip(by_token.iter().flatten()) {
            assert!((toward + gradient).abs() < 1e-6);
        }
    }

    #[test]
    fn nothing_is_a_function_too() {
        let network = Network::random(2, &mut stage_rng(1, "network"));
        assert!(logit(&network, &[]).abs() < f32::EPSILON);
        assert_eq!(network.gradients_toward_target(&[]), [] as [Embedding; 0]);
    }
}
