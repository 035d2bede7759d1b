//! The RoBERTa part of a `config.json`: `CodeBERT` and `UniXcoder`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{check_epsilon, check_layers, check_rates, check_sizes};

/// RoBERTa's sizes and rates, under transformers' names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobertaConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Only `gelu` (the exact one) is supported.
    #[serde(default = "gelu")]
    pub hidden_act: String,
    /// Dropout rate of hidden states in training.
    #[serde(default = "tenth")]
    pub hidden_dropout_prob: f64,
    /// Dropout rate of attention weights in training.
    #[serde(default = "tenth")]
    pub attention_probs_dropout_prob: f64,
    /// Rows of the position embedding; the first used is `pad_token_id + 1`.
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding; only row 0 is used.
    pub type_vocab_size: usize,
    /// Epsilon of every layer norm.
    #[serde(default = "tiny_epsilon")]
    pub layer_norm_eps: f64,
    /// Standard deviation of freshly drawn weights.
    #[serde(default = "initializer_range")]
    pub initializer_range: f64,
    /// `<s>`.
    #[serde(default)]
    pub bos_token_id: u32,
    /// `<pad>`.
    #[serde(default = "one")]
    pub pad_token_id: u32,
    /// `</s>`.
    #[serde(default = "two")]
    pub eos_token_id: u32,
    /// Everything else, written back unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

pub(super) fn gelu() -> String {
    "gelu".into()
}
fn tenth() -> f64 {
    0.1
}
fn tiny_epsilon() -> f64 {
    1e-12
}
pub(super) fn initializer_range() -> f64 {
    0.02
}
fn one() -> u32 {
    1
}
fn two() -> u32 {
    2
}

impl RobertaConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        check_sizes(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ])?;
        check_layers(&[("num_hidden_layers", self.num_hidden_layers)])?;
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if self
            .other
            .get("is_decoder")
            .is_some_and(|it| *it != Value::Null && *it != Value::Bool(false))
        {
            let value = &self.other["is_decoder"];
            return Err(format!(
                "is_decoder is {value}: such a model reads from left to right only, which this version \
                 does not. Programs that hand it a mask of their own, as UniXcoder's do, read both ways: \
                 set it to false for them"
            ));
        }
        if let Some(kind) = self.other.get("position_embedding_type")
            && *kind != Value::Null
            && kind != "absolute"
        {
            return Err(format!("position_embedding_type is {kind}, expected `absolute`"));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("hidden_act is `{}`, expected `gelu`", self.hidden_act));
        }
        check_rates(&[
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
            ("classifier_dropout", self.head_dropout_rate()),
        ])?;
        check_epsilon("layer_norm_eps", self.layer_norm_eps)?;
        if self.max_length() < 3 {
            return Err(format!(
                "max_position_embeddings {} leaves no room for a token",
                self.max_position_embeddings
            ));
        }
        Ok(())
    }

    /// Dropout rate of the head: `classifier_dropout`, which is absent or `null` as a rule, else
    /// `hidden_dropout_prob`.
    pub(super) fn head_dropout_rate(&self) -> f64 {
        let own = self.other.get("classifier_dropout").and_then(Value::as_f64);
        own.unwrap_or(self.hidden_dropout_prob)
    }

    /// The longest input, special tokens included, that has position embeddings.
    pub(super) fn max_length(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.pad_token_id as usize + 1)
    }
}
