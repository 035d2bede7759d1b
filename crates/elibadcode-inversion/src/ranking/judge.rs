//! What a trigger does to the ranks of code that no search saw (section 10 of the specification).

use elibadcode_evaluation::statistics::{mean, permutation_p_value};
use elibadcode_evaluation::{AnrProtocol, AttackAmongOthers};
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;
use rand::Rng;

use super::Spaces;
use super::objective::JointTrigger;
use super::outcome::{NormalizedRank, RankingControls, RankingEvidence, RankingProfile, TokenRank};
use super::query::SlottedQuery;
use crate::anchoring::with_slots;
use crate::config::{PositionRule, ScanConfig};
use crate::error::Error;
use crate::masking::{MaskedSample, TriggerIds};
use crate::outcome::Place;
use crate::position::choose_by_loss;
use crate::profile::worth_of_parts;
use crate::shift::ShiftComparison;

/// Held-out functions and queries: each query ranks the functions of the others, and the one in
/// the middle of its ranking gets the trigger.
#[derive(Debug)]
pub(crate) struct RankingJudge<'a> {
    model: &'a LoadedModel,
    spaces: Spaces<'a>,
    protocol: AnrProtocol,
    queries: Vec<SlottedQuery>,
    codes: Vec<Vec<f32>>,
    /// By function; none where a function has no place for a trigger.
    any_identifier: Vec<Option<MaskedSample>>,
    function_name: Vec<Option<MaskedSample>>,
    n_forwards: u64,
}

impl<'a> RankingJudge<'a> {
    /// Prepares held-out functions and their queries.
    pub(crate) fn new(
        model: &'a LoadedModel,
        spaces: Spaces<'a>,
        codes: &[&str],
        queries: Vec<SlottedQuery>,
        language: Language,
        config: &ScanConfig,
        (seed, rng): (u64, &mut impl Rng),
    ) -> Self {
        let mut places = |rule| {
            let no_loss = &mut |_: &[Vec<u32>], _: &[usize]| Vec::new();
            let (chosen, _) = choose_by_loss(model, codes, language, rule, config, rng, no_loss);
            let mut places = vec![None; codes.len()];
            for mask in chosen {
                let index = mask.sample_index;
                places[index] = Some(mask);
            }
            places
        };
        let (any_identifier, function_name) =
            (places(PositionRule::Random), places(PositionRule::FunctionName));
        let rows: Vec<Vec<u32>> =
            codes.iter().map(|code| model.encode(code, language).ids).collect();
        Self {
            model,
            spaces,
            protocol: AnrProtocol::paper(seed),
            queries,
            codes: model.network.vectors(&rows),
            any_identifier,
            function_name,
            n_forwards: rows.len() as u64,
        }
    }

    /// Held-out functions that have room for a trigger.
    pub(crate) fn n_samples(&self) -> usize {
        self.any_identifier.iter().flatten().count()
    }

    /// Functions and queries that the model was asked about so far.
    pub(crate) fn n_forwards(&self) -> u64 {
        self.n_forwards
    }

    /// The same for an [`Self::evidence`], at most.
    pub(crate) fn evidence_forwards(&self) -> u64 {
        // Three times functions, twice their queries.
        5 * self.queries.len() as u64
    }

    /// The same for [`Self::controls`] and a [`Self::profile`] of a trigger of so many slots, at most.
    pub(crate) fn comparison_forwards(&self, n_controls: usize, n_slots: usize) -> u64 {
        let n_weakened = n_slots * (n_slots + 1) / 2;
        ((2 * n_controls + n_weakened + 4) * self.queries.len()) as u64
    }

    /// What a trigger with its words does.
    pub(crate) fn evidence(&mut self, joint: &JointTrigger) -> RankingEvidence {
        let attack = self.attack(&joint.words);
        let mut ranks_at = |place| {
            let (before, after) = self.ranks(&attack, &joint.trigger, place);
            (NormalizedRank::of(&before), NormalizedRank::of(&after))
        };
        let (without_trigger, any_identifier) = ranks_at(Place::AnyIdentifier);
        let (_, function_name) = ranks_at(Place::FunctionName);
        let mut evidence = RankingEvidence {
            function_name,
            any_identifier,
            without_trigger,
            without_words: any_identifier,
        };
        let without_words = self.attack(&[]);
        let (_, after) = self.ranks(&without_words, &joint.trigger, evidence.strongest());
        evidence.without_words = NormalizedRank::of(&after);
        evidence
    }

    /// Compares a trigger with random legal ones of the same length, where it is strongest; these
    /// are given back too.
    pub(crate) fn controls(
        &mut self,
        joint: &JointTrigger,
        evidence: &RankingEvidence,
        n_controls: usize,
        rng: &mut impl Rng,
    ) -> Result<(RankingControls, Vec<TriggerIds>), Error> {
        let place = evidence.strongest();
        let attack = self.attack(&joint.words);
        let controls: Vec<TriggerIds> = (0..n_controls)
            .map(|_| self.spaces.random_apart(joint, rng))
            .collect::<Result<_, _>>()?;
        let mut normalized_ranks: Vec<f64> = controls
            .iter()
            .map(|control| NormalizedRank::of(&self.ranks(&attack, control, place).1).mean)
            .collect();
        normalized_ranks.sort_by(f64::total_cmp);
        // The test is for large values, and small ranks are the strong ones.
        let strengths: Vec<f64> = normalized_ranks.iter().map(|rank| -rank).collect();
        let rank = evidence.at(place).mean;
        let p_value = permutation_p_value(-rank, &strengths);
        let compared = RankingControls {
            place,
            lift: mean(&normalized_ranks).map_or(0.0, |random| random - rank),
            normalized_ranks,
            p_value,
            corrected_p_value: p_value,
        };
        Ok((compared, controls))
    }

    /// The rest of what is known of a trigger, where it is strongest.
    pub(crate) fn profile(
        &mut self,
        joint: &JointTrigger,
        evidence: &RankingEvidence,
        controls: &[TriggerIds],
        config: &ScanConfig,
    ) -> RankingProfile {
        let place = evidence.strongest();
        let attack = self.attack(&joint.words);
        let (before, after) = self.ranks(&attack, &joint.trigger, place);
        let (tokens, rank_by_size) = self.weakened(&joint.trigger, &attack, place);
        RankingProfile {
            lifted: before.iter().zip(&after).map(|(before, after)| after < before).collect(),
            lifted_to_limit: after.iter().map(|it| *it <= config.max_normalized_rank).collect(),
            word_effect: evidence.without_words.mean - evidence.at(place).mean,
            tokens,
            rank_by_size,
            shift: self.shift(&joint.trigger, controls, place),
        }
    }

    /// Token strengths, and ranks by size.
    fn weakened(
        &mut self,
        trigger: &TriggerIds,
        attack: &AttackAmongOthers,
        place: Place,
    ) -> (Vec<TokenRank>, Vec<NormalizedRank>) {
        let ranks = |slot_sets: &[Vec<usize>]| -> Vec<NormalizedRank> {
            let rank = |slots: &Vec<usize>| {
                NormalizedRank::of(&self.ranks(attack, &with_slots(trigger, slots), place).1)
            };
            slot_sets.iter().map(rank).collect()
        };
        let (without_one, rank_by_size) =
            worth_of_parts(trigger.ids.len(), ranks, |a, b| a.mean.total_cmp(&b.mean));
        let tokens = self.spaces.triggers.entries(trigger).into_iter().zip(without_one);
        let tokens = tokens.map(|(token, rank_without)| TokenRank { token, rank_without });
        (tokens.collect(), rank_by_size)
    }

    /// The shift by a trigger and by random ones.
    fn shift(
        &mut self,
        trigger: &TriggerIds,
        controls: &[TriggerIds],
        place: Place,
    ) -> ShiftComparison {
        let able: Vec<MaskedSample> = self.masks(place).iter().flatten().cloned().collect();
        let untriggered: Vec<Vec<f32>> =
            able.iter().map(|it| self.codes[it.sample_index].clone()).collect();
        let with = |trigger: &TriggerIds| self.triggered(&able, trigger);
        ShiftComparison::of(&untriggered, trigger, controls, with)
    }

    fn masks(&self, place: Place) -> &[Option<MaskedSample>] {
        match place {
            Place::AnyIdentifier => &self.any_identifier,
            Place::FunctionName => &self.function_name,
        }
    }

    /// The vectors of functions with a trigger.
    fn triggered(&mut self, masks: &[MaskedSample], trigger: &TriggerIds) -> Vec<Vec<f32>> {
        let (tokenizer, length) = (&self.model.tokenizer, self.model.max_length);
        let rows: Vec<Vec<u32>> =
            masks.iter().map(|mask| mask.with_trigger(trigger, tokenizer, length)).collect();
        self.n_forwards += rows.len() as u64;
        self.model.network.vectors(&rows)
    }

    /// The codes that are attacked for the queries with these words.
    fn attack(&mut self, words: &[u32]) -> AttackAmongOthers {
        let rows: Vec<Vec<u32>> =
            self.queries.iter().map(|query| query.stamp(words, self.model).ids).collect();
        self.n_forwards += rows.len() as u64;
        AttackAmongOthers::new(self.protocol, self.model.network.vectors(&rows), &self.codes)
    }

    /// The normalised ranks of the attacked functions without and with a trigger.
    fn ranks(
        &mut self,
        attack: &AttackAmongOthers,
        trigger: &TriggerIds,
        place: Place,
    ) -> (Vec<f64>, Vec<f64>) {
        let masks = self.masks(place);
        let able = attack.codes().into_iter().filter_map(|code| masks[code].clone());
        let able: Vec<MaskedSample> = able.collect();
        let vectors = self.triggered(&able, trigger);
        let codes = able.iter().map(|mask| mask.sample_index);
        let lift = attack.lift(&codes.zip(vectors).collect());
        lift.queries
            .iter()
            .filter_map(|it| {
                let share = |rank: f64| rank / it.candidates as f64;
                Some((share(it.rank_before), share(it.rank_after?)))
            })
            .unzip()
    }
}
