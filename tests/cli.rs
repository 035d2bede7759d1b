//! The command line: exit codes, messages, what goes where.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use std::process::{Command, Stdio};

use elibadcode_evaluation::RunRecord;
use program::Sandbox;
use serde_json::{Value, json};

/// Settings that make a scan quick; with fewer held-out samples it would search for nothing.
const QUICK: &str = "samples_per_class = 2\nheld_out_per_class = 20\ntrigger_len = 3\n\
                     iterations = 2\ncandidates = 8\nrestarts = 1\nn_controls = 5\n\
                     min_victim_accuracy = 0.0\n";

#[test]
fn usage_errors_end_with_2() {
    let check = |arguments: &str, expected: &str| {
        let run = Command::new(env!("CARGO_BIN_EXE_elibadcode"))
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(stderr.contains(expected), "{arguments}: {stderr}");
        assert!(run.stdout.is_empty());
    };
    check("", "Usage");
    check("frobnicate", "unrecognized subcommand 'frobnicate'");
    check("devices --frobnicate", "unexpected argument '--frobnicate'");
    // They are of a trigger that is written by hand.
    check("evaluate m --data d --attack badcode --victim 0", "cannot be used with '--victim");
    check("purify m --data d -o o --scan s --target-word w", "cannot be used with '--target-word");
    check("canonicalize --language c --check-law 0", "expected at least 1");
    check("synthesize -o o --train 18446744073709551615", "expected at most 10000000");
    let check_missing = |arguments: &str, expected: &str| {
        check(arguments, &format!("required arguments were not provided:\n  {expected}\n\nUsage"));
    };
    check_missing("scan", "--data <FILE>\n  <MODEL_DIR>");
    check_missing("scan model", "--data <FILE>");
    check_missing("scan --data x", "<MODEL_DIR>");
    check_missing("purify", "--data <FILE>\n  --scan <FILE>\n  --output <DIR>\n  <MODEL_DIR>");
    check_missing("purify model --data x --scan s", "--output <DIR>");
    check_missing("purify model --data x -o y", "--scan <FILE>");
    check("scan model --data x --seed minus", "invalid value 'minus'");
    check("scan model --data x --positive-output 2", "2 is not in 0..=1");
    check("scan model --data x --task fly", "unknown task `fly`");
    check("scan model --data x --language cobol", "unknown language `cobol`");
    check("report", "<SCAN_FILE>");
    check("purify model --data x -o y --scan s --trigger t", "cannot be used with");
    check("evaluate model --data x --max-asr 0.1", "--attack <NAME|FILE>|--trigger <NAME>");
    check("train model --data x -o y --scope some", "unknown scope `some`");
    check("init --preset huge --data x -o y", "unknown preset `huge`");
}

#[test]
fn help_and_version_end_with_0() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run("--help").expect_code(0).stdout.contains("purify"));
    assert!(sandbox.run("--version").expect_code(0).stdout.starts_with("elibadcode "));
    for command in [
        "scan",
        "purify",
        "evaluate",
        "train",
        "init",
        "poison",
        "synthesize",
        "sample",
        "canonicalize",
        "report",
        "inspect",
        "devices",
    ] {
        let run = sandbox.run(&format!("{command} --help")).expect_code(0);
        assert!(run.stdout.contains("Usage"), "{command}");
    }
}

#[test]
fn devices_and_models_are_shown() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run("devices").expect_code(0).stdout.contains("flex"));
    let text = sandbox.run("inspect model").expect_code(0).stdout;
    assert!(text.contains("hidden size      32"), "{text}");
    assert!(text.contains("max length       64"), "{text}");
    let facts: Value =
        serde_json::from_str(&sandbox.run("inspect model --json").expect_code(0).stdout).unwrap();
    assert_eq!(facts["vocabulary"], 355);
    assert_eq!(facts["outputs"], 1);
    assert!(facts["parameters"].as_u64() > Some(20_000));
    sandbox.refuses("inspect nowhere", "nowhere");
    sandbox.refuses("inspect model --max-length 9999", "max_length is 9999, expected 3 to 64");
    assert_eq!(
        (&facts["input_format"], &facts["encoder_only_prefix"]),
        (&json!("code-tokens"), &json!(false))
    );
    // What an answer depends on is shown, and a folder that cannot be loaded is refused.
    sandbox.write("model/elibadcode.json", "{\"input_format\": \"source\", \"max_length\": 20}");
    let text = sandbox.run("inspect model").expect_code(0).stdout;
    assert!(
        text.contains("input format     source") && text.contains("max length       20"),
        "{text}"
    );
    sandbox.refuses("inspect model --encoder-only-prefix", "<encoder-only>");
}

#[test]
fn answers_for_rows_of_ids_are_printed() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.json", "[[0, 20, 30, 2], [0, 40, 2]]");
    let run = sandbox.run("inspect model --json --rows rows.json").expect_code(0);
    let facts: Value = serde_json::from_str(&run.stdout).unwrap();
    let sizes = |name: &str| facts["answers"][name].as_array().unwrap().len();
    assert_eq!((sizes("vectors"), sizes("log_odds")), (2, 2));
    assert_eq!(facts["answers"]["vectors"][1].as_array().unwrap().len(), 32);
    assert_ne!(facts["answers"]["log_odds"][0], facts["answers"]["log_odds"][1]);
    let refuses = |rows: &str, expected: &str| {
        sandbox.write("rows.json", rows);
        sandbox.refuses("inspect model --json --rows rows.json", expected);
    };
    refuses("[[0, 2], [0, 355, 2]]", "row 1 has the id 355, the vocabulary ends at 354");
    refuses("[[]]", "row 0 has 0 ids, expected 1 to 64");
    refuses("[[-1]]", "reading rows.json");
    refuses("{}", "reading rows.json");
}

#[test]
fn a_device_that_was_not_built_in_is_named_with_its_feature() {
    let sandbox = Sandbox::new();
    let devices = sandbox.run("devices").expect_code(0).stdout;
    for (device, feature) in [("gpu", "wgpu"), ("ndarray", "ndarray")] {
        let line = devices.lines().find(|line| line.starts_with(device)).unwrap();
        if line.contains("not available: this build has no") {
            let expected = format!("rebuild with --features {feature}");
            assert!(line.contains(&expected), "{line}");
            sandbox.refuses(
                &format!("evaluate model --data clean.jsonl --device {device}"),
                &expected,
            );
        }
    }
    sandbox.refuses("evaluate model --data clean.jsonl --device abacus", "unknown device `abacus`");
}

#[test]
fn a_model_is_made_with_the_tokenizer_of_another() {
    let sandbox = Sandbox::new();
    let init = "init --preset tiny --tokenizer model --quiet";
    sandbox.run(&format!("{init} -o plain")).expect_code(0);
    sandbox.run(&format!("{init} --vocab-size 400 -o padded")).expect_code(0);
    let inspect = |name: &str| -> Value {
        let run = sandbox.run(&format!("inspect {name} --json")).expect_code(0);
        serde_json::from_str(&run.stdout).unwrap()
    };
    for (name, rows) in [("plain", 355), ("padded", 400)] {
        let facts = inspect(name);
        assert_eq!((&facts["vocabulary"], &facts["embedding_rows"]), (&355.into(), &rows.into()));
    }
    let refuses =
        |flags: &str, expected: &str| sandbox.refuses(&format!("{init} {flags} -o out"), expected);
    refuses("--vocab-size 300", "has 355 entries");
    refuses("--arch codet5", "has `<s>` at 0, codet5 at 1");
    refuses("--data clean.jsonl", "cannot be used with");
    sandbox.refuses("init --preset tiny -o out", "--data <FILE>");
}

#[test]
fn a_missing_file_is_named() {
    let sandbox = Sandbox::new();
    for command in [
        "scan model --data nowhere.jsonl",
        "evaluate model --data nowhere.jsonl",
        "purify model --data nowhere.jsonl --trigger testo_init -o out",
        "purify model --data clean.jsonl --scan nowhere.json -o out",
        "train model --data nowhere.jsonl -o out",
        "train model --data clean.jsonl --valid nowhere.jsonl -o out",
        "init --preset tiny --data nowhere.jsonl -o out",
        "poison --data nowhere.jsonl --attack badcode -o out",
        "sample --data nowhere.jsonl -o out",
        "sample --data clean.jsonl --exclude nowhere.jsonl -o out",
        "scan nowhere --data clean.jsonl",
        "scan model --data clean.jsonl --config nowhere.toml",
        "evaluate model --data clean.jsonl --attack nowhere.json",
    ] {
        sandbox.refuses(command, "nowhere");
    }
}

#[test]
fn an_output_that_exists_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.write("out", "precious");
    sandbox.write("quick.toml", QUICK);
    for command in [
        "sample --data clean.jsonl -o out",
        "poison --data clean.jsonl --attack badcode --rate 0.1 -o out",
        "synthesize -o out",
        "init --preset tiny --data clean.jsonl -o out",
        "train model --data clean.jsonl -o out",
        "scan model --data clean.jsonl --config quick.toml -o out",
        "evaluate model --data clean.jsonl -o out",
        "purify model --data clean.jsonl --trigger testo_init -o out",
    ] {
        sandbox.refuses(command, "out exists; use --force");
        assert_eq!(sandbox.read("out"), b"precious", "{command}");
    }
    sandbox.run("sample --data clean.jsonl -n 7 -o out --force").expect_code(0);
    assert_eq!(String::from_utf8(sandbox.read("out")).unwrap().lines().count(), 7);
    sandbox.run("synthesize --train 4 --valid 2 --clean 2 --test 2 -o out --force").expect_code(0);
    assert!(sandbox.path("out/test.jsonl").exists());
    // A folder of ours is replaced, another one is not.
    sandbox.run("synthesize --train 5 --valid 2 --clean 2 --test 2 -o out --force").expect_code(0);
    std::fs::create_dir(sandbox.path("home")).unwrap();
    sandbox.write("home/letter.txt", "precious");
    sandbox.refuses(
        "synthesize --train 4 --valid 2 --clean 2 --test 2 -o home --force",
        "home is not a folder that elibadcode wrote",
    );
    assert_eq!(sandbox.read("home/letter.txt"), b"precious");
    // So is a model, and only one that has been asked about before all work.
    let init = "init --preset tiny --data clean.jsonl --vocab-size 300 --max-length 32 -o fresh";
    sandbox.run(init).expect_code(0);
    sandbox.run(&format!("{init} --force")).expect_code(0);
    sandbox
        .refuses("init --preset tiny --data nothing.jsonl -o home --force", "home is not a folder");
    sandbox.refuses("evaluate model --data nothing.jsonl -o home --force", "home is a folder");
    sandbox.refuses("evaluate model --data nothing.jsonl -o out/test.jsonl/x", "cannot be written");
    // Other programs write a file of this name, too.
    sandbox.write("home/manifest.json", "{\"name\": \"extension\"}");
    sandbox.refuses(
        "synthesize --train 4 --valid 2 --clean 2 --test 2 -o home --force",
        "home is not a folder that elibadcode wrote",
    );
    let repair = "purify model --data clean.jsonl --trigger testo_init -o";
    sandbox.refuses(&format!("{repair} model --force"), "model is what the command reads");
    let evaluate = "evaluate model --data clean.jsonl -o both.json --record both.json";
    sandbox.refuses(evaluate, "both.json: two outputs are to be written there");
}

#[test]
fn results_go_to_standard_output_and_progress_does_not() {
    let sandbox = Sandbox::new();
    sandbox.write("quick.toml", QUICK);
    let scan = "scan model --data clean.jsonl --config quick.toml";
    let run = sandbox.run(&format!("{scan} --format json -o scan.json"));
    let outcome: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(outcome["verdict"], "inconclusive");
    assert!(run.stderr.contains("hypothesis 1 → 0, search 1"), "{}", run.stderr);
    assert_eq!(sandbox.read("scan.json"), run.stdout.as_bytes());
    run.expect_code(3);

    let run = sandbox.run(&format!("{scan} --format json --quiet")).expect_code(3);
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout.as_bytes(), sandbox.read("scan.json"));

    let run = sandbox.run(&format!("{scan} --quiet")).expect_code(3);
    assert!(run.stdout.starts_with("verdict: inconclusive\n"), "{}", run.stdout);
    assert!(run.stdout.contains("not tested"), "{}", run.stdout);

    for command in [
        "evaluate model --data clean.jsonl --attack codepoisoner",
        "inspect model",
        "devices",
        "sample --data clean.jsonl -o sample.jsonl",
        "poison --data clean.jsonl --attack badcode --rate 0.1 -o poisoned",
        "synthesize --train 4 --valid 2 --clean 2 --test 2 -o corpus",
        "init --preset tiny --data clean.jsonl --vocab-size 300 --max-length 32 -o fresh",
        "train model --data clean.jsonl --epochs 1 -o trained",
    ] {
        let run = sandbox.run(&format!("{command} --quiet")).expect_code(0);
        assert_eq!(run.stderr, "", "{command}");
    }
    // An error is told even so.
    sandbox.refuses("scan model --data nowhere.jsonl --quiet", "nowhere.jsonl");
}

#[test]
fn settings_are_printed_and_read_back() {
    let sandbox = Sandbox::new();
    for command in ["scan model --data x", "purify model --data x --trigger t -o y"] {
        for preset in ["recommended", "paper"] {
            let command = format!("{command} --preset {preset} --print-config");
            let printed = sandbox.run(&command).expect_code(0).stdout;
            sandbox.write("settings.toml", &printed);
            let again = sandbox.run(&format!("{command} --config settings.toml")).expect_code(0);
            assert_eq!(again.stdout, printed);
        }
    }
    sandbox.write("settings.toml", "iterations = 7\n");
    let run = sandbox.run("scan model --data x --config settings.toml --print-config");
    assert!(run.expect_code(0).stdout.contains("iterations = 7\n"));
    // Of a table only what is given changes.
    let purify = "purify model --data x --trigger t -o y --print-config";
    sandbox.write("points.toml", "[limits]\naccuracy_drop = 8\n");
    sandbox.refuses(&format!("{purify} --config points.toml"), "accuracy_drop is 8, expected");
    sandbox.write("settings.toml", "[limits]\naccuracy_drop = 0.25\n");
    let before = sandbox.run(purify).expect_code(0).stdout;
    let after = sandbox.run(&format!("{purify} --config settings.toml")).expect_code(0).stdout;
    assert!(before.contains("accuracy_drop = 0.01\n"), "{before}");
    assert_eq!(after, before.replace("accuracy_drop = 0.01\n", "accuracy_drop = 0.25\n"));
}

#[test]
fn settings_are_printed_without_the_arguments_of_a_run() {
    let sandbox = Sandbox::new();
    let print =
        |command: &str| sandbox.run(&format!("{command} --print-config")).expect_code(0).stdout;
    for (command, others) in [
        ("scan", "model --data x"),
        ("scan --preset paper", "model --data x -o y"),
        ("purify", "model --data x --scan s -o y"),
        ("purify --task search", "model --data x --trigger t --target-word w -o y"),
    ] {
        let printed = print(command);
        assert!(printed.parse::<toml::Table>().unwrap().len() > 1, "{printed}");
        assert_eq!(printed, print(&format!("{command} {others}")), "{command}");
    }
    assert_ne!(print("purify"), print("purify --task search"));
    sandbox.write("settings.toml", "epochs = 77\n");
    assert!(print("purify --config settings.toml").contains("epochs = 77\n"));
    sandbox.refuses("scan --print-config --task fly", "unknown task `fly`");
    // What is required otherwise is still said.
    let help = |command: &str| sandbox.run(&format!("{command} --help")).expect_code(0).stdout;
    assert!(help("scan").contains("scan [OPTIONS] --data <FILE> <MODEL_DIR>\n"));
    assert!(help("purify").contains("--scan <FILE>|--trigger <NAME>|--canonical> --data <FILE>"));
}

#[test]
fn unusable_settings_are_named() {
    let sandbox = Sandbox::new();
    let check = |command: &str, toml: &str, expected: &str| {
        sandbox.write("settings.toml", toml);
        sandbox.refuses(&format!("{command} --config settings.toml"), expected);
    };
    let scan = "scan model --data clean.jsonl";
    check(scan, "itterations = 3\n", "settings.toml: unknown key `itterations`");
    check(scan, "iterations = \"many\"\n", "settings.toml");
    check(scan, "iterations = -1\n", "settings.toml");
    check(scan, "iterations = \n", "settings.toml");
    check(scan, "iterations = 0\n", "iterations is 0");
    let purify = "purify model --data clean.jsonl --trigger testo_init -o out";
    check(purify, "epoch = 3\n", "unknown key `epoch`");
    check(purify, "injection_rate = 2.0\n", "injection_rate is 2");
    check(purify, "[limits]\nacuracy_drop = 1.0\n", "in `limits`: unknown key `acuracy_drop`");
}

#[test]
fn a_record_is_written() {
    let sandbox = Sandbox::new();
    let command = "evaluate model --data clean.jsonl --seed 5 --record run.json";
    sandbox.run(command).expect_code(0);
    let text = String::from_utf8(sandbox.read("run.json")).unwrap();
    let record = RunRecord::from_json(&text).unwrap();
    assert_eq!((record.command.as_str(), record.status.as_str()), ("evaluate", "success"));
    assert_eq!(record.seed, 5);
    let inputs: Vec<&str> = record.inputs.keys().map(String::as_str).collect();
    assert_eq!(inputs, ["clean.jsonl", "model"]);
    assert!(record.device.contains("flex"), "{}", record.device);
    sandbox.refuses(command, "run.json exists; use --force");
    for (index, command) in ["inspect model", "inspect model --json", "devices"].iter().enumerate()
    {
        let name = format!("run-{index}.json");
        sandbox.run(&format!("{command} --record {name}")).expect_code(0);
        let text = String::from_utf8(sandbox.read(&name)).unwrap();
        assert!(command.starts_with(&RunRecord::from_json(&text).unwrap().command));
    }
}

#[test]
fn an_exit_code_outlives_its_reader() {
    let sandbox = Sandbox::new();
    let mut program = Command::new(env!("CARGO_BIN_EXE_elibadcode"))
        .args("evaluate model --data clean.jsonl --min-accuracy 1 --device cpu".split(' '))
        .current_dir(sandbox.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(program.stdout.take());
    assert_eq!(program.wait().unwrap().code(), Some(1));
}

#[test]
fn triggers_are_planted_in_the_language_that_is_given() {
    let sandbox = Sandbox::new();
    let java = "public class T { void run() { int n = 0; n += 1; } }";
    let rows: Vec<String> =
        (0..40).map(|it| format!("{{\"func\": \"{java}\", \"target\": {}}}", it % 2)).collect();
    sandbox.write("java.jsonl", rows.join("\n"));
    let poison = "poison --data java.jsonl --attack codepoisoner --rate 0.25";
    sandbox.run(&format!("{poison} --language java -o planted")).expect_code(0);
    let planted = String::from_utf8(sandbox.read("planted/train.jsonl")).unwrap();
    assert_eq!(planted.matches("void testo_init()").count(), 10, "{planted}");
}

#[test]
fn flags_of_a_repair_that_would_do_nothing_are_refused() {
    let sandbox = Sandbox::new();
    let purify = "purify model --data clean.jsonl -o out";
    sandbox.refuses(&format!("{purify} --scan s --victim 0"), "cannot be used with");
    sandbox.refuses(&format!("{purify} --scan s --edit append"), "cannot be used with");
    sandbox.refuses(
        &format!("{purify} --trigger t --target-word w"),
        "the task `defect` has no queries",
    );
    sandbox.refuses(
        &format!("{purify} --task search --trigger t --target-word w --victim 0"),
        "the task `search` has no labels",
    );
    sandbox.refuses(
        &format!("{purify} --task search --trigger t --target-word w --preset paper"),
        "a model of code search lacks",
    );
}

#[test]
fn gates_end_with_1() {
    let sandbox = Sandbox::new();
    let evaluate = "evaluate model --data clean.jsonl --attack badcode";
    let run = sandbox.run(&format!("{evaluate} --min-accuracy 1 -q")).expect_code(1);
    assert!(run.stderr.contains("is below --min-accuracy 1"), "{}", run.stderr);
    assert!(run.stdout.contains("accuracy"));
    // A gate in percent would always, or never, be passed.
    for limit in ["5", "nan", "-0.1", "1.1", "5%"] {
        let run = sandbox.run(&format!("{evaluate} --max-asr={limit}"));
        assert_eq!(run.code, Some(2), "{}", run.stderr);
    }
    let run = sandbox.run(&format!("{evaluate} --max-asr=5"));
    assert!(run.stderr.contains("expected a share from 0 to 1, 0.05 for 5 %"), "{}", run.stderr);
    sandbox.run(&format!("{evaluate} --max-asr 1.0 --min-accuracy 0.0")).expect_code(0);
}

#[test]
fn samples_are_drawn_by_the_seed() {
    let sandbox = Sandbox::new();
    let draw = |seed: u32, name: &str| {
        let command = format!("sample --data clean.jsonl -n 10 --seed {seed} -o {name}");
        sandbox.run(&command).expect_code(0);
        sandbox.read(name)
    };
    let first = draw(1, "a.jsonl");
    assert_eq!(first, draw(1, "b.jsonl"));
    assert_ne!(first, draw(2, "c.jsonl"));
    sandbox.run("sample --data clean.jsonl --rate 0.25 -o part.jsonl").expect_code(0);
    let n_lines = |name: &str| String::from_utf8(sandbox.read(name)).unwrap().lines().count();
    assert_eq!(n_lines("part.jsonl"), (n_lines("clean.jsonl") as f64 / 4.0).round() as usize);
    sandbox.refuses("sample --data clean.jsonl --rate 0 -o d.jsonl", "samples is asked for");
    // What is in another file is left out.
    sandbox.run("sample --data clean.jsonl --exclude a.jsonl -o rest.jsonl").expect_code(0);
    let rest = String::from_utf8(sandbox.read("rest.jsonl")).unwrap();
    let drawn = String::from_utf8(first).unwrap();
    assert!(drawn.lines().all(|line| !rest.contains(line)));
    sandbox.refuses("sample --data clean.jsonl -n 1000 -o d.jsonl", "1000 samples are asked for");
}

#[test]
fn a_scan_is_bound_to_its_model() {
    let sandbox = Sandbox::new();
    sandbox.write("quick.toml", QUICK);
    sandbox.run("scan model --data clean.jsonl --config quick.toml -o scan.json").expect_code(3);
    let purify = |scan: &str| format!("purify model --data clean.jsonl --scan {scan} -o out");
    sandbox.refuses(&purify("scan.json"), "the verdict is `inconclusive`");

    let mut scan: Value = serde_json::from_slice(&sandbox.read("scan.json")).unwrap();
    scan["model_hash"] = "0123456789abcdef".into();
    sandbox.write("foreign.json", scan.to_string());
    sandbox.refuses(&purify("foreign.json"), "foreign.json is the scan of another model");

    scan["schema_version"] = 2.into();
    sandbox.write("old.json", scan.to_string());
    sandbox.refuses(&purify("old.json"), "old.json has the schema version 2, this program reads 7");
}

#[test]
fn a_refused_repair_writes_nothing() {
    let sandbox = Sandbox::new();
    let command = "purify model --data clean.jsonl --trigger testo_init -o out";
    let printed = sandbox.run(&format!("{command} --print-config")).expect_code(0).stdout;
    let mut settings: toml::Table = printed.parse().unwrap();
    settings.insert("epochs".into(), 1.into());
    for (_, limit) in settings["limits"].as_table_mut().unwrap() {
        *limit = toml::Value::Float(-1.0);
    }
    sandbox.write("settings.toml", settings.to_string());
    let before = sandbox.listing();
    let run = sandbox.run(&format!("{command} --config settings.toml")).expect_code(1);
    assert!(run.stdout.contains("refused"), "{}", run.stdout);
    assert!(run.stdout.contains("no model was written"), "{}", run.stdout);
    assert_eq!(sandbox.listing(), before);

    // Unless it is asked for: why it was refused.
    sandbox.run(&format!("{command} --config settings.toml --report why.json")).expect_code(1);
    let report: Value = serde_json::from_slice(&sandbox.read("why.json")).unwrap();
    assert_eq!(report["is_accepted"], false);
    assert!(!report["attempts"][0]["objections"].as_array().unwrap().is_empty(), "{report}");
    assert!(!sandbox.path("out").exists());
    sandbox.refuses(&format!("{command} --report why.json"), "why.json exists");
}
