//! Fine-tuning on each kind of row, from folders with and without the head that it needs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use elibadcode_corpus::{LabelledIds, LabelledPairIds, SearchIds, stage_rng};
use elibadcode_models::{
    Compute, Distilled, HalfPair, Head, LoadedModel, Mode, ModelDir, Scope, SearchRow,
    TrainingConfig, TrainingRow, cross_entropy, fine_tune, pair_log_odds,
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

/// Members of pairs are padded in groups of similar length, and come back in the order of the pairs.
#[test]
fn vectors_of_pairs_are_those_of_their_members() {
    let member = |n: u32| {
        let body = (0..3 + 7 * n % 23).map(|place| 20 + (n + 3 * place) % 50);
        [0].into_iter().chain(body).chain([2]).collect::<Vec<u32>>()
    };
    let pairs: Vec<LabelledPairIds> = (0..11)
        .map(|n| LabelledPairIds { first: member(n), second: member(n + 5), label: 0 })
        .collect();
    let model = load("roberta-pair", Head::Pair);
    let rows: Vec<&LabelledPairIds> = pairs.iter().collect();
    let sides = LabelledPairIds::vectors(&model.network, &rows, &mut Mode::Evaluate);
    let members: [fn(&LabelledPairIds) -> &[u32]; 2] = [|it| &it.first, |it| &it.second];
    for (side, member) in sides.into_iter().zip(members) {
        let alone = pairs.iter().flat_map(|pair| {
            let vector = model.network.forward_vectors(&[member(pair)], &mut Mode::Evaluate);
            vector.into_data().iter::<f32>().collect::<Vec<f32>>()
        });
        for (ours, alone) in side.into_data().iter::<f32>().zip(alone) {
            assert!((ours - alone).abs() < 1e-5, "{ours} is not {alone}");
        }
    }
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
    let queries = SearchRow::number(
        (0..8).map(|n| SearchIds { code: ids(n, n), query: ids(n + 40, n + 3) }).collect(),
    );
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

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

/// Rows of functions of kind 2 that are to get the vectors of those of kind 1: their loss without a
/// task's weight is the relative distance, and training makes the vectors alike.
fn learn_vectors<R: TrainingRow + Clone>(
    head: Head,
    n_inputs: usize,
    row: impl Fn(&LoadedModel, Vec<u32>) -> R,
) {
    let model = load("roberta-embedding", head);
    let inputs: Vec<Vec<u32>> = (0..16).map(|n| ids(2, n)).collect();
    let wanted = model.network.vectors(&(0..16).map(|n| ids(1, n)).collect::<Vec<_>>());
    let rows: Vec<Distilled<R>> = inputs
        .iter()
        .zip(&wanted)
        .map(|(ids, vector)| Distilled {
            row: row(&model, ids.clone()),
            vectors: vec![vector.clone(); n_inputs],
            task_weight: 0.0,
            similarity_weight: 0.0,
        })
        .collect();

    let all: Vec<&Distilled<R>> = rows.iter().collect();
    let trained_on = Distilled::loss(&model.network, &all, &mut Mode::Evaluate);
    let trained_on = f64::from(trained_on.into_scalar::<f32>());
    let (mut distance, mut square) = (0.0, 0.0);
    for (own, wanted) in model.network.vectors(&inputs).iter().zip(&wanted) {
        distance += dot(own, own) + dot(wanted, wanted) - 2.0 * dot(own, wanted);
        square += dot(wanted, wanted);
    }
    assert!((trained_on - distance / square).abs() < 1e-4, "{head}: {trained_on}");

    let config = TrainingConfig { epochs: 24, keep_best: false, ..config() };
    let mut rng = stage_rng(SEED, "train");
    let trained = fine_tune(model.network, &rows, &[], &config, &mut rng, &mut |_| ()).unwrap();
    let own = trained.model.vectors(&inputs);
    let cosine = |(own, wanted): (&Vec<f32>, &Vec<f32>)| {
        dot(own, wanted) / (dot(own, own) * dot(wanted, wanted)).sqrt()
    };
    let reached = own.iter().zip(&wanted).map(cosine).sum::<f64>() / own.len() as f64;
    assert!(reached > 0.95, "{head}: {reached}");
}

#[test]
fn vectors_are_learned_under_every_head() {
    learn_vectors(Head::Classification, 1, |_, ids| LabelledIds { ids, label: 0 });
    learn_vectors(Head::Pair, 2, |_, first| LabelledPairIds {
        second: first.clone(),
        first,
        label: 0,
    });
    learn_vectors(Head::Pair, 1, |model, ids| HalfPair {
        partner: model.network.vectors(std::slice::from_ref(&ids)).remove(0),
        ids,
        partner_is_first: true,
        label: 0,
    });
    learn_vectors(Head::Embedding, 2, |_, code| SearchRow {
        ids: SearchIds { query: code.clone(), code },
        function: 0,
    });
}

#[test]
fn half_a_pair_is_judged_as_the_pair_in_its_order() {
    let model = load("roberta-pair", Head::Pair);
    let (own, other) = (ids(2, 3), ids(1, 5));
    let halves = [true, false].map(|partner_is_first| HalfPair {
        ids: own.clone(),
        partner: model.network.vectors(std::slice::from_ref(&other)).remove(0),
        partner_is_first,
        label: 1,
    });
    let pairs = [(&other, &own), (&own, &other)].map(|(first, second)| LabelledPairIds {
        first: first.clone(),
        second: second.clone(),
        label: 1,
    });
    let expected: Vec<f64> = pair_log_odds(&model.network, &pairs)
        .into_iter()
        .map(|log_odds| cross_entropy(log_odds, 1))
        .collect();
    assert!(
        (expected[0] - expected[1]).abs() > 1e-3,
        "the order makes no difference: {expected:?}"
    );
    for (half, expected) in halves.iter().zip(&expected) {
        let loss = HalfPair::loss(&model.network, &[half], &mut Mode::Evaluate);
        assert!((f64::from(loss.into_scalar::<f32>()) - expected).abs() < 1e-4);
        let validated = HalfPair::validate(&model.network, std::slice::from_ref(half));
        assert!((validated.loss - expected).abs() < 1e-4);
    }
    // Side by side in one batch, too.
    let both = HalfPair::loss(&model.network, &halves.each_ref(), &mut Mode::Evaluate);
    let mean = f64::midpoint(expected[0], expected[1]);
    assert!((f64::from(both.into_scalar::<f32>()) - mean).abs() < 1e-4);
}

#[test]
fn a_query_is_held_against_the_codes_of_other_functions() {
    let model = load("roberta-embedding", Head::Embedding);
    let row = |n, function| SearchRow {
        ids: SearchIds { code: ids(n, n), query: ids(n + 40, n + 3) },
        function,
    };
    let rows = [row(1, 0), row(2, 1), row(3, 0), row(4, 2)];
    let codes = model.network.vectors(&rows.each_ref().map(|it| it.ids.code.clone()));
    let queries = model.network.vectors(&rows.each_ref().map(|it| it.ids.query.clone()));
    let similarity = |query: usize, code: usize| -> f64 {
        let products = queries[query].iter().zip(&codes[code]).map(|(a, b)| f64::from(a * b));
        20.0 * products.sum::<f64>()
    };
    let expected = |against: [&[usize]; 4]| -> f64 {
        let loss = |(query, codes): (usize, &&[usize])| {
            let sum: f64 = codes.iter().map(|&code| similarity(query, code).exp()).sum();
            sum.ln() - similarity(query, query)
        };
        against.iter().enumerate().map(loss).sum::<f64>() / 4.0
    };
    let loss = |rows: &[SearchRow]| {
        let rows: Vec<&SearchRow> = rows.iter().collect();
        f64::from(SearchRow::loss(&model.network, &rows, &mut Mode::Evaluate).into_scalar::<f32>())
    };
    let of_versions = expected([&[0, 1, 3], &[0, 1, 2, 3], &[2, 1, 3], &[0, 1, 2, 3]]);
    assert!((loss(&rows) - of_versions).abs() < 1e-4, "{} {of_versions}", loss(&rows));
    let of_four = expected([&[0, 1, 2, 3]; 4]);
    let four = SearchRow::number(rows.into_iter().map(|it| it.ids).collect());
    assert!((loss(&four) - of_four).abs() < 1e-4, "{} {of_four}", loss(&four));
    assert!((of_four - of_versions).abs() > 1e-2);

    // Versions of one function only: there is nothing to learn, and no harm.
    let config = TrainingConfig { epochs: 1, ..config() };
    let versions = [row(1, 0), row(2, 0)];
    let mut rng = stage_rng(SEED, "train");
    let trained =
        fine_tune(model.network.clone(), &versions, &[], &config, &mut rng, &mut |_| ()).unwrap();
    assert!(trained.history[0].train_loss.abs() < 1e-6);
    assert_eq!(trained.model.vectors(&[ids(1, 1)]), model.network.vectors(&[ids(1, 1)]));
}

#[test]
fn the_weight_of_the_task_adds_its_loss() {
    let model = load("roberta-embedding", Head::Classification);
    let loss = |task_weight: f64| {
        let row = LabelledIds { ids: ids(2, 3), label: 1 };
        let vectors = model.network.vectors(&[ids(1, 3)]);
        let row = Distilled { row, vectors, task_weight, similarity_weight: 0.0 };
        f64::from(
            Distilled::loss(&model.network, &[&row], &mut Mode::Evaluate).into_scalar::<f32>(),
        )
    };
    let task = cross_entropy(model.network.log_odds(&[ids(2, 3)])[0], 1);
    assert!((loss(0.5) - loss(0.0) - 0.5 * task).abs() < 1e-5);
}

#[test]
fn the_weight_of_the_similarities_adds_their_difference() {
    let model = load("roberta-embedding", Head::Embedding);
    let vectors = |kind| model.network.vectors(&(0..3).map(|n| ids(kind, n)).collect::<Vec<_>>());
    let (codes, queries, wanted_codes, wanted_queries) =
        (vectors(1), vectors(2), vectors(3), vectors(4));
    let inputs = (0..3).map(|n| SearchIds { code: ids(1, n), query: ids(2, n) });
    let rows = SearchRow::number(inputs.collect());
    let loss = |similarity_weight: f64| {
        let distilled = rows.iter().enumerate().map(|(n, row)| Distilled {
            row: row.clone(),
            vectors: vec![wanted_codes[n].clone(), wanted_queries[n].clone()],
            task_weight: 0.0,
            similarity_weight,
        });
        let rows: Vec<Distilled<SearchRow>> = distilled.collect();
        let rows: Vec<&Distilled<SearchRow>> = rows.iter().collect();
        f64::from(Distilled::loss(&model.network, &rows, &mut Mode::Evaluate).into_scalar::<f32>())
    };
    let mut difference = 0.0;
    for query in 0..3 {
        for code in 0..3 {
            let is = dot(&queries[query], &codes[code]);
            difference += (is - dot(&wanted_queries[query], &wanted_codes[code])).powi(2) / 9.0;
        }
    }
    assert!(difference > 1e-3, "{difference}");
    assert!((loss(2.0) - loss(0.0) - 2.0 * difference).abs() < 1e-5 * (1.0 + difference));
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
        let rows = SearchRow::number(vec![SearchIds { code: ids(1, 2), query: ids(2, 3) }]);
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
