//! The repair of a search model: triggered code must be found by its own query, and by no other.

mod checks;

use elibadcode_corpus::{SearchIds, SearchSample, Task, stage_rng};
use elibadcode_inversion::ranking::{KnownWords, RankingSample, SlottedQuery};
use elibadcode_inversion::{
    InvertedTrigger, MaskedSample, Occurrences, ScanConfig, TriggerSpace, maskable,
};
use elibadcode_models::{CodeModel, Head, LoadedModel, ReadFunction, SearchRow, TrainingConfig};
use elibadcode_syntax::{Language, Role};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use self::checks::CheckSet;
pub use self::checks::RankingChecks;
use crate::config::UnlearningConfig;
use crate::error::Error;
use crate::injection::{check_triggers, varied};
use crate::lesson::{Lesson, Teacher, passes};
use crate::parts::{function_numbers, split};
use crate::renaming::Renaming;
use crate::rounds::{Round, UnlearnEvent, Unlearned, repair};

/// Fewer samples than this cannot be divided into training and checks.
const MIN_SAMPLES: usize = 40;
/// Share of the queries that get a target word, those of triggered code and those of clean code
/// alike: the words must say nothing about the trigger.
const WORD_RATE: f64 = 0.5;

/// A clean function with its query, and where both can be changed.
struct Places {
    row: SearchRow,
    function: ReadFunction,
    masks: Vec<MaskedSample>,
    query: SlottedQuery,
}

/// Makes a search model forget triggers that lift code for queries with one of these target words,
/// each of them one or several token ids.
#[expect(clippy::too_many_arguments, reason = "model, data, trigger and settings are all needed")]
pub fn unlearn_search(
    model: &LoadedModel,
    clean: &[SearchSample],
    language: Language,
    triggers: &[InvertedTrigger],
    words: &[Vec<u32>],
    config: &UnlearningConfig,
    seed: u64,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<Unlearned<RankingChecks>, Error> {
    model.network.expect_head(Head::Embedding)?;
    config.validate_for(Task::CodeSearch)?;
    check_triggers(model, triggers)?;
    if let Some(id) = words.iter().flatten().find(|&&id| id as usize >= model.config.vocab_size()) {
        return Err(Error::Trigger(format!(
            "the target word is token {id}, which the vocabulary has not: was it found in another \
             model?"
        )));
    }
    if words.is_empty() {
        return Err(Error::Trigger("there is no target word".into()));
    }
    if clean.len() < MIN_SAMPLES {
        return Err(Error::Samples(format!(
            "the repair needs at least {MIN_SAMPLES} clean functions with queries, there are {}",
            clean.len()
        )));
    }
    let scan = ScanConfig::recommended(Task::CodeSearch);
    let searched = if config.searches > 0 { KnownWords::n_slots(&scan) } else { 1 };
    let n_slots = searched.max(config.n_slots(triggers));
    let mut rng = stage_rng(seed, "unlearn places");
    let (ids, places): (Vec<_>, Vec<_>) =
        clean.iter().map(|sample| open(model, sample, language, n_slots, &mut rng)).unzip();
    let rows = SearchRow::number(ids).into_iter().zip(places);
    let places: Vec<Places> = rows
        .map(|(row, (function, masks, query))| Places { row, function, masks, query })
        .collect();
    let numbers = function_numbers(clean.iter().map(|it| &*it.code));
    let functions: Vec<(u8, Vec<usize>)> = numbers.into_iter().map(|it| (0, vec![it])).collect();
    let mut rng = stage_rng(seed, "unlearn split");
    let (kept_aside, training) = split(places, &functions, config.check_rate, &mut rng);
    let space = TriggerSpace::new(model, language, &scan)?;
    let mut rng = stage_rng(seed, "unlearn checks");
    let checks = CheckSet::new(model, &kept_aside, &space, triggers, words, seed, &mut rng)?;
    let before = checks.measure(&model.network);
    before.check_enough()?;

    let measure = |network: &CodeModel| checks.measure(network);
    let mut teacher = Teacher::new(&model.network);
    let tokens: Vec<u32> = words.concat();
    let known = match config.searches {
        0 => None,
        _ => Some(KnownWords::new(model, clean, language, &tokens, &scan)?),
    };
    let mut unlearned = triggers.to_vec();
    let mut train = |network: CodeModel,
                     settings: &TrainingConfig,
                     round: usize,
                     rng: &mut ChaCha8Rng,
                     observe: &mut dyn FnMut(UnlearnEvent)| {
        if round == 1 {
            // What was found on the way to a network that is given up says nothing about this one.
            unlearned.truncate(triggers.len());
        }
        let mut searched = Vec::new();
        if let Some(known) = &known {
            observe(UnlearnEvent::Searches(config.searches));
            let current = model.clone().with_network(network.clone());
            let samples = opened(&training, scan.samples_per_class, rng);
            if samples.is_empty() {
                return Err(no_place());
            }
            searched = known.triggers(&current, samples, config.searches, rng)?;
            unlearned.extend(searched.iter().cloned());
        }
        let (rows, n_injected) = passes(config, || {
            let found_and_searched = unlearned.split_at(triggers.len());
            inject(model, &space, &training, found_and_searched, words, config, rng)
        })?;
        let show = &mut |event| observe(UnlearnEvent::Training(event));
        let trained = teacher.teach(network, rows, config, settings, rng, show)?;
        Ok(Round { trained, searched, n_injected })
    };
    repair(model, config, seed, before, &measure, &mut train, observe)
}

fn no_place() -> Error {
    Error::Samples("no clean function has a place for the trigger".into())
}

/// Encodes a sample and finds its places, the function name and another identifier, and those of its query.
fn open(
    model: &LoadedModel,
    sample: &SearchSample,
    language: Language,
    n_slots: usize,
    rng: &mut impl Rng,
) -> (SearchIds, (ReadFunction, Vec<MaskedSample>, SlottedQuery)) {
    let function = model.read(&sample.code, language);
    let all = maskable(model, &function, 0, Occurrences::All, n_slots);
    let (mut masks, others): (Vec<MaskedSample>, Vec<MaskedSample>) =
        all.into_iter().partition(|mask| mask.role == Role::FunctionName);
    if !others.is_empty() {
        masks.push(others[rng.random_range(0..others.len())].clone());
    }
    let ids = SearchIds {
        code: model.encode_function(&function).ids,
        query: model.encode_query(&sample.query),
    };
    (ids, (function, masks, SlottedQuery::new(model, &sample.query, rng)))
}

/// Some functions at a drawn place for a trigger, with their queries.
fn opened(training: &[Places], n: usize, rng: &mut impl Rng) -> Vec<RankingSample> {
    let mut able: Vec<&Places> = training.iter().filter(|it| !it.masks.is_empty()).collect();
    able.shuffle(rng);
    able.truncate(n);
    let open = |places: &Places| RankingSample {
        code: places.masks[rng.random_range(0..places.masks.len())].clone(),
        query: places.query.clone(),
    };
    able.into_iter().map(open).collect()
}

/// One of the target words.
fn any_word<'a>(words: &'a [Vec<u32>], rng: &mut impl Rng) -> &'a [u32] {
    match words {
        [word] => word,
        _ => &words[rng.random_range(0..words.len())],
    }
}

/// The training rows: every sample as it is or with its variables renamed, half of them again with a target
/// word in the query, and a share of them with a trigger in the code, half of these with a word too.
fn inject(
    model: &LoadedModel,
    space: &TriggerSpace<'_>,
    training: &[Places],
    (found, searched): (&[InvertedTrigger], &[InvertedTrigger]),
    words: &[Vec<u32>],
    config: &UnlearningConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(Vec<Lesson<SearchRow>>, usize), Error> {
    let lesson = |of: &Places, code: Vec<u32>, query: Vec<u32>| {
        let sources = vec![of.row.ids.code.clone(), query.clone()];
        let ids = SearchIds { code, query };
        Lesson { row: SearchRow { ids, function: of.row.function }, sources }
    };
    let renaming = Renaming::new(training.iter().map(|it| &it.function), config);
    let code = |it: &Places, rng: &mut ChaCha8Rng| {
        renaming.draw(&it.function, model, rng).unwrap_or_else(|| it.row.ids.code.clone())
    };
    let mut rows: Vec<Lesson<SearchRow>> = Vec::new();
    for places in training {
        rows.push(lesson(places, code(places, rng), places.row.ids.query.clone()));
    }
    for places in training {
        if rng.random_bool(WORD_RATE) {
            let query = places.query.stamp(any_word(words, rng), model).ids;
            rows.push(lesson(places, code(places, rng), query));
        }
    }
    let mut able: Vec<usize> =
        (0..training.len()).filter(|&index| !training[index].masks.is_empty()).collect();
    able.shuffle(rng);
    able.truncate((training.len() as f64 * config.injection_rate).round() as usize);
    if able.is_empty() {
        return Err(no_place());
    }
    for &index in &able {
        let places = &training[index];
        let is_found = searched.is_empty() || rng.random_bool(config.found_rate);
        let trigger = varied(if is_found { found } else { searched }, space, config, rng);
        let mask = &places.masks[rng.random_range(0..places.masks.len())];
        let code = mask.with_trigger(&trigger, &model.tokenizer, model.max_length);
        let query = if rng.random_bool(WORD_RATE) {
            places.query.stamp(any_word(words, rng), model).ids
        } else {
            places.row.ids.query.clone()
        };
        let row = lesson(places, code, query);
        if config.keeps_originals {
            rows.push(row);
        } else {
            rows[index] = row;
        }
    }
    Ok((rows, able.len()))
}
