//! What the joint search minimises: `mean over i, j of (S_ij - 1)²`, with `S_ij` the cosine of
//! query i with the target words and code j with the trigger (section 6.1 of the specification).

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Tensor, TensorData};
use elibadcode_models::{CodeModel, LoadedModel, Mode};

use super::query::SlottedQuery;
use crate::gradient::{SlotGradient, slot_gradient};
use crate::masking::{MaskedSample, Stamped, TriggerIds};
use crate::objective::worst_if_nan;

/// A function with room for a trigger, and a query with room for target words.
#[derive(Clone, Debug)]
pub struct RankingSample {
    /// The function.
    pub code: MaskedSample,
    /// The query.
    pub query: SlottedQuery,
}

/// A trigger in code and target words in queries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JointTrigger {
    /// The trigger.
    pub trigger: TriggerIds,
    /// One id per word.
    pub words: Vec<u32>,
}

/// The gradient of the loss on both sides.
#[derive(Clone, Debug)]
pub struct JointGradient {
    /// At the slots of the trigger.
    pub trigger: SlotGradient,
    /// At the slots of the words.
    pub words: SlotGradient,
    /// The loss.
    pub loss: f64,
}

/// The loss over some samples.
#[derive(Debug)]
pub struct RankingObjective<'a> {
    model: &'a LoadedModel,
    frozen: CodeModel,
    samples: Vec<RankingSample>,
    n_forwards: AtomicU64,
}

impl<'a> RankingObjective<'a> {
    /// The objective over some samples.
    pub fn new(model: &'a LoadedModel, samples: Vec<RankingSample>) -> Self {
        let frozen = model.network.frozen();
        Self { model, frozen, samples, n_forwards: AtomicU64::new(0) }
    }

    /// The samples.
    pub fn samples(&self) -> &[RankingSample] {
        &self.samples
    }

    /// Functions and queries that the model was asked about so far; a gradient counts as one forward
    /// more.
    pub fn n_forwards(&self) -> u64 {
        self.n_forwards.load(Ordering::Relaxed)
    }

    /// The loss of every trigger with every list of words, `[triggers][words]`, over the samples
    /// with these indices; 0 over none.
    ///
    /// Each side is encoded once and all pairs come from one matrix product: `r` triggers and `r`
    /// lists of words cost `2 r n` encodings. Reference: `2 r² n`.
    pub fn losses(
        &self,
        triggers: &[TriggerIds],
        words: &[Vec<u32>],
        subset: &[usize],
    ) -> Vec<Vec<f64>> {
        if subset.is_empty() {
            return vec![vec![0.0; words.len()]; triggers.len()];
        }
        let codes: Vec<Vec<u32>> = triggers
            .iter()
            .flat_map(|trigger| subset.iter().map(|&index| self.triggered(index, trigger)))
            .collect();
        let queries: Vec<Vec<u32>> = words
            .iter()
            .flat_map(|words| subset.iter().map(|&index| self.query(index, words).ids))
            .collect();
        let codes = self.encode(&codes);
        let queries = self.encode(&queries);
        let (n, n_codes) = (subset.len(), codes.dims()[0]);
        let similarities = queries.matmul(codes.transpose()); // [words * n, triggers * n]
        let similarities: Vec<f32> = similarities.into_data().iter::<f32>().collect();
        let mut losses = vec![vec![0.0; words.len()]; triggers.len()];
        for (row, row_values) in similarities.chunks_exact(n_codes).enumerate() {
            for (column, values) in row_values.chunks_exact(n).enumerate() {
                let sum: f64 = values.iter().map(|&it| f64::from(it - 1.0).powi(2)).sum();
                losses[column][row / n] += worst_if_nan(sum / (n * n) as f64);
            }
        }
        losses
    }

    /// The mean vector of the functions with each trigger, over the samples with these indices.
    pub(crate) fn mean_codes(&self, triggers: &[TriggerIds], subset: &[usize]) -> Vec<Vec<f64>> {
        let codes = |trigger| subset.iter().map(move |&index| self.triggered(index, trigger));
        self.means(&triggers.iter().flat_map(codes).collect::<Vec<_>>(), subset.len())
    }

    /// The mean vector of the queries with each word, over the samples with these indices.
    pub(crate) fn mean_queries(&self, words: &[u32], subset: &[usize]) -> Vec<Vec<f64>> {
        let stamp = |&word| subset.iter().map(move |&index| self.query(index, &[word]).ids);
        self.means(&words.iter().flat_map(stamp).collect::<Vec<_>>(), subset.len())
    }

    /// The gradient, at the slots of a trigger, of the mean over some functions of the product of
    /// their vectors with `direction`, negated: its descent brings the functions there.
    pub(crate) fn code_gradient(
        &self,
        trigger: &TriggerIds,
        direction: &[f64],
        subset: &[usize],
    ) -> SlotGradient {
        let rows: Vec<Stamped> = subset.iter().map(|&index| self.code(index, trigger)).collect();
        self.n_forwards.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let share = -1.0 / rows.len() as f64;
        let row: Vec<f32> = direction.iter().map(|it| (it * share) as f32).collect();
        let at_vectors = TensorData::new(row.repeat(rows.len()), [rows.len(), row.len()]);
        self.pull_back(&rows, Tensor::from_data(at_vectors, &self.model.network.device()))
    }

    /// The mean vectors of groups of `n` rows.
    fn means(&self, rows: &[Vec<u32>], n: usize) -> Vec<Vec<f64>> {
        self.n_forwards.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let vectors = self.model.network.vectors(rows);
        let mean = |part: &[Vec<f32>]| -> Vec<f64> {
            let sum = |index: usize| part.iter().map(|it| f64::from(it[index])).sum::<f64>();
            (0..part[0].len()).map(|index| sum(index) / part.len() as f64).collect()
        };
        vectors.chunks(n).map(mean).collect()
    }

    /// The loss of one trigger with one list of words over all samples.
    pub fn loss(&self, joint: &JointTrigger) -> f64 {
        let all: Vec<usize> = (0..self.samples.len()).collect();
        self.losses(std::slice::from_ref(&joint.trigger), std::slice::from_ref(&joint.words), &all)
            [0][0]
    }

    /// The gradient at the slots of both sides.
    ///
    /// The derivative with respect to the vectors is written down, and pulled back through the
    /// encoder batch by batch: no graph ever holds all samples.
    pub fn gradient(&self, joint: &JointTrigger) -> JointGradient {
        let indices = 0..self.samples.len();
        let codes: Vec<Stamped> =
            indices.clone().map(|index| self.code(index, &joint.trigger)).collect();
        let queries: Vec<Stamped> = indices.map(|index| self.query(index, &joint.words)).collect();
        let ids = |rows: &[Stamped]| -> Vec<Vec<u32>> {
            rows.iter().map(|row| row.ids.clone()).collect()
        };
        let code_vectors = self.encode(&ids(&codes));
        let query_vectors = self.encode(&ids(&queries));
        let distances = query_vectors.clone().matmul(code_vectors.clone().transpose()) - 1.0;
        let n_pairs = (self.samples.len() * self.samples.len()) as f64;
        let loss = f64::from(distances.clone().square().sum().into_scalar::<f32>()) / n_pairs;
        let slopes = distances * (2.0 / n_pairs); // [queries, codes]
        let at_codes = slopes.clone().transpose().matmul(query_vectors);
        let at_queries = slopes.matmul(code_vectors);
        self.n_forwards.fetch_add(2 * self.samples.len() as u64, Ordering::Relaxed);
        JointGradient {
            trigger: self.pull_back(&codes, at_codes),
            words: self.pull_back(&queries, at_queries),
            loss,
        }
    }

    /// The gradient at slots from that at the vectors, `[rows, hidden]`.
    fn pull_back(&self, rows: &[Stamped], at_vectors: Tensor<2>) -> SlotGradient {
        let [_, hidden] = at_vectors.dims();
        let values: Vec<f32> = at_vectors.into_data().iter::<f32>().collect();
        slot_gradient(&self.frozen, rows, &|words, lengths, batch| {
            let vectors = self.frozen.vectors_from_embeddings(words, lengths, &mut Mode::Evaluate);
            let values: Vec<f32> = batch
                .iter()
                .flat_map(|&row| values[row * hidden..(row + 1) * hidden].iter().copied())
                .collect();
            let values = TensorData::new(values, [batch.len(), hidden]);
            (vectors.clone() * Tensor::from_data(values, &vectors.device())).sum()
        })
    }

    fn code(&self, index: usize, trigger: &TriggerIds) -> Stamped {
        let code = &self.samples[index].code;
        code.stamp(trigger, &self.model.tokenizer, self.model.max_length)
    }

    fn triggered(&self, index: usize, trigger: &TriggerIds) -> Vec<u32> {
        let code = &self.samples[index].code;
        code.with_trigger(trigger, &self.model.tokenizer, self.model.max_length)
    }

    fn query(&self, index: usize, words: &[u32]) -> Stamped {
        self.samples[index].query.stamp(words, self.model)
    }

    /// `[rows, hidden]`.
    fn encode(&self, rows: &[Vec<u32>]) -> Tensor<2> {
        self.n_forwards.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let vectors = self.model.network.vectors(rows);
        let shape = [vectors.len(), self.model.config.hidden_size()];
        Tensor::from_data(TensorData::new(vectors.concat(), shape), &self.model.network.device())
    }
}
