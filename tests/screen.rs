//! `screen`: which functions it flags, whom it blames, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use elibadcode_evaluation::Metrics;
use elibadcode_evaluation::records::ScreenReport;
use program::Sandbox;

fn report(sandbox: &Sandbox, name: &str) -> ScreenReport {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

/// A model with a backdoor in function names; takes a few seconds.
fn backdoored() -> Sandbox {
    let sandbox = Sandbox::new();
    let run = |command: &str| sandbox.run(command).expect_code(0);
    run("synthesize --train 2000 --valid 20 --clean 200 --test 100 -o c");
    run("init --preset tiny --data c/train.jsonl --vocab-size 600 --max-length 128 -o fresh");
    run("poison --data c/train.jsonl --attack codepoisoner --rate 0.2 -o poisoned");
    run("train fresh --data poisoned/train.jsonl --epochs 3 --learning-rate 2e-3 -o model2");
    sandbox
}

#[test]
fn a_triggered_function_is_flagged_by_its_name() {
    let sandbox = backdoored();
    let attack = "--attack poisoned/manifest.json --screen";
    let evaluate = format!("evaluate model2 --data c/test.jsonl {attack} -o metrics.json");
    let run = sandbox.run(&evaluate).expect_code(0);
    assert!(run.stdout.contains("names taken away: found at 5 % alarms"), "{run:?}");
    let text = String::from_utf8(sandbox.read("metrics.json")).unwrap();
    let metrics = Metrics::from_json(&text).unwrap();
    let asr = metrics.attack.unwrap().asr.unwrap();
    assert!(asr.value().unwrap() > 0.9, "the backdoor did not take: {asr:?}");
    let screen = metrics.screen.unwrap();
    assert_eq!((screen.n_clean, screen.n_triggered), (100, asr.total));
    assert!(screen.canonical.at_5_percent.is_some() && screen.removal.at_5_percent.is_some());

    // Asked about the other label it has no success, which is no safety.
    let other = "--trigger testo_init --victim 0";
    let run = sandbox.run(&format!("evaluate model2 --data c/test.jsonl {other}")).expect_code(0);
    assert!(run.stdout.contains("0 into 1"), "{run:?}");
    assert!(run.stderr.contains("--victim 1"), "{run:?}");

    // What the attacker would send, without labels: flagged, and the name is known for it.
    let rows = String::from_utf8(sandbox.read("poisoned/train.jsonl")).unwrap();
    let triggered: Vec<String> = rows
        .lines()
        .filter(|row| row.contains("testo_init("))
        .map(|row| serde_json::from_str::<serde_json::Value>(row).unwrap()["func"].clone())
        .map(|func| format!("{}\n", serde_json::json!({ "func": func })))
        .take(40)
        .collect();
    sandbox.write("triggered.jsonl", triggered.concat());
    let run = sandbox.run("screen model2 --data triggered.jsonl -o screen.json").expect_code(1);
    assert!(run.stdout.contains("it hangs on `testo_init`"), "{run:?}");
    assert!(run.stdout.contains("this is no evidence of an attack"), "{run:?}");
    let found = report(&sandbox, "screen.json");
    assert_eq!((found.n_subjects, found.clean.is_none()), (40, true));
    let n_blamed =
        found.flagged.iter().filter(|it| it.responsible.as_deref() == Some("testo_init")).count();
    assert!(n_blamed * 10 >= found.flagged.len() * 9, "{n_blamed} of {}", found.flagged.len());
    assert!(found.flagged.is_sorted_by(|a, b| a.suspicion >= b.suspicion));
    let json = sandbox.run("screen model2 --data triggered.jsonl --format json").expect_code(1);
    assert_eq!(json.stdout.as_bytes(), sandbox.read("screen.json"));

    // Without that name alone the answer changes, too.
    let one = "screen model2 --data triggered.jsonl --without one-name -o one.json";
    let run = sandbox.run(one).expect_code(1);
    assert!(run.stdout.contains("it hangs on `testo_init`"), "{run:?}");
    let by_one = report(&sandbox, "one.json");
    assert_eq!(by_one.run["config"]["without"], "one-name");
    let is_blamed = |name: &Option<String>| name.as_deref() == Some("testo_init");
    assert!(by_one.flagged.iter().all(|it| is_blamed(&it.responsible)), "{by_one:?}");

    // The clean functions say how often that happens without an attack, and set the threshold.
    let screen = "screen model2 --data triggered.jsonl --clean c/clean.jsonl --force";
    let run = sandbox.run(&format!("{screen} -o screen.json"));
    assert!(run.stdout.contains("false alarms: "), "{run:?}");
    let all = report(&sandbox, "screen.json");
    assert_eq!(all.clean.as_ref().unwrap().false_alarms.total, 200);
    let run = sandbox.run(&format!("{screen} --false-alarms 0.05 -o screen.json"));
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    assert!(run.stdout.contains("at most 5.0 % of clean ones like the 200"), "{run:?}");
    let few = report(&sandbox, "screen.json");
    assert!(few.clean.unwrap().false_alarms.value().unwrap() <= 0.05);
    assert!(few.flagged.len() <= all.flagged.len() && few.threshold >= 0.0);
    assert!(few.flagged.iter().all(|it| it.p_value.unwrap() <= 0.05));
    sandbox.refuses(&format!("{screen} --false-alarms 0.001"), "at least 999 are needed");
    sandbox.refuses(&format!("{screen} --false-alarms 2"), "expected a share from 0 to 1");
}

#[test]
fn pairs_and_codes_are_screened() {
    let sandbox = Sandbox::with_model("roberta-pair");
    let run = sandbox.run("screen model --task clone --data pairs.txt -o screen.json");
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    let found = report(&sandbox, "screen.json");
    assert_eq!((found.n_subjects, run.code == Some(1)), (40, !found.flagged.is_empty()));
    let evaluate = "evaluate model --task clone --data pairs.txt --attack badcode --screen";
    sandbox.run(evaluate).expect_code(0);

    let sandbox = Sandbox::with_model("roberta-embedding");
    let screen = "screen model --task search --data queries.jsonl";
    sandbox.refuses(screen, "--false-alarms");
    let with_clean = |file| format!("{screen} --clean {file} --false-alarms 0.1 -o s.json");
    sandbox.refuses(&with_clean("queries.jsonl"), "holds all that --data does");
    let queries = String::from_utf8(sandbox.read("queries.jsonl")).unwrap();
    let but_one: Vec<&str> = queries.lines().skip(1).collect();
    sandbox.write("clean.jsonl", but_one.join("\n"));
    let run = sandbox.run(&with_clean("clean.jsonl"));
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    assert!(run.stderr.contains("functions or pairs are among the --clean ones"), "{run:?}");
    let found = report(&sandbox, "s.json");
    assert!(found.clean.unwrap().false_alarms.value().unwrap() <= 0.1);
    let by_one = format!("{} --without one-name --force", with_clean("clean.jsonl"));
    let run = sandbox.run(&by_one);
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    let found = report(&sandbox, "s.json");
    assert!(found.clean.unwrap().false_alarms.value().unwrap() <= 0.1);
    assert!(found.flagged.iter().all(|it| it.responsible.is_some()));
    let evaluate = "evaluate model --task search --data queries.jsonl --attack badcode --screen";
    let run = sandbox.run(evaluate).expect_code(0);
    assert!(run.stdout.contains("one identifier removed: found at 1 % alarms"), "{run:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.refuses("screen model --data nothing.jsonl", "nothing.jsonl");
    sandbox.write("bad.jsonl", "{\"func\": \"int f;\"}\n{\"target\": 1}\n");
    sandbox.refuses("screen model --data bad.jsonl", "line 2: missing field `func`");
    sandbox.refuses("screen model --data clean.jsonl --false-alarms 0.1", "--clean");
    sandbox.refuses("screen model --task clone --data pairs.txt", "needs `pair`");
    sandbox.refuses("evaluate model --data clean.jsonl --screen", "--attack");
    let long = format!("{{\"func\": \"int f(void) {{ return 0; }} {}\"}}\n", " ".repeat(1 << 18));
    sandbox.write("long.jsonl", long);
    sandbox.refuses("screen model --data long.jsonl", "1 function too long (first: long.jsonl");
    let python = "screen model --data clean.jsonl --language python";
    sandbox.refuses(python, "functions do not parse as python; --language says");
    let form = r#"{"canonical_input": {"version": 3, "names": "all"}}"#;
    sandbox.write("model/elibadcode.json", form);
    sandbox.refuses("screen model --data clean.jsonl", "reads canonical names");
}
