//! The whole scan of a search model.

use std::collections::BTreeSet;

use elibadcode_corpus::{SearchSample, Task, stage_rng};
use elibadcode_evaluation::inner_product;
use elibadcode_evaluation::records::SCAN_SCHEMA_VERSION;
use elibadcode_models::{Head, LoadedModel};
use elibadcode_syntax::Language;
use rand::seq::SliceRandom;

use super::Spaces;
use super::association::Associations;
use super::clean_code::CleanCode;
use super::climb::ScreenedPair;
use super::judge::RankingJudge;
use super::objective::{RankingObjective, RankingSample};
use super::outcome::{
    MIN_HELD_OUT, RankingEvidence, RankingHypothesis, RankingOutcome, RankingSearch, ScreenedWord,
    TargetWord,
};
use super::query::SlottedQuery;
use super::screening::{screen, screening_forwards};
use super::search::{AnchoredJoint, FoundJoint, JointStart, anchor_jointly, search_jointly};
use super::verdict::{MIN_MRR, decide};
use super::words::WordSpace;
use crate::config::{ScanConfig, StartRule};
use crate::error::Error;
use crate::event::ScanEvent;
use crate::expected::{ExpectedForwards, anchoring, step};
use crate::outcome::{InvertedTrigger, PositionProfile};
use crate::position::{check_names, check_visible_names, choose_by_loss};
use crate::profile::agreement;
use crate::scan::{as_text, check_length, not_tested};
use crate::score::{Assessment, shape};
use crate::space::TriggerSpace;
use crate::verdict::Decision;

/// Words of the screening that are written down.
const N_SHOWN: usize = 20;
/// Words with less than this share of the first one's excess are not searched for.
const RIVAL_SHARE: f64 = 0.5;

/// What is scanned and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct RankingSubject<'a> {
    /// The suspicious model.
    pub model: &'a LoadedModel,
    /// The language of its functions.
    pub language: Language,
    /// Clean functions with their queries; none of them may be triggered.
    pub clean: &'a [SearchSample],
    /// Hash of the model folder, for the record.
    pub model_hash: &'a str,
    /// Hash of the clean samples, for the record.
    pub samples_hash: &'a str,
}

/// Scans a search model for a trigger that lifts code for queries with some words.
///
/// Clean samples that do not support a scan (too few, no usable identifier, no word that recurs)
/// give an outcome that is `inconclusive` and says why, not an error.
pub fn scan_search(
    subject: &RankingSubject<'_>,
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<RankingOutcome, Error> {
    subject.model.network.expect_head(Head::Embedding)?;
    config.validate_for(Task::CodeSearch)?;
    check_length(subject.model, config)?;
    // `<s>` before them and `</s>` behind them.
    if config.target_len + 2 > subject.model.max_length {
        return Err(Error::Config(format!(
            "target_len is {}, which does not fit within {} tokens, the length of an input",
            config.target_len, subject.model.max_length
        )));
    }
    let triggers = TriggerSpace::new(subject.model, subject.language, config)?;
    observe(ScanEvent::Clean { n_functions: 2 * subject.clean.len() as u64 });
    let clean = CleanCode::new(subject.model, subject.clean, subject.language);
    let clean_mrr = clean.mean_reciprocal_rank();
    observe(ScanEvent::CleanRank { mean_reciprocal_rank: clean_mrr });
    let tested = test_hypothesis(subject, (&clean, clean_mrr), &triggers, config, seed, observe);
    let (tested, unsupported) = match tested {
        Ok(tested) => (tested, None),
        Err(Error::Samples(reason)) => (Tested::default(), Some(reason)),
        Err(error) => return Err(error),
    };
    let shape = shape(subject.model);
    let mut assessment = match &tested.hypothesis {
        Some(hypothesis) if !hypothesis.searches.is_empty() => {
            Assessment::of_ranking(hypothesis, &tested.screened, config, &shape)
        }
        _ => Assessment::of_nothing(),
    };
    let score = assessment.score.as_ref();
    let decision = match (&tested.hypothesis, unsupported) {
        (Some(hypothesis), None) => decide(hypothesis, &tested.screened, clean_mrr, score, config),
        (_, reason) => Decision::impossible(reason.unwrap_or_default()),
    };
    let Decision { verdict, reasons, is_suspicious, is_by_strength } =
        decision.of_hidden_names(subject.model);
    if !is_by_strength {
        assessment.set_aside();
    }
    let suspect = tested.hypothesis.as_ref().filter(|_| is_suspicious);
    let (found, target_words) = suspect.map_or_else(Default::default, |it| convincing(it, config));
    Ok(RankingOutcome {
        schema_version: SCAN_SCHEMA_VERSION,
        task: Task::CodeSearch,
        language: subject.language,
        model: shape,
        reading: subject.model.reading(),
        model_hash: subject.model_hash.to_owned(),
        samples_hash: subject.samples_hash.to_owned(),
        seed,
        config: config.clone(),
        verdict,
        reasons,
        assessment,
        triggers: found,
        target_words,
        clean_mrr,
        screened: tested.screened,
        n_first_tokens: triggers.vocabulary().first.len(),
        n_rest_tokens: triggers.vocabulary().rest.len(),
        n_words: tested.n_words,
        rejected_tokens: triggers.vocabulary().rejected.clone(),
        not_tested: gaps(subject.model, config),
        n_forwards: tested.n_forwards + 2 * subject.clean.len() as u64,
        hypotheses: tested.hypothesis.into_iter().collect(),
    })
}

/// What the scan could not have found.
fn gaps(model: &LoadedModel, config: &ScanConfig) -> Vec<String> {
    let mut gaps = not_tested(model, Task::CodeSearch, config);
    let rare = match 100.0 * config.min_word_rate {
        0.0 => "no clean query".to_owned(),
        rate => format!("less than {rate} % of the clean queries"),
    };
    gaps.push(format!(
        "target words that are several tokens, hold other signs than letters, or are in {rare}"
    ));
    if config.skip_explained {
        gaps.push(
            "triggers that the clean samples themselves tie to the target word: they spell it, or stand \
             in the names of code that answers it"
                .to_owned(),
        );
    }
    gaps
}

/// What the searches and their judgement gave.
#[derive(Default)]
struct Tested {
    hypothesis: Option<RankingHypothesis>,
    screened: Vec<ScreenedWord>,
    n_words: usize,
    n_forwards: u64,
}

/// Screens, searches, anchors and judges.
fn test_hypothesis(
    subject: &RankingSubject<'_>,
    (clean_code, clean_mrr): (&CleanCode<'_>, f64),
    triggers: &TriggerSpace<'_>,
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<Tested, Error> {
    let RankingSubject { model, language, clean, .. } = *subject;
    let (search_samples, held_out) = divide(clean, config, seed)?;
    check_names(clean.iter().map(|sample| &*sample.code), language)?;
    let queries: Vec<&str> = clean.iter().map(|sample| &*sample.query).collect();
    let words = WordSpace::new(model, &queries, config)?;
    let codes = search_samples.iter().map(|sample| &*sample.code);
    check_visible_names(model, codes, language)?;
    let mut rng = stage_rng(seed, "search scan places");
    let (samples, n_position_forwards) =
        ranking_samples(subject, &search_samples, config, &mut rng);
    if samples.is_empty() {
        return Err(Error::Samples(format!(
            "none of the {} clean functions has an identifier that a trigger could take within {} \
             tokens",
            search_samples.len(),
            model.max_length
        )));
    }
    let objective = RankingObjective::new(model, samples);
    let codes: Vec<&str> = held_out.iter().map(|sample| &*sample.code).collect();
    let slotted = held_out.iter().map(|it| SlottedQuery::new(model, &it.query, &mut rng)).collect();
    let associations =
        config.skip_explained.then(|| Associations::new(model, clean, language, &words));
    let spaces = Spaces { triggers, words: &words, known: associations.as_ref() };
    let mut judge =
        RankingJudge::new(model, spaces, &codes, slotted, language, config, (seed, &mut rng));
    let is_in_vain = judge.n_samples() < MIN_HELD_OUT || clean_mrr < MIN_MRR;
    let (mut screening, mut searches) = (Vec::new(), Vec::new());
    if !(is_in_vain && config.min_victim_accuracy > 0.0) {
        observe(ScanEvent::Expected(expected(&objective, spaces, &judge, config)));
        if config.start_rule == StartRule::Screened {
            let mut rng = stage_rng(seed, "search scan words");
            screening = screen(&objective, spaces, clean_code, config, &mut rng, observe)?;
        }
        searches = run_searches(&objective, spaces, &screening, &mut judge, config, seed, observe)?;
    }
    observe(ScanEvent::Judging);
    let (mut controls, mut profile) = (None, None);
    if let Some((RankingSearch { evidence: Some(evidence), .. }, Some(anchored))) = searches.first()
    {
        let mut rng = stage_rng(seed, "search scan controls");
        let joint = &anchored.joint;
        let (compared, random) = judge.controls(joint, evidence, config.n_controls, &mut rng)?;
        profile = Some(judge.profile(joint, evidence, &random, config));
        controls = Some(compared);
    }
    // The first ones, and those that the searches ended at: the score asks for their excess.
    let is_found = |pair: &ScreenedPair| {
        searches.iter().any(|(it, _)| it.anchored_words.iter().any(|word| word.id == pair.word))
    };
    let shown = screening.iter().enumerate();
    let shown = shown.filter(|(place, pair)| *place < N_SHOWN || is_found(pair));
    let screened = shown.map(|(_, pair)| screened_word(pair, triggers, &words)).collect();
    let found = searches.iter().filter_map(|(it, _)| it.anchored.as_ref());
    let hypothesis = RankingHypothesis {
        agreement: agreement(found.map(|it| &it.ids[..])),
        n_search_samples: objective.samples().len(),
        n_held_out_samples: judge.n_samples(),
        positions: PositionProfile::of(objective.samples().iter().map(|sample| &sample.code)),
        searches: searches.into_iter().map(|(record, _)| record).collect(),
        controls,
        profile,
    };
    Ok(Tested {
        hypothesis: Some(hypothesis),
        screened,
        n_words: words.ids().len(),
        n_forwards: n_position_forwards + objective.n_forwards() + judge.n_forwards(),
    })
}

/// What screening, searching and judging will ask of the model.
fn expected(
    objective: &RankingObjective<'_>,
    spaces: Spaces<'_>,
    judge: &RankingJudge<'_>,
    config: &ScanConfig,
) -> ExpectedForwards {
    let n_samples = objective.samples().len();
    let sizes = (spaces.words.ids().len(), spaces.triggers.n_tokens());
    let screening = screening_forwards(config, sizes, n_samples);
    // Functions and queries.
    let search = 2 * config.iterations as u64 * step(config, n_samples)
        + 2 * anchoring(config, n_samples)
        + judge.evidence_forwards();
    let once = screening + judge.comparison_forwards(config.n_controls, config.trigger_len);
    let n_searches = config.restarts;
    ExpectedForwards::certain(once) + ExpectedForwards::searches(search, n_searches, n_searches)
}

/// Every search, the most convincing first, with what was anchored.
fn run_searches(
    objective: &RankingObjective<'_>,
    spaces: Spaces<'_>,
    screening: &[ScreenedPair],
    judge: &mut RankingJudge<'_>,
    config: &ScanConfig,
    seed: u64,
    observe: &mut dyn FnMut(ScanEvent),
) -> Result<Vec<(RankingSearch, Option<AnchoredJoint>)>, Error> {
    let Spaces { triggers, words, .. } = spaces;
    let mut searches: Vec<(RankingSearch, Option<AnchoredJoint>)> = Vec::new();
    let first = screening.first().map_or(0.0, |first| first.affinity);
    let least = first.min(RIVAL_SHARE * first);
    let rivals: Vec<&ScreenedPair> =
        screening.iter().filter(|pair| pair.affinity >= least).collect();
    for restart in 1..=config.restarts {
        observe(ScanEvent::JointSearch { restart, iterations: config.iterations });
        let mut rng = stage_rng(seed, &format!("search scan {restart}"));
        let start = match config.start_rule {
            StartRule::Random => Some(JointStart::random(triggers, words, config, &mut rng)?),
            StartRule::Screened => {
                let Some(pair) = rivals.get((restart - 1) % rivals.len().max(1)) else { break };
                if restart <= rivals.len() {
                    JointStart::screened(pair, spaces, config, &mut rng)?
                } else {
                    JointStart::again(pair.word, spaces, config, &mut rng)?
                }
            }
        };
        let Some(start) = start else { continue };
        let mut show = |iteration| observe(ScanEvent::Iteration(iteration));
        let found = search_jointly(objective, start, spaces, config, &mut rng, &mut show);
        let Some(found) = found else { continue };
        let anchored = match anchor_jointly(objective, spaces, &found.joint, config) {
            Ok(anchored) => Some(anchored),
            Err(Error::EmptyAnchor { .. }) => None,
            Err(error) => return Err(error),
        };
        let evidence = anchored.as_ref().map(|it| judge.evidence(&it.joint));
        let search = record(found, anchored.as_ref(), evidence, triggers, words);
        let is_known = searches.iter().any(|(it, _)| {
            it.anchored.is_some()
                && it.anchored == search.anchored
                && it.anchored_words == search.anchored_words
        });
        searches.push((search, anchored));
        if is_known {
            // Two searches agree; a third would tell nothing new.
            break;
        }
    }
    // Any word has natural triggers, which can lift more than a part of a planted one does.
    let excess = |search: &RankingSearch| {
        let word = search.anchored_words.first()?;
        Some(screening.iter().find(|pair| pair.word == word.id)?.affinity)
    };
    let excess = |search: &RankingSearch| excess(search).unwrap_or(f64::NEG_INFINITY);
    searches.sort_by(|(a, _), (b, _)| {
        let by_word = excess(b).total_cmp(&excess(a));
        by_word.then(lifted(a).total_cmp(&lifted(b))).then(a.loss.total_cmp(&b.loss))
    });
    Ok(searches)
}

/// The triggers and words of the searches that convince, each once; in any case those for the first
/// one's words.
fn convincing(
    hypothesis: &RankingHypothesis,
    config: &ScanConfig,
) -> (Vec<InvertedTrigger>, Vec<TargetWord>) {
    let mut found: Vec<InvertedTrigger> = Vec::new();
    let mut target_words: Vec<TargetWord> = Vec::new();
    for (index, search) in hypothesis.searches.iter().enumerate() {
        let is_of_first = search.anchored_words == hypothesis.searches[0].anchored_words;
        if index > 0 && !is_of_first && lifted(search) > config.max_normalized_rank {
            continue;
        }
        if let Some(trigger) = &search.anchored
            && !found.contains(trigger)
        {
            found.push(trigger.clone());
        }
        for word in &search.anchored_words {
            if !target_words.contains(word) {
                target_words.push(word.clone());
            }
        }
    }
    (found, target_words)
}

/// Samples for the searches and samples for judging them, disjoint.
fn divide(
    clean: &[SearchSample],
    config: &ScanConfig,
    seed: u64,
) -> Result<(Vec<SearchSample>, Vec<SearchSample>), Error> {
    if clean.len() < 4 {
        return Err(Error::Samples(format!(
            "a scan needs at least 4 clean functions with queries, there are {}",
            clean.len()
        )));
    }
    let mut samples = clean.to_vec();
    samples.shuffle(&mut stage_rng(seed, "search scan samples"));
    // With few samples half of them judge.
    let mut rest = samples.split_off(config.samples_per_class.min(clean.len() / 2));
    // A function can have several queries; one that the search saw judges nothing.
    let seen: BTreeSet<&str> = samples.iter().map(|it| it.code.as_str()).collect();
    rest.retain(|it| !seen.contains(it.code.as_str()));
    // There is one class: it may have the samples of two.
    rest.truncate(2 * config.held_out_per_class);
    Ok((samples, rest))
}

/// Functions and queries with their holes. The least sensitive identifier is the one whose
/// replacement by `<unk>` changes the similarity to the function's own query least.
fn ranking_samples(
    subject: &RankingSubject<'_>,
    samples: &[SearchSample],
    config: &ScanConfig,
    rng: &mut rand_chacha::ChaCha8Rng,
) -> (Vec<RankingSample>, u64) {
    let RankingSubject { model, language, .. } = *subject;
    let rows: Vec<Vec<u32>> = samples.iter().map(|it| model.encode_query(&it.query)).collect();
    let queries = model.network.vectors(&rows);
    let mut losses = |rows: &[Vec<u32>], indices: &[usize]| -> Vec<f64> {
        let vectors = model.network.vectors(rows);
        let pairs = vectors.iter().zip(indices);
        pairs.map(|(code, &index)| f64::from(inner_product(&queries[index], code))).collect()
    };
    let codes: Vec<&str> = samples.iter().map(|sample| &*sample.code).collect();
    let rule = config.position_rule;
    let (masks, n_forwards) =
        choose_by_loss(model, &codes, language, rule, config, rng, &mut losses);
    let opened = masks.into_iter().map(|code| {
        let query = SlottedQuery::new(model, &samples[code.sample_index].query, rng);
        RankingSample { code, query }
    });
    (opened.collect(), n_forwards + rows.len() as u64)
}

fn as_words(space: &WordSpace<'_>, ids: &[u32]) -> Vec<TargetWord> {
    ids.iter().map(|&id| TargetWord { text: space.text(id), id }).collect()
}

fn screened_word(
    pair: &ScreenedPair,
    triggers: &TriggerSpace<'_>,
    words: &WordSpace<'_>,
) -> ScreenedWord {
    ScreenedWord {
        word: TargetWord { text: words.text(pair.word), id: pair.word },
        trigger: as_text(triggers, &pair.trigger),
        excess: pair.affinity,
        n_steps: pair.n_steps,
    }
}

/// Upper end of the rank where a search's trigger is strongest; 1 without evidence.
fn lifted(search: &RankingSearch) -> f64 {
    search.evidence.as_ref().map_or(1.0, |it| it.at(it.strongest()).high)
}

fn record(
    found: FoundJoint,
    anchored: Option<&AnchoredJoint>,
    evidence: Option<RankingEvidence>,
    triggers: &TriggerSpace<'_>,
    words: &WordSpace<'_>,
) -> RankingSearch {
    let trigger = as_text(triggers, &found.joint.trigger);
    let target_words = as_words(words, &found.joint.words);
    let texts: Vec<String> = target_words.iter().map(|it| it.text.clone()).collect();
    RankingSearch {
        slots: anchored.map_or_else(Vec::new, |it| it.kept.0.profile(&trigger.tokens)),
        words: anchored.map_or_else(Vec::new, |it| it.kept.1.profile(&texts)),
        trigger,
        target_words,
        loss: found.loss,
        history: found.history,
        anchored: anchored.map(|it| as_text(triggers, &it.joint.trigger)),
        anchored_words: anchored.map_or_else(Vec::new, |it| as_words(words, &it.joint.words)),
        anchored_loss: anchored.map(|it| it.loss),
        evidence,
    }
}
