//! Inputs that are broken or malicious: each is refused in one sentence, and nothing is left over.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use elibadcode_corpus::DefectSample;
use program::Sandbox;
use serde_json::{Value, json};

const EVALUATE: &str = "evaluate model --data clean.jsonl -o metrics.json";

fn sample(code: &str, label: u8) -> DefectSample {
    DefectSample { id: String::new(), project: String::new(), code: code.to_owned(), label }
}

#[test]
fn corpora() {
    let sandbox = Sandbox::new();
    let check = |text: &[u8], expected: &str| {
        sandbox.write("bad.jsonl", text);
        for command in [
            "evaluate model --data bad.jsonl",
            "scan model --data bad.jsonl",
            "purify model --data bad.jsonl --trigger testo_init -o out",
            "train model --data bad.jsonl -o out",
            "init --preset tiny --data bad.jsonl -o out",
            "poison --data bad.jsonl --attack badcode -o out",
            "sample --data bad.jsonl -o out",
        ] {
            sandbox.refuses(command, expected);
        }
    };
    let good = "{\"func\": \"int f(void);\", \"target\": 0}\n";
    check(b"", "bad.jsonl: holds no rows");
    check(format!("{good}{good}{{\"func\": oops\n").as_bytes(), "bad.jsonl, line 3: ");
    check(
        format!("{good}{}", good.replace('0', "2")).as_bytes(),
        "line 2: the label is 2, expected 0 or 1",
    );
    check(format!("{good}{}", good.replace('0', "\"0\"")).as_bytes(), "line 2: ");
    check(format!("{good}\u{0}").as_bytes(), "line 2: ");
    check(b"{\"func\": \"\xff\", \"target\": 0}\n", "line 1: ");
    let nested = format!("{good}{}", "[".repeat(100_000));
    check(nested.as_bytes(), "line 2: ");
    sandbox.write("bad.jsonl.gz", b"\x1f\x8b\x08 and what gzip does not write");
    sandbox.refuses("evaluate model --data bad.jsonl.gz", "error: ");
}

#[test]
fn pairs() {
    let sandbox = Sandbox::with_model("roberta-pair");
    let functions = String::from_utf8(sandbox.read("data.jsonl")).unwrap();
    let good = String::from_utf8(sandbox.read("pairs.txt")).unwrap();
    let check = |pairs: &[u8], functions: &[u8], expected: &str| {
        sandbox.write("bad.txt", pairs);
        sandbox.write("data.jsonl", functions);
        for command in [
            "evaluate model --data bad.txt -o metrics.json",
            "train model --data bad.txt -o out",
            "init --preset tiny --data bad.txt -o out",
            "poison --data bad.txt --attack badcode -o out",
            "sample --data bad.txt -o out",
        ] {
            sandbox.refuses(&format!("{command} --task clone"), expected);
        }
    };
    let whole = functions.as_bytes();
    check(b"", whole, "bad.txt: holds no rows");
    check(
        b"a\tb\t1\n",
        whole,
        "1 of 1 rows unusable: 1 no usable function of this id (first: bad.txt, line 1)",
    );
    check(&good.replace("\t1\n", "\t7\n").into_bytes(), whole, "label other than 0 and 1");
    check(&good.replace("\t1\n", "\n").into_bytes(), whole, "missing field");
    check(b"\xff\t\xfe\t1\n", whole, "not UTF-8");
    check(good.as_bytes(), b"", "data.jsonl: holds no rows");
    check(good.as_bytes(), &functions.replace("\"func\"", "\"fun\"").into_bytes(), "missing field");
    check(good.as_bytes(), &functions.replace("\"func\"", "\"func").into_bytes(), "malformed row");
    std::fs::remove_file(sandbox.path("data.jsonl")).unwrap();
    sandbox.refuses("evaluate model --task clone --data bad.txt", "data.jsonl");
    sandbox.refuses("evaluate model --task clone --data nowhere.txt", "nowhere.txt");
}

#[test]
fn queries() {
    let sandbox = Sandbox::with_model("roberta-embedding");
    let good = String::from_utf8(sandbox.read("queries.jsonl")).unwrap();
    let check = |text: &[u8], expected: &str| {
        sandbox.write("bad.jsonl", text);
        for command in [
            "evaluate model --data bad.jsonl -o metrics.json",
            "train model --data bad.jsonl -o out",
            "init --preset tiny --data bad.jsonl -o out",
            "poison --data bad.jsonl --attack badcode -o out",
            "sample --data bad.jsonl -o out",
        ] {
            sandbox.refuses(&format!("{command} --task search"), expected);
        }
    };
    check(b"", "bad.jsonl: holds no rows");
    check(&good.replace("docstring_tokens", "docstring").into_bytes(), "60 missing field");
    check(
        &good.replace("{\"url\"", "{\"url").into_bytes(),
        "malformed row (first: bad.jsonl, line 1)",
    );
    check(b"{\"code\": \"def f():\\n  pass\", \"docstring_tokens\": []}\n", "1 empty docstring");
    check(b"{\"code\": \"\xff\", \"docstring_tokens\": [\"a\"]}\n", "1 not UTF-8");
    check(b"{\"code\": \"x = 1\", \"docstring_tokens\": [\"a\"]}\n", "1 no function in the code");
}

#[test]
fn a_few_broken_rows_are_counted_and_passed_over() {
    let sandbox = Sandbox::with_model("roberta-embedding");
    let mut text = String::from_utf8(sandbox.read("queries.jsonl")).unwrap();
    let long = format!("def f():\n    return \"{}\"\n", "x".repeat(1 << 20));
    for (code, word) in [(long.as_str(), "a"), ("def f(): pass", " ")] {
        text += &json!({"code": code, "docstring_tokens": [word]}).to_string();
        text.push('\n');
    }
    sandbox.write("queries.jsonl", text);
    let run = sandbox
        .run("evaluate model --task search --data queries.jsonl -o metrics.json")
        .expect_code(0);
    assert!(
        run.stderr.contains(
            "queries.jsonl: 2 of 62 rows unusable: 1 function too long (first: queries.jsonl, \
             line 61), 1 empty docstring (first: queries.jsonl, line 62)"
        ),
        "{}",
        run.stderr
    );
    let metrics: Value = serde_json::from_slice(&sandbox.read("metrics.json")).unwrap();
    assert_eq!(metrics["n_samples"], 60);

    let sandbox = Sandbox::with_model("roberta-pair");
    let mut text = String::from_utf8(sandbox.read("pairs.txt")).unwrap();
    text += "nobody\tknows\t1\n";
    sandbox.write("pairs.txt", text);
    let run = sandbox.run("evaluate model --task clone --data pairs.txt").expect_code(0);
    assert!(
        run.stderr.contains("1 no usable function of this id (first: pairs.txt, line 41)"),
        "{run:?}"
    );
}

#[test]
fn functions_of_pairs_and_queries_that_are_none() {
    let codes =
        ["(", "{{{{", "x", "// nothing", "class A { int a; }", "\u{202e}é", "/* open", "\""];
    let sandbox = Sandbox::with_model("roberta-pair");
    let function = |(index, code): (usize, &&str)| json!({"func": code, "idx": index}).to_string();
    let functions: Vec<String> = codes.iter().enumerate().map(function).collect();
    sandbox.write("data.jsonl", functions.join("\n"));
    let pairs: Vec<String> = (1..8).map(|it| format!("0\t{it}\t{}", it % 2)).collect();
    sandbox.write("pairs.txt", pairs.join("\n"));
    let run = sandbox
        .run("evaluate model --task clone --data pairs.txt --attack codepoisoner -o metrics.json")
        .expect_code(0);
    assert!(run.stdout.contains("cannot carry the trigger"), "{}", run.stdout);
    let metrics: Value = serde_json::from_slice(&sandbox.read("metrics.json")).unwrap();
    assert_eq!((&metrics["attack"]["n_skipped"], &metrics["n_samples"]), (&json!(7), &json!(7)));
    sandbox.refuses(
        "poison --task clone --data pairs.txt --attack badcode --rate 1 -o out",
        "8 functions are to be poisoned, 0 can carry the trigger",
    );
}

#[test]
fn samples_that_no_trigger_fits() {
    let sandbox = Sandbox::new();
    let rows: Vec<DefectSample> = (0..60).map(|index| sample(";", index % 2)).collect();
    sandbox.write_samples("clean.jsonl", &rows);
    sandbox.refuses("scan model --data clean.jsonl -o scan.json", "has an identifier");
    sandbox.refuses(
        "purify model --data clean.jsonl --trigger testo_init -o out",
        "only 0 of the clean samples with label 1 that were kept aside have a place",
    );
    let one_label: Vec<DefectSample> = (0..60).map(|_| sample("int f(int n);", 1)).collect();
    sandbox.write_samples("clean.jsonl", &one_label);
    let run = sandbox.run("scan model --data clean.jsonl").expect_code(3);
    assert!(run.stdout.contains("the rarer label has 0"), "{}", run.stdout);
    sandbox.refuses("purify model --data clean.jsonl --trigger testo_init -o out", "label 0 has 0");
}

#[test]
fn source_text_that_is_no_function() {
    let sandbox = Sandbox::new();
    let codes = [
        String::new(),
        "(".repeat(20_000),
        "{".repeat(20_000),
        "if (x) ".repeat(5_000),
        format!("int f(void) {{ return {}1{}; }}", "(".repeat(5_000), ")".repeat(5_000)),
        "int \u{0} f(void)".into(),
        "\u{202e}int é(void) { return \u{1f600}; }".into(),
        "/* never closed".into(),
        "\"never closed".into(),
        "a ".repeat(50_000),
        "x".repeat(100_000),
    ];
    let rows: Vec<DefectSample> = codes
        .iter()
        .chain(&codes)
        .enumerate()
        .map(|(index, code)| sample(code, u8::from(index >= codes.len())))
        .collect();
    sandbox.write_samples("clean.jsonl", &rows);
    let run = sandbox.run(&format!("{EVALUATE} --attack codepoisoner")).expect_code(0);
    assert!(run.stdout.contains("/22)"), "{}", run.stdout);
}

#[test]
fn weights() {
    let sandbox = Sandbox::new();
    let whole = sandbox.read("model/model.safetensors");
    let refused = |bytes: &[u8], expected: &str| {
        sandbox.write("model/model.safetensors", bytes);
        sandbox.refuses(EVALUATE, expected);
        sandbox.refuses("scan model --data clean.jsonl -o scan.json", expected);
        sandbox.refuses("train model --data clean.jsonl -o out", expected);
    };
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], "model.safetensors: not a complete safetensors file");
    }
    let mut not_a_number = whole.clone();
    let end = not_a_number.len();
    not_a_number[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&not_a_number, "holds NaN");
    // What the folder says it is stands beside what makes it unusable.
    let run = sandbox.run("inspect model").expect_code(2);
    assert!(run.stdout.contains("usable           false"), "{run:?}");
    assert!(run.stderr.contains("holds NaN"), "{run:?}");
    // The same bytes under another shape.
    let header_length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(whole[8..8 + header_length].to_vec()).unwrap();
    assert!(header.contains("[48,32]"), "{header}");
    let mut reshaped = whole[..8].to_vec();
    reshaped.extend_from_slice(header.replacen("[48,32]", "[32,48]", 1).as_bytes());
    reshaped.extend_from_slice(&whole[8 + header_length..]);
    refused(&reshaped, "is [32, 48], expected [48, 32]");
}

#[test]
fn configurations() {
    let sandbox = Sandbox::new();
    let config: Value = serde_json::from_slice(&sandbox.read("model/config.json")).unwrap();
    let check = |key: &str, value: Value, expected: &str| {
        let mut config = config.clone();
        config[key] = value;
        sandbox.write("model/config.json", config.to_string());
        sandbox.refuses(EVALUATE, expected);
        sandbox.refuses("inspect model", expected);
    };
    check("intermediate_size", json!(47), "expected [47, 32]");
    check("model_type", json!("gpt2"), "model_type is `gpt2`");
    check("hidden_size", json!(0), "hidden_size is 0");
    check("num_hidden_layers", json!(4_000_000_000_u64), "num_hidden_layers is 4000000000");
    check("vocab_size", json!(-1), "config.json");
    // What the file declares is of an encoder without a head: the weights have one all the same.
    let mut undeclared = config.clone();
    undeclared["architectures"] = json!(["RobertaModel"]);
    undeclared["id2label"] = json!({"0": "a", "1": "b", "2": "c"});
    sandbox.write("model/config.json", undeclared.to_string());
    sandbox.refuses(EVALUATE, "the head has 3 outputs, expected 1 or 2");
    sandbox.write("model/config.json", "{");
    sandbox.refuses(EVALUATE, "config.json");
    sandbox.write("model/config.json", config.to_string());
    sandbox.write("model/elibadcode.json", "{\"max_length\": 2}");
    sandbox.refuses(EVALUATE, "max_length is 2, expected 3 to");
    let run = sandbox.run("evaluate model --data clean.jsonl --max-length 20").expect_code(0);
    assert!(run.stderr.contains("longer than the 20 tokens that are read"), "{run:?}");
    let mut long = config.clone();
    long["max_position_embeddings"] = json!(100_002);
    sandbox.write("model/config.json", long.to_string());
    sandbox.write("model/elibadcode.json", "{\"max_length\": 100000}");
    sandbox.refuses(EVALUATE, "attention scores in every layer");
    sandbox.write("model/config.json", config.to_string());
    sandbox.write("model/elibadcode.json", "{\"positive_output\": 0}");
    sandbox.refuses(EVALUATE, "the head has one output, which stands for label 1");
}

/// What other programs would read as another model than this one does.
#[test]
fn configurations_that_change_what_is_read() {
    let check = |fixture: &str, key: &str, value: Value, expected: &str| {
        let sandbox = Sandbox::with_model(fixture);
        let mut config: Value = serde_json::from_slice(&sandbox.read("model/config.json")).unwrap();
        config[key] = value;
        sandbox.write("model/config.json", config.to_string());
        sandbox.refuses("inspect model", expected);
    };
    let roberta = |key, value, expected| check("roberta-one-logit", key, value, expected);
    roberta("is_decoder", json!(true), "is_decoder is true");
    roberta("problem_type", json!("regression"), "problem_type is `regression`");
    roberta("auto_map", json!({"AutoModel": "modeling.Model"}), "auto_map names a program");
    roberta("quantization_config", json!({}), "does not read quantized weights");
    roberta("transformers_weights", json!("other.safetensors"), "transformers_weights names files");
    roberta("configuration_files", json!(["config.4.0.0.json"]), "configuration_files names files");
    roberta("pad_token_id", json!(0), "pad_token_id is 0, but the tokenizer's `<pad>` is 1");
    let t5 = |key, value, expected| check("codet5-one-logit", key, value, expected);
    t5("eos_token_id", json!(1), "eos_token_id is 1, but the tokenizer's `</s>` is 2");
    t5("dense_act_fn", json!("gelu"), "not those of feed_forward_proj `relu`");
    t5("num_hidden_layers", json!(1), "num_hidden_layers is 1, and num_layers, which is the same,");
    let sandbox = Sandbox::new();
    sandbox.write("model/adapter_config.json", "{}");
    sandbox.refuses("inspect model", "has adapter_config.json");
}

#[test]
fn tokenizers() {
    let sandbox = Sandbox::new();
    let tokenizer: Value = serde_json::from_slice(&sandbox.read("model/tokenizer.json")).unwrap();
    let check = |key: &str, value: Value, expected: &str| {
        let mut tokenizer = tokenizer.clone();
        tokenizer[key] = value;
        sandbox.write("model/tokenizer.json", tokenizer.to_string());
        sandbox.refuses(EVALUATE, expected);
        sandbox.refuses("scan model --data clean.jsonl -o scan.json", expected);
    };
    // Each of 40 steps doubles the text.
    let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let doubling = json!({"type": "Sequence", "normalizers": vec![double; 40]});
    check("normalizer", doubling, "its normalizer is of another kind than none or Lowercase");
    let chunks = json!({"type": "FixedLength", "length": 0});
    check("pre_tokenizer", chunks, "its pre_tokenizer is of another kind than ByteLevel");
    let unsplit = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
        "use_regex": false});
    check("pre_tokenizer", unsplit, "its pre_tokenizer is of another kind than ByteLevel");
    let twice = json!({"Sequence": {"id": "A", "type_id": 0}});
    let template = json!({"type": "TemplateProcessing", "single": [twice, twice], "pair": [],
        "special_tokens": {}});
    check("post_processor", template, "its post_processor is of another kind than none");
    let mut random = tokenizer["model"].clone();
    random["dropout"] = json!(0.5);
    check("model", random, "its model is of another kind than BPE without dropout");
    let mut added = tokenizer["added_tokens"].clone();
    added[0]["content"] = json!("if (");
    check("added_tokens", added, "its added token `if (` has white space within");
    let special = |content: &str| {
        let mut added = tokenizer["added_tokens"].clone();
        let mut token = added[0].clone();
        token["content"] = json!(content);
        token["id"] = json!(tokenizer["model"]["vocab"].as_object().unwrap().len());
        added.as_array_mut().unwrap().push(token);
        added
    };
    check("added_tokens", special("testo_init"), "`testo_init` can be a part of code");
    check("added_tokens", special(" testo_init"), "` testo_init` has white space within");
    let mut stripping = special("<new>");
    stripping.as_array_mut().unwrap().last_mut().unwrap()["rstrip"] = json!(true);
    check("added_tokens", stripping, "`<new>` takes the space behind it along");
    let mut twice = tokenizer["model"].clone();
    twice["vocab"]["zz_twice"] = json!(100);
    check("model", twice, "have the same id 100");
    let strip = json!({"type": "Strip", "content": "a", "start": 0, "stop": 9});
    check("decoder", strip, "its decoder is of another kind than ByteLevel");
    let words = json!({"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"});
    check("model", words, "its model is of another kind than BPE");
    sandbox.write("model/tokenizer.json", "{}");
    sandbox.refuses(EVALUATE, "tokenizer.json");
    sandbox.write("model/tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid x\n");
    sandbox.refuses(EVALUATE, "tokenizer.json: is a pointer of Git LFS");
}

#[test]
fn weights_with_two_tensors_for_one() {
    let sandbox = Sandbox::new();
    let whole = sandbox.read("model/model.safetensors");
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&whole[8..8 + length]).unwrap();
    // The same bytes a second time, under a name that transformers does not load.
    let size = whole.len() - 8 - length;
    let first = header["classifier.out_proj.bias"].clone();
    let offsets = first["data_offsets"].as_array().unwrap();
    let n_bytes = offsets[1].as_u64().unwrap() - offsets[0].as_u64().unwrap();
    let mut second = first.clone();
    second["data_offsets"] = json!([size, size + n_bytes as usize]);
    header["module.classifier.out_proj.bias"] = second;
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&whole[8 + length..]);
    bytes.extend(vec![0; n_bytes as usize]);
    sandbox.write("model/model.safetensors", bytes);
    sandbox.refuses(
        EVALUATE,
        "`classifier.out_proj.bias` and `module.classifier.out_proj.bias` are the same tensor",
    );
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let sandbox = Sandbox::new();
    let mut config: Value = serde_json::from_slice(&sandbox.read("model/config.json")).unwrap();
    config["architectures"] = json!(["\u{1b}[31mRoberta\u{202e}\n"]);
    sandbox.write("model/config.json", config.to_string());
    let run = sandbox.run("inspect model").expect_code(0);
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{202e}'), "{:?}", run.stdout);
}

#[test]
fn control_characters_do_not_reach_the_terminal_in_errors() {
    let sandbox = Sandbox::new();
    let mut config: Value = serde_json::from_slice(&sandbox.read("model/config.json")).unwrap();
    config["model_type"] = json!("\u{1b}]0;title\u{7}");
    sandbox.write("model/config.json", config.to_string());
    let run = sandbox.run("inspect model").expect_code(2);
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
}

#[test]
fn scan_documents() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "quick.toml",
        "samples_per_class = 2\nheld_out_per_class = 2\ntrigger_len = 2\niterations = 1\n\
         candidates = 2\nrestarts = 1\nn_controls = 1\n",
    );
    sandbox.run("scan model --data clean.jsonl --config quick.toml -o scan.json").expect_code(3);
    let scan: Value = serde_json::from_slice(&sandbox.read("scan.json")).unwrap();
    let refused = |text: String, expected: &str| {
        sandbox.write("bad.json", text);
        sandbox.refuses("purify model --data clean.jsonl --scan bad.json -o out", expected);
    };
    refused("{".into(), "reading bad.json");
    refused("[]".into(), "reading bad.json");
    refused("{}".into(), "reading bad.json: missing field");
    let with = |changes: &[(&str, Value)]| {
        let mut scan = scan.clone();
        for (key, value) in changes {
            scan[*key] = value.clone();
        }
        scan.to_string()
    };
    refused(with(&[("surprise", json!(1))]), "unknown field `surprise`");
    refused(with(&[("verdict", json!("fine"))]), "unknown variant `fine`");
    refused(
        with(&[("task", json!("search"))]),
        "bad.json is of a scan with --task search, not defect",
    );
    refused(with(&[("language", json!("java"))]), "a scan with --language java, not c");
    sandbox.refuses(
        "purify model --max-length 20 --data clean.jsonl --scan scan.json -o out",
        "give both commands the same --max-length",
    );
    let trigger =
        |ids: Value| json!([{"text": "x", "edit": "replace", "tokens": ["x"], "ids": ids}]);
    let guilty = |triggers: Value| {
        with(&[
            ("verdict", json!("likely backdoored")),
            ("victim_label", json!(1)),
            ("target_label", json!(0)),
            ("triggers", triggers),
        ])
    };
    refused(guilty(trigger(json!([99_999]))), "token 99999, but the vocabulary ends at 354");
    refused(guilty(trigger(json!([]))), "no trigger");
    refused(guilty(json!([])), "no trigger");
    refused(guilty(trigger(json!([-1]))), "reading bad.json");
}

#[test]
fn attack_manifests() {
    let sandbox = Sandbox::new();
    for text in ["", "{}", "[1]", "\u{0}"] {
        sandbox.write("manifest.json", text);
        sandbox.refuses(&format!("{EVALUATE} --attack manifest.json"), "reading manifest.json");
    }
    sandbox.refuses(&format!("{EVALUATE} --attack badcod"), "neither a file nor an attack");
    sandbox.refuses(&format!("{EVALUATE} --attack badcod"), "badcode-mixed");
    sandbox.run("poison --data clean.jsonl --attack badcode --rate 0.1 -o planted").expect_code(0);
    let manifest: Value = serde_json::from_slice(&sandbox.read("planted/manifest.json")).unwrap();
    let refused = |key: &str, value: Value, expected: &str| {
        let mut manifest = manifest.clone();
        manifest["attack"][key] = value;
        sandbox.write("manifest.json", manifest.to_string());
        sandbox.refuses(&format!("{EVALUATE} --attack manifest.json"), expected);
    };
    refused("trigger", json!("a b"), "reading manifest.json");
    refused("attack", json!("nobody"), "reading manifest.json");
    refused("rate", json!(7), "poisoning rate 7 is not between 0 and 1");
    refused("target_label", json!(1), "victim label and target label are both 1");
    refused("surprise", json!(1), "unknown field `surprise`");
    refused("target_word", json!("file"), "another task");
    sandbox.refuses("poison --data clean.jsonl --attack badcode --rate 2 -o out", "rate");
    sandbox.refuses("poison --data clean.jsonl --attack badcode --rate nan -o out", "rate");
}

#[test]
fn training_settings() {
    let sandbox = Sandbox::new();
    let train = "train model --data clean.jsonl -o out";
    sandbox.refuses(&format!("{train} --epochs 0"), "epochs is 0");
    sandbox.refuses(&format!("{train} --batch-size 0"), "batch_size is 0");
    sandbox.refuses(&format!("{train} --learning-rate nan"), "learning_rate is NaN");
    sandbox.refuses(&format!("{train} --learning-rate 1e30 --epochs 2"), "the training loss is");
    sandbox.refuses(&format!("{EVALUATE} --device toaster"), "toaster");
}
