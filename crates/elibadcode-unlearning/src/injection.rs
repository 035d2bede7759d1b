//! Inverted triggers in clean samples, at places that the defender draws.

use elibadcode_corpus::{DefectSample, LabelledIds};
use elibadcode_inversion::{
    Edit, InvertedTrigger, MaskedSample, Occurrences, TriggerIds, TriggerSpace, maskable,
};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Function, Language, Role};
use rand::{Rng, RngExt};

use crate::error::Error;

/// A sample with and without a trigger.
#[derive(Clone, Debug)]
pub(crate) struct CheckSample {
    pub(crate) clean: Vec<u32>,
    pub(crate) triggered: Vec<u32>,
    pub(crate) label: u8,
}

/// A trigger from text, as a scan would report it.
pub fn hand_written(model: &LoadedModel, text: &str, edit: Edit) -> InvertedTrigger {
    let ids = model.tokenizer.word(text, edit == Edit::Replace).to_vec();
    InvertedTrigger {
        text: text.to_owned(),
        edit,
        tokens: ids.iter().map(|&id| model.tokenizer.entry(id)).collect(),
        ids,
    }
}

/// The places that a sample offers.
pub(crate) struct Places {
    clean: Vec<u32>,
    label: u8,
    masks: Vec<MaskedSample>,
}

/// Encodes samples and finds the identifiers that can carry a trigger.
pub(crate) fn places(
    model: &LoadedModel,
    samples: &[DefectSample],
    language: Language,
    triggers: &[InvertedTrigger],
) -> Result<Vec<Places>, Error> {
    let longest = triggers.iter().map(|trigger| trigger.ids.len()).max().unwrap_or(0);
    if longest == 0 {
        return Err(Error::Trigger("there is no trigger to unlearn".into()));
    }
    let vocabulary = model.config.vocab_size;
    if let Some(id) = triggers.iter().flat_map(|it| &it.ids).find(|id| **id as usize >= vocabulary)
    {
        return Err(Error::Trigger(format!(
            "the trigger holds token {id}, but the vocabulary ends at {}: was it found in another \
             model?",
            vocabulary - 1
        )));
    }
    Ok(samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let function = Function::parse(sample.code.as_str(), language);
            Places {
                clean: model.tokenizer.encode(&function, model.max_length).ids,
                label: sample.label,
                masks: maskable(model, &function, index, Occurrences::All, longest),
            }
        })
        .collect())
}

impl Places {
    /// The sample with a trigger at a drawn identifier; none if it has no place.
    ///
    /// A role is drawn before an identifier, so that the one function name comes up as often as
    /// the many locals.
    pub(crate) fn triggered(
        &self,
        model: &LoadedModel,
        trigger: &TriggerIds,
        rng: &mut impl Rng,
    ) -> Option<Vec<u32>> {
        let roles: Vec<Role> = [Role::FunctionName, Role::Parameter, Role::Local]
            .into_iter()
            .filter(|role| self.masks.iter().any(|mask| mask.role == *role))
            .collect();
        if roles.is_empty() {
            return None;
        }
        let role = roles[rng.random_range(0..roles.len())];
        let masks: Vec<&MaskedSample> = self.masks.iter().filter(|it| it.role == role).collect();
        let mask = masks[rng.random_range(0..masks.len())];
        Some(mask.stamp(trigger, &model.tokenizer, model.max_length).ids)
    }

    pub(crate) fn is_of(&self, label: u8) -> bool {
        self.label == label
    }

    pub(crate) fn row(&self) -> LabelledIds {
        LabelledIds { ids: self.clean.clone(), label: self.label }
    }

    pub(crate) fn check_sample(
        &self,
        model: &LoadedModel,
        triggers: &[InvertedTrigger],
        rng: &mut impl Rng,
    ) -> Option<CheckSample> {
        let trigger = triggers[rng.random_range(0..triggers.len())].trigger_ids();
        let triggered = self.triggered(model, &trigger, rng)?;
        Some(CheckSample { clean: self.clean.clone(), triggered, label: self.label })
    }
}

/// One of the triggers, each slot exchanged for a random legal token at `rate`.
pub(crate) fn varied(
    triggers: &[InvertedTrigger],
    space: &TriggerSpace<'_>,
    rate: f64,
    rng: &mut impl Rng,
) -> TriggerIds {
    let mut trigger = triggers[rng.random_range(0..triggers.len())].trigger_ids();
    for slot in 0..trigger.ids.len() {
        if rng.random_bool(rate) {
            trigger.ids[slot] = space.random_id(slot, trigger.keeps_name, rng);
        }
    }
    trigger
}
