#![expect(clippy::print_stderr, reason = "the measured numbers, for `--nocapture`")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use elibadcode_syntax::Function;

use super::*;

const SMALL: Sizes = Sizes { train: 800, valid: 100, clean: 60, test: 200, unseen: 120 };

fn splits(corpus: &CloneCorpus) -> [(&'static str, &CloneSamples); 5] {
    [
        ("train", &corpus.train),
        ("valid", &corpus.valid),
        ("clean", &corpus.clean),
        ("test", &corpus.test),
        ("unseen", &corpus.unseen),
    ]
}

#[test]
fn same_seed_gives_the_same_bytes() {
    assert_eq!(generate(3, &SMALL), generate(3, &SMALL));
    assert_ne!(generate(3, &SMALL).train, generate(4, &SMALL).train);
}

#[test]
fn splits_have_the_size_asked_for_and_both_labels() {
    let corpus = generate(1, &SMALL);
    for ((name, samples), n) in splits(&corpus).into_iter().zip([800, 100, 60, 200, 120]) {
        assert_eq!(samples.pairs.len(), n, "{name}");
        assert_eq!(samples.pairs.iter().filter(|pair| pair.label == 1).count(), n / 2, "{name}");
        assert!(samples.functions.len() >= n / 4, "{name}: {}", samples.functions.len());
        assert!(samples.pairs.iter().all(|pair| pair.first != pair.second));
    }
    let empty = generate(1, &Sizes::default());
    assert_eq!(empty, CloneCorpus::default());
}

#[test]
fn labels_say_whether_the_functionality_is_the_same() {
    let mut generator = Generator::new(2);
    let mut seen = BTreeSet::new();
    let mut unseen = BTreeSet::new();
    for (name, n) in [("unseen", 300), ("test", 300), ("train", 3000)] {
        let (samples, origins) = generator.split(name, n);
        for pair in &samples.pairs {
            let is_clone = origins[pair.first] == origins[pair.second];
            assert_eq!(is_clone, pair.label == 1);
        }
        if name == "unseen" { &mut unseen } else { &mut seen }.extend(origins);
    }
    assert!(seen.is_disjoint(&unseen) && unseen.len() >= 6);
    assert!(functionalities().len() >= 60 && seen.len() >= 50, "{}", seen.len());
}

#[test]
fn near_duplicates_do_not_cross_splits() {
    let corpus = generate(5, &Sizes { train: 2000, ..SMALL });
    let mut index = NearDuplicates::default();
    let mut split_of = Vec::new();
    let mut ids = BTreeSet::new();
    for (name, samples) in splits(&corpus) {
        for function in &samples.functions {
            let shingles = Shingles::of(&function.code, Language::Java);
            for near in index.find_all(&shingles) {
                assert_eq!(split_of[near], name, "{}", function.code);
            }
            index.insert(shingles);
            split_of.push(name);
            assert!(ids.insert(&function.id));
        }
    }
}

#[test]
fn every_method_parses() {
    let corpus = generate(6, &Sizes { train: 4000, ..SMALL });
    let mut names = BTreeSet::new();
    for (_, samples) in splits(&corpus) {
        for function in &samples.functions {
            let method = Function::parse(function.code.as_str(), Language::Java);
            assert!(!method.has_errors(), "{}", function.code);
            names.insert(method.name().expect("a method has a name").to_owned());
        }
    }
    assert!(names.len() > 200, "{}", names.len());
}

/// Without a Java compiler there is nothing to check.
#[test]
fn every_variant_compiles() {
    let mut rng = stage_rng(7, "clone compile");
    let mut source = String::from(
        "import java.io.*;\nimport java.math.*;\nimport java.net.*;\nimport java.nio.charset.*;\n\
         import java.nio.file.*;\nimport java.security.*;\nimport java.time.*;\n\
         import java.util.*;\nimport java.util.function.*;\nimport java.util.logging.*;\n\
         import java.util.stream.*;\nclass Methods {\nstatic int calls; static boolean verbose;\n\
         static Logger logger;\n",
    );
    let mut n_methods = 0;
    for functionality in functionalities::all() {
        for (variant, text) in functionality.variants.iter().enumerate() {
            for _ in 0..8 {
                n_methods += 1;
                let name = format!("m{n_methods}v{variant}");
                source.push_str(&render::method(text, name, &mut rng));
            }
        }
    }
    source.push_str("}\n");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Methods.java");
    fs_err::write(&path, source).unwrap();
    let run = Command::new("javac")
        .args(["-nowarn", "-proc:none", "-Xmaxerrs", "20", "-d"])
        .arg(dir.path())
        .arg(&path)
        .output();
    if let Ok(output) = run {
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{message}");
    }
}

fn bag(code: &str) -> BTreeSet<String> {
    code_token_texts(code, Language::Java).into_iter().collect()
}

/// The best accuracy of "the more common tokens, the more a clone", on `samples`.
fn overlap_accuracy(samples: &CloneSamples) -> f64 {
    let bags: Vec<_> = samples.functions.iter().map(|function| bag(&function.code)).collect();
    let mut scored: Vec<(f64, u8)> = samples
        .pairs
        .iter()
        .map(|pair| {
            let (a, b) = (&bags[pair.first], &bags[pair.second]);
            let n_common = a.intersection(b).count();
            (n_common as f64 / (a.len() + b.len() - n_common) as f64, pair.label)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n_other = scored.iter().filter(|(_, label)| *label == 0).count();
    let mut n_right = n_other;
    let mut best = n_right;
    for (_, label) in &scored {
        n_right = if *label == 1 { n_right + 1 } else { n_right - 1 };
        best = best.max(n_right);
    }
    best as f64 / scored.len() as f64
}

#[test]
fn token_overlap_does_not_decide() {
    let corpus = generate(8, &Sizes { test: 1000, unseen: 400, ..SMALL });
    for (name, samples) in [("test", &corpus.test), ("unseen", &corpus.unseen)] {
        let accuracy = overlap_accuracy(samples);
        eprintln!("{name}: Jaccard threshold {accuracy:.3}");
        assert!(accuracy < 0.8, "{name}: {accuracy}");
    }
}

/// Naive Bayes over tokens tells the functionality of a method that it has not seen.
#[test]
fn the_functionality_can_be_learned() {
    let mut generator = Generator::new(9);
    let (test, test_origins) = generator.split("test", 800);
    let start = std::time::Instant::now();
    let (train, train_origins) = generator.split("train", 8000);
    eprintln!(
        "{} functions, {} pairs in {:.2} s",
        train.functions.len(),
        train.pairs.len(),
        start.elapsed().as_secs_f64()
    );
    let mut counts: BTreeMap<usize, BTreeMap<String, f64>> = BTreeMap::new();
    for (function, origin) in train.functions.iter().zip(&train_origins) {
        for token in bag(&function.code) {
            *counts.entry(*origin).or_default().entry(token).or_default() += 1.0;
        }
    }
    let mut sizes: BTreeMap<usize, f64> = BTreeMap::new();
    for origin in &train_origins {
        *sizes.entry(*origin).or_default() += 1.0;
    }
    let guess = |code: &str| {
        let tokens = bag(code);
        let score = |origin: &usize| -> f64 {
            let count = |token| counts[origin].get(token).copied().unwrap_or_default();
            tokens.iter().map(|token| ((count(token) + 0.1) / (sizes[origin] + 0.2)).ln()).sum()
        };
        *counts.keys().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap()
    };
    let guesses: Vec<usize> = test.functions.iter().map(|it| guess(&it.code)).collect();
    let n_right = guesses.iter().zip(&test_origins).filter(|(a, b)| a == b).count();
    let accuracy = n_right as f64 / guesses.len() as f64;
    let n_pairs = test
        .pairs
        .iter()
        .filter(|pair| (guesses[pair.first] == guesses[pair.second]) == (pair.label == 1))
        .count();
    eprintln!("functionality {accuracy:.3}, pairs {:.3}", n_pairs as f64 / test.pairs.len() as f64);
    let mut confusions: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (guess, origin) in guesses.iter().zip(&test_origins).filter(|(a, b)| a != b) {
        let names = (generator.all[*origin].name, generator.all[*guess].name);
        *confusions.entry(names).or_default() += 1;
    }
    eprintln!("confusions: {confusions:?}");
    assert!(accuracy > 0.85, "{accuracy}");
    let mut lengths: Vec<usize> = train
        .functions
        .iter()
        .map(|function| code_token_texts(&function.code, Language::Java).len())
        .collect();
    lengths.sort_unstable();
    let quantile = |share: usize| lengths[(lengths.len() - 1) * share / 100];
    eprintln!("tokens per method: {:?}", [0, 5, 25, 50, 75, 95, 100].map(quantile));
}

#[test]
fn a_look_at_the_corpus() {
    let corpus = generate(10, &SMALL);
    let mut text = String::new();
    for pair in corpus.test.pairs.iter().take(10) {
        let _ = writeln!(text, "--- label {}", pair.label);
        text.push_str(&corpus.test.functions[pair.first].code);
        text.push_str(&corpus.test.functions[pair.second].code);
    }
    eprintln!("{text}");
    assert!(text.contains("static"));
}
