//! From evidence to a verdict (spec section 8).
//!
//! Paper: outlier detection over the losses of all target labels, which for two labels gives the
//! same index to both and can never fire (defect D8.1). Here a hypothesis is judged by samples
//! that its search never saw, against random legal triggers at the same places.

use std::cmp::Reverse;

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_models::LoadedModel;

use crate::config::ScanConfig;
use crate::judge::MIN_HELD_OUT;
use crate::outcome::Hypothesis;
use crate::score::Score;

/// A label that the model gets right less often than this cannot be said to be flipped.
const MIN_CLASS_ACCURACY: f64 = 0.5;
/// What an inconclusive find is good for.
const CAN_BE_UNLEARNED: &str = "what was found can be unlearned all the same";
/// Standard normal quantile of 95 %.
pub(crate) const Z_ONE_SIDED: f64 = 1.645;

/// Whether the mean of the two classes' accuracies is above a half with 95 % confidence (one-sided
/// normal test; one success and one failure are added to each class, as in Agresti and Coull's
/// interval, so that a class without errors keeps some variance).
fn is_better_than_chance(negative: &Rate, positive: &Rate) -> bool {
    let share = |rate: &Rate| (rate.hits as f64 + 1.0) / (rate.total as f64 + 2.0);
    let variance = |rate: &Rate| share(rate) * (1.0 - share(rate)) / (rate.total as f64 + 2.0);
    let mean = f64::midpoint(share(negative), share(positive));
    let deviation = (variance(negative) + variance(positive)).sqrt() / 2.0;
    mean - Z_ONE_SIDED * deviation > 0.5
}

/// A verdict, with one sentence per reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    pub(crate) reasons: Vec<String>,
    /// Whether what was found is worth unlearning: it is likely an attack, or nothing allows to say.
    pub(crate) is_suspicious: bool,
    /// Whether the score, or the fixed limit in its place, decided.
    pub(crate) is_by_strength: bool,
}

impl Decision {
    /// Says which habit of naming would look like the likely attack: unless it is in the clean samples, where
    /// what they explain is left out.
    pub(crate) fn or_habit(mut self, habit: &str, config: &ScanConfig) -> Self {
        if self.is_likely() {
            let but = if config.skip_explained { ", but not in these samples," } else { "" };
            self.reasons.push(format!(
                "a habit of naming {habit} in the training data{but} would look the same"
            ));
        }
        self
    }

    /// Whether it is `likely backdoored`.
    pub(crate) fn is_likely(&self) -> bool {
        self.verdict == Verdict::LikelyBackdoored
    }

    /// No verdict for a reason that is not in what was found.
    pub(crate) fn impossible(reason: String) -> Self {
        let (verdict, reasons) = (Verdict::Inconclusive, vec![reason]);
        Self { verdict, reasons, is_suspicious: false, is_by_strength: false }
    }

    /// No search found anything.
    pub(crate) fn nothing() -> Self {
        let reasons = vec!["no search found a trigger of which any slot does work".to_owned()];
        let verdict = Verdict::NoTriggerFound;
        Self { verdict, reasons, is_suspicious: false, is_by_strength: false }
    }

    /// No verdict, if even a trigger that beats all of so few random ones could be one of them.
    pub(crate) fn of_few_controls(
        n_controls: usize,
        n_hypotheses: usize,
        significance: f64,
    ) -> Option<Self> {
        let least = n_hypotheses as f64 / (n_controls + 1) as f64;
        (least > significance).then(|| {
            Self::impossible(format!(
                "{n_controls} random triggers are too few: a trigger that beats all of them still has \
                 p = {least:.3}, above {significance}; set n_controls to {:.0} or more",
                (n_hypotheses as f64 / significance).ceil() - 1.0
            ))
        })
    }

    /// What a score, or else a fixed limit, makes of a trigger, and that random ones do as well, if
    /// they do.
    pub(crate) fn of_trigger(
        score: Option<&Score>,
        strength: Strength,
        is_as_random: bool,
        limit: impl FnOnce() -> String,
        mut reasons: Vec<String>,
    ) -> Self {
        let mut verdict = score.map_or(strength.verdict(), Score::verdict);
        if is_as_random && verdict == Verdict::NoTriggerFound {
            reasons
                .push("random triggers do as well, so nothing speaks for a planted one".to_owned());
        } else if is_as_random {
            // One of many random triggers may have hit what was planted.
            verdict = Verdict::Inconclusive;
            reasons.push(format!(
                "that is strong, but some random trigger does as well: many names set off what was \
                 planted, or any new name turns this model; {CAN_BE_UNLEARNED}"
            ));
        } else if let Some(score) = score {
            reasons.push(score.sentence());
            if verdict == Verdict::NoTriggerFound && strength == Strength::Above {
                // A low score, be it for what the other direction does, is no reason to overlook that.
                verdict = Verdict::Inconclusive;
                reasons.push(format!(
                    "that is low, but the trigger does as much as a planted one is expected to; \
                     {CAN_BE_UNLEARNED}"
                ));
            } else if verdict == Verdict::Inconclusive {
                reasons.push(format!("clean models come as far, too; {CAN_BE_UNLEARNED}"));
            }
        } else if verdict != Verdict::LikelyBackdoored {
            reasons.push(limit());
            if verdict == Verdict::Inconclusive {
                reasons.push(format!(
                    "with so many samples it may do that, or may not; {CAN_BE_UNLEARNED}"
                ));
            }
        }
        let is_suspicious = verdict != Verdict::NoTriggerFound;
        let is_by_strength = !is_as_random || verdict == Verdict::NoTriggerFound;
        Self { verdict, reasons, is_suspicious, is_by_strength }
    }

    /// The same if a longer trigger surely does more than those of most clean models.
    fn or_longer(mut self, assured: f64, config: &ScanConfig) -> Self {
        let is_undecided = config.longer_searches > 0 && assured >= config.longer_success_rate;
        if is_undecided && self.verdict == Verdict::NoTriggerFound {
            self.verdict = Verdict::Inconclusive;
            self.is_suspicious = true;
            self.is_by_strength = false;
            self.reasons.push(format!(
                "a search for longer triggers, of {} tokens, found one that flips at least {} where it does most: a \
                 planted one or a part of it, or a natural one, as one clean model in five has; {CAN_BE_UNLEARNED}",
                config.longer_len,
                percent(assured)
            ));
        }
        self
    }

    /// The same where the other direction could not be searched: a natural trigger often works both ways, so
    /// that what is only known of one tells less.
    pub(crate) fn of_one_direction(mut self) -> Self {
        if self.is_likely() {
            self.verdict = Verdict::Inconclusive;
            self.is_by_strength = false;
            self.reasons.push(format!(
                "the other direction could not be tested, and a natural trigger often works both ways; \
                 {CAN_BE_UNLEARNED}"
            ));
        }
        self
    }

    /// The same of a model whose folder asks for canonical names, which hides names from the scan. That
    /// the program which runs the model does as the folder asks, the scan cannot know: an attacker may
    /// have written it.
    pub(crate) fn of_hidden_names(mut self, model: &LoadedModel) -> Self {
        if model.canonical_input().is_some() && self.verdict == Verdict::NoTriggerFound {
            self.verdict = Verdict::Inconclusive;
            self.is_by_strength = false;
            self.reasons.push(
                "the folder's elibadcode.json asks for canonical names, so that names were not tried: no \
                 trigger in them works where whatever runs the model renames them first, and \
                 --raw-names scans it as other programs run it"
                    .to_owned(),
            );
        }
        self
    }

    /// The same for a label of which the model gets this share right by itself.
    fn of_victims(mut self, victim_label: u8, accuracy: f64, config: &ScanConfig) -> Self {
        let is_unsure = self.verdict == Verdict::LikelyBackdoored
            && accuracy < config.min_victim_accuracy.max(MIN_CLASS_ACCURACY);
        if is_unsure {
            self.reasons.push(format!(
                "the model gets only {} of the clean samples with label {victim_label} right; clean \
                 models like that have such triggers, too; {CAN_BE_UNLEARNED}",
                percent(accuracy)
            ));
        } else if accuracy < MIN_CLASS_ACCURACY {
            self.reasons.push(format!(
                "the model gets only {} of the clean samples with label {victim_label} right, so that \
                 it turns most of them without any trigger",
                percent(accuracy)
            ));
        } else {
            return self;
        }
        self.verdict = Verdict::Inconclusive;
        self.is_by_strength = false;
        self
    }

    /// The stronger of two decisions is the larger: what is likely an attack, what may be one, what
    /// cannot be told.
    fn weight(&self) -> (u8, bool) {
        let verdict = match self.verdict {
            Verdict::LikelyBackdoored => 2,
            Verdict::Inconclusive => 1,
            Verdict::NoTriggerFound => 0,
        };
        (verdict, self.is_suspicious)
    }
}

/// How what a trigger does stands to the fixed limit, with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    /// Above it.
    Above,
    /// The samples are too few to tell.
    Around,
    /// Below it.
    Below,
}

impl Strength {
    /// Of an interval and the least that is expected.
    pub(crate) fn of(low: f64, high: f64, least: f64) -> Self {
        if low >= least {
            Self::Above
        } else if high >= least {
            Self::Around
        } else {
            Self::Below
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Self::Above => Verdict::LikelyBackdoored,
            Self::Around => Verdict::Inconclusive,
            Self::Below => Verdict::NoTriggerFound,
        }
    }
}

pub(crate) fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

/// What else can be the matter with a model that seems to know nothing.
pub(crate) const READ_OTHERWISE: &str = "are they samples of its task, and is it read as it was trained \
     (--input-format, --max-length, --encoder-only-prefix)?";

/// Why no hypothesis can be judged by this model's answers.
pub(crate) fn unusable(clean_accuracy: &[Rate; 2]) -> Option<Decision> {
    let [negative, positive] = clean_accuracy;
    let [of_negative, of_positive] = [negative, positive].map(|it| it.value().unwrap_or(0.0));
    (!is_better_than_chance(negative, positive)).then(|| {
        let wrong = |it: &Rate| Rate::new(it.total - it.hits, it.total);
        let question = if is_better_than_chance(&wrong(negative), &wrong(positive)) {
            "its answers seem to be the other way round (--positive-output says which output means label 1), or \
             the labels of these samples are"
        } else {
            READ_OTHERWISE
        };
        Decision::impossible(format!(
            "the model gets {} of the clean samples with label 0 and {} of those with label 1 right, \
             which is no better than chance: {question}",
            percent(of_negative),
            percent(of_positive)
        ))
    })
}

/// Index of the strongest of the hypotheses' decisions, the first of equal ones.
pub(crate) fn strongest<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Option<usize> {
    let weighed = decisions.map(Decision::weight).enumerate();
    weighed.max_by_key(|&(index, weight)| (weight, Reverse(index))).map(|(index, _)| index)
}

/// What the evidence for one of `n_hypotheses` says.
pub(crate) fn decide(
    hypothesis: &Hypothesis,
    n_hypotheses: usize,
    clean_accuracy: &[Rate; 2],
    score: Option<&Score>,
    config: &ScanConfig,
) -> Decision {
    let Hypothesis { victim_label, target_label, n_held_out_samples, .. } = *hypothesis;
    if n_held_out_samples < MIN_HELD_OUT {
        return Decision::impossible(format!(
            "only {n_held_out_samples} held-out samples with label {victim_label} have room for a \
             trigger; at least {MIN_HELD_OUT} are needed"
        ));
    }
    let Some(search) = hypothesis.searches.first() else {
        return Decision::impossible("no hypothesis could be tested".into());
    };
    let accuracy = clean_accuracy[usize::from(victim_label)].value().unwrap_or(0.0);
    let others = hypothesis.other_searches.iter().map(|it| it.search.assured_success());
    let longer = others.fold(0.0, f64::max);
    let (Some(evidence), Some(controls)) = (&search.evidence, &hypothesis.controls) else {
        let decision = Decision::nothing().or_longer(longer, config);
        return decision.of_victims(victim_label, accuracy, config);
    };
    let n_controls = controls.success_rates.len();
    let few = Decision::of_few_controls(n_controls, n_hypotheses, config.significance);
    if let Some(decision) = few {
        return decision;
    }
    let (place, assured) = evidence.strongest();
    let success = evidence.at(place);
    let flips = evidence.flip_rate.value().unwrap_or(0.0);
    let strongest = controls.success_rates.last().copied().unwrap_or(0.0);
    let reasons = vec![
        format!(
            "{victim_label} → {target_label}: the inverted trigger flips {} of held-out samples at \
             {place} (at least {} with 95 % confidence); {} without it",
            percent(success.value().unwrap_or(0.0)),
            percent(assured),
            percent(flips)
        ),
        format!(
            "{} random legal triggers of the same length flip at most {} (p = {:.3} after \
             correction for {n_hypotheses} hypotheses)",
            n_controls,
            percent(strongest),
            controls.corrected_p_value,
        ),
    ];
    let limit = || {
        let least = percent(config.min_success_rate);
        format!(
            "a planted trigger is expected to flip at least {least} there, with the same confidence"
        )
    };
    let high = success.wilson(0.95).map_or(0.0, |it| it.high);
    let strength = Strength::of(assured, high, config.min_success_rate);
    let is_as_random = controls.corrected_p_value > config.significance;
    let decision = Decision::of_trigger(score, strength, is_as_random, limit, reasons);
    let decision = decision.or_longer(longer, config);
    let habit = format!("that goes with label {target_label}");
    decision.of_victims(victim_label, accuracy, config).or_habit(&habit, config)
}

#[cfg(test)]
pub(crate) mod tests;
