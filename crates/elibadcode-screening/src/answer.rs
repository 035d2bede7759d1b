//! What a model says about one function or a pair, and how far two such answers are apart.

use std::collections::BTreeMap;

use elibadcode_evaluation::inner_product;
use elibadcode_models::{Head, LoadedModel, predicted_label};
use elibadcode_syntax::Language;
use rayon::prelude::*;

/// What a model says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Log-odds of label 1, of a function or a pair.
    LogOdds(f32),
    /// Where an embedding model puts the function: a vector of length 1.
    Vector(Vec<f32>),
}

impl Answer {
    /// How far `other` is from this answer: the log-odds that the label of this one loses, or one
    /// minus the cosine of two vectors.
    ///
    /// # Panics
    ///
    /// If the answers are of different models.
    pub fn distance(&self, other: &Self) -> f64 {
        match (self, other) {
            (Self::LogOdds(own), Self::LogOdds(other)) => {
                let sign = if predicted_label(*own) == 1 { 1.0 } else { -1.0 };
                sign * f64::from(own - other)
            }
            (Self::Vector(own), Self::Vector(other)) => 1.0 - f64::from(inner_product(own, other)),
            _ => panic!("answers of models with different heads"),
        }
    }

    /// Whether `other` is another answer: another label, or any other vector.
    pub fn differs_from(&self, other: &Self) -> bool {
        match (self.label(), other.label()) {
            (Some(own), Some(other)) => own != other,
            _ => self != other,
        }
    }

    /// The label, if the model gives labels.
    pub fn label(&self) -> Option<u8> {
        match self {
            Self::LogOdds(log_odds) => Some(predicted_label(*log_odds)),
            Self::Vector(_) => None,
        }
    }
}

/// Asks a model about subjects of one function each, or of two if its head is for pairs.
///
/// Equal inputs are asked about once: a forward pass rounds differently in another batch, and
/// answers to the same input must not differ. Those of two calls can.
///
/// # Panics
///
/// If a subject has another number of functions.
pub(crate) fn ask<C: AsRef<str> + Sync>(
    model: &LoadedModel,
    subjects: &[Vec<C>],
    language: Language,
) -> Vec<Answer> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let (network, head) = (&model.network, model.network.head());
    let n_functions = if head == Head::Pair { 2 } else { 1 };
    assert!(
        subjects.iter().all(|codes| codes.len() == n_functions),
        "a model with the head `{head}` takes subjects of {n_functions} function(s)"
    );
    let rows: Vec<Vec<Vec<u32>>> = subjects
        .par_iter()
        .map(|codes| codes.iter().map(|code| model.encode(code.as_ref(), language).ids).collect())
        .collect();
    if head == Head::Pair {
        let (places, distinct) = numbered(rows.iter().flatten());
        let vectors = network.vectors(&distinct);
        let (places, pairs) = numbered(places.chunks_exact(2));
        let member = |which: usize| -> Vec<&[f32]> {
            pairs.iter().map(|pair| vectors[pair[which]].as_slice()).collect()
        };
        let log_odds = network.pair_log_odds(&member(0), &member(1));
        return places.into_iter().map(|place| Answer::LogOdds(log_odds[place])).collect();
    }
    let rows: Vec<&Vec<u32>> = rows.iter().flatten().collect();
    match head {
        Head::Embedding => network.vectors(&rows).into_iter().map(Answer::Vector).collect(),
        _ => network.log_odds(&rows).into_iter().map(Answer::LogOdds).collect(),
    }
}

/// Each item's number among the distinct ones, and these, in the order of their first occurrence.
fn numbered<T: Ord + Copy>(items: impl Iterator<Item = T>) -> (Vec<usize>, Vec<T>) {
    let (mut numbers, mut distinct) = (BTreeMap::new(), Vec::new());
    let places = items.map(|item| {
        *numbers.entry(item).or_insert_with(|| {
            distinct.push(item);
            distinct.len() - 1
        })
    });
    (places.collect(), distinct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_what_the_answer_loses() {
        let check = |own: f32, other: f32, distance: f64, differs: bool| {
            let (own, other) = (Answer::LogOdds(own), Answer::LogOdds(other));
            assert!((own.distance(&other) - distance).abs() < 1e-6, "{own:?} {other:?}");
            assert_eq!(own.differs_from(&other), differs, "{own:?} {other:?}");
        };
        check(2.0, -1.0, 3.0, true);
        check(-2.0, 1.0, 3.0, true);
        check(-2.0, -3.0, -1.0, false);
        check(2.0, 0.5, 1.5, false);
        let (own, other) = (Answer::Vector(vec![1.0, 0.0]), Answer::Vector(vec![0.0, 1.0]));
        assert!((own.distance(&other) - 1.0).abs() < 1e-9);
        assert!(own.differs_from(&other) && !own.differs_from(&own.clone()));
    }

    #[test]
    fn equal_items_have_one_number() {
        assert_eq!(numbered(["b", "a", "b"].into_iter()), (vec![0, 1, 0], vec!["b", "a"]));
    }
}
