//! What a training row is, for each of the three tasks: its loss and its validation score.

use std::collections::BTreeMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use elibadcode_corpus::{LabelledIds, LabelledPairIds, SearchIds};

use crate::dropout::Mode;
use crate::head::Head;
use crate::model::CodeModel;
use crate::prediction::{bce_with_logits, cross_entropy, predicted_label};

/// Similarities are multiplied by this before the softmax. Paper: 20.
const SIMILARITY_SCALE: f64 = 20.0;

/// Mean loss over validation rows, and the score that chooses the best epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Mean loss, in nats.
    pub loss: f64,
    /// Accuracy, F1 or mean reciprocal rank: higher is better.
    pub score: f64,
}

/// Something that a model can be fine-tuned on.
pub trait TrainingRow: Sized + Sync {
    /// The head that these rows need; none if any does.
    const HEAD: Option<Head>;
    /// A batch is always split into this many parts, whatever the machine, so that results do not
    /// depend on the number of cores.
    const N_PARTS: usize;

    /// Ids of the row: rows of similar length are trained on together.
    fn length(&self) -> usize;

    /// Mean loss of some rows, `[1]`.
    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1>;

    /// Loss and score over all of some rows.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation;
}

impl TrainingRow for LabelledIds {
    const HEAD: Option<Head> = Some(Head::Classification);
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.ids.len()
    }

    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        bce_with_logits(model.forward_ids(&ids, mode), &labels)
    }

    /// The score is the accuracy.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let log_odds = model.log_odds(&ids);
        let hits =
            log_odds.iter().zip(rows).filter(|(z, row)| predicted_label(**z) == row.label).count();
        let loss: f64 =
            log_odds.iter().zip(rows).map(|(&z, row)| cross_entropy(z, row.label)).sum();
        let n = rows.len() as f64;
        Validation { loss: loss / n, score: hits as f64 / n }
    }
}

impl TrainingRow for LabelledPairIds {
    const HEAD: Option<Head> = Some(Head::Pair);
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.first.len().max(self.second.len())
    }

    /// The cross entropy of two logits is the binary one of their difference.
    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1> {
        let firsts = rows.iter().map(|row| row.first.as_slice());
        let ids: Vec<&[u32]> = firsts.chain(rows.iter().map(|row| row.second.as_slice())).collect();
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        let (first, second) = halves(model.forward_vectors(&ids, mode));
        bce_with_logits(model.classify_pair(first, second, mode), &labels)
    }

    /// The score is F1 of the clones at even odds.
    ///
    /// Reference: the best F1 over thresholds, which the test does not use.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let log_odds = pair_log_odds(model, rows);
        let loss: f64 =
            log_odds.iter().zip(rows).map(|(&z, row)| cross_entropy(z, row.label)).sum();
        let count = |predicted: u8, label: u8| {
            let answers = log_odds.iter().zip(rows);
            answers
                .filter(|(z, row)| predicted_label(**z) == predicted && row.label == label)
                .count()
        };
        let (hits, wrong) = (2 * count(1, 1), count(1, 0) + count(0, 1));
        let score = if hits + wrong == 0 { 0.0 } else { hits as f64 / (hits + wrong) as f64 };
        Validation { loss: loss / rows.len() as f64, score }
    }
}

impl TrainingRow for SearchIds {
    const HEAD: Option<Head> = Some(Head::Embedding);
    // The other rows of the batch are the wrong answers: a part would have fewer.
    const N_PARTS: usize = 1;

    fn length(&self) -> usize {
        self.code.len()
    }

    /// `InfoNCE`: each query against the codes of the whole batch.
    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1> {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.query.as_slice()).collect();
        let codes = model.forward_vectors(&codes, mode);
        let queries = model.forward_vectors(&queries, mode);
        let similarities = queries.matmul(codes.transpose()) * SIMILARITY_SCALE;
        let right = Tensor::<2>::eye(rows.len(), &similarities.device());
        let log_shares = log_softmax(similarities, 1) * right; // [batch, batch]
        -log_shares.sum() / rows.len() as f64
    }

    /// The score is the mean reciprocal rank of the right code among all of them; ties count half.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.query.as_slice()).collect();
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

/// Log-odds that pairs are clones; each distinct function is encoded once.
pub fn pair_log_odds(model: &CodeModel, rows: &[LabelledPairIds]) -> Vec<f32> {
    let members = rows.iter().flat_map(|row| [row.first.as_slice(), row.second.as_slice()]);
    let mut indices: BTreeMap<&[u32], usize> = members.map(|ids| (ids, 0)).collect();
    for (index, place) in indices.values_mut().enumerate() {
        *place = index;
    }
    let distinct: Vec<&[u32]> = indices.keys().copied().collect();
    let vectors = model.vectors(&distinct);
    let of = |ids: &[u32]| vectors[indices[ids]].as_slice();
    let first: Vec<&[f32]> = rows.iter().map(|row| of(&row.first)).collect();
    let second: Vec<&[f32]> = rows.iter().map(|row| of(&row.second)).collect();
    model.pair_log_odds(&first, &second)
}

/// A row and the vector that the model is to give it.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorRow {
    /// `<s> … </s>`.
    pub ids: Vec<u32>,
    /// `[hidden]`.
    pub vector: Vec<f32>,
}

impl TrainingRow for VectorRow {
    const HEAD: Option<Head> = None;
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.ids.len()
    }

    /// Squared distance, as a share of the wanted vectors' mean squared length.
    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let vectors = model.forward_vectors(&ids, mode);
        let [batch, hidden] = vectors.dims();
        let wanted: Vec<f32> = rows.iter().flat_map(|row| row.vector.iter().copied()).collect();
        let square: f64 = wanted.iter().map(|&it| f64::from(it).powi(2)).sum();
        let wanted = TensorData::new(wanted, [batch, hidden]);
        let wanted = Tensor::<2>::from_data(wanted, &vectors.device());
        (vectors - wanted).square().sum() / square.max(f64::MIN_POSITIVE)
    }

    /// The score is the mean cosine.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let (mut distance, mut square, mut cosines) = (0.0, 0.0, 0.0);
        for (vector, row) in model.vectors(&ids).iter().zip(rows) {
            let (own, wanted) = (dot(vector, vector), dot(&row.vector, &row.vector));
            let product = dot(vector, &row.vector);
            distance += own + wanted - 2.0 * product;
            square += wanted;
            cosines += product / (own * wanted).sqrt().max(f64::MIN_POSITIVE);
        }
        Validation {
            loss: distance / square.max(f64::MIN_POSITIVE),
            score: cosines / rows.len() as f64,
        }
    }
}

/// The first and the second half of the rows.
fn halves(vectors: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [rows, _] = vectors.dims();
    let half = rows / 2;
    (vectors.clone().narrow(0, 0, half), vectors.narrow(0, half, half))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}
