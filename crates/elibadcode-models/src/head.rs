//! What a model is asked: its head, and how `config.json` names it (spec section 3.3).

use std::fmt;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use elibadcode_corpus::Task;
use serde::{Deserialize, Serialize};

use crate::config::{EncoderConfig, ModelConfig};
use crate::dropout::{Mode, dropout};

/// What a model does with the vector of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// The log-odds of label 1 of one function, from one or two outputs.
    Classification,
    /// The log-odds that two functions are clones, from their concatenated vectors.
    Pair,
    /// No head: the normalised vector itself, to be compared with others.
    Embedding,
}

impl Head {
    /// The head that a task needs.
    pub fn of_task(task: Task) -> Self {
        match task {
            Task::DefectDetection => Self::Classification,
            Task::CloneDetection => Self::Pair,
            Task::CodeSearch => Self::Embedding,
        }
    }

    /// The head of a class in `architectures`; none for a pre-trained encoder.
    pub(crate) fn of_class(class: &str) -> Option<Self> {
        match class {
            "RobertaForSequenceClassification" | "T5ForSequenceClassification" => {
                Some(Self::Classification)
            }
            "RobertaForCloneDetection" | "T5ForCloneDetection" => Some(Self::Pair),
            "RobertaForCodeSearch" | "T5ForCodeSearch" => Some(Self::Embedding),
            _ => None,
        }
    }

    /// transformers' class, or for the heads that it has not, one in its manner.
    pub(crate) fn class_name(self, encoder: &EncoderConfig) -> &'static str {
        match (encoder, self) {
            (EncoderConfig::Roberta(_), Self::Classification) => "RobertaForSequenceClassification",
            (EncoderConfig::Roberta(_), Self::Pair) => "RobertaForCloneDetection",
            (EncoderConfig::Roberta(_), Self::Embedding) => "RobertaForCodeSearch",
            (EncoderConfig::T5(_), Self::Classification) => "T5ForSequenceClassification",
            (EncoderConfig::T5(_), Self::Pair) => "T5ForCloneDetection",
            (EncoderConfig::T5(_), Self::Embedding) => "T5ForCodeSearch",
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classification => "classification",
            Self::Pair => "pair",
            Self::Embedding => "embedding",
        })
    }
}

/// transformers' classification head: dropout, dense, tanh, dropout, output.
#[derive(Module, Debug)]
pub(crate) struct DenseHead {
    dense: Linear,
    out_proj: Linear,
    dropout_rate: f64,
}

impl DenseHead {
    /// The layers of a head; none for [`Head::Embedding`].
    pub(crate) fn new(head: Head, config: &ModelConfig, device: &Device) -> Option<Self> {
        let hidden = config.hidden_size();
        let inputs = match head {
            Head::Classification => hidden,
            Head::Pair => 2 * hidden,
            Head::Embedding => return None,
        };
        Some(Self {
            dense: LinearConfig::new(inputs, hidden).init(device),
            out_proj: LinearConfig::new(hidden, config.n_outputs()).init(device),
            dropout_rate: config.head_dropout_rate(),
        })
    }

    /// `[batch, inputs]` vectors give `[batch, outputs]` logits.
    pub(crate) fn forward(&self, vectors: Tensor<2>, mode: &mut Mode<'_>) -> Tensor<2> {
        let dense = self.dense.forward(dropout(vectors, self.dropout_rate, mode)).tanh();
        self.out_proj.forward(dropout(dense, self.dropout_rate, mode))
    }
}
