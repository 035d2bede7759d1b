//! What a trigger does to samples that its search never saw.

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::statistics::{mean, permutation_p_value};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rand::Rng;

use crate::config::{PositionRule, ScanConfig};
use crate::error::Error;
use crate::masking::{TriggerIds, maskable};
use crate::objective::{Answers, Objective};
use crate::outcome::{Controls, Evidence, Place};
use crate::position::choose_positions;
use crate::profile::{MAX_SAMPLES, Robustness, TriggerProfile, shift, weakened};
use crate::sample::{CleanSample, Partners};
use crate::space::TriggerSpace;

/// Fewer held-out samples than this decide nothing.
pub(crate) const MIN_HELD_OUT: usize = 20;
/// Held-out samples in which every identifier is tried.
const MAX_EVERYWHERE: usize = 20;

/// Held-out samples of the victim label, with a trigger's places chosen in three ways.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    space: &'a TriggerSpace<'a>,
    least_sensitive: Objective<'a>,
    any_identifier: Objective<'a>,
    function_name: Objective<'a>,
    /// Every identifier of some samples in turn.
    every_identifier: Objective<'a>,
    flip_rate: Rate,
    n_position_forwards: u64,
}

impl<'a> Judge<'a> {
    /// Prepares held-out samples of the victim label.
    pub(crate) fn new(
        model: &'a LoadedModel,
        space: &'a TriggerSpace<'a>,
        (held_out, partners): (&[CleanSample], &'a Partners),
        target_label: u8,
        language: Language,
        config: &ScanConfig,
        rng: &mut impl Rng,
    ) -> Self {
        let mut places =
            |rule| choose_positions(model, held_out, partners, language, rule, config, rng);
        let (least, least_forwards) = places(PositionRule::LeastSensitive);
        let (random, random_forwards) = places(PositionRule::Random);
        let (names, _) = places(PositionRule::FunctionName);
        let every = held_out.iter().take(MAX_EVERYWHERE).enumerate();
        let every = every.flat_map(|(index, sample)| {
            let function = model.read(&sample.code, language);
            maskable(model, &function, index, config.occurrences, config.trigger_len)
        });
        let any_identifier = Objective::new(model, random, partners, target_label);
        let flip_rate = rate(&any_identifier.untriggered());
        Self {
            space,
            least_sensitive: Objective::new(model, least, partners, target_label),
            any_identifier,
            function_name: Objective::new(model, names, partners, target_label),
            every_identifier: Objective::new(model, every.collect(), partners, target_label),
            flip_rate,
            n_position_forwards: least_forwards + random_forwards,
        }
    }

    /// Held-out samples that have room for a trigger.
    pub(crate) fn n_samples(&self) -> usize {
        self.any_identifier.samples().len()
    }

    /// Held-out samples that become the target label without a trigger.
    pub(crate) fn flip_rate(&self) -> Rate {
        self.flip_rate
    }

    /// Whether these are enough for a verdict.
    pub(crate) fn has_enough_samples(&self) -> bool {
        self.n_samples() >= MIN_HELD_OUT
    }

    /// Functions that the model was asked about so far.
    pub(crate) fn n_forwards(&self) -> u64 {
        self.n_position_forwards
            + self.least_sensitive.n_forwards()
            + self.any_identifier.n_forwards()
            + self.function_name.n_forwards()
            + self.every_identifier.n_forwards()
    }

    /// Functions through the model for an [`Self::evidence`].
    pub(crate) fn evidence_forwards(&self) -> u64 {
        let places = [&self.least_sensitive, &self.any_identifier, &self.function_name];
        places.iter().map(|it| it.samples().len() as u64).sum()
    }

    /// The same for [`Self::controls`] and a [`Self::profile`] of a trigger of so many slots, about.
    pub(crate) fn comparison_forwards(&self, n_controls: usize, n_slots: usize) -> u64 {
        let n = self.n_samples();
        let n_some = n.min(MAX_SAMPLES);
        let n_weakened = n_slots * (n_slots + 1) / 2;
        let profile =
            (n_weakened + n_controls + 2) * n_some + self.every_identifier.samples().len();
        (n_controls * n + profile) as u64
    }

    /// How a trigger does on the held-out samples.
    pub(crate) fn evidence(&self, trigger: &TriggerIds) -> Evidence {
        Evidence {
            least_sensitive: rate(&self.least_sensitive.answers(trigger)),
            any_identifier: rate(&self.any_identifier.answers(trigger)),
            function_name: rate(&self.function_name.answers(trigger)),
            flip_rate: self.flip_rate,
        }
    }

    /// Compares a trigger with random legal ones of the same length, where it is strongest; these
    /// are given back too.
    pub(crate) fn controls(
        &self,
        trigger: &TriggerIds,
        evidence: &Evidence,
        n_hypotheses: usize,
        n_controls: usize,
        rng: &mut impl Rng,
    ) -> Result<(Controls, Vec<TriggerIds>), Error> {
        let (place, _) = evidence.strongest();
        let objective = self.objective(place);
        let controls: Vec<TriggerIds> = (0..n_controls)
            .map(|_| self.space.random_apart(trigger, rng))
            .collect::<Result<_, _>>()?;
        let all: Vec<usize> = (0..objective.samples().len()).collect();
        let rates = objective.success(&controls, &all).into_iter();
        let mut success_rates: Vec<f64> = rates.map(|it| it.value().unwrap_or(0.0)).collect();
        success_rates.sort_by(f64::total_cmp);
        let success = evidence.at(place).value().unwrap_or(0.0);
        let p_value = permutation_p_value(success, &success_rates);
        let compared = Controls {
            place,
            lift: success - mean(&success_rates).unwrap_or(0.0),
            success_rates,
            p_value,
            corrected_p_value: (p_value * n_hypotheses as f64).min(1.0),
        };
        Ok((compared, controls))
    }

    /// The rest of what is known of a trigger, where it is strongest; none without samples.
    pub(crate) fn profile(
        &self,
        trigger: &TriggerIds,
        place: Place,
        controls: &[TriggerIds],
    ) -> Option<TriggerProfile> {
        let objective = self.objective(place);
        if objective.samples().is_empty() {
            return None;
        }
        let (tokens, success_by_size) = weakened(objective, trigger, &self.space.entries(trigger));
        Some(TriggerProfile {
            robustness: Robustness::of(&self.every_identifier, trigger),
            tokens,
            success_by_size,
            shift: shift(objective, trigger, controls),
        })
    }

    fn objective(&self, place: Place) -> &Objective<'a> {
        match place {
            Place::AnyIdentifier => &self.any_identifier,
            Place::FunctionName => &self.function_name,
        }
    }
}

fn rate(answers: &Answers) -> Rate {
    answers.is_target.iter().copied().collect()
}
