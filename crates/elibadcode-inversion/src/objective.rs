//! What the search minimises, and its gradient at the trigger slots (spec section 6.1).
//!
//! Gradient and scores are taken in evaluation mode, with frozen weights, on the same stamped
//! samples (but for the ids of a trigger behind a name, see [`MaskedSample::with_trigger`]).
//! Reference: dropout on, and scores at a fixed index 10 (defects D6.1, D6.2).

use std::sync::atomic::{AtomicU64, Ordering};

use elibadcode_evaluation::Rate;
use elibadcode_models::{CodeModel, LoadedModel, bce_with_logits, cross_entropy, predicted_label};

use crate::gradient::{SlotGradient, slot_gradient};
use crate::masking::{MaskedSample, TriggerIds};
use crate::sample::{EncodedPartners, Partners};

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

/// How samples answer to a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Mean loss toward the target label.
    pub loss: f64,
    /// For each sample, whether the model gives the target label.
    pub is_target: Vec<bool>,
}

/// A loss that is no number is the worst; its sign could put it before all others.
pub(crate) fn worst_if_nan(loss: f64) -> f64 {
    if loss.is_nan() { f64::INFINITY } else { loss }
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

    /// Functions that the model was asked about so far; a gradient counts as one forward.
    pub fn n_forwards(&self) -> u64 {
        self.n_forwards.load(Ordering::Relaxed)
    }

    /// The loss of each trigger over the samples with these indices; 0 over none.
    pub fn losses(&self, triggers: &[TriggerIds], subset: &[usize]) -> Vec<f64> {
        if subset.is_empty() {
            return vec![0.0; triggers.len()];
        }
        let rows: Vec<Vec<u32>> = triggers
            .iter()
            .flat_map(|trigger| subset.iter().map(|&index| self.triggered(index, trigger)))
            .collect();
        let log_odds = self.log_odds(&rows, subset.iter().copied().cycle());
        log_odds
            .chunks(subset.len())
            .map(|part| {
                let total: f64 = part.iter().map(|&z| cross_entropy(z, self.target_label)).sum();
                worst_if_nan(total / subset.len() as f64)
            })
            .collect()
    }

    /// Loss and answers of one trigger over all samples.
    pub fn answers(&self, trigger: &TriggerIds) -> Answers {
        let rows: Vec<Vec<u32>> =
            (0..self.samples.len()).map(|index| self.triggered(index, trigger)).collect();
        self.summarise(&self.log_odds(&rows, 0..rows.len()))
    }

    /// How often each trigger gives the target label, over the samples with these indices.
    pub fn success(&self, triggers: &[TriggerIds], subset: &[usize]) -> Vec<Rate> {
        if subset.is_empty() {
            return vec![Rate::default(); triggers.len()];
        }
        let rows: Vec<Vec<u32>> = triggers
            .iter()
            .flat_map(|trigger| subset.iter().map(|&index| self.triggered(index, trigger)))
            .collect();
        let is_target = |&z: &f32| predicted_label(z) == self.target_label;
        let log_odds = self.log_odds(&rows, subset.iter().copied().cycle());
        log_odds.chunks(subset.len()).map(|part| part.iter().map(is_target).collect()).collect()
    }

    /// The vectors `[samples][hidden]` of the functions with these indices, with a trigger or as
    /// they were.
    pub(crate) fn vectors(&self, trigger: Option<&TriggerIds>, subset: &[usize]) -> Vec<Vec<f32>> {
        let (tokenizer, length) = (&self.model.tokenizer, self.model.max_length);
        let row = |&index: &usize| match trigger {
            Some(trigger) => self.triggered(index, trigger),
            None => self.samples[index].original(tokenizer, length),
        };
        let rows: Vec<Vec<u32>> = subset.iter().map(row).collect();
        self.n_forwards.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.model.network.vectors(&rows)
    }

    /// Loss and answers without a trigger.
    pub fn untriggered(&self) -> Answers {
        let (tokenizer, length) = (&self.model.tokenizer, self.model.max_length);
        let rows: Vec<Vec<u32>> =
            self.samples.iter().map(|sample| sample.original(tokenizer, length)).collect();
        self.summarise(&self.log_odds(&rows, 0..rows.len()))
    }

    /// The gradient of the mean loss with respect to the slot embeddings (Algorithm 1, line 5).
    pub fn slot_gradient(&self, trigger: &TriggerIds) -> SlotGradient {
        let stamped: Vec<_> = self
            .samples
            .iter()
            .map(|sample| sample.stamp(trigger, &self.model.tokenizer, self.model.max_length))
            .collect();
        self.n_forwards.fetch_add(stamped.len() as u64, Ordering::Relaxed);
        let n_samples = stamped.len() as f64;
        slot_gradient(&self.frozen, &stamped, &|words, lengths, batch| {
            let samples: Vec<usize> =
                batch.iter().map(|&index| self.samples[index].sample_index).collect();
            let z = self.partners.log_odds_from_embeddings(&self.frozen, words, lengths, &samples);
            let labels = vec![self.target_label; batch.len()];
            bce_with_logits(z, &labels) * (batch.len() as f64 / n_samples)
        })
    }

    fn triggered(&self, index: usize, trigger: &TriggerIds) -> Vec<u32> {
        self.samples[index].with_trigger(trigger, &self.model.tokenizer, self.model.max_length)
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
