//! Passes over host memory that stand in for burn's operations on a CPU, with their way back.
//!
//! A tensor of a CPU backend gives up its buffer and takes it back without a copy. Under automatic
//! differentiation burn composes a softmax, a GELU or a layer norm of elementwise operations, each of which
//! is a pass over memory, and another one back. Here each is one pass, which takes a third off a training step.

#![cfg_attr(
    not(any(feature = "flex", feature = "ndarray")),
    expect(dead_code, unused_variables, unreachable_code, reason = "a build without a CPU")
)]

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Backend, BackendTensor, DispatchKindConversion, TensorMetadata, read_sync};
use burn::tensor::{Device, DispatchTensor, Tensor, TensorData};
use rayon::prelude::*;

use crate::device::CpuBackend;
use crate::vector::vectorized;

/// How gradients go back through an operation with `N` inputs: from that of the output to those of the
/// inputs that are asked for.
pub(crate) type Pullback<const N: usize> =
    Arc<dyn Fn(TensorData, [bool; N]) -> [Option<TensorData>; N] + Send + Sync>;

/// Values that one thread works on at least.
const BLOCK: usize = 1 << 14;

/// Values of a block: as many whole lines as make a block.
pub(crate) fn block(line: usize) -> usize {
    line * BLOCK.div_ceil(line)
}

/// The values of a tensor without gradients, changed by `kernel`, which gets blocks of whole lines and the
/// number of their first value.
pub(crate) fn in_place<const D: usize>(
    input: Tensor<D>,
    line: usize,
    kernel: impl Fn(usize, &mut [f32]) + Sync,
) -> Tensor<D> {
    let (device, block) = (input.device(), block(line));
    let mut data = input.into_data();
    floats(&mut data).par_chunks_mut(block).enumerate().for_each(|(index, values)| {
        vectorized(
            #[inline(always)]
            || kernel(index * block, values),
        );
    });
    Tensor::from_data(data, &device)
}

/// The same of a tensor with gradients: `kernel` puts down what `back` needs to know of each value in order
/// to turn the gradient of the output into that of the input.
pub(crate) fn in_place_and_back<const D: usize>(
    input: Tensor<D>,
    line: usize,
    kernel: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
    back: impl Fn(&mut [f32], &[f32]) + Send + Sync + 'static,
) -> Tensor<D> {
    let block = block(line);
    differentiable(&input.device(), [input.into_dispatch()], |[mut values]| {
        let mut kept = vec![0.0; values.num_elements()];
        let blocks = floats(&mut values).par_chunks_mut(block).zip(kept.par_chunks_mut(block));
        blocks.enumerate().for_each(|(index, (values, kept))| {
            vectorized(
                #[inline(always)]
                || kernel(index * block, values, kept),
            );
        });
        let pullback = move |mut gradient: TensorData, _: [bool; 1]| {
            let blocks = floats(&mut gradient).par_chunks_mut(block);
            blocks.zip(kept.par_chunks(block)).for_each(|(gradient, kept)| {
                vectorized(
                    #[inline(always)]
                    || back(gradient, kept),
                );
            });
            [Some(gradient)]
        };
        (values, Arc::new(pullback))
    })
}

/// An operation on tensors of this device, a CPU, with gradients: `forward` turns the values of the inputs
/// into those of the output, and says how gradients go back.
pub(crate) fn differentiable<const D: usize, const N: usize>(
    device: &Device,
    inputs: [DispatchTensor; N],
    forward: impl FnOnce([TensorData; N]) -> (TensorData, Pullback<N>),
) -> Tensor<D> {
    #[cfg_attr(feature = "ndarray", expect(deprecated, reason = "see `device::ndarray`"))]
    let output = match CpuBackend::of(device) {
        #[cfg(feature = "flex")]
        Some(CpuBackend::Flex) => on::<burn::backend::Flex, N>(inputs, forward),
        #[cfg(feature = "ndarray")]
        Some(CpuBackend::NdArray) => on::<burn::backend::NdArray, N>(inputs, forward),
        None => unreachable!("the caller asked for the device"),
    };
    Tensor::from_dispatch(output)
}

/// The same on one backend.
fn on<B: Backend, const N: usize>(
    inputs: [DispatchTensor; N],
    forward: impl FnOnce([TensorData; N]) -> (TensorData, Pullback<N>),
) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<Autodiff<B>>,
{
    let mut device = None;
    let parts = inputs.map(|input| match DispatchTensor::try_into_backend(input) {
        Ok(BackendTensor::<Autodiff<B>>::Float(tensor)) => {
            let (primitive, node) = tensor.into_parts();
            device = Some(primitive.device());
            (values::<B>(primitive), node)
        }
        Ok(_) => unreachable!("an input of floats"),
        Err(problem) => unreachable!("an input of this backend with gradients: {problem}"),
    });
    let device = device.expect("there is an input");
    let mut nodes = Vec::new();
    let inputs = parts.map(|(values, node)| {
        nodes.push(node);
        values
    });
    let nodes = nodes.try_into().expect("as many as inputs");
    let (output, pullback) = forward(inputs);
    let output = B::float_from_data(output, &device);
    let output = match HostOperation.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(State(pullback), output),
        OpsKind::UnTracked(step) => step.finish(output),
    };
    DispatchTensor::from_backend(BackendTensor::<Autodiff<B>>::Float(output))
}

/// The step of the graph that goes back through an operation.
#[derive(Debug)]
struct HostOperation;

#[derive(Clone)]
struct State<const N: usize>(Pullback<N>);

impl<const N: usize> fmt::Debug for State<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl<B: Backend, const N: usize> Backward<B, N> for HostOperation {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let device = gradient.device();
        let is_asked_for = ops.parents.each_ref().map(Option::is_some);
        let of_inputs = (ops.state.0)(values::<B>(gradient), is_asked_for);
        for (parent, gradient) in ops.parents.into_iter().zip(of_inputs) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, B::float_from_data(gradient, &device));
            }
        }
    }
}

/// The values of a tensor on a CPU; without a copy if nobody else holds them.
fn values<B: Backend>(tensor: B::FloatTensorPrimitive) -> TensorData {
    read_sync(B::float_into_data(tensor)).expect("host memory can be read")
}

/// The values as floats: weights are loaded as such, whatever a file has.
pub(crate) fn floats(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect(SINGLE)
}

/// The values as floats, to read.
pub(crate) fn read_floats(data: &TensorData) -> &[f32] {
    data.as_slice().expect(SINGLE)
}

const SINGLE: &str = "models compute in single precision";
