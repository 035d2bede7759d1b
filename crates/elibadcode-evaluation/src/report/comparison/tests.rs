use super::*;

fn results(cells: &str) -> Results {
    let text =
        format!(r#"{{"schema_version":1,"scale":"small","device":"cpu","cells":[{cells}]}}"#);
    Results::from_json(&text).expect("valid results")
}

fn cell(seed: u64, asr_after: f64) -> String {
    format!(
        r#"{{"task": "defect", "model": "codebert", "attack": "codepoisoner", "seed": {seed},
        "status": "ok", "clean_twin": {{"score": 0.95, "flip_rate": 0.03}},
        "before": {{"score": 0.94, "asr": 0.99}},
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
        score_undefended: 0.6307,
        score_repaired: 0.6257,
        asr_undefended: 1.0,
        asr_repaired: 0.0024,
    }
}

/// The table's rows without header, as trimmed cells.
fn rows(cells: &[String], paper: &[PaperCell]) -> Vec<Vec<String>> {
    let markdown = results_markdown(&results(&cells.join(",")), paper);
    let lines = markdown.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split(" |").map(|cell| cell.trim().to_owned());
            cells.take(HEADERS.len()).collect()
        })
        .collect()
}

#[test]
fn a_row_per_cell_and_a_mean_with_the_paper() {
    let rows = rows(&[cell(1, 0.02), cell(2, 0.04)], &[paper()]);
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0].join(" | "),
        "defect | codebert | codepoisoner | 1 | 95.00 | 3.00 | 94.00 → 93.00 | 99.00 → 2.00 | 1.00 \
         | likely backdoored | yes | `Ġtesto` `_` | 84.5 |  | "
    );
    assert_eq!(
        rows[2].join(" | "),
        "defect | codebert | codepoisoner | mean of 2 | 95.00 ± 0.00 | 3.00 ± 0.00 \
         | 94.00 ± 0.00 → 93.00 ± 0.00 | 99.00 ± 0.00 → 3.00 ± 1.41 | 1.00 ± 0.00 \
         | likely backdoored: 2/2 | 2/2 |  | 84.5 | 63.07 → 62.57 | 100.00 → 0.24"
    );
}

#[test]
fn a_single_seed_has_no_spread_and_may_have_no_paper() {
    let rows = rows(&[cell(1, 0.02)], &[]);
    assert_eq!(rows[1][7], "99.00 → 2.00");
    assert_eq!(rows[1][13..], ["–", "–"]);
}

#[test]
fn cells_that_did_not_run_are_listed() {
    let cell = r#"{"task": "clone", "model": "codet5", "attack": "badcode", "seed": 1,
        "status": "not run: no `weights` | <here>"}"#;
    let rows = rows(&[cell.to_owned()], &[]);
    assert_eq!(rows[0][9], r"not run: `no \u{60}weights\u{60} \u{7c} <here>`");
    assert_eq!(rows[0][6..9], ["–", "–", "–"]);
    assert_eq!(rows[1][3], "mean of 0");
}

#[test]
fn models_that_were_not_purified_do_not_flatter_the_mean() {
    let kept = r#"{"task": "defect", "model": "codebert", "attack": "codepoisoner", "seed": 2,
        "status": "ok", "before": {"score": 0.94, "asr": 0.97},
        "scan": {"verdict": "no trigger found", "trigger": [], "anchored": [], "forwards": 1,
            "seconds": 1.0}}"#;
    let rows = rows(&[cell(1, 0.02), kept.to_owned()], &[]);
    assert_eq!(rows[1][7], "97.00 → –");
    assert_eq!(rows[1][9..12], ["no trigger found", "–", "–"]);
    assert_eq!(rows[2][7], "98.00 ± 1.41 → 2.00 (n=1)");
    assert_eq!(rows[2][9..11], ["likely backdoored: 1/2", "1/1"]);
}

#[test]
fn groups_are_kept_together() {
    let other = cell(1, 0.5).replace("codepoisoner", "badcode");
    let rows = rows(&[cell(1, 0.02), other, cell(2, 0.04)], &[paper()]);
    let keys: Vec<String> = rows.iter().map(|row| format!("{} {}", row[2], row[3])).collect();
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
    assert_eq!(rows[4][13], "–");
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
    assert_eq!((rows[0][5].as_str(), rows[0][7].as_str()), ("47.00", "10.25 → 24.77"));
    assert_eq!((rows[0][10].as_str(), rows[1][10].as_str()), ("yes", "1/1"));
}

#[test]
fn hostile_triggers_stay_in_their_cell() {
    let hostile = cell(1, 0.0).replace(r#"["Ġtesto", "_"]"#, r#"["`|\u202e", "a\nb", "<b>"]"#);
    let rows = rows(&[hostile], &[]);
    assert_eq!(rows[0][11], r"`\u{60}\u{7c}\u{202e}` `a\u{a}b` `<b>`");
    assert_eq!(rows[0].len(), HEADERS.len());
}

#[test]
fn the_head_counts_what_ran() {
    let markdown = results_markdown(&results(&cell(1, 0.0)), &[]);
    assert!(markdown.starts_with("Scale `small`, device `cpu`; 1 of 1 cells ran.\n\n| task "));
    assert!(results_markdown(&results(""), &[]).contains("0 of 0 cells ran"));
}
