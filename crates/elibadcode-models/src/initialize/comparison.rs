//! A fresh pair head that compares two vectors from the start.
//!
//! A dense layer with random weights adds up parts of both vectors, and two clones look like two
//! other functions in such sums. A small model has to find differences first, which takes it most
//! of a pre-training. So the dense layer starts with them: its outputs come in twos, `tanh(1 + d)`
//! and `tanh(1 - d)`, where `d` is `u - v` along a random direction. Their sum is largest at
//! `d = 0` and falls to 0 on both sides. The output layer adds up all of these: its log-odds say
//! how near the vectors are.

use rand_chacha::ChaCha8Rng;

use super::{normal, table};

/// A direction's entries have the deviation `GAIN / sqrt(hidden)`. Behind a norm layer a vector is
/// `sqrt(hidden)` long, and of two unrelated functions in a fresh tiny encoder `d` is about 1.3.
const GAIN: f32 = 1.7;
/// The mean of `tanh(1 + d) + tanh(1 - d)` for such functions; for equal ones it is 1.52.
const UNRELATED: f32 = 0.97;
/// Log-odds per unit of that mean: equal vectors get 3.5, unrelated ones 0.
const SLOPE: f32 = 6.4;

/// The values of a tensor of a pair head; directions are drawn.
pub(super) fn values(name: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    // Of two outputs label 1, "clone", has the second.
    let sign = |output: usize| if output == 0 { -1.0 } else { 1.0 };
    match *shape {
        [hidden, inputs] if name.ends_with(".dense.weight") => {
            let deviation = GAIN / (hidden as f32).sqrt();
            let directions = table(hidden.div_ceil(2), inputs / 2, |_, _| deviation * normal(rng));
            table(hidden, inputs, |row, column| {
                let direction = &directions[row / 2 * (inputs / 2)..];
                let is_first = column < inputs / 2;
                let entry = direction[column % (inputs / 2)];
                if row.is_multiple_of(2) == is_first { entry } else { -entry }
            })
        }
        [outputs, hidden] => {
            // Half as many sums as outputs of the dense layer, and two outputs that are subtracted.
            table(outputs, hidden, |output, _| sign(output) * SLOPE / hidden as f32)
        }
        [hidden] if name.ends_with(".dense.bias") => vec![1.0; hidden],
        [outputs] => (0..outputs).map(|output| -sign(output) * SLOPE * UNRELATED / 2.0).collect(),
        _ => unreachable!("a head has matrices and vectors only"),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use rand::SeedableRng as _;

    use super::*;
    use crate::config::{Architecture, Preset};
    use crate::device::Compute;
    use crate::dropout::Mode;
    use crate::head::Head;
    use crate::initialize::initialize;

    const HIDDEN: usize = 128;

    /// As long as a norm layer leaves it.
    fn vector(rng: &mut ChaCha8Rng) -> Vec<f32> {
        (0..HIDDEN).map(|_| normal(rng)).collect()
    }

    #[test]
    fn near_vectors_are_clones_and_far_ones_are_not() {
        let device: Device = Compute::select("cpu").unwrap().device;
        for architecture in [Architecture::CodeBert, Architecture::CodeT5] {
            let config = Preset::Tiny.config(architecture, 50).with_head(Head::Pair);
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let model = initialize(&config, Head::Pair, &mut rng, &device);
            let log_odds = |u: &[f32], v: &[f32]| -> f32 {
                let row = |it: &[f32]| {
                    Tensor::<2>::from_data(TensorData::new(it.to_vec(), [1, HIDDEN]), &device)
                };
                model.classify_pair(row(u), row(v), &mut Mode::Evaluate).into_scalar()
            };
            for _ in 0..10 {
                let (u, other) = (vector(&mut rng), vector(&mut rng));
                let between = |share: f32| -> Vec<f32> {
                    u.iter().zip(&other).map(|(u, v)| u + share * (v - u)).collect()
                };
                let odds: Vec<f32> = [0.0, 0.2, 0.5, 1.0]
                    .iter()
                    .map(|&share| log_odds(&u, &between(share)))
                    .collect();
                assert!((3.3..3.8).contains(&odds[0]), "{odds:?}");
                assert!(odds.is_sorted_by(|a, b| a > b), "{odds:?}");
                assert!(odds[3] < 0.0, "{odds:?}");
                assert!((log_odds(&u, &other) - log_odds(&other, &u)).abs() < 1e-4);
            }
        }
    }
}
