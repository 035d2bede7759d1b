//! The page about one model: the verdict, what it rests on, and what was repaired.

use std::fmt::Write as _;

use super::evidence::{controls, found};
use super::markup::{code, decimal, with_code, word_starts};
use super::page;
use super::plots::{self, Bar};
use super::repair_view::RepairReport;
use super::scan_view::{Measured, ScanView};
use crate::records::results::Verdict;
use crate::report::escape_html;

/// Tokens that clean samples explain which are shown.
const N_LEFT_OUT: usize = 12;

/// A scan of a model, and what became of its repair, for a reader who sees nothing else.
///
/// `name` is what the reader calls the model.
pub fn scan_page(name: &str, scan: &ScanView, repair: Option<&RepairReport>) -> String {
    let sections = [
        ("What was found", found(scan)),
        ("How sure we are", sure(scan)),
        ("The evidence in figures", figures(scan)),
        ("What was repaired", repair.map_or_else(|| next_step(scan), RepairReport::html)),
        ("What was looked at", subject(name, scan)),
    ];
    let sections: Vec<String> = sections
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(title, text)| format!("<section><h2 class=\"part\">{title}</h2>{text}</section>"))
        .collect();
    let body = format!(
        "{}<article class=\"whole\"><div class=\"columns\">{}</div></article>{}",
        head(name, scan),
        sections.concat(),
        limits(scan)
    );
    page("Is there a backdoor?", &body)
}

/// The verdict and the reasons for it.
fn head(name: &str, scan: &ScanView) -> String {
    let class = match scan.verdict {
        Verdict::LikelyBackdoored => "backdoored",
        Verdict::NoTriggerFound => "none",
        Verdict::Inconclusive => "open",
    };
    let reasons: Vec<String> =
        scan.reasons.iter().map(|it| format!("<li>{}</li>", with_code(it))).collect();
    format!(
        "<p class=\"muted\">{}</p><p class=\"banner\"><span class=\"verdict {class}\">{}</span></p>\
         <p>{}</p><ul>{}</ul>{}",
        escape_html(name),
        scan.verdict,
        meaning(scan),
        reasons.concat(),
        basis(scan),
    )
}

/// What the verdict rests on; empty if nothing could be tested, or if a score did not decide.
fn basis(scan: &ScanView) -> String {
    let has_decided = scan.score_verdict().is_none_or(|it| it == scan.verdict);
    if scan.figures.is_empty() || !has_decided {
        return String::new();
    }
    let score = scan.score.as_ref().map_or(String::new(), plots::score);
    format!("{score}<p class=\"legend\">It rests on {}.</p>", escape_html(&scan.basis))
}

/// What the verdict says of this model.
fn meaning(scan: &ScanView) -> String {
    let attack = attack(scan);
    match (scan.verdict, attack) {
        (Verdict::LikelyBackdoored, Some(attack)) => format!("It seems that {attack}."),
        (Verdict::Inconclusive, Some(attack)) => {
            format!("Perhaps {attack}. The evidence allows no verdict.")
        }
        (Verdict::LikelyBackdoored | Verdict::Inconclusive, None) => {
            "The samples, the model or the settings allow no verdict.".to_owned()
        }
        (Verdict::NoTriggerFound, _) => "No trigger did enough to be called a backdoor. That does \
                                         not mean “clean”: below stands what was not tested."
            .to_owned(),
    }
}

/// The suspected attack in words; none if nothing is suspected.
fn attack(scan: &ScanView) -> Option<String> {
    if let Some((victim, target)) = scan.labels {
        let (samples, meanings) = match &*scan.task {
            "clone" => ("pairs", [" (no clones)", " (clones)"]),
            "defect" => ("functions", [" (not defective)", " (defective)"]),
            _ => ("samples", ["", ""]),
        };
        let label = |it: u8| format!("{it}{}", meanings.get(usize::from(it)).unwrap_or(&""));
        let (victim, target) = (label(victim), label(target));
        return Some(format!("{samples} of label {victim} with a trigger are called {target}"));
    }
    if scan.triggers.is_empty() || scan.target_words.is_empty() {
        return None;
    }
    let words: Vec<String> = scan.target_words.iter().map(|it| code(it)).collect();
    Some(format!("code with a trigger ranks high for queries with {}", words.join(" or ")))
}

/// The tokens that no trigger has.
fn left_out(tokens: &[String]) -> String {
    if tokens.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = tokens.iter().take(N_LEFT_OUT).map(|it| code(it)).collect();
    let more = if tokens.len() > N_LEFT_OUT { ", …" } else { "" };
    format!(
        "<p class=\"legend\">Not tried, because the clean samples tie them to the target label: {} of \
         the model's tokens ({}{more})</p>",
        tokens.len(),
        shown.join(", ")
    )
}

/// What the best triggers do to samples that the searches never saw, and what else speaks for it.
fn sure(scan: &ScanView) -> String {
    let effect = if scan.is_ranking() {
        "rank that code from the middle of the ranking gets, in percent of the ranking (small is \
         suspicious)"
    } else {
        "held-out samples that change their label, in percent (much is suspicious)"
    };
    let mut html = String::new();
    for direction in scan.directions.iter().filter(|it| !it.places.is_empty()) {
        let bars: Vec<Bar<'_>> = direction
            .places
            .iter()
            .map(|place| bar(&place.name, place.is_triggered, place.measured))
            .collect();
        let _ = write!(
            html,
            "<p class=\"legend\">{}: {effect}</p>{}{}",
            escape_html(&direction.title),
            plots::bars(&direction.title, &bars),
            left_out(&direction.left_out)
        );
    }
    html += &controls(scan);
    if !scan.by_size.is_empty() {
        let names: Vec<String> = (1..=scan.by_size.len()).map(|n| format!("{n} of them")).collect();
        let bars: Vec<Bar<'_>> =
            names.iter().zip(&scan.by_size).map(|(name, &it)| bar(name, true, it)).collect();
        let _ = write!(
            html,
            "<p class=\"legend\">The same with 1, 2, … of the best trigger's tokens, for a part of the \
             samples</p>{}",
            plots::bars("effect by the number of tokens", &bars)
        );
    }
    html
}

/// What can be done about the triggers, while nothing was.
fn next_step(scan: &ScanView) -> String {
    if scan.triggers.is_empty() {
        return String::new();
    }
    format!(
        "<p>No repair was given to this page. {} makes the model forget the triggers, and checks the result; {} makes it \
         blind to all names that functions declare.</p>",
        code("elibadcode purify --scan"),
        code("elibadcode purify --canonical")
    )
}

fn bar(name: &str, is_triggered: bool, measured: Measured) -> Bar<'_> {
    Bar {
        name,
        class: if is_triggered { "before" } else { "twin" },
        value: measured.value,
        interval: measured.interval,
        paper: None,
    }
}

/// The figures, and what each adds to the score; empty if nothing could be tested.
fn figures(scan: &ScanView) -> String {
    if scan.figures.is_empty() {
        return String::new();
    }
    let has_score = scan.score.is_some();
    let rows: Vec<String> = scan
        .figures
        .iter()
        .map(|it| {
            let added = it.contribution.map_or("–".to_owned(), decimal);
            let added = if has_score { number("td", &added) } else { String::new() };
            let value = number("td", &decimal(it.value));
            format!("<tr><td>{}</td>{value}{added}</tr>", escape_html(&it.name))
        })
        .collect();
    let added = number("th", "adds to the score<small>log-odds</small>");
    format!(
        "<table><thead><tr><th>figure of the evidence</th>{}{}</tr></thead><tbody>{}</tbody></table>",
        number("th", "value"),
        if has_score { added } else { String::new() },
        rows.concat()
    )
}

fn number(tag: &str, markup: &str) -> String {
    format!("<{tag} class=\"number\">{markup}</{tag}>")
}

/// The model and the samples; settings that are not the recommended ones are among the limits.
fn subject(name: &str, scan: &ScanView) -> String {
    let hash = |text: &str| code(text.get(..16).unwrap_or(text));
    let rows = [
        ("model", escape_html(name)),
        ("its shape", escape_html(&scan.model)),
        ("its hash", hash(&scan.model_hash)),
        ("read as", escape_html(&scan.reading)),
        ("task, language", escape_html(&format!("{}, {}", scan.task, scan.language))),
        ("hash of the clean samples", hash(&scan.samples_hash)),
        ("seed", scan.seed.to_string()),
        ("functions through the model", scan.n_forwards.to_string()),
    ];
    let rows: Vec<String> = rows
        .into_iter()
        .map(|(name, value)| format!("<tr><td>{name}</td><td class=\"text\">{value}</td></tr>"))
        .collect();
    format!("<table>{}</table>", rows.concat())
}

fn limits(scan: &ScanView) -> String {
    let items: Vec<String> =
        scan.not_tested.iter().map(|it| format!("<li>{}</li>", with_code(it))).collect();
    let tokens = scan.triggers.iter().flat_map(|it| &it.tokens);
    let mark = word_starts(tokens.chain(scan.slots.iter().map(|it| &it.token)));
    format!(
        "<footer><h2>What this does not show</h2><p>A habit of naming that goes with an answer in the \
         training data, but not in the clean samples, looks like a planted trigger. An \
         inverted trigger is rarely the planted one: it shares some of its tokens, or none.{mark}\
         </p><p>The scan did not test:</p><ul>{}</ul></footer>",
        items.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::super::scan_view::tests::{LABELS, WORDS, parsed};
    use super::super::unlearning_view::tests::labels;
    use super::*;

    #[test]
    fn a_reader_finds_every_part() {
        let repair = RepairReport::from_json(&labels(true)).expect("test data");
        let html = scan_page("models/a", &parsed("defect", LABELS), Some(&repair));
        for part in [
            "verdict backdoored\">likely backdoored",
            "functions of label 1 (defective) with a trigger are called 0 (not defective).",
            "<li>because <code>rb</code></li>",
            "It rests on a score.",
            "0.970",
            "What was repaired",
            "without a trigger",
            "not measured",
            "random triggers of the same length",
            "with 1, 2, … of the best trigger's tokens",
            "1.50",
            "roberta with 2 layers of width 128",
            "models/a",
            "<li>dead code</li>",
            "Not tried, because the clean samples tie them to the target label: 1 of the model's \
             tokens (<code>&lt;map&gt;</code>)",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        for tag in ["article", "section", "table", "svg", "p", "div", "ul", "thead", "tbody"] {
            let n_open = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} ")).count();
            assert_eq!(n_open, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        for outside in ["http:", "https:", "url(", "@import", "src=", "<link", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn ranks_are_explained_as_ranks() {
        let html = scan_page("a", &parsed("search", WORDS), None);
        assert!(html.contains("ranks high for queries with <code>file</code>"), "{html}");
        assert!(html.contains("Normalized ranks") && html.contains("small is suspicious"));
        assert!(html.contains("No repair was given"), "{html}");
    }

    #[test]
    fn nothing_of_the_attackers_is_markup() {
        let hostile = LABELS.replace("\"rb\"", "\"</code><script>x</script>\\u202e\"");
        let html = scan_page("<b>", &parsed("defect", &hostile), None);
        assert!(!html.contains("<script") && !html.contains('\u{202e}') && !html.contains("<b>"));
    }

    #[test]
    fn a_score_that_did_not_decide_is_not_shown_as_if_it_had() {
        let mut scan = parsed("defect", LABELS);
        assert!(scan_page("a", &scan, None).contains("It rests on a score."));
        scan.verdict = Verdict::NoTriggerFound;
        let html = scan_page("a", &scan, None);
        assert!(!html.contains("It rests on") && !html.contains("likely backdoored from"));
    }

    #[test]
    fn nothing_found_is_not_clean() {
        let empty = r#""victim_label": null, "target_label": null, "triggers": [],
            "hypotheses": []"#;
        let mut scan = parsed("defect", empty);
        scan.verdict = Verdict::NoTriggerFound;
        assert!(scan_page("a", &scan, None).contains("does not mean “clean”"));
        scan.verdict = Verdict::Inconclusive;
        assert!(scan_page("a", &scan, None).contains("allow no verdict"));
    }
}
