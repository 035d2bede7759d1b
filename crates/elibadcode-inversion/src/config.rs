//! Every constant of the scan, in one place.

use elibadcode_corpus::Task;
use elibadcode_syntax::VocabularyRule;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::masking::Occurrences;

/// No count of a setting is larger: memory is taken for some of them at once.
const MAX_COUNT: usize = 100_000;

/// How a scan is made. [`ScanConfig::paper`] has the paper's values, [`ScanConfig::recommended`]
/// the deviations that were measured to help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanConfig {
    /// Clean samples per class that the search sees. Paper: 30 (Fig. 11).
    pub samples_per_class: usize,
    /// Further clean samples per class that judge what was found. Paper: none.
    pub held_out_per_class: usize,
    /// Slots of the inverted trigger. Paper: 5.
    pub trigger_len: usize,
    /// Words that are inverted in queries, in code search. Paper: 2.
    pub target_len: usize,
    /// Share of the clean queries that a word must occur in to be tried as a target, in code
    /// search: an attack on a word that nobody searches for has no victims. Paper: 0, any token.
    pub min_word_rate: f64,
    /// Whether searches leave out what the clean samples explain: tokens that go with the target label,
    /// in code search triggers that go with the target words. Paper: no such rule, so that it finds
    /// `openstream` for clones, and `name` for "name".
    pub skip_explained: bool,
    /// What a token must surely multiply the odds of the target label by, in the clean samples, to be left
    /// out; code search has no labels. Paper: no such rule.
    pub min_odds_ratio: f64,
    /// Share of the clean samples of a label that the model must get right for a find to be called an attack
    /// on it. Unless it is 0, a model that can get no verdict, because it does no better than chance or the
    /// samples are too few, is not searched at all. Paper: no such rule (0).
    pub min_victim_accuracy: f64,
    /// Where the searches start. Paper: at random tokens.
    pub start_rule: StartRule,
    /// Greedy steps for every word before the searches of code search, then for the better half of
    /// the words, and so on. Paper: none.
    pub screening_steps: usize,
    /// Iterations of a search. In clone detection the tokens of a planted name do little one by one, so that
    /// it takes longer to get to them: of three models with names of 5 and 6 tokens, 60 iterations (and a
    /// [`Self::patience`] of 20) found them in 9 of 9 searches, 20 (and 6) in 7 of 18, by the paper's
    /// step rule. Paper: 100.
    pub iterations: usize,
    /// Which trigger the next iteration changes. In clone detection a scan (without searches for other
    /// triggers) takes 83,000 forwards from the best so far and 150,000 by the paper's rule, and its assured
    /// success tells the models of `fleet clone` apart as well (AUROC 0.966 and 0.962). Paper: the best
    /// candidate of the last one (Algorithm 1).
    // Scans of version N have no such field, and went on by its default.
    #[serde(default)]
    pub step_rule: StepRule,
    /// Tokens per slot among which candidates are drawn. Paper: 64 (Fig. 12).
    pub top_k: usize,
    /// Candidates per iteration. Paper: 64 (Fig. 13).
    pub candidates: usize,
    /// Searches of the most suspicious hypothesis, each from another start, and of the other one if the
    /// model knows its label and nothing convincing was found. A trigger that is suspicious but does not
    /// convince brings up to twice as many, none that is suspicious no more than two; code search has
    /// this many. More of them find more of the planted tokens, all of which are handed to the repair.
    /// Paper: 1.
    pub restarts: usize,
    /// Searches once more, for the repair, if a trigger of a label convinces, at most; one that ends at a trigger
    /// known already is the last. The first ones are enough for a verdict, but each finds other parts of a long
    /// name, and in clone detection a repair needs them: of one model with `testo_init` (6 tokens) the repairs of
    /// what two searches had found left 41 and 15 % success, of four 2.2 and 1.6. The score does not see them.
    /// Code search makes none (0). Paper: none (0).
    #[serde(default)]
    pub more_searches: usize,
    /// Searches for other triggers of labels once one convinces, at most. Each leaves out all tokens that spell
    /// a part of those that do what a planted one is expected to, and the first that finds no such one is the
    /// last. A model can hold several triggers, and each of the searches before finds the one that does most:
    /// of two planted ones (defect detection, three models) the repair left 3 to 8 % of the weaker with, 6 to 74
    /// without. The score does not see them. Code search makes none (0): its repair searches in what the last
    /// round left. Paper: none (0).
    // Scans of version O have no such field, and made none.
    #[serde(default)]
    pub other_searches: usize,
    /// Searches for longer triggers of labels if none convinces, at most, in each direction that the model knows; one
    /// that does enough, or not a quarter of it, is the last. In clone detection a name of seven tokens and more would
    /// be missed: no five of them do much, and the scans of three such models ended with `no trigger found`. The score
    /// does not see them. Code search makes none (0); it finds such names with five. Paper: none (0).
    #[serde(default)]
    pub longer_searches: usize,
    /// Slots of these.
    #[serde(default)]
    pub longer_len: usize,
    /// Success rate that a longer trigger must reach with 95 % confidence for the model to be left undecided. Natural
    /// ones reach it in a fifth of the clean models of `fleet clone`: with so many slots they surely flip 15 to 79 %.
    #[serde(default)]
    pub longer_success_rate: f64,
    /// Which tokens a slot may hold. Reference: one rule for all slots, which cannot reach the
    /// first token of a renamed identifier (spec section 4).
    pub vocabulary_rule: VocabularyRule,
    /// Whether a candidate must tokenize back to itself as an identifier. Paper: no check, so
    /// that what is unlearned may differ from what was inverted (defect D4.1).
    pub retokenize: bool,
    /// Which identifier of a sample makes room for the trigger. Paper: the least sensitive one.
    pub position_rule: PositionRule,
    /// Which places of the identifier are taken. Paper: one.
    pub occurrences: Occurrences,
    /// Samples on which every candidate is scored first; 0 scores all on all. Paper: all.
    pub screening_samples: usize,
    /// Candidates that survive the screening and are scored on all samples. Paper: all.
    pub screening_survivors: usize,
    /// A search ends once the loss is below this. Paper: no early end (0).
    pub stop_loss: f64,
    /// A search ends after this many iterations without a better trigger. Paper: none.
    pub patience: usize,
    /// A slot is kept if dropping it changes the loss by more than this. Paper: 0.15 (Fig. 6).
    pub anchor_threshold: f64,
    /// How slots are dropped. Paper: each on its own.
    pub anchor_rule: AnchorRule,
    /// Random legal triggers that the found one is compared with. Paper: none.
    pub n_controls: usize,
    /// Chance of a false alarm that is accepted over all hypotheses. Paper: no such rule
    /// (defect D8.1: outlier detection is undefined for two labels).
    pub significance: f64,
    /// Success rate on held-out samples, at random identifiers or at function names, that a planted
    /// trigger must reach with 95 % confidence: the verdict of scans that no score holds for. Of all scans it
    /// says which triggers convince, by which more searches follow or not, and which are handed to the repair.
    /// Paper: no such rule.
    pub min_success_rate: f64,
    /// Normalised rank, in code search, that code with a planted trigger must reach with 95 %
    /// confidence, from the middle of the ranking: the verdict of scans that no score holds for. Paper: no
    /// such rule.
    pub max_normalized_rank: f64,
}

/// Which identifier of a sample makes room for the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionRule {
    /// The one whose masking changes the loss least (section 4.3).
    LeastSensitive,
    /// The function name in half of the samples, the least sensitive one in the others: a backdoor
    /// that was planted in function names can be weaker elsewhere.
    Mixed,
    /// The function name, where most published attacks put their trigger.
    FunctionName,
    /// Any, drawn at random. Paper: the ablation "without (b)" (Table 5).
    Random,
}

/// Where a joint search starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartRule {
    /// At random tokens and words.
    Random,
    /// At the tokens that do most on their own. In code search: at the word that a trigger can be tied to
    /// most closely, beyond what clean code is; then at the words that come near it, in turn.
    Screened,
}

/// Which trigger the next iteration of a search changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepRule {
    /// The best candidate of the last iteration, even if it is worse than the trigger that it came from.
    #[default]
    BestCandidate,
    /// The best trigger so far: the attack buffer that other implementations of the search have, of one
    /// place. Losses are means over the same samples, so that a trigger further back in it would never
    /// have a turn.
    BestSoFar,
}

impl StepRule {
    /// Where to go on from.
    pub(crate) fn next<T: Clone>(self, candidate: T, best: &T) -> T {
        match self {
            Self::BestCandidate => candidate,
            Self::BestSoFar => best.clone(),
        }
    }
}

/// How anchoring drops slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorRule {
    /// Each slot is judged by the loss without it alone (section 4.4). Two slots that stand in
    /// for each other are both dropped.
    LeaveOneOut,
    /// The least useful slot is dropped, the rest judged again, until none is dispensable.
    BackwardElimination,
    /// None is dropped. Paper: the ablation "without trigger anchoring" (Tables 5 and 6).
    KeepAll,
}

impl ScanConfig {
    /// The paper's settings (section 5.1) where it states them.
    pub fn paper() -> Self {
        Self {
            samples_per_class: 30,
            held_out_per_class: 100,
            trigger_len: 5,
            target_len: 2,
            min_word_rate: 0.0,
            skip_explained: false,
            min_odds_ratio: 1.25,
            min_victim_accuracy: 0.0,
            start_rule: StartRule::Random,
            screening_steps: 0,
            iterations: 100,
            step_rule: StepRule::BestCandidate,
            top_k: 64,
            candidates: 64,
            restarts: 1,
            more_searches: 0,
            other_searches: 0,
            longer_searches: 0,
            longer_len: 8,
            longer_success_rate: 0.68,
            vocabulary_rule: VocabularyRule::Reference,
            retokenize: false,
            position_rule: PositionRule::LeastSensitive,
            occurrences: Occurrences::First,
            screening_samples: 0,
            screening_survivors: 0,
            stop_loss: 0.0,
            patience: 100,
            anchor_threshold: 0.15,
            anchor_rule: AnchorRule::LeaveOneOut,
            n_controls: 50,
            significance: 0.05,
            min_success_rate: 0.7,
            max_normalized_rank: 0.15,
        }
    }

    /// The paper's search with the deviations that this project measured to help with a task.
    pub fn recommended(task: Task) -> Self {
        let common = Self {
            min_word_rate: 0.01,
            skip_explained: true,
            // Pairs share their functions, so that fewer of them count.
            min_odds_ratio: 1.0,
            min_victim_accuracy: 0.85,
            start_rule: StartRule::Screened,
            screening_steps: 2,
            target_len: 1,
            iterations: 20,
            restarts: 3,
            vocabulary_rule: VocabularyRule::SlotAware,
            retokenize: true,
            position_rule: PositionRule::Mixed,
            occurrences: Occurrences::All,
            screening_samples: 8,
            screening_survivors: 8,
            stop_loss: 0.02,
            patience: 6,
            anchor_rule: AnchorRule::BackwardElimination,
            ..Self::paper()
        };
        match task {
            // On from the best trigger so far takes 7 % fewer forwards on `fleet defect`, and finds 78 % of the
            // planted letters instead of 84.
            Task::DefectDetection => {
                let start_rule = StartRule::Random;
                Self { start_rule, min_odds_ratio: 1.25, other_searches: 3, ..common }
            }
            Task::CloneDetection => {
                let (iterations, step_rule, patience) = (60, StepRule::BestSoFar, 20);
                let (restarts, more_searches, other_searches, longer_searches) = (2, 2, 3, 2);
                let longer = Self { iterations, step_rule, patience, ..common };
                Self { restarts, more_searches, other_searches, longer_searches, ..longer }
            }
            Task::CodeSearch => common,
        }
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, value) in [
            ("samples_per_class", self.samples_per_class),
            ("held_out_per_class", self.held_out_per_class),
            ("trigger_len", self.trigger_len),
            ("target_len", self.target_len),
            ("iterations", self.iterations),
            ("top_k", self.top_k),
            ("candidates", self.candidates),
            ("restarts", self.restarts),
            ("patience", self.patience),
            ("n_controls", self.n_controls),
            ("longer_len", self.longer_len),
        ] {
            if !(1..=MAX_COUNT).contains(&value) {
                return Err(Error::Config(format!(
                    "{name} is {value}, expected at least 1 and at most {MAX_COUNT}"
                )));
            }
        }
        if self.screening_samples > 0 && self.screening_survivors == 0 {
            return Err(Error::Config("screening_survivors is 0, expected at least 1".into()));
        }
        for (name, value) in [
            ("min_word_rate", self.min_word_rate),
            ("min_victim_accuracy", self.min_victim_accuracy),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::Config(format!("{name} is {value}, expected 0 to 1")));
            }
        }
        if !(self.min_odds_ratio >= 1.0 && self.min_odds_ratio.is_finite()) {
            let value = self.min_odds_ratio;
            return Err(Error::Config(format!("min_odds_ratio is {value}, expected 1 or more")));
        }
        for (name, value) in [
            ("significance", self.significance),
            ("min_success_rate", self.min_success_rate),
            ("max_normalized_rank", self.max_normalized_rank),
            ("longer_success_rate", self.longer_success_rate),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::Config(format!("{name} is {value}, expected 0 to 1")));
            }
        }
        if !self.anchor_threshold.is_finite() || self.anchor_threshold < 0.0 {
            return Err(Error::Config(format!("anchor_threshold is {}", self.anchor_threshold)));
        }
        if !self.stop_loss.is_finite() {
            return Err(Error::Config(format!("stop_loss is {}", self.stop_loss)));
        }
        Ok(())
    }

    /// Slots of the longest searches.
    pub(crate) fn most_tokens(&self) -> usize {
        let longer = if self.longer_searches > 0 { self.longer_len } else { 0 };
        self.trigger_len.max(longer)
    }

    /// The settings that differ from other ones, each with its value there.
    pub(crate) fn changes_from(&self, other: &Self) -> Vec<String> {
        let [own, other] = [self, other].map(|it| serde_json::to_value(it).unwrap_or_default());
        let (Some(own), Some(other)) = (own.as_object(), other.as_object()) else {
            return Vec::new();
        };
        let changed = own.iter().filter(|(key, value)| other.get(*key) != Some(*value));
        changed.map(|(key, value)| format!("{key} is {value} instead of {}", other[key])).collect()
    }

    /// [`Self::validate`], and whether the task has what the settings ask for.
    pub fn validate_for(&self, task: Task) -> Result<(), Error> {
        self.validate()?;
        for (name, value) in [
            ("more_searches", self.more_searches),
            ("other_searches", self.other_searches),
            ("longer_searches", self.longer_searches),
        ] {
            if task == Task::CodeSearch && value > 0 {
                return Err(Error::Config(format!(
                    "{name} is {value}, expected 0: code search makes none"
                )));
            }
        }
        Ok(())
    }
}
