//! `predict`: its answers are those that `evaluate` counts.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use elibadcode_corpus::{bigclonebench, devign};
use elibadcode_evaluation::Metrics;
use program::Sandbox;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn metrics(sandbox: &Sandbox, command: &str) -> Metrics {
    sandbox.run(&format!("evaluate {command} -o metrics.json --force")).expect_code(0);
    Metrics::from_json(&String::from_utf8(sandbox.read("metrics.json")).unwrap()).unwrap()
}

/// The share of lines with the label that is right.
fn accuracy(lines: &[Value], labels: &[u8]) -> f64 {
    assert_eq!(lines.len(), labels.len());
    let is_hit = |(line, label): &(&Value, &u8)| line["label"] == **label;
    let n_hits = lines.iter().zip(labels).filter(is_hit).count();
    n_hits as f64 / labels.len() as f64
}

#[test]
fn functions_are_answered() {
    let sandbox = Sandbox::new();
    let answered = lines(&sandbox.run("predict model --data clean.jsonl").expect_code(0).stdout);
    let samples = devign::read(&sandbox.path("clean.jsonl")).unwrap().samples;
    let labels: Vec<u8> = samples.iter().map(|sample| sample.label).collect();
    let known = metrics(&sandbox, "model --data clean.jsonl").accuracy.unwrap().value().unwrap();
    assert!((accuracy(&answered, &labels) - known).abs() < 1e-9);
    assert_eq!(answered[2]["place"], "line 3");
    for line in &answered {
        let (probability, label) = (line["probability"].as_f64().unwrap(), &line["label"]);
        let odds = probability / (1.0 - probability);
        assert!((odds.ln() - line["log_odds"].as_f64().unwrap()).abs() < 1e-3, "{line}");
        assert_eq!(u8::from(probability > 0.5), *label, "{line}");
    }

    // No labels are needed; what is not read is said.
    let rows: Vec<String> = samples
        .iter()
        .map(|sample| format!("{}\n", serde_json::json!({ "func": sample.code })))
        .collect();
    sandbox.write("rows.jsonl", rows.concat());
    sandbox.run("predict model --data rows.jsonl -o answers.jsonl").expect_code(0);
    assert_eq!(lines(&String::from_utf8(sandbox.read("answers.jsonl")).unwrap()), answered);
    let run = sandbox.run("predict model --data rows.jsonl --max-length 8").expect_code(0);
    assert!(run.stderr.contains("48 of 48 functions are longer than the 8 tokens"), "{run:?}");
    for line in lines(&run.stdout) {
        assert_eq!((&line["n_tokens"], &line["is_cut"]), (&serde_json::json!([8]), &true.into()));
    }
    sandbox.write("none.jsonl", format!("{}\n", serde_json::json!({ "func": "int f(" })));
    let run = sandbox.run("predict model --data none.jsonl").expect_code(0);
    assert_eq!(lines(&run.stdout)[0]["has_errors"], true);
    sandbox.refuses("predict model --data rows.jsonl -o answers.jsonl", "--force");
    sandbox.refuses("predict model --task clone --data pairs.txt", "--task defect");
    sandbox.refuses("predict model --data rows.jsonl -n 3", "-n is not for the task `defect`");
}

#[test]
fn pairs_are_answered() {
    let sandbox = Sandbox::with_model("roberta-pair");
    let command = "model --task clone --data pairs.txt";
    let answered = lines(&sandbox.run(&format!("predict {command}")).expect_code(0).stdout);
    let samples = bigclonebench::read_pairs(&sandbox.path("pairs.txt")).unwrap().samples;
    let labels: Vec<u8> = samples.pairs.iter().map(|pair| pair.label).collect();
    let known = metrics(&sandbox, command).accuracy.unwrap().value().unwrap();
    assert!((accuracy(&answered, &labels) - known).abs() < 1e-9);
    let (first, second) = (samples.pairs[0].first, samples.pairs[0].second);
    let place = format!("{} with {}", samples.functions[first].id, samples.functions[second].id);
    assert_eq!(answered[0]["place"], place);
    assert_eq!(answered[0]["n_tokens"].as_array().unwrap().len(), 2);
}

#[test]
fn queries_are_answered() {
    let sandbox = Sandbox::with_model("roberta-embedding");
    let command = "model --task search --data queries.jsonl";
    let answered = lines(&sandbox.run(&format!("predict {command} -n 3")).expect_code(0).stdout);
    let reciprocals = answered.iter().map(|line| 1.0 / line["rank"].as_f64().unwrap());
    let mrr = reciprocals.sum::<f64>() / answered.len() as f64;
    assert!((mrr - metrics(&sandbox, command).score.unwrap()).abs() < 1e-9);
    for line in &answered {
        let found = line["found"].as_array().unwrap();
        let similarity = |hit: &Value| hit["similarity"].as_f64().unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.is_sorted_by(|a, b| similarity(a) >= similarity(b)), "{line}");
        if line["rank"] == 1.0 {
            assert_eq!(found[0]["place"], line["place"]);
        }
        assert!(line["label"].is_null() && line["query"].is_string(), "{line}");
    }
}
