//! Triggers for words that are known to be attacked.
//!
//! A repair asks for them again and again: what a model has not forgotten yet can only be found in
//! the model as it is now. A scan of it would put other words first, to which any name can be tied.

use std::collections::BTreeSet;

use elibadcode_corpus::SearchSample;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rand::Rng;

use super::Spaces;
use super::association::Associations;
use super::climb::{Climb, Climber, ScreenedPair};
use super::objective::{RankingObjective, RankingSample};
use super::words::WordSpace;
use crate::config::ScanConfig;
use crate::error::Error;
use crate::outcome::InvertedTrigger;
use crate::scan::as_text;
use crate::space::TriggerSpace;

/// Greedy steps of a search.
const STEPS: usize = 12;
/// Every other search has so many slots more: a planted name may be longer than the inverted ones.
const MORE_SLOTS: usize = 2;

/// Words that are attacked, and what tells their triggers from names that go with them anyway.
#[derive(Debug)]
pub struct KnownWords<'a> {
    language: Language,
    attacked: &'a [u32],
    words: Vec<u32>,
    associations: Option<Associations<'a>>,
    config: ScanConfig,
}

impl<'a> KnownWords<'a> {
    /// Attacked words as token ids; the words that recur in the clean queries are those that they
    /// are told from.
    pub fn new(
        model: &'a LoadedModel,
        clean: &[SearchSample],
        language: Language,
        attacked: &'a [u32],
        config: &ScanConfig,
    ) -> Result<Self, Error> {
        let queries: Vec<&str> = clean.iter().map(|sample| &*sample.query).collect();
        let recurring = WordSpace::new(model, &queries, config)?;
        let words: BTreeSet<u32> = recurring.ids().iter().chain(attacked).copied().collect();
        let words: Vec<u32> = words.into_iter().collect();
        let space = WordSpace::of(model, words.clone());
        let associations =
            || Associations::new(model, clean, language, &space).reading_starts_only();
        let associations = config.skip_explained.then(associations);
        Ok(Self { language, attacked, words, associations, config: config.clone() })
    }

    /// Slots of the longest trigger that a search gives.
    pub fn n_slots(config: &ScanConfig) -> usize {
        config.trigger_len + MORE_SLOTS
    }

    /// The triggers of `n` searches in a model of the same tokenizer, each from a random one and for
    /// one of the words in turn; fewer if a search ends nowhere that clean samples do not explain.
    pub fn triggers(
        &self,
        model: &LoadedModel,
        samples: Vec<RankingSample>,
        n: usize,
        rng: &mut impl Rng,
    ) -> Result<Vec<InvertedTrigger>, Error> {
        if samples.is_empty() {
            return Ok(Vec::new());
        }
        let triggers = TriggerSpace::new(model, self.language, &self.config)?;
        let words = WordSpace::of(model, self.words.clone());
        let objective = RankingObjective::new(model, samples);
        let known = self.associations.as_ref();
        let spaces = Spaces { triggers: &triggers, words: &words, known };
        let climber = Climber::new(&objective, spaces, &self.config);
        let mut directions = climber.directions();
        directions.retain(|(word, _)| self.attacked.contains(word));
        let mut found = Vec::new();
        for (index, (word, direction)) in (0..n).zip(directions.iter().cycle()) {
            // Every word gets both lengths in turn.
            let is_longer = (index / directions.len()) % 2;
            let n_slots = self.config.trigger_len + MORE_SLOTS * is_longer;
            let Some(trigger) = spaces.random_trigger(n_slots, &[*word], rng)? else { continue };
            let nowhere = f64::NEG_INFINITY;
            let start = ScreenedPair { trigger, word: *word, affinity: nowhere, n_steps: 0 };
            let mut climb = Climb::new(start, direction.clone(), 0.0);
            for _ in 0..STEPS {
                climber.step(&mut climb, rng);
            }
            if climb.best.affinity > nowhere {
                found.push(as_text(&triggers, &climb.best.trigger));
            }
        }
        Ok(found)
    }
}
