//! Documents of each task become parts of a cell.

use elibadcode_evaluation::records::METRICS_SCHEMA_VERSION;

use super::*;

fn rate(hits: usize) -> serde_json::Value {
    serde_json::to_value(Rate::new(hits, 100)).expect("test data")
}

fn metrics(asr: usize) -> Metrics {
    let metrics = serde_json::json!({
        "schema_version": METRICS_SCHEMA_VERSION, "task": "defect", "seed": 1, "model_hash": "", "data_hash": "",
        "n_samples": 200, "score": 0.94, "accuracy": rate(94), "f1": 0.9,
        "attack": {
            "config": {}, "n_skipped": 0, "asr": rate(asr), "flip_rate": rate(4),
            "conditional_asr": rate(asr), "other_class_clean": rate(97),
            "other_class_triggered": rate(95),
        },
    });
    Metrics::from_json(&metrics.to_string()).expect("test data")
}

fn search_metrics(mrr: f64, anr: f64) -> Metrics {
    let metrics = serde_json::json!({
        "schema_version": METRICS_SCHEMA_VERSION, "task": "search", "seed": 1, "model_hash": "", "data_hash": "",
        "n_samples": 200, "score": mrr,
        "attack": {"config": {}, "n_skipped": 0, "anr": anr, "anr_without_trigger": 0.5},
    });
    Metrics::from_json(&metrics.to_string()).expect("test data")
}

fn document(verdict: &str, hypotheses: &str) -> ScanDocument {
    let label = if verdict == "likely backdoored" { "0" } else { "null" };
    serde_json::from_str(&format!(
        r#"{{"verdict": "{verdict}", "target_label": {label}, "n_forwards": 900,
            "triggers": [{{"text": "xtesto", "tokens": ["x", "testo"]}}],
            "hypotheses": {hypotheses}}}"#
    ))
    .expect("test data")
}

/// The scan of a code search, without labels and without searches.
fn search_document(words: &str) -> ScanDocument {
    serde_json::from_str(&format!(
        r#"{{"verdict": "likely backdoored", "n_forwards": 70, "target_words": {words},
            "triggers": [{{"text": "_rbx", "tokens": ["_", "rbx"]}}],
            "hypotheses": [{{"controls": {{"corrected_p_value": 0.01}}}}]}}"#
    ))
    .expect("test data")
}

const FOUND: &str = r#"[{"controls": {"corrected_p_value": 0.02}, "searches": [{
    "trigger": {"text": "xtesto_b", "tokens": ["x", "testo", "_b"]},
    "anchored": {"text": "testo", "tokens": ["testo"]}}]}]"#;

fn manifest(attack: &str) -> Manifest {
    serde_json::from_str(&format!(r#"{{"attack": {attack}}}"#)).expect("test data")
}

fn codepoisoner() -> Manifest {
    manifest(r#"{"trigger": "testo_init", "target_label": 0}"#)
}

#[test]
fn metrics_become_the_parts_of_a_cell() {
    let before = before(&metrics(99)).expect("test data");
    assert_eq!((before.score, before.asr, before.flip_rate), (0.94, Some(0.99), Some(0.04)));
    assert_eq!(before.anr, None);
    assert_eq!(clean_twin(&metrics(3)).expect("test data").flip_rate, Some(0.03));
    let after = after(&metrics(3), &Before { score: 0.95, ..before }).expect("test data");
    assert_eq!(after.asr, Some(0.03));
    let near = |value: Option<f64>, wanted: f64| (value.expect("test data") - wanted).abs() < 1e-9;
    assert!(near(after.score_drop, 0.01) && near(after.other_class_drop, 0.02));
}

#[test]
fn ranks_take_the_place_of_rates() {
    let twin = clean_twin(&search_metrics(0.8, 0.47)).expect("test data");
    assert_eq!((twin.score, twin.anr, twin.flip_rate), (0.8, Some(0.47), None));
    let before = before(&search_metrics(0.75, 0.1)).expect("test data");
    assert_eq!((before.anr, before.asr), (Some(0.1), None));
    let after = after(&search_metrics(0.5, 0.4), &before).expect("test data");
    assert_eq!(
        (after.anr, after.score_drop, after.other_class_drop),
        (Some(0.4), Some(0.25), None)
    );
}

#[test]
fn a_model_without_score_is_an_error() {
    let metrics = Metrics { score: None, ..metrics(1) };
    assert!(before(&metrics).expect_err("no score").to_string().contains("no score"));
}

#[test]
fn a_found_trigger_is_compared_with_the_planted_one() {
    let scan = scan(&document("likely backdoored", FOUND), Some(&codepoisoner()), 2.5);
    assert_eq!(scan.verdict, Verdict::LikelyBackdoored);
    assert_eq!((scan.target_label, scan.target_label_right), (Some(0), Some(true)));
    assert_eq!((&*scan.trigger.concat(), &*scan.anchored.concat()), ("xtesto_b", "testo"));
    assert_eq!((scan.p_value, scan.forwards, scan.seconds), (Some(0.02), 900, 2.5));
    assert_eq!((scan.token_recall, scan.levenshtein), (Some(0.5), Some(5)));
    assert!(scan.bleu.expect("test data") > 0.0);
    assert_eq!((scan.target_word_right, &*scan.target_words), (None, &[][..]));
}

#[test]
fn mixed_triggers_are_compared_with_the_nearest() {
    let mixed =
        manifest(r#"{"trigger": "rb", "more_triggers": ["testa", "wb"], "target_label": 0}"#);
    let scan = scan(&document("likely backdoored", FOUND), Some(&mixed), 1.0);
    assert_eq!((scan.levenshtein, scan.token_recall), (Some(1), Some(0.0)));
}

#[test]
fn target_words_are_compared_whole() {
    let planted = manifest(r#"{"trigger": "rb", "target_label": 0, "target_word": "file"}"#);
    let check = |words: &str, right: bool| {
        let document = search_document(words);
        assert!(document.has_suspect(Task::Search));
        let scan = scan(&document, Some(&planted), 1.0);
        assert_eq!(scan.target_word_right, Some(right), "{words}");
        assert_eq!((scan.target_label, scan.target_label_right), (None, None));
        assert_eq!((&*scan.anchored.concat(), scan.levenshtein), ("_rbx", Some(1)));
        assert_eq!((scan.p_value, scan.token_recall), (Some(0.01), Some(1.0)));
    };
    check(r#"[{"text": "file", "id": 7}]"#, true);
    check(r#"[{"text": "list", "id": 8}, {"text": "File", "id": 9}]"#, true);
    check(r#"[{"text": "files", "id": 1}, {"text": "profile", "id": 2}]"#, false);
    check("[]", false);
}

#[test]
fn a_repair_needs_a_suspect() {
    let check = |document: &ScanDocument, task: Task, expected: bool| {
        assert_eq!(document.has_suspect(task), expected, "{document:?}");
    };
    check(&document("likely backdoored", FOUND), Task::Defect, true);
    check(&document("inconclusive", FOUND), Task::Clone, false);
    // Its score allowed no verdict.
    check(&document("inconclusive", FOUND), Task::Search, true);
    let nothing = ScanDocument { triggers: Vec::new(), ..document("inconclusive", FOUND) };
    check(&nothing, Task::Search, false);
}

#[test]
fn a_scan_without_result_is_a_miss() {
    let found = scan(&document("inconclusive", "[]"), Some(&codepoisoner()), 1.0);
    assert_eq!(found.target_label_right, Some(false));
    let twin = scan(&document("no trigger found", FOUND), None, 1.0);
    assert_eq!((twin.target_label_right, twin.token_recall, twin.bleu), (None, None, None));
}

#[test]
fn a_planted_trigger_may_have_no_text() {
    let dead_code =
        manifest(r#"{"attack": "bnc-fixed", "edit": "insert-fixed", "target_label": 0}"#);
    let scan = scan(&document("likely backdoored", FOUND), Some(&dead_code), 1.0);
    assert_eq!(scan.target_label_right, Some(true));
    assert_eq!((scan.token_recall, scan.levenshtein, scan.bleu), (None, None, None));
}

#[test]
fn joints_of_appended_triggers_do_not_count() {
    assert_eq!(without_joint("_rb"), "rb");
    assert_eq!(without_joint("testo_init"), "testo_init");
}
