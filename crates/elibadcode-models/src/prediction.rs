//! Answers for many inputs at once, and the loss that goes with them.

use std::collections::HashMap;

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor, TensorData};

use crate::batch::length_batches;
use crate::dropout::Mode;
use crate::model::CodeModel;
use crate::parameters::host_values;
use crate::workers::side_by_side;

/// Rows a forward pass takes at most.
const BATCH: usize = 32;
/// Pairs that the head takes at most.
const PAIR_BATCH: usize = 1024;

impl CodeModel {
    /// Log-odds of label 1 for each input, in order; inputs are batched by length.
    pub fn log_odds<R: AsRef<[u32]> + Sync>(&self, inputs: &[R]) -> Vec<f32> {
        self.answers(inputs, |rows| host_values(self.forward_ids(rows, &mut Mode::Evaluate)))
    }

    /// The vector of each input, in order; inputs are batched by length.
    pub fn vectors<R: AsRef<[u32]> + Sync>(&self, inputs: &[R]) -> Vec<Vec<f32>> {
        self.answers(inputs, |rows| {
            let vectors = self.forward_vectors(rows, &mut Mode::Evaluate);
            let [_, hidden] = vectors.dims();
            host_values(vectors).chunks(hidden).map(<[f32]>::to_vec).collect()
        })
    }

    /// Log-odds that the pairs are clones, from the vectors of their members.
    pub fn pair_log_odds(&self, first: &[&[f32]], second: &[&[f32]]) -> Vec<f32> {
        assert_eq!(first.len(), second.len(), "a pair has two members");
        let tensor = |vectors: &[&[f32]]| given_vectors(vectors, &self.device());
        first
            .chunks(PAIR_BATCH)
            .zip(second.chunks(PAIR_BATCH))
            .flat_map(|(first, second)| {
                let mode = &mut Mode::Evaluate;
                host_values(self.classify_pair(tensor(first), tensor(second), mode))
            })
            .collect()
    }

    /// What `forward` says about each input, in order; equal inputs are computed once, and batches of
    /// similar length run side by side.
    fn answers<R: AsRef<[u32]> + Sync, A: Clone + Default + Send>(
        &self,
        inputs: &[R],
        forward: impl Fn(&[&[u32]]) -> Vec<A> + Sync,
    ) -> Vec<A> {
        let (places, rows) = distinct(inputs);
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let batches = length_batches(&lengths, BATCH);
        let by_batch = side_by_side(&self.device(), &batches, |batch| {
            let rows: Vec<&[u32]> = batch.iter().map(|&index| rows[index]).collect();
            forward(&rows)
        });
        let mut answers = vec![A::default(); rows.len()];
        for (batch, values) in batches.iter().zip(by_batch) {
            for (&index, value) in batch.iter().zip(values) {
                answers[index] = value;
            }
        }
        if rows.len() == inputs.len() {
            return answers;
        }
        places.into_iter().map(|place| answers[place].clone()).collect()
    }
}

/// The number of each input among the distinct ones, and these, in the order of their first occurrence.
fn distinct<R: AsRef<[u32]>>(inputs: &[R]) -> (Vec<usize>, Vec<&[u32]>) {
    let (mut numbers, mut rows) = (HashMap::new(), Vec::new());
    let places = inputs.iter().map(AsRef::as_ref).map(|row| {
        *numbers.entry(row).or_insert_with(|| {
            rows.push(row);
            rows.len() - 1
        })
    });
    (places.collect(), rows)
}

/// Vectors that somebody else computed, `[batch, hidden]`.
pub(crate) fn given_vectors(vectors: &[&[f32]], device: &Device) -> Tensor<2> {
    let shape = [vectors.len(), vectors[0].len()];
    Tensor::from_data(TensorData::new(vectors.concat(), shape), device)
}

/// Mean binary cross entropy of log-odds `[batch]` against labels.
///
/// Reference: `-ln(p + 1e-10)`; the logits form is the same function without its flat ends.
pub fn bce_with_logits(log_odds: Tensor<1>, labels: &[u8]) -> Tensor<1> {
    let signs: Vec<f32> = labels.iter().map(|&label| if label == 1 { -1.0 } else { 1.0 }).collect();
    let signs = Tensor::<1>::from_floats(signs.as_slice(), &log_odds.device());
    softplus(log_odds * signs, 1.0).mean()
}

/// Cross entropy of one answer toward a label, in nats.
pub fn cross_entropy(log_odds: f32, label: u8) -> f64 {
    let z = f64::from(log_odds);
    let x = if label == 1 { -z } else { z };
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The label on whose side the log-odds are; 0 on the line, as the reference's `p > 0.5`.
pub fn predicted_label(log_odds: f32) -> u8 {
    u8::from(log_odds > 0.0)
}
