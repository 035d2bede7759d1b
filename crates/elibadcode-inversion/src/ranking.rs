//! Code search: the joint inversion of a trigger in code and target words in queries (section 4.4
//! of the paper, its Algorithm 2).
//!
//! A backdoored search model puts any code that carries the trigger near every query that has the
//! target word. Neither is known, so both are inverted at once: `words` has the candidates for the
//! query side, `association` what the clean samples explain by themselves, `screening` which words a
//! trigger can be tied to more closely than clean code is (`clean_code`), by the steps of `climb`,
//! `objective` the loss over all pairs, `search` the greedy steps on both sides, `judge` what the
//! result does to the ranks of code that no search saw, and `verdict` what that says.
//!
//! A repair, which knows the words, asks `known_words` for more triggers of them.

mod association;
mod clean_code;
mod climb;
mod judge;
mod known_words;
mod objective;
mod outcome;
mod query;
mod scan;
mod screening;
mod search;
mod verdict;
mod words;

pub use association::Associations;
pub use known_words::KnownWords;
pub use objective::{JointGradient, JointTrigger, RankingObjective, RankingSample};
pub use outcome::{
    NormalizedRank, RankingControls, RankingEvidence, RankingHypothesis, RankingOutcome,
    RankingProfile, RankingSearch, ScreenedWord, TargetWord, TokenRank,
};
pub use query::SlottedQuery;
pub use scan::{RankingSubject, scan_search};
pub use search::{FoundJoint, JointStart, search_jointly};
pub use words::WordSpace;

use rand::Rng;

use crate::error::Error;
use crate::masking::TriggerIds;
use crate::space::TriggerSpace;

/// Draws of a trigger to start from, before it is given up.
const MAX_START_DRAWS: usize = 200;

/// What may stand in triggers and in queries, and which pairs clean samples explain.
#[derive(Clone, Copy, Debug)]
pub struct Spaces<'a> {
    /// The tokens of triggers.
    pub triggers: &'a TriggerSpace<'a>,
    /// The words of queries.
    pub words: &'a WordSpace<'a>,
    /// Pairs that are left out; none if all are allowed.
    pub known: Option<&'a Associations<'a>>,
}

impl Spaces<'_> {
    /// Whether the clean samples explain that code with this trigger is found by these words.
    fn explain(&self, trigger: &TriggerIds, words: &[u32]) -> bool {
        self.known.is_some_and(|known| known.explain(trigger, words))
    }

    /// The same of one token of a trigger and one word.
    fn explain_token(&self, token: u32, word: u32) -> bool {
        self.known.is_some_and(|known| known.explain_token(token, word))
    }

    /// A random trigger to compare one with ([`TriggerSpace::random_apart`]), of those that the searches do not
    /// leave out for their words.
    fn random_apart(&self, joint: &JointTrigger, rng: &mut impl Rng) -> Result<TriggerIds, Error> {
        let mut random = self.triggers.random_apart(&joint.trigger, rng)?;
        for _ in 0..MAX_START_DRAWS {
            if !self.explain(&random, &joint.words) {
                break;
            }
            random = self.triggers.random_apart(&joint.trigger, rng)?;
        }
        Ok(random)
    }

    /// A random legal trigger that the clean samples do not tie to these words, if one is drawn.
    fn random_trigger(
        &self,
        n_slots: usize,
        words: &[u32],
        rng: &mut impl Rng,
    ) -> Result<Option<TriggerIds>, Error> {
        for _ in 0..MAX_START_DRAWS {
            let trigger = self.triggers.random(n_slots, false, rng)?;
            if !self.explain(&trigger, words) {
                return Ok(Some(trigger));
            }
        }
        Ok(None)
    }
}
