//! What a model says about one function or a pair, and how far two such answers are apart.

use elibadcode_evaluation::inner_product;
use elibadcode_models::{Head, LoadedModel, predicted_label};
use elibadcode_syntax::Language;
use rayon::prelude::*;
use serde::Serialize;

/// What a model says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
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
pub fn ask<C: AsRef<str> + Sync>(
    model: &LoadedModel,
    subjects: &[Vec<C>],
    language: Language,
) -> Vec<Answer> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let rows: Vec<Vec<u32>> = subjects
        .par_iter()
        .flat_map_iter(|codes| codes.iter().map(|code| model.encode(code.as_ref(), language).ids))
        .collect();
    let network = &model.network;
    match network.head() {
        Head::Classification => network.log_odds(&rows).into_iter().map(Answer::LogOdds).collect(),
        Head::Embedding => network.vectors(&rows).into_iter().map(Answer::Vector).collect(),
        Head::Pair => {
            let vectors = network.vectors(&rows);
            let member = |start: usize| -> Vec<&[f32]> {
                vectors.iter().skip(start).step_by(2).map(Vec::as_slice).collect()
            };
            let log_odds = network.pair_log_odds(&member(0), &member(1));
            log_odds.into_iter().map(Answer::LogOdds).collect()
        }
    }
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
}
