//! The parameters of a module under their Hugging Face names, out and in.
//!
//! Linear weights are `[in, out]` in burn and `[out, in]` in PyTorch; everything else agrees.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::HostTensor;
use crate::error::{Error, TensorProblems};

/// Field names of our modules, and what PyTorch calls them.
///
/// An empty name is a level that PyTorch has not.
const NAMES: [(&str, &str); 25] = [
    ("network", ""),
    ("Roberta", ""),
    ("T5", ""),
    ("layers", "encoder.layer"),
    ("query", "attention.self.query"),
    ("key", "attention.self.key"),
    ("value", "attention.self.value"),
    ("attention_output", "attention.output.dense"),
    ("attention_norm", "attention.output.LayerNorm"),
    ("intermediate", "intermediate.dense"),
    ("output", "output.dense"),
    ("output_norm", "output.LayerNorm"),
    ("encoder_stack", "encoder"),
    ("decoder_stack", "decoder"),
    ("encoder_layers", "block"),
    ("decoder_layers", "block"),
    ("final_norm", "final_layer_norm"),
    ("self_attention", "layer.0.SelfAttention"),
    ("self_attention_norm", "layer.0.layer_norm"),
    ("cross_attention", "layer.1.EncDecAttention"),
    ("cross_attention_norm", "layer.1.layer_norm"),
    ("encoder_feed_forward", "layer.1.DenseReluDense"),
    ("encoder_feed_forward_norm", "layer.1.layer_norm"),
    ("decoder_feed_forward", "layer.2.DenseReluDense"),
    ("decoder_feed_forward_norm", "layer.2.layer_norm"),
];
const LEAVES: [(&str, &str); 3] = [("gamma", "weight"), ("beta", "bias"), ("norm", "LayerNorm")];

/// Where a traversal is.
#[derive(Default)]
struct Place {
    names: Vec<String>,
    /// For each name, whether it was entered as a member of a linear layer.
    in_linear: Vec<bool>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.in_linear.push(container == "Struct:Linear");
    }

    fn exit(&mut self) {
        self.names.pop();
        self.in_linear.pop();
    }

    fn name(&self) -> String {
        let translate = |name: &'_ String| -> String {
            let known = NAMES.iter().chain(&LEAVES).find(|(field, _)| field == name);
            known.map_or_else(|| name.clone(), |(_, theirs)| (*theirs).to_owned())
        };
        let names = self.names.iter().map(translate).filter(|name| !name.is_empty());
        names.collect::<Vec<_>>().join(".")
    }

    /// Whether the parameter here is the weight matrix of a linear layer.
    fn is_transposed(&self, rank: usize) -> bool {
        rank == 2 && self.in_linear.last() == Some(&true)
    }
}

/// Every parameter, by Hugging Face name.
pub(crate) fn collect(module: &impl Module) -> BTreeMap<String, HostTensor> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

#[derive(Default)]
struct Collector {
    place: Place,
    tensors: BTreeMap<String, HostTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = host_values(tensor);
        let tensor = HostTensor { shape, values };
        let tensor = if self.place.is_transposed(D) { tensor.transposed() } else { tensor };
        self.tensors.insert(self.place.name(), tensor);
    }
}

/// The values of a tensor in row-major order.
pub(crate) fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    data.try_to_vec::<f32>().unwrap_or_else(|_| data.iter::<f32>().collect())
}

/// Names and PyTorch shapes of every parameter, without initializing any.
pub(crate) fn shapes(module: &impl Module) -> BTreeMap<String, Vec<usize>> {
    let mut collector = ShapeCollector::default();
    module.visit(&mut collector);
    collector.shapes
}

#[derive(Default)]
struct ShapeCollector {
    place: Place,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for ShapeCollector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape = param.lazy_shape().as_slice().to_vec();
        if self.place.is_transposed(D) {
            shape.reverse();
        }
        self.shapes.insert(self.place.name(), shape);
    }
}

/// What differs between the tensors at hand and those a module has.
pub(crate) fn compare(
    expected: &BTreeMap<String, Vec<usize>>,
    found: &BTreeMap<String, Vec<usize>>,
) -> TensorProblems {
    let mut problems = TensorProblems::default();
    for (name, shape) in expected {
        match found.get(name) {
            None => problems.missing.push((name.clone(), shape.clone())),
            Some(other) if other != shape => {
                problems.misshaped.push((name.clone(), shape.clone(), other.clone()));
            }
            Some(_) => {}
        }
    }
    for (name, shape) in found {
        if !expected.contains_key(name) {
            problems.unexpected.push((name.clone(), shape.clone()));
        }
    }
    problems
}

/// The module with every parameter as `read` gives it by name, one after the other; names and
/// shapes must fit. The first error is returned.
pub(crate) fn apply<M: Module>(
    module: M,
    read: impl FnMut(&str) -> Result<HostTensor, Error>,
    device: &Device,
) -> Result<M, Error> {
    let mut applier = Applier { place: Place::default(), read, device, error: None };
    let module = module.map(&mut applier);
    applier.error.map_or(Ok(module), Err)
}

struct Applier<'a, F> {
    place: Place,
    read: F,
    device: &'a Device,
    error: Option<Error>,
}

impl<F: FnMut(&str) -> Result<HostTensor, Error>> ModuleMapper for Applier<'_, F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        match (self.read)(&self.place.name()) {
            Ok(tensor) => {
                let tensor = if self.place.is_transposed(D) { tensor.transposed() } else { tensor };
                let data = TensorData::new(tensor.values, tensor.shape);
                Param::initialized(param.id, Tensor::from_data(data, self.device))
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}

/// The module whose parameters are the means of these modules' parameters, of the same names and shapes;
/// `None` of no modules.
pub(crate) fn mean<M: Module>(modules: &[M], device: &Device) -> Option<M> {
    let share = 1.0 / modules.len() as f32;
    let (first, others) = modules.split_first()?;
    if others.is_empty() {
        return Some(first.clone());
    }
    let mut sums = collect(first);
    for other in others {
        let tensors = collect(other);
        for (sum, tensor) in sums.values_mut().zip(tensors.values()) {
            for (sum, value) in sum.values.iter_mut().zip(&tensor.values) {
                *sum += value;
            }
        }
    }
    let mean = |name: &str| {
        let mut tensor = sums.remove(name).expect("every parameter was collected");
        tensor.values.iter_mut().for_each(|it| *it *= share);
        Ok(tensor)
    };
    Some(apply(first.clone(), mean, device).expect("nothing is read"))
}

/// The module with gradients kept for the parameters whose Hugging Face name is wanted.
pub(crate) fn with_trainable<M: Module>(module: M, is_wanted: impl Fn(&str) -> bool) -> M {
    module.map(&mut Chooser { place: Place::default(), is_wanted })
}

struct Chooser<F> {
    place: Place,
    is_wanted: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Chooser<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.set_require_grad((self.is_wanted)(&self.place.name()))
    }
}
