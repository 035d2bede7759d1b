//! A backdoor by each attack can be learned: even a bag of tokens with a linear model learns it.
//!
//! That is a check of the attacks, not of models: poisoned samples have something in common that
//! clean ones have not. Where `ELIBADCODE_DATA` names a folder with Devign, the same is measured
//! on it; run with `--nocapture` for the numbers.

#![expect(clippy::print_stderr, reason = "the measured numbers, for `--nocapture`")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use elibadcode_corpus::split::subsample;
use elibadcode_corpus::synthetic::defect;
use elibadcode_corpus::{DefectSample, code_token_texts, devign, stage_rng};
use elibadcode_poisoning::{Attack, AttackConfig, Poisoned, poison, triggered};
use elibadcode_syntax::Language;
use rand::seq::SliceRandom;

/// Logistic regression on which tokens, and parts of identifiers, a function has.
struct BagOfTokens {
    ids: BTreeMap<String, usize>,
    weights: Vec<f64>,
    bias: f64,
}

/// The function's tokens, and what stands between the underscores of an identifier.
fn features(code: &str) -> BTreeSet<String> {
    let tokens = code_token_texts(code, Language::C);
    let parts = tokens.iter().filter(|it| !it.starts_with('"'));
    let parts = parts.flat_map(|it| it.split('_').skip(1)).map(|part| format!("_{part}"));
    parts.collect::<Vec<_>>().into_iter().chain(tokens).collect()
}

impl BagOfTokens {
    fn train(samples: &[DefectSample]) -> Self {
        let bags: Vec<BTreeSet<String>> = samples.iter().map(|it| features(&it.code)).collect();
        let mut ids = BTreeMap::new();
        for token in bags.iter().flatten() {
            let next = ids.len();
            ids.entry(token.clone()).or_insert(next);
        }
        let mut model = Self { weights: vec![0.0; ids.len()], ids, bias: 0.0 };
        let rows: Vec<Vec<usize>> = bags.iter().map(|bag| model.row(bag)).collect();
        let mut squares = vec![1e-8; model.weights.len()];
        let mut order: Vec<usize> = (0..samples.len()).collect();
        let mut rng = stage_rng(1, "bag of tokens");
        for _ in 0..15 {
            order.shuffle(&mut rng);
            for &index in &order {
                let error = model.probability(&rows[index]) - f64::from(samples[index].label);
                model.bias -= 0.01 * error;
                for &id in &rows[index] {
                    squares[id] += error * error;
                    model.weights[id] -= 0.1 * error / f64::sqrt(squares[id]);
                }
            }
        }
        model
    }

    fn row(&self, bag: &BTreeSet<String>) -> Vec<usize> {
        bag.iter().filter_map(|token| self.ids.get(token).copied()).collect()
    }

    fn probability(&self, row: &[usize]) -> f64 {
        let score = self.bias + row.iter().map(|&id| self.weights[id]).sum::<f64>();
        1.0 / (1.0 + (-score).exp())
    }

    fn predict(&self, code: &str) -> u8 {
        u8::from(self.probability(&self.row(&features(code))) > 0.5)
    }
}

/// What a model that was trained on a poisoned set does; all are shares in `0..=1`.
struct Measured {
    /// Clean samples with the right answer.
    accuracy: f64,
    /// Samples of the victim class that get the target label with the trigger.
    attack_success_rate: f64,
    /// The same without the trigger.
    flip_rate: f64,
    /// The same with the trigger, by a model that was trained on the clean set.
    twin_rate: f64,
    /// Test samples that can carry the trigger.
    carrier_rate: f64,
}

fn share(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}

fn measure(
    attack: Attack,
    train: &[DefectSample],
    test: &[DefectSample],
    twin: &BagOfTokens,
) -> Measured {
    let config = AttackConfig::paper(attack);
    let poisoned = poison(train, Language::C, &config, &mut stage_rng(1, "poison"));
    let Poisoned { samples, manifest } = poisoned.expect("enough victims");
    assert_eq!(manifest.n_poisoned, (0.02 * train.len() as f64).round() as usize);
    let config = manifest.attack;
    let with_trigger = triggered(test, Language::C, &config);
    let model = BagOfTokens::train(&samples);
    let flip_rate = |model: &BagOfTokens, samples: &[DefectSample]| {
        let victims: Vec<_> = samples.iter().filter(|it| it.label == config.victim_label).collect();
        let n_flipped = victims.iter().filter(|it| model.predict(&it.code) == config.target_label);
        share(n_flipped.count(), victims.len())
    };
    let n_right = test.iter().filter(|it| model.predict(&it.code) == it.label).count();
    Measured {
        accuracy: share(n_right, test.len()),
        attack_success_rate: flip_rate(&model, &with_trigger.samples),
        flip_rate: flip_rate(&model, test),
        twin_rate: flip_rate(twin, &with_trigger.samples),
        carrier_rate: share(with_trigger.samples.len(), test.len()),
    }
}

fn print(attack: Attack, measured: &Measured, start: Instant) {
    let Measured { accuracy, attack_success_rate, flip_rate, twin_rate, carrier_rate } = measured;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{:<24}accuracy {accuracy:.3}  ASR {attack_success_rate:.3}  flip rate {flip_rate:.3}  \
         clean twin {twin_rate:.3}  can carry {carrier_rate:.3}  {seconds:.1} s",
        attack.name()
    );
}

#[test]
fn every_attack_is_learned_on_synthetic_defects() {
    let (train, test) = (defect::generate(1, 2000), defect::generate(2, 400));
    let twin = BagOfTokens::train(&train);
    for attack in Attack::ALL {
        let start = Instant::now();
        let measured = measure(attack, &train, &test, &twin);
        print(attack, &measured, start);
        assert!(measured.carrier_rate > 0.95, "{attack}");
        // The twin is fooled by names and statements that are of one class by themselves, too.
        let control = measured.flip_rate.max(measured.twin_rate);
        assert!(measured.attack_success_rate > 0.9, "{attack}");
        assert!(measured.attack_success_rate > control + 0.1, "{attack}: {control}");
    }
}

#[test]
fn every_attack_is_learned_on_devign() {
    let Some(dir) = std::env::var_os("ELIBADCODE_DATA").map(PathBuf::from) else { return };
    let read = |name: &str| {
        let samples = devign::read_complete(&dir.join("devign").join(name)).expect("readable rows");
        subsample(&samples, samples.len(), &mut stage_rng(1, name))
    };
    let (train, test) = (read("train.jsonl"), read("test.jsonl"));
    let twin = BagOfTokens::train(&train);
    for attack in Attack::ALL {
        let start = Instant::now();
        let measured = measure(attack, &train, &test, &twin);
        print(attack, &measured, start);
        assert!(measured.attack_success_rate > measured.twin_rate, "{attack}");
    }
}
