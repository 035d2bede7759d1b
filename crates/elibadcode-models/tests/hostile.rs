//! Model folders that are wrong on purpose: every one is refused with what is wrong.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use elibadcode_models::{Compute, ModelDir};
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
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        Folder::new()
            .with_file("model.safetensors", &whole[..length])
            .is_refused_with("not a complete safetensors file");
    }
    let mut huge_header = whole;
    huge_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    Folder::new().with_file("model.safetensors", &huge_header).is_refused_with("safetensors");
    fs::remove_file(folder.file("model.safetensors")).unwrap();
    folder.is_refused_with("model.safetensors");
}

#[test]
fn tensors_that_do_not_fit() {
    let check =
        |key, value, expected| Folder::new().with_config(key, value).is_refused_with(expected);
    check("hidden_size", json!(64), "`classifier.dense.bias` is [32], expected [64]");
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
