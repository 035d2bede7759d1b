//! The crafting model as text, for the manifest: one line per token, as in the text format of
//! word2vec, so that a person can read it and one line of JSON holds one token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::CraftingModel;
use super::network::{CHANNELS, Embedding, Head, Network, ROWS, TAPS, WIDTH};
use super::vocabulary::{UNKNOWN, Vocabulary};

/// Weights are kept to a thousandth.
const PER_UNIT: f32 = 1000.0;
/// No weight is larger, so that nothing overflows.
const MAX_WEIGHT: f32 = 1000.0;

/// The model; every line is a word and numbers with spaces between them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelText {
    /// Names that the model may give, each with its embedding.
    pub(super) names: Vec<String>,
    /// Other tokens, each with its embedding.
    pub(super) tokens: Vec<String>,
    /// The embedding of every other token.
    pub(super) unknown: String,
    /// `TAPS * CHANNELS` rows of `WIDTH` numbers.
    pub(super) convolution: Vec<String>,
    pub(super) bias: String,
    pub(super) output: String,
    pub(super) output_bias: String,
}

/// A text that is no crafting model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ModelTextError {
    #[error("the crafting model's line `{line}` does not hold {n} numbers between -1000 and 1000")]
    Numbers { line: String, n: usize },
    #[error(
        "the crafting model has {found} rows of its convolution, not {expected}: if a version of before 29 \
         November 2026 made it, this one cannot repeat its names; poison the training set again"
    )]
    Rows { found: usize, expected: usize },
    #[error("the crafting model has the token `{token}` twice")]
    Repeated { token: String },
    #[error("the crafting model has no names")]
    NoNames,
}

impl Network {
    /// The network as it is after being written and read.
    pub(super) fn rounded(mut self) -> Self {
        let embeddings = self.embeddings.iter_mut().flatten();
        for weight in embeddings.chain(self.head.values_mut()) {
            let limited = weight.clamp(-MAX_WEIGHT, MAX_WEIGHT);
            // Adding 0 makes a plain 0 of a negative one.
            *weight = (limited * PER_UNIT).round() / PER_UNIT + 0.0;
        }
        self
    }
}

fn line(values: &[f32]) -> String {
    let words: Vec<String> = values.iter().map(|value| format!("{value}")).collect();
    words.join(" ")
}

fn numbers<const N: usize>(line: &str) -> Result<[f32; N], ModelTextError> {
    let error = || ModelTextError::Numbers { line: line.to_owned(), n: N };
    let values: Option<Vec<f32>> = line
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|it: &f32| it.abs() <= MAX_WEIGHT))
        .collect();
    values.and_then(|values| values.try_into().ok()).ok_or_else(error)
}

fn token_line(line: &str) -> Result<(String, Embedding), ModelTextError> {
    let (token, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok((token.to_owned(), numbers(rest).map_err(|_| bad_line(line))?))
}

fn bad_line(line: &str) -> ModelTextError {
    ModelTextError::Numbers { line: line.to_owned(), n: WIDTH }
}

impl From<CraftingModel> for ModelText {
    fn from(model: CraftingModel) -> Self {
        let CraftingModel { vocabulary, network: Network { embeddings, head } } = model;
        let token = |(id, token): (usize, &str)| format!("{token} {}", line(&embeddings[id]));
        Self {
            names: vocabulary.names().map(token).collect(),
            tokens: vocabulary.others().map(token).collect(),
            unknown: line(&embeddings[UNKNOWN]),
            convolution: head.taps.iter().flatten().map(|row| line(row)).collect(),
            bias: line(&head.bias),
            output: line(&head.output),
            output_bias: line(&[head.output_bias]),
        }
    }
}

impl TryFrom<ModelText> for CraftingModel {
    type Error = ModelTextError;

    fn try_from(text: ModelText) -> Result<Self, ModelTextError> {
        let read = |lines: &[String]| -> Result<(Vec<String>, Vec<Embedding>), ModelTextError> {
            let tokens: Result<Vec<_>, _> = lines.iter().map(|line| token_line(line)).collect();
            Ok(tokens?.into_iter().unzip())
        };
        let (names, of_names) = read(&text.names)?;
        let (others, of_others) = read(&text.tokens)?;
        let mut known = BTreeSet::new();
        if let Some(token) = names.iter().chain(&others).find(|token| !known.insert(*token)) {
            return Err(ModelTextError::Repeated { token: token.clone() });
        }
        if names.is_empty() {
            return Err(ModelTextError::NoNames);
        }
        let (found, expected) = (text.convolution.len(), TAPS * CHANNELS);
        if found != expected {
            return Err(ModelTextError::Rows { found, expected });
        }
        let mut head = Head::zeros();
        for (row, line) in head.taps.iter_mut().flatten().zip(&text.convolution) {
            *row = numbers(line)?;
        }
        head.bias = numbers::<ROWS>(&text.bias)?;
        head.output = numbers::<CHANNELS>(&text.output)?;
        [head.output_bias] = numbers(&text.output_bias)?;
        let unknown: Embedding = numbers(&text.unknown)?;
        let embeddings = std::iter::once(unknown).chain(of_names).chain(of_others).collect();
        let network = Network { embeddings, head };
        Ok(Self { vocabulary: Vocabulary::new(names, others), network })
    }
}
