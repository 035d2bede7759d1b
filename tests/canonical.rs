//! Models that read canonical names: no trigger in a name changes anything, by construction.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use elibadcode_evaluation::Metrics;
use elibadcode_evaluation::records::Certificate;
use elibadcode_poisoning::Attack;
use program::Sandbox;
use serde_json::{Value, json};

/// Settings that make a scan quick.
const QUICK: &str = "samples_per_class = 6\nheld_out_per_class = 10\niterations = 1\n\
                     candidates = 4\nrestarts = 1\nscreening_steps = 0\n\
                     start_rule = \"random\"\nn_controls = 2\n";

/// A repair whose result is always accepted.
const LENIENT: &str = "rounds = 1\nmin_rounds = 1\nepochs = 1\n\
     limits = { accuracy_drop = 1.0, measured_drop = 1.0, excess_success = 1.0, other_class_drop = 1.0 }\n";

fn json_file(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

/// A sandbox with a small model that learned from names, and that model made blind to them.
fn sandbox(task: &str, extension: &str, canonical: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("lenient.toml", LENIENT);
    let run = |command: &str| sandbox.run(&format!("{command} --task {task}")).expect_code(0);
    run("synthesize --train 160 --valid 20 --clean 80 --test 60 -o c");
    run(&format!(
        "init --preset tiny --data c/train.{extension} --vocab-size 500 --max-length 128 -o fresh"
    ));
    run(&format!("train fresh --data c/train.{extension} --epochs 1 --learning-rate 1e-3 -o raw"));
    let purified = run(&format!(
        "purify raw {canonical} --data c/clean.{extension} --config lenient.toml -o canonical"
    ));
    assert!(purified.stdout.contains("excluded by construction"), "{purified:?}");
    assert!(purified.stdout.contains("accepted; written to canonical"), "{purified:?}");
    sandbox
}

/// Every attack on names; those of dead code are not covered, and are not excluded.
fn attacks() -> impl Iterator<Item = &'static str> {
    // The names of `afraidoor` are made by a model that `poison` trains.
    let names = Attack::ALL.into_iter().map(Attack::name);
    names.filter(|name| !name.starts_with("bnc") && *name != "afraidoor")
}

fn metrics(sandbox: &Sandbox, command: &str) -> Metrics {
    sandbox.run(&format!("{command} --force -o metrics.json")).expect_code(0);
    Metrics::from_json(&String::from_utf8(sandbox.read("metrics.json")).unwrap()).unwrap()
}

/// With every attack on names, 0 inputs and 0 answers differ; in dead code they do.
fn check_attacks(sandbox: &Sandbox, evaluate: &str) {
    let afraidoor = sandbox.path("poisoned/manifest.json").exists();
    let afraidoor = afraidoor.then_some("poisoned/manifest.json");
    for attack in attacks().chain(afraidoor) {
        let attack_of = metrics(sandbox, &format!("{evaluate} --attack {attack}")).attack.unwrap();
        assert_eq!(attack_of.n_inputs_changed, Some(0), "{attack}");
        assert_eq!(attack_of.asr, attack_of.flip_rate, "{attack}");
        assert_eq!(attack_of.other_class_triggered, attack_of.other_class_clean, "{attack}");
        assert_eq!(attack_of.anr, attack_of.anr_without_trigger, "{attack}");
        let n_attacked = attack_of.asr.map(|it| it.total);
        let n_ranked = attack_of.rank_lift.map(|it| it.queries.len());
        assert!(n_attacked.or(n_ranked).unwrap() > 0, "{attack}");
    }
    let dead_code = metrics(sandbox, &format!("{evaluate} --attack bnc-fixed")).attack.unwrap();
    assert!(dead_code.n_inputs_changed.unwrap() > 0);
    let raw = evaluate.replace("canonical", "raw");
    let raw = metrics(sandbox, &format!("{raw} --attack codepoisoner")).attack.unwrap();
    assert!(raw.n_inputs_changed.unwrap() > 0);
}

#[test]
fn names_change_no_answer_of_defect_detection() {
    let sandbox = sandbox("defect", "jsonl", "--canonical");
    let poison = "poison --data c/train.jsonl --attack afraidoor --rate 0.1 -o poisoned";
    sandbox.run(poison).expect_code(0);
    check_attacks(&sandbox, "evaluate canonical --data c/test.jsonl");

    // The folder says what it reads, and what that is worth.
    let provenance = json_file(&sandbox, "canonical/elibadcode.json");
    let form = json!({ "version": 3, "names": "all", "keeps_comments": false });
    assert_eq!(provenance["canonical_input"], form);
    let text = String::from_utf8(sandbox.read("canonical/certificate.json")).unwrap();
    let certificate = Certificate::from_json(&text).unwrap();
    assert_eq!((&*certificate.task, &certificate.canonical_input), ("defect", &form));
    assert_eq!((certificate.law.n_functions, certificate.law.n_violations), (80, 0));
    assert_eq!((certificate.scores.n_samples, &*certificate.scores.measure), (20, "accuracy"));
    assert!(certificate.scores.cost.low <= certificate.scores.raw - certificate.scores.repaired);
    assert!(certificate.not_covered.iter().any(|it| it.contains("dead code")));

    // Renamed samples are the same samples.
    let inspect = sandbox.run("inspect canonical --json").expect_code(0);
    assert!(inspect.stdout.contains("\"names\": \"all\""), "{inspect:?}");
    sandbox.run("train canonical --data c/train.jsonl --epochs 1 -o again").expect_code(0);
    assert_eq!(json_file(&sandbox, "again/elibadcode.json")["canonical_input"], form);
}

#[test]
fn names_change_no_answer_of_clone_detection() {
    let sandbox = sandbox("clone", "txt", "--canonical=all");
    check_attacks(&sandbox, "evaluate canonical --task clone --data c/test.txt");
    let certificate = json_file(&sandbox, "canonical/certificate.json");
    assert_eq!(certificate["scores"]["measure"], "F1 of the clones");
}

#[test]
fn names_change_no_rank_of_code_search() {
    let sandbox = sandbox("search", "jsonl", "--canonical");
    check_attacks(&sandbox, "evaluate canonical --task search --data c/test.jsonl");
}

#[test]
fn a_model_blind_to_function_names_sees_the_others() {
    let sandbox = sandbox("search", "jsonl", "--canonical=function");
    let evaluate = "evaluate canonical --task search --data c/test.jsonl --attack";
    let changed = |attack: &str| {
        let metrics = metrics(&sandbox, &format!("{evaluate} {attack}"));
        metrics.attack.unwrap().n_inputs_changed.unwrap()
    };
    assert_eq!((changed("badcode"), changed("codepoisoner")), (0, 0));
    assert!(changed("badcode-variable") > 0);
    // Its search for a trigger goes to the names that it sees.
    let scan = "scan canonical --task search --data c/clean.jsonl --config scan.toml -o scan.json";
    sandbox.write("scan.toml", QUICK);
    sandbox.run(scan);
    let scan = json_file(&sandbox, "scan.json");
    let not_tested = scan["not_tested"].to_string();
    assert!(not_tested.contains("reads with a canonical name"), "{not_tested}");
    assert!(scan["hypotheses"][0]["n_search_samples"].as_u64().unwrap() > 0, "{scan}");
}

#[test]
fn a_scan_of_a_model_without_names_is_inconclusive() {
    let check = |task: &str, extension: &str| {
        let sandbox = sandbox(task, extension, "--canonical");
        let scan = format!("scan canonical --task {task} --data c/clean.{extension}");
        let run = sandbox.run(&scan).expect_code(3);
        assert!(run.stdout.contains("verdict: inconclusive"), "{run:?}");
        assert!(run.stdout.contains("excluded by construction"), "{run:?}");

        // Whoever does not rename is not protected: the folder's own file cannot hide names.
        sandbox.write("scan.toml", QUICK);
        let scan = format!("{scan} --config scan.toml --raw-names -o scan.json");
        let run = sandbox.run(&scan);
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{run:?}");
        assert!(!run.stdout.contains("canonical name"), "{run:?}");
        let scan = json_file(&sandbox, "scan.json");
        assert!(scan["hypotheses"][0]["n_search_samples"].as_u64().unwrap() > 0, "{scan}");
        sandbox.refuses(
            &format!(
                "purify canonical --task {task} --data c/clean.{extension} --scan scan.json -o x"
            ),
            "names as they are, not names canonical",
        );
    };
    check("defect", "jsonl");
    check("search", "jsonl");
}

#[test]
fn a_repair_takes_no_protection_away() {
    let sandbox = sandbox("defect", "jsonl", "--canonical");
    sandbox.write("lenient.toml", LENIENT);
    let purify = "purify canonical --raw-names --trigger testo_init --data c/clean.jsonl --config lenient.toml";
    let run = sandbox.run(&format!("{purify} -o both")).expect_code(0);
    assert!(run.stdout.contains("the new folder asks for canonical names"), "{run:?}");
    let asks = |folder: &str| {
        json_file(&sandbox, &format!("{folder}/elibadcode.json"))["canonical_input"].clone()
    };
    assert!(asks("both").is_object() && asks("both") == asks("canonical"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sandbox = Sandbox::new();
    let purify = "purify model --data clean.jsonl -o out";
    sandbox.refuses(&format!("{purify} --canonical --trigger x"), "cannot be used with");
    sandbox.refuses(&format!("{purify} --canonical=some"), "invalid value 'some'");
    sandbox.refuses(&format!("{purify} --keep-comments --trigger x"), "cannot be used with");
    sandbox.refuses(&format!("{purify} --keep-comments"), "--canonical");
    sandbox.refuses("purify model --data nothing.jsonl --canonical -o out", "nothing.jsonl");
    sandbox.write_samples("few.jsonl", &[]);
    sandbox.refuses("purify model --data few.jsonl --canonical -o out", "holds no rows");

    // A repair that costs too much leaves nothing behind.
    let limits = "limits = { accuracy_drop = -1.0, excess_success = 1.0, other_class_drop = 1.0 }";
    sandbox.write("strict.toml", format!("rounds = 1\nmin_rounds = 1\nepochs = 1\n{limits}\n"));
    let before = sandbox.listing();
    let run = sandbox.run(&format!("{purify} --canonical --config strict.toml")).expect_code(1);
    assert!(run.stdout.contains("nothing was written"), "{run:?}");
    assert_eq!(sandbox.listing(), before);

    // A form that this version does not know, or does not understand.
    for (form, expected) in [
        (json!({ "version": 1, "names": "all" }), "canonical_input.version is 1, expected 3"),
        (json!({ "version": 3, "names": "most" }), "unknown variant `most`"),
        (json!({ "version": 3 }), "missing field `names`"),
    ] {
        sandbox.write("model/elibadcode.json", json!({ "canonical_input": form }).to_string());
        sandbox.refuses("evaluate model --data clean.jsonl", expected);
    }
    let form = json!({ "version": 3, "names": "all" });
    sandbox.write("model/elibadcode.json", json!({ "canonical_input": form }).to_string());
    sandbox.refuses(&format!("{purify} --canonical"), "reads these canonical names already");
}
