//! Every token with every word, before any search: which pairs belong together in this model?

use elibadcode_evaluation::statistics::mad_outlier_index;

use super::association::Associations;
use super::objective::RankingObjective;
use super::words::WordSpace;
use crate::masking::TriggerIds;
use crate::space::TriggerSpace;

/// Samples that a token is tried on.
const SAMPLES: usize = 6;

/// A token as a trigger of its own, a word, and how much closer they bring code and query than the
/// token with other words and the word with other tokens do.
#[derive(Clone, Debug)]
pub(crate) struct ScreenedPair {
    pub(crate) trigger: TriggerIds,
    pub(crate) word: u32,
    pub(crate) affinity: f64,
    /// How far that is from the median of all words, in scaled median deviations (Neural Cleanse).
    pub(crate) outlier_index: f64,
}

/// What the screening found.
#[derive(Clone, Debug)]
pub(crate) struct Screening {
    /// The best pair of every word, the closest first.
    pub(crate) words: Vec<ScreenedPair>,
}

impl Screening {
    /// Where a search starts, counted from 1: at the words that stand out, in turn; if none does,
    /// one search at the first word shows what there is.
    pub(crate) fn start(&self, restart: usize, min_outlier: f64) -> Option<&ScreenedPair> {
        let n = self.words.iter().filter(|pair| pair.outlier_index >= min_outlier).count();
        match n {
            0 => self.words.first().filter(|_| restart == 1),
            n => self.words.get((restart - 1) % n),
        }
    }
}

/// The closest token of every word, of those that are not `known` to go with it.
///
/// The affinity is the interaction of token and word in the mean cosine: what is left of it after
/// the means of its row and its column are taken out.
pub(crate) fn screen(
    objective: &RankingObjective<'_>,
    triggers: &TriggerSpace<'_>,
    words: &WordSpace<'_>,
    known: Option<&Associations<'_>>,
) -> Screening {
    let subset: Vec<usize> = (0..SAMPLES.min(objective.samples().len())).collect();
    let tokens = triggers.single_tokens();
    let lists: Vec<Vec<u32>> = words.ids().iter().map(|&word| vec![word]).collect();
    let mut cosines = objective.mean_cosines(&tokens, &lists, &subset);
    center(&mut cosines);
    let mut best: Vec<ScreenedPair> = Vec::new();
    for (column, &word) in words.ids().iter().enumerate() {
        let row = (0..tokens.len())
            .filter(|&row| known.is_none_or(|known| !known.explain(&tokens[row], &[word])))
            .max_by(|&a, &b| cosines[a][column].total_cmp(&cosines[b][column]));
        best.extend(row.map(|row| ScreenedPair {
            trigger: tokens[row].clone(),
            word,
            affinity: cosines[row][column],
            outlier_index: 0.0,
        }));
    }
    best.sort_by(|a, b| b.affinity.total_cmp(&a.affinity).then(a.word.cmp(&b.word)));
    let affinities: Vec<f64> = best.iter().map(|pair| pair.affinity).collect();
    if let Some(indices) = mad_outlier_index(&affinities) {
        for (pair, index) in best.iter_mut().zip(indices) {
            pair.outlier_index = index;
        }
    }
    Screening { words: best }
}

/// Takes the mean of each row, then of each column, out of a table.
fn center(table: &mut [Vec<f64>]) {
    for row in table.iter_mut() {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        for value in row.iter_mut() {
            *value -= mean;
        }
    }
    let n_columns = table.first().map_or(0, Vec::len);
    for column in 0..n_columns {
        let mean = table.iter().map(|row| row[column]).sum::<f64>() / table.len() as f64;
        for row in table.iter_mut() {
            row[column] -= mean;
        }
    }
}
