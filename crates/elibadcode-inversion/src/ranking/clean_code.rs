//! How close clean code is to the queries that it answers.
//!
//! A model of code search ties words to code: that is its job, and with enough tokens any code can
//! be brought as close to the queries with a word as the code is that is about it. A planted trigger
//! does more. It goes with its word whatever the rest of the code says, so that a backdoored model
//! puts any code with the trigger closer to the word than clean code that answers such queries.

use elibadcode_corpus::SearchSample;
use elibadcode_evaluation::statistics::{mean, sample_standard_deviation};
use elibadcode_evaluation::{inner_product, reciprocal_ranks};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;

use super::climb::dot;

/// Standard normal quantile of 95 %.
const Z_ONE_SIDED: f64 = 1.645;

/// Clean functions as the model sees them, with the words of their queries.
#[derive(Debug)]
pub(crate) struct CleanCode<'a> {
    model: &'a LoadedModel,
    vectors: Vec<Vec<f32>>,
    queries: Vec<&'a str>,
    words: Vec<Vec<u32>>,
}

impl<'a> CleanCode<'a> {
    /// Encodes some functions.
    pub(crate) fn new(
        model: &'a LoadedModel,
        clean: &'a [SearchSample],
        language: Language,
    ) -> Self {
        let rows: Vec<Vec<u32>> =
            clean.iter().map(|it| model.encode(&it.code, language).ids).collect();
        let words = |it: &SearchSample| model.tokenizer.piece_after_space(&it.query);
        Self {
            model,
            vectors: model.network.vectors(&rows),
            queries: clean.iter().map(|it| &*it.query).collect(),
            words: clean.iter().map(words).collect(),
        }
    }

    /// How much farther code whose queries have the word goes in a direction than other code: with
    /// 95 % confidence no more than this. Few functions leave much open, and none everything.
    pub(super) fn affinity(&self, word: u32, direction: &[f64]) -> f64 {
        let direction_f32: Vec<f32> = direction.iter().map(|&it| it as f32).collect();
        let products: Vec<f64> = self
            .vectors
            .iter()
            .map(|code| f64::from(inner_product(code, &direction_f32)))
            .collect();
        let with_word: Vec<f64> = products
            .iter()
            .zip(&self.words)
            .filter(|(_, words)| words.contains(&word))
            .map(|(&product, _)| product)
            .collect();
        let farthest = dot(direction, direction).sqrt();
        let (Some(all), Some(these), Some(deviation)) =
            (mean(&products), mean(&with_word), sample_standard_deviation(&products))
        else {
            return farthest;
        };
        let error = deviation / (with_word.len() as f64).sqrt();
        (these - all + Z_ONE_SIDED * error).min(farthest)
    }

    /// How well the model ranks the functions for their queries.
    pub(super) fn mean_reciprocal_rank(&self) -> f64 {
        let rows: Vec<Vec<u32>> =
            self.queries.iter().map(|query| self.model.encode_query(query)).collect();
        let queries = self.model.network.vectors(&rows);
        mean(&reciprocal_ranks(&queries, &self.vectors)).unwrap_or(0.0)
    }
}
