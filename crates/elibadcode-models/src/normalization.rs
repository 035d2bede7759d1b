//! Layer norm and T5's norm, in one pass on a CPU where gradients are asked for.
//!
//! Elsewhere burn's own operations run.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::is_cpu;
use crate::host::{differentiable, floats, read_floats};
use crate::vector::{dot, sum, vectorized};

/// `(x - mean) / deviation * gamma + beta` over the last axis.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(width: usize, epsilon: f64, device: &Device) -> Self {
        let norm = burn::nn::LayerNormConfig::new(width).init(device);
        let beta = norm.beta.expect("there is one by default");
        Self { gamma: norm.gamma, beta, epsilon }
    }

    /// `input`: `[…, width]`, and so is the result.
    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (gamma, beta, device) = (self.gamma.val(), self.beta.val(), input.device());
        if !(device.is_autodiff() && is_cpu(&device)) {
            return layer_norm(input, gamma, Some(beta), self.epsilon);
        }
        let inputs = [input.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch()];
        let epsilon = self.epsilon as f32;
        differentiable(&device, inputs, |[mut input, mut gamma, mut beta]| {
            let shape = input.shape().clone();
            let (gamma, beta) = (floats(&mut gamma).to_vec(), floats(&mut beta).to_vec());
            // The input makes room for what the way back needs of it.
            let normed = floats(&mut input);
            let mut output = vec![0.0; normed.len()];
            let scales = vectorized(
                #[inline(always)]
                || {
                    let lines = normed.chunks_exact_mut(gamma.len());
                    let outputs = output.chunks_exact_mut(gamma.len());
                    let each = |(normed, output): (&mut [f32], &mut [f32])| {
                        let scale = normalize(normed, epsilon);
                        scale_and_shift(normed, &gamma, &beta, output);
                        scale
                    };
                    lines.zip(outputs).map(each).collect::<Vec<f32>>()
                },
            );
            let back = move |gradient: TensorData, is_asked_for: [bool; 3]| {
                gradients(gradient, is_asked_for, read_floats(&input), &scales, &gamma)
            };
            (TensorData::new(output, shape), Arc::new(back))
        })
    }
}

/// The values of a line lose their mean and get variance 1; gives what they were multiplied by.
#[inline(always)]
fn normalize(line: &mut [f32], epsilon: f32) -> f32 {
    let n = line.len() as f32;
    let mean = sum(line) / n;
    for value in line.iter_mut() {
        *value -= mean;
    }
    let scale = 1.0 / (dot(line, line) / n + epsilon).sqrt();
    for value in line {
        *value *= scale;
    }
    scale
}

#[inline(always)]
fn scale_and_shift(normed: &[f32], gamma: &[f32], beta: &[f32], output: &mut [f32]) {
    let parameters = gamma.iter().zip(beta);
    for (output, (normed, (gamma, beta))) in output.iter_mut().zip(normed.iter().zip(parameters)) {
        *output = normed * gamma + beta;
    }
}

/// Gradients of input, gamma and beta from that of the output: with `g = gradient * gamma` and the normed
/// input `n`, that of the input is `scale (g - mean(g) - n mean(g n))`.
fn gradients(
    mut gradient: TensorData,
    [of_input, of_gamma, of_beta]: [bool; 3],
    normed: &[f32],
    scales: &[f32],
    gamma: &[f32],
) -> [Option<TensorData>; 3] {
    let width = gamma.len();
    let (mut gammas, mut betas) = (vec![0.0; width], vec![0.0; width]);
    vectorized(
        #[inline(always)]
        || {
            let lines = floats(&mut gradient).chunks_exact_mut(width);
            for ((gradient, normed), scale) in lines.zip(normed.chunks_exact(width)).zip(scales) {
                if of_gamma || of_beta {
                    add_to_parameters(gradient, normed, &mut gammas, &mut betas);
                }
                if of_input {
                    to_input(gradient, normed, gamma, *scale);
                }
            }
        },
    );
    let parameter = |values: Vec<f32>| TensorData::new(values, [width]);
    [
        of_input.then_some(gradient),
        of_gamma.then(|| parameter(gammas)),
        of_beta.then(|| parameter(betas)),
    ]
}

#[inline(always)]
fn add_to_parameters(gradient: &[f32], normed: &[f32], gammas: &mut [f32], betas: &mut [f32]) {
    let sums = gammas.iter_mut().zip(betas);
    for ((gradient, normed), (gamma, beta)) in gradient.iter().zip(normed).zip(sums) {
        *gamma += gradient * normed;
        *beta += gradient;
    }
}

#[inline(always)]
fn to_input(gradient: &mut [f32], normed: &[f32], gamma: &[f32], scale: f32) {
    for (gradient, gamma) in gradient.iter_mut().zip(gamma) {
        *gradient *= gamma;
    }
    let n = gradient.len() as f32;
    let (mean, slope) = (sum(gradient) / n, dot(gradient, normed) / n);
    for (gradient, normed) in gradient.iter_mut().zip(normed) {
        *gradient = scale * (*gradient - mean - normed * slope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::tests::{assert_close, cpu};

    /// Values `[2, 3, 37]`, and what the outputs are multiplied by before they are summed.
    fn tensor(factor: usize) -> Tensor<3> {
        let values: Vec<f32> =
            (0..2 * 3 * 37).map(|n| ((n * factor) % 23) as f32 / 7.0 - 1.0).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([2, 3, 37])
    }

    #[test]
    fn values_and_gradients_are_those_of_burn() {
        let device = cpu().autodiff();
        let row = |factor| Tensor::from_inner(tensor(factor).narrow(0, 0, 1).narrow(1, 0, 1));
        let parameter = |factor| Param::from_tensor(row(factor).reshape([37]));
        let norm = LayerNorm {
            gamma: parameter(5),
            beta: parameter(11),
            ..LayerNorm::new(37, 1e-5, &device)
        };
        let of = |apply: &dyn Fn(Tensor<3>) -> Tensor<3>| {
            let input = tensor(7).autodiff().require_grad();
            let output = apply(input.clone());
            let weighted = output.clone() * Tensor::from_inner(tensor(13));
            let gradients = weighted.sum().backward();
            let parameter = |it: &Param<Tensor<1>>| it.val().grad(&gradients).expect("trained");
            let of_input = input.grad(&gradients).expect("it requires a gradient");
            (output.inner(), of_input, parameter(&norm.gamma), parameter(&norm.beta))
        };
        let ours = of(&|it| norm.forward(it));
        let theirs = of(&|it| layer_norm(it, norm.gamma.val(), Some(norm.beta.val()), 1e-5));
        assert_close(ours.0, theirs.0);
        assert_close(ours.1, theirs.1);
        assert_close(ours.2, theirs.2);
        assert_close(ours.3, theirs.3);
    }

    #[test]
    fn frozen_parameters_get_no_gradient() {
        let norm = LayerNorm::new(37, 1e-5, &cpu().autodiff()).no_grad();
        let input = tensor(7).autodiff().require_grad();
        let gradients = norm.forward(input.clone()).square().sum().backward();
        assert!(input.grad(&gradients).is_some());
        assert!(norm.gamma.val().grad(&gradients).is_none());
        // Nothing at all is asked for.
        let output = norm.forward(tensor(7).autodiff());
        assert_close(output.inner(), norm.valid().forward(tensor(7)));
    }
}
