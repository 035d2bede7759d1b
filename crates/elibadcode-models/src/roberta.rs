//! The RoBERTa encoder, as `CodeBERT` and `UniXcoder` have it (spec section 3.1).

mod distinct;
mod layer;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor, s};

use self::distinct::Distinct;
use self::layer::Layer;
use crate::batch::padded_ids;
use crate::config::RobertaConfig;
use crate::dropout::{Mode, dropout};
use crate::normalization::LayerNorm;
use crate::softmax::Visible;

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
        let places: Tensor<3> = (positions + self.kind()).unsqueeze();
        dropout(self.norm.forward(words + places), self.dropout_rate, mode)
    }

    /// The encoder's input at the distinct pairs of a batch, `[pairs, hidden]`, in evaluation.
    fn forward_distinct(&self, distinct: &Distinct) -> Tensor<2> {
        let words = self.word_embeddings.weight.val().select(0, distinct.ids.clone());
        let positions = distinct.places.clone() + self.first_position as i64;
        let positions = self.position_embeddings.weight.val().select(0, positions);
        self.norm.forward(words + (positions + self.kind()))
    }

    /// The only type that a token has, `[1, hidden]`.
    fn kind(&self) -> Tensor<2> {
        self.token_type_embeddings.weight.val().slice(s![0..1])
    }
}

/// A batch of right-padded rows.
#[expect(clippy::large_enum_variant, reason = "it is made for one call")]
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// Their ids, and what they are padded with.
    Ids { rows: &'a [&'a [u32]], pad: u32 },
    /// Their word embeddings, `[batch, seq, hidden]`.
    Words(Tensor<3>),
}

impl Input<'_> {
    /// Positions of a padded row.
    pub(crate) fn seq(&self) -> usize {
        match self {
            Self::Ids { rows, .. } => rows.iter().map(|row| row.len()).max().unwrap_or(0),
            Self::Words(words) => words.dims()[1],
        }
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

    /// The states of the first `n_rows` positions after the last layer, `[batch, n_rows, hidden]`.
    pub(crate) fn states(
        &self,
        input: Input<'_>,
        lengths: &[usize],
        n_rows: usize,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let device = self.embeddings.word_embeddings.weight.device();
        let seq = input.seq();
        let visible = Visible::tokens(lengths, seq, &device);
        let (mut states, layers) = self.begin(input, &visible, &device, mode);
        for (index, layer) in layers.iter().enumerate() {
            let n_rows = if index + 1 == layers.len() { n_rows } else { seq };
            states = layer.forward(states, &visible, n_rows, mode);
        }
        states
    }

    /// The states that the next layers go on from.
    fn begin(
        &self,
        input: Input<'_>,
        visible: &Visible,
        device: &Device,
        mode: &mut Mode<'_>,
    ) -> (Tensor<3>, &[Layer]) {
        let words = match input {
            Input::Words(words) => words,
            Input::Ids { rows, pad } => {
                if let (Mode::Evaluate, [first, rest @ ..]) = (&mode, &self.layers[..])
                    && !rest.is_empty()
                    && let Some(distinct) = Distinct::of(rows, pad, device)
                {
                    let states = self.embeddings.forward_distinct(&distinct);
                    return (first.forward_distinct(states, &distinct, visible), rest);
                }
                self.embed(padded_ids(rows, pad, device))
            }
        };
        (self.embeddings.forward(words, mode), &self.layers)
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
    LayerNorm::new(config.hidden_size, config.layer_norm_eps, device)
}
