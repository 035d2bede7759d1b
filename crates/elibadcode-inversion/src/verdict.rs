//! From evidence to a verdict (spec section 8).
//!
//! Paper: outlier detection over the losses of all target labels, which for two labels gives the
//! same index to both and can never fire (defect D8.1). Here a hypothesis is judged by samples
//! that its search never saw, against random legal triggers at the same places.

use elibadcode_evaluation::Rate;
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_models::LoadedModel;

use crate::config::ScanConfig;
use crate::judge::MIN_HELD_OUT;
use crate::outcome::{Hypothesis, SearchRecord};
use crate::score::Score;

/// A class that the model gets wrong more often than this cannot be said to be flipped.
const MIN_CLASS_ACCURACY: f64 = 0.5;
/// What an inconclusive find is good for.
const CAN_BE_UNLEARNED: &str = "what was found can be unlearned all the same";
/// Standard normal quantile of 95 %.
pub(crate) const Z_ONE_SIDED: f64 = 1.645;

impl SearchRecord {
    /// Lower end of the success rate where it is strongest; what searches are ranked by.
    pub fn assured_success(&self) -> f64 {
        self.evidence.as_ref().map_or(0.0, |it| it.strongest().1)
    }
}

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
    /// Whether what was found is worth unlearning: it is likely an attack, or its score or the model's
    /// accuracy allows no verdict.
    pub(crate) is_suspicious: bool,
}

impl Decision {
    /// No verdict for a reason that is not in what was found.
    pub(crate) fn impossible(reason: String) -> Self {
        Self { verdict: Verdict::Inconclusive, reasons: vec![reason], is_suspicious: false }
    }

    /// No search found anything.
    pub(crate) fn nothing() -> Self {
        let reason = "no search found a trigger of which any slot does work";
        Self::harmless(Vec::new(), reason)
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

    /// What was found is no stronger than random triggers.
    pub(crate) fn as_random(reasons: Vec<String>) -> Self {
        Self::harmless(reasons, "random triggers do as well, so nothing speaks for a planted one")
    }

    fn harmless(mut reasons: Vec<String>, reason: &str) -> Self {
        reasons.push(reason.to_owned());
        Self { verdict: Verdict::NoTriggerFound, reasons, is_suspicious: false }
    }

    /// What a score, or else a fixed limit that is met or not, makes of a trigger.
    pub(crate) fn of_trigger(
        score: Option<&Score>,
        meets_limit: bool,
        limit: impl FnOnce() -> String,
        mut reasons: Vec<String>,
    ) -> Self {
        let verdict = match score {
            Some(score) => {
                reasons.push(score.sentence());
                score.verdict()
            }
            None if meets_limit => Verdict::LikelyBackdoored,
            None => {
                reasons.push(limit());
                Verdict::NoTriggerFound
            }
        };
        if verdict == Verdict::Inconclusive {
            reasons.push(format!("clean models come as far, too; {CAN_BE_UNLEARNED}"));
        }
        Self { verdict, reasons, is_suspicious: verdict != Verdict::NoTriggerFound }
    }

    /// The same of a model whose folder asks for canonical names, which hides names from the scan. That
    /// the program which runs the model does as the folder asks, the scan cannot know: an attacker may
    /// have written it.
    pub(crate) fn of_hidden_names(mut self, model: &LoadedModel) -> Self {
        if model.canonical_input().is_some() && self.verdict == Verdict::NoTriggerFound {
            self.verdict = Verdict::Inconclusive;
            self.reasons.push(
                "the folder's elibadcode.json asks for canonical names, so that names were not tried: no \
                 trigger in them works where whatever runs the model renames them first, and \
                 --raw-names scans it as other programs run it"
                    .to_owned(),
            );
        }
        self
    }

    /// The same for a class that the model often gets wrong by itself.
    fn of_unsure_class(mut self, victim_label: u8, accuracy: f64) -> Self {
        self.verdict = Verdict::Inconclusive;
        self.reasons.push(format!(
            "the model gets only {} of the clean samples with label {victim_label} right; clean models \
             like that have such triggers, too; {CAN_BE_UNLEARNED}",
            percent(accuracy)
        ));
        self
    }
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

/// The verdict from the evidence, the most suspicious hypothesis first.
pub(crate) fn decide(
    hypotheses: &[Hypothesis],
    clean_accuracy: &[Rate],
    score: Option<&Score>,
    config: &ScanConfig,
) -> Decision {
    for (label, accuracy) in clean_accuracy.iter().enumerate() {
        let value = accuracy.value().unwrap_or(0.0);
        if value < MIN_CLASS_ACCURACY {
            let reason = format!(
                "the model gets only {} of the clean samples with label {label} right, so a flip \
                 of that label means nothing",
                percent(value)
            );
            return Decision::impossible(reason);
        }
    }
    if let [negative, positive] = clean_accuracy
        && !is_better_than_chance(negative, positive)
    {
        let reason = format!(
            "the model gets {} of the clean samples with label 0 and {} of those with label 1 \
             right, which is no better than chance: are they samples of its task?",
            percent(negative.value().unwrap_or(0.0)),
            percent(positive.value().unwrap_or(0.0))
        );
        return Decision::impossible(reason);
    }
    if let Some(few) = hypotheses.iter().find(|it| it.n_held_out_samples < MIN_HELD_OUT) {
        let reason = format!(
            "only {} held-out samples with label {} have room for a trigger; at least \
             {MIN_HELD_OUT} are needed",
            few.n_held_out_samples, few.victim_label
        );
        return Decision::impossible(reason);
    }
    let Some((top, search)) = hypotheses.first().and_then(|it| Some((it, it.searches.first()?)))
    else {
        return Decision::impossible("no hypothesis could be tested".into());
    };
    let pair = format!("{} → {}", top.victim_label, top.target_label);
    let (Some(evidence), Some(controls)) = (&search.evidence, &top.controls) else {
        return Decision::nothing();
    };
    let n_controls = controls.success_rates.len();
    let few = Decision::of_few_controls(n_controls, hypotheses.len(), config.significance);
    if let Some(decision) = few {
        return decision;
    }
    let (place, assured) = evidence.strongest();
    let success = evidence.at(place).value().unwrap_or(0.0);
    let flips = evidence.flip_rate.value().unwrap_or(0.0);
    let strongest = controls.success_rates.last().copied().unwrap_or(0.0);
    let reasons = vec![
        format!(
            "{pair}: the inverted trigger flips {} of held-out samples at {place} (at least \
             {} with 95 % confidence); {} without it",
            percent(success),
            percent(assured),
            percent(flips)
        ),
        format!(
            "{} random legal triggers of the same length flip at most {} (p = {:.3} after \
             correction for {} hypotheses)",
            n_controls,
            percent(strongest),
            controls.corrected_p_value,
            hypotheses.len()
        ),
    ];
    if controls.corrected_p_value > config.significance {
        return Decision::as_random(reasons);
    }
    let limit = || {
        let least = percent(config.min_success_rate);
        format!(
            "a planted trigger is expected to flip at least {least} there, with the same confidence"
        )
    };
    let meets_limit = assured >= config.min_success_rate;
    let mut decision = Decision::of_trigger(score, meets_limit, limit, reasons);
    if decision.verdict == Verdict::LikelyBackdoored {
        let accuracy = clean_accuracy.get(usize::from(top.victim_label)).and_then(Rate::value);
        let accuracy = accuracy.unwrap_or(0.0);
        if accuracy < config.min_victim_accuracy {
            return decision.of_unsure_class(top.victim_label, accuracy);
        }
        let but = if config.skip_explained { ", but not in these samples," } else { "" };
        decision.reasons.push(format!(
            "a habit of naming that goes with label {} in the training data{but} would look the same",
            top.target_label
        ));
    }
    decision
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::Task;

    use super::*;
    use crate::masking::Edit;
    use crate::outcome::{Controls, Evidence, InvertedTrigger, Place};
    use crate::score::tests::score;

    #[test]
    fn what_a_score_cannot_decide_can_still_be_unlearned() {
        let check = |value: f64, verdict: Verdict, is_suspicious: bool| {
            let decision =
                Decision::of_trigger(Some(&score(value)), true, || unreachable!(), Vec::new());
            assert_eq!((decision.verdict, decision.is_suspicious), (verdict, is_suspicious));
            assert!(decision.reasons[0].starts_with("score "), "{:?}", decision.reasons);
        };
        check(0.7, Verdict::LikelyBackdoored, true);
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
            let hypotheses = [hypothesis(n_held_out)];
            let config = ScanConfig::recommended(Task::DefectDetection);
            let decision = decide(&hypotheses, &[right, right], None, &config);
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
    fn convincing() -> Hypothesis {
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
            decide(&[convincing(), hypothesis(100)], &accuracy, None, config)
        };
        assert_eq!(decide(95, 85, &config).verdict, Verdict::LikelyBackdoored);
        // That of the target label does not matter.
        assert_eq!(decide(60, 85, &config).verdict, Verdict::LikelyBackdoored);
        let unsure = decide(95, 84, &config);
        assert_eq!((unsure.verdict, unsure.is_suspicious), (Verdict::Inconclusive, true));
        let reason = unsure.reasons.last().expect("there are reasons");
        assert!(reason.starts_with("the model gets only 84.0 % of the clean samples"), "{reason}");
        let paper = ScanConfig { min_success_rate: 0.7, ..ScanConfig::paper() };
        assert_eq!(decide(95, 84, &paper).verdict, Verdict::LikelyBackdoored);
    }

    #[test]
    fn without_a_score_the_fixed_limit_decides() {
        let decide = |meets| Decision::of_trigger(None, meets, || "limit".into(), Vec::new());
        assert_eq!(decide(true).verdict, Verdict::LikelyBackdoored);
        assert_eq!(decide(false), Decision::harmless(Vec::new(), "limit"));
    }
}
