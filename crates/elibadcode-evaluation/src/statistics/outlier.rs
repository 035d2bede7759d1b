//! The outlier test of Neural Cleanse, which the paper applies to the losses of the hypotheses.

use super::summary::median;

/// Makes the median absolute deviation of normal values equal to their standard deviation.
const CONSISTENCY: f64 = 1.4826;

/// Each value's distance from the median in scaled median absolute deviations, negative below the
/// median, or `None` if the test is not applicable.
///
/// Paper: a hypothesis is an outlier if its loss is below −2. With fewer than three values that can
/// never happen (of two, each is always at 0.67), so there is no index; neither is there one
/// if a value is not finite, or if more than half of the values are equal, which leaves no spread.
pub fn mad_outlier_index(values: &[f64]) -> Option<Vec<f64>> {
    if values.len() < 3 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let center = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - center).abs()).collect();
    let spread = CONSISTENCY * median(&deviations)?;
    (spread > 0.0).then(|| values.iter().map(|value| (value - center) / spread).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_close;

    #[test]
    fn two_labels_are_not_applicable() {
        assert_eq!(mad_outlier_index(&[]), None);
        assert_eq!(mad_outlier_index(&[0.1]), None);
        assert_eq!(mad_outlier_index(&[0.001, 9.0]), None);
    }

    #[test]
    fn no_spread_is_not_applicable() {
        assert_eq!(mad_outlier_index(&[1.0, 1.0, 1.0]), None);
        assert_eq!(mad_outlier_index(&[1.0, 1.0, 1.0, 0.0]), None);
        assert_eq!(mad_outlier_index(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(mad_outlier_index(&[1.0, f64::INFINITY, 2.0]), None);
    }

    #[test]
    fn by_hand() {
        // Median 2, absolute deviations 1 0 1 2 6 with median 1.
        let index = mad_outlier_index(&[1.0, 2.0, 3.0, 4.0, -4.0]).expect("five values");
        for (actual, expected) in index.iter().zip([-1.0, 0.0, 1.0, 2.0, -6.0]) {
            assert_close(*actual, expected / 1.4826, 1e-12);
        }
    }
}
