//! Short Python functions and the sentences that describe them, in `CodeSearchNet`'s format.
//!
//! A function is an operation on a collection under a condition, something done with a document,
//! or one of a list of tasks; each is written in several ways. The sentence names the same fields,
//! things and constants, partly with other words (`cost` for `price`), and is phrased in several
//! ways. About 6 % of the sentences have the word `file`.

mod intents;
mod render;
mod tasks;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use elibadcode_syntax::Language;
use rand::Rng;

use crate::encoding::code_token_texts;
use crate::near_duplicates::{NearDuplicates, Shingles};
use crate::sample::SearchSample;
use crate::seed::stage_rng;
use crate::split::fingerprint_of_tokens;

/// How many functions each split has.
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
}

/// The splits of one corpus.
///
/// No function and no sentence is in two rows, and no function of a split has a near-duplicate in
/// another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchCorpus {
    /// For training.
    pub train: Vec<SearchSample>,
    /// For choosing the best epoch.
    pub valid: Vec<SearchSample>,
    /// The defender's clean samples.
    pub clean: Vec<SearchSample>,
    /// For evaluation.
    pub test: Vec<SearchSample>,
}

/// Draws without success after which the templates are taken to be used up.
const MAX_DRAWS: usize = 1000;

/// The corpus of this seed.
///
/// A split that is asked for more than the templates can give in distinct rows is smaller.
pub fn generate(seed: u64, sizes: &Sizes) -> SearchCorpus {
    let mut generator = Generator { seed, ..Generator::default() };
    // The larger a split, the later: it has more to choose from.
    let mut split =
        |name, n| generator.split(name, n).into_iter().map(|(sample, _)| sample).collect();
    SearchCorpus {
        test: split("test", sizes.test),
        valid: split("valid", sizes.valid),
        clean: split("clean", sizes.clean),
        train: split("train", sizes.train),
    }
}

#[derive(Default)]
struct Generator {
    seed: u64,
    /// The functions of the splits that are done.
    earlier: NearDuplicates,
    queries: BTreeSet<String>,
    n_functions: usize,
}

impl Generator {
    /// `n` rows, each with its intent.
    fn split(&mut self, name: &str, n: usize) -> Vec<(SearchSample, String)> {
        let rng = &mut stage_rng(self.seed, &format!("search {name}"));
        let mut own = BTreeSet::new();
        let mut rows = Vec::with_capacity(n);
        let mut shingles = Vec::with_capacity(n);
        while rows.len() < n {
            let Some((row, its)) = self.row(&mut own, rng) else { break };
            rows.push(row);
            shingles.push(its);
        }
        for its in shingles {
            self.earlier.insert(its);
        }
        rows
    }

    /// A row whose sentence is new, and whose function is new to the split and not almost in
    /// another.
    fn row(
        &mut self,
        own: &mut BTreeSet<[u8; 32]>,
        rng: &mut impl Rng,
    ) -> Option<((SearchSample, String), Shingles)> {
        for _ in 0..MAX_DRAWS {
            let render::Rendered { intent, code, query } = render::function(rng);
            // Sentences that differ in capitals or the full stop only are the same.
            let bare = query.trim_end_matches(" .").to_lowercase();
            if self.queries.contains(&bare) {
                continue;
            }
            let tokens = code_token_texts(&code, Language::Python);
            let shingles = Shingles::of_tokens(&tokens);
            if self.earlier.has(&shingles) || !own.insert(fingerprint_of_tokens(&tokens)) {
                continue;
            }
            self.queries.insert(bare);
            let id = format!("synthetic-search:{}", self.n_functions);
            self.n_functions += 1;
            return Some(((SearchSample { id, code, query }, intent), shingles));
        }
        None
    }
}
