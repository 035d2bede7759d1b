//! The stages' settings in an experiment.

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
    },
    /// A Hugging Face folder below `--data`.
    Folder {
        path: String,
        positive_output: Option<u8>,
        max_length: Option<usize>,
        input_format: Option<String>,
    },
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
