//! A model that answers, and folders that it is written to.

use std::path::{Path, PathBuf};

use elibadcode_corpus::{CodeTokenizer, EncodedCode, InputFormat};
use elibadcode_syntax::{Function, Language};
use fs_err as fs;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::config::ModelConfig;
use crate::device::Compute;
use crate::error::Error;
use crate::head::Head;
use crate::initialize::initialize;
use crate::model::CodeModel;
use crate::model_dir::{PROVENANCE, Provenance, TOKENIZER_FILES};
use crate::parameters;
use crate::weights::{bare_name, write_safetensors};

/// A model that answers, with its tokenizer.
#[derive(Debug)]
pub struct LoadedModel {
    /// Encoder and head.
    pub network: CodeModel,
    /// The folder's tokenizer.
    pub tokenizer: CodeTokenizer,
    /// `config.json`, with the head that was loaded.
    pub config: ModelConfig,
    /// Ids that an input is cut to, special tokens included.
    pub max_length: usize,
    /// Where the tokenizer files are, to be copied when the model is written.
    pub(crate) source: PathBuf,
    /// How inputs are built; written beside the model.
    pub(crate) provenance: Provenance,
}

impl LoadedModel {
    /// Parses and encodes one function.
    pub fn encode(&self, code: &str, language: Language) -> EncodedCode {
        match self.input_format() {
            InputFormat::CodeTokens => self.encode_function(&Function::parse(code, language)),
            InputFormat::Whitespace => self.tokenizer.encode_whitespace(code, self.max_length),
        }
    }

    /// Encodes a parsed function.
    pub fn encode_function(&self, function: &Function) -> EncodedCode {
        match self.input_format() {
            InputFormat::CodeTokens => self.tokenizer.encode(function, self.max_length),
            InputFormat::Whitespace => {
                self.tokenizer.encode_whitespace(function.text(), self.max_length)
            }
        }
    }

    /// Encodes the sentence that a function is searched by.
    pub fn encode_query(&self, query: &str) -> Vec<u32> {
        self.tokenizer.encode_whitespace(query, self.max_length).ids
    }

    /// What the input text is made of.
    pub fn input_format(&self) -> InputFormat {
        self.provenance.input_format.unwrap_or_default()
    }

    /// The same folder with other weights.
    #[must_use]
    pub fn with_network(self, network: CodeModel) -> Self {
        Self { network, ..self }
    }

    /// Writes a folder that transformers loads. `path` must not exist; it appears whole or not at
    /// all. `made_by` says how the weights came about.
    pub fn save(&self, path: &Path, made_by: Value) -> Result<(), Error> {
        let provenance = Provenance { made_by, ..self.provenance.clone() };
        let source = self.source.clone();
        save_dir(path, &self.network, &self.config, &provenance, |dir| {
            for name in TOKENIZER_FILES {
                if source.join(name).exists() {
                    fs::copy(source.join(name), dir.join(name))?;
                }
            }
            Ok(())
        })
    }

    /// Writes a freshly initialized model with a new tokenizer; see [`LoadedModel::save`].
    ///
    /// The head is the one that the configuration declares.
    pub fn create(
        path: &Path,
        config: &ModelConfig,
        tokenizer: &CodeTokenizer,
        provenance: &Provenance,
        rng: &mut ChaCha8Rng,
        compute: &Compute,
    ) -> Result<(), Error> {
        config.validate().map_err(|problem| Error::Config { path: path.to_owned(), problem })?;
        let head = config.declared_head().unwrap_or(Head::Embedding);
        let network = initialize(config, head, rng, &compute.device);
        save_dir(path, &network, config, provenance, |dir| Ok(tokenizer.save(dir)?))
    }
}

fn save_dir(
    path: &Path,
    network: &CodeModel,
    config: &ModelConfig,
    provenance: &Provenance,
    write_tokenizer: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new().prefix(".elibadcode-").tempdir_in(parent)?;
    let dir = scratch.path();
    let json = |value: &Value| format!("{value:#}\n");
    let as_value = |value: serde_json::Result<Value>| value.map_err(std::io::Error::from);
    fs::write(dir.join("config.json"), json(&as_value(serde_json::to_value(config))?))?;
    fs::write(dir.join(PROVENANCE), json(&as_value(serde_json::to_value(provenance))?))?;
    let mut tensors = parameters::collect(network);
    if config.declared_head().is_none() {
        // A pre-trained encoder's class has no level above the encoder.
        tensors = tensors.into_iter().map(|(name, it)| (bare_name(&name), it)).collect();
    }
    write_safetensors(&dir.join("model.safetensors"), &tensors)?;
    write_tokenizer(dir)?;
    fs::rename(dir, path)?;
    // The folder has its new name; nothing is left to clean up.
    let _ = scratch.keep();
    Ok(())
}
