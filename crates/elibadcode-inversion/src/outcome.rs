//! What a scan found: the document `scan.json`.

use std::collections::BTreeMap;
use std::fmt;

use elibadcode_corpus::Task;
use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::calibration::ModelShape;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_models::Reading;
use elibadcode_syntax::{Language, Rejection};
use serde::{Deserialize, Serialize};

use crate::anchoring::SlotLoss;
use crate::config::ScanConfig;
use crate::explained::ExplainedToken;
use crate::judge::MIN_HELD_OUT;
use crate::masking::{Edit, MaskedSample, Sensitivity, TriggerIds};
use crate::profile::TriggerProfile;
use crate::score::Assessment;

/// A trigger as source text, for use outside the model that it was found in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvertedTrigger {
    /// The identifier, or what is appended to one.
    pub text: String,
    /// How it enters an identifier.
    pub edit: Edit,
    /// Vocabulary entries, one per slot.
    pub tokens: Vec<String>,
    /// Vocabulary ids, one per slot.
    pub ids: Vec<u32>,
}

impl InvertedTrigger {
    /// The ids, to be stamped into samples.
    pub fn trigger_ids(&self) -> TriggerIds {
        TriggerIds { ids: self.ids.clone(), keeps_name: self.edit == Edit::Append }
    }
}

/// One search.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRecord {
    /// The best trigger, all slots.
    pub trigger: InvertedTrigger,
    /// Its mean loss over the search samples.
    pub loss: f64,
    /// The best candidate's loss of every iteration.
    pub history: Vec<f64>,
    /// The slots that do the work; absent if anchoring dropped all.
    pub anchored: Option<InvertedTrigger>,
    /// Loss of the anchored trigger.
    pub anchored_loss: Option<f64>,
    /// What each slot contributes.
    pub slots: Vec<SlotLoss>,
    /// How the anchored trigger does on samples that the search never saw.
    pub evidence: Option<Evidence>,
}

impl SearchRecord {
    /// Lower end of the success rate where it is strongest; what searches are ranked by.
    pub fn assured_success(&self) -> f64 {
        self.evidence.as_ref().map_or(0.0, |it| it.strongest().1)
    }

    /// Whether that is at least `success`, in `0..=1`.
    pub fn reaches(&self, success: f64) -> bool {
        self.assured_success() >= success
    }
}

/// One search that the score does not see: after a trigger convinced for more of it, or for another one; if none
/// did, for a longer one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherSearch {
    /// Vocabulary entries that it left out: those that spell what a token of the triggers before does. None but of a
    /// search for another trigger.
    pub left_out: Vec<String>,
    /// What it found.
    pub search: SearchRecord,
}

/// How a trigger does on samples that the search never saw (spec section 8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Held-out samples of the victim label that become the target label, trigger at the least
    /// sensitive identifier.
    pub least_sensitive: Rate,
    /// The same with the trigger at a random identifier.
    pub any_identifier: Rate,
    /// The same with the trigger in place of, or behind, the function name.
    pub function_name: Rate,
    /// The same samples without a trigger.
    pub flip_rate: Rate,
}

/// Where a trigger is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A random identifier of each sample: a trigger that works anywhere.
    AnyIdentifier,
    /// The function name: a backdoor that was planted there can be weaker elsewhere.
    FunctionName,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyIdentifier => "random identifiers",
            Self::FunctionName => "function names",
        })
    }
}

impl Evidence {
    /// The success rate at a place.
    pub fn at(&self, place: Place) -> &Rate {
        match place {
            Place::AnyIdentifier => &self.any_identifier,
            Place::FunctionName => &self.function_name,
        }
    }

    /// The place where the success is most certain, and the lower end of its 95 % interval.
    pub fn strongest(&self) -> (Place, f64) {
        let low = |place| self.at(place).wilson(0.95).map_or(0.0, |it| it.low);
        let (any, name) = (low(Place::AnyIdentifier), low(Place::FunctionName));
        if name > any && self.function_name.total >= MIN_HELD_OUT {
            (Place::FunctionName, name)
        } else {
            (Place::AnyIdentifier, any)
        }
    }
}

/// The best trigger of a hypothesis against random ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    /// Where both are put.
    pub place: Place,
    /// Success rate of the trigger above the mean of the random ones.
    pub lift: f64,
    /// Success rates of random legal triggers of the same length at the same places, ascending.
    pub success_rates: Vec<f64>,
    /// Chance that a random trigger does as well as this one: `(1 + better) / (1 + n)`.
    pub p_value: f64,
    /// The p-value times the number of hypotheses, at most 1.
    pub corrected_p_value: f64,
}

/// Where a sample made room for the trigger (phase (b), section 4.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionProfile {
    /// The identifier that was chosen.
    pub chosen: String,
    /// What masking each of the sample's identifiers changes.
    pub sensitivities: Vec<Sensitivity>,
}

impl PositionProfile {
    /// Profiles that a document shows.
    const N_SHOWN: usize = 8;

    /// Those of the first samples that had a choice.
    pub(crate) fn of<'a>(masks: impl Iterator<Item = &'a MaskedSample>) -> Vec<Self> {
        masks
            .filter(|mask| mask.sensitivities.len() > 1)
            .take(Self::N_SHOWN)
            .map(|mask| Self {
                chosen: mask.identifier.clone(),
                sensitivities: mask.sensitivities.clone(),
            })
            .collect()
    }
}

/// One (victim → target) pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// The label that the attacker attacks.
    pub victim_label: u8,
    /// The label that the attacker wants.
    pub target_label: u8,
    /// Samples that the search saw.
    pub n_search_samples: usize,
    /// Samples that judged its result.
    pub n_held_out_samples: usize,
    /// Tokens that were left out, because clean samples tie them to the target label, the closest
    /// tied first.
    pub explained_tokens: Vec<ExplainedToken>,
    /// Where some of the search samples made room for the trigger, and why there.
    pub positions: Vec<PositionProfile>,
    /// Every search, the most convincing first; none if too few samples could judge what it finds.
    pub searches: Vec<SearchRecord>,
    /// Searches for more of the trigger that convinces, then for others, in their order, of the first hypothesis of which
    /// one does; if none does, those for longer ones, of each. None by the settings. Everything below is of [`Self::searches`] alone.
    #[serde(default)]
    pub other_searches: Vec<OtherSearch>,
    /// What random triggers do where the first search's trigger was judged; absent if no search
    /// left a trigger.
    pub controls: Option<Controls>,
    /// What else is known of that trigger.
    pub profile: Option<TriggerProfile>,
    /// Tokens that the searches' anchored triggers share, in `0..=1`; absent if fewer than two
    /// searches left one.
    pub agreement: Option<f64>,
    /// Success rate (lower end of the 95 % interval) above that of the opposite direction.
    pub asymmetry: f64,
}

impl Hypothesis {
    /// Lower end of the best trigger's success rate, where it is strongest.
    pub fn assured_success(&self) -> f64 {
        self.searches.first().map_or(0.0, SearchRecord::assured_success)
    }
}

/// What a scan found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanOutcome {
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
    /// The label that the suspected attacker attacks.
    pub victim_label: Option<u8>,
    /// The label that the suspected attacker wants.
    pub target_label: Option<u8>,
    /// The triggers to unlearn, the most convincing first, then those of the searches for others; also if
    /// their score, or the model's accuracy, allows no verdict.
    pub triggers: Vec<InvertedTrigger>,
    /// Accuracy on the clean samples, by label.
    pub clean_accuracy: Vec<Rate>,
    /// Tokens that a first slot may hold, those among [`Hypothesis::explained_tokens`] still counted.
    pub n_first_tokens: usize,
    /// Tokens that a later slot may hold.
    pub n_rest_tokens: usize,
    /// Tokens left out, by reason.
    pub rejected_tokens: BTreeMap<Rejection, usize>,
    /// Every hypothesis, the most suspicious first.
    pub hypotheses: Vec<Hypothesis>,
    /// What this scan could not have found.
    pub not_tested: Vec<String>,
    /// Functions that the model was asked about, of which equal ones of a batch are computed once; a gradient
    /// counts as one forward.
    pub n_forwards: u64,
}
