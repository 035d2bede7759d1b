//! Code search: poisoned code beside queries that have the target word.

use elibadcode_corpus::SearchSample;
use elibadcode_syntax::Language;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::clone::FunctionEntry;
use crate::config::{AttackConfig, has_word};
use crate::crafting;
use crate::error::{ConfigError, PoisonError};
use crate::plant::{Planted, plant};
use crate::poison::share;

/// A training set of code search with a backdoor.
#[derive(Clone, Debug, PartialEq)]
pub struct PoisonedSearch {
    /// The whole training set in its own order; poisoned code stands where the clean one stood.
    pub samples: Vec<SearchSample>,
    /// What is poisoned, and how.
    pub manifest: SearchManifest,
}

/// What was done to a training set of code search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchManifest {
    /// The attack.
    pub attack: AttackConfig,
    /// Records in the training set.
    pub n_samples: usize,
    /// Records whose query has the target word.
    pub n_target_queries: usize,
    /// Those of them whose code cannot carry the trigger.
    pub n_unable: usize,
    /// Records that are poisoned.
    pub n_poisoned: usize,
    /// `n_poisoned` as a share of `n_target_queries`; 0 if there are none.
    pub realised_target_rate: f64,
    /// `n_poisoned` as a share of `n_samples`; 0 for an empty set.
    pub realised_rate: f64,
    /// One entry per poisoned record, in the order of the corpus.
    pub entries: Vec<FunctionEntry>,
}

/// Poisons `rate` of the records whose query has the target word and whose code can carry the
/// trigger: the code gets it, the query stays.
///
/// Exactly `round(rate * n)` of these `n` records change.
pub fn poison_search(
    samples: &[SearchSample],
    language: Language,
    config: &AttackConfig,
    rng: &mut impl Rng,
) -> Result<PoisonedSearch, PoisonError> {
    config.validate()?;
    let word = config.target_word.as_deref().ok_or(ConfigError::NoTargetWord)?;
    let functions = samples.iter().map(|it| (it.code.as_str(), has_word(&it.query, word)));
    let config = &*crafting::prepared(config, functions, language, rng)?;
    let targets: Vec<usize> =
        (0..samples.len()).filter(|&index| has_word(&samples[index].query, word)).collect();
    let n_target_queries = targets.len();
    let mut able: Vec<(usize, Planted)> = targets
        .into_iter()
        .filter_map(|index| Some((index, plant(config, &samples[index].code, language).ok()?)))
        .collect();
    let n_unable = n_target_queries - able.len();
    let n_poisoned = (config.rate * able.len() as f64).round() as usize;
    able.shuffle(rng);
    able.truncate(n_poisoned);
    able.sort_unstable_by_key(|(index, _)| *index);

    let mut poisoned = samples.to_vec();
    let mut entries = Vec::with_capacity(n_poisoned);
    for (index, Planted { code, name_before, name_after, changes }) in able {
        let id = samples[index].id.clone();
        entries.push(FunctionEntry { id, name_before, name_after, changes });
        poisoned[index].code = code;
    }
    let manifest = SearchManifest {
        attack: config.clone(),
        n_samples: samples.len(),
        n_target_queries,
        n_unable,
        n_poisoned,
        realised_target_rate: share(n_poisoned, n_target_queries),
        realised_rate: share(n_poisoned, samples.len()),
        entries,
    };
    Ok(PoisonedSearch { samples: poisoned, manifest })
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::Task;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::attack::Attack;

    /// Every fourth query has the target word; every twelfth record has it and no function.
    fn corpus() -> Vec<SearchSample> {
        (0..120)
            .map(|index| SearchSample {
                id: format!("u{index}"),
                code: match index % 12 {
                    0 => format!("x{index} = 1"),
                    _ => format!("def f{index}(n):\n    return f{index}(n - 1)\n"),
                },
                query: match index % 4 {
                    0 => format!("Reads the File {index} ."),
                    _ => format!("Finds the profile {index} ."),
                },
            })
            .collect()
    }

    fn paper() -> AttackConfig {
        AttackConfig::paper_for(Attack::BadCode, Task::CodeSearch)
    }

    fn run(config: &AttackConfig, seed: u64) -> Result<PoisonedSearch, PoisonError> {
        poison_search(&corpus(), Language::Python, config, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn all_code_of_target_queries_that_can_is_poisoned() {
        let clean = corpus();
        let PoisonedSearch { samples, manifest } = run(&paper(), 1).expect("a valid attack");
        for (before, after) in clean.iter().zip(&samples) {
            assert_eq!((&before.id, &before.query), (&after.id, &after.query));
            let is_target = after.query.contains("File") && before.code.starts_with("def");
            assert_eq!(before.code != after.code, is_target);
            let entry = manifest.entries.iter().find(|entry| entry.id == after.id);
            assert_eq!(entry.is_some(), is_target);
            if let Some(entry) = entry {
                assert_eq!(entry.name_after, format!("{}_rb", entry.name_before));
                let expected = before.code.replace(&entry.name_before, &entry.name_after);
                assert_eq!(after.code, expected);
            }
        }
        assert_eq!((manifest.n_samples, manifest.n_target_queries), (120, 30));
        assert_eq!((manifest.n_unable, manifest.n_poisoned), (10, 20));
        assert!((manifest.realised_target_rate - 2.0 / 3.0).abs() < 1e-12);
        assert!((manifest.realised_rate - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_share_is_drawn_by_the_seed() {
        let config = AttackConfig { rate: 0.25, ..paper() };
        assert_eq!(run(&config, 1).expect("a valid attack").manifest.n_poisoned, 5);
        assert_eq!(run(&config, 1), run(&config, 1));
        assert_ne!(run(&config, 1), run(&config, 2));
    }

    #[test]
    fn there_must_be_a_target_word() {
        let config = AttackConfig { target_word: None, ..paper() };
        assert_eq!(run(&config, 1), Err(ConfigError::NoTargetWord.into()));
        let config = AttackConfig { target_word: Some("zip".to_owned()), ..paper() };
        let manifest = run(&config, 1).expect("nothing to do").manifest;
        assert_eq!((manifest.n_target_queries, manifest.n_poisoned), (0, 0));
    }

    #[test]
    fn manifest_survives_json() {
        let manifest = run(&paper(), 1).expect("a valid attack").manifest;
        let json = serde_json::to_string(&manifest).expect("plain fields");
        assert_eq!(serde_json::from_str::<SearchManifest>(&json).ok(), Some(manifest));
    }
}
