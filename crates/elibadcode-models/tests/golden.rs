//! Numbers against PyTorch and transformers; `fixtures/scripts/make_roberta_golden.py` made them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use elibadcode_models::{Compute, LoadedModel, Mode, ModelDir, bce_with_logits};
use serde::Deserialize;

/// Absolute tolerance; flex agrees to about 1e-6.
const TOLERANCE: f64 = 1e-4;
const FIXTURES: [&str; 2] = ["roberta-one-logit", "roberta-two-logit"];

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<u8>,
    logits: Vec<Vec<f64>>,
    loss: f64,
    slots: Vec<Vec<usize>>,
    slot_gradient: Vec<Vec<f64>>,
    hidden_states: Vec<Vec<Vec<Vec<f64>>>>,
    text: String,
    text_ids: Vec<u32>,
}

impl Golden {
    fn log_odds(&self) -> Vec<f64> {
        let odds = |logits: &Vec<f64>| match logits[..] {
            [one] => one,
            [zero, one] => one - zero,
            _ => panic!("one or two logits"),
        };
        self.logits.iter().map(odds).collect()
    }

    fn rows(&self) -> Vec<&[u32]> {
        self.rows.iter().map(Vec::as_slice).collect()
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name)
}

fn load(name: &str) -> (LoadedModel, Golden) {
    let model = ModelDir::open(&folder(name)).unwrap().load(&Compute::select("cpu").unwrap());
    let golden = std::fs::read_to_string(folder(name).join("golden.json")).unwrap();
    (model.unwrap(), serde_json::from_str(&golden).unwrap())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < TOLERANCE, "worst difference {worst:e}");
}

#[test]
fn logits_agree_in_a_padded_batch_and_alone() {
    for name in FIXTURES {
        let (model, golden) = load(name);
        let batch = values(model.network.forward_ids(&golden.rows(), &mut Mode::Evaluate));
        assert_close(&batch, &golden.log_odds());
        for (row, expected) in golden.rows().into_iter().zip(golden.log_odds()) {
            let alone = values(model.network.forward_ids(&[row], &mut Mode::Evaluate));
            assert_close(&alone, &[expected]);
        }
        let sorted: Vec<f64> =
            model.network.log_odds(&golden.rows()).into_iter().map(f64::from).collect();
        assert_close(&sorted, &golden.log_odds());
    }
}

#[test]
fn hidden_states_agree() {
    for name in FIXTURES {
        let (model, golden) = load(name);
        let states = model.network.hidden_states(&golden.rows());
        assert_eq!(states.len(), golden.hidden_states.len());
        for (state, expected) in states.into_iter().zip(&golden.hidden_states) {
            let [_, _, hidden] = state.dims();
            for (row, expected) in expected.iter().enumerate() {
                let length = expected.len();
                let ours = state.clone().slice([row..row + 1, 0..length, 0..hidden]);
                assert_close(&values(ours), &expected.concat());
            }
        }
    }
}

#[test]
fn loss_and_slot_gradient_agree() {
    for name in FIXTURES {
        let (model, golden) = load(name);
        let frozen = model.network.frozen();
        let rows = golden.rows();
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let words = frozen.embed(&rows).detach().require_grad();
        let [_, _, hidden] = words.dims();
        let z = frozen.forward_embeddings(words.clone(), &lengths, &mut Mode::Evaluate);
        let loss = bce_with_logits(z, &golden.labels);
        assert_close(&values(loss.clone()), &[golden.loss]);
        let gradient = words.grad(&loss.backward()).unwrap();
        for slot in 0..golden.slot_gradient.len() {
            let mut sum = vec![0.0; hidden];
            for (row, slots) in golden.slots.iter().enumerate() {
                let at = slots[slot];
                let part = gradient.clone().slice([row..row + 1, at..at + 1, 0..hidden]);
                for (total, value) in sum.iter_mut().zip(values(part)) {
                    *total += value;
                }
            }
            assert_close(&sum, &golden.slot_gradient[slot]);
        }
    }
}

#[test]
fn the_tokenizer_agrees_word_by_word() {
    for name in FIXTURES {
        let (model, golden) = load(name);
        let special = model.tokenizer.special();
        let mut ids = vec![special.bos];
        for (index, word) in golden.text.split(' ').enumerate() {
            ids.extend_from_slice(&model.tokenizer.word(word, index > 0));
        }
        ids.push(special.eos);
        assert_eq!(ids, golden.text_ids);
    }
}

#[test]
fn a_written_folder_answers_as_before() {
    let scratch = tempfile::tempdir().unwrap();
    for name in FIXTURES {
        let (model, golden) = load(name);
        let before = model.network.log_odds(&golden.rows());
        let path = scratch.path().join(name);
        model.save(&path, serde_json::Value::Null).unwrap();
        let again = ModelDir::open(&path).unwrap().load(&Compute::select("cpu").unwrap()).unwrap();
        assert_eq!(again.network.log_odds(&golden.rows()), before);
        // Every key that transformers wrote is still there.
        let keys = |path: &Path| -> serde_json::Map<String, serde_json::Value> {
            serde_json::from_str(&std::fs::read_to_string(path.join("config.json")).unwrap())
                .unwrap()
        };
        let ours = keys(&path);
        for (key, value) in keys(&folder(name)) {
            assert!(
                ours.get(&key) == Some(&value) || value.is_f64(),
                "{key} was {value}, is {:?}",
                ours.get(&key)
            );
        }
        assert!(path.join("tokenizer.json").exists());
    }
}
