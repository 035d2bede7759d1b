//! One (victim → target) pair while it is tested: its searches, and what judges their triggers.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use elibadcode_corpus::stage_rng;

use crate::anchoring::anchor;
use crate::config::ScanConfig;
use crate::error::Error;
use crate::event::ScanEvent;
use crate::expected::{ExpectedForwards, anchoring, step};
use crate::explained::{ExplainedToken, TokenLabels};
use crate::gcg::search;
use crate::judge::Judge;
use crate::masking::TriggerIds;
use crate::objective::Objective;
use crate::outcome::{
    Controls, Hypothesis, InvertedTrigger, OtherSearch, PositionProfile, SearchRecord,
};
use crate::position::{check_visible_names, choose_positions};
use crate::profile::agreement;
use crate::sample::{CleanSample, Partners};
use crate::scan::{Subject, as_text, most_searches};
use crate::space::TriggerSpace;
use crate::start::{Starts, screening_forwards};

/// Ordered pairs of two labels.
const N_HYPOTHESES: usize = 2;

/// The samples of one label, which an attacker may attack.
pub(crate) struct Victims<'a> {
    label: u8,
    /// Share of the clean samples of the label that the model gets right.
    accuracy: f64,
    /// Tokens that no trigger has, because clean samples tie them to the target label.
    explained: Vec<ExplainedToken>,
    space: TriggerSpace<'a>,
    search: (Vec<CleanSample>, Partners),
    held_out: (Vec<CleanSample>, Partners),
}

impl<'a> Victims<'a> {
    pub(crate) fn new(
        subject: &Subject<'_>,
        (label, accuracy): (u8, f64),
        search_samples: &[CleanSample],
        held_out: &[CleanSample],
        space: &TriggerSpace<'a>,
        labels: Option<&TokenLabels>,
    ) -> Result<Self, Error> {
        let own = |samples: &[CleanSample]| -> Result<(Vec<CleanSample>, Partners), Error> {
            let own: Vec<CleanSample> =
                samples.iter().filter(|sample| sample.label == label).cloned().collect();
            let partners = Partners::new(subject.model, &own, subject.language)?;
            Ok((own, partners))
        };
        let explained = labels.map_or_else(Vec::new, |it| it.explained(1 - label));
        let ids: BTreeSet<u32> =
            explained.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let nothing_left = || {
            Error::Samples(format!(
                "the clean samples tie {} tokens to label {}, which leaves none for some slot of a trigger",
                ids.len(),
                1 - label
            ))
        };
        Ok(Self {
            label,
            accuracy,
            space: space.without(&ids).ok_or_else(nothing_left)?,
            explained: explained.into_iter().map(|(token, _)| token).collect(),
            search: own(search_samples)?,
            held_out: own(held_out)?,
        })
    }

    /// The label.
    pub(crate) fn label(&self) -> u8 {
        self.label
    }

    /// Fails if no trigger can be searched for in these samples.
    pub(crate) fn check_visible_names(&self, subject: &Subject<'_>) -> Result<(), Error> {
        let codes = self.search.0.iter().map(|sample| &*sample.code);
        check_visible_names(subject.model, codes, subject.language)
    }
}

/// One (victim → target) pair while it is tested.
pub(crate) struct HypothesisTest<'a> {
    space: &'a TriggerSpace<'a>,
    explained: &'a [ExplainedToken],
    config: &'a ScanConfig,
    seed: u64,
    victim_label: u8,
    target_label: u8,
    is_known: bool,
    objective: Objective<'a>,
    /// Known from the first search on.
    starts: Option<Starts>,
    judge: Judge<'a>,
    n_position_forwards: u64,
    searches: Vec<SearchRecord>,
    other_searches: Vec<OtherSearch>,
    /// Functions through the model for searches of longer triggers.
    n_longer_forwards: u64,
    /// Known once somebody asks.
    compared: Option<Compared>,
}

/// A trigger and what random ones do.
struct Compared {
    trigger: TriggerIds,
    controls: Controls,
    random: Vec<TriggerIds>,
}

/// What decides which hypothesis stands first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Whether a verdict can come of it.
    can_be_judged: bool,
    /// Its certain success, as a share of what does not flip by itself.
    excess: f64,
}

impl Standing {
    /// The more suspicious first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let by_kind = other.can_be_judged.cmp(&self.can_be_judged);
        by_kind.then(other.excess.total_cmp(&self.excess))
    }
}

impl<'a> HypothesisTest<'a> {
    pub(crate) fn new(
        subject: &Subject<'a>,
        victims: &'a Victims<'a>,
        config: &'a ScanConfig,
        seed: u64,
    ) -> Result<Self, Error> {
        let (model, language) = (subject.model, subject.language);
        let (victim_label, target_label) = (victims.label, 1 - victims.label);
        let (search_samples, partners) = &victims.search;
        let (held_out, held_out_partners) = &victims.held_out;
        let stage = |name| stage_rng(seed, &stage_name(victim_label, target_label, name));
        let (masked, n_position_forwards) = choose_positions(
            model,
            search_samples,
            partners,
            language,
            config.position_rule,
            config,
            &mut stage("positions"),
        );
        if masked.is_empty() {
            return Err(Error::Samples(format!(
                "none of the {} clean samples with label {victim_label} has an identifier that a \
                 trigger could take within {} tokens",
                search_samples.len(),
                model.max_length
            )));
        }
        let mut rng = stage("places");
        let space = &victims.space;
        Ok(Self {
            space,
            explained: &victims.explained,
            config,
            seed,
            victim_label,
            target_label,
            is_known: victims.accuracy >= config.min_victim_accuracy,
            objective: Objective::new(model, masked, partners, target_label),
            starts: None,
            judge: Judge::new(
                model,
                space,
                (held_out, held_out_partners),
                target_label,
                language,
                config,
                &mut rng,
            ),
            n_position_forwards,
            searches: Vec::new(),
            other_searches: Vec::new(),
            n_longer_forwards: 0,
            compared: None,
        })
    }

    /// What searching and judging it will ask of the model.
    pub(crate) fn expected(&self) -> ExpectedForwards {
        if !self.can_be_judged() {
            return ExpectedForwards::default();
        }
        let config = self.config;
        let n_samples = self.objective.samples().len();
        let n_tokens = self.space.n_tokens();
        let once = screening_forwards(config, n_tokens, n_samples)
            + self.judge.comparison_forwards(config.n_controls, config.trigger_len);
        let search = config.iterations as u64 * step(config, n_samples)
            + anchoring(config, n_samples)
            + self.judge.evidence_forwards();
        let usual = most_searches(0.0, config);
        let after = (config.more_searches + config.other_searches).max(config.longer_searches);
        let most = most_searches(config.min_success_rate / 2.0, config) + after;
        ExpectedForwards::certain(once) + ExpectedForwards::searches(search, usual, most)
    }

    /// Whether a verdict can come of its searches.
    pub(crate) fn can_be_judged(&self) -> bool {
        self.judge.has_enough_samples()
    }

    /// Lower end of the best trigger's success rate on held-out samples.
    pub(crate) fn suspicion(&self) -> f64 {
        self.searches.iter().map(SearchRecord::assured_success).fold(0.0, f64::max)
    }

    /// Whether the model gets the victim label right often enough to be said to be attacked there.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Whether it is likely an attack by itself: the best trigger does what a planted one is expected to
    /// do, and no random one does.
    pub(crate) fn convinces(&mut self) -> Result<bool, Error> {
        if !self.is_known || self.suspicion() < self.config.min_success_rate {
            return Ok(false);
        }
        let significance = self.config.significance;
        let is_rare = |it: &Compared| it.controls.corrected_p_value <= significance;
        Ok(self.compare()?.is_some_and(is_rare))
    }

    /// What decides which hypothesis stands first.
    pub(crate) fn standing(&self) -> Standing {
        let flips = self.judge.flip_rate().value().unwrap_or(0.0);
        Standing {
            can_be_judged: self.can_be_judged(),
            excess: (self.suspicion() - flips) / (1.0 - flips).max(f64::EPSILON),
        }
    }

    /// Searches so far.
    pub(crate) fn n_searches(&self) -> usize {
        self.searches.len()
    }

    /// Whether two searches ended at the same trigger: another would tell nothing new.
    pub(crate) fn has_agreement(&self) -> bool {
        let Some((last, earlier)) = self.searches.split_last() else { return false };
        last.anchored.is_some() && earlier.iter().any(|it| it.anchored == last.anchored)
    }

    /// Searches once more, from another trigger.
    pub(crate) fn search(&mut self, observe: &mut dyn FnMut(ScanEvent)) -> Result<(), Error> {
        let search = self.search_in(self.space, &BTreeSet::new(), observe)?;
        self.searches.push(search);
        Ok(())
    }

    /// Searches for more of a trigger that convinces, then for others, without the tokens of those that do.
    ///
    /// They are kept apart: what the score rests on is the same with them as without.
    pub(crate) fn search_for_others(
        &mut self,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Result<(), Error> {
        let ScanConfig { more_searches, other_searches, min_success_rate, .. } = *self.config;
        let strong = |search: &SearchRecord| {
            let is_strong = search.reaches(min_success_rate);
            let anchored = search.anchored.as_ref().filter(|_| is_strong);
            anchored.map(InvertedTrigger::trigger_ids)
        };
        let mut known: Vec<TriggerIds> = self.searches.iter().filter_map(strong).collect();
        for _ in 0..more_searches {
            let search = self.search_in(self.space, &BTreeSet::new(), observe)?;
            let found = strong(&search);
            self.other_searches.push(OtherSearch { left_out: Vec::new(), search });
            if found.as_ref().is_some_and(|it| known.contains(it)) {
                break;
            }
            known.extend(found);
        }
        for _ in 0..other_searches {
            let left_out = self.space.spelled_like(&known);
            let Some(space) = self.space.without(&left_out) else { break };
            let search = match self.search_in(&space, &left_out, observe) {
                // What is left of the vocabulary makes no trigger to start from.
                Err(Error::Vocabulary(_)) => break,
                other => other?,
            };
            let found = strong(&search);
            let is_last = found.is_none();
            known.extend(found);
            let left_out = TriggerIds::replacing(left_out.into_iter().collect());
            let left_out = self.space.entries(&left_out);
            self.other_searches.push(OtherSearch { left_out, search });
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Searches for longer triggers, by a test of its own.
    ///
    /// They are kept apart, as [those for others](Self::search_for_others) are.
    pub(crate) fn search_longer(
        &mut self,
        mut longer: Self,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Result<(), Error> {
        // Which tokens do most on their own does not hang on the length of a trigger.
        longer.starts = self.starts.take();
        let enough = self.config.longer_success_rate;
        for _ in 0..self.config.longer_searches {
            match longer.search(observe) {
                // The vocabulary makes none to start from.
                Err(Error::Vocabulary(_)) => break,
                other => other?,
            }
            // It did enough, or so little that another would not either.
            if !(enough / 4.0..enough).contains(&longer.suspicion()) {
                break;
            }
        }
        self.n_longer_forwards += longer.n_forwards();
        let found = longer.searches.into_iter();
        self.other_searches
            .extend(found.map(|search| OtherSearch { left_out: Vec::new(), search }));
        Ok(())
    }

    /// Functions that went through the model so far.
    fn n_forwards(&self) -> u64 {
        let own = self.n_position_forwards + self.objective.n_forwards() + self.judge.n_forwards();
        own + self.n_longer_forwards
    }

    /// The label that an attacker would attack.
    pub(crate) fn victim_label(&self) -> u8 {
        self.victim_label
    }

    /// One search, from a new start, in the space without these tokens.
    fn search_in(
        &mut self,
        space: &TriggerSpace<'_>,
        left_out: &BTreeSet<u32>,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Result<SearchRecord, Error> {
        let (victim_label, target_label) = (self.victim_label, self.target_label);
        let restart = self.searches.len() + self.other_searches.len() + 1;
        observe(ScanEvent::Search {
            victim_label,
            target_label,
            restart,
            n_slots: self.config.trigger_len,
            iterations: self.config.iterations,
            n_left_out: left_out.len(),
        });
        let name = stage_name(victim_label, target_label, &format!("search {restart}"));
        let mut rng = stage_rng(self.seed, &name);
        let (objective, config) = (&self.objective, self.config);
        let new = || Starts::new(objective, self.space, config, observe);
        let starts = self.starts.get_or_insert_with(new).without(left_out);
        let start = starts.draw(objective, space, config, &mut rng)?;
        let found = search(objective, space, start, config, &mut rng, &mut |it| {
            observe(ScanEvent::Iteration(it));
        });
        let mut record = SearchRecord {
            trigger: as_text(self.space, &found.trigger),
            loss: found.loss,
            history: found.history,
            anchored: None,
            anchored_loss: None,
            slots: Vec::new(),
            evidence: None,
        };
        match anchor(&self.objective, self.space, &found.trigger, self.config) {
            Err(Error::EmptyAnchor { .. }) => {}
            Err(error) => return Err(error),
            Ok(anchored) => {
                record.slots = anchored.profile(&record.trigger.tokens);
                record.anchored = Some(as_text(self.space, &anchored.trigger));
                record.anchored_loss = Some(anchored.loss);
                record.evidence = Some(self.judge.evidence(&anchored.trigger));
            }
        }
        Ok(record)
    }

    /// Compares the best trigger with random ones, unless that is done; none without a trigger.
    fn compare(&mut self) -> Result<Option<&Compared>, Error> {
        let best = self.searches.iter().min_by(|a, b| by_success(a, b));
        let Some(SearchRecord { anchored: Some(anchored), evidence: Some(evidence), .. }) = best
        else {
            return Ok(None);
        };
        let trigger = anchored.trigger_ids();
        if self.compared.as_ref().is_none_or(|it| it.trigger != trigger) {
            let stage = stage_name(self.victim_label, self.target_label, "controls");
            let mut rng = stage_rng(self.seed, &stage);
            let n_controls = self.config.n_controls;
            let (controls, random) =
                self.judge.controls(&trigger, evidence, N_HYPOTHESES, n_controls, &mut rng)?;
            self.compared = Some(Compared { trigger, controls, random });
        }
        Ok(self.compared.as_ref())
    }

    /// Ranks the searches and compares the best trigger with random ones.
    pub(crate) fn finish(
        mut self,
        observe: &mut dyn FnMut(ScanEvent),
    ) -> Result<(Hypothesis, u64), Error> {
        observe(ScanEvent::Judging);
        self.compare()?;
        self.searches.sort_by(by_success);
        let profile = self
            .compared
            .as_ref()
            .and_then(|it| self.judge.profile(&it.trigger, it.controls.place, &it.random));
        let found = self.searches.iter().filter_map(|it| it.anchored.as_ref());
        let n_forwards = self.n_forwards();
        let hypothesis = Hypothesis {
            victim_label: self.victim_label,
            target_label: self.target_label,
            n_search_samples: self.objective.samples().len(),
            n_held_out_samples: self.judge.n_samples(),
            explained_tokens: self.explained.to_vec(),
            positions: PositionProfile::of(self.objective.samples().iter()),
            agreement: agreement(found.map(|it| &it.ids[..])),
            searches: self.searches,
            other_searches: self.other_searches,
            controls: self.compared.map(|it| it.controls),
            profile,
            // Known once the other direction is.
            asymmetry: 0.0,
        };
        Ok((hypothesis, n_forwards))
    }
}

/// The search first whose trigger surely does more.
fn by_success(a: &SearchRecord, b: &SearchRecord) -> Ordering {
    let by_success = b.assured_success().total_cmp(&a.assured_success());
    let has_trigger = |it: &SearchRecord| it.anchored.is_some();
    by_success.then(has_trigger(b).cmp(&has_trigger(a))).then(a.loss.total_cmp(&b.loss))
}

fn stage_name(victim_label: u8, target_label: u8, stage: &str) -> String {
    format!("scan {victim_label}→{target_label} {stage}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_most_stands_first() {
        let standing = |can_be_judged, excess| Standing { can_be_judged, excess };
        let is_first = |a: Standing, b: Standing| {
            assert_eq!((a.order(&b), b.order(&a)), (Ordering::Less, Ordering::Greater));
        };
        is_first(standing(true, 0.9), standing(true, 0.2));
        is_first(standing(true, -0.1), standing(false, 0.0));
    }
}
