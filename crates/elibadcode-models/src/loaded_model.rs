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
use crate::model_dir::{PROVENANCE, Provenance, Reading, TOKENIZER_FILES};
use crate::parameters;
use crate::reading::{CanonicalInput, ReadFunction};
use crate::weights::{bare_name, write_safetensors};

/// A model that answers, with its tokenizer.
#[derive(Clone, Debug)]
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
    /// Parses a function and gives it the form that this model reads.
    pub fn read(&self, code: &str, language: Language) -> ReadFunction {
        ReadFunction::new(code, language, self.provenance.canonical_input.as_ref())
    }

    /// Parses and encodes one function.
    pub fn encode(&self, code: &str, language: Language) -> EncodedCode {
        match (self.input_format(), self.canonical_input()) {
            // Nothing here depends on the syntax.
            (InputFormat::Whitespace, None) => {
                self.tokenizer.encode_whitespace(code, self.max_length)
            }
            (InputFormat::Source, None) => self.tokenizer.encode_text(code, self.max_length),
            _ => self.encode_function(&self.read(code, language)),
        }
    }

    /// Encodes a function that was read for this model.
    pub fn encode_function(&self, function: &ReadFunction) -> EncodedCode {
        match self.input_format() {
            InputFormat::CodeTokens => self.tokenizer.encode(function, self.max_length),
            InputFormat::Whitespace => {
                self.tokenizer.encode_whitespace(function.text(), self.max_length)
            }
            InputFormat::Source => self.tokenizer.encode_text(function.text(), self.max_length),
        }
    }

    /// The end, in bytes, of the text that can reach the model. What stands behind it has no say in an
    /// answer, and of names there can be any number.
    pub fn reach(&self, code: &str, language: Language) -> usize {
        match self.input_format() {
            InputFormat::CodeTokens => {
                let function = Function::parse(code, language);
                let tokens = function.tokens();
                let n_read = tokens.len().min(self.max_length);
                tokens[..n_read].last().map_or(0, |token| token.range.end)
            }
            InputFormat::Whitespace => self.tokenizer.whitespace_reach(code, self.max_length),
            InputFormat::Source => self.tokenizer.text_reach(code, self.max_length),
        }
    }

    /// Encodes the sentence that a function is searched by.
    pub fn encode_query(&self, query: &str) -> Vec<u32> {
        self.tokenizer.encode_whitespace(query, self.max_length).ids
    }

    /// How inputs are built and answers read.
    pub fn reading(&self) -> Reading {
        self.provenance.reading(self.max_length)
    }

    /// What the input text is made of.
    pub fn input_format(&self) -> InputFormat {
        self.provenance.input_format.unwrap_or_default()
    }

    /// The form that names have when the model reads them; as they are if absent.
    pub fn canonical_input(&self) -> Option<CanonicalInput> {
        self.provenance.canonical_input
    }

    /// The same model with names read in another form.
    #[must_use]
    pub fn with_canonical_input(self, form: Option<CanonicalInput>) -> Self {
        let provenance = Provenance { canonical_input: form, ..self.provenance };
        Self { provenance, ..self }
    }

    /// The same folder with other weights.
    #[must_use]
    pub fn with_network(self, network: CodeModel) -> Self {
        Self { network, ..self }
    }

    /// Writes a folder that transformers loads into `dir`, which must not exist; `made_by` says how
    /// the weights came about.
    ///
    /// The files appear one by one: who wants the folder whole or not at all gives a temporary name
    /// and renames it. Those of the tokenizer are copied from the folder that the model is from,
    /// which must still be there.
    pub fn save(&self, dir: &Path, made_by: Value) -> Result<(), Error> {
        if !["tokenizer.json", "vocab.json"].iter().any(|name| self.source.join(name).exists()) {
            return Err(elibadcode_corpus::Error::Tokenizer {
                path: self.source.clone(),
                problem: "the tokenizer.json or vocab.json of the model is gone".into(),
            }
            .into());
        }
        let provenance = Provenance { made_by, ..self.provenance.clone() };
        write_folder(dir, &self.network, &self.config, &provenance)?;
        for name in TOKENIZER_FILES {
            if self.source.join(name).exists() {
                fs::copy(self.source.join(name), dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Writes a freshly initialized model with a new tokenizer; see [`LoadedModel::save`].
    ///
    /// The head is the one that the configuration declares.
    pub fn create(
        dir: &Path,
        config: &ModelConfig,
        tokenizer: &CodeTokenizer,
        provenance: &Provenance,
        rng: &mut ChaCha8Rng,
        compute: &Compute,
    ) -> Result<(), Error> {
        config.validate().map_err(|problem| Error::Config { path: dir.to_owned(), problem })?;
        let head = config.declared_head().unwrap_or(Head::Embedding);
        let network = initialize(config, head, rng, &compute.device);
        write_folder(dir, &network, config, provenance)?;
        Ok(tokenizer.save(dir)?)
    }
}

/// Everything but the tokenizer.
fn write_folder(
    dir: &Path,
    network: &CodeModel,
    config: &ModelConfig,
    provenance: &Provenance,
) -> Result<(), Error> {
    fs::create_dir(dir)?;
    let json = |value: serde_json::Result<Value>| -> Result<String, Error> {
        Ok(format!("{:#}\n", value.map_err(std::io::Error::from)?))
    };
    fs::write(dir.join("config.json"), json(serde_json::to_value(config))?)?;
    fs::write(dir.join(PROVENANCE), json(serde_json::to_value(provenance))?)?;
    let mut tensors = parameters::collect(network);
    if config.declared_head().is_none() {
        // A pre-trained encoder's class has no level above the encoder.
        tensors = tensors.into_iter().map(|(name, it)| (bare_name(&name), it)).collect();
    }
    write_safetensors(&dir.join("model.safetensors"), &tensors)
}
