//! Dropout whose masks come from the caller's generator.
//!
//! The masks are drawn on the host, so they do not depend on the backend, on threads or on any
//! global state, and a forward pass without a generator cannot drop anything.
//! Reference: the published scanner searches with dropout switched on (defect D6.2).

use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Whether a forward pass drops activations.
#[derive(Debug)]
pub enum Mode<'a> {
    /// Every activation is kept.
    Evaluate,
    /// Activations are dropped at the configured rates, by this generator.
    Train(&'a mut ChaCha8Rng),
}

impl Mode<'_> {
    /// Whether anything is dropped at this rate.
    pub(crate) fn drops(&self, rate: f64) -> bool {
        matches!(self, Self::Train(_)) && rate > 0.0
    }
}

/// Zeroes values at `rate` and scales the rest by `1 / (1 - rate)`; the identity in evaluation.
pub(crate) fn dropout<const D: usize>(
    input: Tensor<D>,
    rate: f64,
    mode: &mut Mode<'_>,
) -> Tensor<D> {
    let Mode::Train(rng) = mode else { return input };
    if rate == 0.0 {
        return input;
    }
    let shape = input.dims();
    let n: usize = shape.iter().product();
    let mut bytes = vec![0u8; 2 * n];
    rng.fill_bytes(&mut bytes);
    let threshold = (rate * 65_536.0) as u32;
    let scale = (1.0 / (1.0 - rate)) as f32;
    let keep: Vec<f32> = bytes
        .chunks_exact(2)
        .map(|pair| {
            let draw = u32::from(u16::from_le_bytes([pair[0], pair[1]]));
            if draw < threshold { 0.0 } else { scale }
        })
        .collect();
    let keep = Tensor::<D>::from_data(TensorData::new(keep, shape), &input.device());
    input * keep
}
