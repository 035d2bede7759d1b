//! A linear layer over all positions of a batch in one matrix product.
//!
//! burn multiplies every row of the batch by the weights on its own, and its gradient of the weights
//! is one matrix per row, summed afterwards.

use burn::nn::Linear;
use burn::tensor::Tensor;

/// `states`: `[batch, seq, in]`; gives `[batch, seq, out]`.
pub(crate) fn linear(layer: &Linear, states: Tensor<3>) -> Tensor<3> {
    let [batch, seq, width] = states.dims();
    let out = layer.forward(states.reshape([batch * seq, width]));
    let [_, width] = out.dims();
    out.reshape([batch, seq, width])
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;

    use super::*;
    use crate::activation::tests::{assert_close, cpu};

    #[test]
    fn values_and_gradients_are_those_of_the_layer() {
        let layer = LinearConfig::new(3, 4).init(&cpu().autodiff());
        let values: Vec<f32> = (0..2 * 5 * 3).map(|n| ((n * 7) % 11) as f32 / 5.0 - 1.0).collect();
        let input = Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([2, 5, 3]);
        let of = |apply: &dyn Fn(Tensor<3>) -> Tensor<3>| {
            let input = input.clone().autodiff().require_grad();
            let output = apply(input.clone());
            let gradients = output.clone().square().sum().backward();
            let weight = layer.weight.val().grad(&gradients).expect("weights get a gradient");
            (output.inner(), input.grad(&gradients).expect("so does the input"), weight)
        };
        let ours = of(&|states| linear(&layer, states));
        let theirs = of(&|states| layer.forward(states));
        assert_close(ours.0, theirs.0);
        assert_close(ours.1, theirs.1);
        assert_close(ours.2, theirs.2);
    }
}
