//! Inverted triggers in clean samples, at places that the defender draws.

use elibadcode_corpus::{LabelledIds, LabelledPairIds, Task};
use elibadcode_inversion::{
    CleanSample, Edit, EncodedPartners, InvertedTrigger, MaskedSample, Occurrences, Partners,
    PositionRule, ScanConfig, TriggerIds, TriggerSpace, choose_positions, maskable,
};
use elibadcode_models::{HalfPair, LoadedModel, ReadFunction};
use elibadcode_syntax::{Language, Role};
use rand::{Rng, RngExt};

use crate::config::UnlearningConfig;
use crate::error::Error;
use crate::lesson::Lesson;

/// A sample without a trigger, with an inverted one, and with a random one at the same place.
#[derive(Clone, Debug)]
pub(crate) struct CheckSample {
    /// Index among the clean samples.
    pub(crate) index: usize,
    pub(crate) clean: Vec<u32>,
    /// With each of the inverted triggers in turn, at the same place.
    pub(crate) with_each: Vec<Vec<u32>>,
    /// Which of these stands for all of them.
    pub(crate) drawn: usize,
    /// With a random trigger as long as the drawn one.
    pub(crate) control: Vec<u32>,
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

/// A sample and the identifiers that it can give up to a trigger: the function name, and the one
/// that the model is least sensitive to.
///
/// A trigger at a name that carries the evidence for the label would teach the model to do without
/// the evidence. Reference: the attacker's own position, typed in by hand (defect D9.1).
pub(crate) struct Places {
    /// Index among the clean samples.
    index: usize,
    pub(crate) function: ReadFunction,
    clean: Vec<u32>,
    label: u8,
    masks: Vec<MaskedSample>,
}

/// A version of a sample to train on.
pub(crate) struct Row {
    /// Index among the clean samples.
    index: usize,
    ids: Vec<u32>,
    /// The sample as it is.
    clean: Vec<u32>,
    label: u8,
}

impl Row {
    /// The lesson of a single function.
    pub(crate) fn function(self) -> Lesson<LabelledIds> {
        let row = LabelledIds { ids: self.ids, label: self.label };
        Lesson { row, sources: vec![self.clean] }
    }

    /// The lesson of the member of a pair that carries the trigger, if it has a partner.
    pub(crate) fn half(self, partners: &EncodedPartners<'_>) -> Option<Lesson<HalfPair>> {
        let (partner, partner_is_first) = partners.of(self.index)?;
        let partner = partner.to_vec();
        let row = HalfPair { ids: self.ids, partner, partner_is_first, label: self.label };
        Some(Lesson { row, sources: vec![self.clean] })
    }

    /// The pair, of which both members are to be learned.
    pub(crate) fn pair(self, partners: &Partners) -> Option<LabelledPairIds> {
        let (partner, is_first) = partners.of(self.index)?;
        let (partner, own) = (partner.to_vec(), self.ids);
        let (first, second) = if is_first { (partner, own) } else { (own, partner) };
        Some(LabelledPairIds { first, second, label: self.label })
    }
}

/// Encodes samples and finds their places for triggers of at most `n_slots` tokens.
pub(crate) fn places(
    model: &LoadedModel,
    samples: &[CleanSample],
    partners: &Partners,
    language: Language,
    n_slots: usize,
    rng: &mut impl Rng,
) -> Vec<Places> {
    // Places are chosen alike for all tasks.
    let recommended = ScanConfig::recommended(Task::DefectDetection);
    let config = ScanConfig { trigger_len: n_slots, ..recommended };
    let rule = PositionRule::LeastSensitive;
    let (least_sensitive, _) =
        choose_positions(model, samples, partners, language, rule, &config, rng);
    let mut least_sensitive = least_sensitive.into_iter().peekable();
    samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let function = model.read(&sample.code, language);
            let mut masks: Vec<MaskedSample> =
                maskable(model, &function, index, Occurrences::All, n_slots)
                    .into_iter()
                    .filter(|mask| mask.role == Role::FunctionName)
                    .collect();
            if let Some(mask) = least_sensitive.next_if(|mask| mask.sample_index == index)
                && mask.role != Role::FunctionName
            {
                masks.push(mask);
            }
            let clean = model.encode_function(&function).ids;
            Places { index, function, clean, label: sample.label, masks }
        })
        .collect()
}

/// Fails if a trigger is empty or is not of this model's vocabulary.
pub(crate) fn check_triggers(
    model: &LoadedModel,
    triggers: &[InvertedTrigger],
) -> Result<(), Error> {
    if triggers.is_empty() || triggers.iter().any(|trigger| trigger.ids.is_empty()) {
        return Err(Error::Trigger("there is no trigger to unlearn".into()));
    }
    let vocabulary = model.config.vocab_size();
    match triggers.iter().flat_map(|it| &it.ids).find(|id| **id as usize >= vocabulary) {
        None => Ok(()),
        Some(id) => Err(Error::Trigger(format!(
            "the trigger holds token {id}, but the vocabulary ends at {}: was it found in another \
             model?",
            vocabulary - 1
        ))),
    }
}

impl Places {
    /// A drawn place; none if the sample has none.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Option<&MaskedSample> {
        (!self.masks.is_empty()).then(|| &self.masks[rng.random_range(0..self.masks.len())])
    }

    pub(crate) fn is_of(&self, label: u8) -> bool {
        self.label == label
    }

    /// The sample with other ids, or as it is.
    pub(crate) fn row(&self, ids: Option<Vec<u32>>) -> Row {
        let clean = self.clean.clone();
        let ids = ids.unwrap_or_else(|| clean.clone());
        Row { index: self.index, ids, clean, label: self.label }
    }

    /// The sample at a drawn place; none if it has none.
    pub(crate) fn check_sample(
        &self,
        model: &LoadedModel,
        space: &TriggerSpace<'_>,
        triggers: &[InvertedTrigger],
        rng: &mut impl Rng,
    ) -> Result<Option<CheckSample>, Error> {
        let Some(mask) = self.draw(rng) else { return Ok(None) };
        let drawn = rng.random_range(0..triggers.len());
        let control = space.random_apart(&triggers[drawn].trigger_ids(), rng)?;
        let with = |it: &TriggerIds| mask.with_trigger(it, &model.tokenizer, model.max_length);
        Ok(Some(CheckSample {
            index: self.index,
            clean: self.clean.clone(),
            with_each: triggers.iter().map(|it| with(&it.trigger_ids())).collect(),
            drawn,
            control: with(&control),
            label: self.label,
        }))
    }
}

/// One of the triggers, with tokens of the others at the configured rate, random legal ones at
/// another, and more tokens of these two kinds behind it.
pub(crate) fn varied(
    triggers: &[InvertedTrigger],
    space: &TriggerSpace<'_>,
    config: &UnlearningConfig,
    rng: &mut impl Rng,
) -> TriggerIds {
    let mut trigger = triggers[rng.random_range(0..triggers.len())].trigger_ids();
    let later: Vec<u32> = triggers.iter().flat_map(later_slots).copied().collect();
    let n_own = trigger.ids.len();
    for slot in 0..n_own + rng.random_range(0..=config.extension) {
        let is_later = slot > 0 || trigger.keeps_name;
        let id = if is_later && !later.is_empty() && rng.random_bool(config.mixing_rate) {
            later[rng.random_range(0..later.len())]
        } else if slot >= n_own || rng.random_bool(config.variation_rate) {
            space.random_id(slot, trigger.keeps_name, rng)
        } else {
            continue;
        };
        match trigger.ids.get_mut(slot) {
            Some(own) => *own = id,
            None => trigger.ids.push(id),
        }
    }
    trigger
}

/// The ids that go on with an identifier.
fn later_slots(trigger: &InvertedTrigger) -> &[u32] {
    match trigger.edit {
        Edit::Append => &trigger.ids,
        Edit::Replace => trigger.ids.get(1..).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use elibadcode_inversion::Partner;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_trigger_gets_longer_behind_its_own_tokens() {
        let model = fixture("roberta-one-logit");
        let recommended = ScanConfig::recommended(Task::DefectDetection);
        let space = TriggerSpace::new(&model, Language::C, &recommended).expect("legal tokens");
        let rng = &mut elibadcode_corpus::stage_rng(1, "test");
        let config = UnlearningConfig { extension: 3, ..UnlearningConfig::paper() };
        for edit in [Edit::Replace, Edit::Append] {
            let own = hand_written(&model, "testo_init", edit);
            let mut n_of_length = [0; 4];
            for _ in 0..100 {
                let longer = varied(std::slice::from_ref(&own), &space, &config, rng);
                assert!(longer.ids.starts_with(&own.ids), "{longer:?}");
                n_of_length[longer.ids.len() - own.ids.len()] += 1;
            }
            assert!(n_of_length.iter().all(|&n| n > 10), "{n_of_length:?}");
        }
    }

    #[test]
    fn members_of_a_pair_keep_their_order() {
        let model = fixture("roberta-pair");
        for is_first in [true, false] {
            let partner = Partner { code: "int b() { return 2; }".into(), is_first };
            let code = "int a() { return 1; }".into();
            let sample = CleanSample { code, label: 1, partner: Some(partner) };
            let partners = Partners::new(&model, &[sample], Language::Java).expect("a pair");
            let clean = vec![0, 8, 2];
            let row = || Row { index: 0, ids: vec![0, 7, 2], clean: clean.clone(), label: 1 };
            let Lesson { row: half, sources } =
                row().half(&partners.encode(&model.network)).expect("it has a partner");
            let partner = partners.of(0).expect("it has one").0.to_vec();
            assert_eq!(half.partner, model.network.vectors(std::slice::from_ref(&partner))[0]);
            assert_eq!((half.partner_is_first, half.ids), (is_first, vec![0, 7, 2]));
            assert_eq!(sources, std::slice::from_ref(&clean));
            let LabelledPairIds { first, second, .. } = row().pair(&partners).expect("it has one");
            let (own, other) = if is_first { (second, first) } else { (first, second) };
            assert_eq!((own, other), (vec![0, 7, 2], partner));
        }
    }
}
