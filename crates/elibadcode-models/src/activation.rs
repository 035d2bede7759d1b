//! GELU and masked softmax on a CPU, as vectorized passes over host memory.
//!
//! burn computes `erf` and `exp` one value at a time, which was a third of a scan's and a quarter
//! of a training's time. A tensor of a CPU backend gives up its buffer and takes it back without a
//! copy, so these passes stand in for burn's there; on other devices burn's own operations run.
//! The two agree to 1e-6.
//!
//! Where gradients are asked for, an elementwise `f` becomes `x f'(p) + (f(p) - p f'(p))` with the
//! constant point `p = x`: the same value and the same derivative, in operations that burn knows.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use burn::tensor::activation::{gelu as burn_gelu, softmax};
use burn::tensor::{Tensor, TensorData};
use pulp::Arch;

use crate::batch::input_mask;
use crate::device::is_cpu;
use crate::parameters::host_values;

/// The exact GELU, `x Φ(x)`.
pub(crate) fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    let device = input.device();
    if !is_cpu(&device) {
        return burn_gelu(input);
    }
    if device.is_autodiff() {
        let values = host_values(input.clone().inner());
        return linear_at(input, values, |slopes, offsets| {
            for (slope, offset) in slopes.iter_mut().zip(offsets) {
                let x = *slope;
                let cdf = normal_cdf(x);
                *slope = cdf + x * INVERSE_ROOT_TWO_PI * exp(-0.5 * x * x);
                *offset = x * (cdf - *slope);
            }
        });
    }
    in_place(input, |values| {
        for value in values {
            *value *= normal_cdf(*value);
        }
    })
}

/// Softmax over the last axis of scores `[batch, heads, rows, seq]`, of which the first
/// `lengths[b]` positions count; the others get weight 0.
pub(crate) fn attention_weights(scores: Tensor<4>, lengths: &[usize]) -> Tensor<4> {
    let [_, heads, rows, seq] = scores.dims();
    let device = scores.device();
    if !is_cpu(&device) {
        let scores = match input_mask(lengths, seq, &device) {
            Some(mask) => scores + mask,
            None => scores,
        };
        return softmax(scores, 3);
    }
    let matrix = heads * rows * seq;
    if device.is_autodiff() {
        let values = host_values(scores.clone().inner());
        let powers = linear_at(scores, values, |slopes, offsets| {
            let parts = slopes.chunks_exact_mut(matrix).zip(offsets.chunks_exact_mut(matrix));
            for ((slopes, offsets), &length) in parts.zip(lengths) {
                let rows = slopes.chunks_exact_mut(seq).zip(offsets.chunks_exact_mut(seq));
                for (slopes, offsets) in rows {
                    exponential_row(slopes, offsets, length);
                }
            }
        });
        return powers.clone() / powers.sum_dim(3);
    }
    in_place(scores, |values| {
        for (part, &length) in values.chunks_exact_mut(matrix).zip(lengths) {
            for row in part.chunks_exact_mut(seq) {
                let (counted, masked) = row.split_at_mut(length);
                softmax_row(counted);
                masked.fill(0.0);
            }
        }
    })
}

/// The values of a tensor without gradients, changed by `kernel`.
fn in_place<const D: usize>(input: Tensor<D>, kernel: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let (device, shape) = (input.device(), input.dims());
    let mut data = input.into_data();
    if let Ok(values) = data.as_mut_slice::<f32>() {
        Arch::new().dispatch(
            #[inline(always)]
            || kernel(values),
        );
        return Tensor::from_data(data, &device);
    }
    let mut values: Vec<f32> = data.iter::<f32>().collect();
    Arch::new().dispatch(
        #[inline(always)]
        || kernel(&mut values),
    );
    Tensor::from_data(TensorData::new(values, shape), &device)
}

/// `input * slopes + offsets`; `kernel` gets the values of the input in `slopes` and puts both.
fn linear_at<const D: usize>(
    input: Tensor<D>,
    values: Vec<f32>,
    kernel: impl FnOnce(&mut [f32], &mut [f32]),
) -> Tensor<D> {
    let (device, shape) = (input.device(), input.dims());
    let mut slopes = values;
    let mut offsets = vec![0.0; slopes.len()];
    Arch::new().dispatch(
        #[inline(always)]
        || kernel(&mut slopes, &mut offsets),
    );
    let constant =
        |values: Vec<f32>| Tensor::<D>::from_data(TensorData::new(values, shape), &device);
    input * constant(slopes) + constant(offsets)
}

/// `e^(x - highest)` of the first `length` values, as slope and offset at `x`; 0 of the others.
#[inline(always)]
fn exponential_row(slopes: &mut [f32], offsets: &mut [f32], length: usize) {
    let (counted, masked) = slopes.split_at_mut(length);
    masked.fill(0.0);
    let highest = highest(counted);
    for (slope, offset) in counted.iter_mut().zip(offsets) {
        let x = *slope;
        *slope = exp(x - highest);
        *offset = *slope * (1.0 - x);
    }
}

#[inline(always)]
fn softmax_row(row: &mut [f32]) {
    let highest = highest(row);
    for value in row.iter_mut() {
        *value = exp(*value - highest);
    }
    let scale = 1.0 / fold_lanes(row, 0.0, |a, b| a + b);
    for value in row {
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

const INVERSE_ROOT_TWO_PI: f32 = 0.398_942_3;

/// Φ(x), to 1e-7: Abramowitz and Stegun 7.1.26 for erf, at `x / √2`.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial = t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let upper_tail = 0.5 * polynomial * exp(-z * z);
    if x < 0.0 { upper_tail } else { 1.0 - upper_tail }
}

/// `e^x` to a few units in the last place, without branches; tiny far below, finite far above.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a small float, it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // The logarithm of 2 in two parts, the first with few bits, so that `n * part` is exact.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (0.166_666_67
                    + r * (0.041_666_67 + r * (0.008_333_334 + r * 0.001_388_889)))));
    // 2^n, by its exponent bits.
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::device::Compute;

    fn cpu() -> Device {
        Compute::select("cpu").expect("there is a CPU").device
    }

    #[track_caller]
    fn assert_close<const D: usize>(ours: Tensor<D>, theirs: Tensor<D>) {
        let values = |tensor: Tensor<D>| -> Vec<f32> { tensor.into_data().iter().collect() };
        for (a, b) in values(ours).into_iter().zip(values(theirs)) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} is not {b}");
        }
    }

    #[test]
    fn the_exponential_is_exact_where_it_counts() {
        for step in -8_600..=8_700 {
            let x = step as f32 / 100.0;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3e-7, "{x}: {ours} is not {exact}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn gelu_agrees_with_burn() {
        let values: Vec<f32> = (-900..900).map(|step| step as f32 / 100.0).collect();
        let input = Tensor::<1>::from_floats(values.as_slice(), &cpu());
        assert_close(gelu(input.clone()), burn_gelu(input.clone()));
        let slope = |function: fn(Tensor<1>) -> Tensor<1>| {
            let input = input.clone().autodiff().require_grad();
            let value = function(input.clone());
            assert_close(value.clone().inner(), burn_gelu(input.clone().inner()));
            input.grad(&value.sum().backward()).expect("it requires a gradient")
        };
        assert_close(slope(gelu), slope(burn_gelu));
    }

    #[test]
    fn masked_softmax_agrees_with_burn_and_gives_pads_nothing() {
        let values: Vec<f32> = (0..2 * 3 * 4 * 5).map(|n| ((n * 37) % 23) as f32 - 9.0).collect();
        let scores = Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([2, 3, 4, 5]);
        let lengths = [5, 3];
        let mask = input_mask(&lengths, 5, &cpu()).expect("one row is padded");
        let reference = |scores: Tensor<4>| softmax(scores, 3);
        let ours = attention_weights(scores.clone(), &lengths);
        assert_close(ours.clone(), reference(scores.clone() + mask.clone()));
        let pads: f32 = ours.slice([1..2, 0..3, 0..4, 3..5]).sum().into_scalar();
        assert!(pads.abs() < f32::EPSILON);

        // The gradient of a weighted sum, as the weights alone always sum to 1.
        let factors = scores.clone().cos();
        let slope = |function: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let input = scores.clone().autodiff().require_grad();
            let sum = (function(input.clone()) * Tensor::from_inner(factors.clone())).sum();
            input.grad(&sum.backward()).expect("it requires a gradient")
        };
        let theirs = slope(&|scores| reference(scores + Tensor::from_inner(mask.clone())));
        assert_close(slope(&|scores| attention_weights(scores, &lengths)), theirs);
    }
}
