//! Every constant of the repair, in one place.

use elibadcode_corpus::Task;
use elibadcode_inversion::InvertedTrigger;
use elibadcode_models::{Scope, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::checks::Limits;
use crate::error::Error;

/// What is left of the learning rate by a slowdown.
const SLOWDOWN: f64 = 0.25;

/// How a trigger is unlearned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlearningConfig {
    /// What is trained; the next scope is tried if the checks refuse the result of one.
    /// Paper: the head only (Fig. 8).
    pub scopes: Vec<Scope>,
    /// Rounds per scope: if the checks refuse the result of one, fine-tuning goes on with newly
    /// drawn triggers and places. Paper: 1.
    pub rounds: usize,
    /// Rounds before a repair can end: the checks see the inverted triggers only, and the planted one,
    /// which shares some of their tokens, takes longer to go. An earlier round that passed is kept if
    /// all of the later ones are refused. How much is left of it differs from repair to repair after two
    /// rounds of clone detection (CodePoisoner, seed 1: 19 to 38 % in seven repairs, 21 to 44 without
    /// [`Self::extension`] in three), less after four (9 to 19 % in three, without it 15 and 18), at no
    /// more loss of F1. Of code search eight instead of six left an ANR of 40.9 % instead of 39.9 on average
    /// (eight models of `fleet search`; 45.6 in their twins), with as much mean reciprocal rank and in a third
    /// more time (without similarities); of a single repair two or three points are chance. Paper: 1.
    pub min_rounds: usize,
    /// Rounds whose networks are averaged: a repair is the mean of those that its last rounds led to, each
    /// of which ends with a small learning rate. In code search the means of 3 have a mean reciprocal rank
    /// of 71.4, 72.4, 70.3 and 71.3 % where the last rounds had 70.1, 71.0, 70.1 and 70.6, and leave an ANR
    /// of 43.5, 44.1, 41.0 and 42.9 instead of 43.5, 41.5, 44.0 and 43.2 (BadCode and CodePoisoner, two
    /// repairs each). Paper: 1, no mean.
    pub averaged_rounds: usize,
    /// Share of the victim-class samples that get the trigger. Paper: 0.2 (Fig. 7).
    pub injection_rate: f64,
    /// Share of the other samples that get it, with their own true label. Paper: 0, which turns
    /// the trigger into an alarm (defect D9.6).
    pub other_injection_rate: f64,
    /// Whether a sample with the trigger comes beside its original instead of in its place.
    /// Paper: in its place.
    pub keeps_originals: bool,
    /// Chance of each slot to hold a random legal token instead of its own, anew for every
    /// sample, so that no token of the trigger keeps a meaning of its own: the planted trigger
    /// shares some tokens with the inverted one, seldom all. Paper: 0.
    pub variation_rate: f64,
    /// Chance of each later slot to hold a token of a later slot of any of the triggers, so that
    /// what several searches found in part is unlearned together. Paper: 0.
    pub mixing_rate: f64,
    /// Tokens that a trigger is made longer by, at most, anew for every sample: the other slots' kinds,
    /// behind its own. A planted name can have more tokens than the search has slots, of which it finds a
    /// part. Names of 5, 7 and 10 tokens kept 17.2, 19.2 and 24.2 % success without it in defect detection,
    /// and 6.8, 6.4 and 24.0 with 5 (a clean model: 9.0, 13.6 and 19.8). Of clone detection that of 10
    /// tokens kept 52.8 without, and after two rounds 43.2 with it. Tokens between the trigger's own, too,
    /// did not help, nor did the strongest of four versions of a sample. Not for code search, where 5 left an
    /// ANR of 38.6 % instead of 40.2 (six rounds, four models of `fleet search`). Paper: 0.
    pub extension: usize,
    /// Share of the triggers in a pass that are those which the repair was given; the others are those that
    /// it searched for itself ([`Self::searches`]), of which there are many more: drawn from all alike, of 75
    /// (six rounds) one to three were given. 0.3 instead of that left an ANR of 43.4 and 45.1 % (BadCode and
    /// CodePoisoner, seed 1) instead of 42.5 and 43.1, with a mean reciprocal rank of 72.6 and 71.6 instead
    /// of 71.9 and 71.6; 0.6 left 42.0 and 43.9. Paper: no searches (1).
    pub found_rate: f64,
    /// Share of the samples without a trigger, drawn anew for every pass, whose variables all get
    /// names of other clean functions: an attacker can spread what a trigger does over all names of a
    /// function, of which the scan exchanges one at a time. AFRAIDOOR does; of the model of defect
    /// detection (seed 1) 0 left it 57.0 % success, 0.75 left 13.2, and 1 left 10.6 at 0.6 points of
    /// accuracy. CodePoisoner kept 4.0 % with 0 and 3.4 with 0.75, BadCode 8.0 and 7.8. Of pairs 0.25: AFRAIDOOR
    /// kept 97.4 % (CodeBERT, seed 1) and 7.2 (UniXcoder) with 0, 2.4 and 2.8 with it; CodePoisoner 2.8 and 0.4 with 0, 3.0 and
    /// 0.8 with it, at 0.3 and 0.6 points of F1, of which 0.5 took 1.2 (UniXcoder). Not for code search, where it leaves less of AFRAIDOOR, and more of others: of AFRAIDOOR (CodeBERT,
    /// seed 1) 0 left an ANR of 31.3 %, 0.5 left 39.8, 0.75 left 41.1, at 0.3 and 1.4 points of mean reciprocal rank;
    /// with a `task_weight` of 2 or 4 they left 37.1 to 44.2, at 0.3 to 1.4 points more of it. Of BadCode 0 left 44.8, 0.5 left
    /// 41.3 and (weight 4) 38.7, of CodePoisoner 48.2, 46.8 and 48.2; two or three points are chance. Since searches look at names with
    /// the word within, 0 and 0.5 leave 38.5 and 42.9 (AFRAIDOOR), 45.2 and 43.6, 47.9 and 44.5. Paper: 0.
    pub renaming_rate: f64,
    /// Whether a model is taught its own vectors, too: with a trigger a function must get the one
    /// that it had without. A vector says more than a label, so that the few clean samples go
    /// further: on the model of defect detection, CodePoisoner and seed 2 labels alone left the
    /// planted trigger 18.4 % success, vectors alone 7.0. Paper: no, the task's loss.
    pub keeps_vectors: bool,
    /// Weight of the task's loss beside the vectors, unused without `keeps_vectors`. With 1 instead
    /// of 0 the six models of defect detection gained 0.8 points of accuracy on average instead of
    /// losing 0.5, and the two of code search 1.6 points of mean reciprocal rank instead of losing
    /// them (their triggered code was ranked 3 and 6 points higher, after half as many steps). Not
    /// for pairs: with 1 the planted trigger kept 40.0 % success (CodePoisoner, seed 1), with 0 21.6.
    /// All with the same triggers in every pass of a round. Paper: the task's loss only.
    pub task_weight: f64,
    /// Weight of the similarities of queries and codes beside the vectors, in code search; unused without
    /// `keeps_vectors`. A distance of vectors counts all directions alike, and code is ranked in those of the
    /// queries. With 100 instead of 0 the triggered code of eight models of `fleet search` with CodePoisoner
    /// or BadCode ends at 41.1 to 45.3 % of the ranking (on average 42.7) instead of 32.4 to 48.5 (40.9), in one
    /// repair each: CodePoisoner's gain 4.8 points, BadCode's lose 1.3, within chance. That costs a point of
    /// mean reciprocal rank (71.6 instead of 72.6), which is what the models had before the repair (71.5).
    /// Paper: the task's loss only (0).
    pub similarity_weight: f64,
    /// Passes over the clean samples in a round, each with triggers and places of its own: with
    /// those of the first for all, seed 2 of CodePoisoner keeps 10.4 % success instead of 4.6.
    /// Paper: 1.
    pub epochs: usize,
    /// Peak learning rate of the head. Paper: 5e-3.
    pub head_learning_rate: f64,
    /// Peak learning rate of the wider scopes. Paper: not used.
    pub encoder_learning_rate: f64,
    /// How often a repair that costs too much starts over, each time at a quarter of the learning rate:
    /// the rates were found on small models, and larger ones may not bear them. Begun at 40 times its rate, the
    /// repair of README's demo was accepted after two. Paper: 0.
    pub slowdowns: usize,
    /// Rows a step; with `keeps_vectors` inputs, of which a function with its query has two.
    /// Paper: 32.
    pub batch_size: usize,
    /// Searches before every round, in code search: for triggers of the same words in the model as
    /// the last round left it. What they find is unlearned, too. A planted name of many tokens is
    /// one of many that lift code for its word, so that the scan's triggers are not enough: on a model
    /// of CodePoisoner they left an ANR of 18.6 % (two rounds of five passes), with 12 searches before
    /// each of six rounds of two passes, at twice the learning rate, 42.5. Twice as
    /// many left as much (40.6 and 40.2 %, six rounds, four models of `fleet search`). Paper: none.
    pub searches: usize,
    /// Share of the clean samples that is kept aside for the checks. Paper: no checks.
    pub check_rate: f64,
    /// What the checks accept. Paper: no checks (defect D9.7).
    pub limits: Limits,
}

impl UnlearningConfig {
    /// The paper's settings (section 5.1), with the checks that it lacks.
    pub fn paper() -> Self {
        Self {
            scopes: vec![Scope::Head],
            rounds: 1,
            min_rounds: 1,
            averaged_rounds: 1,
            injection_rate: 0.2,
            other_injection_rate: 0.0,
            keeps_originals: false,
            variation_rate: 0.0,
            mixing_rate: 0.0,
            extension: 0,
            found_rate: 1.0,
            renaming_rate: 0.0,
            keeps_vectors: false,
            task_weight: 1.0,
            similarity_weight: 0.0,
            epochs: 1,
            head_learning_rate: 5e-3,
            encoder_learning_rate: 5e-3,
            slowdowns: 0,
            batch_size: 32,
            searches: 0,
            check_rate: 0.25,
            limits: Limits::strict(),
        }
    }

    /// The settings that this project measured to work for a task.
    pub fn recommended(task: Task) -> Self {
        let common = Self {
            scopes: vec![Scope::Full],
            rounds: 3,
            min_rounds: 2,
            mixing_rate: 0.5,
            injection_rate: 1.0,
            other_injection_rate: 1.0,
            keeps_originals: true,
            variation_rate: 0.5,
            keeps_vectors: true,
            epochs: 5,
            encoder_learning_rate: 5e-4,
            slowdowns: 2,
            ..Self::paper()
        };
        match task {
            Task::DefectDetection => Self { renaming_rate: 0.75, extension: 5, ..common },
            Task::CloneDetection => Self {
                rounds: 4,
                min_rounds: 4,
                extension: 5,
                renaming_rate: 0.25,
                task_weight: 0.0,
                ..common
            },
            Task::CodeSearch => Self {
                rounds: 8,
                min_rounds: 8,
                epochs: 2,
                encoder_learning_rate: 1e-3,
                searches: 12,
                similarity_weight: 100.0,
                averaged_rounds: 3,
                found_rate: 0.3,
                ..common
            },
        }
    }

    /// Slots of the longest trigger that is made of these.
    pub(crate) fn n_slots(&self, triggers: &[InvertedTrigger]) -> usize {
        triggers.iter().map(|it| it.ids.len()).max().unwrap_or(1) + self.extension
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), Error> {
        if self.scopes.is_empty() || self.rounds == 0 {
            return Err(Error::Config("there is no scope or no round to train in".into()));
        }
        for (name, value) in [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("averaged_rounds", self.averaged_rounds),
        ] {
            if value == 0 {
                return Err(Error::Config(format!("{name} is 0, expected at least 1")));
            }
        }
        for (name, weight) in
            [("task_weight", self.task_weight), ("similarity_weight", self.similarity_weight)]
        {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(Error::Config(format!("{name} is {weight}, expected a number from 0")));
            }
        }
        if self.keeps_vectors && self.task_weight == 0.0 && self.scopes.contains(&Scope::Head) {
            return Err(Error::Config(
                "the scope head cannot be trained on vectors alone, with task_weight 0: no vector \
                 depends on the head"
                    .into(),
            ));
        }
        if self.min_rounds > self.rounds {
            return Err(Error::Config(format!(
                "min_rounds is {}, which is more than rounds, {}",
                self.min_rounds, self.rounds
            )));
        }
        for (name, rate) in [
            ("injection_rate", self.injection_rate),
            ("other_injection_rate", self.other_injection_rate),
            ("variation_rate", self.variation_rate),
            ("mixing_rate", self.mixing_rate),
            ("found_rate", self.found_rate),
            ("renaming_rate", self.renaming_rate),
        ] {
            if !(0.0..=1.0).contains(&rate) {
                return Err(Error::Config(format!("{name} is {rate}, expected 0 to 1")));
            }
        }
        if self.injection_rate + self.other_injection_rate == 0.0 {
            return Err(Error::Config(
                "injection_rate and other_injection_rate are 0: no sample would carry a trigger"
                    .into(),
            ));
        }
        for (name, limit) in [
            ("accuracy_drop", self.limits.accuracy_drop),
            ("measured_drop", self.limits.measured_drop),
            ("excess_success", self.limits.excess_success),
            ("other_class_drop", self.limits.other_class_drop),
        ] {
            if !(-1.0..=1.0).contains(&limit) {
                return Err(Error::Config(format!(
                    "limits.{name} is {limit}, expected a share, from -1 to 1: 0.08 is 8 points"
                )));
            }
        }
        if !(self.check_rate > 0.0 && self.check_rate < 1.0) {
            return Err(Error::Config(format!(
                "check_rate is {}, expected between 0 and 1",
                self.check_rate
            )));
        }
        Ok(())
    }

    /// [`Self::validate`], and whether the task has what the settings ask for.
    pub fn validate_for(&self, task: Task) -> Result<(), Error> {
        self.validate()?;
        let is_search = task == Task::CodeSearch;
        if is_search && self.injection_rate == 0.0 {
            return Err(Error::Config(
                "injection_rate is 0: no function would carry a trigger".into(),
            ));
        }
        if is_search && self.scopes.contains(&Scope::Head) {
            return Err(Error::Config(
                "scopes has `head`, which a model of code search lacks: give `scopes = [\"full\"]` in \
                 a --config FILE"
                    .into(),
            ));
        }
        for (name, value, has_it, why) in [
            ("searches", self.searches as f64, is_search, "only code search makes some"),
            (
                "similarity_weight",
                self.similarity_weight,
                is_search,
                "only code search has queries",
            ),
        ] {
            if value > 0.0 && !has_it {
                return Err(Error::Config(format!("{name} is {value}, expected 0: {why}")));
            }
        }
        Ok(())
    }

    /// How the model is fine-tuned in one scope, on the rows of all passes, after so many slowdowns.
    pub fn training(&self, scope: Scope, n_slowdowns: usize) -> TrainingConfig {
        let learning_rate =
            if scope == Scope::Head { self.head_learning_rate } else { self.encoder_learning_rate };
        TrainingConfig {
            epochs: 1,
            learning_rate: learning_rate * SLOWDOWN.powf(n_slowdowns as f64),
            batch_size: self.batch_size,
            scope,
            keep_best: false,
            ..TrainingConfig::paper()
        }
    }
}
