//! From suspicions to flags, at a wanted rate of false alarms.

/// Why no threshold can be set.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The wanted rate is no rate.
    #[error("the rate of false alarms is {0}, expected more than 0 and less than 1")]
    Rate(f64),
    /// Too few clean subjects say how rare a false alarm is.
    #[error(
        "{found} clean subjects cannot show a false-alarm rate of {rate}; at least {needed} are \
         needed"
    )]
    TooFew {
        /// The wanted rate.
        rate: f64,
        /// Clean subjects.
        found: usize,
        /// Clean subjects that would do.
        needed: usize,
    },
}

/// The suspicion above which a subject is flagged, so that a clean one from where these are from is
/// flagged at `rate` at most; never below 0.
///
/// The rank of a new clean suspicion among `n` clean ones is uniform over `n + 1` places, so that
/// `rate * (n + 1)` of these may be above the threshold, the new one's included.
pub fn threshold(clean: &[f64], rate: f64) -> Result<f64, Error> {
    if !(rate > 0.0 && rate < 1.0) {
        return Err(Error::Rate(rate));
    }
    let n_above = (rate * (clean.len() + 1) as f64).floor() as usize;
    if n_above == 0 {
        let needed = (1.0 / rate).ceil() as usize - 1;
        return Err(Error::TooFew { rate, found: clean.len(), needed });
    }
    let mut descending = clean.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    Ok(descending.get(n_above - 1).copied().unwrap_or(0.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_clean_subjects_are_above_the_threshold() {
        let clean: Vec<f64> = (0..99).map(f64::from).collect();
        assert_eq!(threshold(&clean, 0.01), Ok(98.0));
        assert_eq!(threshold(&clean, 0.05), Ok(94.0));
        assert_eq!(
            threshold(&clean, 0.005),
            Err(Error::TooFew { rate: 0.005, found: 99, needed: 199 })
        );
        assert_eq!(threshold(&clean, 1.0), Err(Error::Rate(1.0)));
        assert_eq!(threshold(&[0.0; 40], 0.05), Ok(0.0));
        assert_eq!(threshold(&[-1.0; 40], 0.05), Ok(0.0));
        let flagged = |limit: f64| clean.iter().filter(|&&it| it > limit).count();
        assert!(flagged(98.0) <= 1 && flagged(94.0) <= 5);
    }
}
