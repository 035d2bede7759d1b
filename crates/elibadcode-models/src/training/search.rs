//! Training rows of code search: each query against the codes of its batch.

use std::collections::BTreeMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use elibadcode_corpus::SearchIds;

use super::rows::{TrainingRow, Validation, vectors_by_length};
use crate::dropout::Mode;
use crate::head::Head;
use crate::model::CodeModel;

/// Similarities are multiplied by this before the softmax. Paper: 20.
const SIMILARITY_SCALE: f64 = 20.0;
/// What takes a code out of the softmax of a query; far below any similarity, still finite.
const LEFT_OUT: f32 = -1e9;

/// A function and its query, and which rows are about the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRow {
    /// What the encoder reads.
    pub ids: SearchIds,
    /// Rows with the same number are versions of one function, or of its query: the code of one is no
    /// wrong answer to the query of another.
    pub function: usize,
}

impl SearchRow {
    /// Rows of functions with equal codes or equal queries get the same number.
    ///
    /// Paper: every other row of a batch is a wrong answer, as if no query had two.
    pub fn number(rows: Vec<SearchIds>) -> Vec<Self> {
        let mut numbers: Vec<usize> = (0..rows.len()).collect();
        let (mut codes, mut queries) = (BTreeMap::new(), BTreeMap::new());
        for (index, row) in rows.iter().enumerate() {
            for first in [
                *codes.entry(&row.code).or_insert(index),
                *queries.entry(&row.query).or_insert(index),
            ] {
                let (own, other) = (root(&mut numbers, index), root(&mut numbers, first));
                numbers[own.max(other)] = own.min(other);
            }
        }
        let functions: Vec<usize> =
            (0..rows.len()).map(|index| root(&mut numbers, index)).collect();
        rows.into_iter().zip(functions).map(|(ids, function)| Self { ids, function }).collect()
    }
}

/// The first of the rows that this one is connected with.
fn root(numbers: &mut [usize], mut index: usize) -> usize {
    while numbers[index] != index {
        numbers[index] = numbers[numbers[index]];
        index = numbers[index];
    }
    index
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

    /// `InfoNCE`: each query against the codes of the batch that are of other functions.
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

    /// The score is the mean reciprocal rank of the right code among all of them; ties count half.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.ids.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.ids.query.as_slice()).collect();
        let (codes, queries) = (model.vectors(&codes), model.vectors(&queries));
        let (mut loss, mut score) = (0.0, 0.0);
        for (right, query) in queries.iter().enumerate() {
            let similarities: Vec<f64> = codes.iter().map(|code| dot(query, code)).collect();
            let own = similarities[right];
            let above = similarities.iter().filter(|&&it| it > own).count() as f64;
            let level = similarities.iter().filter(|&&it| it >= own).count() as f64 - above;
            score += 1.0 / (1.0 + above + (level - 1.0) / 2.0);
            let odds = similarities.iter().map(|it| ((it - own) * SIMILARITY_SCALE).exp());
            loss += odds.sum::<f64>().ln();
        }
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
            if query != code && row.function == other.function {
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
    fn equal_codes_and_equal_queries_connect_rows() {
        let rows = vec![ids(1, 1), ids(2, 2), ids(1, 3), ids(4, 4), ids(2, 3), ids(5, 4)];
        let numbers: Vec<usize> = SearchRow::number(rows).iter().map(|it| it.function).collect();
        assert_eq!(numbers, [0, 0, 0, 3, 0, 3]);
    }

    #[test]
    fn versions_of_a_function_are_no_wrong_answers() {
        let row = |function| SearchRow { ids: ids(0, 0), function };
        let rows = [row(7), row(3), row(7)];
        let left_out = left_out(&rows.each_ref()).expect("two are of one function");
        let is_left_out: Vec<bool> = left_out.iter().map(|&it| it < 0.0).collect();
        let (no, yes) = (false, true);
        assert_eq!(is_left_out, [no, no, yes, no, no, no, yes, no, no]);
        assert!(super::left_out(&rows[..2].iter().collect::<Vec<_>>()).is_none());
    }
}
