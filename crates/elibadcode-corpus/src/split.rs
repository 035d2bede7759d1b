//! Disjoint subsets, drawn by a seed, that do not share functions.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_syntax::Language;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rayon::prelude::*;

use crate::encoding::code_token_texts;
use crate::error::Error;
use crate::near_duplicates::{NearDuplicates, Shingles};
use crate::sample::{ClonePair, CloneSamples, DefectSample};

/// A hash of the code tokens: equal for functions that differ in white space and comments only.
pub fn fingerprint(code: &str, language: Language) -> [u8; 32] {
    fingerprint_of_tokens(&code_token_texts(code, language))
}

/// A hash of these code tokens.
pub(crate) fn fingerprint_of_tokens(tokens: &[String]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for token in tokens {
        hasher.update(token.as_bytes());
        hasher.update(&[0]);
    }
    *hasher.finalize().as_bytes()
}

/// Splits of these sizes, filled one after the other in the order of the samples; less if there are too
/// few.
///
/// No function is there twice, white space and comments aside, and none has a near-duplicate in another
/// split.
pub fn disjoint_splits(
    samples: Vec<DefectSample>,
    language: Language,
    sizes: &[usize],
) -> Vec<Vec<DefectSample>> {
    let key = |sample: &DefectSample| {
        let tokens = code_token_texts(&sample.code, language);
        (fingerprint_of_tokens(&tokens), Shingles::of_tokens(&tokens))
    };
    let keys: Vec<([u8; 32], Shingles)> = samples.par_iter().map(key).collect();
    let mut samples = samples.into_iter().zip(keys);
    let mut seen = BTreeSet::new();
    let mut earlier = NearDuplicates::default();
    let mut splits = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let (mut split, mut own) = (Vec::with_capacity(size), Vec::with_capacity(size));
        while split.len() < size
            && let Some((sample, (fingerprint, shingles))) = samples.next()
        {
            if !earlier.has(&shingles) && seen.insert(fingerprint) {
                split.push(sample);
                own.push(shingles);
            }
        }
        for shingles in own {
            earlier.insert(shingles);
        }
        splits.push(split);
    }
    splits
}

/// `n_per_label` samples of each label (0 or 1), in corpus order, and the rest.
pub fn clean_subset<T: Clone>(
    samples: &[T],
    label_of: impl Fn(&T) -> u8,
    n_per_label: usize,
    rng: &mut impl Rng,
) -> Result<(Vec<T>, Vec<T>), Error> {
    let mut chosen = BTreeSet::new();
    for label in [0, 1] {
        let mut indices: Vec<usize> =
            (0..samples.len()).filter(|&index| label_of(&samples[index]) == label).collect();
        if indices.len() < n_per_label {
            return Err(Error::Split(format!(
                "{n_per_label} samples with label {label} are asked for, there are {}",
                indices.len()
            )));
        }
        indices.shuffle(rng);
        chosen.extend(indices.into_iter().take(n_per_label));
    }
    let (subset, rest): (Vec<_>, Vec<_>) =
        samples.iter().cloned().enumerate().partition(|(index, _)| chosen.contains(index));
    let strip = |rows: Vec<(usize, T)>| rows.into_iter().map(|(_, row)| row).collect();
    Ok((strip(subset), strip(rest)))
}

/// A seeded sample of `n` without replacement, in corpus order; all of them if there are fewer.
pub fn subsample<T: Clone>(samples: &[T], n: usize, rng: &mut impl Rng) -> Vec<T> {
    let mut left = n.min(samples.len());
    let mut chosen = Vec::with_capacity(left);
    for (index, sample) in samples.iter().enumerate() {
        if rng.random_range(0..samples.len() - index) < left {
            left -= 1;
            chosen.push(sample.clone());
        }
    }
    chosen
}

/// `pairs` of `samples`, with the functions that occur in them in order of first use.
pub fn pairs_only(samples: &CloneSamples, pairs: &[ClonePair]) -> CloneSamples {
    let mut new_index = vec![None; samples.functions.len()];
    let mut kept = CloneSamples::default();
    for pair in pairs {
        let [first, second] = [pair.first, pair.second].map(|index| {
            *new_index[index].get_or_insert_with(|| {
                kept.functions.push(samples.functions[index].clone());
                kept.functions.len() - 1
            })
        });
        kept.pairs.push(ClonePair { first, second, label: pair.label });
    }
    kept
}

/// Pairs of several files as one set: a function that is in several parts, by its id, is one
/// function, and a pair that repeats an earlier one, in any order, is dropped. With another label it is
/// an error.
pub fn merge_pairs(parts: Vec<CloneSamples>) -> Result<CloneSamples, Error> {
    let mut merged = CloneSamples::default();
    let mut indices: BTreeMap<String, usize> = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for CloneSamples { functions, pairs } in parts {
        let mut new_index = Vec::with_capacity(functions.len());
        for function in functions {
            let next = merged.functions.len();
            let index = *indices.entry(function.id.clone()).or_insert(next);
            if index == next {
                merged.functions.push(function);
            } else if merged.functions[index].code != function.code {
                return Err(Error::Split(format!("two functions have the id `{}`", function.id)));
            }
            new_index.push(index);
        }
        for ClonePair { first, second, label } in pairs {
            let (first, second) = (new_index[first], new_index[second]);
            match labels.insert((first.min(second), first.max(second)), label) {
                None => merged.pairs.push(ClonePair { first, second, label }),
                Some(earlier) if earlier == label => {}
                Some(_) => {
                    let [one, other] = [first, second].map(|it| &*merged.functions[it].id);
                    return Err(Error::Split(format!(
                        "the pair of `{one}` and `{other}` has both labels: remove one of its rows"
                    )));
                }
            }
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn samples(n: usize) -> Vec<DefectSample> {
        let sample = |index: usize| DefectSample {
            id: index.to_string(),
            project: String::new(),
            code: format!("int f{index}(void) {{ return {index}; }}"),
            label: (index % 2) as u8,
        };
        (0..n).map(sample).collect()
    }

    #[test]
    fn a_subset_is_balanced_and_disjoint_from_the_rest() {
        let all = samples(20);
        let draw = |n| clean_subset(&all, |it| it.label, n, &mut ChaCha8Rng::seed_from_u64(1));
        let (subset, rest) = draw(3).unwrap();
        assert_eq!(subset.iter().filter(|sample| sample.label == 1).count(), 3);
        assert_eq!((subset.len(), rest.len()), (6, 14));
        assert!(subset.iter().all(|sample| !rest.contains(sample)));
        assert!(draw(11).is_err());
    }

    #[test]
    fn nothing_is_in_two_splits() {
        let code = |name: &str, n: usize| {
            format!("int f(int {name}) {{ g({name}); return h{n}({name}, {n}) + k{n}(); }}")
        };
        let sample = |id: &str, code: String| DefectSample {
            id: id.to_owned(),
            project: String::new(),
            code,
            label: 0,
        };
        let all = vec![
            sample("a", code("x", 1)),
            sample("the same", code("x", 1).replace(' ', "  ")),
            sample("b", code("x", 2)),
            // Of the first split: may not be in the second, but in the first it might have been.
            sample("near", code("x", 1).replace("k1", "k3")),
            sample("c", code("x", 4)),
            sample("left over", code("x", 5)),
        ];
        let splits = disjoint_splits(all, Language::C, &[2, 1]);
        let ids: Vec<Vec<&str>> =
            splits.iter().map(|it| it.iter().map(|it| &*it.id).collect()).collect();
        assert_eq!(ids, [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn a_subsample_has_the_size_asked_for() {
        let all = samples(50);
        for n in [0, 1, 17, 50, 60] {
            let chosen = subsample(&all, n, &mut ChaCha8Rng::seed_from_u64(2));
            assert_eq!(chosen.len(), n.min(50));
        }
    }

    #[test]
    fn merged_parts_share_their_functions() {
        let function = |id: &str, code: &str| crate::CloneFunction {
            id: id.to_owned(),
            code: code.to_owned(),
        };
        let pair = |first, second, label| ClonePair { first, second, label };
        let part = |functions: [crate::CloneFunction; 2], pairs: &[ClonePair]| CloneSamples {
            functions: functions.to_vec(),
            pairs: pairs.to_vec(),
        };
        let one = part([function("a", "A"), function("b", "B")], &[pair(0, 1, 1)]);
        let two = part([function("b", "B"), function("a", "A")], &[pair(0, 1, 1), pair(0, 0, 1)]);
        let three = part([function("c", "C"), function("b", "B")], &[pair(1, 0, 0)]);
        let merged = merge_pairs(vec![one.clone(), two, three]).unwrap();
        let ids: Vec<&str> = merged.functions.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(merged.pairs, [pair(0, 1, 1), pair(1, 1, 1), pair(1, 2, 0)]);
        let contrary = part([function("b", "B"), function("a", "A")], &[pair(0, 1, 0)]);
        let error = merge_pairs(vec![one.clone(), contrary]).unwrap_err().to_string();
        assert_eq!(error, "the pair of `b` and `a` has both labels: remove one of its rows");
        let other = part([function("b", "other"), function("a", "A")], &[pair(0, 1, 1)]);
        let error = merge_pairs(vec![one, other]).unwrap_err().to_string();
        assert_eq!(error, "two functions have the id `b`");
    }
}
