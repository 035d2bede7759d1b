//! Fresh weights of a T5.

use rand_chacha::ChaCha8Rng;

use super::{normal, offset, table};
use crate::config::T5Config;
use crate::t5::position::bucket;

/// Deviation of the shared embedding.
const EMBEDDING_SCALE: f32 = 1.0;
/// What a head's favourite offset is ahead of the others; above the spread of fresh scores, so
/// that the head attends mostly there.
const OFFSET_BIAS: f32 = 6.0;

/// Dense layers normal with deviation `1 / sqrt(inputs)`, queries smaller by the missing scale of
/// the scores, norms 1, and each head with a bias toward one offset.
pub(super) fn values(
    config: &T5Config,
    name: &str,
    shape: &[usize],
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let n: usize = shape.iter().product();
    let [rows, columns] = shape[..] else {
        let is_norm = name.ends_with("layer_norm.weight");
        return vec![if is_norm { 1.0 } else { 0.0 }; n];
    };
    if name.ends_with("relative_attention_bias.weight") {
        let is_encoder = name.contains("encoder.block");
        let n_buckets = config.relative_attention_num_buckets;
        let favourite = |head: usize| {
            let offset = if is_encoder { offset(head) as i64 } else { -(head as i64) };
            bucket(offset, is_encoder, n_buckets, config.relative_attention_max_distance)
        };
        return table(
            rows,
            columns,
            |bucket, head| {
                if bucket == favourite(head) { OFFSET_BIAS } else { 0.0 }
            },
        );
    }
    let deviation = if name.ends_with("shared.weight") {
        EMBEDDING_SCALE
    } else if name.ends_with(".q.weight") {
        ((columns * config.d_kv) as f32).powf(-0.5)
    } else {
        (columns as f32).powf(-0.5)
    };
    table(rows, columns, |_, _| deviation * normal(rng))
}
