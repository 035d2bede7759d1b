//! `config.json` of a Hugging Face folder: it alone chooses architecture and head.

mod preset;
mod roberta;
mod t5;

use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::preset::{Architecture, Preset};
pub use self::roberta::RobertaConfig;
pub use self::t5::T5Config;
use crate::error::Error;
use crate::head::Head;

/// Above this a size in `config.json` is taken for an attack or a mistake.
const MAX_SIZE: usize = 1 << 22;
/// The same for the number of layers, each of which costs memory before weights are read.
const MAX_LAYERS: usize = 512;

/// Keys that have a default here, which `null` stands for, too.
const DEFAULTED: [&str; 11] = [
    "architectures",
    "bos_token_id",
    "pad_token_id",
    "eos_token_id",
    "decoder_start_token_id",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "hidden_act",
    "initializer_range",
    "feed_forward_proj",
    "n_positions",
];

/// A Hugging Face `config.json`; keys that we do not use are kept and written back.
///
/// Defaults are transformers' own for a key that is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Class names; the head follows from the first, see [`ModelConfig::declared_head`].
    #[serde(default)]
    pub architectures: Vec<String>,
    /// Output rows of the head. transformers writes `id2label` instead when it is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// Names of the labels; their number is the number of output rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id2label: Option<Map<String, Value>>,
    /// The encoder, by `model_type`.
    #[serde(flatten)]
    pub encoder: EncoderConfig,
}

/// The architecture part of a `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type", rename_all = "lowercase")]
pub enum EncoderConfig {
    /// `CodeBERT` and `UniXcoder`.
    Roberta(RobertaConfig),
    /// `CodeT5`.
    T5(T5Config),
}

impl ModelConfig {
    /// Reads and checks `config.json`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)?;
        let problem = |problem: String| Error::Config { path: path.to_owned(), problem };
        let mut json: Value =
            serde_json::from_str(&text).map_err(|error| problem(error.to_string()))?;
        match json.get("model_type").and_then(Value::as_str) {
            Some("roberta" | "t5") => {}
            Some(other) => {
                return Err(problem(format!(
                    "model_type is `{other}`; this version reads `roberta` (CodeBERT, UniXcoder) \
                     and `t5` (CodeT5)"
                )));
            }
            None => return Err(problem("no `model_type`; is this a Hugging Face folder?".into())),
        }
        // transformers writes `null` for what a class does not say, and takes its default.
        if let Value::Object(keys) = &mut json {
            keys.retain(|key, value| !value.is_null() || !DEFAULTED.contains(&key.as_str()));
        }
        let config: Self =
            serde_json::from_value(json).map_err(|error| problem(error.to_string()))?;
        config.validate().map_err(problem)?;
        Ok(config)
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), String> {
        for (name, id) in [
            ("bos_token_id", self.bos_token_id()),
            ("pad_token_id", self.pad_token_id()),
            ("eos_token_id", self.eos_token_id()),
        ] {
            if id as usize >= self.vocab_size() {
                return Err(format!("{name} is {id}, outside the vocabulary"));
            }
        }
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.validate()?,
            EncoderConfig::T5(config) => config.validate()?,
        }
        let is_said = |key: &str| self.other().get(key).is_some_and(|it| !it.is_null());
        if is_said("quantization_config") {
            return Err(
                "quantization_config: this version does not read quantized weights".to_owned()
            );
        }
        if is_said("auto_map") {
            return Err("auto_map names a program of the folder's own, which others may run in place \
                        of the model of this type, and this one does not: remove it if the model is \
                        a plain one"
                .to_owned());
        }
        for key in ["transformers_weights", "configuration_files"] {
            if is_said(key) {
                return Err(format!(
                    "{key} names files that other programs read in place of the usual ones, and this one \
                     does not: remove it"
                ));
            }
        }
        if let Some(kind @ ("regression" | "multi_label_classification")) =
            self.other().get("problem_type").and_then(Value::as_str)
        {
            return Err(format!(
                "problem_type is `{kind}`, expected `single_label_classification`: the outputs are no \
                 log-odds of two labels"
            ));
        }
        let (head, n_outputs) = (self.declared_head(), self.n_outputs());
        match head {
            Some(Head::Classification) if !matches!(n_outputs, 1 | 2) => {
                Err(format!("the head has {n_outputs} outputs, expected 1 or 2"))
            }
            Some(Head::Pair) if n_outputs != 2 => {
                Err(format!("the head has {n_outputs} outputs, expected 2 for pairs"))
            }
            _ => Ok(()),
        }
    }

    /// Says which id of a tokenizer is another one here: RoBERTa counts positions from the id of
    /// padding on, T5's vector is the state at `</s>`.
    pub(crate) fn check_special(&self, pad: u32, eos: u32) -> Result<(), String> {
        let is_t5 = matches!(self.encoder, EncoderConfig::T5(_));
        let ids = [
            (true, "pad_token_id", self.pad_token_id(), "<pad>", pad),
            (is_t5, "eos_token_id", self.eos_token_id(), "</s>", eos),
        ];
        let wrong = ids.into_iter().find(|(counts, _, here, _, there)| *counts && here != there);
        match wrong {
            Some((_, name, here, token, there)) => {
                Err(format!("{name} is {here}, but the tokenizer's `{token}` is {there}"))
            }
            None => Ok(()),
        }
    }

    /// The head that `architectures` names; none for a pre-trained encoder without one.
    pub fn declared_head(&self) -> Option<Head> {
        Head::of_class(self.architectures.first()?)
    }

    /// The configuration of the same encoder with another head.
    ///
    /// Paper: one output for defect detection, two for clone detection.
    #[must_use]
    pub fn with_head(mut self, head: Head) -> Self {
        let is_new = self.declared_head() != Some(head);
        self.architectures = vec![head.class_name(&self.encoder).to_owned()];
        match head {
            Head::Classification if is_new && self.id2label.is_none() => self.set_n_outputs(1),
            Head::Pair if is_new => self.set_n_outputs(2),
            _ => {}
        }
        self
    }

    /// Says that the head has this many output rows, as transformers would.
    pub(crate) fn set_n_outputs(&mut self, n_outputs: usize) {
        let name = |index: usize| format!("LABEL_{index}");
        let labels = (0..n_outputs).map(|index| (index.to_string(), Value::from(name(index))));
        self.id2label = Some(labels.collect());
        self.num_labels = None;
        let ids = (0..n_outputs).map(|index| (name(index), Value::from(index))).collect();
        self.other_mut().insert("label2id".to_owned(), Value::Object(ids));
    }

    /// Output rows of the head: `id2label`, else `num_labels`, else transformers' default of 2.
    pub fn n_outputs(&self) -> usize {
        self.id2label.as_ref().map(Map::len).or(self.num_labels).unwrap_or(2)
    }

    /// Whether the file says how many output rows the head has.
    pub(crate) fn says_n_outputs(&self) -> bool {
        self.id2label.is_some() || self.num_labels.is_some()
    }

    /// `roberta` or `t5`.
    pub fn model_type(&self) -> &'static str {
        match &self.encoder {
            EncoderConfig::Roberta(_) => "roberta",
            EncoderConfig::T5(_) => "t5",
        }
    }

    /// Rows of the word embedding.
    pub fn vocab_size(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.vocab_size,
            EncoderConfig::T5(config) => config.vocab_size,
        }
    }

    /// Width of a hidden state, and of the vector of a row.
    pub fn hidden_size(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.hidden_size,
            EncoderConfig::T5(config) => config.d_model,
        }
    }

    /// Transformer layers; of `CodeT5`, those of the encoder and of the decoder.
    pub fn n_layers(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.num_hidden_layers,
            EncoderConfig::T5(config) => config.num_layers + config.n_decoder_layers(),
        }
    }

    /// Attention heads of a layer.
    pub fn n_heads(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.num_attention_heads,
            EncoderConfig::T5(config) => config.num_heads,
        }
    }

    /// Width of a feed-forward layer.
    pub fn feed_forward_size(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.intermediate_size,
            EncoderConfig::T5(config) => config.d_ff,
        }
    }

    /// The longest input, special tokens included, that the model is made for.
    pub fn max_length(&self) -> usize {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.max_length(),
            EncoderConfig::T5(config) => config.n_positions,
        }
    }

    /// `<s>`.
    pub fn bos_token_id(&self) -> u32 {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.bos_token_id,
            EncoderConfig::T5(config) => config.bos_token_id,
        }
    }

    /// `<pad>`.
    pub fn pad_token_id(&self) -> u32 {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.pad_token_id,
            EncoderConfig::T5(config) => config.pad_token_id,
        }
    }

    /// `</s>`.
    pub fn eos_token_id(&self) -> u32 {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.eos_token_id,
            EncoderConfig::T5(config) => config.eos_token_id,
        }
    }

    /// Dropout rate before each dense layer of the head.
    pub(crate) fn head_dropout_rate(&self) -> f64 {
        match &self.encoder {
            EncoderConfig::Roberta(config) => config.head_dropout_rate(),
            EncoderConfig::T5(config) => config.classifier_dropout.unwrap_or(0.0),
        }
    }

    fn other(&self) -> &Map<String, Value> {
        match &self.encoder {
            EncoderConfig::Roberta(config) => &config.other,
            EncoderConfig::T5(config) => &config.other,
        }
    }

    fn other_mut(&mut self) -> &mut Map<String, Value> {
        match &mut self.encoder {
            EncoderConfig::Roberta(config) => &mut config.other,
            EncoderConfig::T5(config) => &mut config.other,
        }
    }
}

fn check_sizes(sizes: &[(&str, usize)]) -> Result<(), String> {
    check_range(sizes, MAX_SIZE)
}

fn check_layers(counts: &[(&str, usize)]) -> Result<(), String> {
    check_range(counts, MAX_LAYERS)
}

fn check_range(sizes: &[(&str, usize)], largest: usize) -> Result<(), String> {
    for &(name, value) in sizes {
        if value == 0 || value > largest {
            return Err(format!("{name} is {value}, expected 1 to {largest}"));
        }
    }
    Ok(())
}

fn check_rates(rates: &[(&str, f64)]) -> Result<(), String> {
    for (name, rate) in rates {
        if !(0.0..1.0).contains(rate) {
            return Err(format!("{name} is {rate}, expected 0 to below 1"));
        }
    }
    Ok(())
}

fn check_epsilon(name: &str, epsilon: f64) -> Result<(), String> {
    if epsilon > 0.0 && epsilon < 1.0 { Ok(()) } else { Err(format!("{name} is {epsilon}")) }
}
