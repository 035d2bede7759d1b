//! The RoBERTa encoder, as `CodeBERT` and `UniXcoder` have it (spec section 3.1).

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, s};

use crate::activation::gelu;
use crate::config::RobertaConfig;
use crate::dropout::{Mode, dropout};
use crate::linear::linear;
use crate::softmax::{Visible, attention_weights};

/// Word, position and type embeddings, summed and normalised.
#[expect(clippy::struct_field_names, reason = "the names are those of the weight files")]
#[derive(Module, Debug)]
pub(crate) struct Embeddings {
    pub(crate) word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    norm: LayerNorm,
    first_position: usize,
    dropout_rate: f64,
}

impl Embeddings {
    fn new(config: &RobertaConfig, device: &Device) -> Self {
        let table = |rows: usize| EmbeddingConfig::new(rows, config.hidden_size).init(device);
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: table(config.type_vocab_size),
            norm: layer_norm(config, device),
            first_position: config.pad_token_id as usize + 1,
            dropout_rate: config.hidden_dropout_prob,
        }
    }

    /// `words`: `[batch, seq, hidden]`, the word embeddings; gives the encoder's input.
    ///
    /// Pads get running positions instead of `pad_token_id`: they are masked everywhere.
    fn forward(&self, words: Tensor<3>, mode: &mut Mode<'_>) -> Tensor<3> {
        let [_, seq, _] = words.dims();
        let from = self.first_position;
        let positions = self.position_embeddings.weight.val().slice(s![from..from + seq]);
        let kinds = self.token_type_embeddings.weight.val().slice(s![0..1]);
        let places: Tensor<3> = (positions + kinds).unsqueeze();
        dropout(self.norm.forward(words + places), self.dropout_rate, mode)
    }
}

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
    fn new(config: &RobertaConfig, device: &Device) -> Self {
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

    /// The new states of the first `n_rows` positions: `[batch, n_rows, hidden]`.
    ///
    /// All visible positions are attended to. The last layer is asked for the rows that the head reads
    /// only: the same numbers for a fraction of the work.
    fn forward(
        &self,
        states: Tensor<3>,
        visible: &Visible,
        n_rows: usize,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let [batch, seq, hidden] = states.dims();
        let head = hidden / self.n_heads;
        let split = |projected: Tensor<3>, rows: usize| {
            projected.reshape([batch, rows, self.n_heads, head]).swap_dims(1, 2)
        };
        let rows = if n_rows == seq { states.clone() } else { states.clone().narrow(1, 0, n_rows) };
        // The scale goes onto the queries: fewer values than the scores.
        let query = split(linear(&self.query, rows.clone()) * (head as f64).powf(-0.5), n_rows);
        let key = split(linear(&self.key, states.clone()), seq);
        let value = split(linear(&self.value, states), seq);

        let scores = query.matmul(key.swap_dims(2, 3)); // [batch, heads, n_rows, seq]
        let weights =
            dropout(attention_weights(scores, visible), self.attention_dropout_rate, mode);
        let context = weights.matmul(value).swap_dims(1, 2).reshape([batch, n_rows, hidden]);
        let attended =
            dropout(linear(&self.attention_output, context), self.hidden_dropout_rate, mode);
        let states = self.attention_norm.forward(attended + rows);
        let expanded = gelu(linear(&self.intermediate, states.clone()));
        let output = dropout(linear(&self.output, expanded), self.hidden_dropout_rate, mode);
        self.output_norm.forward(output + states)
    }
}

/// Embeddings and layers.
#[derive(Module, Debug)]
pub(crate) struct Roberta {
    pub(crate) embeddings: Embeddings,
    layers: Vec<Layer>,
}

impl Roberta {
    pub(crate) fn new(config: &RobertaConfig, device: &Device) -> Self {
        Self {
            embeddings: Embeddings::new(config, device),
            layers: (0..config.num_hidden_layers).map(|_| Layer::new(config, device)).collect(),
        }
    }

    pub(crate) fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// `ids`: `[batch, seq]`; gives word embeddings `[batch, seq, hidden]`.
    pub(crate) fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.embeddings.word_embeddings.forward(ids)
    }

    /// The state of `<s>` after the last layer, `[batch, hidden]`, from word embeddings
    /// `[batch, seq, hidden]` of right-padded rows.
    pub(crate) fn pooled(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<2> {
        let [batch, seq, hidden] = words.dims();
        let visible = Visible::tokens(lengths, seq, &words.device());
        let mut states = self.embeddings.forward(words, mode);
        let last = self.layers.len() - 1;
        for (index, layer) in self.layers.iter().enumerate() {
            let n_rows = if index == last { 1 } else { seq };
            states = layer.forward(states, &visible, n_rows, mode);
        }
        states.reshape([batch, hidden])
    }

    /// The states after the last layer, `[batch, seq, hidden]`.
    pub(crate) fn states(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let [_, seq, _] = words.dims();
        let visible = Visible::tokens(lengths, seq, &words.device());
        let mut states = self.embeddings.forward(words, mode);
        for layer in &self.layers {
            states = layer.forward(states, &visible, seq, mode);
        }
        states
    }

    /// The embedding output and every layer's states, each `[batch, seq, hidden]`.
    pub(crate) fn hidden_states(&self, words: Tensor<3>, lengths: &[usize]) -> Vec<Tensor<3>> {
        let [_, seq, _] = words.dims();
        let visible = Visible::tokens(lengths, seq, &words.device());
        let mut all = vec![self.embeddings.forward(words, &mut Mode::Evaluate)];
        for layer in &self.layers {
            let states = all[all.len() - 1].clone();
            all.push(layer.forward(states, &visible, seq, &mut Mode::Evaluate));
        }
        all
    }
}

fn layer_norm(config: &RobertaConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.hidden_size).with_epsilon(config.layer_norm_eps).init(device)
}
