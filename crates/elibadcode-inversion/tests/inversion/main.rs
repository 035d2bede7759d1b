//! The trigger search on a model folder that transformers wrote.
//!
//! - `objective`: the gradient and the scores agree with each other and with finite differences
//! - `stamping`: a trigger stands where it should, and nothing else changes
//! - `space`: what is inverted is what an attacker could have written
//! - `search`: the search and the anchoring
//! - `scan`: the whole scan
//! - `ranking`: the same for code search
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod objective;
mod ranking;
mod scan;
mod search;
mod space;
mod stamping;

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use elibadcode_corpus::Task;
use elibadcode_inversion::{
    CleanSample, MaskedSample, Occurrences, ScanConfig, Stamped, TriggerIds, maskable,
};
use elibadcode_models::{Compute, LoadedModel, ModelDir, ReadFunction, ReadingChanges};
use elibadcode_syntax::Language;

const FIXTURES: [&str; 2] = ["roberta-one-logit", "roberta-two-logit"];

/// C functions of different lengths; the last is longer than the fixtures' window of 64 ids.
const FUNCTIONS: [&str; 5] = [
    "int sum(int n) { int value = 0; while (n > 0) { value += n; n = n - 1; } return value; }",
    "int test(char *name) { if (name) return 1; return 0; }",
    "void node_free(struct node *head) { struct node *next = head->next; free(head); }",
    "int twice(int len) { return len + len; }",
    "static int fill(char *buf, int size) { int total = 0; for (int i = 0; i < size; i++) { \
     buf[i] = 0; total = total + 1; } if (total > size) { return size; } return total; }",
];

fn load(name: &str) -> LoadedModel {
    load_reading(name, ReadingChanges::default())
}

fn load_reading(name: &str, changes: ReadingChanges) -> LoadedModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name);
    let dir = ModelDir::open(&folder).unwrap().with_reading(changes).unwrap();
    dir.load(&Compute::select("cpu").unwrap()).unwrap()
}

fn function(model: &LoadedModel, code: &str) -> ReadFunction {
    model.read(code, Language::C)
}

/// Every function of [`FUNCTIONS`] with its first identifier as the hole.
fn masked(model: &LoadedModel, n_slots: usize) -> Vec<MaskedSample> {
    FUNCTIONS
        .iter()
        .enumerate()
        .map(|(index, code)| {
            maskable(model, &function(model, code), index, Occurrences::All, n_slots).swap_remove(0)
        })
        .collect()
}

/// The word embeddings of a row, `[1, seq, hidden]`, with a shift at every place of one slot.
fn shifted(model: &LoadedModel, row: &Stamped, slot: usize, shift: &[f64]) -> Tensor<3> {
    let words: Tensor<3> = model.network.embed(&[&row.ids]);
    let ([_, seq, hidden], device) = (words.dims(), words.device());
    let mut values: Vec<f32> = words.into_data().iter::<f32>().collect();
    for place in &row.slots[slot] {
        for (value, step) in values[place * hidden..].iter_mut().zip(shift) {
            *value += *step as f32;
        }
    }
    Tensor::from_data(TensorData::new(values, [1, seq, hidden]), &device)
}

/// Ids of plain vocabulary entries.
fn trigger(ids: &[u32]) -> TriggerIds {
    TriggerIds::replacing(ids.to_vec())
}

/// `n` samples of each label.
fn samples(n: usize) -> Vec<CleanSample> {
    (0..2 * n)
        .map(|index| CleanSample {
            code: FUNCTIONS[index / 2 % FUNCTIONS.len()].replace('0', &index.to_string()).into(),
            label: (index % 2) as u8,
            partner: None,
        })
        .collect()
}

fn small_config() -> ScanConfig {
    ScanConfig {
        samples_per_class: 4,
        held_out_per_class: 6,
        trigger_len: 3,
        iterations: 2,
        candidates: 8,
        restarts: 2,
        n_controls: 5,
        // The models know nothing, and are searched all the same.
        min_victim_accuracy: 0.0,
        more_searches: 0,
        other_searches: 0,
        ..ScanConfig::recommended(Task::DefectDetection)
    }
}
