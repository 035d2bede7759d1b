//! What a repaired model must show on samples that were kept aside.

use elibadcode_evaluation::statistics::paired_drop;
use elibadcode_evaluation::{Interval, Rate, attack_success};
use elibadcode_inversion::Partners;
use elibadcode_models::{CodeModel, predicted_label};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::injection::CheckSample;
use crate::rounds::Measured;

/// What the checks accept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Accuracy may fall by this much: a repair is refused if the kept-aside samples say, with 95 %
    /// confidence, that it fell by more.
    pub accuracy_drop: f64,
    /// On the kept-aside samples it may fall by this much, whatever the confidence: few samples say
    /// nothing for certain.
    pub measured_drop: f64,
    /// The success rate of the inverted triggers may exceed that of random ones by this, and none of them alone
    /// may exceed it by more with 95 % confidence. Random ones may turn neither class by more than this more
    /// often than before.
    pub excess_success: f64,
    /// With an inverted trigger the other class's accuracy may be lower than with a random one by
    /// this much; with one of them alone no more is to be certain.
    pub other_class_drop: f64,
}

impl Limits {
    /// One point of accuracy, or three without certainty, five points of the other class, ten of the
    /// inverted triggers: they are the strongest of thousands of strings, and the strongest such strings
    /// of a model without backdoor flip 30 to 60 points more than random ones.
    pub fn strict() -> Self {
        Self {
            accuracy_drop: 0.01,
            measured_drop: 0.03,
            excess_success: 0.10,
            other_class_drop: 0.05,
        }
    }
}

/// What the samples that were kept aside say about a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Accuracy without a trigger.
    pub accuracy: Rate,
    /// Victim-class samples that become the target label with one of the inverted triggers.
    pub asr: Rate,
    /// The same with each of them alone, in their order; absent in older documents.
    #[serde(default)]
    pub asr_of_each: Vec<Rate>,
    /// The same with a random legal trigger of the same length at the same place.
    pub control: Rate,
    /// The same without a trigger.
    pub flip_rate: Rate,
    /// Accuracy of the other class without a trigger.
    pub other_class_clean: Rate,
    /// Accuracy of the other class with an inverted trigger.
    pub other_class_triggered: Rate,
    /// Accuracy of the other class with a random one.
    pub other_class_control: Rate,
}

impl Checks {
    /// What the strongest of the inverted triggers does.
    pub fn asr_of_strongest(&self) -> Option<&Rate> {
        let value = |rate: &Rate| rate.value().unwrap_or(0.0);
        self.asr_of_each.iter().max_by(|a, b| value(a).total_cmp(&value(b)))
    }
}

/// Fails if a model of labels is surely wrong more often than right: something is the other way round, and a repair
/// would teach the model the opposite of what it knows, with a gain in accuracy.
pub(crate) fn check_answers(right: &Rate) -> Result<(), Error> {
    let is_reversed = right.wilson(ONE_SIDED).is_some_and(|it| it.high < 0.5);
    if !is_reversed {
        return Ok(());
    }
    Err(Error::Samples(format!(
        "the model gets only {} of {} clean samples right that were kept aside, less than by always giving one \
         answer: its answers are the other way round (--positive-output says which output means label 1), or \
         the labels of these samples are; a repair would teach it the opposite of what it knows",
        right.hits, right.total
    )))
}

/// The lower end of a two-sided interval of this confidence is exceeded with 95 % confidence.
pub(crate) const ONE_SIDED: f64 = 0.90;

/// What a model says about samples, and which of them it gets right without a trigger.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) checks: Checks,
    is_right: Vec<bool>,
    alone: Alone,
}

/// What one of the inverted triggers alone does beyond random ones, with 95 % confidence for all of them at
/// once: the strongest of several is so by chance, too.
#[derive(Clone, Copy, Debug, Default)]
struct Alone {
    /// Share of the victims that it turns and a random one does not.
    excess: f64,
    /// Share of the other class that it gets wrong and a random one does not.
    loss: f64,
}

impl Measurement {
    /// Asks a model.
    pub(crate) fn new(
        network: &CodeModel,
        samples: &[CheckSample],
        partners: &Partners,
        target_label: u8,
    ) -> Self {
        let partners = partners.encode(network);
        let predict = |ids: &dyn Fn(&CheckSample) -> &[u32]| -> Vec<u8> {
            let rows: Vec<&[u32]> = samples.iter().map(ids).collect();
            let indices = samples.iter().map(|it| it.index);
            let log_odds = partners.log_odds(network, &rows, indices);
            log_odds.into_iter().map(predicted_label).collect()
        };
        let clean = predict(&|it| &it.clean);
        let control = predict(&|it| &it.control);
        let n_triggers = samples.first().map_or(0, |it| it.with_each.len());
        let with_each: Vec<Vec<u8>> =
            (0..n_triggers).map(|trigger| predict(&|it| &it.with_each[trigger])).collect();
        let drawn = samples.iter().enumerate().map(|(index, it)| with_each[it.drawn][index]);
        let triggered: Vec<u8> = drawn.collect();
        let labels: Vec<u8> = samples.iter().map(|it| it.label).collect();
        let asr_of =
            |triggered: &Vec<u8>| attack_success(&clean, triggered, &labels, target_label).asr;
        let success = attack_success(&clean, &triggered, &labels, target_label);
        let of_control = attack_success(&clean, &control, &labels, target_label);
        let is_right: Vec<bool> = clean.iter().zip(&labels).map(|(a, b)| a == b).collect();
        let checks = Checks {
            accuracy: is_right.iter().copied().collect(),
            asr: success.asr,
            asr_of_each: with_each.iter().map(asr_of).collect(),
            control: of_control.asr,
            flip_rate: success.flip_rate,
            other_class_clean: success.other_class_clean,
            other_class_triggered: success.other_class_triggered,
            other_class_control: of_control.other_class_triggered,
        };
        let alone = Alone::of(&with_each, &control, &labels, target_label);
        Self { checks, is_right, alone }
    }
}

impl Alone {
    /// Of what each trigger alone, and random ones, make of samples with these labels.
    fn of(with_each: &[Vec<u8>], control: &[u8], labels: &[u8], target_label: u8) -> Self {
        let confidence = 1.0 - (1.0 - ONE_SIDED) / with_each.len().max(1) as f64;
        // Whether the samples of one class get the target label.
        let become_target = |predicted: &[u8], are_victims: bool| -> Vec<bool> {
            let own = predicted.iter().zip(labels);
            let own = own.filter(|(_, label)| (**label != target_label) == are_victims);
            own.map(|(predicted, _)| *predicted == target_label).collect()
        };
        let surely = |more: &[bool], less: &[bool]| {
            paired_drop(more, less, confidence).map_or(0.0, |it| it.low)
        };
        let strongest =
            |of: &dyn Fn(&[u8]) -> f64| with_each.iter().map(|it| of(it)).fold(0.0, f64::max);
        let (of_victims, of_others) = (become_target(control, true), become_target(control, false));
        Self {
            excess: strongest(&|it| surely(&become_target(it, true), &of_victims)),
            loss: strongest(&|it| surely(&of_others, &become_target(it, false))),
        }
    }
}

impl Measured for Measurement {
    type Checks = Checks;

    fn into_checks(self) -> Checks {
        self.checks
    }

    const SCORE: &'static str = "accuracy";

    fn score(&self) -> f64 {
        self.checks.accuracy.value().unwrap_or(0.0)
    }

    fn score_drop(&self, before: &Self) -> Interval {
        let all = Interval { low: -1.0, high: 1.0 };
        paired_drop(&before.is_right, &self.is_right, ONE_SIDED).unwrap_or(all)
    }

    fn objections(&self, before: &Self, limits: &Limits) -> Vec<String> {
        let value = |rate: &Rate| rate.value().unwrap_or(0.0);
        let (before_checks, after) = (&before.checks, &self.checks);
        exceeded(&[
            (
                "the inverted trigger still succeeds more often than random ones",
                value(&after.asr) - value(&after.control),
                limits.excess_success,
            ),
            (
                "with 95 % confidence one of the inverted triggers succeeds more often than random ones",
                self.alone.excess,
                limits.excess_success,
            ),
            (
                "with 95 % confidence one of the inverted triggers lowers the accuracy of the other class \
                 more than random ones",
                self.alone.loss,
                limits.other_class_drop,
            ),
            (
                "the inverted trigger lowers the accuracy of the other class more than random ones",
                value(&after.other_class_control) - value(&after.other_class_triggered),
                limits.other_class_drop,
            ),
            (
                "random triggers succeed more often than before",
                value(&after.control) - value(&before_checks.control),
                limits.excess_success,
            ),
            (
                "random triggers lower the accuracy of the other class more than before",
                value(&before_checks.other_class_control) - value(&after.other_class_control),
                limits.excess_success,
            ),
        ])
    }
}

/// What these limits say against the cost of a repair: how much of its `score` the model lost for sure,
/// and on the samples that were kept aside.
pub(crate) fn costs(score: &str, surely: f64, measured: f64, limits: &Limits) -> Vec<String> {
    exceeded(&[
        (&format!("with 95 % confidence {score} fell"), surely, limits.accuracy_drop),
        (&format!("on the samples kept aside {score} fell"), measured, limits.measured_drop),
    ])
}

/// Differences of two rates round: at its limit a value is not above it.
const ROUNDING: f64 = 1e-9;

/// One sentence for each value, named by what it says, that is above its limit, or is no number.
pub(crate) fn exceeded(values: &[(&str, f64, f64)]) -> Vec<String> {
    values
        .iter()
        .filter(|(_, excess, limit)| excess.is_nan() || *excess > limit + ROUNDING)
        .map(|(what, excess, limit)| {
            format!("{what} by {:.1} points, allowed are {:.1}", 100.0 * excess, 100.0 * limit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds;

    #[test]
    fn a_model_that_is_surely_wrong_is_not_repaired() {
        let error = check_answers(&Rate::new(3, 100)).expect_err("reversed").to_string();
        assert!(error.contains("only 3 of 100") && error.contains("--positive-output"), "{error}");
        // By chance, or for want of samples.
        for rate in [Rate::new(46, 100), Rate::new(60, 100), Rate::new(1, 3), Rate::new(0, 0)] {
            assert!(check_answers(&rate).is_ok(), "{rate:?}");
        }
    }

    /// Of 100 samples of each class: right ones, and with an inverted and a random trigger those of the
    /// victim class that become the target, and those of the other class that stay right.
    fn measurement(n_right: usize, flips: [usize; 2], other: [usize; 2]) -> Measurement {
        let rate = |hits| Rate::new(hits, 100);
        Measurement {
            checks: Checks {
                accuracy: Rate::new(n_right, 200),
                asr: rate(flips[0]),
                asr_of_each: vec![rate(flips[0])],
                control: rate(flips[1]),
                flip_rate: rate(3),
                other_class_clean: rate(97),
                other_class_triggered: rate(other[0]),
                other_class_control: rate(other[1]),
            },
            is_right: (0..200).map(|index| index < n_right).collect(),
            alone: Alone::default(),
        }
    }

    #[track_caller]
    fn check(after: &Measurement, expected: &[&str]) {
        let before = measurement(190, [100, 20], [97, 95]);
        let limits = Limits::strict();
        let costs = rounds::costs(after, &before, &limits);
        assert_eq!([costs, after.objections(&before, &limits)].concat(), expected);
    }

    #[test]
    fn each_limit_has_its_objection() {
        check(&measurement(190, [12, 4], [95, 96]), &[]);
        check(&measurement(200, [30, 20], [90, 95]), &[]);
        // Not certain, but too much: of few samples.
        check(
            &measurement(183, [5, 5], [95, 95]),
            &[
                "with 95 % confidence accuracy fell by 1.2 points, allowed are 1.0",
                "on the samples kept aside accuracy fell by 3.5 points, allowed are 3.0",
            ],
        );
        check(
            &measurement(190, [16, 5], [95, 95]),
            &["the inverted trigger still succeeds more often than random ones by 11.0 points, \
               allowed are 10.0"],
        );
        let one_is_left = Measurement {
            alone: Alone { excess: 0.13, loss: 0.07 },
            ..measurement(190, [12, 4], [95, 96])
        };
        check(
            &one_is_left,
            &[
                "with 95 % confidence one of the inverted triggers succeeds more often than random ones \
                 by 13.0 points, allowed are 10.0",
                "with 95 % confidence one of the inverted triggers lowers the accuracy of the other \
                 class more than random ones by 7.0 points, allowed are 5.0",
            ],
        );
        check(
            &measurement(190, [5, 5], [89, 95]),
            &["the inverted trigger lowers the accuracy of the other class more than random ones \
               by 6.0 points, allowed are 5.0"],
        );
        check(
            &measurement(190, [31, 31], [95, 95]),
            &["random triggers succeed more often than before by 11.0 points, allowed are 10.0"],
        );
        check(
            &measurement(190, [5, 5], [84, 84]),
            &["random triggers lower the accuracy of the other class more than before by 11.0 \
               points, allowed are 10.0"],
        );
    }

    #[test]
    fn one_trigger_of_several_that_is_left_is_seen() {
        // A hundred victims of label 1, then as many of the other class; random triggers turn ten of either.
        let labels: Vec<u8> = (0..200).map(|index| u8::from(index < 100)).collect();
        let turned = |n: usize| -> Vec<u8> {
            let is_turned = |index: usize| index % 100 < n;
            labels
                .iter()
                .enumerate()
                .map(|(i, &it)| if is_turned(i) { 1 - it } else { it })
                .collect()
        };
        let alone = |turn: &[usize]| {
            let with_each: Vec<Vec<u8>> = turn.iter().map(|&n| turned(n)).collect();
            Alone::of(&with_each, &turned(10), &labels, 0)
        };
        let none = alone(&[10, 5, 12]);
        assert!(none.excess < 0.03 && none.loss < 0.03, "{none:?}");
        let one = alone(&[10, 40, 5]);
        // The lower end of the interval of a difference of 30 points; with more triggers it is wider.
        assert!((0.15..0.25).contains(&one.excess) && (0.15..0.25).contains(&one.loss), "{one:?}");
        assert!(alone(&[10, 40, 5, 5, 5, 5]).excess < one.excess);
        assert!(alone(&[40]).excess > one.excess);
        let nothing = alone(&[]);
        assert_eq!((nothing.excess, nothing.loss), (0.0, 0.0));
    }

    #[test]
    fn at_its_limit_a_value_is_not_above_it() {
        for n in [20_u32, 40, 60, 100, 200] {
            for hits in n / 20..=n {
                let rate = |hits: u32| f64::from(hits) / f64::from(n);
                let fell = rate(hits) - rate(hits - n / 20);
                assert!(exceeded(&[("it fell", fell, 0.05)]).is_empty(), "{fell:e}");
            }
        }
        assert_eq!(exceeded(&[("it fell", 0.051, 0.05), ("no number", f64::NAN, 0.05)]).len(), 2);
    }

    #[test]
    fn a_fall_is_what_was_right_and_is_no_longer() {
        let before = measurement(190, [0, 0], [100, 100]);
        let worse = measurement(170, [0, 0], [100, 100]);
        let fell = worse.score_drop(&before);
        let rose = before.score_drop(&worse);
        assert!(fell.low > 0.0 && rose.high < 0.0, "{fell:?} {rose:?}");
    }
}
