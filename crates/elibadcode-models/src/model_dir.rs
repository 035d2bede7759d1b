//! Hugging Face folders: `config.json`, weights, a tokenizer, and our provenance.

mod reading;
mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elibadcode_corpus::{CodeTokenizer, InputFormat, lfs_problem};
use fs_err as fs;
use rand_chacha::ChaCha8Rng;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::reading::{Reading, ReadingChanges};
use self::stored::{NamedWeights, Stored, check_same_headers, check_shapes, stored_shapes};
use crate::checkpoint::HostTensor;
use crate::config::ModelConfig;
use crate::device::Compute;
use crate::error::Error;
use crate::head::Head;
use crate::initialize::fresh;
use crate::loaded_model::LoadedModel;
use crate::model::CodeModel;
use crate::parameters;
use crate::reading::CanonicalInput;
use crate::stored_head::{head_problem, is_head, resolve_head};
use crate::weights::{Names, Weights, canonical_names, locate, open_regular, read_bounded};

/// Of the files of a tokenizer the one that is no JSON.
const MERGES: &str = "merges.txt";
/// Files that make up a tokenizer and its settings; copied unchanged when a model is written.
pub(crate) const TOKENIZER_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    MERGES,
    "special_tokens_map.json",
    "added_tokens.json",
];
/// T5's word embedding.
const SHARED: &str = "transformer.shared.weight";
pub(crate) const PROVENANCE: &str = "elibadcode.json";
/// Attention scores of one input in one layer: 12 heads and 1,180 tokens are within it, 2 GiB for a
/// batch of 32. A folder that asks for more would take all memory.
const MAX_SCORES: usize = 1 << 24;
/// The same in all layers, which the way back keeps: 12 of them.
const MAX_ALL_SCORES: usize = 12 * MAX_SCORES;
/// Ids that an input is cut to if nothing else is said. Paper: 400 for defect and clone detection.
pub const DEFAULT_MAX_LENGTH: usize = 400;

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
    /// The form that names must have in the input text; as they are if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical_input: Option<CanonicalInput>,
    /// Whether an input starts with `<s> <encoder-only> </s>`, as `UniXcoder` was pre-trained.
    /// Reference: it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encoder_only_prefix: bool,
    /// Which command wrote the folder, from what, with which settings.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub made_by: Value,
}

impl Provenance {
    /// How inputs of this length are built and answers read.
    pub(crate) fn reading(&self, max_length: usize) -> Reading {
        Reading {
            max_length,
            positive_output: self.positive_output.unwrap_or(1),
            input_format: self.input_format.unwrap_or_default(),
            canonical_input: self.canonical_input,
            encoder_only_prefix: self.encoder_only_prefix,
        }
    }

    /// Ids of an input with one token of code.
    pub fn shortest_input(&self) -> usize {
        if self.encoder_only_prefix { 5 } else { 3 }
    }
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
    /// How inputs are built and answers read, if not as the folder says.
    other_reading: Option<Reading>,
}

/// Why a path cannot be a model folder.
fn no_folder(path: &Path, config: &Path) -> Option<&'static str> {
    if !path.exists() {
        Some("there is no such folder; a model of a hub must be downloaded first")
    } else if !path.is_dir() {
        Some("this is a file; give the model's whole folder")
    } else if !config.exists() {
        Some("this is no model folder: it has no config.json")
    } else {
        None
    }
}

/// Fails if a file of the folder that is read whole is none, does not end, or is not what its name says.
///
/// A folder can come with links, to a device that never ends or to a file of its reader's own, which
/// would be copied into the folders that are made of it.
fn check_texts(dir: &Path) -> Result<(), Error> {
    for name in ["config.json", PROVENANCE].into_iter().chain(TOKENIZER_FILES) {
        let path = dir.join(name);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let bytes = read_bounded(&path)?;
        let problem = || {
            if name == MERGES {
                let is_merges = bytes.is_empty() || bytes.starts_with(b"#version");
                (!is_merges).then(|| "does not start with `#version`, as merges do".to_owned())
            } else {
                let parsed = serde_json::from_slice::<IgnoredAny>(&bytes);
                parsed.err().map(|error| error.to_string())
            }
        };
        if let Some(problem) = lfs_problem(&bytes).or_else(problem) {
            return Err(Error::Config { path, problem });
        }
    }
    Ok(())
}

impl ModelDir {
    /// Reads the configuration of a folder; the weights are read by [`ModelDir::load`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let config_path = path.join("config.json");
        if let Some(problem) = no_folder(path, &config_path) {
            return Err(Error::Config { path: path.to_owned(), problem: problem.to_owned() });
        }
        check_texts(path)?;
        let config = ModelConfig::read(&config_path)?;
        let provenance_path = path.join(PROVENANCE);
        let mut provenance = Provenance::default();
        if provenance_path.exists() {
            provenance =
                serde_json::from_str(&fs::read_to_string(&provenance_path)?).map_err(|error| {
                    Error::Config { path: provenance_path.clone(), problem: error.to_string() }
                })?;
        }
        let dir = Self { path: path.to_owned(), config, provenance, other_reading: None };
        dir.check_input(&provenance_path)?;
        Ok(dir)
    }

    fn check_input(&self, path: &Path) -> Result<(), Error> {
        let problem = |problem| Error::Config { path: path.to_owned(), problem };
        if let Some(output @ 2..) = self.provenance.positive_output {
            return Err(problem(format!("positive_output is {output}, expected 0 or 1")));
        }
        match self.provenance.canonical_input.and_then(CanonicalInput::problem) {
            Some(text) => Err(problem(text)),
            None => Ok(()),
        }
    }

    /// Fails if the model has no room for inputs of its length, or no machine has.
    fn check_length(&self) -> Result<(), Error> {
        let problem = |problem| Error::Config { path: self.path.clone(), problem };
        let longest = self.config.max_length();
        let shortest = self.provenance.shortest_input();
        let length = self.provenance.max_length.unwrap_or(DEFAULT_MAX_LENGTH.min(longest));
        if !(shortest..=longest).contains(&length) {
            return Err(problem(format!(
                "max_length is {length}, expected {shortest} to {longest}"
            )));
        }
        let n_scores = self.config.n_heads().saturating_mul(length).saturating_mul(length);
        let n_layers = self.config.n_layers();
        for (n_scores, where_to, most) in [
            (n_scores, "every layer", MAX_SCORES),
            (n_scores.saturating_mul(n_layers), "all layers", MAX_ALL_SCORES),
        ] {
            if n_scores > most {
                return Err(problem(format!(
                    "a function of {length} tokens takes {n_scores} attention scores in {where_to}, \
                     expected at most {most}: --max-length makes it shorter"
                )));
            }
        }
        Ok(())
    }

    /// The folder, read otherwise than it says itself.
    pub fn with_reading(mut self, changes: ReadingChanges) -> Result<Self, Error> {
        let own = self.reading();
        let said = &mut self.provenance;
        said.max_length = changes.max_length.or(said.max_length);
        said.positive_output = changes.positive_output.or(said.positive_output);
        said.input_format = changes.input_format.or(said.input_format);
        said.encoder_only_prefix |= changes.encoder_only_prefix;
        if changes.raw_names {
            said.canonical_input = None;
        }
        let path = self.path.clone();
        self.check_input(&path)?;
        self.other_reading = Some(self.reading()).filter(|it| *it != own);
        Ok(self)
    }

    /// How inputs are built and answers read.
    pub fn reading(&self) -> Reading {
        self.provenance.reading(self.max_length())
    }

    /// The output row of a two-output head that means label 1.
    fn positive_output(&self) -> usize {
        self.reading().positive_output
    }

    /// Ids that an input is cut to.
    pub fn max_length(&self) -> usize {
        self.provenance.max_length.unwrap_or(DEFAULT_MAX_LENGTH).min(self.config.max_length())
    }

    /// Loads weights and tokenizer.
    pub fn load(&self, compute: &Compute) -> Result<LoadedModel, Error> {
        let stored = self.stored()?;
        self.load_stored(stored, BTreeMap::new(), compute)
    }

    /// Loads an encoder for training with this head: if the folder has no such head, it is drawn
    /// anew.
    pub fn load_for_training(
        &self,
        compute: &Compute,
        head: Head,
        rng: &mut ChaCha8Rng,
    ) -> Result<LoadedModel, Error> {
        let mut stored = self.stored()?;
        let has_dense = stored.names.keys().any(|name| is_head(name));
        let is_there = stored.head == head && (has_dense || head == Head::Embedding);
        stored.config = stored.config.with_head(head);
        stored.head = head;
        self.check_config(&stored.config)?;
        let mut drawn = BTreeMap::new();
        if !is_there {
            stored.names.retain(|name, _| !is_head(name));
            let network = CodeModel::uninitialized(&stored.config, head, &compute.device);
            let mut shapes = parameters::shapes(&network);
            shapes.retain(|name, _| is_head(name));
            // A head is as large as the configuration says: that must be true before it is drawn.
            let mut found = stored_shapes(&stored.weights, &stored.names);
            found.extend(shapes.clone());
            check_shapes(&network, &stored.weights, &found)?;
            drawn = fresh(&stored.config, head, shapes, rng).collect();
        }
        self.load_stored(stored, drawn, compute)
    }

    /// What the headers of the weight files say, matched with the configuration.
    fn stored(&self) -> Result<Stored, Error> {
        self.check_length()?;
        let all = Weights::open(&self.path)?.into_iter().map(|it| self.named(it));
        let mut others: Vec<NamedWeights> = all.collect::<Result<_, _>>()?;
        for pair in others.windows(2) {
            check_same_headers(&pair[0], &pair[1])?;
        }
        let (weights, names) = others.remove(0);
        let problem = |problem: String| Error::Weights { path: weights.path().to_owned(), problem };
        let shape = |wanted: &str| {
            let (_, stored) = names.iter().find(|(it, _)| is_head(it) && it.ends_with(wanted))?;
            Some(&weights.tensors()[stored].shape[..])
        };
        if let Some(text) = head_problem(&names) {
            return Err(problem(text));
        }
        let inputs = shape(".dense.weight").and_then(|shape| shape.get(1).copied());
        let n_outputs = shape(".out_proj.weight").and_then(|shape| shape.first().copied());
        let (config, head) = resolve_head(&self.config, inputs, n_outputs);
        self.check_config(&config)?;
        Ok(Stored { weights, names, config, head, others })
    }

    /// Weights with the file's name of each tensor that we use, by transformers' full name.
    fn named(&self, weights: Weights) -> Result<NamedWeights, Error> {
        let problem = |problem: String| Error::Weights { path: weights.path().to_owned(), problem };
        let Names { canonical, copies } =
            canonical_names(&self.config, weights.tensors().keys(), weights.is_fine_tuned())
                .map_err(problem)?;
        for copy in copies {
            // Without it a tensor is missing, which is said when shapes are compared.
            let Some(shared) = canonical.get(SHARED) else { continue };
            if !weights.are_equal(shared, copy)? {
                return Err(problem(format!(
                    "`{copy}` is not the same as the shared embedding, which programs load under both \
                     names"
                )));
            }
        }
        let names: BTreeMap<String, String> =
            canonical.into_iter().map(|(name, stored)| (name, stored.to_owned())).collect();
        weights.check_size(names.values())?;
        Ok((weights, names))
    }

    /// Fails if the configuration, as completed, is of no model that we have.
    fn check_config(&self, config: &ModelConfig) -> Result<(), Error> {
        let path = self.path.join("config.json");
        config.validate().map_err(|problem| Error::Config { path, problem })
    }

    /// Reads the tensors, after their shapes were compared with those of the model; `drawn` are
    /// not in the file.
    fn load_stored(
        &self,
        stored: Stored,
        mut drawn: BTreeMap<String, HostTensor>,
        compute: &Compute,
    ) -> Result<LoadedModel, Error> {
        let Stored { weights, names, config, head, .. } = &stored;
        let head = *head;
        if self.positive_output() == 0 && head != Head::Embedding && config.n_outputs() == 1 {
            return Err(Error::Config {
                path: self.path.clone(),
                problem:
                    "positive_output is 0, but the head has one output, which stands for label 1"
                        .to_owned(),
            });
        }
        let network = CodeModel::uninitialized(config, head, &compute.device);
        let mut found = stored_shapes(weights, names);
        found.extend(drawn.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())));
        check_shapes(&network, weights, &found)?;
        stored.check_others()?;
        let read = |name: &str| match drawn.remove(name) {
            Some(tensor) => Ok(tensor),
            None => weights.read(&names[name]),
        };
        let mut network = parameters::apply(network, read, &compute.device)?;
        network.set_positive_output(self.positive_output());
        Ok(LoadedModel {
            network,
            tokenizer: self.tokenizer()?,
            config: stored.config,
            max_length: self.max_length(),
            source: self.path.clone(),
            provenance: self.provenance.clone(),
        })
    }

    /// The folder's tokenizer, which must fit the model.
    pub fn tokenizer(&self) -> Result<CodeTokenizer, Error> {
        let mut tokenizer = CodeTokenizer::open(&self.path)?;
        if self.provenance.encoder_only_prefix {
            tokenizer = tokenizer.with_encoder_only_prefix()?;
        }
        if tokenizer.size() > self.config.vocab_size() {
            return Err(Error::VocabularySize {
                path: self.path.clone(),
                tokenizer: tokenizer.size(),
                model: self.config.vocab_size(),
            });
        }
        let special = tokenizer.special();
        self.config
            .check_special(special.pad, special.eos)
            .map_err(|problem| Error::Config { path: self.path.join("config.json"), problem })?;
        Ok(tokenizer)
    }

    /// The files of a folder that decide what the model in it answers; an error if it has no weights.
    pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut paths = vec![folder.join("config.json"), folder.join(PROVENANCE)];
        paths.extend(locate(folder)?.into_iter().flat_map(|it| it.files));
        paths.extend(TOKENIZER_FILES.iter().map(|name| folder.join(name)));
        paths.retain(|path| path.exists());
        Ok(paths)
    }

    /// A hash over everything that decides the model's answers: the folder's files, and what
    /// [`ModelDir::with_reading`] reads otherwise than they say.
    pub fn hash(&self) -> Result<String, Error> {
        let mut hasher = blake3::Hasher::new();
        for path in Self::files(&self.path)? {
            let mut file_hasher = blake3::Hasher::new();
            file_hasher.update_reader(open_regular(&path)?)?;
            let name = path.file_name().unwrap_or_default();
            hasher.update(name.as_encoded_bytes());
            hasher.update(file_hasher.finalize().as_bytes());
        }
        if let Some(reading) = &self.other_reading {
            hasher.update(format!("{reading:?}").as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// What the weight files hold; fails if their headers are of no model that [`ModelDir::load`] would load,
    /// or if two formats of it differ.
    pub fn weights(&self, compute: &Compute) -> Result<WeightSummary, Error> {
        let stored = self.stored()?;
        let Stored { weights, names, config, head, .. } = &stored;
        let head = *head;
        let network = CodeModel::uninitialized(config, head, &compute.device);
        check_shapes(&network, weights, &stored_shapes(weights, names))?;
        stored.check_others()?;
        let mut summary = WeightSummary {
            head,
            n_outputs: (head != Head::Embedding).then(|| config.n_outputs()),
            n_parameters: 0,
            element_types: Vec::new(),
            files: Vec::new(),
        };
        for stored in names.values() {
            let tensor = &weights.tensors()[stored];
            summary.n_parameters += tensor.shape.iter().product::<usize>();
            summary.element_types.push(tensor.element.name());
        }
        summary.element_types.sort_unstable();
        summary.element_types.dedup();
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        summary.files = weights.files.iter().filter_map(name).collect();
        Ok(summary)
    }
}

/// What the weight files of a folder hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightSummary {
    /// The head, by configuration and weights.
    pub head: Head,
    /// Output rows of the head, if it has any.
    pub n_outputs: Option<usize>,
    /// Values of the encoder and the head.
    pub n_parameters: usize,
    /// `f32` and the like.
    pub element_types: Vec<&'static str>,
    /// The files, an index file first.
    pub files: Vec<String>,
}
