//! The T5 encoder and decoder, as `CodeT5` has them (spec section 3.1).
//!
//! Norms come before each sublayer and have no mean and no bias, attention scores are not scaled,
//! and positions are biases on the scores, from one table per stack that all its layers share.
//! The language-model head is not computed.

mod attention;
pub(crate) mod position;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, s};

use self::attention::Attention;
use self::position::position_bias;
use crate::activation::gelu_tanh;
use crate::config::T5Config;
use crate::dropout::{Mode, dropout};
use crate::linear::linear;
use crate::normalization::RmsNorm;
use crate::softmax::Visible;

/// `wo(relu(wi(x)))`, or with a gate `wo(gelu(wi_0(x)) * wi_1(x))`.
#[derive(Module, Debug)]
struct FeedForward {
    wi: Option<Linear>,
    wi_0: Option<Linear>,
    wi_1: Option<Linear>,
    wo: Linear,
    dropout_rate: f64,
}

impl FeedForward {
    fn new(config: &T5Config, device: &Device) -> Self {
        let dense = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
        let up = |is_wanted: bool| is_wanted.then(|| dense(config.d_model, config.d_ff));
        Self {
            wi: up(!config.is_gated()),
            wi_0: up(config.is_gated()),
            wi_1: up(config.is_gated()),
            wo: dense(config.d_ff, config.d_model),
            dropout_rate: config.dropout_rate,
        }
    }

    fn forward(&self, states: Tensor<3>, mode: &mut Mode<'_>) -> Tensor<3> {
        let expanded = match (&self.wi, &self.wi_0, &self.wi_1) {
            (Some(wi), ..) => relu(linear(wi, states)),
            (None, Some(gate), Some(value)) => {
                gelu_tanh(linear(gate, states.clone())) * linear(value, states)
            }
            _ => unreachable!("`new` makes one form or the other"),
        };
        linear(&self.wo, dropout(expanded, self.dropout_rate, mode))
    }
}

/// One layer of the encoder.
#[derive(Module, Debug)]
struct EncoderLayer {
    self_attention: Attention,
    self_attention_norm: RmsNorm,
    encoder_feed_forward: FeedForward,
    encoder_feed_forward_norm: RmsNorm,
    dropout_rate: f64,
}

impl EncoderLayer {
    fn new(config: &T5Config, has_positions: bool, device: &Device) -> Self {
        Self {
            self_attention: Attention::new(config, has_positions, device),
            self_attention_norm: norm(config, device),
            encoder_feed_forward: FeedForward::new(config, device),
            encoder_feed_forward_norm: norm(config, device),
            dropout_rate: config.dropout_rate,
        }
    }

    fn forward(
        &self,
        states: Tensor<3>,
        bias: &Tensor<4>,
        visible: &Visible,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let normed = self.self_attention_norm.forward(states.clone());
        let attended =
            self.self_attention.forward(normed.clone(), normed, Some(bias), visible, mode);
        let states = states + dropout(attended, self.dropout_rate, mode);
        let normed = self.encoder_feed_forward_norm.forward(states.clone());
        let expanded = self.encoder_feed_forward.forward(normed, mode);
        states + dropout(expanded, self.dropout_rate, mode)
    }
}

/// One layer of the decoder.
#[derive(Module, Debug)]
struct DecoderLayer {
    self_attention: Attention,
    self_attention_norm: RmsNorm,
    cross_attention: Attention,
    cross_attention_norm: RmsNorm,
    decoder_feed_forward: FeedForward,
    decoder_feed_forward_norm: RmsNorm,
    dropout_rate: f64,
}

impl DecoderLayer {
    fn new(config: &T5Config, has_positions: bool, device: &Device) -> Self {
        Self {
            self_attention: Attention::new(config, has_positions, device),
            self_attention_norm: norm(config, device),
            cross_attention: Attention::new(config, false, device),
            cross_attention_norm: norm(config, device),
            decoder_feed_forward: FeedForward::new(config, device),
            decoder_feed_forward_norm: norm(config, device),
            dropout_rate: config.dropout_rate,
        }
    }

    /// The new states of some positions, `[batch, rows, hidden]`, all of them or those of `rows`.
    fn forward(
        &self,
        states: Tensor<3>,
        encoded: &Encoded,
        earlier: &Earlier,
        rows: Option<&LastRows>,
        mode: &mut Mode<'_>,
    ) -> Tensor<3> {
        let normed = self.self_attention_norm.forward(states.clone());
        let (states, queries, bias, visible) = match rows {
            // What is not after `</s>` is the tokens of the row.
            Some(rows) => {
                let bias = rows.of_bias(&earlier.bias);
                (rows.of(states), rows.of(normed.clone()), bias, &encoded.tokens)
            }
            None => (states, normed.clone(), earlier.bias.clone(), &earlier.visible),
        };
        let attended = self.self_attention.forward(queries, normed, Some(&bias), visible, mode);
        let states = states + dropout(attended, self.dropout_rate, mode);
        let queries = self.cross_attention_norm.forward(states.clone());
        let (sources, tokens) = (encoded.states.clone(), &encoded.tokens);
        let attended = self.cross_attention.forward(queries, sources, None, tokens, mode);
        let states = states + dropout(attended, self.dropout_rate, mode);
        let normed = self.decoder_feed_forward_norm.forward(states.clone());
        let expanded = self.decoder_feed_forward.forward(normed, mode);
        states + dropout(expanded, self.dropout_rate, mode)
    }
}

/// The encoder's output, and which of it are tokens.
struct Encoded {
    states: Tensor<3>,
    tokens: Visible,
}

/// How positions of the decoder attend to those that are not after them; the bias is
/// `[1, heads, seq, seq]`.
struct Earlier {
    bias: Tensor<4>,
    visible: Visible,
}

/// The position of `</s>` in each row of a batch.
struct LastRows {
    /// Indices into `[batch * seq]`.
    flat: Tensor<1, Int>,
    /// Indices into `[seq]`.
    positions: Tensor<1, Int>,
}

impl LastRows {
    fn new(lengths: &[usize], seq: usize, device: &Device) -> Self {
        let indices = |flat: bool| -> Vec<i32> {
            let start = |row: usize| if flat { row * seq } else { 0 };
            lengths.iter().enumerate().map(|(row, it)| (start(row) + it - 1) as i32).collect()
        };
        Self {
            flat: Tensor::from_data(indices(true).as_slice(), device),
            positions: Tensor::from_data(indices(false).as_slice(), device),
        }
    }

    /// `[batch, seq, hidden]` to `[batch, 1, hidden]`.
    fn of(&self, states: Tensor<3>) -> Tensor<3> {
        let [batch, seq, hidden] = states.dims();
        let rows = states.reshape([batch * seq, hidden]).select(0, self.flat.clone());
        rows.reshape([batch, 1, hidden])
    }

    /// `[1, heads, seq, seq]` to `[batch, heads, 1, seq]`.
    fn of_bias(&self, bias: &Tensor<4>) -> Tensor<4> {
        let [_, heads, _, seq] = bias.dims();
        let rows = bias.clone().select(2, self.positions.clone()); // [1, heads, batch, seq]
        let [_, _, batch, _] = rows.dims();
        rows.swap_dims(1, 2).reshape([batch, heads, 1, seq])
    }
}

#[derive(Module, Debug)]
struct Encoder {
    encoder_layers: Vec<EncoderLayer>,
    final_norm: RmsNorm,
}

#[derive(Module, Debug)]
struct Decoder {
    decoder_layers: Vec<DecoderLayer>,
    final_norm: RmsNorm,
}

/// Shared embedding, encoder and decoder.
#[derive(Module, Debug)]
pub(crate) struct T5 {
    pub(crate) shared: Embedding,
    encoder_stack: Encoder,
    decoder_stack: Decoder,
    start: u32,
    n_buckets: usize,
    max_distance: usize,
    dropout_rate: f64,
}

impl T5 {
    pub(crate) fn new(config: &T5Config, device: &Device) -> Self {
        let encoder_layers =
            (0..config.num_layers).map(|index| EncoderLayer::new(config, index == 0, device));
        let decoder_layers = (0..config.n_decoder_layers())
            .map(|index| DecoderLayer::new(config, index == 0, device));
        Self {
            shared: EmbeddingConfig::new(config.vocab_size, config.d_model).init(device),
            encoder_stack: Encoder {
                encoder_layers: encoder_layers.collect(),
                final_norm: norm(config, device),
            },
            decoder_stack: Decoder {
                decoder_layers: decoder_layers.collect(),
                final_norm: norm(config, device),
            },
            start: config.decoder_start_token_id,
            n_buckets: config.relative_attention_num_buckets,
            max_distance: config.relative_attention_max_distance,
            dropout_rate: config.dropout_rate,
        }
    }

    /// Layers of the encoder.
    pub(crate) fn n_encoder_layers(&self) -> usize {
        self.encoder_stack.encoder_layers.len()
    }

    /// Layers of encoder and decoder.
    pub(crate) fn n_layers(&self) -> usize {
        self.n_encoder_layers() + self.decoder_stack.decoder_layers.len()
    }

    /// The decoder's state at `</s>` after the last layer, `[batch, hidden]`, from word embeddings
    /// `[batch, seq, hidden]` of right-padded rows, which enter on both sides.
    ///
    /// Reference: the published scanner's decoder sees pads where the trigger is (defect D6.5).
    pub(crate) fn pooled(
        &self,
        words: Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
    ) -> Tensor<2> {
        let [batch, seq, hidden] = words.dims();
        let encoded = self.encode(&words, lengths, mode, &mut |_| ());
        let rows = LastRows::new(lengths, seq, &words.device());
        let state = self.decode(words, &encoded, Some(&rows), mode, &mut |_| ());
        state.reshape([batch, hidden])
    }

    /// Input and every layer's states of the encoder, then of the decoder, each
    /// `[batch, seq, hidden]`; the last ones normalised.
    pub(crate) fn hidden_states(&self, words: Tensor<3>, lengths: &[usize]) -> Vec<Tensor<3>> {
        let mut all = Vec::new();
        let mode = &mut Mode::Evaluate;
        let encoded = self.encode(&words, lengths, mode, &mut |it| all.push(it.clone()));
        all.pop();
        all.push(encoded.states.clone());
        let decoded = self.decode(words, &encoded, None, mode, &mut |it| all.push(it.clone()));
        all.pop();
        all.push(decoded);
        all
    }

    /// `observe` gets the input and every layer's states.
    fn encode(
        &self,
        words: &Tensor<3>,
        lengths: &[usize],
        mode: &mut Mode<'_>,
        observe: &mut dyn FnMut(&Tensor<3>),
    ) -> Encoded {
        let [_, seq, _] = words.dims();
        let Encoder { encoder_layers, final_norm } = &self.encoder_stack;
        let tokens = Visible::tokens(lengths, seq, &words.device());
        let table = encoder_layers[0].self_attention.position_table();
        let bias = position_bias(table, seq, true, self.n_buckets, self.max_distance);
        let mut states = dropout(words.clone(), self.dropout_rate, mode);
        observe(&states);
        for layer in encoder_layers {
            states = layer.forward(states, &bias, &tokens, mode);
            observe(&states);
        }
        let states = dropout(final_norm.forward(states), self.dropout_rate, mode);
        Encoded { states, tokens }
    }

    /// The decoder's states, of the positions in `rows` or of all.
    ///
    /// Pads are hidden as well: they come after `</s>`.
    fn decode(
        &self,
        words: Tensor<3>,
        encoded: &Encoded,
        rows: Option<&LastRows>,
        mode: &mut Mode<'_>,
        observe: &mut dyn FnMut(&Tensor<3>),
    ) -> Tensor<3> {
        let [batch, seq, hidden] = words.dims();
        let Decoder { decoder_layers, final_norm } = &self.decoder_stack;
        let table = decoder_layers[0].self_attention.position_table();
        let earlier = Earlier {
            bias: position_bias(table, seq, false, self.n_buckets, self.max_distance),
            visible: Visible::earlier(seq, &words.device()),
        };
        let start = self.start as usize;
        let first: Tensor<3> = self.shared.weight.val().slice(s![start..=start]).unsqueeze();
        let shifted =
            Tensor::cat(vec![first.expand([batch, 1, hidden]), words.narrow(1, 0, seq - 1)], 1);
        let mut states = dropout(shifted, self.dropout_rate, mode);
        observe(&states);
        let last = decoder_layers.len() - 1;
        for (index, layer) in decoder_layers.iter().enumerate() {
            let rows = if index == last { rows } else { None };
            states = layer.forward(states, encoded, &earlier, rows, mode);
            observe(&states);
        }
        dropout(final_norm.forward(states), self.dropout_rate, mode)
    }
}

fn norm(config: &T5Config, device: &Device) -> RmsNorm {
    RmsNorm::new(config.d_model, config.layer_norm_epsilon, device)
}
