//! The repair of a search model: triggered code must be found by its own query, and by no other.

mod checks;

use elibadcode_corpus::{SearchIds, SearchSample, stage_rng};
use elibadcode_evaluation::Interval;
use elibadcode_inversion::ranking::SlottedQuery;
use elibadcode_inversion::{
    InvertedTrigger, MaskedSample, Occurrences, ScanConfig, TriggerSpace, maskable,
};
use elibadcode_models::{CodeModel, EpochRecord, LoadedModel, Scope, fine_tune};
use elibadcode_syntax::{Function, Language, Role};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::checks::CheckSet;
pub use self::checks::RankingChecks;
use crate::config::UnlearningConfig;
use crate::error::Error;
use crate::injection::{check_triggers, varied};
use crate::unlearn::UnlearnEvent;

/// Fewer samples than this cannot be divided into training and checks.
const MIN_SAMPLES: usize = 40;
/// Share of the queries that get the target words, those of triggered code and those of clean code
/// alike: the words must say nothing about the trigger.
const WORD_RATE: f64 = 0.5;

/// One round of fine-tuning.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingAttempt {
    /// What was trained.
    pub scope: Scope,
    /// Clean samples whose code got a trigger.
    pub n_injected: usize,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// What the samples that were kept aside say.
    pub after: RankingChecks,
    /// How much of their mean reciprocal rank was lost, as a 90 % interval.
    pub mrr_drop: Interval,
    /// Why the result was refused; empty if it was accepted.
    pub objections: Vec<String>,
}

/// The result of a repair.
#[derive(Debug)]
pub struct UnlearnedRanking {
    /// The repaired network, or the original one if every attempt was refused.
    pub network: CodeModel,
    /// Whether an attempt was accepted.
    pub is_accepted: bool,
    /// What the samples that were kept aside said before.
    pub before: RankingChecks,
    /// Every attempt, in order; the last is the accepted one, if any is.
    pub attempts: Vec<RankingAttempt>,
}

/// A clean function with its query, and where both can be changed.
struct Places {
    ids: SearchIds,
    masks: Vec<MaskedSample>,
    query: SlottedQuery,
}

/// Makes a search model forget triggers that lift code for queries with these words (token ids).
#[expect(clippy::too_many_arguments, reason = "model, data, trigger and settings are all needed")]
pub fn unlearn_search(
    model: &LoadedModel,
    clean: &[SearchSample],
    language: Language,
    triggers: &[InvertedTrigger],
    words: &[u32],
    config: &UnlearningConfig,
    seed: u64,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<UnlearnedRanking, Error> {
    config.validate()?;
    check_triggers(model, triggers)?;
    if let Some(id) = words.iter().find(|&&id| id as usize >= model.config.vocab_size()) {
        return Err(Error::Trigger(format!(
            "the target word is token {id}, which the vocabulary has not: was it found in another \
             model?"
        )));
    }
    if clean.len() < MIN_SAMPLES {
        return Err(Error::Samples(format!(
            "the repair needs at least {MIN_SAMPLES} clean functions with queries, there are {}",
            clean.len()
        )));
    }
    let n_slots = triggers.iter().map(|trigger| trigger.ids.len()).max().unwrap_or(1);
    let mut rng = stage_rng(seed, "unlearn places");
    let mut places: Vec<Places> =
        clean.iter().map(|sample| open(model, sample, language, n_slots, &mut rng)).collect();
    places.shuffle(&mut stage_rng(seed, "unlearn split"));
    let n_checks = (places.len() as f64 * config.check_rate).ceil() as usize;
    let training = places.split_off(n_checks);
    let space = TriggerSpace::new(model, language, &ScanConfig::recommended())?;
    let mut rng = stage_rng(seed, "unlearn checks");
    let checks = CheckSet::new(model, &places, &space, triggers, words, seed, &mut rng)?;
    let before = checks.measure(&model.network);

    let mut attempts: Vec<RankingAttempt> = Vec::new();
    let rounds =
        config.scopes.iter().flat_map(|&scope| (1..=config.rounds).map(move |it| (scope, it)));
    let mut network = model.network.clone();
    for (scope, round) in rounds {
        if round == 1 {
            network = model.network.clone();
        }
        observe(UnlearnEvent::Attempt(scope));
        let mut rng = stage_rng(seed, &format!("unlearn {scope} {round}"));
        let (rows, n_injected) =
            inject(model, &space, &training, triggers, words, config, &mut rng)?;
        let training_config = config.training(scope);
        let mut show = |event| observe(UnlearnEvent::Training(event));
        let trained = fine_tune(network, &rows, &[], &training_config, &mut rng, &mut show)?;
        let after = checks.measure(&trained.model);
        let objections = after.objections(&before, &config.limits);
        let is_accepted = objections.is_empty() && round >= config.min_rounds;
        attempts.push(RankingAttempt {
            scope,
            n_injected,
            history: trained.history,
            mrr_drop: after.mrr_drop(&before),
            after: after.checks,
            objections,
        });
        network = trained.model;
        if is_accepted {
            return Ok(UnlearnedRanking { network, is_accepted, before: before.checks, attempts });
        }
    }
    Ok(UnlearnedRanking {
        network: model.network.clone(),
        is_accepted: false,
        before: before.checks,
        attempts,
    })
}

/// Encodes a sample and finds its places: the function name, and another identifier.
fn open(
    model: &LoadedModel,
    sample: &SearchSample,
    language: Language,
    n_slots: usize,
    rng: &mut impl Rng,
) -> Places {
    let function = Function::parse(sample.code.as_str(), language);
    let all = maskable(model, &function, 0, Occurrences::All, n_slots);
    let (mut masks, others): (Vec<MaskedSample>, Vec<MaskedSample>) =
        all.into_iter().partition(|mask| mask.role == Role::FunctionName);
    if !others.is_empty() {
        masks.push(others[rng.random_range(0..others.len())].clone());
    }
    Places {
        ids: SearchIds {
            code: model.encode_function(&function).ids,
            query: model.encode_query(&sample.query),
        },
        masks,
        query: SlottedQuery::new(model, &sample.query, rng),
    }
}

/// The training rows: every sample as it is, half of them with the target words in the query, and a
/// share of them with a trigger in the code, half of these with the words too.
fn inject(
    model: &LoadedModel,
    space: &TriggerSpace<'_>,
    training: &[Places],
    triggers: &[InvertedTrigger],
    words: &[u32],
    config: &UnlearningConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(Vec<SearchIds>, usize), Error> {
    let mut rows: Vec<SearchIds> = training.iter().map(|it| it.ids.clone()).collect();
    for places in training {
        if rng.random_bool(WORD_RATE) {
            let query = places.query.stamp(words, model).ids;
            rows.push(SearchIds { code: places.ids.code.clone(), query });
        }
    }
    let mut able: Vec<usize> =
        (0..training.len()).filter(|&index| !training[index].masks.is_empty()).collect();
    able.shuffle(rng);
    able.truncate((training.len() as f64 * config.injection_rate).round() as usize);
    if able.is_empty() {
        return Err(Error::Samples("no clean function has a place for the trigger".into()));
    }
    for &index in &able {
        let places = &training[index];
        let trigger = varied(triggers, space, config, rng);
        let mask = &places.masks[rng.random_range(0..places.masks.len())];
        let code = mask.stamp(&trigger, &model.tokenizer, model.max_length).ids;
        let query = if rng.random_bool(WORD_RATE) {
            places.query.stamp(words, model).ids
        } else {
            places.ids.query.clone()
        };
        let row = SearchIds { code, query };
        if config.keeps_originals {
            rows.push(row);
        } else {
            rows[index] = row;
        }
    }
    Ok((rows, able.len()))
}
