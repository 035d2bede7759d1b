//! Neural code models in burn: Hugging Face folders in and out, prediction and training.
//!
//! A [`ModelDir`] is opened into a [`CodeModel`] (encoder and task head) on a device chosen by
//! [`Compute`]. A model gives a vector per function and, by its [`Head`], log-odds of a function or
//! of a pair, and offers [`CodeModel::forward_embeddings`] to whoever needs a gradient at the input.
//! A folder can ask for canonical names; [`LoadedModel::read`] is where functions get them.
//! This is the only crate that names a burn backend, opens weights or writes them.
//!
//! ```no_run
//! # fn main() -> Result<(), elibadcode_models::Error> {
//! use elibadcode_models::{Compute, ModelDir};
//! use elibadcode_syntax::Language;
//! let compute = Compute::select("cpu")?;
//! let model = ModelDir::open("my-model".as_ref())?.load(&compute)?;
//! let encoded = model.encode("int f(void) { return 0; }", Language::C);
//! let log_odds = model.network.log_odds(&[encoded.ids]);
//! # Ok(()) }
//! ```

mod activation;
mod attention;
mod batch;
mod checkpoint;
mod config;
mod device;
mod dropout;
mod error;
mod head;
mod host;
mod initialize;
mod linear;
mod loaded_model;
mod model;
mod model_dir;
mod normalization;
mod parameters;
mod prediction;
mod reading;
mod roberta;
mod softmax;
mod stored_head;
mod t5;
mod training;
mod vector;
mod weights;
mod workers;

pub use batch::length_batches;
pub use config::{Architecture, EncoderConfig, ModelConfig, Preset, RobertaConfig, T5Config};
pub use device::Compute;
pub use dropout::Mode;
pub use error::{Error, TensorProblems};
pub use head::Head;
pub use initialize::initialize;
pub use loaded_model::LoadedModel;
pub use model::CodeModel;
pub use model_dir::{
    DEFAULT_MAX_LENGTH, ModelDir, Provenance, Reading, ReadingChanges, WeightSummary,
};
pub use prediction::{bce_with_logits, cross_entropy, predicted_label};
pub use reading::{CANONICAL_VERSION, CanonicalInput, CanonicalNames, ReadFunction};
pub use training::distilled::Distilled;
pub use training::rows::{HalfPair, TrainingRow, Validation, pair_log_odds};
pub use training::search::SearchRow;
pub use training::{EpochRecord, Scope, Trained, TrainingConfig, TrainingEvent, fine_tune};
pub use workers::side_by_side;

// Their types stand in public signatures.
pub use burn;
pub use elibadcode_corpus as corpus;
pub use elibadcode_syntax as syntax;
pub use rand_chacha;
pub use serde_json;
