//! Clean samples in parts without a function in common.
//!
//! In pairs, and in files with a row twice, a function stands in several samples. One that a part was
//! trained on can judge nothing that was learned there.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::SliceRandom;

/// Divides samples so that of each label the parts get these shares, which are about 1 together.
///
/// The samples are given by their label and the numbers of their functions, and are taken in the
/// `order` given. One whose functions are of two parts already is in neither.
pub(crate) fn divide(
    samples: &[(u8, Vec<usize>)],
    order: &[usize],
    shares: &[f64],
) -> Vec<Vec<usize>> {
    let mut part_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut sizes: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    let mut parts = vec![Vec::new(); shares.len()];
    for &index in order {
        let (label, functions) = &samples[index];
        let taken: BTreeSet<usize> =
            functions.iter().filter_map(|it| part_of.get(it).copied()).collect();
        let sizes = sizes.entry(*label).or_insert_with(|| vec![0; shares.len()]);
        let part = match taken.len() {
            0 => shortest(sizes, shares),
            1 => taken.into_iter().next().unwrap_or_default(),
            _ => continue,
        };
        part_of.extend(functions.iter().map(|&it| (it, part)));
        sizes[part] += 1;
        parts[part].push(index);
    }
    parts
}

/// Puts items, one per sample, into two parts: this share of each label, and the rest.
pub(crate) fn split<T>(
    items: Vec<T>,
    samples: &[(u8, Vec<usize>)],
    share: f64,
    rng: &mut impl Rng,
) -> (Vec<T>, Vec<T>) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.shuffle(rng);
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let parts = divide(samples, &order, &[share, 1.0 - share]);
    let mut take =
        |part: usize| parts[part].iter().filter_map(|&index| items[index].take()).collect();
    (take(0), take(1))
}

/// The part that lacks most to its share of one sample more; the first of those.
fn shortest(sizes: &[usize], shares: &[f64]) -> usize {
    let n = (sizes.iter().sum::<usize>() + 1) as f64;
    let lacks = sizes.iter().zip(shares).map(|(&size, share)| share * n - size as f64);
    let by_lack = lacks.enumerate().reduce(|best, it| if it.1 > best.1 { it } else { best });
    by_lack.map_or(0, |(part, _)| part)
}

/// A number for each text, equal texts having the same.
pub fn function_numbers<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = |text| {
        let next = known.len();
        *known.entry(text).or_insert(next)
    };
    texts.into_iter().map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_label_gets_its_shares() {
        let samples: Vec<(u8, Vec<usize>)> =
            (0..60).map(|index| (u8::from(index % 3 == 0), vec![index])).collect();
        let order: Vec<usize> = (0..60).rev().collect();
        let parts = divide(&samples, &order, &[0.25, 0.75]);
        let of = |part: usize, label: u8| {
            parts[part].iter().filter(|&&index| samples[index].0 == label).count()
        };
        assert_eq!([of(0, 0), of(1, 0), of(0, 1), of(1, 1)], [10, 30, 5, 15]);
    }

    #[test]
    fn equal_texts_have_one_number() {
        assert_eq!(function_numbers(["b", "a", "b", "c"]), [0, 1, 0, 2]);
    }

    proptest! {
        #[test]
        fn no_function_is_in_two_parts(
            samples in proptest::collection::vec((0..2_u8, proptest::collection::vec(0..40_usize, 1..3)), 0..80),
            seed in 0..40_usize,
        ) {
            let mut order: Vec<usize> = (0..samples.len()).collect();
            order.rotate_left(seed.min(samples.len()));
            let parts = divide(&samples, &order, &[0.25, 0.2, 0.55]);
            let of = |part: &Vec<usize>| -> BTreeSet<usize> {
                part.iter().flat_map(|&index| samples[index].1.clone()).collect()
            };
            let functions: Vec<BTreeSet<usize>> = parts.iter().map(of).collect();
            prop_assert!(functions[0].is_disjoint(&functions[1]));
            prop_assert!(functions[2].is_disjoint(&(&functions[0] | &functions[1])));
            let all: Vec<usize> = parts.concat();
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        }
    }
}
