//! `config.json` of a Hugging Face folder, and our own small architectures.

use std::path::Path;
use std::str::FromStr;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// Above this a size in `config.json` is taken for an attack or a mistake.
const MAX_SIZE: usize = 1 << 22;

/// The RoBERTa part of a Hugging Face `config.json`; keys that we do not use are kept.
///
/// Defaults are transformers' own for a key that is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Class names; the head layout follows from the first.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// `roberta` for `CodeBERT` and `UniXcoder`.
    pub model_type: String,
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
    /// Output rows of the head. transformers writes `id2label` instead when it is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// Names of the labels; their number is the number of output rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Option<Map<String, Value>>,
    /// Everything else, written back unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn gelu() -> String {
    "gelu".into()
}
fn tenth() -> f64 {
    0.1
}
fn tiny_epsilon() -> f64 {
    1e-12
}
fn initializer_range() -> f64 {
    0.02
}
fn one() -> u32 {
    1
}
fn two() -> u32 {
    2
}

impl ModelConfig {
    /// Reads and checks `config.json`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)?;
        let problem = |problem: String| Error::Config { path: path.to_owned(), problem };
        let json: Value =
            serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
        match json.get("model_type").and_then(Value::as_str) {
            Some("roberta") => {}
            Some(other) => {
                return Err(problem(format!(
                    "model_type is `{other}`; this version reads `roberta` (CodeBERT, UniXcoder)"
                )));
            }
            None => return Err(problem("no `model_type`; is this a Hugging Face folder?".into())),
        }
        let config: Self =
            serde_json::from_value(json).map_err(|error| problem(error.to_string()))?;
        config.validate().map_err(problem)?;
        Ok(config)
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ] {
            if value == 0 || value > MAX_SIZE {
                return Err(format!("{name} is {value}, expected 1 to {MAX_SIZE}"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("hidden_act is `{}`, expected `gelu`", self.hidden_act));
        }
        for (name, id) in [
            ("bos_token_id", self.bos_token_id),
            ("pad_token_id", self.pad_token_id),
            ("eos_token_id", self.eos_token_id),
        ] {
            if id as usize >= self.vocab_size {
                return Err(format!("{name} is {id}, outside the vocabulary"));
            }
        }
        for (name, rate) in [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return Err(format!("{name} is {rate}, expected 0 to below 1"));
            }
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!("layer_norm_eps is {}", self.layer_norm_eps));
        }
        if self.max_length() < 3 {
            return Err(format!(
                "max_position_embeddings {} leaves no room for a token",
                self.max_position_embeddings
            ));
        }
        if !matches!(self.n_outputs(), 1 | 2) {
            return Err(format!("the head has {} outputs, expected 1 or 2", self.n_outputs()));
        }
        Ok(())
    }

    /// Output rows of the head: `id2label`, else `num_labels`, else transformers' default of 2.
    pub fn n_outputs(&self) -> usize {
        self.id2label.as_ref().map(Map::len).or(self.num_labels).unwrap_or(2)
    }

    /// The longest input, special tokens included, that has position embeddings.
    pub fn max_length(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.pad_token_id as usize + 1)
    }
}

/// A small RoBERTa with a one-logit head, to be trained from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// 2 layers, hidden 128: the laptop-scale experiments.
    Tiny,
    /// 4 layers, hidden 256.
    Small,
    /// `CodeBERT`'s own shape: 12 layers, hidden 768.
    Base,
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tiny" => Ok(Self::Tiny),
            "small" => Ok(Self::Small),
            "base" => Ok(Self::Base),
            other => Err(format!("unknown preset `{other}`, expected tiny, small or base")),
        }
    }
}

impl Preset {
    /// The configuration for a vocabulary of this size; special ids as `CodeBERT` has them.
    pub fn config(self, vocab_size: usize) -> ModelConfig {
        let (layers, hidden, heads, feed_forward, positions) = match self {
            Self::Tiny => (2, 128, 8, 256, 258),
            Self::Small => (4, 256, 4, 1024, 514),
            Self::Base => (12, 768, 12, 3072, 514),
        };
        ModelConfig {
            architectures: vec!["RobertaForSequenceClassification".into()],
            model_type: "roberta".into(),
            vocab_size,
            hidden_size: hidden,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: feed_forward,
            hidden_act: gelu(),
            // A small model trained on a few thousand functions learns several times slower with
            // dropout and does not overfit within the two epochs that it gets.
            hidden_dropout_prob: if self == Self::Base { 0.1 } else { 0.0 },
            attention_probs_dropout_prob: if self == Self::Base { 0.1 } else { 0.0 },
            max_position_embeddings: positions,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            initializer_range: initializer_range(),
            bos_token_id: 0,
            pad_token_id: 1,
            eos_token_id: 2,
            num_labels: None,
            id2label: Some([("0".to_owned(), Value::from("LABEL_0"))].into_iter().collect()),
            other: [
                ("label2id".to_owned(), serde_json::json!({"LABEL_0": 0})),
                ("position_embedding_type".to_owned(), Value::from("absolute")),
            ]
            .into_iter()
            .collect(),
        }
    }
}
