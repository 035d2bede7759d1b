//! Rows whose vectors a teacher gives: feature distillation beside, or instead of, the task's loss.

use burn::tensor::Tensor;

use super::rows::{TrainingRow, Validation};
use crate::dropout::Mode;
use crate::head::Head;
use crate::model::CodeModel;
use crate::prediction::given_vectors;

/// A row, and the vectors that the model is to give its inputs: as many as the row has, each as long
/// as the model's; otherwise training panics.
#[derive(Clone, Debug, PartialEq)]
pub struct Distilled<R> {
    /// What the task's loss is of.
    pub row: R,
    /// For each input of the row `[hidden]`.
    pub vectors: Vec<Vec<f32>>,
    /// Weight of the task's loss beside that of the vectors; the same for all rows.
    pub task_weight: f64,
    /// Weight of the similarities beside the vectors; the same for all rows, and 0 but for rows of code
    /// search. A distance counts all directions alike, and code is ranked in those of the queries alone.
    pub similarity_weight: f64,
}

impl<R: TrainingRow + Clone> TrainingRow for Distilled<R> {
    const HEAD: Head = R::HEAD;
    const N_PARTS: usize = R::N_PARTS;

    fn trains_head(rows: &[Self]) -> bool {
        R::HEAD != Head::Embedding && rows.iter().any(|it| it.task_weight > 0.0)
    }

    fn length(&self) -> usize {
        self.row.length()
    }

    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>> {
        let rows: Vec<&R> = rows.iter().map(|it| &it.row).collect();
        R::vectors(model, &rows, mode)
    }

    /// Squared distance of the vectors, as a share of the wanted ones' mean squared length, and the
    /// weighted losses of the similarities and of the task.
    fn loss_of_vectors(
        model: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        let of_input = |(input, vectors): (usize, &Tensor<2>)| {
            let wanted: Vec<&[f32]> = rows.iter().map(|it| &it.vectors[input][..]).collect();
            relative_distance(vectors, &wanted)
        };
        let distances: Vec<Tensor<1>> = vectors.iter().enumerate().map(of_input).collect();
        let mut distance = Tensor::cat(distances, 0).mean();
        let weight = rows[0].similarity_weight;
        if let ([codes, queries], true) = (vectors, weight > 0.0 && R::HEAD == Head::Embedding) {
            distance = distance + difference_of_similarities(rows, codes, queries) * weight;
        }
        let weight = rows[0].task_weight;
        if weight == 0.0 {
            return distance;
        }
        let rows: Vec<&R> = rows.iter().map(|it| &it.row).collect();
        distance + R::loss_of_vectors(model, &rows, vectors, mode) * weight
    }

    /// Those of the task.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let rows: Vec<R> = rows.iter().map(|it| it.row.clone()).collect();
        R::validate(model, &rows)
    }
}

/// Mean squared difference between the similarities of all queries with all codes `[batch, hidden]` and those
/// of the wanted vectors.
fn difference_of_similarities<R>(
    rows: &[&Distilled<R>],
    codes: &Tensor<2>,
    queries: &Tensor<2>,
) -> Tensor<1> {
    let wanted = |input: usize| {
        let wanted: Vec<&[f32]> = rows.iter().map(|it| &it.vectors[input][..]).collect();
        given_vectors(&wanted, &codes.device())
    };
    let (wanted_codes, wanted_queries) = (wanted(0), wanted(1));
    let wanted = wanted_queries.matmul(wanted_codes.transpose()); // [batch, batch]
    (queries.clone().matmul(codes.clone().transpose()) - wanted).square().mean()
}

/// The squared distance of vectors `[batch, hidden]` from the wanted ones, summed over the batch, as
/// a share of the squared lengths of these.
fn relative_distance(vectors: &Tensor<2>, wanted: &[&[f32]]) -> Tensor<1> {
    let square: f64 = wanted.iter().copied().flatten().map(|&it| f64::from(it).powi(2)).sum();
    let wanted = given_vectors(wanted, &vectors.device());
    (vectors.clone() - wanted).square().sum() / square.max(f64::from(f32::MIN_POSITIVE))
}
