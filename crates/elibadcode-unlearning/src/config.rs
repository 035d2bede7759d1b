//! Every constant of the repair, in one place.

use elibadcode_models::{Scope, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::checks::Limits;
use crate::error::Error;

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
    /// Rounds before a result can be accepted: the checks see the inverted triggers only, and the
    /// planted one, which shares some of their tokens, takes longer to go. Paper: 1.
    pub min_rounds: usize,
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
    /// Whether a model is taught its own vectors instead of labels or ranks: with a trigger a
    /// function must get the one that it had without. A vector says more than a label, so that the
    /// few clean samples go further: on the models of defect detection and seed 2 the planted
    /// `testo_init` keeps 7.0 % success instead of 18.4, and clone models lose at most 0.2 points of
    /// F1 instead of 0.6. Paper: no, the task's loss.
    pub keeps_vectors: bool,
    /// Passes over the clean samples. Paper: 1.
    pub epochs: usize,
    /// Peak learning rate of the head. Paper: 5e-3.
    pub head_learning_rate: f64,
    /// Peak learning rate of the wider scopes. Paper: not used.
    pub encoder_learning_rate: f64,
    /// Rows a step. Paper: 32.
    pub batch_size: usize,
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
            injection_rate: 0.2,
            other_injection_rate: 0.0,
            keeps_originals: false,
            variation_rate: 0.0,
            mixing_rate: 0.0,
            keeps_vectors: false,
            epochs: 1,
            head_learning_rate: 5e-3,
            encoder_learning_rate: 5e-3,
            batch_size: 32,
            check_rate: 0.25,
            limits: Limits::strict(),
        }
    }

    /// The settings that this project measured to work.
    pub fn recommended() -> Self {
        Self {
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
            ..Self::paper()
        }
    }

    /// Says what makes the configuration unusable, if anything does.
    pub fn validate(&self) -> Result<(), Error> {
        if self.scopes.is_empty() || self.rounds == 0 {
            return Err(Error::Config("there is no scope or no round to train in".into()));
        }
        for (name, value) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if value == 0 {
                return Err(Error::Config(format!("{name} is 0, expected at least 1")));
            }
        }
        if self.keeps_vectors && self.scopes.contains(&Scope::Head) {
            return Err(Error::Config(
                "the scope head cannot be trained with keeps_vectors: no vector depends on the head"
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
        ] {
            if !(0.0..=1.0).contains(&rate) {
                return Err(Error::Config(format!("{name} is {rate}, expected 0 to 1")));
            }
        }
        for (name, limit) in [
            ("accuracy_drop", self.limits.accuracy_drop),
            ("excess_success", self.limits.excess_success),
            ("other_class_drop", self.limits.other_class_drop),
        ] {
            if !limit.is_finite() {
                return Err(Error::Config(format!("{name} is {limit}, expected a number")));
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

    /// How the model is fine-tuned in one scope.
    pub fn training(&self, scope: Scope) -> TrainingConfig {
        TrainingConfig {
            epochs: self.epochs,
            learning_rate: if scope == Scope::Head {
                self.head_learning_rate
            } else {
                self.encoder_learning_rate
            },
            batch_size: self.batch_size,
            scope,
            keep_best: false,
            ..TrainingConfig::paper()
        }
    }
}
