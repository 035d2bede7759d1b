//! Hugging Face folders: `config.json`, `model.safetensors`, a tokenizer, and our provenance.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elibadcode_corpus::{CodeTokenizer, EncodedCode, InputFormat};
use elibadcode_syntax::{Function, Language};
use fs_err as fs;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::{HostTensor, read_safetensors, write_safetensors};
use crate::config::ModelConfig;
use crate::device::Compute;
use crate::error::Error;
use crate::initialize::initialize;
use crate::model::CodeModel;
use crate::parameters;

/// Files that make up a tokenizer and its settings; copied unchanged when a model is written.
const TOKENIZER_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
];
const PROVENANCE: &str = "elibadcode.json";
/// Paper: 400 ids for defect and clone detection.
const PAPER_MAX_LENGTH: usize = 400;

/// What we add to a Hugging Face folder: how its input is built and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Ids that an input is cut to, special tokens included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The output row of a two-output head that means label 1; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_output: Option<usize>,
    /// What the input text is made of; code tokens if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_format: Option<InputFormat>,
    /// Which command wrote the folder, from what, with which settings.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub made_by: Value,
}

/// A model folder whose configuration has been read.
#[derive(Clone, Debug)]
pub struct ModelDir {
    /// The folder.
    pub path: PathBuf,
    /// `config.json`.
    pub config: ModelConfig,
    /// `elibadcode.json`, or its defaults.
    pub provenance: Provenance,
}

/// A model that answers, with its tokenizer.
#[derive(Debug)]
pub struct LoadedModel {
    /// Encoder and head.
    pub network: CodeModel,
    /// The folder's tokenizer.
    pub tokenizer: CodeTokenizer,
    /// `config.json`.
    pub config: ModelConfig,
    /// Ids that an input is cut to, special tokens included.
    pub max_length: usize,
    /// Where the tokenizer files are, to be copied when the model is written.
    source: PathBuf,
    /// How inputs are built; written beside the model.
    provenance: Provenance,
}

impl ModelDir {
    /// Reads the configuration of a folder; the weights are read by [`ModelDir::load`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let config = ModelConfig::read(&path.join("config.json"))?;
        let provenance_path = path.join(PROVENANCE);
        let mut provenance = Provenance::default();
        if provenance_path.exists() {
            provenance =
                serde_json::from_str(&fs::read_to_string(&provenance_path)?).map_err(|error| {
                    Error::Config { path: provenance_path.clone(), problem: error.to_string() }
                })?;
        }
        let dir = Self { path: path.to_owned(), config, provenance };
        dir.check_input(&provenance_path)?;
        Ok(dir)
    }

    fn check_input(&self, path: &Path) -> Result<(), Error> {
        let problem = |problem| Error::Config { path: path.to_owned(), problem };
        let longest = self.config.max_length();
        if let Some(length) = self.provenance.max_length
            && !(3..=longest).contains(&length)
        {
            return Err(problem(format!("max_length is {length}, expected 3 to {longest}")));
        }
        if let Some(output @ 2..) = self.provenance.positive_output {
            return Err(problem(format!("positive_output is {output}, expected 0 or 1")));
        }
        Ok(())
    }

    /// The folder with another input length, label order or input format than it says itself.
    pub fn with_input(
        mut self,
        max_length: Option<usize>,
        positive_output: Option<usize>,
        input_format: Option<InputFormat>,
    ) -> Result<Self, Error> {
        self.provenance.max_length = max_length.or(self.provenance.max_length);
        self.provenance.positive_output = positive_output.or(self.provenance.positive_output);
        self.provenance.input_format = input_format.or(self.provenance.input_format);
        let path = self.path.clone();
        self.check_input(&path)?;
        Ok(self)
    }

    /// Ids that an input is cut to.
    pub fn max_length(&self) -> usize {
        self.provenance.max_length.unwrap_or(PAPER_MAX_LENGTH).min(self.config.max_length())
    }

    /// Loads weights and tokenizer.
    pub fn load(&self, compute: &Compute) -> Result<LoadedModel, Error> {
        self.load_with(compute, |_| Ok(BTreeMap::new()))
    }

    /// Loads a pre-trained encoder for training: a head that is missing is drawn anew.
    pub fn load_for_training(
        &self,
        compute: &Compute,
        rng: &mut ChaCha8Rng,
    ) -> Result<LoadedModel, Error> {
        self.load_with(compute, |tensors| {
            if tensors.keys().any(|name| name.starts_with("classifier.")) {
                return Ok(BTreeMap::new());
            }
            let fresh = parameters::collect(&initialize(&self.config, rng, &compute.device));
            Ok(fresh.into_iter().filter(|(name, _)| name.starts_with("classifier.")).collect())
        })
    }

    fn load_with(
        &self,
        compute: &Compute,
        additions: impl FnOnce(
            &BTreeMap<String, HostTensor>,
        ) -> Result<BTreeMap<String, HostTensor>, Error>,
    ) -> Result<LoadedModel, Error> {
        let path = self.path.join("model.safetensors");
        let mut tensors = encoder_and_head(read_safetensors(&path)?);
        tensors.extend(additions(&tensors)?);
        let network = CodeModel::uninitialized(&self.config, &compute.device);
        let problems = parameters::compare(&parameters::shapes(&network), &tensors);
        if !problems.is_empty() {
            return Err(Error::Tensors { path, problems });
        }
        let mut network = parameters::apply(network, tensors, &compute.device);
        network.set_positive_output(self.provenance.positive_output.unwrap_or(1));
        let tokenizer = CodeTokenizer::open(&self.path)?;
        if tokenizer.size() > self.config.vocab_size {
            return Err(Error::VocabularySize {
                path: self.path.clone(),
                tokenizer: tokenizer.size(),
                model: self.config.vocab_size,
            });
        }
        Ok(LoadedModel {
            network,
            tokenizer,
            config: self.config.clone(),
            max_length: self.max_length(),
            source: self.path.clone(),
            provenance: self.provenance.clone(),
        })
    }

    /// A hash over everything that decides the model's answers.
    pub fn hash(&self) -> Result<String, Error> {
        let mut hasher = blake3::Hasher::new();
        for name in ["config.json", PROVENANCE, "model.safetensors"].iter().chain(&TOKENIZER_FILES)
        {
            let path = self.path.join(name);
            if path.exists() {
                hasher.update(name.as_bytes());
                hasher.update(blake3::hash(&fs::read(&path)?).as_bytes());
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Names, shapes and element counts of the weights.
    pub fn tensors(&self) -> Result<BTreeMap<String, Vec<usize>>, Error> {
        let tensors = read_safetensors(&self.path.join("model.safetensors"))?;
        Ok(tensors.into_iter().map(|(name, tensor)| (name, tensor.shape)).collect())
    }
}

/// Brings a bare encoder's names under `roberta.`, and leaves out what no head of ours reads.
fn encoder_and_head(tensors: BTreeMap<String, HostTensor>) -> BTreeMap<String, HostTensor> {
    let is_bare = tensors.contains_key("embeddings.word_embeddings.weight");
    let unused = |name: &str| {
        name.ends_with("position_ids") || name.contains("pooler.") || name.starts_with("lm_head.")
    };
    tensors
        .into_iter()
        .filter(|(name, _)| !unused(name))
        .map(|(name, tensor)| (if is_bare { format!("roberta.{name}") } else { name }, tensor))
        .collect()
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
    pub fn create(
        path: &Path,
        config: &ModelConfig,
        tokenizer: &CodeTokenizer,
        provenance: &Provenance,
        rng: &mut ChaCha8Rng,
        compute: &Compute,
    ) -> Result<(), Error> {
        config.validate().map_err(|problem| Error::Config { path: path.to_owned(), problem })?;
        let network = initialize(config, rng, &compute.device);
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
    write_safetensors(&dir.join("model.safetensors"), &parameters::collect(network))?;
    write_tokenizer(dir)?;
    fs::rename(dir, path)?;
    // The folder has its new name; nothing is left to clean up.
    let _ = scratch.keep();
    Ok(())
}
