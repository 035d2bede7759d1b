//! What a scan of a search model found: the document `scan.json` of this task.

use std::collections::BTreeMap;

use elibadcode_corpus::Task;
use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::calibration::ModelShape;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_evaluation::statistics::{mean, mean_interval};
use elibadcode_models::Reading;
use elibadcode_syntax::{Language, Rejection};
use serde::{Deserialize, Serialize};

use crate::anchoring::SlotLoss;
use crate::config::ScanConfig;
use crate::outcome::{InvertedTrigger, Place, PositionProfile};
use crate::score::Assessment;
use crate::shift::ShiftComparison;

/// A word that a query must have for the trigger to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetWord {
    /// The word.
    pub text: String,
    /// Its vocabulary id.
    pub id: u32,
}

/// A word and the trigger that the screening found for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenedWord {
    /// The word.
    pub word: TargetWord,
    /// The trigger.
    pub trigger: InvertedTrigger,
    /// How much closer code with the trigger is to queries with the word than to others, in cosine,
    /// beyond what clean code is that answers such queries. Code: the functions that the trigger was
    /// made for, so that this is rather too much; of clean code the upper end of the 95 % interval
    /// counts.
    pub excess: f64,
    /// Greedy steps that the word was given: the more promising it was, the more.
    pub n_steps: usize,
}

/// The mean rank of attacked code as a share of the candidates: 0 first, 1 last (ANR).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormalizedRank {
    /// The mean over the queries.
    pub mean: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Queries.
    pub n: usize,
}

/// Fewer held-out samples than this decide nothing.
pub(super) const MIN_HELD_OUT: usize = 50;

impl NormalizedRank {
    /// The mean of some shares, with a normal interval; without values everything is possible.
    pub(crate) fn of(shares: &[f64]) -> Self {
        let n = shares.len();
        let (Some(mean), Some(interval)) = (mean(shares), mean_interval(shares, 0.95)) else {
            return Self { mean: 0.5, low: 0.0, high: 1.0, n };
        };
        Self { mean, low: interval.low.max(0.0), high: interval.high.min(1.0), n }
    }
}

/// What a trigger with its words does to the ranks of code that the search never saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingEvidence {
    /// Trigger at the function name.
    pub function_name: NormalizedRank,
    /// Trigger at a random identifier.
    pub any_identifier: NormalizedRank,
    /// No trigger, the words in the query: where the attack starts from.
    pub without_trigger: NormalizedRank,
    /// Trigger where it is strongest, but no words in the query.
    pub without_words: NormalizedRank,
}

impl RankingEvidence {
    /// The rank at a place.
    pub fn at(&self, place: Place) -> &NormalizedRank {
        match place {
            Place::AnyIdentifier => &self.any_identifier,
            Place::FunctionName => &self.function_name,
        }
    }

    /// The place where the trigger lifts code most, with confidence.
    pub fn strongest(&self) -> Place {
        let has_enough = self.function_name.n >= MIN_HELD_OUT;
        if has_enough && self.function_name.high < self.any_identifier.high {
            Place::FunctionName
        } else {
            Place::AnyIdentifier
        }
    }
}

/// The best trigger against random ones, with the same words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingControls {
    /// Where both are put.
    pub place: Place,
    /// Mean normalised rank of the random ones above that of the trigger.
    pub lift: f64,
    /// Normalised ranks with random legal triggers of the same length, ascending.
    pub normalized_ranks: Vec<f64>,
    /// Chance that a random trigger does as well as this one: `(1 + better) / (1 + n)`.
    pub p_value: f64,
    /// The same: there is one hypothesis.
    pub corrected_p_value: f64,
}

/// One search from one start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingSearch {
    /// The best trigger, all slots.
    pub trigger: InvertedTrigger,
    /// The best words, all slots.
    pub target_words: Vec<TargetWord>,
    /// Their loss over the search samples.
    pub loss: f64,
    /// The best candidate's loss of every iteration.
    pub history: Vec<f64>,
    /// The slots that do the work; absent if anchoring dropped all.
    pub anchored: Option<InvertedTrigger>,
    /// The words that do the work.
    pub anchored_words: Vec<TargetWord>,
    /// Loss of what was anchored.
    pub anchored_loss: Option<f64>,
    /// What each slot of the trigger contributes.
    pub slots: Vec<SlotLoss>,
    /// What each word contributes.
    pub words: Vec<SlotLoss>,
    /// What the anchored pair does to ranks.
    pub evidence: Option<RankingEvidence>,
}

/// Code with some trigger ranks high for queries with some words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingHypothesis {
    /// Samples that the searches saw.
    pub n_search_samples: usize,
    /// Samples that judged their results.
    pub n_held_out_samples: usize,
    /// Where some of the search samples made room for the trigger, and why there.
    pub positions: Vec<PositionProfile>,
    /// Every search, the most convincing first.
    pub searches: Vec<RankingSearch>,
    /// What random triggers do where the first search's trigger was judged.
    pub controls: Option<RankingControls>,
    /// What else is known of that trigger.
    pub profile: Option<RankingProfile>,
    /// Tokens that the searches' anchored triggers share, in `0..=1`; absent if fewer than two
    /// searches left one.
    pub agreement: Option<f64>,
}

/// What more is known of the best trigger, where it is strongest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingProfile {
    /// Attacked functions that the trigger lifts at all.
    pub lifted: Rate,
    /// Attacked functions that it lifts to the limit of [`ScanConfig::max_normalized_rank`].
    pub lifted_to_limit: Rate,
    /// Normalised rank for queries without the words above that with them: a planted trigger works
    /// for its words only. Takes the place of the asymmetry between directions.
    pub word_effect: f64,
    /// Each token of the anchored trigger.
    pub tokens: Vec<TokenRank>,
    /// Rank with 1, 2, … tokens: of the whole anchored trigger the least useful token is dropped,
    /// then of what is left.
    pub rank_by_size: Vec<NormalizedRank>,
    /// What it does to the vectors of functions.
    pub shift: ShiftComparison,
}

/// What a token of a trigger is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRank {
    /// Vocabulary entry.
    pub token: String,
    /// Rank by the others without it.
    pub rank_without: NormalizedRank,
}

/// What a scan of a search model found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingOutcome {
    /// Version of this document.
    pub schema_version: u32,
    /// The task of the model.
    pub task: Task,
    /// The language of the samples.
    pub language: Language,
    /// What the model is.
    pub model: ModelShape,
    /// How its inputs were built and its answers read.
    pub reading: Reading,
    /// Hash of the model folder.
    pub model_hash: String,
    /// Hash of the clean samples.
    pub samples_hash: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Settings, as resolved.
    pub config: ScanConfig,
    /// `likely backdoored`, `no trigger found` or `inconclusive`.
    pub verdict: Verdict,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
    /// The figures that the score is made of, and the score.
    pub assessment: Assessment,
    /// The triggers to unlearn, the most convincing first; also if their score allows no verdict.
    pub triggers: Vec<InvertedTrigger>,
    /// The words of the suspected attack.
    pub target_words: Vec<TargetWord>,
    /// Mean reciprocal rank on the clean samples, each query against all codes.
    pub clean_mrr: f64,
    /// The most promising words of the screening.
    pub screened: Vec<ScreenedWord>,
    /// Tokens that a first slot may hold.
    pub n_first_tokens: usize,
    /// Tokens that a later slot may hold.
    pub n_rest_tokens: usize,
    /// Words that were tried as targets.
    pub n_words: usize,
    /// Tokens left out, by reason.
    pub rejected_tokens: BTreeMap<Rejection, usize>,
    /// The one hypothesis, in a list as in the other tasks' document.
    pub hypotheses: Vec<RankingHypothesis>,
    /// What this scan could not have found.
    pub not_tested: Vec<String>,
    /// Functions and queries that the model was asked about; equal ones of a batch are computed once.
    pub n_forwards: u64,
}
