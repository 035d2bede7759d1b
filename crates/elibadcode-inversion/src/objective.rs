//! What the search minimises, and its gradient at the trigger slots (spec section 6.1).
//!
//! Gradient and scores are taken in evaluation mode, with frozen weights, on the same stamped
//! samples. Reference: dropout on, and scores at a fixed index 10 (defects D6.1, D6.2).

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::Tensor;
use elibadcode_models::{
    CodeModel, LoadedModel, bce_with_logits, cross_entropy, length_batches, predicted_label,
};

use crate::masking::{MaskedSample, TriggerIds};
use crate::sample::{EncodedPartners, Partners};

/// Rows of one gradient pass.
const GRADIENT_BATCH: usize = 16;

/// Mean loss toward `target_label` over samples that carry a trigger.
#[derive(Debug)]
pub struct Objective<'a> {
    model: &'a LoadedModel,
    frozen: CodeModel,
    samples: Vec<MaskedSample>,
    partners: EncodedPartners<'a>,
    target_label: u8,
    n_forwards: AtomicU64,
}

/// The gradient of the loss at a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotGradient {
    /// `[slots][hidden]`: the gradient with respect to the embedding of each slot, summed over
    /// all places of the slot.
    pub values: Vec<Vec<f32>>,
    /// The loss there.
    pub loss: f64,
}

/// How samples answer to a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Mean loss toward the target label.
    pub loss: f64,
    /// For each sample, whether the model gives the target label.
    pub is_target: Vec<bool>,
}

impl<'a> Objective<'a> {
    /// The objective over some masked samples; `partners` are those of the samples that they were
    /// made from.
    pub fn new(
        model: &'a LoadedModel,
        samples: Vec<MaskedSample>,
        partners: &'a Partners,
        target_label: u8,
    ) -> Self {
        Self {
            model,
            frozen: model.network.frozen(),
            samples,
            partners: partners.encode(&model.network),
            target_label,
            n_forwards: AtomicU64::new(partners.n_forwards()),
        }
    }

    /// The samples.
    pub fn samples(&self) -> &[MaskedSample] {
        &self.samples
    }

    /// Functions that went through the model so far; a gradient counts as one forward.
    pub fn n_forwards(&self) -> u64 {
        self.n_forwards.load(Ordering::Relaxed)
    }

    /// The loss of each trigger over the samples with these indices.
    pub fn losses(&self, triggers: &[TriggerIds], subset: &[usize]) -> Vec<f64> {
        let rows: Vec<Vec<u32>> = triggers
            .iter()
            .flat_map(|trigger| subset.iter().map(|&index| self.stamped_ids(index, trigger)))
            .collect();
        let log_odds = self.log_odds(&rows, subset.iter().copied().cycle());
        log_odds
            .chunks(subset.len())
            .map(|part| {
                part.iter().map(|&z| cross_entropy(z, self.target_label)).sum::<f64>()
                    / subset.len() as f64
            })
            .collect()
    }

    /// Loss and answers of one trigger over all samples.
    pub fn answers(&self, trigger: &TriggerIds) -> Answers {
        let rows: Vec<Vec<u32>> =
            (0..self.samples.len()).map(|index| self.stamped_ids(index, trigger)).collect();
        self.summarise(&self.log_odds(&rows, 0..rows.len()))
    }

    /// Loss and answers without a trigger.
    pub fn untriggered(&self) -> Answers {
        let (tokenizer, length) = (&self.model.tokenizer, self.model.max_length);
        let rows: Vec<Vec<u32>> =
            self.samples.iter().map(|sample| sample.original(tokenizer, length)).collect();
        self.summarise(&self.log_odds(&rows, 0..rows.len()))
    }

    /// The gradient of the mean loss with respect to the slot embeddings (Algorithm 1, line 5).
    ///
    /// `∂L/∂one-hot = ∂L/∂e · Eᵀ`, so the gradient at the embedding is all that is needed.
    pub fn slot_gradient(&self, trigger: &TriggerIds) -> SlotGradient {
        let stamped: Vec<_> = self
            .samples
            .iter()
            .map(|sample| sample.stamp(trigger, &self.model.tokenizer, self.model.max_length))
            .collect();
        self.n_forwards.fetch_add(stamped.len() as u64, Ordering::Relaxed);
        let lengths: Vec<usize> = stamped.iter().map(|row| row.ids.len()).collect();
        let batches = length_batches(&lengths, GRADIENT_BATCH);
        let n_samples = stamped.len() as f64;
        let hidden = self.model.config.hidden_size();
        let run = |batch: &Vec<usize>| -> (Vec<Vec<f64>>, f64) {
            let rows: Vec<&[u32]> = batch.iter().map(|&i| stamped[i].ids.as_slice()).collect();
            let row_lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
            let words: Tensor<3> = self.frozen.embed(&rows).detach().require_grad();
            let [_, seq, _] = words.dims();
            let samples: Vec<usize> = batch.iter().map(|&i| self.samples[i].sample_index).collect();
            let z = self.partners.log_odds_from_embeddings(
                &self.frozen,
                words.clone(),
                &row_lengths,
                &samples,
            );
            let labels = vec![self.target_label; rows.len()];
            let loss = bce_with_logits(z, &labels) * (rows.len() as f64 / n_samples);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let gradients = loss.backward();
            let gradient = words.grad(&gradients).expect("the words require a gradient");
            let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
            let mut sums = vec![vec![0.0; hidden]; trigger.ids.len()];
            for (row, &index) in batch.iter().enumerate() {
                for (slot, places) in stamped[index].slots.iter().enumerate() {
                    for place in places {
                        let start = (row * seq + place) * hidden;
                        let part = &gradient[start..start + hidden];
                        for (sum, value) in sums[slot].iter_mut().zip(part) {
                            *sum += f64::from(*value);
                        }
                    }
                }
            }
            (sums, value)
        };
        let parts: Vec<(Vec<Vec<f64>>, f64)> = std::thread::scope(|scope| {
            let handles: Vec<_> = batches.iter().map(|batch| scope.spawn(|| run(batch))).collect();
            handles
                .into_iter()
                .map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut values = vec![vec![0.0; hidden]; trigger.ids.len()];
        let mut loss = 0.0;
        for (sums, part_loss) in parts {
            loss += part_loss;
            for (total, sum) in values.iter_mut().flatten().zip(sums.iter().flatten()) {
                *total += sum;
            }
        }
        let narrow = |row: Vec<f64>| row.into_iter().map(|value| value as f32).collect();
        SlotGradient { values: values.into_iter().map(narrow).collect(), loss }
    }

    fn stamped_ids(&self, index: usize, trigger: &TriggerIds) -> Vec<u32> {
        self.samples[index].stamp(trigger, &self.model.tokenizer, self.model.max_length).ids
    }

    /// Log-odds of versions of the masked samples with these indices.
    fn log_odds(&self, rows: &[Vec<u32>], indices: impl IntoIterator<Item = usize>) -> Vec<f32> {
        self.n_forwards.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let samples = indices.into_iter().map(|index| self.samples[index].sample_index);
        self.partners.log_odds(&self.model.network, rows, samples)
    }

    fn summarise(&self, log_odds: &[f32]) -> Answers {
        let total: f64 = log_odds.iter().map(|&z| cross_entropy(z, self.target_label)).sum();
        Answers {
            loss: total / log_odds.len() as f64,
            is_target: log_odds.iter().map(|&z| predicted_label(z) == self.target_label).collect(),
        }
    }
}
