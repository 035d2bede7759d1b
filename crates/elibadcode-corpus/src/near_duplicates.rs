//! Functions that are almost the same: those that share most of their runs of code tokens.
//!
//! Two functions are near-duplicates if the Jaccard similarity of their sets of
//! [`SHINGLE_TOKENS`]-token runs is [`NEAR_DUPLICATE_SIMILARITY`] or more. The search is exact:
//! such sets must share one of their first runs in any fixed order of all runs (prefix filtering),
//! so an index of these is enough to find every candidate.

use std::collections::HashMap;

use elibadcode_syntax::Language;
use rayon::prelude::*;

use crate::encoding::code_token_texts;

/// Code tokens in one run.
pub const SHINGLE_TOKENS: usize = 3;

/// The share of common runs, in `0..=1`, from which on two functions are near-duplicates.
pub const NEAR_DUPLICATE_SIMILARITY: f64 = 0.7;

/// The runs of tokens of one function, as sorted hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shingles(Vec<u64>);

impl Shingles {
    /// The runs of a function's code tokens; comments and layout do not count.
    pub fn of(code: &str, language: Language) -> Self {
        Self::of_tokens(&code_token_texts(code, language))
    }

    /// The runs of these code tokens.
    pub(crate) fn of_tokens(tokens: &[String]) -> Self {
        let runs = tokens.windows(SHINGLE_TOKENS.min(tokens.len()).max(1));
        let mut hashes: Vec<u64> = runs.map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self(hashes)
    }

    /// The Jaccard similarity, in `0..=1`; 1 for two texts without tokens.
    pub fn similarity(&self, other: &Self) -> f64 {
        let n_common = self.common(other, 0).expect("any number will do");
        let n_all = self.0.len() + other.0.len() - n_common;
        if n_all == 0 { 1.0 } else { n_common as f64 / n_all as f64 }
    }

    fn is_near(&self, other: &Self) -> bool {
        let share = NEAR_DUPLICATE_SIMILARITY / (1.0 + NEAR_DUPLICATE_SIMILARITY);
        let needed = share * (self.0.len() + other.0.len()) as f64;
        // One below, so that rounding never decides.
        self.common(other, (needed as usize).saturating_sub(1)).is_some()
            && self.similarity(other) >= NEAR_DUPLICATE_SIMILARITY
    }

    /// How many runs both have, or `None` as soon as it cannot be `at_least` as many.
    fn common(&self, other: &Self, at_least: usize) -> Option<usize> {
        let (a, b) = (&self.0, &other.0);
        let (mut i, mut j, mut n_common) = (0, 0, 0);
        while i < a.len() && j < b.len() {
            if n_common + (a.len() - i).min(b.len() - j) < at_least {
                return None;
            }
            n_common += usize::from(a[i] == b[j]);
            let (step_i, step_j) = (a[i] <= b[j], b[j] <= a[i]);
            i += usize::from(step_i);
            j += usize::from(step_j);
        }
        (n_common >= at_least).then_some(n_common)
    }

    /// The runs of which a near-duplicate must share one.
    fn prefix(&self) -> &[u64] {
        let n_shared = (NEAR_DUPLICATE_SIMILARITY * self.0.len() as f64).ceil() as usize;
        &self.0[..(self.0.len() - n_shared + 1).min(self.0.len())]
    }
}

/// FNV-1a, below a byte that puts long runs first: they are rare, so few functions share one.
fn hash(run: &[String]) -> u64 {
    let bytes = run.iter().flat_map(|token| token.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let length: usize = run.iter().map(String::len).sum();
    let rank = u64::MAX >> 56;
    ((rank - (length as u64).min(rank)) << 56) | (hash >> 8)
}

/// Functions among which near-duplicates are looked up.
#[derive(Clone, Debug, Default)]
pub struct NearDuplicates {
    functions: Vec<Shingles>,
    by_shingle: HashMap<u64, Vec<usize>>,
}

impl NearDuplicates {
    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Adds a function and gives back its index.
    pub fn insert(&mut self, function: Shingles) -> usize {
        let index = self.functions.len();
        for &shingle in function.prefix() {
            self.by_shingle.entry(shingle).or_default().push(index);
        }
        self.functions.push(function);
        index
    }

    /// The indices of the near-duplicates of a function, ascending.
    ///
    /// A text without tokens has none.
    pub fn find_all(&self, function: &Shingles) -> Vec<usize> {
        let near = |index: &usize| self.functions[*index].is_near(function);
        self.candidates(function).into_iter().filter(near).collect()
    }

    /// Whether there is a near-duplicate of a function.
    pub fn has(&self, function: &Shingles) -> bool {
        self.candidates(function).into_iter().any(|index| self.functions[index].is_near(function))
    }

    fn candidates(&self, function: &Shingles) -> Vec<usize> {
        let lists = function.prefix().iter().filter_map(|shingle| self.by_shingle.get(shingle));
        let is_of_size = |index: &usize| {
            let (a, b) = (self.functions[*index].0.len(), function.0.len());
            a.min(b) as f64 >= NEAR_DUPLICATE_SIMILARITY * a.max(b) as f64
        };
        let mut candidates: Vec<usize> = lists.flatten().copied().filter(is_of_size).collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

/// Drops every sample with a near-duplicate in `taken` or earlier in `samples`, and gives back the
/// rest; `taken` grows by what is kept.
///
/// `code` gives a sample's source text.
pub fn without_near_duplicates<T: Sync>(
    samples: Vec<T>,
    code: impl Fn(&T) -> &str + Sync,
    language: Language,
    taken: &mut NearDuplicates,
) -> Vec<T> {
    let shingles: Vec<Shingles> =
        samples.par_iter().map(|sample| Shingles::of(code(sample), language)).collect();
    let keep = |(sample, shingles): (T, Shingles)| {
        if taken.has(&shingles) {
            return None;
        }
        taken.insert(shingles);
        Some(sample)
    };
    samples.into_iter().zip(shingles).filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn shingles(code: &str) -> Shingles {
        Shingles::of(code, Language::Python)
    }

    fn function(seed: usize) -> String {
        let mut text = format!("def f{}(x, y):\n", seed % 7);
        for line in 0..3 + seed % 5 {
            let (a, b) = (seed * 31 % 11, (seed * 17 + line) % 5);
            let _ = writeln!(text, "    x = g{b}(y, {a}) + x * {line}");
        }
        text + "    return x\n"
    }

    #[test]
    fn similarity_is_the_share_of_common_runs() {
        let check = |a: &str, b: &str, expected: f64| {
            let (a, b) = (shingles(a), shingles(b));
            assert!((a.similarity(&b) - expected).abs() < 1e-12, "{}", a.similarity(&b));
            assert!((b.similarity(&a) - expected).abs() < 1e-12);
        };
        check("a = b", "a  =  b  # same", 1.0);
        check("a = b + c", "a = b + d", 0.5);
        check("a = b", "c = d", 0.0);
        check("", "", 1.0);
        check("a", "a", 1.0);
    }

    #[test]
    fn the_index_finds_what_comparing_all_finds() {
        let all: Vec<Shingles> = (0..300).map(|seed| shingles(&function(seed))).collect();
        let mut index = NearDuplicates::default();
        let mut n_found = 0;
        for (i, function) in all.iter().enumerate() {
            let expected: Vec<usize> = (0..i)
                .filter(|&other| all[other].similarity(function) >= NEAR_DUPLICATE_SIMILARITY)
                .collect();
            assert_eq!(index.find_all(function), expected);
            assert_eq!(index.has(function), !expected.is_empty());
            n_found += expected.len();
            assert_eq!(index.insert(function.clone()), i);
        }
        assert!(n_found > 500 && n_found < 30_000, "{n_found}");
    }

    #[test]
    fn near_duplicates_are_dropped() {
        let base =
            "def f(rows):\n    return [row.name for row in rows if row.age > 3 and row.ok]\n";
        let renamed = base.replace("f(", "g(");
        let other = "def f(path):\n    with open(path) as handle:\n        return handle.read()\n";
        let samples = vec![base.to_owned(), renamed.clone(), other.to_owned()];
        let mut taken = NearDuplicates::default();
        let kept = without_near_duplicates(samples, String::as_str, Language::Python, &mut taken);
        assert_eq!(kept, [base, other]);
        assert_eq!(taken.len(), 2);
        assert!(
            without_near_duplicates(vec![renamed], String::as_str, Language::Python, &mut taken)
                .is_empty()
        );
    }
}
