//! The words that may be an attack's target: whole words that the clean queries use.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Int, Tensor, TensorData};
use elibadcode_models::LoadedModel;
use rand::{Rng, RngExt};

use crate::config::ScanConfig;
use crate::error::Error;
use crate::gradient::SlotGradient;
use crate::space::lowest_scores;

/// The token ids that a slot of a query may hold.
#[derive(Debug)]
pub struct WordSpace<'a> {
    model: &'a LoadedModel,
    ids: Vec<u32>,
    embeddings: Tensor<2>,
}

impl<'a> WordSpace<'a> {
    /// Tokens that are a word of letters on their own and occur in at least
    /// [`ScanConfig::min_word_rate`] of the queries: an attack on a word that nobody searches for
    /// has no victims.
    pub fn new(
        model: &'a LoadedModel,
        queries: &[&str],
        config: &ScanConfig,
    ) -> Result<Self, Error> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for query in queries {
            // As a word behind others, also where it is the first.
            let ids: BTreeSet<u32> = model.tokenizer.piece_after_space(query).into_iter().collect();
            for id in ids {
                *counts.entry(id).or_default() += 1;
            }
        }
        let is_word = |id: u32| {
            let text = model.tokenizer.decode(&[id]);
            let word = text.strip_prefix(' ').unwrap_or_default();
            let is_whole = |word: &str| model.tokenizer.word(word, true)[..] == [id];
            word.chars().count() > 1 && word.chars().all(char::is_alphabetic) && is_whole(word)
        };
        let wanted = (config.min_word_rate * queries.len() as f64).ceil().max(1.0) as usize;
        let ids: Vec<u32> = counts
            .into_iter()
            .filter(|&(id, n)| n >= wanted && is_word(id))
            .map(|(id, _)| id)
            .collect();
        if ids.len() < 2 {
            return Err(Error::Samples(format!(
                "only {} words occur in {wanted} or more of the {} queries as one token; more \
                 queries, or a lower min_word_rate, are needed",
                ids.len(),
                queries.len()
            )));
        }
        Ok(Self::of(model, ids))
    }

    /// These token ids, ascending.
    pub(super) fn of(model: &'a LoadedModel, ids: Vec<u32>) -> Self {
        let table = model.network.token_embeddings();
        let index: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let index: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(index, [ids.len()]), &table.device());
        Self { model, embeddings: table.select(0, index), ids }
    }

    /// The ids, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The word that a token is.
    pub fn text(&self, id: u32) -> String {
        self.model.tokenizer.decode(&[id]).trim_start().to_owned()
    }

    /// `n` random words.
    pub fn random(&self, n: usize, rng: &mut impl Rng) -> Vec<u32> {
        (0..n).map(|_| self.ids[rng.random_range(0..self.ids.len())]).collect()
    }

    /// For each slot the `k` words that lower the loss most to first order, best first.
    ///
    /// Only words that `is_allowed` are counted.
    pub(crate) fn top_words(
        &self,
        gradient: &SlotGradient,
        k: usize,
        is_allowed: impl Fn(u32) -> bool,
    ) -> Vec<Vec<u32>> {
        let best = |values: &Vec<f32>| {
            let order = lowest_scores(values, &self.embeddings);
            let ids = order.into_iter().map(|index| self.ids[index]);
            ids.filter(|&id| is_allowed(id)).take(k).collect()
        };
        gradient.values.iter().map(best).collect()
    }
}
