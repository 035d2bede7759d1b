//! Logistic regression on a few standardized figures, each of which may only speak for an attack.

use serde::{Deserialize, Serialize};

use super::summary::{mean, sample_standard_deviation};

/// Steps of the fit; far more than it takes to converge on a few figures.
const STEPS: usize = 4000;
/// Length of a step; the loss of standardized figures is flat enough for it.
const STEP_LENGTH: f64 = 0.3;

/// One figure of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// The figure.
    pub figure: String,
    /// Its mean over the models of the fit.
    pub mean: f64,
    /// Its standard deviation over them, 1 if it has none.
    pub deviation: f64,
    /// Log-odds for each standard deviation above the mean, never negative.
    pub weight: f64,
}

/// `log-odds = intercept + Σ weight (figure − mean) / deviation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Log-odds where every figure is at its mean.
    pub intercept: f64,
    /// One per figure.
    pub weights: Vec<Weight>,
}

impl Logistic {
    /// Where the weight of a figure stands.
    pub fn position(&self, figure: &str) -> Option<usize> {
        self.weights.iter().position(|it| it.figure == figure)
    }

    /// The values of its figures in the order of the weights; none if one is missing.
    pub fn row(&self, figures: &[(&str, f64)]) -> Option<Vec<f64>> {
        let value = |name: &str| figures.iter().find(|(it, _)| *it == name).map(|(_, it)| *it);
        self.weights.iter().map(|it| value(&it.figure)).collect()
    }

    /// Fits the weights to rows of figures `[rows][figures]` by gradient descent on the mean
    /// cross entropy plus `ridge / 2 Σ weight²`, with weights held at 0 and above; both classes
    /// count the same. `None` if a class is missing or a figure is not finite.
    pub fn fit(
        figures: &[&str],
        rows: &[Vec<f64>],
        is_positive: &[bool],
        ridge: f64,
    ) -> Option<Self> {
        assert_eq!(rows.len(), is_positive.len(), "one answer per row");
        let n_positive = is_positive.iter().filter(|it| **it).count();
        let n_negative = rows.len() - n_positive;
        let is_usable = rows.iter().flatten().all(|value| value.is_finite());
        if n_positive == 0 || n_negative == 0 || !is_usable {
            return None;
        }
        let scale = |index: usize| -> Weight {
            let column: Vec<f64> = rows.iter().map(|row| row[index]).collect();
            let deviation = sample_standard_deviation(&column).filter(|it| *it > 1e-9);
            Weight {
                figure: figures[index].to_owned(),
                mean: mean(&column).unwrap_or(0.0),
                deviation: deviation.unwrap_or(1.0),
                weight: 0.0,
            }
        };
        let weights: Vec<Weight> = (0..figures.len()).map(scale).collect();
        let mut model = Self { intercept: 0.0, weights };
        let standardized: Vec<Vec<f64>> = rows.iter().map(|row| model.standardize(row)).collect();
        let share = |positive: bool| 0.5 / if positive { n_positive } else { n_negative } as f64;
        for _ in 0..STEPS {
            let mut at_intercept = 0.0;
            let mut at_weights: Vec<f64> =
                model.weights.iter().map(|it| ridge * it.weight).collect();
            for (row, &positive) in standardized.iter().zip(is_positive) {
                let wanted = f64::from(u8::from(positive));
                let error = share(positive) * (sigmoid(model.log_odds_of(row)) - wanted);
                at_intercept += error;
                for (slope, value) in at_weights.iter_mut().zip(row) {
                    *slope += error * value;
                }
            }
            model.intercept -= STEP_LENGTH * at_intercept;
            for (weight, slope) in model.weights.iter_mut().zip(at_weights) {
                weight.weight = (weight.weight - STEP_LENGTH * slope).max(0.0);
            }
        }
        Some(model)
    }

    /// The probability of the positive class for one row of figures.
    pub fn probability(&self, row: &[f64]) -> f64 {
        sigmoid(self.log_odds_of(&self.standardize(row)))
    }

    /// What each figure of a row adds to the log-odds.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let standardized = self.standardize(row);
        self.weights.iter().zip(standardized).map(|(it, value)| it.weight * value).collect()
    }

    fn standardize(&self, row: &[f64]) -> Vec<f64> {
        assert_eq!(row.len(), self.weights.len(), "one value per figure");
        self.weights.iter().zip(row).map(|(it, value)| (value - it.mean) / it.deviation).collect()
    }

    fn log_odds_of(&self, standardized: &[f64]) -> f64 {
        let terms = self.weights.iter().zip(standardized).map(|(it, value)| it.weight * value);
        self.intercept + terms.sum::<f64>()
    }
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rows: &[[f64; 2]], is_positive: &[bool]) -> Option<Logistic> {
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
        Logistic::fit(&["good", "bad"], &rows, is_positive, 0.1)
    }

    #[test]
    fn a_figure_that_speaks_the_wrong_way_gets_no_weight() {
        let rows = [[0.0, 9.0], [1.0, 8.0], [2.0, 7.0], [5.0, 2.0], [6.0, 1.0], [7.0, 0.0]];
        let answers = [false, false, false, true, true, true];
        let model = fit(&rows, &answers).expect("both classes are there");
        assert!(model.weights[0].weight > 0.5, "{model:?}");
        assert!(model.weights[1].weight.abs() < 1e-12, "{model:?}");
        for (row, answer) in rows.iter().zip(answers) {
            assert_eq!(model.probability(row) > 0.5, answer, "{row:?}");
        }
        let parts = model.contributions(&rows[5]);
        let log_odds = model.intercept + parts.iter().sum::<f64>();
        crate::assert_close(model.probability(&rows[5]), sigmoid(log_odds), 1e-12);
    }

    #[test]
    fn a_constant_figure_is_harmless() {
        let model = fit(&[[0.0, 3.0], [1.0, 3.0]], &[false, true]).expect("both classes");
        assert!(model.weights[1].weight.abs() < 1e-12);
        assert!(model.probability(&[1.0, 4.0]).is_finite());
    }

    #[test]
    fn classes_count_the_same() {
        let rows = [[0.0, 0.0], [0.1, 0.0], [0.2, 0.0], [0.3, 0.0], [9.0, 0.0]];
        let model = fit(&rows, &[false, false, false, false, true]).expect("both classes");
        assert!(model.probability(&[9.0, 0.0]) > 0.5 && model.probability(&[0.1, 0.0]) < 0.5);
    }

    #[test]
    fn nothing_is_fitted_to_one_class_or_to_no_number() {
        assert_eq!(fit(&[[0.0, 0.0], [1.0, 0.0]], &[true, true]), None);
        assert_eq!(fit(&[], &[]), None);
        assert_eq!(fit(&[[f64::NAN, 0.0], [1.0, 0.0]], &[true, false]), None);
    }
}
