//! Relative positions: which row of the table a distance reads, and the bias that results.

use burn::tensor::{Tensor, TensorData};

/// The row of the table for a key at `offset` tokens from the query.
///
/// Near distances have a bucket each, far ones share it in logarithmic steps. A bidirectional
/// table has one half for keys before the query and one for those behind it; a causal one has
/// keys before it only.
pub(crate) fn bucket(
    offset: i64,
    is_bidirectional: bool,
    n_buckets: usize,
    max_distance: usize,
) -> usize {
    let (side, n_buckets, distance) = if is_bidirectional {
        let half = n_buckets / 2;
        (if offset > 0 { half } else { 0 }, half, offset.unsigned_abs() as usize)
    } else {
        (0, n_buckets, (-offset).max(0) as usize)
    };
    let n_exact = n_buckets / 2;
    if distance < n_exact {
        return side + distance;
    }
    // In f32 and in this order, as PyTorch computes it: the steps must fall on the same distances.
    let ratio = (distance as f32 / n_exact as f32).ln();
    let full = (max_distance as f64 / n_exact as f64).ln() as f32;
    let far = n_exact + (ratio / full * (n_buckets - n_exact) as f32) as usize;
    side + far.min(n_buckets - 1)
}

/// The biases of all pairs of positions, `[1, heads, seq, seq]`, from a table `[buckets, heads]`.
pub(super) fn position_bias(
    table: Tensor<2>,
    seq: usize,
    is_bidirectional: bool,
    n_buckets: usize,
    max_distance: usize,
) -> Tensor<4> {
    let [_, heads] = table.dims();
    let by_offset: Vec<i32> = (1 - seq as i64..seq as i64)
        .map(|offset| bucket(offset, is_bidirectional, n_buckets, max_distance) as i32)
        .collect();
    let mut rows = Vec::with_capacity(seq * seq);
    for query in 0..seq {
        // Offsets -query to seq - 1 - query.
        rows.extend_from_slice(&by_offset[seq - 1 - query..2 * seq - 1 - query]);
    }
    let rows = Tensor::from_data(TensorData::new(rows, [seq * seq]), &table.device());
    let biases = table.transpose().select(1, rows); // [heads, seq * seq]
    biases.reshape([1, heads, seq, seq])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_fall_into_t5_s_buckets() {
        // From transformers' `_relative_position_bucket` with 32 buckets to 128.
        let bidirectional = [(0, 0), (-1, 1), (-7, 7), (-8, 8), (-12, 9), (-200, 15), (1, 17)];
        for (offset, expected) in bidirectional {
            assert_eq!(bucket(offset, true, 32, 128), expected, "{offset}");
        }
        let causal = [(5, 0), (0, 0), (-15, 15), (-16, 16), (-20, 17), (-127, 31), (-128, 31)];
        for (offset, expected) in causal {
            assert_eq!(bucket(offset, false, 32, 128), expected, "{offset}");
        }
    }
}
