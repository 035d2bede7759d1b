//! Model folders that are wrong on purpose: every one is refused with what is wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use elibadcode_models::{Compute, Head, ModelDir};
use serde_json::{Value, json};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/roberta-one-logit");
        let dir = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            fs::copy(source.join(name), dir.path().join(name)).unwrap();
        }
        Self(dir)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn with_config(self, key: &str, value: Value) -> Self {
        let path = self.file("config.json");
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        config[key] = value;
        fs::write(path, config.to_string()).unwrap();
        self
    }

    fn with_file(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.file(name), bytes).unwrap();
        self
    }

    #[track_caller]
    fn is_refused_with(&self, expected: &str) {
        let compute = Compute::select("cpu").unwrap();
        let message = ModelDir::open(self.0.path())
            .and_then(|dir| dir.load(&compute))
            .expect_err("the folder is wrong")
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn configurations() {
    let check =
        |key, value, expected| Folder::new().with_config(key, value).is_refused_with(expected);
    check("model_type", json!("gpt2"), "model_type is `gpt2`");
    check("hidden_size", json!(30), "hidden_size 30 is not a multiple of num_attention_heads 4");
    check("hidden_size", json!(-1), "config.json: invalid value");
    check("num_hidden_layers", json!(0), "num_hidden_layers is 0");
    check("vocab_size", json!(u64::from(u32::MAX)), "vocab_size is 4294967295");
    check("hidden_act", json!("relu"), "hidden_act is `relu`, expected `gelu`");
    check("pad_token_id", json!(9999), "pad_token_id is 9999, outside the vocabulary");
    check("max_position_embeddings", json!(3), "leaves no room");
    check("id2label", json!({"0": "a", "1": "b", "2": "c"}), "the head has 3 outputs");
    check("hidden_dropout_prob", json!(1.5), "hidden_dropout_prob is 1.5");
    check("is_decoder", json!(true), "is_decoder is true");
    check("is_decoder", json!(1), "is_decoder is 1");
    check("position_embedding_type", json!("none"), "is \"none\", expected `absolute`");
    check("auto_map", json!({}), "auto_map names a program");
    Folder::new().with_file("config.json", b"{").is_refused_with("config.json: EOF");
    Folder::new().with_file("config.json", b"[]").is_refused_with("no `model_type`");
    Folder::new()
        .with_file("elibadcode.json", b"{\"max_length\": 4000}")
        .is_refused_with("max_length is 4000, expected 3 to 64");
}

#[test]
fn weights() {
    let folder = Folder::new();
    let whole = fs::read(folder.file("model.safetensors")).unwrap();
    for length in (0..200).chain((200..whole.len()).step_by(9973)).chain([whole.len() - 1]) {
        Folder::new()
            .with_file("model.safetensors", &whole[..length])
            .is_refused_with("not a complete safetensors file");
    }
    let claim = |size: u64| {
        let mut bytes = whole.clone();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        bytes
    };
    Folder::new()
        .with_file("model.safetensors", &claim(10_000_000_000))
        .is_refused_with("its header claims 10000000000 bytes, expected at most 16777216");
    Folder::new()
        .with_file("model.safetensors", &claim(10_000_000))
        .is_refused_with("its header claims 10000000 bytes, the file has");
    Folder::new().with_file("model.safetensors", &claim(u64::MAX)).is_refused_with("claims");
    fs::remove_file(folder.file("model.safetensors")).unwrap();
    folder.is_refused_with("has none of model.safetensors, pytorch_model.bin, model.bin");
    Folder::new()
        .with_file("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0")
        .is_refused_with("model.safetensors: is a pointer of Git LFS");
    // Whatever transformers would load: it may be what the fine-tuned one began with.
    Folder::new()
        .with_file("model.bin", &whole)
        .is_refused_with("has model.safetensors and model.bin, which are different models");
}

/// transformers takes `model.safetensors` of the two, `torch.load` the other.
#[test]
fn weights_in_two_formats() {
    let folder = Folder::new();
    let whole = fs::read(folder.file("model.safetensors")).unwrap();
    // Another format by its name only: a sharded one.
    let index = |names: &[&str]| {
        let places = names.iter().map(|&name| (name.to_owned(), json!("part.safetensors")));
        json!({"weight_map": Value::Object(places.collect())}).to_string()
    };
    let header_length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&whole[8..8 + header_length]).unwrap();
    let names: Vec<&str> = header.as_object().unwrap().keys().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().filter(|&name| name != "__metadata__").collect();
    let beside = |bytes: &[u8]| {
        Folder::new()
            .with_file("part.safetensors", bytes)
            .with_file("pytorch_model.bin.index.json", index(&names).as_bytes())
    };
    let compute = Compute::select("cpu").unwrap();
    let same = beside(&whole);
    ModelDir::open(same.0.path()).and_then(|dir| dir.load(&compute)).unwrap();
    // One file is read only when its header promises what the other's does.
    let mut index_of_less = names.clone();
    let last = index_of_less.pop().unwrap();
    let less =
        beside(&whole).with_file("pytorch_model.bin.index.json", index(&index_of_less).as_bytes());
    less.is_refused_with(&format!("holds `{last}`, which the index does not place there"));
    let mut changed = whole;
    *changed.last_mut().unwrap() ^= 1;
    beside(&changed).is_refused_with("has other values than in model.safetensors beside it");
}

#[test]
fn files_that_are_none() {
    Folder::new()
        .with_file("special_tokens_map.json", b"-----BEGIN KEY")
        .is_refused_with("special_");
    Folder::new().with_file("merges.txt", b"root:x:0:0").is_refused_with("start with `#version`");
    let folder = Folder::new();
    fs::create_dir(folder.file("added_tokens.json")).unwrap();
    folder.is_refused_with("added_tokens.json: is no regular file");
}

#[cfg(unix)]
#[test]
fn files_that_never_end() {
    for name in ["config.json", "elibadcode.json", "added_tokens.json", "model.safetensors"] {
        let folder = Folder::new();
        let _ = fs::remove_file(folder.file(name));
        std::os::unix::fs::symlink("/dev/zero", folder.file(name)).unwrap();
        folder.is_refused_with("is no regular file");
    }
}

#[test]
fn a_head_of_one_layer() {
    let tensor = |from: u64, to: u64, shape: &[u64]| json!({"dtype": "F32", "shape": shape, "data_offsets": [from, to]});
    let header = json!({
        "roberta.embeddings.word_embeddings.weight": tensor(0, 8, &[2]),
        "classifier.weight": tensor(8, 16, &[2]),
    });
    Folder::new()
        .with_file("model.safetensors", &safetensors(&header, 16))
        .is_refused_with("has a head of one linear layer (`classifier.weight`)");
}

/// A safetensors file with this header and as many bytes of data.
fn safetensors(header: &Value, n_bytes: usize) -> Vec<u8> {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; n_bytes]);
    bytes
}

#[test]
fn tensors_out_of_place() {
    let tensor =
        |from: u64, to: u64| json!({"dtype": "F32", "shape": [2], "data_offsets": [from, to]});
    let check = |header: Value, n_bytes: usize| {
        Folder::new()
            .with_file("model.safetensors", &safetensors(&header, n_bytes))
            .is_refused_with("not a complete safetensors file");
    };
    check(json!({"a": tensor(0, 8), "b": tensor(4, 12)}), 12);
    check(json!({"a": tensor(0, 8), "b": tensor(16, 24)}), 24);
    check(json!({"a": tensor(0, 8)}), 4);
    check(json!({"a": tensor(8, 0)}), 8);
    check(json!({"a": tensor(0, u64::MAX)}), 8);
    check(json!({"a": {"dtype": "F32", "shape": [u64::MAX, 4], "data_offsets": [0, 8]}}), 8);
    check(json!({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}}), 8);
    check(json!([1, 2]), 8);
}

#[test]
fn a_value_that_is_not_a_number() {
    let folder = Folder::new();
    let mut bytes = fs::read(folder.file("model.safetensors")).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    folder.with_file("model.safetensors", &bytes).is_refused_with("holds NaN at index");
    // A bias of the keys does nothing but round away what it is added to.
    bytes[end - 4..].copy_from_slice(&1e8f32.to_le_bytes());
    Folder::new()
        .with_file("model.safetensors", &bytes)
        .is_refused_with("holds 100000000 at index");
}

#[test]
fn shards() {
    let check = |index: Value, expected: &str| {
        let folder = Folder::new();
        fs::rename(folder.file("model.safetensors"), folder.file("part.safetensors")).unwrap();
        folder
            .with_file("model.safetensors.index.json", index.to_string().as_bytes())
            .is_refused_with(expected);
    };
    let name = "classifier.dense.bias";
    check(json!({}), "has no weight_map");
    check(json!({"weight_map": {name: "../../etc/passwd"}}), "expected a file name");
    check(json!({"weight_map": {name: "/etc/passwd"}}), "expected a file name");
    check(json!({"weight_map": {name: 7}}), "expected a file name");
    check(json!({"weight_map": {name: "none.safetensors"}}), "none.safetensors");
    // transformers would load it all the same.
    check(
        json!({"weight_map": {name: "part.safetensors"}}),
        "holds `classifier.dense.weight`, which the index does not place there",
    );
}

#[test]
fn a_key_that_says_nothing() {
    let compute = Compute::select("cpu").unwrap();
    let keys = ["is_decoder", "position_embedding_type", "auto_map", "quantization_config"];
    let folder = keys.into_iter().fold(Folder::new(), |it, key| it.with_config(key, Value::Null));
    ModelDir::open(folder.0.path()).and_then(|dir| dir.load(&compute)).unwrap();
}

#[test]
fn no_head_is_drawn_for_an_encoder_that_does_not_fit() {
    let folder = Folder::new().with_config("hidden_size", json!(4_000_000));
    let compute = Compute::select("cpu").unwrap();
    let mut rng = elibadcode_corpus::stage_rng(1, "head");
    let loaded = ModelDir::open(folder.0.path())
        .and_then(|dir| dir.load_for_training(&compute, Head::Pair, &mut rng));
    let message = loaded.expect_err("the encoder is smaller").to_string();
    assert!(message.contains("expected [4000000"), "{message}");
}

#[test]
fn tensors_that_do_not_fit() {
    let check =
        |key, value, expected| Folder::new().with_config(key, value).is_refused_with(expected);
    check("hidden_size", json!(64), "`classifier.dense.bias` is [32], expected [64]");
    check("hidden_size", json!(4_000_000), "`classifier.dense.bias` is [32], expected [4000000]");
    check("vocab_size", json!(4_000_000), "is [355, 32], expected [4000000, 32]");
    check("num_hidden_layers", json!(4_000_000), "num_hidden_layers is 4000000");
    check("num_hidden_layers", json!(3), "missing `roberta.encoder.layer.2.");
    check("num_hidden_layers", json!(1), "unexpected `roberta.encoder.layer.1.");
}

#[test]
fn tokenizers() {
    Folder::new().with_file("tokenizer.json", b"{}").is_refused_with("tokenizer.json");
    Folder::new()
        .with_config("vocab_size", json!(300))
        .is_refused_with("`roberta.embeddings.word_embeddings.weight` is [355, 32]");
    let folder = Folder::new();
    fs::remove_file(folder.file("tokenizer.json")).unwrap();
    folder.is_refused_with("has neither tokenizer.json nor vocab.json");
}

#[test]
fn no_model_is_written_without_its_tokenizer() {
    let folder = Folder::new();
    let compute = Compute::select("cpu").unwrap();
    let model = ModelDir::open(folder.0.path()).unwrap().load(&compute).unwrap();
    fs::remove_file(folder.file("tokenizer.json")).unwrap();
    let written = folder.file("written");
    let message = model.save(&written, Value::Null).unwrap_err().to_string();
    assert!(message.contains("tokenizer.json or vocab.json of the model is gone"), "{message}");
    assert!(!written.exists());
}
