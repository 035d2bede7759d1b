//! Scans that cannot give a verdict end with 3, a reason and a whole document; broken input ends
//! with 2 and nothing.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use std::fmt::Write as _;

use elibadcode_corpus::DefectSample;
use elibadcode_corpus::synthetic::{defect, search};
use program::Sandbox;
use serde_json::Value;

const QUICK: &str = "samples_per_class = 4\nheld_out_per_class = 20\ntrigger_len = 3\n\
                     iterations = 2\ncandidates = 8\nrestarts = 1\nn_controls = 5\n";

/// The scan ends inconclusive with this among its reasons, on standard output and in `scan.json`,
/// which a repair reads and refuses.
#[track_caller]
fn is_inconclusive(sandbox: &Sandbox, arguments: &str, expected: &str) {
    sandbox.write("quick.toml", QUICK);
    let command = format!("scan {arguments} --config quick.toml -o scan.json --force");
    let run = sandbox.run(&command).expect_code(3);
    assert!(run.stdout.starts_with("verdict: inconclusive\n"), "{run:?}");
    assert!(run.stdout.contains(expected), "{run:?}");
    assert!(run.stdout.contains("not tested"), "{run:?}");
    let document: Value = serde_json::from_slice(&sandbox.read("scan.json")).unwrap();
    assert_eq!(document["verdict"], "inconclusive");
    let reasons = document["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|it| it.as_str().unwrap().contains(expected)), "{reasons:?}");
    assert!(document["triggers"].as_array().unwrap().is_empty());
    let repair = format!("purify {arguments} --scan scan.json -o out");
    sandbox.refuses(&repair, "nothing to unlearn");
}

fn functions(keep: impl Fn(&DefectSample) -> bool) -> Vec<DefectSample> {
    defect::generate(5, 120).into_iter().filter(keep).collect()
}

#[test]
fn one_class_only() {
    let sandbox = Sandbox::new();
    sandbox.write_samples("few.jsonl", &functions(|it| it.label == 1));
    is_inconclusive(&sandbox, "model --data few.jsonl", "the rarer label has 0 clean samples");
}

#[test]
fn three_samples() {
    let sandbox = Sandbox::new();
    sandbox.write_samples("few.jsonl", &functions(|_| true)[..3]);
    is_inconclusive(&sandbox, "model --data few.jsonl", "the rarer label has 1 clean samples");

    let sandbox = Sandbox::with_model("roberta-embedding");
    let sizes = search::Sizes { test: 3, ..search::Sizes::default() };
    sandbox.write_queries("few.jsonl", &search::generate(9, &sizes).test);
    let scan = "model --task search --data few.jsonl";
    is_inconclusive(&sandbox, scan, "at least 4 clean functions");

    let sandbox = Sandbox::with_model("roberta-pair");
    let pairs = String::from_utf8(sandbox.read("pairs.txt")).unwrap();
    let few: String = pairs.lines().take(3).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    });
    sandbox.write("few.txt", few);
    std::fs::copy(sandbox.path("data.jsonl"), sandbox.path("other.jsonl")).unwrap();
    is_inconclusive(&sandbox, "model --task clone --data few.txt", "of each label");
}

#[test]
fn too_few_samples_to_judge_what_a_search_would_find() {
    let sandbox = Sandbox::new();
    sandbox.write_samples("few.jsonl", &functions(|_| true)[..40]);
    is_inconclusive(&sandbox, "model --data few.jsonl", "no better than chance");
    let document: Value = serde_json::from_slice(&sandbox.read("scan.json")).unwrap();
    let hypotheses = document["hypotheses"].as_array().unwrap();
    assert_eq!(hypotheses.len(), 2);
    for hypothesis in hypotheses {
        assert!(hypothesis["n_held_out_samples"].as_u64().unwrap() < 20, "{hypothesis}");
        assert_eq!(hypothesis["searches"], serde_json::json!([]));
    }
    let page = sandbox.run("report scan.json").expect_code(0).stdout;
    assert!(page.contains("no better than chance"), "{page}");
    let run = sandbox.run("scan model --data few.jsonl --config quick.toml").expect_code(3);
    assert!(!run.stderr.contains("search"), "none is announced: {}", run.stderr);
}

#[test]
fn samples_of_another_task() {
    // Labels that say something else: half of each kind carry either.
    let sandbox = Sandbox::new();
    let mut other = functions(|_| true);
    for (index, sample) in other.iter_mut().enumerate() {
        sample.label = u8::from(index / 2 % 2 == 0);
    }
    sandbox.write_samples("other.jsonl", &other);
    is_inconclusive(&sandbox, "model --data other.jsonl", "of the clean samples with label");
    // Another format is an error.
    sandbox.refuses("scan model --data queries.jsonl -o new.json", "queries.jsonl");
    sandbox.refuses("scan model --data pairs.txt -o new.json", "pairs.txt");
    let sandbox = Sandbox::with_model("roberta-pair");
    sandbox.refuses("scan model --task clone --data clean.jsonl -o new.json", "clean.jsonl");
}

#[test]
fn a_model_that_always_answers_the_same() {
    // The untrained fixture does.
    let sandbox = Sandbox::new();
    sandbox.write_samples("clean.jsonl", &functions(|_| true));
    is_inconclusive(&sandbox, "model --data clean.jsonl", "no better than chance");
    let run = sandbox.run("scan model --data clean.jsonl --config quick.toml").expect_code(3);
    assert!(run.stderr.contains("will be called an attack"), "said first: {}", run.stderr);
    assert!(!run.stderr.contains("search"), "none can change that: {}", run.stderr);
}

#[test]
fn no_usable_identifier_is_an_error() {
    let sandbox = Sandbox::new();
    let mut bare = functions(|_| true);
    for sample in &mut bare {
        sample.code = ";".to_owned();
    }
    sandbox.write_samples("bare.jsonl", &bare);
    sandbox
        .refuses("scan model --data bare.jsonl -o scan.json", "has an identifier that a trigger");
}

#[test]
fn broken_files_are_errors() {
    let sandbox = Sandbox::new();
    sandbox.write("broken.jsonl", "{\"func\": \"int f(void) {}\", \"target\": 1}\n{\"func\"");
    sandbox.refuses("scan model --data broken.jsonl -o scan.json", "broken.jsonl");
    sandbox.write("empty.jsonl", "");
    sandbox.refuses("scan model --data empty.jsonl -o scan.json", "empty.jsonl");
    sandbox.write("long.toml", "trigger_len = 500\n");
    sandbox.refuses("scan model --data clean.jsonl --config long.toml", "within 64 tokens");
}

#[test]
fn a_repair_says_that_its_scan_was_inconclusive() {
    let sandbox = Sandbox::new();
    // The model knows nothing, and is searched all the same.
    sandbox.write("quick.toml", format!("{QUICK}min_victim_accuracy = 0.0\n"));
    sandbox.run("scan model --data clean.jsonl --config quick.toml -o scan.json").expect_code(3);
    let mut scan: Value = serde_json::from_slice(&sandbox.read("scan.json")).unwrap();
    scan["triggers"] = vec![scan["hypotheses"][0]["searches"][0]["trigger"].clone()].into();
    (scan["victim_label"], scan["target_label"]) = (1.into(), 0.into());
    sandbox.write("settings.toml", "rounds = 1\nmin_rounds = 1\nepochs = 1\nslowdowns = 0\n");
    let mut purify = |verdict: &str, name: &str| {
        scan["verdict"] = verdict.into();
        sandbox.write("scan.json", scan.to_string());
        let files = "--data clean.jsonl --scan scan.json --config settings.toml";
        sandbox.run(&format!("purify model {files} -o {name}")).stdout
    };
    let says_so = |stdout: String| stdout.contains("the scan was inconclusive");
    assert!(says_so(purify("inconclusive", "doubtful")));
    assert!(!says_so(purify("likely backdoored", "likely")));
}
