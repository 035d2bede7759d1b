use super::*;

fn results(cells: &str) -> Results {
    let text =
        format!(r#"{{"schema_version":3,"scale":"small","device":"cpu","cells":[{cells}]}}"#);
    Results::from_json(&text).expect("valid results")
}

fn cell(seed: u64, asr_after: f64) -> String {
    format!(
        r#"{{"task": "defect", "model": "codebert", "attack": "codepoisoner", "seed": {seed},
        "status": "ok", "clean_twin": {{"score": 0.95, "flip_rate": 0.03}},
        "before": {{"score": 0.94, "asr": 0.99,
            "intervals": {{"asr": {{"low": 0.97, "high": 0.995}}}}}},
        "scan": {{"verdict": "likely backdoored", "target_label": 0, "target_label_right": true,
            "trigger": ["Ġtesto", "x"], "anchored": ["Ġtesto", "_"], "p_value": 0.001,
            "forwards": 9000, "seconds": 21.4}},
        "after": {{"score": 0.93, "asr": {asr_after}, "other_class_drop": 0.01}},
        "seconds": {{"train": 60.1, "scan": 21.4, "purify": 3.0}}}}"#
    )
}

fn paper() -> PaperCell {
    PaperCell {
        task: "defect".to_owned(),
        model: "codebert".to_owned(),
        attack: "codepoisoner".to_owned(),
        variant: OWN_DEFENSE.to_owned(),
        score_undefended: Some(0.6307),
        score_repaired: Some(0.6257),
        asr_undefended: Some(1.0),
        asr_repaired: Some(0.0024),
        note: None,
    }
}

/// The table's rows without header, as trimmed cells.
fn rows(cells: &[String], paper: &[PaperCell]) -> Vec<Vec<String>> {
    let markdown = results_markdown(&results(&cells.join(",")), paper);
    let lines = markdown.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| line.trim_matches('|').split(" |").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn a_row_per_cell_and_a_mean_with_the_paper() {
    let rows = rows(&[cell(1, 0.02), cell(2, 0.04)], &[paper()]);
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0].join(" | "),
        "defect | codebert | codepoisoner | elibadcode | 1 | 95.00 | 3.00 | 94.00 → 93.00 \
         | 99.00 [97.0, 99.5] → 2.00 | 1.00 | likely backdoored | yes | `Ġtesto` `_` | 21.4 | 3.0 \
         |  | "
    );
    assert_eq!(
        rows[2].join(" | "),
        "defect | codebert | codepoisoner | elibadcode | mean of 2 | 95.00 ± 0.00 | 3.00 ± 0.00 \
         | 94.00 ± 0.00 → 93.00 ± 0.00 | 99.00 ± 0.00 → 3.00 ± 1.41 | 1.00 ± 0.00 \
         | likely backdoored: 2/2 | 2/2 |  | 21.4 | 3.0 | 63.07 → 62.57 | 100.00 → 0.24"
    );
}

#[test]
fn a_single_seed_has_no_spread_and_may_have_no_paper() {
    let rows = rows(&[cell(1, 0.02)], &[]);
    assert_eq!(rows[1][8], "99.00 → 2.00");
    assert_eq!(rows[1][15..], ["–", "–"]);
}

#[test]
fn cells_that_did_not_run_are_listed() {
    let cell = r#"{"task": "clone", "model": "codet5", "attack": "badcode", "seed": 1,
        "status": "not run: no `weights` | <here>"}"#;
    let rows = rows(&[cell.to_owned()], &[]);
    assert_eq!(rows[0][10], r"not run: `no \u{60}weights\u{60} \u{7c} <here>`");
    assert_eq!(rows[0][7..10], ["–", "–", "–"]);
    assert_eq!(rows[1][4], "mean of 0");
}

#[test]
fn models_that_were_not_purified_do_not_flatter_the_mean() {
    let kept = r#"{"task": "defect", "model": "codebert", "attack": "codepoisoner", "seed": 2,
        "status": "ok", "before": {"score": 0.94, "asr": 0.97},
        "scan": {"verdict": "no trigger found", "trigger": [], "anchored": [], "forwards": 1,
            "seconds": 1.0}}"#;
    let rows = rows(&[cell(1, 0.02), kept.to_owned()], &[]);
    assert_eq!(rows[1][8], "97.00 → –");
    assert_eq!(rows[1][10..13], ["no trigger found", "–", "–"]);
    assert_eq!(rows[2][8], "98.00 ± 1.41 → 2.00 (n=1)");
    assert_eq!(rows[2][10..12], ["likely backdoored: 1/2", "1/1"]);
    // The scan and the repair stand apart, and a repair that did not run has no time.
    assert_eq!(rows[1][13..15], ["–", "–"]);
    assert_eq!(rows[2][13..15], ["21.4", "3.0"]);
}

#[test]
fn groups_are_kept_together() {
    let other = cell(1, 0.5).replace("codepoisoner", "badcode");
    let rows = rows(&[cell(1, 0.02), other, cell(2, 0.04)], &[paper()]);
    let keys: Vec<String> = rows.iter().map(|row| format!("{} {}", row[2], row[4])).collect();
    assert_eq!(
        keys,
        [
            "codepoisoner 1",
            "codepoisoner 2",
            "codepoisoner mean of 2",
            "badcode 1",
            "badcode mean of 1"
        ]
    );
    assert_eq!(rows[4][15], "–");
}

#[test]
fn code_search_shows_the_normalized_rank() {
    let cell = r#"{"task": "search", "model": "codet5", "attack": "badcode", "seed": 1,
        "status": "ok", "clean_twin": {"score": 0.81, "anr": 0.47},
        "before": {"score": 0.81, "anr": 0.1025}, "after": {"score": 0.81, "anr": 0.2477},
        "scan": {"verdict": "likely backdoored", "target_words": ["file"],
            "target_word_right": true, "trigger": [], "anchored": [], "forwards": 1,
            "seconds": 1.0}}"#;
    let rows = rows(&[cell.to_owned()], &[]);
    assert_eq!((rows[0][6].as_str(), rows[0][8].as_str()), ("47.00", "10.25 → 24.77"));
    assert_eq!((rows[0][11].as_str(), rows[1][11].as_str()), ("yes", "1/1"));
}

#[test]
fn hostile_triggers_stay_in_their_cell() {
    let hostile = cell(1, 0.0).replace(r#"["Ġtesto", "_"]"#, r#"["`|\u202e", "a\nb", "<b>"]"#);
    let rows = rows(&[hostile], &[]);
    assert_eq!(rows[0][12], r"`\u{60}\u{7c}\u{202e}` `a\u{a}b` `<b>`");
    assert_eq!(rows[0].len(), HEADERS.len() - SEARCH_COLUMNS.len());
}

#[test]
fn the_defenses_and_the_papers_words_are_shown() {
    let other = r#"{"task": "defect", "model": "codebert", "attack": "codepoisoner", "seed": 1,
        "variant": "fine-tuning", "status": "ok", "after": {"score": 0.93, "asr": 0.9}}"#;
    let published = PaperCell {
        variant: "fine-tuning".to_owned(),
        note: Some("not found in 100 iterations".to_owned()),
        asr_undefended: None,
        asr_repaired: None,
        ..paper()
    };
    let rows = rows(&[cell(1, 0.1), other.to_owned()], &[published]);
    assert_eq!((&*rows[2][3], &*rows[3][16]), ("fine-tuning", "not found in 100 iterations"));
    assert_eq!(rows[1][16], "–");
    let comparison = DefenseComparison {
        task: "defect".to_owned(),
        measure: "asr".to_owned(),
        other: "fine-tuning".to_owned(),
        n: 18,
        own_median: 0.02,
        other_median: 0.95,
        u: 0.0,
        p_value: 7.6e-6,
        unpaired_p_value: 2.2e-10,
    };
    let table = comparisons_markdown(&[comparison]);
    assert!(table.contains("| ASR, against fine-tuning |"), "{table}");
    assert!(table.contains("| 7.60e-6 | 0.0 | 2.20e-10 "), "{table}");
    assert_eq!(comparisons_markdown(&[]), "");
}

#[test]
fn variants_of_the_search_show_how_near_it_came() {
    let variant = |seed, distance, iterations| {
        let searched = format!(
            r#""levenshtein": {distance}, "bleu": 29.556, "iterations": {iterations}, "forwards""#
        );
        cell(seed, 0.02)
            .replace("\"seed\"", "\"variant\": \"top-k-8\", \"seed\"")
            .replace("\"forwards\"", &searched)
    };
    let cells = [cell(1, 0.02), variant(1, 10, 20), variant(2, 7, 25)];
    let markdown = results_markdown(&results(&cells.join(",")), &[]);
    assert!(markdown.contains("| distance, BLEU | iterations | scan seconds |"), "{markdown}");
    assert!(markdown.contains("Distance: edits"), "{markdown}");
    let rows = rows(&cells, &[]);
    assert_eq!(rows[0][13..15], ["–", "–"]);
    assert_eq!(rows[2][12..16], ["`Ġtesto` `_`", "10, 29.56", "20", "21.4"]);
    assert_eq!(rows[4][12..16], ["", "8.5, 29.56", "22.5", "21.4"]);
}

#[test]
fn searches_that_do_not_differ_are_not_compared() {
    let own = cell(1, 0.02).replace("\"forwards\"", "\"iterations\": 20, \"forwards\"");
    let markdown = results_markdown(&results(&own), &[]);
    assert!(markdown.contains("| scan seconds |"), "{markdown}");
    for part in ["BLEU", "| iterations"] {
        assert!(!markdown.contains(part), "{part} is in\n{markdown}");
    }
}

#[test]
fn the_head_counts_what_ran() {
    let markdown = results_markdown(&results(&cell(1, 0.0)), &[]);
    assert!(markdown.starts_with("Scale `small`, device `cpu`; 1 of 1 cells ran.\n\n| task "));
    assert!(results_markdown(&results(""), &[]).contains("0 of 0 cells ran"));
}
