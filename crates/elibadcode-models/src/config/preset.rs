//! Small architectures of our own, in the shapes of the paper's three encoders.

use std::fmt;
use std::str::FromStr;

use elibadcode_corpus::TokenizerLayout;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::roberta::{gelu, initializer_range};
use super::t5::relu;
use super::{EncoderConfig, ModelConfig, RobertaConfig, T5Config};
use crate::head::Head;

/// One of the paper's three encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// RoBERTa.
    CodeBert,
    /// RoBERTa with longer inputs and ten token types.
    UniXcoder,
    /// T5.
    CodeT5,
}

impl Architecture {
    /// The special tokens of its tokenizer.
    pub fn tokenizer_layout(self) -> TokenizerLayout {
        match self {
            Self::CodeBert => TokenizerLayout::CodeBert,
            Self::UniXcoder => TokenizerLayout::UniXcoder,
            Self::CodeT5 => TokenizerLayout::CodeT5,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeBert => "codebert",
            Self::UniXcoder => "unixcoder",
            Self::CodeT5 => "codet5",
        })
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "codebert" => Ok(Self::CodeBert),
            "unixcoder" => Ok(Self::UniXcoder),
            "codet5" => Ok(Self::CodeT5),
            other => Err(format!(
                "unknown architecture `{other}`, expected codebert, unixcoder or codet5"
            )),
        }
    }
}

/// The size of a model to be trained from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// 2 layers, hidden 128: the laptop-scale experiments.
    Tiny,
    /// 4 layers, hidden 256.
    Small,
    /// The published model's own shape: 12 layers, hidden 768.
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
    /// The configuration for a vocabulary of this size, with a one-logit head; see
    /// [`ModelConfig::with_head`] for others.
    pub fn config(self, architecture: Architecture, vocab_size: usize) -> ModelConfig {
        let encoder = match architecture {
            Architecture::CodeBert => EncoderConfig::Roberta(self.codebert(vocab_size)),
            Architecture::UniXcoder => EncoderConfig::Roberta(RobertaConfig {
                max_position_embeddings: if self == Self::Tiny { 514 } else { 1026 },
                type_vocab_size: 10,
                ..self.codebert(vocab_size)
            }),
            Architecture::CodeT5 => EncoderConfig::T5(self.codet5(vocab_size)),
        };
        ModelConfig { architectures: Vec::new(), num_labels: None, id2label: None, encoder }
            .with_head(Head::Classification)
    }

    /// A small model trained on a few thousand functions learns several times slower with
    /// dropout and does not overfit within the two epochs that it gets.
    fn dropout_rate(self) -> f64 {
        if self == Self::Base { 0.1 } else { 0.0 }
    }

    fn codebert(self, vocab_size: usize) -> RobertaConfig {
        let (layers, hidden, heads, feed_forward, positions) = match self {
            Self::Tiny => (2, 128, 8, 256, 258),
            Self::Small => (4, 256, 4, 1024, 514),
            Self::Base => (12, 768, 12, 3072, 514),
        };
        RobertaConfig {
            vocab_size,
            hidden_size: hidden,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: feed_forward,
            hidden_act: gelu(),
            hidden_dropout_prob: self.dropout_rate(),
            attention_probs_dropout_prob: self.dropout_rate(),
            max_position_embeddings: positions,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            initializer_range: initializer_range(),
            bos_token_id: 0,
            pad_token_id: 1,
            eos_token_id: 2,
            other: [("position_embedding_type".to_owned(), Value::from("absolute"))]
                .into_iter()
                .collect(),
        }
    }

    fn codet5(self, vocab_size: usize) -> T5Config {
        // The small ones get one decoder layer: it need only read off one vector.
        let (layers, decoder_layers, hidden, heads, feed_forward, positions) = match self {
            Self::Tiny => (2, 1, 128, 8, 256, 256),
            Self::Small => (4, 1, 256, 4, 1024, 512),
            Self::Base => (12, 12, 768, 12, 3072, 512),
        };
        T5Config {
            vocab_size,
            d_model: hidden,
            d_kv: hidden / heads,
            d_ff: feed_forward,
            num_layers: layers,
            num_decoder_layers: Some(decoder_layers),
            num_heads: heads,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            dropout_rate: self.dropout_rate(),
            classifier_dropout: Some(self.dropout_rate()),
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: relu(),
            n_positions: positions,
            bos_token_id: 1,
            pad_token_id: 0,
            eos_token_id: 2,
            decoder_start_token_id: 0,
            other: [
                ("is_encoder_decoder".to_owned(), json!(true)),
                ("tie_word_embeddings".to_owned(), json!(true)),
            ]
            .into_iter()
            .collect(),
        }
    }
}
