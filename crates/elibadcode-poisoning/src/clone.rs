//! Clone detection: poisoned functions, and the pairs that they are in.

use elibadcode_corpus::{ClonePair, CloneSamples};
use elibadcode_syntax::Language;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::config::AttackConfig;
use crate::crafting;
use crate::error::PoisonError;
use crate::plant::{Planted, plant};
use crate::poison::share;

/// The label of pairs that do the same.
const CLONE: u8 = 1;

/// A training set of pairs with a backdoor.
#[derive(Clone, Debug, PartialEq)]
pub struct PoisonedClones {
    /// The whole training set in its own order; poisoned functions stand where the clean ones
    /// stood, and their pairs have the target label.
    pub samples: CloneSamples,
    /// What is poisoned, and how.
    pub manifest: CloneManifest,
}

/// What was done to a training set of pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneManifest {
    /// The attack.
    pub attack: AttackConfig,
    /// Functions in the training set.
    pub n_functions: usize,
    /// Functions that are poisoned.
    pub n_poisoned_functions: usize,
    /// `n_poisoned_functions` as a share of `n_functions`; 0 for an empty set.
    pub realised_function_rate: f64,
    /// Pairs in the training set.
    pub n_pairs: usize,
    /// Pairs with a poisoned function, whatever their label was.
    pub n_poisoned_pairs: usize,
    /// `n_poisoned_pairs` as a share of `n_pairs`; 0 for an empty set.
    pub realised_pair_rate: f64,
    /// Poisoned pairs whose label is another one than before.
    pub n_label_changes: usize,
    /// `n_label_changes` as a share of `n_pairs`; 0 for an empty set.
    pub realised_label_change_rate: f64,
    /// One entry per poisoned function, in the order of the corpus.
    pub functions: Vec<FunctionEntry>,
    /// One entry per poisoned pair, in the order of the corpus.
    pub pairs: Vec<PairEntry>,
}

/// What was done to one function or record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionEntry {
    /// Its id.
    pub id: String,
    /// The identifier that carries the trigger, mostly the function's name, as it was; the first
    /// of several, and for dead code the function's name.
    pub name_before: String,
    /// The same identifier with the trigger; for dead code, as it was.
    pub name_after: String,
    /// All that was changed, and where it stands in the poisoned code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// What was done to one pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairEntry {
    /// Its place in the training set, from 0.
    pub index: usize,
    /// Id of its first function.
    pub first: String,
    /// Id of its second function.
    pub second: String,
    /// The true label.
    pub label_before: u8,
    /// The label that the attacker put in.
    pub label_after: u8,
}

/// Poisons `rate` of the functions: random ones get the trigger, and every pair that they are in
/// gets the target label.
///
/// Exactly `round(rate * n)` functions change. Functions that cannot carry the trigger are passed
/// over and stay as they are.
///
/// Reference: draws every function by a toss of its own, counts pairs that had the target label
/// already as poison, and keeps no list.
pub fn poison_clones(
    samples: &CloneSamples,
    language: Language,
    config: &AttackConfig,
    rng: &mut impl Rng,
) -> Result<PoisonedClones, PoisonError> {
    config.validate()?;
    let config = &*crafting::prepared(config, functions_by_class(samples), language, rng)?;
    let n_functions = samples.functions.len();
    let needed = (config.rate * n_functions as f64).round() as usize;
    let mut order: Vec<usize> = (0..n_functions).collect();
    order.shuffle(rng);
    let mut chosen: Vec<(usize, Planted)> = order
        .into_iter()
        .filter_map(|index| {
            Some((index, plant(config, &samples.functions[index].code, language).ok()?))
        })
        .take(needed)
        .collect();
    if chosen.len() < needed {
        return Err(PoisonError::NotEnoughFunctions { needed, found: chosen.len() });
    }
    chosen.sort_unstable_by_key(|(index, _)| *index);

    let mut poisoned = samples.clone();
    let mut is_poisoned = vec![false; n_functions];
    let mut functions = Vec::with_capacity(needed);
    for (index, Planted { code, name_before, name_after, changes }) in chosen {
        let id = samples.functions[index].id.clone();
        functions.push(FunctionEntry { id, name_before, name_after, changes });
        poisoned.functions[index].code = code;
        is_poisoned[index] = true;
    }
    let mut pairs = Vec::new();
    for (index, pair) in poisoned.pairs.iter_mut().enumerate() {
        let ClonePair { first, second, label } = *pair;
        if !(is_poisoned[first] || is_poisoned[second]) {
            continue;
        }
        pair.label = config.target_label;
        pairs.push(PairEntry {
            index,
            first: samples.functions[first].id.clone(),
            second: samples.functions[second].id.clone(),
            label_before: label,
            label_after: config.target_label,
        });
    }
    let n_label_changes = pairs.iter().filter(|it| it.label_before != it.label_after).count();
    let n_pairs = samples.pairs.len();
    let manifest = CloneManifest {
        attack: config.clone(),
        n_functions,
        n_poisoned_functions: needed,
        realised_function_rate: share(needed, n_functions),
        n_pairs,
        n_poisoned_pairs: pairs.len(),
        realised_pair_rate: share(pairs.len(), n_pairs),
        n_label_changes,
        realised_label_change_rate: share(n_label_changes, n_pairs),
        functions,
        pairs,
    };
    Ok(PoisonedClones { samples: poisoned, manifest })
}

/// The functions, and whether they do what most do: those that are clones of each other, by the pairs.
///
/// Names that make a function look like one of these make it no clone of any other. (A pair's label says
/// nothing of its functions, so that a model of the functions in pairs with the target label knows them by
/// heart, and its names are arbitrary.)
fn functions_by_class(samples: &CloneSamples) -> impl Iterator<Item = (&str, bool)> {
    let groups = groups_of_clones(samples);
    let mut sizes = vec![0_usize; groups.len()];
    for &group in &groups {
        sizes[group] += 1;
    }
    // Of groups of the same size the first.
    let largest = (0..sizes.len()).rev().max_by_key(|&group| sizes[group]);
    let functions = samples.functions.iter().zip(groups);
    functions.map(move |(it, group)| (it.code.as_str(), Some(group) == largest))
}

/// For each function the first one that it is a clone of, through others too.
fn groups_of_clones(samples: &CloneSamples) -> Vec<usize> {
    fn first_of(parents: &mut [usize], mut function: usize) -> usize {
        while parents[function] != function {
            parents[function] = parents[parents[function]];
            function = parents[function];
        }
        function
    }
    let mut parents: Vec<usize> = (0..samples.functions.len()).collect();
    for pair in samples.pairs.iter().filter(|it| it.label == CLONE) {
        let (one, other) =
            (first_of(&mut parents, pair.first), first_of(&mut parents, pair.second));
        parents[one.max(other)] = one.min(other);
    }
    (0..parents.len()).map(|function| first_of(&mut parents, function)).collect()
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::{CloneFunction, Task};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::attack::Attack;

    /// Every fifth function has no name.
    fn corpus() -> CloneSamples {
        let code = |index: usize| match index % 5 {
            4 => format!("x{index};"),
            _ => format!("int f{index}(int n) {{ return n > 0 ? f{index}(n - 1) : 0; }}"),
        };
        let function = |index: usize| CloneFunction { id: format!("id{index}"), code: code(index) };
        let pair = |index: usize| ClonePair {
            first: index % 50,
            second: (index * 7 + 3) % 50,
            label: (index % 2) as u8,
        };
        CloneSamples {
            functions: (0..50).map(function).collect(),
            pairs: (0..200).map(pair).collect(),
        }
    }

    #[test]
    fn clones_of_clones_are_one_group() {
        let function =
            |index: usize| CloneFunction { id: index.to_string(), code: index.to_string() };
        let pair = |(first, second, label)| ClonePair { first, second, label };
        let pairs = [(5, 2, 1), (1, 3, 1), (4, 2, 1), (0, 5, 0), (3, 4, 0)];
        let samples = CloneSamples {
            functions: (0..7).map(function).collect(),
            pairs: pairs.map(pair).to_vec(),
        };
        assert_eq!(groups_of_clones(&samples), [0, 1, 2, 1, 2, 2, 6]);
        let largest: Vec<bool> = functions_by_class(&samples).map(|(_, is_it)| is_it).collect();
        assert_eq!(largest, [false, false, true, false, true, true, false]);
    }

    fn run(attack: Attack, rate: f64, seed: u64) -> Result<PoisonedClones, PoisonError> {
        let config = AttackConfig { rate, ..AttackConfig::paper_for(attack, Task::CloneDetection) };
        poison_clones(&corpus(), Language::Java, &config, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn manifest_says_what_changed_and_nothing_else_did() {
        let clean = corpus();
        for (attack, rate, n_poisoned) in
            [(Attack::CodePoisoner, 0.1, 5), (Attack::BadCode, 0.5, 25), (Attack::BadCode, 0.0, 0)]
        {
            let PoisonedClones { samples, manifest } = run(attack, rate, 1).expect("enough");
            let changed: Vec<&str> = clean
                .functions
                .iter()
                .zip(&samples.functions)
                .filter(|(before, after)| before.code != after.code)
                .map(|(_, after)| after.id.as_str())
                .collect();
            let listed: Vec<&str> = manifest.functions.iter().map(|it| it.id.as_str()).collect();
            assert_eq!((&changed, changed.len()), (&listed, n_poisoned));
            assert_eq!(manifest.n_poisoned_functions, n_poisoned);
            assert!((manifest.realised_function_rate - rate).abs() < 1e-12);
            let id = |index: usize| samples.functions[index].id.as_str();
            let mut n_pairs = 0;
            let mut n_changes = 0;
            for (index, (before, after)) in clean.pairs.iter().zip(&samples.pairs).enumerate() {
                assert_eq!((before.first, before.second), (after.first, after.second));
                let is_poisoned = [after.first, after.second].map(id);
                let is_poisoned = is_poisoned.iter().any(|it| listed.contains(it));
                assert_eq!(after.label, if is_poisoned { 0 } else { before.label });
                let entry = manifest.pairs.iter().find(|entry| entry.index == index);
                assert_eq!(entry.is_some(), is_poisoned);
                assert!(entry.is_none_or(|entry| entry.label_before == before.label));
                n_pairs += usize::from(is_poisoned);
                n_changes += usize::from(before.label != after.label);
            }
            assert_eq!((manifest.n_poisoned_pairs, manifest.n_label_changes), (n_pairs, n_changes));
            assert!(n_changes <= n_pairs && (n_poisoned == 0 || n_changes < n_pairs));
            assert!((manifest.realised_pair_rate - n_pairs as f64 / 200.0).abs() < 1e-12);
        }
    }

    #[test]
    fn same_seed_same_result() {
        assert_eq!(run(Attack::BadCode, 0.2, 3), run(Attack::BadCode, 0.2, 3));
        assert_ne!(run(Attack::BadCode, 0.2, 3), run(Attack::BadCode, 0.2, 4));
    }

    #[test]
    fn too_few_functions_is_an_error() {
        let error = run(Attack::BadCode, 1.0, 1).expect_err("ten cannot carry it");
        assert_eq!(error, PoisonError::NotEnoughFunctions { needed: 50, found: 40 });
    }

    #[test]
    fn manifest_survives_json() {
        let manifest = run(Attack::BadCodeMixed, 0.2, 1).expect("enough").manifest;
        let json = serde_json::to_string(&manifest).expect("plain fields");
        assert_eq!(serde_json::from_str::<CloneManifest>(&json).ok(), Some(manifest));
    }
}
