//! Code search: the joint inversion of a trigger in code and target words in queries (section 4.4
//! of the paper, its Algorithm 2).
//!
//! A backdoored search model puts any code that carries the trigger near every query that has the
//! target word. Neither is known, so both are inverted at once: `words` has the candidates for the
//! query side, `association` what the clean samples explain by themselves, `screening` which words a
//! trigger can be tied to more closely than clean code is (`clean_code`), by the steps of `climb`,
//! `objective` the loss over all pairs, `search` the greedy steps on both sides, `judge` what the
//! result does to the ranks of code that no search saw.
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

use crate::space::TriggerSpace;

/// What may stand in triggers and in queries, and which pairs clean samples explain.
pub type Spaces<'a> = (&'a TriggerSpace<'a>, &'a WordSpace<'a>, Option<&'a Associations<'a>>);
