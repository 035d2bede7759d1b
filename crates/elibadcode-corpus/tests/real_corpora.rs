//! The readers, and the law of canonical names, on downloaded corpora, where `ELIBADCODE_DATA` names
//! a folder that has them.
//!
//! The layout is that of the public distributions: `bigclonebench/{data.jsonl,train.txt,…}`,
//! `codesearchnet/python/final/jsonl/{train,valid,test}/` and `devign/train.jsonl`. Run with
//! `--nocapture` for the numbers.

#![expect(clippy::print_stderr, reason = "the measured numbers, for `--nocapture`")]

use std::path::PathBuf;
use std::time::Instant;

use elibadcode_corpus::near_duplicates::{NearDuplicates, without_near_duplicates};
use elibadcode_corpus::{bigclonebench, codesearchnet, devign, stage_rng};
use elibadcode_syntax::{CanonicalOptions, Language, canonicalize_text, law_violation};
use rand::RngExt;
use rayon::prelude::*;

fn folder(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("ELIBADCODE_DATA")?).join(name);
    path.exists().then_some(path)
}

#[test]
fn bigclonebench_is_read() {
    let Some(dir) = folder("bigclonebench") else { return };
    for name in ["train", "valid", "test"] {
        let start = Instant::now();
        let loaded = bigclonebench::read_pairs(&dir.join(format!("{name}.txt"))).unwrap();
        let (n_functions, n_pairs) = (loaded.samples.functions.len(), loaded.samples.pairs.len());
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{name}: {n_functions} functions, {n_pairs} pairs in {seconds:.2} s");
        assert!(n_functions > 1 && n_pairs > n_functions / 2, "{n_functions}, {n_pairs}");
        eprintln!("  {}", loaded.skipped);
        let start = Instant::now();
        let kept = without_near_duplicates(
            loaded.samples.functions,
            |function| &function.code,
            Language::Java,
            &mut NearDuplicates::default(),
        );
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("  {} without near-duplicates, in {seconds:.2} s", kept.len());
    }
}

#[test]
fn codesearchnet_is_read() {
    let Some(dir) = folder("codesearchnet/python/final/jsonl") else { return };
    let mut taken = NearDuplicates::default();
    for name in ["test", "valid", "train"] {
        let start = Instant::now();
        let loaded = codesearchnet::read(&dir.join(name), Language::Python).unwrap();
        let n_rows = loaded.samples.len();
        eprintln!("{name}: {n_rows} functions in {:.2} s", start.elapsed().as_secs_f64());
        assert!(10 * loaded.skipped.n_skipped() < n_rows, "{}", loaded.skipped);
        eprintln!("  {}", loaded.skipped);
        let start = Instant::now();
        let code = |sample: &elibadcode_corpus::SearchSample| sample.code.clone();
        let codes: Vec<String> = loaded.samples.iter().map(code).collect();
        let kept = without_near_duplicates(codes, String::as_str, Language::Python, &mut taken);
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("  {} without near-duplicates, in {seconds:.2} s", kept.len());
    }
}

#[test]
fn near_duplicates_of_devign_are_found() {
    let Some(dir) = folder("devign") else { return };
    let mut codes: Vec<String> = Vec::new();
    for name in ["test.jsonl", "valid.jsonl", "train.jsonl", "train_extra.jsonl.gz"] {
        let path = dir.join(name);
        if path.exists() {
            codes.extend(devign::read_complete(&path).unwrap().into_iter().map(|it| it.code));
        }
    }
    let (n, start) = (codes.len(), Instant::now());
    let mut taken = NearDuplicates::default();
    let kept = without_near_duplicates(codes, String::as_str, Language::C, &mut taken);
    assert!(kept.len() < n, "Devign has near-duplicates");
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("{} of {n} functions without near-duplicates, in {seconds:.2} s", kept.len());
}

/// The law under 20 random renamings of every function that parses; the others are counted.
fn check_law(name: &str, codes: &[String], language: Language) {
    let start = Instant::now();
    let options = CanonicalOptions::all_names();
    let found: Vec<(bool, bool)> = codes
        .par_iter()
        .enumerate()
        .map(|(index, code)| {
            let has_errors = canonicalize_text(code, language, &options).has_errors;
            let mut rng = stage_rng(1, &format!("canonical law {index}"));
            let mut pick = |n: usize| rng.random_range(0..n);
            (has_errors, law_violation(code, language, &options, 20, &mut pick).is_some())
        })
        .collect();
    let count = |wanted: (bool, bool)| found.iter().filter(|&&it| it == wanted).count();
    let n_broken = count((false, true));
    eprintln!(
        "{name}: {} functions parse, {n_broken} break the law; {} do not parse, {} of them break \
         it; in {:.0} s",
        count((false, false)) + n_broken,
        count((true, false)) + count((true, true)),
        count((true, true)),
        start.elapsed().as_secs_f64()
    );
    assert_eq!(n_broken, 0, "{name}");
}

#[test]
fn the_law_of_canonical_names_holds() {
    if let Some(dir) = folder("bigclonebench") {
        let mut codes: Vec<String> = Vec::new();
        for name in ["train", "valid", "test"] {
            let path = dir.join(format!("{name}.txt"));
            let loaded = bigclonebench::read_pairs(&path).unwrap();
            codes.extend(loaded.samples.functions.into_iter().map(|it| it.code));
        }
        codes.sort_unstable();
        codes.dedup();
        check_law("bigclonebench", &codes, Language::Java);
    }
    if let Some(dir) = folder("codesearchnet/python/final/jsonl") {
        for name in ["test", "valid", "train"] {
            let samples = codesearchnet::read(&dir.join(name), Language::Python).unwrap().samples;
            let codes: Vec<String> = samples.into_iter().map(|it| it.code).collect();
            check_law(&format!("codesearchnet {name}"), &codes, Language::Python);
        }
    }
    if let Some(dir) = folder("devign") {
        for name in ["test.jsonl", "valid.jsonl", "train.jsonl", "train_extra.jsonl.gz"] {
            let path = dir.join(name);
            if path.exists() {
                let samples = devign::read_complete(&path).unwrap();
                let codes: Vec<String> = samples.into_iter().map(|it| it.code).collect();
                check_law(&format!("devign {name}"), &codes, Language::C);
            }
        }
    }
}
