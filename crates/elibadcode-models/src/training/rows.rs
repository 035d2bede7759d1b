//! What a training row is: its loss and its validation score, for functions and for pairs.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};
use elibadcode_corpus::{LabelledIds, LabelledPairIds};

use crate::batch::length_batches;
use crate::dropout::Mode;
use crate::head::Head;
use crate::model::CodeModel;
use crate::prediction::{bce_with_logits, cross_entropy, given_vectors, predicted_label};

/// Rows of different lengths that are padded to the longest of them.
const SIMILAR_ROWS: usize = 8;

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
    /// The head that these rows need.
    const HEAD: Head;
    /// A batch is split into this many parts, whatever the machine, so that results do not depend on the
    /// number of cores; into more, if the rows are long. With 1 it is never split.
    const N_PARTS: usize;

    /// Whether the loss of these rows depends on the head.
    fn trains_head(_: &[Self]) -> bool {
        Self::HEAD != Head::Embedding
    }

    /// Ids of the row: rows of similar length are trained on together.
    fn length(&self) -> usize;

    /// For each input of a row the vectors of some rows, `[batch, hidden]`.
    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>>;

    /// Mean loss of some rows, `[1]`, from their vectors.
    fn loss_of_vectors(
        model: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        mode: &mut Mode<'_>,
    ) -> Tensor<1>;

    /// Mean loss of some rows, `[1]`.
    fn loss(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Tensor<1> {
        let vectors = Self::vectors(model, rows, mode);
        Self::loss_of_vectors(model, rows, &vectors, mode)
    }

    /// Loss and score over all of some rows.
    fn validate(model: &CodeModel, rows: &[Self]) -> Validation;
}

impl TrainingRow for LabelledIds {
    const HEAD: Head = Head::Classification;
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.ids.len()
    }

    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        vec![model.forward_vectors(&ids, mode)]
    }

    fn loss_of_vectors(
        model: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        bce_with_logits(model.classify(vectors[0].clone(), mode), &labels)
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
    const HEAD: Head = Head::Pair;
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.first.len().max(self.second.len())
    }

    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>> {
        let firsts = rows.iter().map(|row| row.first.as_slice());
        let ids: Vec<&[u32]> = firsts.chain(rows.iter().map(|row| row.second.as_slice())).collect();
        let vectors = vectors_by_length(model, &ids, mode);
        let n = rows.len();
        vec![vectors.clone().narrow(0, 0, n), vectors.narrow(0, n, n)]
    }

    /// The cross entropy of two logits is the binary one of their difference.
    fn loss_of_vectors(
        model: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        let log_odds = model.classify_pair(vectors[0].clone(), vectors[1].clone(), mode);
        bce_with_logits(log_odds, &labels)
    }

    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        validated_pairs(&pair_log_odds(model, rows), &labels)
    }
}

/// A member of a pair beside the vector of the other one, which is given and stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct HalfPair {
    /// `<s> … </s>` of the member.
    pub ids: Vec<u32>,
    /// `[hidden]` of the other one.
    pub partner: Vec<f32>,
    /// Whether the other one is the first of the pair.
    pub partner_is_first: bool,
    /// 1 for a clone.
    pub label: u8,
}

impl TrainingRow for HalfPair {
    const HEAD: Head = Head::Pair;
    const N_PARTS: usize = 2;

    fn length(&self) -> usize {
        self.ids.len()
    }

    fn vectors(model: &CodeModel, rows: &[&Self], mode: &mut Mode<'_>) -> Vec<Tensor<2>> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        vec![model.forward_vectors(&ids, mode)]
    }

    fn loss_of_vectors(
        model: &CodeModel,
        rows: &[&Self],
        vectors: &[Tensor<2>],
        mode: &mut Mode<'_>,
    ) -> Tensor<1> {
        let [own] = vectors else { unreachable!("a half pair has one input") };
        let partners: Vec<&[f32]> = rows.iter().map(|row| row.partner.as_slice()).collect();
        let partners = given_vectors(&partners, &own.device());
        // 1 where the partner is the first.
        let turns: Vec<f32> = rows.iter().map(|row| f32::from(row.partner_is_first)).collect();
        let turns = TensorData::new(turns, [rows.len(), 1]);
        let turns = Tensor::<2>::from_data(turns, &own.device());
        let swap = (partners.clone() - own.clone()) * turns; // [batch, hidden]
        let (first, second) = (own.clone() + swap.clone(), partners - swap);
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        bce_with_logits(model.classify_pair(first, second, mode), &labels)
    }

    fn validate(model: &CodeModel, rows: &[Self]) -> Validation {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let own = model.vectors(&ids);
        let (first, second): (Vec<&[f32]>, Vec<&[f32]>) = own
            .iter()
            .zip(rows)
            .map(|(own, row)| {
                let (own, partner) = (own.as_slice(), row.partner.as_slice());
                if row.partner_is_first { (partner, own) } else { (own, partner) }
            })
            .unzip();
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        validated_pairs(&model.pair_log_odds(&first, &second), &labels)
    }
}

/// The vectors of rows of any lengths, `[rows, hidden]`: similar ones are padded together.
///
/// A batch is made of rows that are similar in [`TrainingRow::length`] only, and what else they hold would
/// be padded to the longest: of pairs a fifth of all positions.
pub(super) fn vectors_by_length(
    model: &CodeModel,
    rows: &[&[u32]],
    mode: &mut Mode<'_>,
) -> Tensor<2> {
    let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
    let groups = length_batches(&lengths, SIMILAR_ROWS);
    let vectors = groups.iter().map(|group| {
        let rows: Vec<&[u32]> = group.iter().map(|&row| rows[row]).collect();
        model.forward_vectors(&rows, mode)
    });
    let vectors = Tensor::cat(vectors.collect(), 0);
    let mut places = vec![0; rows.len()];
    for (place, &row) in groups.iter().flatten().enumerate() {
        places[row] = place as i32;
    }
    let places = TensorData::new(places, [rows.len()]);
    let places = Tensor::<1, Int>::from_data(places, &vectors.device());
    vectors.select(0, places)
}

/// The loss of pairs, and F1 of the clones at even odds.
///
/// Reference: the best F1 over thresholds, which the test does not use.
fn validated_pairs(log_odds: &[f32], labels: &[u8]) -> Validation {
    let answers = || log_odds.iter().zip(labels);
    let loss: f64 = answers().map(|(&z, &label)| cross_entropy(z, label)).sum();
    let count = |predicted: u8, wanted: u8| {
        answers()
            .filter(|(z, label)| predicted_label(**z) == predicted && **label == wanted)
            .count()
    };
    let (hits, wrong) = (2 * count(1, 1), count(1, 0) + count(0, 1));
    let score = if hits + wrong == 0 { 0.0 } else { hits as f64 / (hits + wrong) as f64 };
    Validation { loss: loss / labels.len() as f64, score }
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
