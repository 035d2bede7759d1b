//! What a page shows of a repair by unlearning: of `purification.json` of any task.

use std::fmt::Write as _;

use serde::Deserialize;

use super::markup::{percent, points, trigger, with_code};
use super::scan_view::Measured;
use crate::statistics::Interval;

/// What a repair by unlearning did.
#[derive(Clone, Debug, Deserialize)]
pub struct UnlearningView {
    run: Run,
    triggers: Vec<Trigger>,
    is_accepted: bool,
    accepted_attempt: Option<usize>,
    before: Checks,
    attempts: Vec<Attempt>,
}

/// How it was made.
#[derive(Clone, Debug, Deserialize)]
struct Run {
    /// Hashes, among them the model's.
    inputs: Vec<String>,
    config: Config,
}

#[derive(Clone, Debug, Deserialize)]
struct Config {
    limits: Limits,
}

/// What the checks accept, as shares.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Limits {
    accuracy_drop: f64,
    measured_drop: f64,
    excess_success: f64,
    other_class_drop: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Trigger {
    text: String,
    #[serde(default)]
    edit: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Attempt {
    /// Its number in the rounds of a scope and learning rate; older documents do not say it.
    #[serde(default)]
    round: Option<usize>,
    after: Checks,
    objections: Vec<String>,
    score_drop: Interval,
    #[serde(default)]
    searched: Vec<Trigger>,
}

/// What the samples that were kept aside say.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Checks {
    Labels(Box<LabelChecks>),
    Ranks(RankChecks),
}

#[derive(Clone, Debug, Deserialize)]
struct LabelChecks {
    accuracy: Measured,
    asr: Measured,
    /// Older documents do not say it.
    #[serde(default)]
    asr_of_each: Vec<Measured>,
    control: Measured,
    flip_rate: Measured,
    other_class_clean: Measured,
    other_class_triggered: Measured,
    other_class_control: Measured,
}

#[derive(Clone, Debug, Deserialize)]
struct RankChecks {
    mrr: f64,
    normalized_rank: f64,
    control: f64,
    without_trigger: f64,
    /// Older documents do not say it.
    #[serde(default)]
    n_ranked: Option<usize>,
}

impl Checks {
    /// What was checked, and what came out.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let rate = |it: Measured| match (it.value, it.interval) {
            (Some(value), Some(Interval { low, high })) => {
                format!("{} [{:.1}, {:.1}]", percent(value), 100.0 * low, 100.0 * high)
            }
            _ => "–".to_owned(),
        };
        match self {
            Self::Labels(it) => {
                let strongest =
                    it.asr_of_each.iter().copied().filter_map(|it| Some((it.value?, it)));
                let strongest = strongest.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, it)| it);
                let strongest = strongest.filter(|_| it.asr_of_each.len() > 1);
                let mut rows = vec![
                    ("accuracy", rate(it.accuracy)),
                    ("success of the triggers", rate(it.asr)),
                    ("success of random triggers there", rate(it.control)),
                    ("flips without a trigger", rate(it.flip_rate)),
                    ("other class, accuracy without a trigger", rate(it.other_class_clean)),
                    ("other class, accuracy with the triggers", rate(it.other_class_triggered)),
                    ("other class, accuracy with random triggers", rate(it.other_class_control)),
                ];
                if let Some(strongest) = strongest {
                    rows.insert(2, ("success of the strongest of them alone", rate(strongest)));
                }
                rows
            }
            Self::Ranks(it) => vec![
                ("mean reciprocal rank", format!("{:.3}", it.mrr)),
                ("rank of code with the triggers", percent(it.normalized_rank)),
                ("rank of code with random triggers there", percent(it.control)),
                ("rank of the same code without a trigger", percent(it.without_trigger)),
                (
                    "queries that these ranks rest on",
                    it.n_ranked.map_or("–".to_owned(), |n| n.to_string()),
                ),
            ],
        }
    }

    /// What is lost if the repair harms the model, and what the limits say of the rest.
    fn terms(&self, limits: Limits) -> (&'static str, String) {
        let Limits { accuracy_drop, measured_drop, excess_success, other_class_drop } = limits;
        let [drop, measured, excess, other] =
            [accuracy_drop, measured_drop, excess_success, other_class_drop]
                .map(|share| format!("{} points", points(share)));
        match self {
            Self::Labels(_) => (
                "Accuracy",
                format!(
                    "the triggers together may succeed {excess} more often than random ones, and none of them \
                     alone surely by more; random ones may succeed as much more often than before, and cost \
                     the other class as much more than before; the other class may lose {other} by the \
                     triggers beyond what random ones cost it, and by none of them alone surely more; and the accuracy may not fall by more than {drop} \
                     with 95 % confidence, nor by more than {measured} on these samples"
                ),
            ),
            Self::Ranks(_) => (
                "The mean reciprocal rank",
                format!(
                    "the triggers may lift or sink code by {excess} more than random ones, none of them alone \
                     surely lift it by more, and random ones lift or sink it by as much more than before, and the mean reciprocal rank may not fall by more than \
                     {drop} with 95 % confidence, nor by more than {measured} on these samples"
                ),
            ),
        }
    }
}

impl UnlearningView {
    /// Hashes of what the repair was made from, among them the model's.
    pub(super) fn inputs(&self) -> &[String] {
        &self.run.inputs
    }

    /// What was unlearned, what the checks say before and after, and what they objected to.
    pub(super) fn html(&self) -> String {
        let triggers: Vec<String> =
            self.triggers.iter().map(|it| trigger(&it.text, &it.edit)).collect();
        let n_searched: usize = self.way().iter().map(|it| it.searched.len()).sum();
        let more = match n_searched {
            0 => String::new(),
            n => format!(", and {n} more that were searched for before the rounds"),
        };
        let outcome = if self.is_accepted {
            "The repair passed its checks, and the repaired model was written."
        } else {
            "The repair failed its checks, and no repaired model was written."
        };
        let mut html = format!("<p>{outcome} Unlearned: {}{more}.</p>", triggers.join(", "));
        if let Some(attempt) = self.way().last() {
            html += &self.checks(attempt);
        }
        html + "<p>The checks know the triggers that were unlearned only. What an attacker planted \
                may resemble them, and can be left in part.</p>"
    }

    /// The rounds that led to the attempt that counts, and it.
    fn way(&self) -> &[Attempt] {
        let end = self.accepted_attempt.map_or(self.attempts.len(), |index| index + 1);
        let attempts = self.attempts.get(..end).unwrap_or_default();
        let n_rounds = attempts.last().and_then(|it| it.round).unwrap_or(attempts.len());
        &attempts[attempts.len().saturating_sub(n_rounds)..]
    }

    /// The checks of the attempt that counts.
    fn checks(&self, attempt: &Attempt) -> String {
        let rows: Vec<String> = self
            .before
            .rows()
            .into_iter()
            .zip(attempt.after.rows())
            .map(|((name, before), (_, after))| {
                format!(
                    "<tr><td>{name}</td><td class=\"number\">{before}</td><td class=\"number\">\
                     {after}</td></tr>"
                )
            })
            .collect();
        let limits = self.run.config.limits;
        let (score, terms) = self.before.terms(limits);
        let Interval { low, high } = attempt.score_drop;
        let mut html = format!(
            "<div class=\"scroll\"><table><thead><tr><th>on clean samples kept aside</th>\
             <th class=\"number\">before</th><th class=\"number\">after</th></tr></thead><tbody>{}\
             </tbody></table></div><p class=\"legend\">{score} fell by {} to {} points (90 % \
             interval; below 0 it rose). The limits: {terms}.</p>",
            rows.concat(),
            points(low),
            points(high),
        );
        if self.is_accepted && high > limits.accuracy_drop {
            html +=
                "<p>Too few clean samples were kept aside to exclude a larger fall than that.</p>";
        }
        if !self.is_accepted {
            let objections: Vec<String> = attempt
                .objections
                .iter()
                .map(|objection| format!("<li>{}</li>", with_code(objection)))
                .collect();
            let _ = write!(html, "<ul>{}</ul>", objections.concat());
        }
        html
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report::html) const RUN: &str = r#"{"inputs": ["abc"], "config": {"limits":
        {"accuracy_drop": 0.01, "measured_drop": 0.03, "excess_success": 0.1, "other_class_drop": 0.05}}}"#;

    /// The text of a repair of labels.
    pub(in crate::report::html) fn labels(is_accepted: bool) -> String {
        let rate = r#"{"hits": 9, "total": 10, "value": 0.9, "low": 0.6, "high": 0.98}"#;
        let checks = format!(
            r#"{{"accuracy": {rate}, "asr": {rate}, "control": {rate}, "flip_rate": {rate},
                "other_class_clean": {rate}, "other_class_triggered": {rate},
                "other_class_control": {rate}, "asr_of_each": [{rate},
                    {{"hits": 19, "total": 20, "value": 0.95, "low": 0.7, "high": 0.99}}]}}"#
        );
        let accepted = if is_accepted { "0" } else { "null" };
        format!(
            r#"{{"run": {RUN}, "triggers": [{{"text": "rb", "edit": "append"}}],
                "is_accepted": {is_accepted}, "accepted_attempt": {accepted}, "before": {checks},
                "attempts": [{{"after": {checks}, "objections": ["too <much>"],
                    "score_drop": {{"low": -0.01, "high": 0.02}}}}]}}"#
        )
    }

    fn html(text: &str) -> String {
        serde_json::from_str::<UnlearningView>(text).expect("test data").html()
    }

    #[test]
    fn the_strongest_of_several_triggers_is_shown() {
        let several = html(&labels(true));
        assert!(
            several.contains("strongest of them alone") && several.contains("95.0 % [70.0, 99.0]")
        );
        // One trigger alone, and a document of a program that did not look.
        let each = several_in(&labels(true));
        let one = labels(true).replace(&each, "");
        assert!(!html(&one).contains("strongest of them alone"));
        let none = html(&labels(true).replace("asr_of_each", "asr_of_none"));
        assert!(!none.contains("strongest of them alone"));
    }

    /// The second trigger's figures in the test data.
    fn several_in(text: &str) -> String {
        let start = text.find(",\n                    {\"hits\": 19").expect("test data");
        let end = start + text[start..].find('}').expect("test data") + 1;
        text[start..end].to_owned()
    }

    #[test]
    fn refused_repairs_say_why() {
        let refused = html(&labels(false));
        assert!(refused.contains("too &lt;much&gt;") && refused.contains("no repaired model"));
        let accepted = html(&labels(true));
        assert!(!accepted.contains("too &lt;much&gt;") && accepted.contains("90.0 % [60.0, 98.0]"));
        for part in
            ["fell by −1.0 to 2.0 points", "Too few clean samples", "10.0 points more often"]
        {
            assert!(accepted.contains(part), "{part} is not in {accepted}");
        }
    }

    #[test]
    fn ranks_have_no_labels() {
        let checks = r#"{"mrr": 0.8, "normalized_rank": 0.1, "control": 0.5,
            "without_trigger": 0.5, "n": 9}"#;
        let attempt = format!(
            r#"{{"round": 1, "after": {checks}, "objections": [],
                "score_drop": {{"low": 0.0, "high": 0.0}}, "searched": [{{"text": "c"}}]}}"#
        );
        let html = html(&format!(
            r#"{{"run": {RUN}, "triggers": [{{"text": "b"}}, {{"text": "a"}}],
                "is_accepted": true, "accepted_attempt": 1, "before": {checks},
                "attempts": [{attempt}, {attempt}]}}"#
        ));
        assert!(html.contains("<code>b</code>, <code>a</code>, and 1 more"), "{html}");
        assert!(html.contains("The mean reciprocal rank fell by 0.0 to 0.0"), "{html}");
    }
}
