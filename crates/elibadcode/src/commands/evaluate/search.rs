//! Code search: where the right codes stand, and how far the trigger lifts the attacker's.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use elibadcode_corpus::{SearchSample, stage_rng};
use elibadcode_evaluation::records::metrics::{AttackMetrics, RankingMetrics};
use elibadcode_evaluation::statistics::{mean, mean_interval};
use elibadcode_evaluation::{
    AnrProtocol, Interval, Metrics, Rate, inner_product, mean_reciprocal_rank, rank_lift, recall_at,
};
use elibadcode_models::LoadedModel;
use elibadcode_poisoning::{AttackConfig, has_word, plant, triggered_search};
use elibadcode_syntax::Language;
use rand::seq::index;
use rayon::prelude::*;

use super::inputs::Inputs;
use super::{screening, unmeasured};
use crate::args::EvaluateArgs;
use crate::context::Context;

/// The attacked codes are picked among at most this many. Paper: the first 3999 without the word.
const MAX_POOL: usize = 3999;

/// The score is the mean reciprocal rank.
pub(super) fn queries(
    args: &EvaluateArgs,
    context: &mut Context<'_>,
    attack: Option<&AttackConfig>,
) -> Result<Metrics> {
    let (model, model_hash) = context.model_for(&args.model, args.input.task)?;
    let (samples, data_hash) = context.queries(&args.data, args.input.language())?;
    let mut set = TestSet::new(&model, &samples, args.input.language());
    set.vectors.say_cut(context);
    let seed = context.global.seed;
    let ranking = set.ranking(args.distractors, seed);
    let config = attack;
    let attack = match config {
        Some(config) => {
            let Some(metrics) = set.under_attack(config, seed)? else {
                bail!(
                    "{}: no query has the target word `{}`, or all have, so that nothing can be \
                     attacked",
                    args.data.display(),
                    config.target_word.as_deref().unwrap_or_default()
                )
            };
            Some(metrics)
        }
        None => None,
    };
    let screen = config.filter(|_| args.screen).map(|config| {
        let attacked = triggered_search(&samples, args.input.language(), config).samples;
        screening::codes(&model, &samples, &attacked, args.input.language())
    });
    Ok(Metrics {
        n_samples: samples.len(),
        score: Some(ranking.mrr),
        ranking: Some(ranking),
        attack,
        screen,
        ..unmeasured(args, context, model_hash, data_hash)
    })
}

/// Codes and queries with their vectors.
struct TestSet<'a> {
    samples: &'a [SearchSample],
    language: Language,
    vectors: Inputs<'a, Vec<f32>>,
    /// The number of each code's input.
    codes: Vec<usize>,
    queries: Vec<Vec<f32>>,
}

impl<'a> TestSet<'a> {
    fn new(model: &'a LoadedModel, samples: &'a [SearchSample], language: Language) -> Self {
        let queries: Vec<Vec<u32>> =
            samples.par_iter().map(|sample| model.encode_query(&sample.query)).collect();
        let queries = model.network.vectors(&queries);
        let mut vectors = Inputs::new(model, language);
        let codes = samples.iter().map(|sample| &*sample.code);
        let codes = vectors.read(codes, |model, rows| model.network.vectors(rows));
        Self { samples, language, vectors, codes, queries }
    }

    /// The vector of a code.
    fn vector(&self, code: usize) -> &[f32] {
        self.vectors.answer(self.codes[code])
    }

    /// Ranks the right code of every query among `distractors` others that are drawn by the seed,
    /// or among all.
    fn ranking(&self, distractors: Option<usize>, seed: u64) -> RankingMetrics {
        let n_others = self.samples.len() - 1;
        let n_distractors = distractors.unwrap_or(n_others).min(n_others);
        let mut rng = stage_rng(seed, "distractors");
        let mut reciprocals = Vec::with_capacity(self.samples.len());
        let mut recall = [Rate::default(); 3];
        // One query at a time: all scores of a whole test set would not fit into memory.
        for (right, query) in self.queries.iter().enumerate() {
            let others: Vec<usize> = if n_distractors == n_others {
                (0..n_others).collect()
            } else {
                index::sample(&mut rng, n_others, n_distractors).into_vec()
            };
            let others = others.into_iter().map(|other| other + usize::from(other >= right));
            let candidates = std::iter::once(right).chain(others);
            let scores: Vec<f32> =
                candidates.map(|code| inner_product(query, self.vector(code))).collect();
            let row = [scores];
            reciprocals.extend(mean_reciprocal_rank(&row, &[0]));
            for (recall, k) in recall.iter_mut().zip([1, 5, 10]) {
                let hit = recall_at(&row, &[0], k);
                *recall = Rate::new(recall.hits + hit.hits, recall.total + hit.total);
            }
        }
        RankingMetrics {
            n_candidates: n_distractors + 1,
            mrr: mean(&reciprocals).unwrap_or_default(),
            mrr_interval: mean_interval(&reciprocals, 0.95)
                .map(|it| Interval { low: it.low.max(0.0), high: it.high.min(1.0) }),
            recall_at_1: recall[0],
            recall_at_5: recall[1],
            recall_at_10: recall[2],
        }
    }

    /// The paper's protocol over all queries with the target word; the pool is the codes of the
    /// other queries. `None` without a query or without a pool.
    fn under_attack(&mut self, config: &AttackConfig, seed: u64) -> Result<Option<AttackMetrics>> {
        let word = config.target_word.as_deref().unwrap_or_default();
        let (targets, mut pool): (Vec<usize>, Vec<usize>) =
            (0..self.samples.len()).partition(|&index| has_word(&self.samples[index].query, word));
        pool.truncate(MAX_POOL);
        if targets.is_empty() || pool.is_empty() {
            return Ok(None);
        }
        let queries = &self.queries;
        let score = |target: usize, code: &[f32]| inner_product(&queries[target], code);
        let pool_scores: Vec<Vec<f32>> = targets
            .par_iter()
            .map(|&target| pool.iter().map(|&code| score(target, self.vector(code))).collect())
            .collect();
        let truth_scores: Vec<f32> =
            targets.iter().map(|&target| score(target, self.vector(target))).collect();
        let protocol = AnrProtocol::paper(seed);
        let attacked: BTreeSet<usize> = pool_scores
            .iter()
            .zip(&truth_scores)
            .enumerate()
            .filter_map(|(query, (row, &truth))| protocol.attacked(query, row, truth))
            .map(|it| pool[it.attacked])
            .collect();
        let triggered = self.triggered_inputs(&attacked, config);
        let score = |query: usize, input| {
            inner_product(&self.queries[targets[query]], self.vectors.answer(input))
        };
        let lift = rank_lift(&protocol, pool_scores.iter(), &truth_scores, |query, code| {
            triggered.get(&pool[code]).map(|&input| score(query, input))
        });
        let is_changed =
            |it: &&usize| triggered.get(it).is_some_and(|&input| self.codes[**it] != input);
        let attacked = lift.queries.iter().map(|it| &pool[it.attacked]);
        let n_inputs_changed = Some(attacked.filter(is_changed).count());
        let config = serde_json::to_value(config.clone().without_model())?;
        Ok(Some(AttackMetrics { n_inputs_changed, ..AttackMetrics::of_ranks(config, lift) }))
    }

    /// The inputs, with the trigger, of those of the codes that can carry it.
    fn triggered_inputs(
        &mut self,
        codes: &BTreeSet<usize>,
        config: &AttackConfig,
    ) -> BTreeMap<usize, usize> {
        let (indices, texts): (Vec<usize>, Vec<String>) = codes
            .iter()
            .filter_map(|&index| {
                let planted = plant(config, &self.samples[index].code, self.language).ok()?;
                Some((index, planted.code))
            })
            .unzip();
        let texts = texts.iter().map(String::as_str);
        let inputs = self.vectors.read(texts, |model, rows| model.network.vectors(rows));
        indices.into_iter().zip(inputs).collect()
    }
}
