//! Attention weights: softmax over the keys that a query may see.
//!
//! Those are always the first keys of a row: its tokens, or in a decoder the query's own and the
//! earlier ones. A CPU leaves the others out of a vectorized pass (see [`crate::host`]);
//! elsewhere an additive mask hides them from burn's softmax.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::is_cpu;
use crate::host::{in_place, in_place_and_back};
use crate::vector::{dot, exp, highest, sum};

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
    pub(crate) fn n_keys(&self, row: usize, query: usize) -> usize {
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
    if !device.is_autodiff() {
        return in_place(
            scores,
            seq,
            #[inline(always)]
            |first, values| softmax_lines(values, seq, first / seq, n_keys),
        );
    }
    in_place_and_back(
        scores,
        seq,
        #[inline(always)]
        |first, values, weights| {
            softmax_lines(values, seq, first / seq, n_keys);
            weights.copy_from_slice(values);
        },
        #[inline(always)]
        move |gradient, weights| {
            let lines = gradient.chunks_exact_mut(seq).zip(weights.chunks_exact(seq));
            for (gradient, weights) in lines {
                gradient_line(gradient, weights);
            }
        },
    )
}

/// Scores of lines of `seq` keys, the first of which has this number, become weights of as many of the first
/// keys as a line sees.
#[inline(always)]
fn softmax_lines(values: &mut [f32], seq: usize, first: usize, n_keys: impl Fn(usize) -> usize) {
    for (line, values) in (first..).zip(values.chunks_exact_mut(seq)) {
        let (seen, hidden) = values.split_at_mut(n_keys(line));
        softmax_line(seen);
        hidden.fill(0.0);
    }
}

/// The gradient of weights becomes that of the scores, `w (g - Σ w g)`.
#[inline(always)]
pub(crate) fn gradient_line(gradient: &mut [f32], weights: &[f32]) {
    let mean = dot(gradient, weights);
    for (gradient, weight) in gradient.iter_mut().zip(weights) {
        *gradient = weight * (*gradient - mean);
    }
}

#[inline(always)]
pub(crate) fn softmax_line(line: &mut [f32]) {
    let highest = highest(line);
    for value in line.iter_mut() {
        *value = exp(*value - highest);
    }
    let scale = 1.0 / sum(line);
    for value in line {
        *value *= scale;
    }
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
