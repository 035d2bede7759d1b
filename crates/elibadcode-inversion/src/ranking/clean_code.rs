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
use crate::verdict::Z_ONE_SIDED;

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

    /// How much farther code whose queries have the word goes in a direction than code on average:
    /// with 95 % confidence no more than this.
    pub(super) fn affinity(&self, word: u32, direction: &[f64]) -> f64 {
        let as_f32: Vec<f32> = direction.iter().map(|&it| it as f32).collect();
        let product = |code: &Vec<f32>| f64::from(inner_product(code, &as_f32));
        let products: Vec<f64> = self.vectors.iter().map(product).collect();
        let has_word: Vec<bool> = self.words.iter().map(|words| words.contains(&word)).collect();
        // No vector of length 1 goes farther.
        assured_lead(&products, &has_word).min(dot(direction, direction).sqrt())
    }

    /// How well the model ranks the functions for their queries.
    pub(super) fn mean_reciprocal_rank(&self) -> f64 {
        let rows: Vec<Vec<u32>> =
            self.queries.iter().map(|query| self.model.encode_query(query)).collect();
        let queries = self.model.network.vectors(&rows);
        mean(&reciprocal_ranks(&queries, &self.vectors)).unwrap_or(0.0)
    }
}

/// How much larger the values that are `chosen` are than all on average: the upper end of an interval,
/// infinite if there are none. Few values leave much open.
fn assured_lead(values: &[f64], chosen: &[bool]) -> f64 {
    let these: Vec<f64> =
        values.iter().zip(chosen).filter(|(_, is_chosen)| **is_chosen).map(|(it, _)| *it).collect();
    let (Some(all), Some(of_these), Some(deviation)) =
        (mean(values), mean(&these), sample_standard_deviation(values))
    else {
        return f64::INFINITY;
    };
    of_these - all + Z_ONE_SIDED * deviation / (these.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_functions_leave_much_open() {
        // Mean 0, deviation 1.
        let values = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0];
        let lead = |chosen: &[usize]| {
            let chosen: Vec<bool> = (0..values.len()).map(|it| chosen.contains(&it)).collect();
            assured_lead(&values, &chosen)
        };
        assert!((lead(&[0]) - (1.0 + Z_ONE_SIDED)).abs() < 1e-12);
        assert!((lead(&[0, 2, 4, 6]) - (1.0 + Z_ONE_SIDED / 2.0)).abs() < 1e-12);
        assert!((lead(&[8]) - Z_ONE_SIDED).abs() < 1e-12);
        assert!(lead(&[]).is_infinite());
    }
}
