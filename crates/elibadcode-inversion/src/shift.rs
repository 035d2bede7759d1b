//! How a trigger moves the vectors that a model makes of functions.
//!
//! A planted trigger moves all functions the same way; an accidental one is rather a sum of small
//! pushes. Random legal triggers at the same places say how much of that is any rename's doing.

use serde::{Deserialize, Serialize};

use crate::masking::TriggerIds;

/// Random triggers that a shift is compared with.
const N_CONTROLS: usize = 5;

/// How one trigger moves vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Mean cosine of a function's vector with the trigger and without it.
    pub cosine: f64,
    /// Mean length of the difference, as a share of the vector's length without trigger.
    pub relative_length: f64,
    /// Mean cosine of the differences with their mean: 1 if all functions move the same way.
    pub alignment: f64,
}

/// The shift by a trigger beside that by random ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftComparison {
    /// By the trigger.
    pub trigger: Shift,
    /// By random legal triggers of the same length at the same places, on average.
    pub controls: Shift,
    /// Random triggers.
    pub n_controls: usize,
}

impl Shift {
    /// From the vectors of the same functions, `[functions][hidden]`, without and with a trigger.
    pub(crate) fn between(without: &[Vec<f32>], with: &[Vec<f32>]) -> Self {
        let differences: Vec<Vec<f64>> = without
            .iter()
            .zip(with)
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(b - a)).collect())
            .collect();
        let wide =
            |rows: &[Vec<f32>]| -> Vec<Vec<f64>> { rows.iter().map(|row| widened(row)).collect() };
        let (without, with) = (wide(without), wide(with));
        let width = without.first().map_or(0, Vec::len);
        let middle: Vec<f64> =
            (0..width).map(|index| differences.iter().map(|row| row[index]).sum()).collect();
        let pairs = || without.iter().zip(&with);
        Self {
            cosine: mean(pairs().map(|(a, b)| cosine(a, b))),
            relative_length: mean(
                differences.iter().zip(&without).map(|(d, a)| ratio(length(d), length(a))),
            ),
            alignment: mean(differences.iter().map(|it| cosine(it, &middle))),
        }
    }
}

impl ShiftComparison {
    /// The shift by a trigger and by some random ones, from the vectors of the same functions,
    /// `[functions][hidden]`, without one and `with` each.
    pub(crate) fn of(
        without: &[Vec<f32>],
        trigger: &TriggerIds,
        controls: &[TriggerIds],
        mut with: impl FnMut(&TriggerIds) -> Vec<Vec<f32>>,
    ) -> Self {
        let mut by = |trigger| Shift::between(without, &with(trigger));
        let controls: Vec<Shift> = controls.iter().take(N_CONTROLS).map(&mut by).collect();
        Self::new(by(trigger), &controls)
    }

    /// A trigger's shift beside the mean of some others'.
    fn new(trigger: Shift, controls: &[Shift]) -> Self {
        let average = |part: fn(&Shift) -> f64| mean(controls.iter().map(part));
        Self {
            trigger,
            controls: Shift {
                cosine: average(|it| it.cosine),
                relative_length: average(|it| it.relative_length),
                alignment: average(|it| it.alignment),
            },
            n_controls: controls.len(),
        }
    }
}

fn widened(row: &[f32]) -> Vec<f64> {
    row.iter().copied().map(f64::from).collect()
}

fn length(row: &[f64]) -> f64 {
    row.iter().map(|it| it * it).sum::<f64>().sqrt()
}

/// 0 if a vector has no length.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    ratio(product, length(a) * length(b))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// 0 of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    ratio(sum, n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
    }

    #[test]
    fn a_common_direction_is_seen() {
        let without = [vec![1.0, 0.0], vec![0.0, 2.0]];
        let same = Shift::between(&without, &[vec![1.0, 1.0], vec![0.0, 3.0]]);
        is_close(same.alignment, 1.0);
        is_close(same.relative_length, 0.75);
        is_close(same.cosine, f64::midpoint(0.5_f64.sqrt(), 1.0));
        let apart = Shift::between(&without, &[vec![2.0, 0.0], vec![0.0, 3.0]]);
        is_close(apart.alignment, 0.5_f64.sqrt());
    }

    #[test]
    fn nothing_has_finite_figures() {
        assert_eq!(Shift::between(&[], &[]), Shift::default());
        let still = Shift::between(&[vec![0.0]], &[vec![0.0]]);
        assert_eq!(still, Shift::default());
        assert_eq!(ShiftComparison::new(still, &[]), ShiftComparison::default());
    }
}
