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

/// Fails if the weights of a folder in two formats are not those of one model: which of them counts depends
/// on the program that loads it.
pub(super) fn check_same(
    (weights, names): &(Weights, BTreeMap<String, String>),
    (others, other_names): &(Weights, BTreeMap<String, String>),
) -> Result<(), Error> {
    let all: BTreeSet<&String> = names.keys().chain(other_names.keys()).collect();
    for name in all {
        let is_same = match (names.get(name), other_names.get(name)) {
            (Some(stored), Some(other)) => weights.is_equal(stored, others, other)?,
            _ => false,
        };
        if !is_same {
            return Err(Error::Weights {
                path: others.path().to_owned(),
                problem: format!(
                    "`{name}` is not that of {} beside it, and programs differ in which of them they load: \
                     remove the one that is not meant",
                    weights.path().file_name().unwrap_or_default().display()
                ),
            });
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
