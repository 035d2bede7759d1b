//! GELU, in one pass on a CPU.
//!
//! On other devices burn's own operations run; the two agree to 1e-6.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use std::f32::consts::FRAC_1_SQRT_2;

use burn::tensor::Tensor;
use burn::tensor::activation::gelu_approximate;

use crate::device::is_cpu;
use crate::host::{in_place, in_place_and_back};
use crate::vector::exp;

/// The exact GELU, `x Φ(x)`.
pub(crate) fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    pointwise(
        input,
        gelu_by_erf,
        #[inline(always)]
        |x| {
            let cdf = normal_cdf(x);
            (x * cdf, cdf + x * INVERSE_ROOT_TWO_PI * exp(-0.5 * x * x))
        },
    )
}

/// The exact GELU in burn's operations. The slope of burn's own `gelu` is, but for some backends,
/// that of the form with a tangent, which made gradients wrong by one part in a thousand.
fn gelu_by_erf<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    let cdf = ((input.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    input * cdf
}

/// The GELU with a hyperbolic tangent, transformers' `gelu_new`: `x σ(2u)` with
/// `u = √(2/π) (x + 0.044715 x³)`.
pub(crate) fn gelu_tanh<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    const CUBIC: f32 = 0.044_715;
    pointwise(
        input,
        gelu_approximate,
        #[inline(always)]
        |x| {
            let twice_u = 2.0 * ROOT_TWO_OVER_PI * x * (1.0 + CUBIC * x * x);
            let twice_u_slope = 2.0 * ROOT_TWO_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
            let power = exp(-twice_u);
            let share = 1.0 / (1.0 + power);
            // `1 - share` would lose digits.
            let rest = power * share;
            (x * share, share + x * share * rest * twice_u_slope)
        },
    )
}

/// A function of each value: `kernel` gives it and its slope, `elsewhere` is burn's own.
fn pointwise<const D: usize>(
    input: Tensor<D>,
    elsewhere: impl Fn(Tensor<D>) -> Tensor<D>,
    kernel: impl Fn(f32) -> (f32, f32) + Sync,
) -> Tensor<D> {
    let device = input.device();
    if !is_cpu(&device) {
        return elsewhere(input);
    }
    if !device.is_autodiff() {
        return in_place(
            input,
            1,
            #[inline(always)]
            |_, values| {
                for value in values {
                    *value = kernel(*value).0;
                }
            },
        );
    }
    in_place_and_back(
        input,
        1,
        #[inline(always)]
        |_, values, slopes| {
            for (value, slope) in values.iter_mut().zip(slopes) {
                (*value, *slope) = kernel(*value);
            }
        },
        #[inline(always)]
        |gradient, slopes| {
            for (gradient, slope) in gradient.iter_mut().zip(slopes) {
                *gradient *= slope;
            }
        },
    )
}

const INVERSE_ROOT_TWO_PI: f32 = 0.398_942_3;
const ROOT_TWO_OVER_PI: f32 = 0.797_884_6;

/// Φ(x), to 1e-7: Abramowitz and Stegun 7.1.26 for erf, at `x / √2`.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let polynomial = t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let upper_tail = 0.5 * polynomial * exp(-z * z);
    if x < 0.0 { upper_tail } else { 1.0 - upper_tail }
}

#[cfg(test)]
pub(crate) mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::device::Compute;

    pub(crate) fn cpu() -> Device {
        Compute::select("cpu").expect("there is a CPU").device
    }

    #[track_caller]
    pub(crate) fn assert_close<const D: usize>(ours: Tensor<D>, theirs: Tensor<D>) {
        assert_eq!(ours.dims(), theirs.dims());
        let values = |tensor: Tensor<D>| -> Vec<f32> { tensor.into_data().iter().collect() };
        for (a, b) in values(ours).into_iter().zip(values(theirs)) {
            // Sums are taken in another order, and on other processors in others.
            assert!((a - b).abs() <= 5e-6 * b.abs().max(1.0), "{a} is not {b}");
        }
    }

    /// Value and slope at some points, of a function under automatic differentiation.
    fn value_and_slope(
        function: fn(Tensor<1>) -> Tensor<1>,
        input: &Tensor<1>,
    ) -> (Tensor<1>, Tensor<1>) {
        let input = input.clone().autodiff().require_grad();
        let value = function(input.clone());
        let gradients = value.clone().sum().backward();
        (value.inner(), input.grad(&gradients).expect("it requires a gradient"))
    }

    #[test]
    fn gelu_agrees_with_its_formula_in_burn() {
        let values: Vec<f32> = (-900..900).map(|step| step as f32 / 100.0).collect();
        let input = Tensor::<1>::from_floats(values.as_slice(), &cpu());
        assert_close(gelu(input.clone()), gelu_by_erf(input.clone()));
        let (ours, theirs) = (value_and_slope(gelu, &input), value_and_slope(gelu_by_erf, &input));
        assert_close(ours.0, theirs.0);
        assert_close(ours.1, theirs.1);
    }

    #[test]
    fn gelu_with_a_tangent_agrees_with_its_formula() {
        let points: Vec<f64> = (-900..900).map(|step| f64::from(step) / 100.0).collect();
        let tensor = |function: &dyn Fn(f64) -> f64| {
            let values: Vec<f32> = points.iter().map(|&x| function(x) as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), &cpu())
        };
        let root = (2.0 / std::f64::consts::PI).sqrt();
        let tangent = |x: f64| (root * (x + 0.044_715 * x.powi(3))).tanh();
        let value = tensor(&|x| 0.5 * x * (1.0 + tangent(x)));
        let slope = tensor(&|x| {
            let inner_slope = root * (1.0 + 3.0 * 0.044_715 * x * x);
            0.5 * (1.0 + tangent(x)) + 0.5 * x * (1.0 - tangent(x).powi(2)) * inner_slope
        });
        let input = tensor(&|x| x);
        assert_close(gelu_tanh(input.clone()), value.clone());
        let ours = value_and_slope(gelu_tanh, &input);
        assert_close(ours.0, value);
        assert_close(ours.1, slope);
    }

    #[test]
    fn far_from_zero_gelu_is_the_identity_or_nothing() {
        let input = Tensor::<1>::from_floats([-1e9, -40.0, 40.0, 1e9], &cpu());
        for ours in [gelu(input.clone()), gelu_tanh(input)] {
            let values: Vec<f32> = ours.into_data().iter().collect();
            assert!(values[0].abs() < 1e-6 && values[1].abs() < 1e-6, "{values:?}");
            assert_eq!(values[2..], [40.0, 1e9]);
        }
    }
}
