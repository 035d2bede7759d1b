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
        let squares = |input: usize| -> f64 {
            rows.iter().flat_map(|it| &it.vectors[input]).map(|&it| f64::from(it).powi(2)).sum()
        };
        let wanted = |input: usize| {
            let wanted: Vec<&[f32]> = rows.iter().map(|it| &it.vectors[input][..]).collect();
            given_vectors(&wanted, &vectors[input].device())
        };
        let wanted: Vec<Tensor<2>> = (0..vectors.len()).map(wanted).collect();
        let of_input =
            |input: usize| relative_distance(&vectors[input], &wanted[input], squares(input));
        let distances: Vec<Tensor<1>> = (0..vectors.len()).map(of_input).collect();
        let mut distance = Tensor::cat(distances, 0).mean();
        let weight = rows[0].similarity_weight;
        if let ([codes, queries], [wanted_codes, wanted_queries], true) =
            (vectors, &wanted[..], weight > 0.0 && R::HEAD == Head::Embedding)
        {
            let given = similarities(queries, codes);
            let difference = given - similarities(wanted_queries, wanted_codes);
            distance = distance + difference.square().mean() * weight;
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

/// Of every query with every code, `[batch, hidden]` each: `[batch, batch]`.
fn similarities(queries: &Tensor<2>, codes: &Tensor<2>) -> Tensor<2> {
    queries.clone().matmul(codes.clone().transpose())
}

/// The squared distance of vectors `[batch, hidden]` from the wanted ones, summed over the batch, as
/// a share of the squared lengths of these.
fn relative_distance(vectors: &Tensor<2>, wanted: &Tensor<2>, squares: f64) -> Tensor<1> {
    let distances = (vectors.clone() - wanted.clone()).square().sum();
    distances / squares.max(f64::from(f32::MIN_POSITIVE))
}
