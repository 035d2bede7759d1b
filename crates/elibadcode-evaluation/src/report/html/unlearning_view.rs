//! What a page shows of a repair: of `purification.json` of any task.

use std::fmt::Write as _;

use serde::Deserialize;

use super::markup::{code, percent, with_code};
use super::scan_view::Measured;
use crate::error::Error;
use crate::statistics::Interval;

/// What errors call the document.
const FILE: &str = "purification.json";

/// What a repair did: `purification.json` in the repaired model's folder.
#[derive(Clone, Debug, Deserialize)]
pub struct RepairReport {
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
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Trigger {
    text: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Attempt {
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
    control: Measured,
    flip_rate: Measured,
    other_class_clean: Measured,
    other_class_triggered: Measured,
}

#[derive(Clone, Debug, Deserialize)]
struct RankChecks {
    mrr: f64,
    normalized_rank: f64,
    control: f64,
    without_trigger: f64,
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
            Self::Labels(it) => vec![
                ("accuracy", rate(it.accuracy)),
                ("success of the inverted triggers", rate(it.asr)),
                ("success of random triggers there", rate(it.control)),
                ("flips without a trigger", rate(it.flip_rate)),
                ("other class, accuracy without a trigger", rate(it.other_class_clean)),
                ("other class, accuracy with the triggers", rate(it.other_class_triggered)),
            ],
            Self::Ranks(it) => vec![
                ("mean reciprocal rank", format!("{:.3}", it.mrr)),
                ("rank of code with the inverted triggers", percent(it.normalized_rank)),
                ("rank of code with random triggers there", percent(it.control)),
                ("rank of the same code without a trigger", percent(it.without_trigger)),
            ],
        }
    }
}

impl RepairReport {
    /// Reads the text of a `purification.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|source| Error::Malformed { file: FILE, source })
    }

    /// Whether the repair is that of the model with this hash.
    pub fn is_of(&self, model_hash: &str) -> bool {
        self.run.inputs.iter().any(|it| it == model_hash)
    }

    /// What was unlearned, what the checks say before and after, and what they objected to.
    pub(super) fn html(&self) -> String {
        let triggers: Vec<String> = self.triggers.iter().map(|it| code(&it.text)).collect();
        let n_searched: usize = self.attempts.iter().map(|it| it.searched.len()).sum();
        let more = match n_searched {
            0 => String::new(),
            n => format!(", and {n} more that were searched for before the rounds"),
        };
        let outcome = if self.is_accepted {
            "The repair passed its checks, and the repaired model was written."
        } else {
            "The repair failed its checks: the model was left as it was."
        };
        let mut html = format!("<p>{outcome} Unlearned: {}{more}.</p>", triggers.join(", "));
        let decisive =
            self.accepted_attempt.map_or(self.attempts.last(), |index| self.attempts.get(index));
        let Some(attempt) = decisive else { return html };
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
        let _ = write!(
            html,
            "<div class=\"scroll\"><table><thead><tr><th>on clean samples kept aside</th>\
             <th class=\"number\">before</th><th class=\"number\">after</th></tr></thead><tbody>{}\
             </tbody></table></div><p class=\"legend\">The score fell by {} to {} points \
             (90 % interval; below 0 it rose).</p>",
            rows.concat(),
            points(attempt.score_drop.low),
            points(attempt.score_drop.high),
        );
        if !self.is_accepted {
            let objections: Vec<String> = attempt
                .objections
                .iter()
                .map(|objection| format!("<li>{}</li>", with_code(objection)))
                .collect();
            let _ = write!(html, "<ul>{}</ul>", objections.concat());
        }
        html + "<p>These are the inverted triggers. What the attacker planted is one that they \
                resemble, and can be left in part.</p>"
    }
}

/// A change in points, with a minus sign if it has one.
fn points(change: f64) -> String {
    format!("{:.1}", 100.0 * change).replace('-', "−")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report::html) fn labels(is_accepted: bool) -> RepairReport {
        let rate = r#"{"hits": 9, "total": 10, "value": 0.9, "low": 0.6, "high": 0.98}"#;
        let checks = format!(
            r#"{{"accuracy": {rate}, "asr": {rate}, "control": {rate}, "flip_rate": {rate},
                "other_class_clean": {rate}, "other_class_triggered": {rate},
                "other_class_control": {rate}}}"#
        );
        let accepted = if is_accepted { "0" } else { "null" };
        RepairReport::from_json(&format!(
            r#"{{"run": {{"inputs": ["abc"]}},
                "triggers": [{{"text": "rb", "edit": "append"}}], "is_accepted": {is_accepted},
                "accepted_attempt": {accepted}, "before": {checks}, "attempts": [{{
                    "after": {checks}, "objections": ["too <much>"],
                    "score_drop": {{"low": -0.01, "high": 0.02}}}}]}}"#
        ))
        .expect("test data")
    }

    #[test]
    fn refused_repairs_say_why() {
        let html = labels(false).html();
        assert!(html.contains("too &lt;much&gt;") && html.contains("left as it was"), "{html}");
        let html = labels(true).html();
        assert!(!html.contains("too &lt;much&gt;") && html.contains("90.0 % [60.0, 98.0]"));
        assert!(html.contains("fell by −1.0 to 2.0 points"), "{html}");
    }

    #[test]
    fn ranks_have_no_labels() {
        let checks = r#"{"mrr": 0.8, "normalized_rank": 0.1, "control": 0.5,
            "without_trigger": 0.5, "n": 9}"#;
        let text = format!(
            r#"{{"run": {{"inputs": ["abc"]}},
                "triggers": [{{"text": "b"}}, {{"text": "a"}}], "is_accepted": false,
                "accepted_attempt": 7, "before": {checks}, "attempts": []}}"#
        );
        let report = RepairReport::from_json(&text).expect("test data");
        assert!(report.is_of("abc") && !report.is_of("ab"));
        assert!(report.html().contains("<code>b</code>, <code>a</code>"));
        assert_eq!(report.before.rows().len(), 4);
    }

    #[test]
    fn other_files_are_refused() {
        let error = RepairReport::from_json(r#"{"attempts": []}"#).expect_err("not one");
        assert!(error.to_string().contains("purification.json"), "{error}");
    }
}
