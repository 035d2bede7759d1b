//! A share that remembers how many trials it rests on, so that every published rate can carry
//! its interval.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::statistics::{Interval, wilson_interval};

/// Confidence of the interval that is written beside every rate.
const PUBLISHED_CONFIDENCE: f64 = 0.95;

/// `hits` out of `total` trials.
///
/// Serialized as `{hits, total, value, low, high}` with the 95 % Wilson interval; the last three
/// are `null` if there were no trials, and are recomputed rather than trusted when read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "PublishedRate", try_from = "PublishedRate")]
pub struct Rate {
    /// Trials that count.
    pub hits: usize,
    /// All trials.
    pub total: usize,
}

impl Rate {
    /// The rate of `hits` among `total` trials.
    pub fn new(hits: usize, total: usize) -> Self {
        assert!(hits <= total, "{hits} hits in {total} trials");
        Self { hits, total }
    }

    /// The share of hits in `0..=1`, or `None` without trials.
    pub fn value(&self) -> Option<f64> {
        (self.total > 0).then(|| self.hits as f64 / self.total as f64)
    }

    /// The Wilson score interval at `confidence` (in `0..1`, for example 0.95), or `None` without
    /// trials.
    pub fn wilson(&self, confidence: f64) -> Option<Interval> {
        wilson_interval(self.hits, self.total, confidence)
    }
}

impl FromIterator<bool> for Rate {
    fn from_iter<I: IntoIterator<Item = bool>>(trials: I) -> Self {
        trials.into_iter().fold(Self::default(), |rate, hit| Self {
            hits: rate.hits + usize::from(hit),
            total: rate.total + 1,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedRate {
    hits: usize,
    total: usize,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl From<Rate> for PublishedRate {
    fn from(rate: Rate) -> Self {
        let interval = rate.wilson(PUBLISHED_CONFIDENCE);
        Self {
            hits: rate.hits,
            total: rate.total,
            value: rate.value(),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
        }
    }
}

impl TryFrom<PublishedRate> for Rate {
    type Error = Error;

    fn try_from(PublishedRate { hits, total, .. }: PublishedRate) -> Result<Self, Error> {
        if hits > total {
            return Err(Error::ImpossibleRate { hits, total });
        }
        Ok(Self { hits, total })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_trials_have_no_value() {
        assert_eq!(Rate::default().value(), None);
        assert_eq!(Rate::default().wilson(0.95), None);
        assert_eq!(
            serde_json::to_string(&Rate::default()).expect("plain data"),
            r#"{"hits":0,"total":0,"value":null,"low":null,"high":null}"#
        );
    }

    #[test]
    fn published_with_its_interval() {
        let json = serde_json::to_value(Rate::new(10, 10)).expect("plain data");
        assert_eq!(json["value"], 1.0);
        assert_eq!(json["high"], 1.0);
        crate::assert_close(json["low"].as_f64().expect("a number"), 0.722_467_200_137, 1e-11);
    }

    #[test]
    fn hostile_rates_are_refused() {
        let check = |text: &str| serde_json::from_str::<Rate>(text).is_ok();
        assert!(check(r#"{"hits":1,"total":2}"#));
        assert!(!check(r#"{"hits":3,"total":2}"#));
        assert!(!check(r#"{"hits":-1,"total":2}"#));
        assert!(!check(r#"{"hits":1,"total":2,"values":0.5}"#));
    }

    proptest! {
        #[test]
        fn collected_rates_are_shares(trials: Vec<bool>) {
            let rate: Rate = trials.iter().copied().collect();
            prop_assert_eq!(rate.total, trials.len());
            prop_assert!(rate.value().is_none_or(|value| (0.0..=1.0).contains(&value)));
        }

        #[test]
        fn files_keep_the_counts(total in 0_usize..5000, share in 0.0..=1.0_f64) {
            let rate = Rate::new((total as f64 * share) as usize, total);
            let text = serde_json::to_string(&rate).expect("plain data");
            prop_assert_eq!(serde_json::from_str::<Rate>(&text).expect("own output"), rate);
        }
    }
}
