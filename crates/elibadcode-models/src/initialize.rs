//! Fresh weights from our own generator, so that they depend on nothing but the seed.
//!
//! A pre-trained encoder knows what a neighbouring token is. A small model trained from scratch on
//! a few thousand functions has to find that out first, and with transformers' own initial weights
//! (normal, deviation 0.02) it memorises the training set before it does. So the small presets
//! start with that knowledge: positions are sinusoids in dimensions of their own, and the heads of
//! the first layer attend to fixed offsets (the previous token, the next one, and so on), which
//! for sinusoids is a rotation. `T5` has a table of position biases, which says the same directly.
//! A pair head starts as a comparison.
//! Everything stays trainable and the architectures are those of `RoBERTa` and `T5`.

mod comparison;
mod t5;

use std::collections::BTreeMap;

use burn::tensor::Device;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::HostTensor;
use crate::config::{EncoderConfig, ModelConfig};
use crate::head::Head;
use crate::model::CodeModel;
use crate::parameters;
use crate::stored_head::is_head;

/// Deviation of the word embeddings, and root mean square of the position embeddings.
const EMBEDDING_SCALE: f32 = 0.2;
/// Gain of the offset heads' queries and keys; at 2 they attend almost to one token alone.
const OFFSET_GAIN: f32 = 2.0;
/// Wave lengths of the positions run from about 2 tokens to about 60.
const FASTEST_RATE: f64 = 2.8;
const SLOWEST_RATE: f64 = 0.1;

/// A model with fresh weights: dense layers normal with deviation `1 / sqrt(inputs)`, norms 1,
/// biases 0, the first layer attending to neighbours, and a pair head that compares.
pub fn initialize(
    config: &ModelConfig,
    head: Head,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> CodeModel {
    let model = CodeModel::uninitialized(config, head, device);
    let mut tensors: BTreeMap<String, HostTensor> =
        fresh(config, head, parameters::shapes(&model), rng).collect();
    let drawn = |name: &str| Ok(tensors.remove(name).expect("every parameter was drawn"));
    parameters::apply(model, drawn, device).expect("nothing is read")
}

/// Fresh values for parameters of these names and shapes, drawn in name order.
pub(crate) fn fresh(
    config: &ModelConfig,
    head: Head,
    shapes: BTreeMap<String, Vec<usize>>,
    rng: &mut ChaCha8Rng,
) -> impl Iterator<Item = (String, HostTensor)> {
    let width = config.hidden_size() / config.n_heads();
    // Dimensions that hold the position; words have the rest.
    let n_place = if 2 * width <= config.hidden_size() { width / 2 * 2 } else { 0 };
    shapes.into_iter().map(move |(name, shape)| {
        let values = if head == Head::Pair && is_head(&name) {
            comparison::values(&name, &shape, rng)
        } else {
            match &config.encoder {
                EncoderConfig::Roberta(_) => values(&name, &shape, width, n_place, rng),
                EncoderConfig::T5(config) => t5::values(config, &name, &shape, rng),
            }
        };
        (name, HostTensor { shape, values })
    })
}

fn values(
    name: &str,
    shape: &[usize],
    width: usize,
    n_place: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let n: usize = shape.iter().product();
    if name.ends_with("LayerNorm.weight") {
        return vec![1.0; n];
    }
    let [rows, columns] = shape[..] else { return vec![0.0; n] };
    if name.ends_with("token_type_embeddings.weight") {
        return vec![0.0; n];
    }
    let places = |column: usize| column < n_place;
    if name.ends_with("position_embeddings.weight") {
        return table(rows, columns, |row, column| {
            if places(column) { EMBEDDING_SCALE * wave(row as f64, column, n_place) } else { 0.0 }
        });
    }
    if name.ends_with("word_embeddings.weight") {
        return table(rows, columns, |_, column| {
            let value = EMBEDDING_SCALE * normal(rng);
            if places(column) { 0.0 } else { value }
        });
    }
    if n_place > 0 && name.contains("encoder.layer.0.attention.self.query.weight") {
        return table(rows, columns, |row, column| {
            if row % width == column && places(column) { OFFSET_GAIN } else { 0.0 }
        });
    }
    if n_place > 0 && name.contains("encoder.layer.0.attention.self.key.weight") {
        return table(rows, columns, |row, column| {
            OFFSET_GAIN * rotation(row % width, column, offset(row / width), n_place)
        });
    }
    let deviation = (columns as f32).powf(-0.5);
    table(rows, columns, |_, _| deviation * normal(rng))
}

fn table(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f32) -> Vec<f32> {
    (0..rows * columns).map(|index| value(index / columns, index % columns)).collect()
}

/// The offset that a head attends to: -1, 1, -2, 2, …
fn offset(head: usize) -> f64 {
    let distance = (head / 2 + 1) as f64;
    if head.is_multiple_of(2) { -distance } else { distance }
}

/// Angle per token of the pair of dimensions that `column` belongs to.
fn rate(column: usize, n_place: usize) -> f64 {
    let n_pairs = n_place / 2;
    let step = (SLOWEST_RATE / FASTEST_RATE).powf(1.0 / (n_pairs.max(2) - 1) as f64);
    FASTEST_RATE * step.powi((column / 2) as i32)
}

/// Sine in even dimensions, cosine in odd ones; root mean square 1.
fn wave(position: f64, column: usize, n_place: usize) -> f32 {
    let angle = position * rate(column, n_place);
    let value = if column.is_multiple_of(2) { angle.sin() } else { angle.cos() };
    (std::f64::consts::SQRT_2 * value) as f32
}

/// Entry of the matrix that turns the waves of position `p` into those of `p - offset`, so that
/// the query at `p` meets the key at `p + offset`.
fn rotation(row: usize, column: usize, offset: f64, n_place: usize) -> f32 {
    if row >= n_place || row / 2 != column / 2 {
        return 0.0;
    }
    let angle = offset * rate(column, n_place);
    // sin(a - d) = sin a cos d - cos a sin d; cos(a - d) = cos a cos d + sin a sin d
    let value = match (row % 2, column % 2) {
        (0, 1) => -angle.sin(),
        (1, 0) => angle.sin(),
        _ => angle.cos(),
    };
    value as f32
}

/// A standard normal value by the Box-Muller transform.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let angle = std::f64::consts::TAU * rng.random::<f64>();
    (radius * angle.cos()) as f32
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::config::{Architecture, Preset};
    use crate::device::Compute;

    #[test]
    fn a_mean_is_that_of_every_parameter() {
        let device = Compute::select("cpu").unwrap().device;
        let config = Preset::Tiny.config(Architecture::CodeBert, 50);
        let models: Vec<CodeModel> = (0..3)
            .map(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                initialize(&config, Head::Classification, &mut rng, &device)
            })
            .collect();
        let mean = parameters::collect(&CodeModel::mean(&models).unwrap());
        let all: Vec<_> = models.iter().map(parameters::collect).collect();
        assert!(mean.keys().eq(all[0].keys()));
        for (name, tensor) in &mean {
            assert_eq!(tensor.shape, all[0][name].shape, "{name}");
            for (index, value) in tensor.values.iter().enumerate() {
                let sum: f32 = all.iter().map(|it| it[name].values[index]).sum();
                assert!((value - sum / 3.0).abs() < 1e-6, "{name} {index}");
            }
        }
        let one = parameters::collect(&CodeModel::mean(&models[..1]).unwrap());
        assert_eq!(one, all[0]);
        assert!(CodeModel::mean(&[]).is_none());
    }

    #[test]
    fn a_head_meets_its_offset() {
        let n_place = 16;
        let waves = |position: usize| -> Vec<f32> {
            (0..n_place).map(|column| wave(position as f64, column, n_place)).collect()
        };
        for head in 0..4 {
            let query = waves(20);
            let score = |position: usize| -> f32 {
                let key = waves(position);
                (0..n_place)
                    .map(|row| {
                        let turned: f32 = (0..n_place)
                            .map(|column| {
                                rotation(row, column, offset(head), n_place) * key[column]
                            })
                            .sum();
                        query[row] * turned
                    })
                    .sum()
            };
            let best = (0..40).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap();
            assert_eq!(best as i64 - 20, offset(head) as i64);
        }
    }
}
