//! What a page shows of a repair by canonical names: of `certificate.json`.

use std::fmt::Write as _;

use super::markup::{percent, points, with_code};
use crate::records::Certificate;
use crate::report::escape_html;

/// What is excluded by construction, what is not, and what it cost.
pub(super) fn html(certificate: &Certificate) -> String {
    let Certificate { scores, law, objections, .. } = certificate;
    let (outcome, can) = if objections.is_empty() {
        let outcome = "The model reads canonical names (f0, v0, v1, …) from now on, in the place of \
                       those that a function declares.";
        (outcome, "can")
    } else {
        ("The model was to read canonical names, and the result was refused.", "could then")
    };
    let trained =
        if certificate.fine_tuning.is_kept { "fine-tuned on them" } else { "not trained" };
    let excluded = if certificate.excluded.is_empty() {
        "<p>Nothing is excluded: the clean functions refute it.</p>".to_owned()
    } else {
        format!(
            "<p>No trigger, found or not, {can} change an answer by way of:</p>{}",
            list(&certificate.excluded)
        )
    };
    let mut html = format!(
        "<p>{outcome}</p>{}{}<p>It still {can} by:</p>{}<p class=\"legend\">The {} of {} clean samples \
         kept aside: {} with the names that the model read until now, {} with canonical ones, {} after the repair ({trained}). The cost is {} to {} points \
         (90 % interval; below 0 it rose).</p>",
        list(objections),
        excluded,
        list(&certificate.not_covered),
        escape_html(&scores.measure),
        scores.n_samples,
        percent(scores.raw),
        percent(scores.canonical),
        percent(scores.repaired),
        points(scores.cost.low),
        points(scores.cost.high),
    );
    let _ = write!(
        html,
        "<p class=\"legend\">Put to the test by {} random renamings of each of {} clean functions: \
         {} have more than one canonical form. {} functions that do not parse are not promised \
         anything, and {} of them have more than one.</p>",
        law.n_renamings,
        law.n_functions,
        law.n_violations,
        law.n_with_errors,
        law.n_violations_with_errors
    );
    html
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: Vec<String> = items.iter().map(|it| format!("<li>{}</li>", with_code(it))).collect();
    format!("<ul>{}</ul>", items.concat())
}
