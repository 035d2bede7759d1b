//! Layer norm and T5's norm, in one pass on a CPU where gradients are asked for.
//!
//! Elsewhere burn's own operations run.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::{LayerNormConfig, RmsNormConfig};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::device::is_cpu;
use crate::host::{Pullback, block, differentiable, floats, read_floats};
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
        let norm = LayerNormConfig::new(width).init(device);
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
        let norm = Norm { centers: true, epsilon: self.epsilon as f32 };
        differentiable(&device, inputs, |inputs| norm.forward(inputs))
    }
}

/// `x / root mean square * gamma` over the last axis.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    gamma: Param<Tensor<1>>,
    epsilon: f64,
}

impl RmsNorm {
    pub(crate) fn new(width: usize, epsilon: f64, device: &Device) -> Self {
        Self { gamma: RmsNormConfig::new(width).init(device).gamma, epsilon }
    }

    /// `input`: `[…, width]`, and so is the result.
    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (gamma, device) = (self.gamma.val(), input.device());
        if !(device.is_autodiff() && is_cpu(&device)) {
            let root = (input.clone().square().mean_dim(D - 1) + self.epsilon).sqrt();
            return input / root * gamma.unsqueeze();
        }
        let inputs = [input.into_dispatch(), gamma.into_dispatch()];
        let norm = Norm { centers: false, epsilon: self.epsilon as f32 };
        differentiable(&device, inputs, |inputs| norm.forward(inputs))
    }
}

/// A norm of lines in host memory.
#[derive(Clone, Copy)]
struct Norm {
    /// Whether lines lose their mean.
    centers: bool,
    epsilon: f32,
}

impl Norm {
    /// Of input, gamma and maybe beta.
    fn forward<const N: usize>(self, mut inputs: [TensorData; N]) -> (TensorData, Pullback<N>) {
        let shape = inputs[0].shape().clone();
        let (input, parameters) = inputs.split_first_mut().expect("the input comes first");
        let gamma = read_floats(&parameters[0]);
        let beta = parameters.get(1).map(read_floats);
        // The input makes room for what the way back needs of it.
        let normed = floats(input);
        let (width, mut output) = (gamma.len(), vec![0.0; normed.len()]);
        let mut scales = vec![0.0; normed.len() / width];
        let (block, lines) = (block(width), block(width) / width);
        normed
            .par_chunks_mut(block)
            .zip(output.par_chunks_mut(block))
            .zip(scales.par_chunks_mut(lines))
            .for_each(|((normed, output), scales)| {
                vectorized(
                    #[inline(always)]
                    || self.forward_block(normed, gamma, beta, output, scales),
                );
            });
        let back =
            move |gradient, is_asked_for| self.backward(&inputs, &scales, gradient, is_asked_for);
        (TensorData::new(output, shape), Arc::new(back))
    }

    #[inline(always)]
    fn forward_block(
        self,
        normed: &mut [f32],
        gamma: &[f32],
        beta: Option<&[f32]>,
        output: &mut [f32],
        scales: &mut [f32],
    ) {
        let width = gamma.len();
        let lines = normed.chunks_exact_mut(width).zip(output.chunks_exact_mut(width));
        for ((normed, output), scale) in lines.zip(scales) {
            *scale = self.normalize(normed);
            for (output, (normed, gamma)) in output.iter_mut().zip(normed.iter().zip(gamma)) {
                *output = normed * gamma;
            }
            if let Some(beta) = beta {
                for (output, beta) in output.iter_mut().zip(beta) {
                    *output += beta;
                }
            }
        }
    }

    /// The values of a line get mean square 1; gives what they were multiplied by.
    #[inline(always)]
    fn normalize(self, line: &mut [f32]) -> f32 {
        let n = line.len() as f32;
        if self.centers {
            let mean = sum(line) / n;
            for value in line.iter_mut() {
                *value -= mean;
            }
        }
        let scale = 1.0 / (dot(line, line) / n + self.epsilon).sqrt();
        for value in line {
            *value *= scale;
        }
        scale
    }

    /// Gradients of input, gamma and beta, if they are asked for, from that of the output.
    fn backward<const N: usize>(
        self,
        inputs: &[TensorData; N],
        scales: &[f32],
        mut gradient: TensorData,
        is_asked_for: [bool; N],
    ) -> [Option<TensorData>; N] {
        let (normed, gamma) = (read_floats(&inputs[0]), read_floats(&inputs[1]));
        let width = gamma.len();
        let (block, lines) = (block(width), block(width) / width);
        let gradients = floats(&mut gradient);
        let [mut gammas, mut betas] = [(); 2].map(|()| vec![0.0; width]);
        if is_asked_for[1..].contains(&true) {
            vectorized(
                #[inline(always)]
                || add_to_parameters(gradients, normed, &mut gammas, &mut betas),
            );
        }
        if is_asked_for[0] {
            gradients
                .par_chunks_mut(block)
                .zip(normed.par_chunks(block))
                .zip(scales.par_chunks(lines))
                .for_each(|((gradient, normed), scales)| {
                    vectorized(
                        #[inline(always)]
                        || self.to_input(gradient, normed, gamma, scales),
                    );
                });
        }
        let parameter = |values: Vec<f32>| TensorData::new(values, [width]);
        let mut all = [gradient, parameter(gammas), parameter(betas)].into_iter();
        std::array::from_fn(|input| all.next().filter(|_| is_asked_for[input]))
    }

    /// The gradient of the output becomes that of the input: with `g = gradient * gamma` and the normed
    /// input `n`, `scale (g - mean(g) - n mean(g n))`, without the first mean if lines keep theirs.
    #[inline(always)]
    fn to_input(self, gradient: &mut [f32], normed: &[f32], gamma: &[f32], scales: &[f32]) {
        let width = gamma.len();
        let n = width as f32;
        let lines = gradient.chunks_exact_mut(width).zip(normed.chunks_exact(width));
        for ((gradient, normed), scale) in lines.zip(scales) {
            for (gradient, gamma) in gradient.iter_mut().zip(gamma) {
                *gradient *= gamma;
            }
            let mean = if self.centers { sum(gradient) / n } else { 0.0 };
            let slope = dot(gradient, normed) / n;
            for (gradient, normed) in gradient.iter_mut().zip(normed) {
                *gradient = scale * (*gradient - mean - normed * slope);
            }
        }
    }
}

#[inline(always)]
fn add_to_parameters(gradient: &[f32], normed: &[f32], gammas: &mut [f32], betas: &mut [f32]) {
    let width = gammas.len();
    for (gradient, normed) in gradient.chunks_exact(width).zip(normed.chunks_exact(width)) {
        for ((gradient, normed), gamma) in gradient.iter().zip(normed).zip(gammas.iter_mut()) {
            *gamma += gradient * normed;
        }
        for (gradient, beta) in gradient.iter().zip(betas.iter_mut()) {
            *beta += gradient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::tests::{assert_close, cpu};

    const WIDTH: usize = 37;

    /// Values `[lines, 37]`, those of the first line equal.
    fn tensor(lines: usize, factor: usize) -> Tensor<2> {
        let value = |n: usize| if n < WIDTH { 0.5 } else { ((n * factor) % 23) as f32 / 7.0 - 1.0 };
        let values: Vec<f32> = (0..lines * WIDTH).map(value).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([lines, WIDTH])
    }

    fn parameter(factor: usize) -> Param<Tensor<1>> {
        let line = tensor(2, factor).narrow(0, 1, 1).reshape([WIDTH]);
        Param::from_tensor(Tensor::from_inner(line))
    }

    /// Value, and gradients of the input and of parameters.
    fn of(
        lines: usize,
        apply: &dyn Fn(Tensor<2>) -> Tensor<2>,
        parameters: &[&Param<Tensor<1>>],
    ) -> (Tensor<2>, Tensor<2>, Vec<Tensor<1>>) {
        let input = tensor(lines, 7).autodiff().require_grad();
        let output = apply(input.clone());
        let gradients = (output.clone() * Tensor::from_inner(tensor(lines, 13))).sum().backward();
        let parameters = parameters.iter().map(|it| it.val().grad(&gradients).expect("trained"));
        let of_input = input.grad(&gradients).expect("it requires a gradient");
        (output.inner(), of_input, parameters.collect())
    }

    #[track_caller]
    fn assert_same(
        ours: (Tensor<2>, Tensor<2>, Vec<Tensor<1>>),
        theirs: (Tensor<2>, Tensor<2>, Vec<Tensor<1>>),
    ) {
        assert_close(ours.0.clone(), theirs.0);
        // A line of equal values is divided by the root of epsilon, and so are its rounding errors.
        let behind = |it: Tensor<2>| it.clone().narrow(0, 1, it.dims()[0] - 1);
        assert_close(behind(ours.1), behind(theirs.1));
        // Those of parameters are sums over all lines.
        let n_lines = ours.0.dims()[0] as f32;
        for (ours, theirs) in ours.2.into_iter().zip(theirs.2) {
            assert_close(ours / n_lines, theirs / n_lines);
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_burn() {
        let device = cpu().autodiff();
        let plain = LayerNorm::new(WIDTH, 1e-5, &device);
        let norm = LayerNorm { gamma: parameter(5), beta: parameter(11), ..plain };
        let theirs = |it| layer_norm(it, norm.gamma.val(), Some(norm.beta.val()), 1e-5);
        let parameters = [&norm.gamma, &norm.beta];
        for lines in [3, 1000] {
            let ours = of(lines, &|it| norm.forward(it), &parameters);
            assert_same(ours, of(lines, &theirs, &parameters));
        }
        let norm = RmsNorm { gamma: parameter(5), ..RmsNorm::new(WIDTH, 1e-6, &device) };
        let by_burn = burn::nn::RmsNorm { gamma: norm.gamma.clone(), epsilon: 1e-6 };
        let ours = of(1000, &|it| norm.forward(it), &[&norm.gamma]);
        assert_same(ours, of(1000, &|it| by_burn.forward(it), &[&norm.gamma]));
        assert_close(norm.valid().forward(tensor(3, 7)), by_burn.valid().forward(tensor(3, 7)));
    }

    #[test]
    fn what_is_frozen_gets_no_gradient() {
        let device = cpu().autodiff();
        let norm = LayerNorm::new(WIDTH, 1e-5, &device).no_grad();
        let input = tensor(3, 7).autodiff().require_grad();
        let gradients = norm.forward(input.clone()).square().sum().backward();
        assert!(input.grad(&gradients).is_some());
        assert!(norm.gamma.val().grad(&gradients).is_none());
        // The lowest layer that is trained.
        let norm = LayerNorm::new(WIDTH, 1e-5, &device);
        let gradients = norm.forward(tensor(3, 7).autodiff()).square().sum().backward();
        assert!(norm.gamma.val().grad(&gradients).is_some());
        // Nothing at all is asked for.
        let norm = norm.no_grad();
        let output = norm.forward(tensor(3, 7).autodiff());
        assert_close(output.inner(), norm.valid().forward(tensor(3, 7)));
    }
}
