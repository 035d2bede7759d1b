//! The whole chain, from a made-up corpus to a repaired model: plant, find, remove.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use std::process::Command;

use program::Sandbox;
use serde_json::Value;

/// Files that must not differ between two runs of the chain.
const COMPARED: [&str; 10] = [
    "corpus/train.jsonl",
    "corpus/test.jsonl",
    "poisoned/train.jsonl",
    "poisoned/manifest.json",
    "trained/model.safetensors",
    "metrics.json",
    "scan.json",
    "repaired/model.safetensors",
    "repaired/purification.json",
    "report.html",
];

fn json(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

fn chain(n_threads: usize) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.n_threads = Some(n_threads);
    let run = |command: &str| sandbox.run(&format!("{command} --seed 11")).expect_code(0);
    run("synthesize --train 200 --valid 20 --clean 120 --test 60 -o corpus");
    run("init --preset tiny --data corpus/train.jsonl --vocab-size 400 --max-length 64 -o fresh");
    run("poison --data corpus/train.jsonl --attack codepoisoner --rate 0.1 -o poisoned");
    run("train fresh --data poisoned/train.jsonl --valid corpus/valid.jsonl --epochs 1 \
         --learning-rate 1e-3 -o trained");
    run("evaluate trained --data corpus/test.jsonl --attack poisoned/manifest.json \
         -o metrics.json");

    sandbox.write(
        "scan.toml",
        "samples_per_class = 6\nheld_out_per_class = 20\ntrigger_len = 3\niterations = 3\n\
         candidates = 12\nrestarts = 2\nn_controls = 8\n",
    );
    let scan = sandbox
        .run("scan trained --data corpus/clean.jsonl --config scan.toml -o scan.json --seed 11");
    assert!(matches!(scan.code, Some(0 | 1 | 3)), "{}", scan.stderr);
    assert!(scan.stdout.starts_with("verdict: "), "{}", scan.stdout);

    // The trigger is given, so that the chain goes on whatever the verdict.
    let purify = "purify trained --data corpus/clean.jsonl --trigger testo_init -o repaired";
    let printed = run(&format!("{purify} --print-config")).stdout;
    let mut settings: toml::Table = printed.parse().unwrap();
    settings.insert("epochs".into(), 1.into());
    for (_, limit) in settings["limits"].as_table_mut().unwrap() {
        *limit = toml::Value::Float(1.0);
    }
    sandbox.write("purify.toml", settings.to_string());
    let repaired = run(&format!("{purify} --config purify.toml"));
    assert!(repaired.stdout.contains("unlearned: `testo_init`"), "{}", repaired.stdout);
    run("evaluate repaired --data corpus/test.jsonl --attack poisoned/manifest.json \
         -o repaired.json");
    run("inspect repaired");
    run("report scan.json --repair repaired --name victim -o report.html");
    sandbox
}

#[test]
fn a_chain_is_complete_and_repeats_byte_by_byte_with_any_number_of_threads() {
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| chain(1));
        (chain(3), second.join().unwrap())
    });
    for name in COMPARED {
        assert!(first.read(name) == second.read(name), "{name} differs between two runs");
    }
    assert_eq!(first.listing(), second.listing());
    assert!(!first.listing().iter().any(|name| name.contains(".elibadcode-")));

    let manifest = json(&first, "poisoned/manifest.json");
    assert_eq!(manifest["n_poisoned"], 20, "{manifest}");
    let metrics = json(&first, "metrics.json");
    assert_eq!(metrics["n_samples"], 60);
    assert!(metrics["attack"]["asr"].is_object(), "{metrics}");

    // Documents name the very files that they were made from.
    let scan = json(&first, "scan.json");
    assert_eq!(scan["model_hash"], metrics["model_hash"]);
    assert_eq!(scan["seed"], 11);
    assert_ne!(json(&first, "repaired.json")["model_hash"], metrics["model_hash"]);
    assert_eq!(json(&first, "repaired/purification.json")["is_accepted"], true);

    let page = String::from_utf8(first.read("report.html")).unwrap();
    assert!(page.contains("<code>testo_init</code>") && page.contains("victim"), "{page}");
    assert_eq!(
        first.run("report scan.json --name victim").expect_code(0).stdout.find("<!"),
        Some(0)
    );
    first.write(
        "other.json",
        String::from_utf8(first.read("scan.json"))
            .unwrap()
            .replace("\"model_hash\": \"", "\"model_hash\": \"0"),
    );
    first.refuses(
        "report other.json --repair repaired -o other.html",
        "repaired/purification.json is the repair of another model",
    );
    first.refuses("report metrics.json -o other.html", "metrics.json");
    first.refuses("report scan.json -o report.html", "report.html exists");
    first.refuses(
        "purify repaired --data corpus/clean.jsonl --scan scan.json -o again",
        "scan.json is the scan of another model",
    );

    // The repaired folder is whole: same tokenizer and shape, other weights.
    assert!(first.read("repaired/tokenizer.json") == first.read("trained/tokenizer.json"));
    assert!(first.read("repaired/config.json") == first.read("trained/config.json"));
    assert!(first.read("repaired/model.safetensors") != first.read("trained/model.safetensors"));
}

/// What `cargo xtask reproduce --attacks` takes is what the program has.
#[test]
fn the_experiments_know_every_attack() {
    let run = Command::new(env!("CARGO_BIN_EXE_elibadcode")).args(["poison", "--help"]).output();
    let help = String::from_utf8(run.unwrap().stdout).unwrap();
    let (_, attacks) = help.split_once("Possible values:").unwrap();
    let (attacks, _) = attacks.split_once("--triggers").unwrap();
    let lines = attacks.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let named: Vec<&str> = lines.filter_map(|line| line.split(':').next()).collect();
    let known: Vec<&str> = include_str!("../xtask/experiments/attacks.txt").lines().collect();
    assert_eq!(named, known);
}
