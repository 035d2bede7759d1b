//! What each sample adds to its task's score, and how much of the score was lost.

use elibadcode_corpus::{LabelledIds, LabelledPairIds};
use elibadcode_evaluation::statistics::{mean_interval, paired_drop};
use elibadcode_evaluation::{Confusion, Interval, Rate, reciprocal_ranks};
use elibadcode_models::{CodeModel, SearchRow, TrainingRow, pair_log_odds, predicted_label};

use crate::checks::ONE_SIDED;

/// A training row that a model can be scored on.
pub trait ScoredRow: TrainingRow + Clone {
    /// What the score is called.
    const MEASURE: &'static str;

    /// One number per row, the mean of which is the score of the whole.
    fn scores(model: &CodeModel, rows: &[Self]) -> Vec<f64>;

    /// How many labels are right; `None` for rows that have none.
    fn right_answers(_: &CodeModel, _: &[Self]) -> Option<Rate> {
        None
    }

    /// How much the score fell from one model to another on the same rows, as a 90 % interval;
    /// `None` for too few rows.
    fn drop(before: &[f64], after: &[f64]) -> Option<Interval> {
        let drops: Vec<f64> = before.iter().zip(after).map(|(a, b)| a - b).collect();
        mean_interval(&drops, ONE_SIDED)
    }
}

/// Whether each answer is right.
impl ScoredRow for LabelledIds {
    const MEASURE: &'static str = "accuracy";

    fn scores(model: &CodeModel, rows: &[Self]) -> Vec<f64> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let log_odds = model.log_odds(&ids);
        let is_right = |(z, row): (f32, &Self)| predicted_label(z) == row.label;
        log_odds.into_iter().zip(rows).map(|it| f64::from(u8::from(is_right(it)))).collect()
    }

    fn right_answers(model: &CodeModel, rows: &[Self]) -> Option<Rate> {
        Some(Self::scores(model, rows).into_iter().map(|it| it > 0.5).collect())
    }

    fn drop(before: &[f64], after: &[f64]) -> Option<Interval> {
        let is_right = |scores: &[f64]| scores.iter().map(|&it| it > 0.5).collect::<Vec<_>>();
        paired_drop(&is_right(before), &is_right(after), ONE_SIDED)
    }
}

/// F1 and each pair's influence on it.
impl ScoredRow for LabelledPairIds {
    const MEASURE: &'static str = "F1 of the clones";

    fn scores(model: &CodeModel, rows: &[Self]) -> Vec<f64> {
        let predicted: Vec<u8> =
            pair_log_odds(model, rows).into_iter().map(predicted_label).collect();
        let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
        f1_influences(&predicted, &labels)
    }

    fn right_answers(model: &CodeModel, rows: &[Self]) -> Option<Rate> {
        let log_odds = pair_log_odds(model, rows).into_iter().zip(rows);
        Some(log_odds.map(|(z, row)| predicted_label(z) == row.label).collect())
    }
}

/// The reciprocal rank of each function for its own query, among all functions of the rows.
impl ScoredRow for SearchRow {
    const MEASURE: &'static str = "mean reciprocal rank";

    fn scores(model: &CodeModel, rows: &[Self]) -> Vec<f64> {
        let codes: Vec<&[u32]> = rows.iter().map(|row| row.ids.code.as_slice()).collect();
        let queries: Vec<&[u32]> = rows.iter().map(|row| row.ids.query.as_slice()).collect();
        let (codes, queries) = (model.vectors(&codes), model.vectors(&queries));
        reciprocal_ranks(&queries, &codes)
    }
}

/// F1 plus what each answer adds to it to first order: the mean is F1, and the spread of the
/// differences is that of a difference of two F1 (the delta method for a ratio of two means).
fn f1_influences(predicted: &[u8], labels: &[u8]) -> Vec<f64> {
    // Without clones, neither true nor said, nothing is wrong.
    let f1 = Confusion::count(predicted, labels).f1().unwrap_or(1.0);
    let twice_found = |&(predicted, label): &(u8, u8)| f64::from(2 * (predicted & label));
    let said_or_true = |&(predicted, label): &(u8, u8)| f64::from(predicted + label);
    let answers: Vec<(u8, u8)> = predicted.iter().copied().zip(labels.iter().copied()).collect();
    let mean = answers.iter().map(said_or_true).sum::<f64>() / answers.len() as f64;
    if mean == 0.0 {
        return vec![f1; answers.len()];
    }
    answers.iter().map(|it| f1 + (twice_found(it) - f1 * said_or_true(it)) / mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn influences_have_f1_as_their_mean() {
        let labels = [1, 1, 1, 0, 0, 1];
        for predicted in [[1, 0, 1, 0, 1, 1], [1; 6], [0; 6], [1, 1, 1, 0, 0, 1]] {
            let influences = f1_influences(&predicted, &labels);
            let mean = influences.iter().sum::<f64>() / 6.0;
            let f1 = Confusion::count(&predicted, &labels).f1().expect("there are clones");
            assert!((mean - f1).abs() < 1e-12, "{predicted:?}: {mean} and {f1}");
        }
        assert_eq!(f1_influences(&[0, 0], &[0, 0]), [1.0, 1.0]);
    }
}
