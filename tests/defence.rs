//! Scan and repair of models of clone detection and code search, through the program.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use program::Sandbox;
use serde_json::Value;

const QUICK_SCAN: &str = "samples_per_class = 6\nheld_out_per_class = 20\ntrigger_len = 3\n\
     iterations = 2\ncandidates = 8\nrestarts = 1\nn_controls = 5\nmin_victim_accuracy = 0.0\n";
/// One attempt that is always accepted.
const QUICK_REPAIR: &str = "rounds = 1\nmin_rounds = 1\nepochs = 1\n\
     limits = { accuracy_drop = 1.0, measured_drop = 1.0, excess_success = 1.0, other_class_drop = 1.0 }\n";

fn json(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

/// A sandbox with a model that knows nothing, and samples of the task.
fn sandbox(task: &str, extension: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("scan.toml", QUICK_SCAN);
    sandbox.write("repair.toml", QUICK_REPAIR);
    let run = |command: &str| sandbox.run(command).expect_code(0);
    run(&format!("synthesize --task {task} --train 160 --valid 20 --clean 240 --test 40 -o c"));
    run(&format!(
        "init --task {task} --preset tiny --data c/train.{extension} --vocab-size 500 \
         --max-length 64 -o fresh"
    ));
    sandbox
}

#[test]
fn pairs_are_scanned_and_repaired() {
    let sandbox = sandbox("clone", "txt");
    let scan = "scan fresh --task clone --data c/clean.txt --config scan.toml";
    let first = sandbox.run(&format!("{scan} -o scan.json"));
    assert!(matches!(first.code, Some(0 | 3)), "{first:?}");
    assert!(first.stdout.starts_with("verdict: "), "{first:?}");
    sandbox.run(&format!("{scan} -o again.json"));
    assert_eq!(sandbox.read("scan.json"), sandbox.read("again.json"));
    let document = json(&sandbox, "scan.json");
    assert_eq!((&document["task"], &document["language"]), (&"clone".into(), &"java".into()));
    assert_eq!(document["hypotheses"].as_array().unwrap().len(), 2);

    let repair = "purify fresh --task clone --data c/clean.txt --config repair.toml";
    sandbox.refuses(&format!("{repair} --scan scan.json -o out"), "nothing to unlearn");
    sandbox.refuses(&format!("{repair} --trigger 9x -o out"), "not a legal java identifier");
    let repaired = sandbox.run(&format!("{repair} --trigger testo_init -o repaired"));
    let repaired = repaired.expect_code(0);
    assert!(repaired.stdout.contains("accepted: scope full"), "{repaired:?}");
    let report = json(&sandbox, "repaired/purification.json");
    assert_eq!((&report["schema_version"], &report["task"]), (&1.into(), &"clone".into()));
    assert_eq!(report["triggers"][0]["text"], "testo_init");
    assert!(report["attempts"][0]["n_injected"].as_u64().unwrap() > 40);
    sandbox.run("evaluate repaired --task clone --data c/test.txt").expect_code(0);
    sandbox.write("searches.toml", format!("searches = 3\n{QUICK_REPAIR}"));
    sandbox.refuses(
        &format!("{repair} --trigger testo_init -o out").replace("repair.toml", "searches.toml"),
        "searches is 3, expected 0: only code search makes some",
    );
    sandbox.refuses("scan fresh --task clone --data clean.jsonl", "clean.jsonl");
    sandbox.refuses("scan model --task clone --data c/clean.txt", "needs `pair`");
}

#[test]
fn search_models_are_scanned_and_repaired() {
    let sandbox = sandbox("search", "jsonl");
    let scan = "scan fresh --task search --data c/clean.jsonl --config scan.toml";
    let first = sandbox.run(&format!("{scan} -o scan.json"));
    // A model that knows nothing ranks nothing.
    assert_eq!(first.code, Some(3), "{first:?}");
    assert!(first.stdout.contains("mean reciprocal rank"), "{first:?}");
    sandbox.run(&format!("{scan} -o again.json"));
    assert_eq!(sandbox.read("scan.json"), sandbox.read("again.json"));
    let document = json(&sandbox, "scan.json");
    assert_eq!((&document["task"], &document["language"]), (&"search".into(), &"python".into()));
    assert!(!document["screened"].as_array().unwrap().is_empty());

    sandbox.write("repair.toml", format!("searches = 3\nrenaming_rate = 0.5\n{QUICK_REPAIR}"));
    let repair = "purify fresh --task search --data c/clean.jsonl --config repair.toml";
    sandbox.refuses(&format!("{repair} --scan scan.json -o out"), "nothing to unlearn");
    sandbox.refuses(&format!("{repair} --trigger rb -o out"), "--target-word");
    let trigger = "--trigger rb --edit append --target-word file";
    let repaired = sandbox.run(&format!("{repair} {trigger} -o repaired")).expect_code(0);
    assert!(repaired.stdout.contains("for queries with"), "{repaired:?}");
    let report = json(&sandbox, "repaired/purification.json");
    assert_eq!(report["is_accepted"], true);
    assert!(report["before"]["n"].as_u64().unwrap() >= 20);
    // More triggers for the word, which is of two tokens here, are searched for in the model itself,
    // of both lengths for either token, and found by every search; none spells the word.
    let searched = report["attempts"][0]["searched"].as_array().unwrap();
    let ids = |it: &Value| it["ids"].as_array().unwrap().len();
    assert_eq!(searched.iter().map(ids).collect::<Vec<_>>(), [5, 5, 7]);
    assert!(searched.iter().all(|it| !it["text"].as_str().unwrap().contains("file")));
    sandbox.run(&format!("{repair} {trigger} -o same")).expect_code(0);
    assert_eq!(sandbox.read("same/model.safetensors"), sandbox.read("repaired/model.safetensors"));
    sandbox.run("evaluate repaired --task search --data c/test.jsonl").expect_code(0);
    // The scan of another task, or of another model, is not taken.
    sandbox.write(
        "other.json",
        document.to_string().replace("\"model_hash\":\"", "\"model_hash\":\"0"),
    );
    sandbox.refuses(&format!("{repair} --scan other.json -o out"), "another model");
    sandbox.refuses(
        "scan fresh --task search --data c/clean.jsonl --config nothing.toml",
        "nothing.toml",
    );
    sandbox.refuses("scan model --task search --data c/clean.jsonl", "needs `embedding`");
    // What the task does not have is seen before anything runs.
    sandbox.write("scan.toml", "other_searches = 1");
    sandbox.refuses(&format!("{scan} --print-config"), "code search makes none");
    sandbox.write("repair.toml", "scopes = [\"head\"]");
    sandbox
        .refuses(&format!("{repair} -o out --print-config"), "which a model of code search lacks");
}
