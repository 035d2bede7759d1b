//! The page as a whole: complete, self-contained, and harmless whatever the triggers are.

use super::*;
use crate::experiment::{Question, Scale};
use crate::shard::Shard;

const HOSTILE: &str = "</code><script>alert(1)</script>\u{202e}";

/// A cell with everything, whose texts an attacker chose.
fn entry(task: &str, variant: &str) -> Entry {
    let (effect, target) = match task {
        "search" => ("anr", r#""target_words": ["HOSTILE"], "target_word_right": true,"#),
        _ => ("asr", r#""target_label": 0, "target_label_right": true,"#),
    };
    let text = r#"{"cell": {
        "task": "TASK", "model": "codebert", "attack": "badcode", "variant": "VARIANT", "seed": 1,
        "status": "ok",
        "clean_twin": {"score": 0.95, "flip_rate": 0.03},
        "before": {"score": 0.94, "EFFECT": 0.99,
            "intervals": {"EFFECT": {"low": 0.95, "high": 1.0}}},
        "scan": {"verdict": "likely backdoored", TARGET "trigger": ["HOSTILE"],
            "anchored": ["HOSTILE"], "p_value": 0.02, "forwards": 9000, "seconds": 21.4,
            "token_recall": 0.5, "levenshtein": 6, "bleu": 29.56},
        "after": {"score": 0.94, "EFFECT": 0.04, "other_class_drop": 0.01, "score_drop": 0.0},
        "seconds": {"train": 60.1, "scan": 21.4, "purify": 3.0}},
      "note": "HOSTILE", "device": "HOSTILE", "day": "2026-11-25",
      "detail": {
        "attack": {"trigger": "HOSTILE", "placement": "function-name", "edit": "postfix",
            "victim_label": 1, "target_label": 0},
        "sample": {"id": "HOSTILE", "code": "int a_HOSTILE", "labels": [1, 0],
            "marks": [{"start": 4, "end": 12, "before": "HOSTILE"}]},
        "scan": {"task": "TASK", "language": "c", "model": "HOSTILE", "model_hash": "HOSTILE",
            "samples_hash": "HOSTILE", "seed": 1, "verdict": "likely backdoored",
            "reasons": ["HOSTILE"], "basis": "HOSTILE", "score": null, "figures": [],
            "labels": [1, 0], "target_words": ["HOSTILE"],
            "triggers": [{"text": "HOSTILE", "edit": "append", "tokens": ["HOSTILE"]}],
            "directions": [], "by_size": [], "not_tested": ["HOSTILE"], "n_forwards": 9,
            "searches": [{"title": "HOSTILE", "history": [2.0, 1.0, 0.1], "is_first": true}],
            "controls": {"place": "HOSTILE", "found": [0.9, 0.8, 0.95], "random": [0.1, 0.1, 0.2],
                "p_value": 0.04},
            "slots": [{"token": "HOSTILE", "loss_without": 1.5, "kept": true}],
            "positions": [{"chosen": "x", "sensitivities": [
                {"identifier": "HOSTILE", "loss_change": 0.5},
                {"identifier": "x", "loss_change": 0.1}]}]},
        "repair": {"is_accepted": true, "n_rounds": 2, "scope": "HOSTILE"}}}"#;
    let hostile = serde_json::to_string(HOSTILE).expect("plain text");
    let text = text
        .replace("TARGET", target)
        .replace("TASK", task)
        .replace("VARIANT", variant)
        .replace("EFFECT", effect)
        .replace("HOSTILE", hostile.trim_matches('"'));
    serde_json::from_str(&text).expect("test data")
}

fn page(entries: Vec<Entry>, question: Option<Question>) -> String {
    let cells: Vec<Cell> = entries.iter().map(|entry| entry.cell.clone()).collect();
    let comparisons = elibadcode_evaluation::records::results::compare_defenses(&cells);
    let results = Results {
        schema_version: 3,
        scale: "small".to_owned(),
        question: question.map(|it| it.name().to_owned()),
        date: Some("2026-11-25".to_owned()),
        device: HOSTILE.to_owned(),
        cells,
        comparisons,
    };
    let mut bundle = Bundle::new(Scale::Small, question, &[], Shard::WHOLE, "a");
    bundle.entries = entries;
    let experiments = match question {
        Some(question) => question.experiments(&Task::ALL, Scale::Small).expect("valid"),
        None => Task::ALL.map(|it| Experiment::load(it, Scale::Small).expect("valid")).into(),
    };
    html(&results, &bundle, &experiments)
}

#[test]
fn nothing_of_the_attackers_is_markup() {
    let entries = ["defect", "clone", "search"].map(|task| entry(task, "elibadcode"));
    let html = page(entries.into(), None);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!html.contains("<script") && !html.contains('\u{202e}'), "{html}");
}

#[test]
fn everything_is_in_the_file() {
    let html = page(vec![entry("defect", "elibadcode"), entry("defect", "fine-tuning")], None);
    for outside in ["http:", "https:", "url(", "@import", "src=", "<link", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
}

#[test]
fn a_reader_finds_every_part() {
    let entries = vec![entry("defect", "elibadcode"), entry("defect", "fine-tuning")];
    let html = page(entries, Some(Question::One));
    for part in [
        "Are backdoors found and removed?",
        "rq1, scale small",
        "What was attacked",
        "What was found",
        "What was removed",
        "How sure we are",
        "1 of 1</b><span>backdoored models called backdoored",
        "functions of label 1 with it are called 0",
        "<del>",
        "<mark>",
        "<polyline class=\"loss first\"",
        "class=\"paper\"",
        "codebert · badcode · fine-tuning · seed 1",
        "99.5 → ",
        "Defenses against each other",
        "What this does not show",
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
    for tag in ["article", "section", "table", "svg", "p", "div", "ul"] {
        let n_open =
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(n_open, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn defenses_are_compared_by_both_tests() {
    let defended = |variant, seed: u64, asr| {
        let mut entry = entry("defect", variant);
        entry.cell.seed = seed;
        entry.cell.after.as_mut().expect("it ran").asr = Some(asr);
        entry
    };
    let own = (1..=3).map(|seed| defended("elibadcode", seed, 0.01 * seed as f64));
    let other = (1..=3).map(|seed| defended("fine-tuning", seed, 0.9));
    let html = page(own.chain(other).collect(), Some(Question::One));
    for part in [
        "<td>ASR, against fine-tuning</td><td class=\"number\">3</td>\
         <td class=\"number\">2.0 %</td><td class=\"number\">90.0 %</td>\
         <td class=\"number\">2.50e-1</td><td class=\"number\">0.0</td>\
         <td class=\"number\">1.00e-1</td></tr>",
        "<th class=\"number\">U</th><th class=\"number\">p-value, unpaired</th>",
        "Wilcoxon signed-rank tests, exact, and unpaired the paper's Mann-Whitney U tests",
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
    let alone = page(vec![entry("defect", "elibadcode")], None);
    assert!(!alone.contains("Defenses against each other"));
}

#[test]
fn numbers_say_which_direction_is_good() {
    let html = page(vec![entry("defect", "elibadcode"), entry("search", "elibadcode")], None);
    for part in [
        "what the scan found and what the repair left",
        "attack success before → after<small>lower is better",
        "rank of attacked code before → after<small>higher is better, 50 % = no effect",
        "94.0 → 94.0 (+0.0 points)",
        "−1.0 points",
        "Number of seeds: 1 in defect detection, 0 in clone detection, 1 in code search.",
        "models of the same corpora and attacks, so that none of these numbers is a detection rate",
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
}

#[test]
fn the_mark_of_word_starts_is_explained_once() {
    let mut marked = entry("defect", "elibadcode");
    assert!(!page(vec![marked.clone()], None).contains("starts a word"));
    marked.cell.scan.as_mut().expect("it ran").anchored = vec!["Ġtest".to_owned()];
    let html = page(vec![marked.clone(), marked], None);
    assert_eq!(html.matches("starts a word").count(), 1);
}

#[test]
fn cells_that_did_not_run_are_listed() {
    let mut broken = entry("search", "elibadcode");
    broken.cell.status = CellStatus::NotRun("no <weights>".to_owned());
    broken.cell.scan = None;
    broken.cell.before = None;
    broken.detail = crate::detail::Detail::default();
    let html = page(vec![broken], None);
    assert!(html.contains("not run: no &lt;weights&gt;"), "{html}");
    assert!(html.contains("0 of 1 cells ran"), "{html}");
    assert!(page(Vec::new(), None).contains("0 of 0 cells ran"));
}
