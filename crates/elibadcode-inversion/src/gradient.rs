//! Gradients at the slots of rows (Algorithm 1, line 5), batch by batch.
//!
//! `∂L/∂one-hot = ∂L/∂e · Eᵀ`, so the gradient at the embeddings is all that a search needs.

use burn::tensor::Tensor;
use elibadcode_models::{CodeModel, length_batches, side_by_side};

use crate::masking::Stamped;

/// Rows of one gradient pass.
const GRADIENT_BATCH: usize = 16;

/// The gradient of a loss at the slots of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotGradient {
    /// `[slots][hidden]`: the gradient with respect to the embedding of each slot, summed over
    /// all places of the slot.
    pub values: Vec<Vec<f32>>,
    /// The loss there.
    pub loss: f64,
}

/// Gets word embeddings `[batch, seq, hidden]`, the lengths of the rows and their indices, and gives
/// what these rows contribute to a loss, `[1]`.
pub(crate) type BatchLoss<'a> = dyn Fn(Tensor<3>, &[usize], &[usize]) -> Tensor<1> + Sync + 'a;

/// The gradient of a sum of batch losses. `frozen` must let gradients through.
pub(crate) fn slot_gradient(
    frozen: &CodeModel,
    rows: &[Stamped],
    loss: &BatchLoss<'_>,
) -> SlotGradient {
    let n_slots = rows.first().map_or(0, |row| row.slots.len());
    let lengths: Vec<usize> = rows.iter().map(|row| row.ids.len()).collect();
    let batches = length_batches(&lengths, GRADIENT_BATCH);
    let run = |batch: &Vec<usize>| -> (Vec<Vec<f64>>, f64) {
        let ids: Vec<&[u32]> = batch.iter().map(|&index| rows[index].ids.as_slice()).collect();
        let lengths: Vec<usize> = ids.iter().map(|row| row.len()).collect();
        let words: Tensor<3> = frozen.embed(&ids).detach().require_grad();
        let [_, seq, hidden] = words.dims();
        let part = loss(words.clone(), &lengths, batch);
        let value = f64::from(part.clone().into_scalar::<f32>());
        let gradient = words.grad(&part.backward()).expect("the words require a gradient");
        let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        let mut sums = vec![vec![0.0; hidden]; n_slots];
        for (row, &index) in batch.iter().enumerate() {
            for (sum, places) in sums.iter_mut().zip(&rows[index].slots) {
                for place in places {
                    let start = (row * seq + place) * hidden;
                    for (sum, value) in sum.iter_mut().zip(&gradient[start..start + hidden]) {
                        *sum += f64::from(*value);
                    }
                }
            }
        }
        (sums, value)
    };
    let parts = side_by_side(&frozen.device(), &batches, run);
    let hidden = parts.first().and_then(|(sums, _)| sums.first()).map_or(0, Vec::len);
    let mut total = vec![vec![0.0; hidden]; n_slots];
    let mut loss = 0.0;
    for (sums, part) in parts {
        loss += part;
        for (total, sum) in total.iter_mut().flatten().zip(sums.iter().flatten()) {
            *total += sum;
        }
    }
    let narrow = |row: Vec<f64>| row.into_iter().map(|value| value as f32).collect();
    SlotGradient { values: total.into_iter().map(narrow).collect(), loss }
}
