//! Attention weights: softmax over the keys that a query may see.
//!
//! Those are always the first keys of a row: its tokens, or in a decoder the query's own and the
//! earlier ones. A CPU leaves the others out of a vectorized pass (see [`crate::activation`]);
//! elsewhere an additive mask hides them from burn's softmax.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::activation::{constants_at, exp, in_place};
use crate::device::is_cpu;

/// What a masked attention score is lowered by; far below any real score, still finite.
const MASKED: f32 = -1e9;

/// The keys that the queries of a batch attend to.
#[derive(Clone, Debug)]
pub(crate) struct Visible {
    keys: Keys,
    /// What hides the other keys from burn's softmax, broadcast to `[batch, heads, queries, seq]`.
    mask: Option<Tensor<4>>,
}

#[derive(Clone, Debug)]
enum Keys {
    /// The tokens of each row.
    Tokens(Vec<usize>),
    /// Those up to the query itself.
    Earlier,
}

impl Visible {
    /// The tokens of right-padded rows of these lengths, for every query.
    pub(crate) fn tokens(lengths: &[usize], seq: usize, device: &Device) -> Self {
        let is_padded = lengths.iter().any(|&length| length < seq);
        let mask = (is_padded && !is_cpu(device)).then(|| {
            let mask: Vec<f32> =
                lengths.iter().flat_map(|&length| hidden_after(length, seq)).collect();
            Tensor::from_data(TensorData::new(mask, [lengths.len(), 1, 1, seq]), device)
        });
        Self { keys: Keys::Tokens(lengths.to_vec()), mask }
    }

    /// In every row, the keys that are not after the query.
    pub(crate) fn earlier(seq: usize, device: &Device) -> Self {
        let mask = (!is_cpu(device)).then(|| {
            let mask: Vec<f32> = (0..seq).flat_map(|query| hidden_after(query + 1, seq)).collect();
            Tensor::from_data(TensorData::new(mask, [1, 1, seq, seq]), device)
        });
        Self { keys: Keys::Earlier, mask }
    }

    /// How many of the first keys this query of this row sees.
    fn n_keys(&self, row: usize, query: usize) -> usize {
        match &self.keys {
            Keys::Tokens(lengths) => lengths[row],
            Keys::Earlier => query + 1,
        }
    }
}

/// A row of a mask that lets the first `length` keys through.
fn hidden_after(length: usize, seq: usize) -> impl Iterator<Item = f32> {
    (0..seq).map(move |key| if key < length { 0.0 } else { MASKED })
}

/// Softmax over the last axis of scores `[batch, heads, queries, seq]`, of which the visible keys
/// count; the others get weight 0.
pub(crate) fn attention_weights(scores: Tensor<4>, visible: &Visible) -> Tensor<4> {
    let [_, heads, queries, seq] = scores.dims();
    let device = scores.device();
    if !is_cpu(&device) {
        let scores = match &visible.mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        };
        return softmax(scores, 3);
    }
    let n_keys = |line: usize| visible.n_keys(line / (heads * queries), line % queries);
    if device.is_autodiff() {
        let (weights, offsets) = constants_at(&scores, |weights, offsets| {
            let lines = weights.chunks_exact_mut(seq).zip(offsets.chunks_exact_mut(seq));
            for (line, (weights, offsets)) in lines.enumerate() {
                weights_and_offsets(weights, offsets, n_keys(line));
            }
        });
        let means = (scores.clone() * weights.clone()).sum_dim(3);
        return (scores - means) * weights + offsets;
    }
    in_place(scores, |values| {
        for (line, values) in values.chunks_exact_mut(seq).enumerate() {
            let (seen, hidden) = values.split_at_mut(n_keys(line));
            softmax_line(seen);
            hidden.fill(0.0);
        }
    })
}

/// Scores become weights `w`, and offsets what `w (x - mean)` lacks to `w`, where the mean is that
/// of the scores under the weights.
///
/// With `w` held constant, `w (x - Σ w x)` has the slopes of the softmax at this point: the graph
/// keeps one tensor of weights instead of powers and sums.
#[inline(always)]
fn weights_and_offsets(scores: &mut [f32], offsets: &mut [f32], n_keys: usize) {
    let (seen, hidden) = scores.split_at_mut(n_keys);
    hidden.fill(0.0);
    let offsets = &mut offsets[..n_keys];
    offsets.copy_from_slice(seen);
    softmax_line(seen);
    for (offset, weight) in offsets.iter_mut().zip(seen.iter()) {
        *offset *= weight;
    }
    let mean = fold_lanes(offsets, 0.0, |a, b| a + b);
    for (offset, weight) in offsets.iter_mut().zip(seen) {
        *offset = *weight * (1.0 + mean) - *offset;
    }
}

#[inline(always)]
fn softmax_line(line: &mut [f32]) {
    let highest = highest(line);
    for value in line.iter_mut() {
        *value = exp(*value - highest);
    }
    let scale = 1.0 / fold_lanes(line, 0.0, |a, b| a + b);
    for value in line {
        *value *= scale;
    }
}

#[inline(always)]
fn highest(values: &[f32]) -> f32 {
    fold_lanes(values, f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// A fold in a fixed number of lanes: the compiler may not reorder float operations by itself.
#[inline(always)]
fn fold_lanes(values: &[f32], start: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; 16];
    let mut chunks = values.chunks_exact(lanes.len());
    for chunk in &mut chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = combine(*lane, value);
        }
    }
    let rest = chunks.remainder().iter().copied();
    lanes.into_iter().chain(rest).fold(start, combine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::tests::{assert_close, cpu};

    /// Scores `[2, 3, 5, 5]`.
    fn scores() -> Tensor<4> {
        let values: Vec<f32> = (0..2 * 3 * 5 * 5).map(|n| ((n * 37) % 23) as f32 - 9.0).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([2, 3, 5, 5])
    }

    /// Weights and gradients are those of burn's softmax under this mask.
    #[track_caller]
    fn check(visible: &Visible, mask: Vec<f32>, shape: [usize; 4]) {
        let mask = Tensor::<4>::from_data(TensorData::new(mask, shape), &cpu());
        let ours = attention_weights(scores(), visible);
        assert_close(ours.clone(), softmax(scores() + mask.clone(), 3));
        let is_hidden = mask.clone().equal_elem(MASKED).expand([2, 3, 5, 5]);
        let hidden = ours.mask_fill(is_hidden.bool_not(), 0.0);
        assert_eq!(hidden.sum().into_scalar::<f32>().to_bits(), 0, "hidden keys get nothing");

        // The gradient of a weighted sum, as the weights alone always sum to 1.
        let slope = |function: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let input = scores().autodiff().require_grad();
            let factors = Tensor::from_inner(scores().cos());
            let weights = function(input.clone());
            let gradients = (weights.clone() * factors).sum().backward();
            (weights.inner(), input.grad(&gradients).expect("it requires a gradient"))
        };
        let theirs = slope(&|it| softmax(it + Tensor::from_inner(mask.clone()), 3));
        let ours = slope(&|it| attention_weights(it, visible));
        assert_close(ours.0, theirs.0);
        assert_close(ours.1, theirs.1);
    }

    #[test]
    fn pads_are_hidden() {
        let mask = [[0.0; 5], [0.0, 0.0, 0.0, MASKED, MASKED]];
        check(&Visible::tokens(&[5, 3], 5, &cpu()), mask.concat(), [2, 1, 1, 5]);
        check(&Visible::tokens(&[5, 5], 5, &cpu()), vec![0.0; 10], [2, 1, 1, 5]);
    }

    #[test]
    fn later_keys_are_hidden() {
        let key_is_later = |index: usize| index % 5 > index / 5;
        let mask = (0..25).map(|it| if key_is_later(it) { MASKED } else { 0.0 }).collect();
        check(&Visible::earlier(5, &cpu()), mask, [1, 1, 5, 5]);
    }
}
