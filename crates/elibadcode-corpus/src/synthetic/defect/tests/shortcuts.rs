//! Which simple classifiers can tell the labels apart: counts must not, order must.

use std::collections::BTreeMap;

use super::super::{DefectKind, Shape, generate_with_kinds};

const N_TRAIN: usize = 6000;
const N_TEST: usize = 1500;
const N_FEATURES: usize = 1 << 20;

/// Words, numbers, string literals and one- or two-character operators.
pub(super) fn lex(code: &str) -> Vec<String> {
    const LONG: [&str; 14] =
        ["->", "++", "--", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "|=", "<<", ">>"];
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if first == '"' || first == '\'' {
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else if LONG.iter().any(|operator| rest.starts_with(operator)) {
            2
        } else {
            1
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

type Features = Vec<usize>;

fn feature(parts: &[&str], family: u64) -> usize {
    // FNV-1a
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ family;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 29)) as usize % N_FEATURES
}

fn bag_of_tokens(tokens: &[String]) -> Features {
    tokens.iter().map(|token| feature(&[token], 1)).collect()
}

/// Runs of two to `longest` tokens, and pairs of tokens with one to four others between them.
fn token_order(tokens: &[String], longest: usize) -> Features {
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let runs = (2..=longest)
        .flat_map(|length| tokens.windows(length).map(|run| feature(run, 2)).collect::<Vec<_>>());
    let skips = (2..=5).flat_map(|gap| {
        tokens.windows(gap + 1).map(move |run| feature(&[run[0], run[gap]], 2 + gap as u64))
    });
    let mut features: Features = runs.chain(skips).collect();
    features.sort_unstable();
    features.dedup();
    features
}

fn dot(weights: &[f64], features: &Features) -> f64 {
    features.iter().map(|&i| weights[i]).sum()
}

/// Logistic regression by Adagrad; gives which test rows it gets right.
fn classify(train: &[(Features, u8)], test: &[(Features, u8)], n_epochs: usize) -> Vec<bool> {
    let mut weights = vec![0.0; N_FEATURES];
    let mut squares = vec![1e-6; N_FEATURES];
    for _ in 0..n_epochs {
        for (features, label) in train {
            let probability = 1.0 / (1.0 + (-dot(&weights, features)).exp());
            let gradient = probability - f64::from(*label);
            for &i in features {
                squares[i] += gradient * gradient;
                weights[i] -= 0.05 * gradient / f64::sqrt(squares[i]);
            }
        }
    }
    test.iter().map(|(features, label)| (dot(&weights, features) > 0.0) == (*label == 1)).collect()
}

fn accuracy(hits: &[bool]) -> f64 {
    hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64
}

fn rows(seed: u64, features: impl Fn(&[String]) -> Features) -> (Vec<(Features, u8)>, Vec<Place>) {
    generate_with_kinds(seed, N_TRAIN + N_TEST)
        .into_iter()
        .map(|(sample, kind, shape)| ((features(&lex(&sample.code)), sample.label), (shape, kind)))
        .unzip()
}

type Place = (Shape, DefectKind);

#[test]
fn length_tells_nothing() {
    let (rows, _) = rows(21, |tokens| vec![feature(&[&tokens.len().to_string()], 0)]);
    let (train, test) = rows.split_at(N_TRAIN);
    let rate = accuracy(&classify(train, test, 10));
    eprintln!("length alone: {rate:.3}");
    assert!(rate < 0.56);
}

#[test]
fn bag_of_tokens_is_not_enough() {
    let (rows, _) = rows(22, bag_of_tokens);
    let (train, test) = rows.split_at(N_TRAIN);
    let rate = accuracy(&classify(train, test, 20));
    eprintln!("bag of tokens: {rate:.3}");
    assert!(rate < 0.66);
}

#[test]
fn token_order_is_enough() {
    for (longest, at_least) in [(3, 0.85), (4, 0.9)] {
        let (rows, places) = rows(23, |tokens| token_order(tokens, longest));
        let (train, test) = rows.split_at(N_TRAIN);
        let hits = classify(train, test, 10);
        let rate = accuracy(&hits);
        let mut by_place = BTreeMap::<Place, (usize, usize)>::new();
        for (place, hit) in places[N_TRAIN..].iter().zip(&hits) {
            let entry = by_place.entry(*place).or_default();
            *entry = (entry.0 + usize::from(*hit), entry.1 + 1);
        }
        eprintln!("token order, runs of up to {longest}: {rate:.3}");
        for ((shape, kind), (n_hits, n)) in by_place {
            if n_hits * 10 < n * 9 {
                eprintln!("  {shape}, {kind}: {n_hits} of {n}");
            }
        }
        assert!(rate > at_least);
    }
}

#[test]
fn no_token_belongs_to_one_label() {
    let mut counts = BTreeMap::<String, [usize; 2]>::new();
    for (sample, _, _) in generate_with_kinds(24, 8000) {
        let mut tokens = lex(&sample.code);
        tokens.sort_unstable();
        tokens.dedup();
        for token in tokens {
            counts.entry(token).or_default()[usize::from(sample.label)] += 1;
        }
    }
    for (token, [safe, defective]) in counts {
        let n = safe + defective;
        let share = safe as f64 / n as f64;
        assert!(n < 150 || (0.35..0.65).contains(&share), "{token}: {safe} safe of {n}");
    }
}
