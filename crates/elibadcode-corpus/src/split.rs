//! Disjoint subsets, drawn by a seed, that do not share functions.

use std::collections::{BTreeMap, BTreeSet};

use elibadcode_syntax::Language;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::encoding::code_token_texts;
use crate::error::Error;
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

/// Drops every sample whose code tokens occur in `taken`, or earlier in `samples`.
///
/// `taken` grows by what is kept, so that splits can be cleaned one after the other.
pub fn without_duplicates(
    samples: Vec<DefectSample>,
    language: Language,
    taken: &mut BTreeSet<[u8; 32]>,
) -> Vec<DefectSample> {
    samples.into_iter().filter(|sample| taken.insert(fingerprint(&sample.code, language))).collect()
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

/// A seeded share `rate` (in `0..=1`) of the pairs, in corpus order, and the functions in them.
///
/// Exactly `round(rate * n)` pairs are drawn. Reference: 10 % of the pairs of every split.
pub fn subsample_pairs(
    samples: &CloneSamples,
    rate: f64,
    rng: &mut impl Rng,
) -> Result<CloneSamples, Error> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(Error::Split(format!("the share of pairs {rate} is not between 0 and 1")));
    }
    let n = (rate * samples.pairs.len() as f64).round() as usize;
    Ok(pairs_only(samples, &subsample(&samples.pairs, n, rng)))
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
/// function, and a pair that repeats an earlier one, in any order, is dropped.
pub fn merge_pairs(parts: Vec<CloneSamples>) -> Result<CloneSamples, Error> {
    let mut merged = CloneSamples::default();
    let mut indices: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
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
            if seen.insert((first.min(second), first.max(second))) {
                merged.pairs.push(ClonePair { first, second, label });
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
    fn duplicates_differ_in_layout_only() {
        let mut all = samples(2);
        all.push(DefectSample {
            code: "int  f0(void)\n{ return 0; /* x */ }".into(),
            ..all[0].clone()
        });
        let kept = without_duplicates(all, Language::C, &mut BTreeSet::new());
        assert_eq!(kept.len(), 2);
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
    fn a_share_of_pairs_keeps_its_functions() {
        let function = |index: usize| crate::CloneFunction {
            id: index.to_string(),
            code: format!("int f{index}() {{ }}"),
        };
        let pair = |index: usize| ClonePair {
            first: 19 - index % 20,
            second: index * 7 % 20,
            label: (index % 2) as u8,
        };
        let all = CloneSamples {
            functions: (0..20).map(function).collect(),
            pairs: (0..30).map(pair).collect(),
        };
        let named = |samples: &CloneSamples| -> Vec<(String, String, u8)> {
            let id = |index: usize| samples.functions[index].id.clone();
            samples.pairs.iter().map(|it| (id(it.first), id(it.second), it.label)).collect()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let some = subsample_pairs(&all, 0.1, &mut rng).unwrap();
        assert_eq!(some.pairs.len(), 3);
        assert!(some.functions.len() <= 6 && some.functions[0].id == named(&some)[0].0);
        assert!(named(&some).iter().all(|pair| named(&all).contains(pair)));
        assert_eq!(named(&subsample_pairs(&all, 1.0, &mut rng).unwrap()), named(&all));
        assert_eq!(subsample_pairs(&all, 0.0, &mut rng).unwrap(), CloneSamples::default());
        assert!(subsample_pairs(&all, 1.1, &mut rng).is_err());
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
        let other = part([function("b", "other"), function("a", "A")], &[pair(0, 1, 1)]);
        let error = merge_pairs(vec![one, other]).unwrap_err().to_string();
        assert_eq!(error, "two functions have the id `b`");
    }
}
