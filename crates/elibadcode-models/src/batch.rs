//! Rows of token ids as padded tensors, and which rows to put together.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Right-pads rows to the longest: `[batch, seq]` ids.
pub(crate) fn padded_ids(rows: &[&[u32]], pad: u32, device: &Device) -> Tensor<2, Int> {
    let seq = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let mut ids = Vec::with_capacity(rows.len() * seq);
    for row in rows {
        ids.extend(row.iter().map(|&id| id as i32));
        ids.extend(std::iter::repeat_n(pad as i32, seq - row.len()));
    }
    Tensor::from_data(TensorData::new(ids, [rows.len(), seq]), device)
}

/// Groups row indices by similar length, at most `batch_size` a group: less padding, same answers.
///
/// Groups come longest first, so that threads that share them finish together.
pub fn length_batches(lengths: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(lengths[index]), index));
    order.chunks(batch_size.max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_row_once_and_similar_lengths_together() {
        let lengths = [5, 100, 7, 99, 6];
        let batches = length_batches(&lengths, 2);
        assert_eq!(batches, [vec![1, 3], vec![2, 4], vec![0]]);
        assert!(length_batches(&[], 2).is_empty());
    }
}
