//! Numbers against PyTorch and transformers; `fixtures/scripts/make_golden.py` made them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use elibadcode_models::{CodeModel, Compute, Head, LoadedModel, Mode, ModelDir, bce_with_logits};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::{Value, json};

/// Absolute tolerance, on every device.
const TOLERANCE: f64 = 1e-5;
const ENCODERS: [&str; 4] = ["roberta", "unixcoder", "codet5", "codet5-gated"];
const HEADS: [&str; 4] = ["one-logit", "two-logit", "pair", "embedding"];

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Vec<u32>>,
    labels: Vec<u8>,
    pairs: Vec<(usize, usize)>,
    vectors: Vec<Vec<f64>>,
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

    fn lengths(&self) -> Vec<usize> {
        self.rows.iter().map(Vec::len).collect()
    }
}

fn fixtures() -> impl Iterator<Item = String> {
    ENCODERS.iter().flat_map(|encoder| HEADS.iter().map(move |head| format!("{encoder}-{head}")))
}

/// Log-odds of rows or of the golden pairs, from the rows' vectors.
fn answers(network: &CodeModel, golden: &Golden, vectors: Tensor<2>) -> Tensor<1> {
    let mode = &mut Mode::Evaluate;
    if network.head() == Head::Classification {
        return network.classify(vectors, mode);
    }
    let member = |index: usize| vectors.clone().narrow(0, index, 1);
    let firsts = golden.pairs.iter().map(|pair| member(pair.0)).collect();
    let seconds = golden.pairs.iter().map(|pair| member(pair.1)).collect();
    network.classify_pair(Tensor::cat(firsts, 0), Tensor::cat(seconds, 0), mode)
}

fn loss(network: &CodeModel, golden: &Golden, vectors: Tensor<2>) -> Tensor<1> {
    if network.head() != Head::Embedding {
        return bce_with_logits(answers(network, golden, vectors), &golden.labels);
    }
    let [n, _] = vectors.dims();
    let shares = log_softmax(vectors.clone().matmul(vectors.transpose()) * 20, 1);
    -(shares * Tensor::<2>::eye(n, &network.device())).sum() / n as f64
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name)
}

/// The device that `ELIBADCODE_TEST_DEVICE` names, else the CPU, or the GPU of a build without one.
fn compute() -> Compute {
    let has_cpu = cfg!(any(feature = "flex", feature = "ndarray"));
    let fallback = if has_cpu { "cpu" } else { "gpu" };
    let device = std::env::var("ELIBADCODE_TEST_DEVICE").unwrap_or(fallback.to_owned());
    Compute::select(&device).unwrap()
}

fn load(name: &str) -> (LoadedModel, Golden) {
    let model = ModelDir::open(&folder(name)).unwrap().load(&compute());
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
fn vectors_and_answers_agree_in_a_padded_batch_and_alone() {
    for name in fixtures() {
        let (model, golden) = load(&name);
        let (network, rows) = (&model.network, golden.rows());
        let batch = network.forward_vectors(&rows, &mut Mode::Evaluate);
        assert_close(&values(batch.clone()), &golden.vectors.concat());
        for (row, expected) in rows.iter().zip(&golden.vectors) {
            assert_close(&values(network.forward_vectors(&[row], &mut Mode::Evaluate)), expected);
        }
        let sorted = network.vectors(&rows);
        let sorted_flat: Vec<f64> = sorted.concat().into_iter().map(f64::from).collect();
        assert_close(&sorted_flat, &golden.vectors.concat());
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        match network.head() {
            Head::Classification => {
                assert_close(&values(answers(network, &golden, batch)), &golden.log_odds());
                assert_close(&wide(network.log_odds(&rows)), &golden.log_odds());
            }
            Head::Pair => {
                assert_close(&values(answers(network, &golden, batch)), &golden.log_odds());
                let first: Vec<&[f32]> = golden.pairs.iter().map(|it| &sorted[it.0][..]).collect();
                let second: Vec<&[f32]> = golden.pairs.iter().map(|it| &sorted[it.1][..]).collect();
                let log_odds = network.pair_log_odds(&first, &second);
                assert_close(&wide(log_odds), &golden.log_odds());
            }
            Head::Embedding => {}
        }
    }
}

/// Versions of one row share what their tokens have in common, and of RoBERTa's last layer one state alone
/// is computed.
#[test]
fn versions_of_one_row_are_answered_as_any_rows() {
    for name in fixtures() {
        let (model, golden) = load(&name);
        let network = &model.network;
        let longest = golden.rows.iter().max_by_key(|row| row.len()).unwrap();
        let version = |index: usize| {
            let mut row = longest.clone();
            let place = 1 + index % (row.len() - 2);
            row[place] = longest[1 + (5 * index) % (row.len() - 2)];
            row.truncate(row.len() - index % 3);
            row
        };
        let rows: Vec<Vec<u32>> = (0..24).map(version).collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let mode = &mut Mode::Evaluate;
        let ours = network.forward_vectors(&rows, mode);
        let whole = network.vectors_from_embeddings(network.embed(&rows), &lengths, mode);
        assert_close(&values(ours.clone()), &values(whole));
        if name.starts_with("roberta") && network.head() != Head::Embedding {
            let states = network.hidden_states(&rows).pop().unwrap();
            let [batch, _, hidden] = states.dims();
            let first = states.narrow(1, 0, 1).reshape([batch, hidden]);
            assert_close(&values(ours), &values(first));
        }
    }
}

#[test]
fn hidden_states_agree() {
    for encoder in ENCODERS {
        let (model, golden) = load(&format!("{encoder}-two-logit"));
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
    for name in fixtures() {
        let (model, golden) = load(&name);
        let frozen = model.network.frozen();
        let words = frozen.embed(&golden.rows()).detach().require_grad();
        let [_, _, hidden] = words.dims();
        let mode = &mut Mode::Evaluate;
        let vectors = frozen.vectors_from_embeddings(words.clone(), &golden.lengths(), mode);
        let loss = loss(&frozen, &golden, vectors);
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
    for name in fixtures() {
        let (model, golden) = load(&name);
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
fn a_written_folder_is_the_same_again_byte_by_byte() {
    let scratch = tempfile::tempdir().unwrap();
    for name in fixtures() {
        let (model, golden) = load(&name);
        let before = model.network.vectors(&golden.rows());
        let path = scratch.path().join(&name);
        model.save(&path, serde_json::Value::Null).unwrap();
        let again = ModelDir::open(&path).unwrap().load(&compute()).unwrap();
        assert_eq!(again.network.vectors(&golden.rows()), before);
        let second = scratch.path().join(format!("{name}-again"));
        again.save(&second, serde_json::Value::Null).unwrap();
        for file in ["config.json", "model.safetensors", "tokenizer.json", "elibadcode.json"] {
            let bytes = |path: &Path| std::fs::read(path.join(file)).unwrap();
            assert!(bytes(&path) == bytes(&second), "{name}: {file} differs");
        }
    }
}

/// So transformers cannot but compute the same from it.
#[test]
fn a_written_folder_holds_what_transformers_wrote() {
    let scratch = tempfile::tempdir().unwrap();
    for name in fixtures() {
        let path = scratch.path().join(&name);
        load(&name).0.save(&path, serde_json::Value::Null).unwrap();
        assert_eq!(config(&path), config(&folder(&name)), "{name}");
        assert_eq!(tensors(&path), tensors(&folder(&name)), "{name}");
        let (ours, theirs) = (tokenizer_files(&path), tokenizer_files(&folder(&name)));
        assert!(ours == theirs && !ours.is_empty(), "{name}: tokenizer files differ");
    }
}

/// `config.json`, with transformers' default labels, which it leaves out, spelled out.
fn config(path: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(path.join("config.json")).unwrap();
    let mut config: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let (labels, ids) =
        (json!({"0": "LABEL_0", "1": "LABEL_1"}), json!({"LABEL_0": 0, "LABEL_1": 1}));
    config.entry("id2label".to_owned()).or_insert(labels);
    config.entry("label2id".to_owned()).or_insert(ids);
    config
}

/// Type, shape and a hash of the bytes of every tensor, by its name in the encoder's class.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, String)>;

/// The tensors of a folder, and the metadata.
fn tensors(path: &Path) -> (Tensors, Value) {
    let bytes = std::fs::read(path.join("model.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.iter().map(|(name, tensor)| {
        // A class with a head has a level more, which transformers adds or drops by itself.
        let rest = name.strip_prefix("roberta.").or_else(|| name.strip_prefix("transformer."));
        let name = rest.unwrap_or(name).to_owned();
        let hash = blake3::hash(tensor.data()).to_string();
        (name, (tensor.dtype(), tensor.shape().to_vec(), hash))
    });
    // `RobertaModel` has a pooler, which no head of ours reads.
    let tensors = tensors.filter(|(name, _)| !name.starts_with("pooler.")).collect();
    (tensors, json!(metadata.metadata()))
}

fn tokenizer_files(path: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let names = ["tokenizer.json", "tokenizer_config.json"];
    names
        .into_iter()
        .filter_map(|name| Some((name, std::fs::read(path.join(name)).ok()?)))
        .collect()
}
