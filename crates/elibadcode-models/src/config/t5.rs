//! The T5 part of a `config.json`: `CodeT5`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{check_epsilon, check_layers, check_rates, check_sizes};

/// T5's sizes and rates, under transformers' names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct T5Config {
    /// Rows of the embedding that encoder and decoder share.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub d_model: usize,
    /// Width of one attention head; `num_heads * d_kv` need not be `d_model`.
    pub d_kv: usize,
    /// Width of the feed-forward layer.
    pub d_ff: usize,
    /// Layers of the encoder.
    pub num_layers: usize,
    /// Layers of the decoder; as many as the encoder's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_decoder_layers: Option<usize>,
    /// Attention heads.
    pub num_heads: usize,
    /// Rows of the relative position table.
    #[serde(default = "buckets")]
    pub relative_attention_num_buckets: usize,
    /// Distances from here on share one bucket.
    #[serde(default = "max_distance")]
    pub relative_attention_max_distance: usize,
    /// Dropout rate in training.
    #[serde(default = "tenth")]
    pub dropout_rate: f64,
    /// Dropout rate of the head; 0 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier_dropout: Option<f64>,
    /// Epsilon of every norm.
    #[serde(default = "small_epsilon")]
    pub layer_norm_epsilon: f64,
    /// `relu` or `gated-gelu`.
    #[serde(default = "relu")]
    pub feed_forward_proj: String,
    /// The longest input; a promise of ours and `CodeT5`'s, relative positions have no end.
    #[serde(default = "positions")]
    pub n_positions: usize,
    /// `<s>`.
    #[serde(default = "one")]
    pub bos_token_id: u32,
    /// `<pad>`.
    #[serde(default)]
    pub pad_token_id: u32,
    /// `</s>`.
    #[serde(default = "one")]
    pub eos_token_id: u32,
    /// The decoder's first token.
    #[serde(default)]
    pub decoder_start_token_id: u32,
    /// Everything else, written back unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn buckets() -> usize {
    32
}
fn max_distance() -> usize {
    128
}
fn tenth() -> f64 {
    0.1
}
fn small_epsilon() -> f64 {
    1e-6
}
pub(super) fn relu() -> String {
    "relu".into()
}
fn positions() -> usize {
    512
}
fn one() -> u32 {
    1
}

impl T5Config {
    pub(super) fn validate(&self) -> Result<(), String> {
        check_sizes(&[
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_kv", self.d_kv),
            ("d_ff", self.d_ff),
            ("num_heads", self.num_heads),
            ("relative_attention_num_buckets", self.relative_attention_num_buckets),
            ("relative_attention_max_distance", self.relative_attention_max_distance),
            ("n_positions", self.n_positions),
        ])?;
        check_layers(&[
            ("num_layers", self.num_layers),
            ("num_decoder_layers", self.n_decoder_layers()),
        ])?;
        if !matches!(self.feed_forward_proj.as_str(), "relu" | "gated-gelu") {
            return Err(format!(
                "feed_forward_proj is `{}`, expected `relu` or `gated-gelu`",
                self.feed_forward_proj
            ));
        }
        // What it stands for is written down beside it, and goes before it.
        let activation = if self.is_gated() { "gelu_new" } else { "relu" };
        let said = |key: &str| self.other.get(key);
        if said("dense_act_fn").is_some_and(|it| it != activation)
            || said("is_gated_act").is_some_and(|it| *it != self.is_gated())
        {
            return Err(format!(
                "dense_act_fn and is_gated_act are not those of feed_forward_proj `{}`",
                self.feed_forward_proj
            ));
        }
        // Other names of the same numbers, which transformers sets last.
        for (alias, name, own) in [
            ("hidden_size", "d_model", self.d_model),
            ("num_hidden_layers", "num_layers", self.num_layers),
            ("num_attention_heads", "num_heads", self.num_heads),
            ("head_dim", "d_kv", self.d_kv),
        ] {
            if let Some(other) = said(alias).filter(|it| !it.is_null() && **it != own) {
                return Err(format!("{alias} is {other}, and {name}, which is the same, {own}"));
            }
        }
        // Below, a side of the table has no bucket for exact distances.
        let n_buckets = self.relative_attention_num_buckets;
        if n_buckets < 4 || self.relative_attention_max_distance <= n_buckets / 2 {
            return Err(format!(
                "{n_buckets} relative attention buckets do not fit a largest distance of {}",
                self.relative_attention_max_distance
            ));
        }
        let width = self.num_heads.saturating_mul(self.d_kv);
        check_sizes(&[("num_heads * d_kv", width)])?;
        check_rates(&[
            ("dropout_rate", self.dropout_rate),
            ("classifier_dropout", self.classifier_dropout.unwrap_or(0.0)),
        ])?;
        check_epsilon("layer_norm_epsilon", self.layer_norm_epsilon)?;
        if self.n_positions < 3 {
            return Err(format!("n_positions {} leaves no room for a token", self.n_positions));
        }
        if self.decoder_start_token_id as usize >= self.vocab_size {
            return Err(format!(
                "decoder_start_token_id is {}, outside the vocabulary",
                self.decoder_start_token_id
            ));
        }
        Ok(())
    }

    /// Layers of the decoder.
    pub fn n_decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// Whether the feed-forward layer is gated, instead of plain.
    pub(crate) fn is_gated(&self) -> bool {
        self.feed_forward_proj == "gated-gelu"
    }
}
