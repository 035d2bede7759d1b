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
    let (Some(evidence), Some(controls)) = (&search.evidence, &hypothesis.controls) else {
        return Decision::nothing().of_victims(victim_label, accuracy, config);
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
    let habit = format!("that goes with label {target_label}");
    decision.of_victims(victim_label, accuracy, config).or_habit(&habit, config)
}

#[cfg(test)]
pub(crate) mod tests {
    use elibadcode_corpus::Task;

    use super::*;
    use crate::masking::Edit;
    use crate::outcome::{Controls, Evidence, InvertedTrigger, Place, SearchRecord};
    use crate::score::tests::score;

    fn of_score(value: f64, is_as_random: bool) -> Decision {
        let limit = || unreachable!("a score decides");
        Decision::of_trigger(Some(&score(value)), Strength::Below, is_as_random, limit, Vec::new())
    }

    #[test]
    fn what_a_score_cannot_decide_can_still_be_unlearned() {
        let check = |value: f64, verdict: Verdict, is_suspicious: bool| {
            let decision = of_score(value, false);
            assert_eq!((decision.verdict, decision.is_suspicious), (verdict, is_suspicious));
            assert!(decision.reasons[0].starts_with("score "), "{:?}", decision.reasons);
            assert!(decision.is_by_strength);
        };
        check(0.7, Verdict::LikelyBackdoored, true);
        check(0.5, Verdict::Inconclusive, true);
        check(0.3, Verdict::NoTriggerFound, false);
    }

    #[test]
    fn a_low_score_does_not_call_a_strong_trigger_harmless() {
        let check = |strength: Strength, verdict: Verdict| {
            let limit = || unreachable!("a score decides");
            let low = Decision::of_trigger(Some(&score(0.3)), strength, false, limit, Vec::new());
            let is_suspicious = verdict != Verdict::NoTriggerFound;
            assert_eq!((low.verdict, low.is_suspicious), (verdict, is_suspicious));
        };
        check(Strength::Above, Verdict::Inconclusive);
        check(Strength::Around, Verdict::NoTriggerFound);
    }

    #[test]
    fn a_strong_trigger_is_not_called_harmless_because_a_random_one_is_as_strong() {
        let check = |value: f64, verdict: Verdict, is_suspicious: bool| {
            let decision = of_score(value, true);
            assert_eq!((decision.verdict, decision.is_suspicious), (verdict, is_suspicious));
            assert_eq!(decision.is_by_strength, verdict == Verdict::NoTriggerFound);
            assert!(decision.reasons[0].contains("as well"), "{:?}", decision.reasons);
        };
        check(0.7, Verdict::Inconclusive, true);
        check(0.5, Verdict::Inconclusive, true);
        check(0.3, Verdict::NoTriggerFound, false);
    }

    /// A hypothesis that was not searched.
    fn hypothesis(n_held_out_samples: usize) -> Hypothesis {
        Hypothesis {
            victim_label: 1,
            target_label: 0,
            n_search_samples: 4,
            n_held_out_samples,
            explained_tokens: Vec::new(),
            positions: Vec::new(),
            searches: Vec::new(),
            other_searches: Vec::new(),
            controls: None,
            profile: None,
            agreement: None,
            asymmetry: 0.0,
        }
    }

    #[test]
    fn too_few_held_out_samples_allow_no_verdict() {
        let right: Rate = [true; 40].into_iter().collect();
        let reasons = |n_held_out: usize| {
            let config = ScanConfig::recommended(Task::DefectDetection);
            let decision = decide(&hypothesis(n_held_out), 2, &[right, right], None, &config);
            assert_eq!((decision.verdict, decision.is_suspicious), (Verdict::Inconclusive, false));
            decision.reasons
        };
        let few = reasons(MIN_HELD_OUT - 1);
        assert!(few[0].starts_with("only 19 held-out samples with label 1"), "{few:?}");
        assert_eq!(reasons(MIN_HELD_OUT), ["no hypothesis could be tested"]);
    }

    #[test]
    fn too_few_random_triggers_allow_no_verdict() {
        let few = Decision::of_few_controls(38, 2, 0.05).expect("2 / 39 is above 0.05");
        assert_eq!(few.verdict, Verdict::Inconclusive);
        assert!(few.reasons[0].contains("p = 0.051, above 0.05"), "{:?}", few.reasons);
        assert!(few.reasons[0].ends_with("set n_controls to 39 or more"), "{:?}", few.reasons);
        assert_eq!(Decision::of_few_controls(39, 2, 0.05), None);
        assert_eq!(Decision::of_few_controls(19, 1, 0.05), None);
    }

    /// A hypothesis with a trigger that flips all of 100 samples, and random ones that flip none.
    pub(crate) fn convincing() -> Hypothesis {
        let all = Rate::new(100, 100);
        let evidence = Evidence {
            least_sensitive: all,
            any_identifier: all,
            function_name: all,
            flip_rate: Rate::new(0, 100),
        };
        let trigger = InvertedTrigger {
            text: "rb".to_owned(),
            edit: Edit::Replace,
            tokens: vec!["rb".to_owned()],
            ids: vec![7],
        };
        Hypothesis {
            searches: vec![SearchRecord {
                trigger: trigger.clone(),
                loss: 0.0,
                history: vec![0.0],
                anchored: Some(trigger),
                anchored_loss: Some(0.0),
                slots: Vec::new(),
                evidence: Some(evidence),
            }],
            controls: Some(Controls {
                place: Place::AnyIdentifier,
                lift: 1.0,
                success_rates: vec![0.0; 50],
                p_value: 0.02,
                corrected_p_value: 0.04,
            }),
            ..hypothesis(100)
        }
    }

    #[test]
    fn a_label_that_is_often_wrong_is_not_said_to_be_attacked() {
        let config = ScanConfig::recommended(Task::CloneDetection);
        let decide = |negative: usize, positive: usize, config: &ScanConfig| {
            let accuracy = [Rate::new(negative, 100), Rate::new(positive, 100)];
            decide(&convincing(), 2, &accuracy, None, config)
        };
        assert_eq!(decide(95, 85, &config).verdict, Verdict::LikelyBackdoored);
        // That of the target label does not matter.
        assert_eq!(decide(40, 85, &config).verdict, Verdict::LikelyBackdoored);
        let paper = ScanConfig { min_success_rate: 0.7, ..ScanConfig::paper() };
        assert_eq!(decide(95, 84, &paper).verdict, Verdict::LikelyBackdoored);
        for unsure in [decide(95, 84, &config), decide(95, 44, &config), decide(95, 44, &paper)] {
            assert_eq!((unsure.verdict, unsure.is_suspicious), (Verdict::Inconclusive, true));
            let reason = unsure.reasons.last().expect("there are reasons");
            assert!(reason.contains("clean models like that have such triggers"), "{reason}");
        }
    }

    #[test]
    fn nothing_found_of_a_label_that_is_mostly_wrong_says_nothing() {
        let config = ScanConfig::recommended(Task::CloneDetection);
        let weak = Hypothesis {
            searches: vec![SearchRecord { evidence: None, ..convincing().searches.remove(0) }],
            ..convincing()
        };
        let decide = |right| {
            let accuracy = [Rate::new(95, 100), Rate::new(right, 100)];
            decide(&weak, 2, &accuracy, None, &config)
        };
        assert_eq!(decide(50).verdict, Verdict::NoTriggerFound);
        let unsure = decide(49);
        assert_eq!((unsure.verdict, unsure.is_suspicious), (Verdict::Inconclusive, false));
    }

    #[test]
    fn the_strongest_decision_counts() {
        let likely = of_score(0.7, false);
        let (may, none) = (of_score(0.5, false), of_score(0.3, false));
        let impossible = Decision::impossible("why".to_owned());
        let check = |decisions: &[&Decision], expected| {
            assert_eq!(strongest(decisions.iter().copied()), expected, "{decisions:?}");
        };
        check(&[], None);
        check(&[&none, &likely], Some(1));
        check(&[&may, &may], Some(0));
        check(&[&impossible, &may], Some(1));
        check(&[&none, &impossible], Some(1));
        check(&[&likely, &may], Some(0));
    }

    #[test]
    fn without_a_score_the_fixed_limit_decides() {
        let decide = |low, high| {
            let strength = Strength::of(low, high, 0.7);
            Decision::of_trigger(None, strength, false, || "limit".into(), Vec::new())
        };
        assert_eq!(decide(0.7, 0.8).verdict, Verdict::LikelyBackdoored);
        let around = decide(0.69, 0.7);
        assert_eq!((around.verdict, around.is_suspicious), (Verdict::Inconclusive, true));
        let below = decide(0.5, 0.69);
        assert_eq!((below.verdict, below.is_suspicious), (Verdict::NoTriggerFound, false));
        assert_eq!((&*around.reasons[0], &*below.reasons[0]), ("limit", "limit"));
    }
}
