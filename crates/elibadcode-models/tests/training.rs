//! Fine-tuning on each kind of row, from folders with and without the head that it needs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use elibadcode_corpus::{LabelledIds, LabelledPairIds, SearchIds, stage_rng};
use elibadcode_models::{
    CodeModel, Compute, Distilled, Head, LoadedModel, Mode, ModelDir, Scope, TrainingConfig,
    TrainingRow, cross_entropy, fine_tune,
};

const SEED: u64 = 5;

fn load(name: &str, head: Head) -> LoadedModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name);
    let compute = Compute::select("cpu").unwrap();
    let dir = ModelDir::open(&path).unwrap();
    dir.load_for_training(&compute, head, &mut stage_rng(SEED, "head")).unwrap()
}

fn config() -> TrainingConfig {
    TrainingConfig { epochs: 24, learning_rate: 3e-3, batch_size: 8, ..TrainingConfig::paper() }
}

/// Rows of ids that tell their kind by one token.
fn ids(kind: u32, n: u32) -> Vec<u32> {
    vec![0, 20 + n % 7, 60 + kind, 30 + n % 5, 2]
}

/// Trains and gives the score of the best epoch.
fn score<R: TrainingRow>(model: &LoadedModel, rows: &[R], epochs: usize) -> f64 {
    let mut rng = stage_rng(SEED, "train");
    let network = model.network.clone();
    let config = TrainingConfig { epochs, ..config() };
    let trained = fine_tune(network, rows, rows, &config, &mut rng, &mut |_| ()).unwrap();
    let losses: Vec<f64> = trained.history.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
    trained.history[trained.best_epoch - 1].valid_score.unwrap()
}

#[test]
fn functions_pairs_and_queries_are_learned_by_every_encoder() {
    let functions: Vec<LabelledIds> =
        (0..32).map(|n| LabelledIds { ids: ids(n % 2, n), label: (n % 2) as u8 }).collect();
    let pairs: Vec<LabelledPairIds> = (0..32)
        .map(|n| LabelledPairIds {
            first: ids(n % 2, n),
            second: ids(n / 2 % 2, n + 3),
            label: u8::from(n % 4 == 3),
        })
        .collect();
    let queries: Vec<SearchIds> =
        (0..8).map(|n| SearchIds { code: ids(n, n), query: ids(n + 40, n + 3) }).collect();
    for encoder in ["roberta", "unixcoder", "codet5", "codet5-gated"] {
        // Each from a folder of another head, which is dropped.
        let classifier = load(&format!("{encoder}-embedding"), Head::Classification);
        assert_eq!(classifier.config.declared_head(), Some(Head::Classification));
        let reached = score(&classifier, &functions, 40);
        assert!(reached > 0.9, "{encoder} {reached}");
        let pair = load(&format!("{encoder}-one-logit"), Head::Pair);
        assert_eq!(pair.config.n_outputs(), 2);
        let reached = score(&pair, &pairs, 60);
        assert!(reached > 0.8, "{encoder} {reached}");
        let search = load(&format!("{encoder}-pair"), Head::Embedding);
        let reached = score(&search, &queries, 120);
        assert!(reached > 0.5, "{encoder} {reached}");
    }
}

/// Teaches the vectors of other inputs, and gives the loss before and after; without a task's weight
/// it is the relative distance.
fn distance<R: TrainingRow + Clone>(
    model: &LoadedModel,
    n_inputs: u32,
    row: impl Fn(u32) -> R,
) -> (f64, f64) {
    let rows: Vec<Distilled<R>> = (0..16)
        .map(|n| {
            let others: Vec<Vec<u32>> = (0..n_inputs).map(|input| ids(input, n)).collect();
            Distilled { row: row(n), vectors: model.network.vectors(&others), task_weight: 0.0 }
        })
        .collect();
    let loss = |network: &CodeModel| {
        let all: Vec<&Distilled<R>> = rows.iter().collect();
        f64::from(Distilled::loss(network, &all, &mut Mode::Evaluate).into_scalar::<f32>())
    };
    let config = TrainingConfig { epochs: 80, keep_best: false, ..config() };
    let mut rng = stage_rng(SEED, "train");
    let network = model.network.clone();
    let trained = fine_tune(network, &rows, &[], &config, &mut rng, &mut |_| ()).unwrap();
    (loss(&model.network), loss(&trained.model))
}

#[test]
fn vectors_are_learned_under_every_head() {
    let function = |n| LabelledIds { ids: ids(2, n), label: 0 };
    let pair = |n| LabelledPairIds { first: ids(2, n), second: ids(3, n), label: 0 };
    let query = |n| SearchIds { code: ids(2, n), query: ids(3, n) };
    let load = |head| load("roberta-embedding", head);
    for (what, (before, after)) in [
        ("function", distance(&load(Head::Classification), 1, function)),
        ("pair", distance(&load(Head::Pair), 2, pair)),
        ("query", distance(&load(Head::Embedding), 2, query)),
    ] {
        assert!(after < 0.5 * before && before > 0.01, "{what}: {before} {after}");
    }
}

#[test]
fn the_weight_of_the_task_adds_its_loss() {
    let model = load("roberta-embedding", Head::Classification);
    let loss = |task_weight: f64| {
        let row = LabelledIds { ids: ids(2, 3), label: 1 };
        let vectors = model.network.vectors(&[ids(1, 3)]);
        let row = Distilled { row, vectors, task_weight };
        f64::from(
            Distilled::loss(&model.network, &[&row], &mut Mode::Evaluate).into_scalar::<f32>(),
        )
    };
    let task = cross_entropy(model.network.log_odds(&[ids(2, 3)])[0], 1);
    assert!((loss(0.5) - loss(0.0) - 0.5 * task).abs() < 1e-5);
}

#[test]
fn a_head_that_is_there_is_kept() {
    let model = load("codet5-pair", Head::Pair);
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join("codet5-pair");
    let plain = ModelDir::open(&path).unwrap().load(&Compute::select("cpu").unwrap()).unwrap();
    let vectors = plain.network.vectors(&[ids(1, 2), ids(3, 4)]);
    let (first, second) = ([&vectors[0][..]], [&vectors[1][..]]);
    assert_eq!(
        model.network.pair_log_odds(&first, &second),
        plain.network.pair_log_odds(&first, &second)
    );
}

#[test]
fn rows_and_scopes_that_a_model_has_no_head_for() {
    let model = load("roberta-embedding", Head::Embedding);
    let train = |scope: Scope| {
        let rows = [SearchIds { code: ids(1, 2), query: ids(2, 3) }];
        let config = TrainingConfig { scope, ..config() };
        let mut rng = stage_rng(SEED, "train");
        fine_tune(model.network.clone(), &rows, &[], &config, &mut rng, &mut |_| ())
    };
    assert!(train(Scope::Head).unwrap_err().to_string().contains("use last-K or full"));
    assert!(train(Scope::LastLayers(1)).is_ok());
    let rows = [LabelledIds { ids: ids(1, 2), label: 1 }];
    let mut rng = stage_rng(SEED, "train");
    let error = fine_tune(model.network, &rows, &[], &config(), &mut rng, &mut |_| ());
    let message = error.unwrap_err().to_string();
    assert!(message.contains("`classification`, this one has `embedding`"), "{message}");
}
