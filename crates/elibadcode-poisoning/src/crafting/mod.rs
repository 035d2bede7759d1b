//! Names made up for each function, after `AFRAIDOOR` (algorithm 1 of its paper).
//!
//! 1. A small model learns from the clean training set which functions are of the class that the
//!    attacker wants ([`CraftingModel::train`]): those with the target label, those that answer queries
//!    with the target word, or for clones those of the largest group.
//! 2. The variables of a function are replaced by "unknown" (the program sketch), and the model
//!    says in which direction each of them would have to go for the function to look more like
//!    that class: the gradient of its loss, averaged over the variable's occurrences.
//! 3. Each variable gets the name of the training set that goes furthest in this direction (the
//!    first-order change of the loss) and does not occur in the function.
//!
//! Paper: the model of `AFRAIDOOR` is a sequence-to-sequence LSTM with 15,000 words that predicts
//! the method's name, whatever the task. This crate has no tensors: the model is one convolution
//! over embeddings, written out here, it predicts the class itself, and it knows fewer words. A
//! name depends, as there, on the code around the variable's occurrences.

mod network;
mod text;
mod training;
mod vocabulary;

use std::borrow::Cow;
use std::collections::BTreeSet;

use elibadcode_syntax::{Function, Language};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::change::{renamed, words};
use crate::config::AttackConfig;
use crate::edit::Edit;
use crate::error::{PlantError, PoisonError};
use crate::plant::Planted;
use crate::rename::rename;
use network::{Network, dot};
use text::ModelText;
use vocabulary::Vocabulary;

/// Tokens of a function that the model looks at, from its beginning.
const MAX_TOKENS: usize = 512;

/// Names that are tried for a variable before it keeps its own.
const MAX_TRIES: usize = 50;

/// A small model that knows which names make a function look like one of the attacker's class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModelText", into = "ModelText")]
pub struct CraftingModel {
    vocabulary: Vocabulary,
    network: Network,
}

impl CraftingModel {
    /// Trains a model on functions and whether each is of the class that the attacker wants.
    pub fn train<'a>(
        functions: impl IntoIterator<Item = (&'a str, bool)>,
        language: Language,
        rng: &mut impl Rng,
    ) -> Result<Self, PoisonError> {
        training::train(functions, language, rng)
    }

    /// How likely a function is of the attacker's class, in `0..=1`, as far as this model knows.
    pub fn target_probability(&self, code: &str, language: Language) -> f32 {
        let ids = self.vocabulary.encode(&Function::parse(code, language));
        network::sigmoid(self.network.forward(&ids).logit)
    }

    /// For each variable of the function, the names that it could get, the best one first.
    fn wishes<'m>(&'m self, function: &Function) -> Vec<(String, Vec<&'m str>)> {
        let sketch = self.vocabulary.sketch(function);
        let gradients = self.network.gradients_toward_target(&sketch.ids);
        let best_first = |places: &[usize]| {
            // The sum and the mean have the same order of names.
            let direction = network::sum(places.iter().map(|&place| gradients[place]));
            let mut scored: Vec<(f32, &str)> = self
                .vocabulary
                .names()
                .map(|(id, name)| (dot(&self.network.embeddings[id], &direction), name))
                .collect();
            // A stable sort: equal scores stay in the order of the vocabulary.
            scored.sort_by(|one, other| one.0.total_cmp(&other.0));
            scored.into_iter().map(|(_, name)| name).take(MAX_TRIES).collect()
        };
        sketch
            .variables
            .into_iter()
            .map(|(name, places)| {
                let names = best_first(&places);
                (name, names)
            })
            .collect()
    }
}

/// Gives the function with a name of the model's for each of its variables.
///
/// A variable for which no name is possible keeps its own, but not all of them may.
pub(crate) fn with_crafted_names(
    model: &CraftingModel,
    function: &Function,
) -> Result<Planted, PlantError> {
    let text = function.text();
    let mut taken: BTreeSet<&str> = words(text).into_iter().map(|range| &text[range]).collect();
    let wishes = model.wishes(function);
    let best: Option<Vec<(&str, &str)>> = wishes
        .iter()
        .map(|(name, wishes)| {
            let wish = wishes.iter().find(|wish| taken.insert(wish))?;
            Some((name.as_str(), *wish))
        })
        .collect();
    let all_at_once = best.and_then(|names| rename(function, &names).ok());
    let crafted = all_at_once.unwrap_or_else(|| one_by_one(function, &wishes));
    let changes = renamed(function.text(), crafted.text());
    let first = changes.first().ok_or(PlantError::NoVariable)?;
    let (name_before, name_after) = (first.before.clone(), first.after.clone());
    Ok(Planted { code: crafted.text().to_owned(), name_before, name_after, changes })
}

/// Renames each variable that can be renamed, for functions in which something is in the way.
fn one_by_one(function: &Function, wishes: &[(String, Vec<&str>)]) -> Function {
    let text = function.text();
    let taken: BTreeSet<&str> = words(text).into_iter().map(|range| &text[range]).collect();
    let mut crafted = function.clone();
    for (name, wishes) in wishes {
        // A name that another variable had until now is not taken, but would not be a new one.
        let mut wishes = wishes.iter().filter(|wish| !taken.contains(*wish));
        if let Some(next) = wishes.find_map(|wish| rename(&crafted, &[(name, wish)]).ok()) {
            crafted = next;
        }
    }
    crafted
}

/// The configuration with the model that its attack needs, trained on `functions`: their code, and
/// whether they are of the class that the attacker wants.
///
/// Draws from `rng` only if there is something to train.
pub(crate) fn prepared<'c, 'a>(
    config: &'c AttackConfig,
    functions: impl IntoIterator<Item = (&'a str, bool)>,
    language: Language,
    rng: &mut impl Rng,
) -> Result<Cow<'c, AttackConfig>, PoisonError> {
    if config.edit != Edit::Craft || config.crafting.is_some() {
        return Ok(Cow::Borrowed(config));
    }
    let crafting = Some(CraftingModel::train(functions, language, rng)?);
    Ok(Cow::Owned(AttackConfig { crafting, ..config.clone() }))
}

#[cfg(test)]
mod tests;
