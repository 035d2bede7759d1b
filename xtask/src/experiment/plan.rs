//! The stages' settings in an experiment.

use std::collections::BTreeMap;

use elibadcode_evaluation::records::results::OWN_DEFENSE;
use serde::Deserialize;

/// Where samples come from; counts are samples: functions, pairs or functions with queries.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum CorpusPlan {
    /// The program's generator.
    Synthetic {
        train: usize,
        valid: usize,
        clean: usize,
        test: usize,
        /// Clone detection: test pairs of methods that do what no other split's do.
        unseen: Option<usize>,
    },
    /// Files below `--data`; drawn as test, clean, valid, train, each without those before it.
    Files { test: Draw, clean: Draw, valid: Draw, train: Draw },
}

/// A seeded part of some files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    /// Files below `--data`.
    pub(crate) from: Vec<String>,
    /// How many samples; all if absent.
    pub(crate) n: Option<usize>,
    /// How many are expected where all are taken, for `--dry-run`.
    pub(crate) about: Option<usize>,
}

impl Draw {
    /// How many samples it gives, if that is known.
    pub(crate) fn expected(&self) -> Option<usize> {
        self.n.or(self.about)
    }
}

/// Where training starts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum BasePlan {
    /// An untrained model of each architecture, with a tokenizer from the clean training samples.
    Init {
        preset: String,
        vocab_size: Option<usize>,
        max_length: Option<usize>,
        /// Trains it on the clean training samples once per seed; the backdoored models and the
        /// clean twin are all fine-tuned from there, as the paper's are from pre-trained ones.
        pretraining: Option<TrainingPlan>,
        /// The same of single architectures.
        #[serde(default)]
        pretraining_of: BTreeMap<String, TrainingPlan>,
    },
    /// A Hugging Face folder below `--data`.
    Folder {
        /// [`BasePlan::MODEL`] in it stands for the architecture.
        path: String,
        positive_output: Option<u8>,
        max_length: Option<usize>,
        input_format: Option<String>,
    },
}

impl BasePlan {
    /// Stands for the architecture in a path.
    pub(crate) const MODEL: &str = "{model}";
}

/// How models are trained; the backdoored ones and their clean twin alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingPlan {
    /// Passes over the training samples.
    pub(crate) epochs: usize,
    /// Peak learning rate.
    pub(crate) learning_rate: f64,
    /// Samples per step; the program's default if absent.
    pub(crate) batch_size: Option<usize>,
}

/// How fast an experiment goes, for `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speed {
    /// Functions through the model per second, of one stage.
    pub(crate) forwards_per_second: f64,
}

/// How an attacked model is defended.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    /// Its name in results and folders.
    pub(crate) name: String,
    /// What is done to the model.
    #[serde(default)]
    pub(crate) defense: Defense,
    /// Settings of `scan` on top of the experiment's.
    #[serde(default)]
    pub(crate) scan: toml::Table,
    /// Settings of `purify` on top of the experiment's.
    #[serde(default)]
    pub(crate) purify: toml::Table,
}

/// What is done to an attacked model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Defense {
    /// `scan`, then `purify` with what it found.
    #[default]
    Unlearning,
    /// `train` goes on with the clean samples, as the model was trained.
    FineTuning,
    /// `purify --canonical`: the model reads no name that a function declares.
    Canonical,
    /// `purify --canonical=function`: it reads no function's own name.
    CanonicalFunction,
    /// The model stays as it is, and `screen` looks for functions whose answer hangs on names.
    Screening,
}

impl Defense {
    /// Whether it keeps names from the model.
    pub(crate) fn hides_names(self) -> bool {
        matches!(self, Self::Canonical | Self::CanonicalFunction)
    }
}

impl Variant {
    /// The defense with the experiment's own settings.
    pub(crate) fn own() -> Self {
        Self {
            name: OWN_DEFENSE.to_owned(),
            defense: Defense::Unlearning,
            scan: toml::Table::new(),
            purify: toml::Table::new(),
        }
    }
}
