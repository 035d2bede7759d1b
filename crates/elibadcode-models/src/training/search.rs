//! Training rows of code search: each query against the codes of its batch.

use std::collections::BTreeMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use elibadcode_corpus::SearchIds;

use super::rows::{TrainingRow, Validation, vectors_by_length};
use crate::dropout::Mode;
use crate::head::Head;
use crate::model::CodeModel;
use crate::workers::side_by_side;

/// Similarities are multiplied by this before the softmax. Paper: 20.
const SIMILARITY_SCALE: f64 = 20.0;
/// What takes a code out of the softmax of a query; far below any similarity, still finite.
const LEFT_OUT: f32 = -1e9;

/// A function and its query, and which function it is.
///
/// Paper: every other row of a batch is a wrong answer, as if no query had two right ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRow {
    /// What the encoder reads.
    pub ids: SearchIds,
    /// Rows with the same number are versions of one function: the code of one is no wrong answer to the
    /// query of another. Numbers of different [`Self::number`]ings do not belong in one training.
    pub function: usize,
}

impl SearchRow {
    /// Rows with equal codes get the same number.
    pub fn number(rows: Vec<SearchIds>) -> Vec<Self> {
        let mut numbers: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut number = |ids: SearchIds| {
            let next = numbers.len();
            let function = *numbers.entry(ids.code.clone()).or_insert(next);
            Self { ids, function }
        };
        rows.into_iter().map(&mut number).collect()
    }

    /// Whether the code of another row answers this one's query, too.
    fn is_answered_by(&self, other: &Self) -> bool {
        self.function == other.function || self.ids.query == other.ids.query
    }
}

impl TrainingRow for SearchRow {
    const HEAD: Head = Head::Embedding;
    // The other rows of the batch are the wrong answers: a part would have fewer.
    const N_PARTS: usize = 1;

    fn length(&self) -> usize {
        self.ids.code.len()
    }

    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>> {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.ids.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.ids.query.as_slice()).collect();
        vec![model.forward_vectors(&codes, mode), vectors_by_length(model, &queries, mode)]
    }

    /// `InfoNCE`: each query against the codes of the batch that do not answer it, too.
    fn loss_of_vectors(
        _: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        _: &mut Mode<'_>,
    ) -> Tensor<1> {
        let (codes, queries) = (vectors[0].clone(), vectors[1].clone());
        let device = codes.device();
        let mut similarities = queries.matmul(codes.transpose()) * SIMILARITY_SCALE;
        if let Some(left_out) = left_out(rows) {
            let left_out = TensorData::new(left_out, [rows.len(), rows.len()]);
            similarities = similarities + Tensor::from_data(left_out, &device);
        }
        let right = Tensor::<2>::eye(rows.len(), &device);
        let log_shares = log_softmax(similarities, 1) * right; // [batch, batch]
        -log_shares.sum() / rows.len() as f64
    }

    /// The score is the mean reciprocal rank of the right code among all of them; ties count half. As in a test,
    /// the codes of all other rows are wrong answers.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.ids.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.ids.query.as_slice()).collect();
        let (codes, queries) = (model.vectors(&codes), model.vectors(&queries));
        let of_query = |&right: &usize| -> (f64, f64) {
            let similarities: Vec<f64> =
                codes.iter().map(|code| dot(&queries[right], code)).collect();
            let own = similarities[right];
            let above = similarities.iter().filter(|&&it| it > own).count() as f64;
            let level = similarities.iter().filter(|&&it| it >= own).count() as f64 - above;
            let odds = similarities.iter().map(|it| ((it - own) * SIMILARITY_SCALE).exp());
            (odds.sum::<f64>().ln(), 1.0 / (1.0 + above + (level - 1.0) / 2.0))
        };
        let all: Vec<usize> = (0..rows.len()).collect();
        let of_queries = side_by_side(&model.device(), &all, of_query);
        let (loss, score) =
            of_queries.into_iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let n = rows.len() as f64;
        Validation { loss: loss / n, score: score / n }
    }
}

/// What is added to the similarities `[queries, codes]`, if some codes answer more than their own query.
fn left_out(rows: &[&SearchRow]) -> Option<Vec<f32>> {
    let mut added = vec![0.0; rows.len() * rows.len()];
    let mut is_any = false;
    for (query, row) in rows.iter().enumerate() {
        for (code, other) in rows.iter().enumerate() {
            if query != code && row.is_answered_by(other) {
                added[query * rows.len() + code] = LEFT_OUT;
                is_any = true;
            }
        }
    }
    is_any.then_some(added)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(code: u32, query: u32) -> SearchIds {
        SearchIds { code: vec![code], query: vec![query] }
    }

    #[test]
    fn equal_codes_are_one_function() {
        let rows = vec![ids(1, 1), ids(2, 2), ids(1, 3), ids(4, 4)];
        let numbers: Vec<usize> = SearchRow::number(rows).iter().map(|it| it.function).collect();
        assert_eq!(numbers, [0, 1, 0, 2]);
    }

    #[test]
    fn what_answers_a_query_too_is_left_out() {
        let row = |function, query| SearchRow { ids: ids(function as u32, query), function };
        let rows = [row(7, 1), row(3, 2), row(7, 3), row(4, 3)];
        let left_out = left_out(&rows.each_ref()).expect("two are of one function");
        let is_left_out: Vec<bool> = left_out.iter().map(|&it| it < 0.0).collect();
        let (no, yes) = (false, true);
        // The first query is not answered by the last code: that answers another query of its function.
        let first = [no, no, yes, no];
        let expected = [first, [no; 4], [yes, no, no, yes], [no, no, yes, no]];
        assert_eq!(is_left_out, expected.concat());
        assert!(super::left_out(&rows[..2].iter().collect::<Vec<_>>()).is_none());
    }
}
