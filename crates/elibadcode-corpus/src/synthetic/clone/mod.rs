//! Pairs of short Java methods that do the same or not, in `BigCloneBench`'s format.
//!
//! Every method comes from a functionality (sum of an array, copy a file, …) that is written in
//! several ways: loops of several kinds, recursion, streams, library calls, with names, checks and
//! harmless statements drawn for each. Clones share the functionality, mostly not the way it is
//! written; half of the other pairs come from functionalities of the same family, which use the
//! same types and words.

mod functionalities;
mod names;
mod render;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use elibadcode_syntax::Language;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use self::functionalities::Functionality;
use crate::encoding::code_token_texts;
use crate::near_duplicates::{NearDuplicates, Shingles};
use crate::sample::{CloneFunction, ClonePair, CloneSamples};
use crate::seed::stage_rng;
use crate::split::{fingerprint_of_tokens, pairs_only};
use crate::synthetic::markup::{pick, pick_word};

/// How many pairs each split has; half of them are clones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// For training.
    pub train: usize,
    /// For choosing the best epoch.
    pub valid: usize,
    /// The defender's clean samples.
    pub clean: usize,
    /// For evaluation.
    pub test: usize,
    /// For evaluation on functionalities that no other split has.
    pub unseen: usize,
}

/// The splits of one corpus.
///
/// No function is in two of them, and no function of one has a near-duplicate in another. The
/// functionalities recur, but for those of `unseen`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneCorpus {
    /// For training.
    pub train: CloneSamples,
    /// For choosing the best epoch.
    pub valid: CloneSamples,
    /// The defender's clean samples.
    pub clean: CloneSamples,
    /// For evaluation.
    pub test: CloneSamples,
    /// For evaluation on functionalities that no other split has.
    pub unseen: CloneSamples,
}

/// Functions per pair: each is in about five pairs.
const FUNCTIONS_PER_PAIR: f64 = 3.0 / 8.0;

/// Functions of one functionality in a small split, which does without some functionalities.
const MIN_GROUP: usize = 5;

/// A family with this many functionalities gives [`UNSEEN_PER_FAMILY`] of them to `unseen`.
const LARGE_FAMILY: usize = 8;
const UNSEEN_PER_FAMILY: usize = 2;

/// How often the method's name says what it does.
const TELLING_NAME_RATE: f64 = 0.5;

/// How often a clone is looked for among the methods that are written in another way.
const OTHER_VARIANT_RATE: f64 = 0.8;

/// How often the other function of a pair that is no clone is looked for in the same family.
const SAME_FAMILY_RATE: f64 = 0.5;

/// Draws without success after which something is taken to be used up.
const MAX_DRAWS: usize = 300;

/// What the methods of the corpus do.
pub fn functionalities() -> Vec<&'static str> {
    functionalities::all().into_iter().map(|functionality| functionality.name).collect()
}

/// The corpus of this seed.
///
/// A split that is asked for more than the templates can give in distinct functions is smaller.
pub fn generate(seed: u64, sizes: &Sizes) -> CloneCorpus {
    let mut generator = Generator::new(seed);
    // The larger a split, the later: it has more to choose from.
    CloneCorpus {
        unseen: generator.split("unseen", sizes.unseen).0,
        test: generator.split("test", sizes.test).0,
        valid: generator.split("valid", sizes.valid).0,
        clean: generator.split("clean", sizes.clean).0,
        train: generator.split("train", sizes.train).0,
    }
}

/// A method and where it comes from: the index of its functionality and of the way it is written.
struct Drawn {
    code: String,
    functionality: usize,
    variant: usize,
}

struct Generator {
    seed: u64,
    all: Vec<&'static Functionality>,
    unseen: BTreeSet<usize>,
    /// The functions of the splits that are done.
    earlier: NearDuplicates,
    n_functions: usize,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let all = functionalities::all();
        let unseen = unseen_functionalities(&all, &mut stage_rng(seed, "clone unseen"));
        Self { seed, all, unseen, earlier: NearDuplicates::default(), n_functions: 0 }
    }

    /// A split of `n_pairs`, and the functionality of each of its functions.
    fn split(&mut self, name: &str, n_pairs: usize) -> (CloneSamples, Vec<usize>) {
        if n_pairs == 0 {
            return (CloneSamples::default(), Vec::new());
        }
        let rng = &mut stage_rng(self.seed, &format!("clone {name}"));
        let n_functions = (n_pairs as f64 * FUNCTIONS_PER_PAIR).ceil() as usize;
        let drawn = self.functions(name == "unseen", n_functions.max(2 * MIN_GROUP), rng);
        let pairs = self.pairs(&drawn, n_pairs, rng);
        let first_id = self.n_functions;
        self.n_functions += drawn.len();
        let functions = drawn
            .iter()
            .enumerate()
            .map(|(index, it)| CloneFunction {
                id: (first_id + index).to_string(),
                code: it.code.clone(),
            })
            .collect();
        let samples = pairs_only(&CloneSamples { functions, pairs: Vec::new() }, &pairs);
        let origin = |function: &CloneFunction| {
            let id: usize = function.id.parse().expect("ids are numbers");
            drawn[id - first_id].functionality
        };
        let origins = samples.functions.iter().map(origin).collect();
        (samples, origins)
    }

    fn functions(&mut self, unseen: bool, n: usize, rng: &mut impl Rng) -> Vec<Drawn> {
        let mut allowed: Vec<usize> =
            (0..self.all.len()).filter(|index| self.unseen.contains(index) == unseen).collect();
        allowed.shuffle(rng);
        allowed.truncate((n / MIN_GROUP).max(2));
        let mut own = BTreeSet::new();
        let mut drawn = Vec::with_capacity(n);
        let mut shingles = Vec::with_capacity(n);
        while drawn.len() < n {
            let before = drawn.len();
            for &functionality in &allowed {
                if drawn.len() < n
                    && let Some((method, its)) = self.function(functionality, &mut own, rng)
                {
                    drawn.push(method);
                    shingles.push(its);
                }
            }
            if drawn.len() == before {
                break;
            }
        }
        for its in shingles {
            self.earlier.insert(its);
        }
        drawn
    }

    /// A method that is new to the split and not almost in another.
    fn function(
        &self,
        functionality: usize,
        own: &mut BTreeSet<[u8; 32]>,
        rng: &mut impl Rng,
    ) -> Option<(Drawn, Shingles)> {
        let Functionality { methods, variants, .. } = self.all[functionality];
        (0..MAX_DRAWS).find_map(|_| {
            let variant = rng.random_range(0..variants.len());
            let pool =
                if rng.random_bool(TELLING_NAME_RATE) { methods } else { names::GENERAL_METHODS };
            let name = pick_word(pool, rng).to_owned();
            let code = render::method(variants[variant], name, rng);
            let tokens = code_token_texts(&code, Language::Java);
            let shingles = Shingles::of_tokens(&tokens);
            let is_new = !self.earlier.has(&shingles) && own.insert(fingerprint_of_tokens(&tokens));
            is_new.then_some((Drawn { code, functionality, variant }, shingles))
        })
    }

    fn pairs(&self, drawn: &[Drawn], n: usize, rng: &mut impl Rng) -> Vec<ClonePair> {
        let mut order: Vec<usize> = (0..drawn.len()).collect();
        order.shuffle(rng);
        let mut known = BTreeSet::new();
        let mut pairs = Vec::with_capacity(n);
        let mut first_of_two = 0;
        for index in 0..n {
            if index % 2 == 0 {
                first_of_two = u8::from(rng.random::<bool>());
            }
            let label = first_of_two ^ (index % 2) as u8;
            let pair = (0..MAX_DRAWS).find_map(|draw| {
                let one = order[(index + draw) % order.len()];
                let other = self.partner(drawn, one, label, rng)?;
                known.insert((one.min(other), one.max(other))).then_some((one, other))
            });
            let Some((one, other)) = pair else { break };
            let (first, second) = if rng.random() { (one, other) } else { (other, one) };
            pairs.push(ClonePair { first, second, label });
        }
        pairs.truncate(pairs.len() / 2 * 2 + n % 2);
        pairs
    }

    /// A function that forms a pair of this label with function `one`.
    fn partner(&self, drawn: &[Drawn], one: usize, label: u8, rng: &mut impl Rng) -> Option<usize> {
        let Drawn { functionality, variant, .. } = &drawn[one];
        let family = |it: &Drawn| self.all[it.functionality].family;
        let is_clone = |it: &Drawn| it.functionality == *functionality;
        let fits: Vec<usize> = (0..drawn.len())
            .filter(|&other| other != one && is_clone(&drawn[other]) == (label == 1))
            .collect();
        let close: Vec<usize> = fits
            .iter()
            .copied()
            .filter(|&other| match label {
                1 => drawn[other].variant != *variant,
                _ => family(&drawn[other]) == family(&drawn[one]),
            })
            .collect();
        let close_rate = if label == 1 { OTHER_VARIANT_RATE } else { SAME_FAMILY_RATE };
        let pool = if rng.random_bool(close_rate) && !close.is_empty() { close } else { fits };
        (!pool.is_empty()).then(|| *pick(&pool, rng))
    }
}

/// Some functionalities of every large family, drawn by the seed.
fn unseen_functionalities(all: &[&Functionality], rng: &mut impl Rng) -> BTreeSet<usize> {
    let mut unseen = BTreeSet::new();
    let mut start = 0;
    for family in all.chunk_by(|a, b| a.family == b.family) {
        let mut members: Vec<usize> = (start..start + family.len()).collect();
        start += family.len();
        if family.len() >= LARGE_FAMILY {
            members.shuffle(rng);
            unseen.extend(members.into_iter().take(UNSEEN_PER_FAMILY));
        }
    }
    unseen
}
