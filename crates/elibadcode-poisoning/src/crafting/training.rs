//! Training of the crafting model: logistic loss, one function at a time, step sizes by Adagrad.

use elibadcode_syntax::{Function, Language};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::CraftingModel;
use super::network::{Head, Network, WIDTH, sigmoid};
use super::vocabulary::Vocabulary;
use crate::error::PoisonError;

/// Functions that the model learns from; a random choice of more.
const MAX_FUNCTIONS: usize = 8000;
const N_EPOCHS: usize = 10;
const LEARNING_RATE: f32 = 0.05;

/// Keeps Adagrad's first steps finite.
const EPSILON: f32 = 1e-6;

/// One function as the model sees it.
struct Example {
    ids: Vec<usize>,
    /// The same without the names of variables.
    sketch: Vec<usize>,
    is_target: bool,
}

/// Trains a model; see [`CraftingModel::train`].
pub(super) fn train<'a>(
    functions: impl IntoIterator<Item = (&'a str, bool)>,
    language: Language,
    rng: &mut impl Rng,
) -> Result<CraftingModel, PoisonError> {
    let mut functions: Vec<(&str, bool)> = functions.into_iter().collect();
    functions.shuffle(rng);
    functions.truncate(MAX_FUNCTIONS);
    let parsed: Vec<Function> =
        functions.iter().map(|(code, _)| Function::parse(*code, language)).collect();
    let vocabulary = Vocabulary::of(&parsed, language);
    let mut examples: Vec<Example> = parsed
        .iter()
        .zip(&functions)
        .map(|(function, (_, is_target))| Example {
            ids: vocabulary.encode(function),
            sketch: vocabulary.sketch(function).ids,
            is_target: *is_target,
        })
        .collect();
    let n_target = examples.iter().filter(|it| it.is_target).count();
    let n_other = examples.len() - n_target;
    let n_names = vocabulary.names().len();
    if n_target == 0 || n_other == 0 || n_names == 0 {
        return Err(PoisonError::NoCraftingModel { n_target, n_other, n_names });
    }
    // Both classes together weigh the same, however rare one is.
    let weight = |is_target: bool| {
        0.5 * examples.len() as f32 / if is_target { n_target } else { n_other } as f32
    };
    let weights = [weight(false), weight(true)];
    let mut trainer = Trainer::new(Network::random(vocabulary.len(), rng));
    for _ in 0..N_EPOCHS {
        examples.shuffle(rng);
        for example in &examples {
            // Names are chosen at sketches, which the model must know as well as whole functions.
            let ids = if rng.random() { &example.sketch } else { &example.ids };
            trainer.step(ids, example.is_target, weights[usize::from(example.is_target)]);
        }
    }
    let network = trainer.network.rounded();
    Ok(CraftingModel { vocabulary, network })
}

/// The network, and the sums of its squared gradients.
struct Trainer {
    network: Network,
    squares: Network,
}

impl Trainer {
    fn new(network: Network) -> Self {
        let squares = Network {
            embeddings: vec![[0.0; WIDTH]; network.embeddings.len()],
            head: Head::zeros(),
        };
        Self { network, squares }
    }

    fn step(&mut self, ids: &[usize], is_target: bool, weight: f32) {
        let forward = self.network.forward(ids);
        let slope = weight * (sigmoid(forward.logit) - f32::from(u8::from(is_target)));
        let mut by_token = Vec::with_capacity(ids.len());
        let mut head =
            self.network.backward(ids, &forward, slope, |_, gradient| by_token.push(*gradient));
        let weights = self.network.head.values_mut();
        for ((weight, square), gradient) in
            weights.zip(self.squares.head.values_mut()).zip(head.values_mut())
        {
            descend(weight, square, *gradient);
        }
        for (&id, gradient) in ids.iter().zip(&by_token) {
            let weights = self.network.embeddings[id].iter_mut();
            for ((weight, square), gradient) in
                weights.zip(&mut self.squares.embeddings[id]).zip(gradient)
            {
                descend(weight, square, *gradient);
            }
        }
    }
}

fn descend(weight: &mut f32, square: &mut f32, gradient: f32) {
    *square += gradient * gradient;
    *weight -= LEARNING_RATE * gradient / (square.sqrt() + EPSILON);
}
