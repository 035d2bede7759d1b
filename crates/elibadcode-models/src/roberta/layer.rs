//! One post-norm transformer layer.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::distinct::Distinct;
use super::layer_norm;
use crate::activation::gelu;
use crate::attention::{Scores, attention};
use crate::config::RobertaConfig;
use crate::dropout::{Mode, dropout};
use crate::linear::linear;
use crate::normalization::LayerNorm;
use crate::softmax::{Visible, attention_weights};

/// One post-norm transformer layer.
#[derive(Module, Debug)]
pub(crate) struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    n_heads: usize,
    hidden_dropout_rate: f64,
    attention_dropout_rate: f64,
}

impl Layer {
    pub(super) fn new(config: &RobertaConfig, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let dense = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            query: dense(hidden, hidden),
            key: dense(hidden, hidden),
            value: dense(hidden, hidden),
            attention_output: dense(hidden, hidden),
            attention_norm: layer_norm(config, device),
            intermediate: dense(hidden, config.intermediate_size),
            output: dense(config.intermediate_size, hidden),
            output_norm: layer_norm(config, device),
            n_heads: config.num_attention_heads,
            hidden_dropout_rate: config.hidden_dropout_prob,
            attention_dropout_rate: config.attention_probs_dropout_prob,
        }
    }

    /// The new states of the first `n_rows` positions, `[batch, n_rows, hidden]`, from those of all,
    /// `[batch, seq, hidden]`.
    ///
    /// All visible positions are attended to. The last layer is asked for the rows that the head reads
    /// only: the same numbers for a fraction of the work.
    pub(super) fn forward(
        &self,
        states: Tensor<3>,
        visible: &Visible,
        n_rows: usize,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let [_, seq, _] = states.dims();
        let rows = if n_rows == seq { states.clone() } else { states.clone().narrow(1, 0, n_rows) };
        let query = linear(&self.query, rows.clone());
        let context = if n_rows == 1 && !mode.drops(self.attention_dropout_rate) {
            self.context_of_one(query, states, visible)
        } else {
            let key = linear(&self.key, states.clone());
            self.context(query, key, linear(&self.value, states), visible, mode)
        };
        self.output_of(context, rows, mode)
    }

    /// The new states of all positions, `[batch, seq, hidden]`, of a batch whose input has few distinct
    /// states: each is projected once. In evaluation.
    pub(super) fn forward_distinct(
        &self,
        states: Tensor<2>,
        distinct: &Distinct,
        visible: &Visible,
    ) -> Tensor<3> {
        let spread = |values| distinct.spread(values);
        let query = spread(self.query.forward(states.clone()));
        let key = spread(self.key.forward(states.clone()));
        let value = spread(self.value.forward(states.clone()));
        let mode = &mut Mode::Evaluate;
        let context = self.context(query, key, value, visible, mode);
        self.output_of(context, spread(states), mode)
    }

    /// What queries `[batch, n_rows, hidden]` gather from keys and values `[batch, seq, hidden]`.
    fn context(
        &self,
        query: Tensor<3>,
        key: Tensor<3>,
        value: Tensor<3>,
        visible: &Visible,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let scores = Scores {
            n_heads: self.n_heads,
            scale: self.scale(),
            bias: None,
            visible,
            dropout_rate: self.attention_dropout_rate,
        };
        attention([query, key, value], scores, mode)
    }

    /// The same for one query a row, `[batch, 1, hidden]`, from the states themselves, with no weight
    /// dropped.
    ///
    /// `q · (x K)` is `(q Kᵀ) · x`, and `Σ w (x V)` is `(Σ w x) V`: two products of the size of one
    /// position stand in for keys and values at all of them. The bias of the keys adds the same to all
    /// scores of a query, which the softmax takes away; that of the values counts once, as the weights
    /// sum to 1.
    fn context_of_one(&self, query: Tensor<3>, states: Tensor<3>, visible: &Visible) -> Tensor<3> {
        let [batch, seq, hidden] = states.dims();
        let (n_heads, head) = (self.n_heads, hidden / self.n_heads);
        let by_head = |weight: Tensor<2>| weight.reshape([hidden, n_heads, head]).swap_dims(0, 1);
        let query = (query * self.scale()).reshape([batch, n_heads, head]).swap_dims(0, 1);
        let keys = by_head(self.key.weight.val()).swap_dims(1, 2); // [heads, head, hidden]
        let query = query.matmul(keys).swap_dims(0, 1); // [batch, heads, hidden]
        let scores = query.matmul(states.clone().swap_dims(1, 2));
        let weights = attention_weights(scores.reshape([batch, n_heads, 1, seq]), visible);
        let gathered = weights.reshape([batch, n_heads, seq]).matmul(states);
        let values = by_head(self.value.weight.val()); // [heads, hidden, head]
        let context = gathered.swap_dims(0, 1).matmul(values).swap_dims(0, 1);
        let context = context.reshape([batch, 1, hidden]);
        match &self.value.bias {
            Some(bias) => context + bias.val().reshape([1, 1, hidden]),
            None => context,
        }
    }

    /// The new states of positions with these contexts and states, each `[batch, n_rows, hidden]`.
    fn output_of(&self, context: Tensor<3>, states: Tensor<3>, mode: &mut Mode<'_>) -> Tensor<3> {
        let attended =
            dropout(linear(&self.attention_output, context), self.hidden_dropout_rate, mode);
        let states = self.attention_norm.forward(attended + states);
        let expanded = gelu(linear(&self.intermediate, states.clone()));
        let output = dropout(linear(&self.output, expanded), self.hidden_dropout_rate, mode);
        self.output_norm.forward(output + states)
    }

    /// What a query is multiplied by.
    fn scale(&self) -> f64 {
        let [_, hidden] = self.query.weight.dims();
        ((hidden / self.n_heads) as f64).powf(-0.5)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use elibadcode_corpus::stage_rng;

    use super::*;
    use crate::activation::tests::{assert_close, cpu};
    use crate::config::{Architecture, EncoderConfig, ModelConfig, Preset};

    /// What burn's operations make of an input where weights could be dropped is what the kernel makes.
    #[test]
    fn both_ways_of_attention_agree() {
        let ModelConfig { encoder: EncoderConfig::Roberta(mut config), .. } =
            Preset::Tiny.config(Architecture::CodeBert, 100)
        else {
            unreachable!("CodeBERT is one")
        };
        config.attention_probs_dropout_prob = 1e-9; // drops nothing, but asks for the weights
        let layer = Layer::new(&config, &cpu().autodiff());
        let width = config.hidden_size;
        let values: Vec<f32> =
            (0..2 * 9 * width).map(|n| ((n * 7) % 19) as f32 / 9.0 - 1.0).collect();
        let states = Tensor::<3>::from_data(TensorData::new(values, [2, 9, width]), &cpu());
        let visible = Visible::tokens(&[9, 4], 9, &cpu());
        for n_rows in [1, 9] {
            let of = |mode: &mut Mode<'_>| {
                let states = states.clone().autodiff().require_grad();
                let output = layer.forward(states.clone(), &visible, n_rows, mode);
                let gradients = output.clone().powi_scalar(3).sum().backward();
                let of_states = states.grad(&gradients).expect("it requires a gradient");
                let key = layer.key.weight.val().grad(&gradients).expect("it is trained");
                (output.inner(), of_states, key)
            };
            let by_kernel = of(&mut Mode::Evaluate);
            let by_burn = of(&mut Mode::Train(&mut stage_rng(1, "dropout")));
            assert_close(by_kernel.0, by_burn.0);
            assert_close(by_kernel.1 / 100.0, by_burn.1 / 100.0);
            assert_close(by_kernel.2 / 100.0, by_burn.2 / 100.0);
        }
    }
}
