#![expect(clippy::print_stderr, reason = "the measured numbers, for `--nocapture`")]

mod shortcuts;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use elibadcode_syntax::{Function, Language};

use super::*;

#[test]
fn same_seed_gives_the_same_bytes() {
    assert_eq!(generate(11, 200), generate(11, 200));
    assert_ne!(generate(11, 200), generate(12, 200));
}

#[test]
fn longer_corpus_begins_with_the_shorter() {
    assert_eq!(generate(3, 50)[..], generate(3, 101)[..50]);
}

#[test]
fn kinds_do_not_change_the_samples() {
    let samples: Vec<_> = generate_with_kinds(5, 40).into_iter().map(|row| row.0).collect();
    assert_eq!(samples, generate(5, 40));
}

#[test]
fn half_of_the_functions_are_defective() {
    let samples = generate(1, 2000);
    assert_eq!(samples.iter().filter(|sample| sample.label == 1).count(), 1000);
    let longest_run = samples.chunk_by(|a, b| a.label == b.label).map(<[_]>::len).max();
    assert!(longest_run <= Some(2));
}

#[test]
fn every_sample_is_one_function() {
    for sample in generate(2, 2000) {
        let function = Function::parse(sample.code.as_str(), Language::C);
        assert!(!function.has_errors() && function.name().is_some(), "{}", sample.code);
        let mut depth = 0;
        let mut n_bodies = 0;
        for token in shortcuts::lex(&sample.code) {
            n_bodies += usize::from(token == "{" && depth == 0);
            depth += i32::from(token == "{") - i32::from(token == "}");
        }
        assert!(depth == 0 && n_bodies == 1 && sample.code.ends_with("}\n"), "{}", sample.code);
    }
}

#[test]
fn every_kind_and_shape_has_both_labels() {
    let rows = generate_with_kinds(4, 6000);
    let mut labels_of_kind = BTreeMap::<_, BTreeSet<_>>::new();
    let mut labels_of_shape = BTreeMap::<_, BTreeSet<_>>::new();
    for (sample, kind, shape) in &rows {
        labels_of_kind.entry(*kind).or_default().insert(sample.label);
        labels_of_shape.entry(*shape).or_default().insert(sample.label);
    }
    assert!(kinds().len() >= 12 && shapes().len() >= 30);
    assert_eq!(labels_of_kind.len(), kinds().len());
    assert_eq!(labels_of_shape.len(), shapes().len());
    assert!(
        labels_of_kind.values().chain(labels_of_shape.values()).all(|labels| labels.len() == 2)
    );
}

#[test]
fn functions_are_short() {
    let mut lengths: Vec<_> =
        generate(6, 4000).iter().map(|sample| shortcuts::lex(&sample.code).len()).collect();
    lengths.sort_unstable();
    let quantiles = [0, 5, 25, 50, 75, 95, 100].map(|q| lengths[(lengths.len() - 1) * q / 100]);
    eprintln!("token length quantiles (0 5 25 50 75 95 100 %): {quantiles:?}");
    assert!(quantiles[0] >= 28 && quantiles[6] <= 100, "{quantiles:?}");
    assert!((45..=75).contains(&quantiles[3]), "{quantiles:?}");
}

#[test]
fn hardly_any_function_occurs_twice() {
    let distinct: BTreeSet<_> =
        generate(9, 8000).iter().map(|sample| shortcuts::lex(&sample.code).join(" ")).collect();
    let n_duplicates = 8000 - distinct.len();
    eprintln!("duplicates in 8000: {n_duplicates}");
    assert!(n_duplicates < 80);
}

/// Each file holds functions with different names; without a C compiler there is nothing to check.
#[test]
fn functions_compile_after_the_preamble() {
    let folder = std::env::temp_dir().join(format!("elibadcode-defect-{}", std::process::id()));
    let mut files: Vec<BTreeMap<String, String>> = Vec::new();
    for sample in generate(10, 400) {
        let tokens = shortcuts::lex(&sample.code);
        let paren =
            tokens.iter().position(|token| token == "(").expect("a function has parameters");
        let name = tokens[paren - 1].clone();
        match files.iter_mut().find(|file| !file.contains_key(&name)) {
            Some(file) => drop(file.insert(name, sample.code)),
            None => files.push(BTreeMap::from([(name, sample.code)])),
        }
    }
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    for (i, file) in files.iter().enumerate() {
        let functions: String = file.values().map(String::as_str).collect();
        let path = folder.join(format!("functions{i}.c"));
        std::fs::write(&path, format!("{PREAMBLE}{functions}")).expect("the folder is writable");
        let run = Command::new("cc").args(["-fsyntax-only", "-w"]).arg(&path).output();
        if let Ok(output) = run {
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{message}");
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder is there");
}
