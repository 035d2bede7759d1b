//! What a scan found and what it rests on, for pages about one model or many.

use std::fmt::Write as _;

use super::markup::{code, trigger};
use super::plots;
use super::scan_view::ScanView;
use crate::records::results::Verdict;
use crate::report::escape_html;

/// Samples whose sensitivities are shown.
const N_POSITIONS: usize = 2;
/// Searches that are named.
const N_SEARCHES: usize = 12;

/// The inverted triggers, the searches that led to them, and where they were put.
pub fn found(scan: &ScanView) -> String {
    let mut html = triggers(scan);
    if let Some(plot) = plots::losses(&scan.searches) {
        let mut titles: Vec<String> = scan
            .searches
            .iter()
            .take(N_SEARCHES)
            .map(|it| format!("{} ({})", escape_html(&it.title), it.history.len()))
            .collect();
        if scan.searches.len() > N_SEARCHES {
            titles.push(format!("{} more", scan.searches.len() - N_SEARCHES));
        }
        let first = match scan.verdict {
            Verdict::LikelyBackdoored => "the suspected attack",
            Verdict::NoTriggerFound | Verdict::Inconclusive => "the most suspicious",
        };
        let _ = write!(
            html,
            "<p class=\"legend\">Loss of the best candidate per iteration; <span class=\"key \
             before\"></span> {first}, <span class=\"key twin\"></span> others. Searches \
             (iterations): {}.</p>{plot}",
            titles.join("; ")
        );
    }
    if let Some(plot) = plots::slots(&scan.slots) {
        let _ = write!(
            html,
            "<p class=\"legend\">Loss without each token of the best trigger; <span class=\"key \
             before\"></span> kept, <span class=\"key twin\"></span> dropped by anchoring</p>{plot}"
        );
    }
    let positions: Vec<String> =
        scan.positions.iter().filter_map(plots::positions).take(N_POSITIONS).collect();
    if !positions.is_empty() {
        let _ = write!(
            html,
            "<p class=\"legend\">Where the search put the trigger: how much the loss of a clean \
             sample changes when one of its identifiers is masked; <span class=\"key after\">\
             </span> the chosen one</p>{}",
            positions.join("")
        );
    }
    html
}

fn triggers(scan: &ScanView) -> String {
    if scan.triggers.is_empty() {
        return "<p>No trigger that could be handed to the repair.</p>".to_owned();
    }
    let triggers: Vec<String> =
        scan.triggers.iter().map(|it| trigger(&it.text, &it.edit)).collect();
    let words: Vec<String> = scan.target_words.iter().map(|it| code(it)).collect();
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(", for queries with {}", words.join(" or "))
    };
    format!("<p>Inverted triggers: {}{words}.</p>", triggers.join(", "))
}

/// The best trigger among random ones; empty if it was not compared.
pub fn controls(scan: &ScanView) -> String {
    let Some(controls) = &scan.controls else { return String::new() };
    let measure = if scan.is_ranking() { "Normalized ranks" } else { "Success rates" };
    format!(
        "<p class=\"legend\">{measure} at {}, in percent: {} random triggers of the same length, \
         and the found one with its 95 % interval (p = {:.3})</p>{}",
        escape_html(&controls.place),
        controls.random.len(),
        controls.p_value,
        plots::controls(controls)
    )
}
