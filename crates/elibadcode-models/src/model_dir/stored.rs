//! Weights that are matched with a configuration, and what is compared before they are read.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::ModelConfig;
use crate::error::Error;
use crate::head::Head;
use crate::model::CodeModel;
use crate::parameters;
use crate::weights::Weights;

/// Weights that are matched with a configuration.
pub(super) struct Stored {
    pub(super) weights: Weights,
    /// The file's name of each tensor that we use, by transformers' full name.
    pub(super) names: BTreeMap<String, String>,
    /// `config.json`, as the weights complete it.
    pub(super) config: ModelConfig,
    pub(super) head: Head,
    /// The same in the folder's other formats.
    pub(super) others: Vec<NamedWeights>,
}

/// Weights with the file's name of each tensor that we use, by transformers' full name.
pub(super) type NamedWeights = (Weights, BTreeMap<String, String>);

impl Stored {
    /// Fails if what the folder's other formats hold is not the same. Reads all of it: to be asked when the
    /// shapes are known to be the model's.
    pub(super) fn check_others(&self) -> Result<(), Error> {
        for (others, other_names) in &self.others {
            for (name, stored) in &self.names {
                if !self.weights.is_equal(stored, others, &other_names[name])? {
                    return Err(differs(
                        &self.weights,
                        others,
                        &format!("`{name}` has other values than"),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// That a folder has two models: which of them counts depends on the program that loads it.
fn differs(weights: &Weights, others: &Weights, how: &str) -> Error {
    Error::Weights {
        path: others.path().to_owned(),
        problem: format!(
            "{how} in {} beside it, and programs differ in which of the two they load: remove the one that is \
             not meant",
            weights.path().file_name().unwrap_or_default().display()
        ),
    }
}

/// Fails if these shapes of the files are not those of the network.
pub(super) fn check_shapes(
    network: &CodeModel,
    weights: &Weights,
    found: &BTreeMap<String, Vec<usize>>,
) -> Result<(), Error> {
    let problems = parameters::compare(&parameters::shapes(network), found);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Tensors { path: weights.path().to_owned(), problems })
}

/// Fails if another format of a folder has tensors of other names, shapes or types, by the headers.
pub(super) fn check_same_headers(
    (weights, names): &NamedWeights,
    (others, other_names): &NamedWeights,
) -> Result<(), Error> {
    let all: BTreeSet<&String> = names.keys().chain(other_names.keys()).collect();
    for name in all {
        let (Some(stored), Some(other)) = (names.get(name), other_names.get(name)) else {
            return Err(differs(
                weights,
                others,
                &format!("`{name}` is in one file only, of this and what is"),
            ));
        };
        let (stored, other) = (&weights.tensors()[stored], &others.tensors()[other]);
        if (&stored.shape, stored.element) != (&other.shape, other.element) {
            return Err(differs(
                weights,
                others,
                &format!("`{name}` has another shape or type than"),
            ));
        }
    }
    Ok(())
}

/// The shapes in the files, by transformers' names.
pub(super) fn stored_shapes(
    weights: &Weights,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, Vec<usize>> {
    let shape = |stored: &String| weights.tensors()[stored].shape.clone();
    names.iter().map(|(name, stored)| (name.clone(), shape(stored))).collect()
}
