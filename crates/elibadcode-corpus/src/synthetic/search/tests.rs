#![expect(clippy::print_stderr, reason = "the measured numbers, for `--nocapture`")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use elibadcode_syntax::Function;

use super::*;

const SMALL: Sizes = Sizes { train: 1500, valid: 150, clean: 100, test: 300 };

fn splits(corpus: &SearchCorpus) -> [(&'static str, &[SearchSample]); 4] {
    [
        ("train", &corpus.train),
        ("valid", &corpus.valid),
        ("clean", &corpus.clean),
        ("test", &corpus.test),
    ]
}

/// The words of a sentence in lower case.
fn words(query: &str) -> BTreeSet<String> {
    query
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The words that identifiers, strings and numbers of the code are made of.
fn code_words(code: &str) -> BTreeSet<String> {
    code.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[test]
fn same_seed_gives_the_same_bytes() {
    assert_eq!(generate(3, &SMALL), generate(3, &SMALL));
    assert_ne!(generate(3, &SMALL).test, generate(4, &SMALL).test);
}

#[test]
fn splits_have_the_size_asked_for_and_share_nothing() {
    let start = std::time::Instant::now();
    let corpus = generate(1, &Sizes { train: 7000, valid: 500, clean: 400, test: 1000 });
    eprintln!("8900 rows in {:.2} s", start.elapsed().as_secs_f64());
    let (mut queries, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut index = NearDuplicates::default();
    let mut split_of = Vec::new();
    for ((name, rows), n) in splits(&corpus).into_iter().zip([7000, 500, 400, 1000]) {
        assert_eq!(rows.len(), n, "{name}");
        for row in rows {
            assert!(queries.insert(&row.query) && ids.insert(&row.id), "{}", row.query);
            let shingles = Shingles::of(&row.code, Language::Python);
            for near in index.find_all(&shingles) {
                assert_eq!(split_of[near], name, "{}", row.code);
            }
            index.insert(shingles);
            split_of.push(name);
        }
    }
    assert_eq!(generate(1, &Sizes::default()), SearchCorpus::default());
}

#[test]
fn every_function_parses() {
    let rows = Generator { seed: 2, ..Generator::default() }.split("train", 4000);
    let mut intents = BTreeSet::new();
    for (row, intent) in rows {
        let function = Function::parse(row.code.as_str(), Language::Python);
        assert!(!function.has_errors() && function.name().is_some(), "{}", row.code);
        assert_eq!(function.without_comments(), row.code);
        for text in [&row.code, &row.query] {
            let left = ["$", "`", "~", "{n}", "{num}", "{key}", "{lit}", "{data}", "{things}"];
            assert!(left.iter().all(|mark| !text.contains(mark)), "{text}");
        }
        intents.insert(intent);
    }
    eprintln!("{} intents", intents.len());
    assert!(intents.len() >= 120);
}

/// Without a Python interpreter there is nothing to check.
#[test]
fn every_function_compiles() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("functions.py");
    let corpus = generate(3, &SMALL);
    let codes: Vec<&str> = corpus.train.iter().map(|row| row.code.as_str()).collect();
    let source = codes.join("\n\n");
    fs_err::write(&path, source).unwrap();
    let run =
        Command::new("python3").args(["-W", "ignore", "-m", "py_compile"]).arg(&path).output();
    if let Ok(output) = run {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn target_words_are_about_as_frequent_as_file() {
    let corpus = generate(4, &Sizes { train: 6000, ..SMALL });
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in &corpus.train {
        for word in words(&row.query) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let share = |word: &str| counts.get(word).copied().unwrap_or(0) as f64 / 6000.0;
    let mut near: Vec<(&str, f64)> = counts
        .keys()
        .map(|word| (word.as_str(), share(word)))
        .filter(|(_, share)| (0.03..0.12).contains(share))
        .collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    eprintln!("file {:.4}; {near:.3?}", share("file"));
    assert!((0.05..0.07).contains(&share("file")), "{}", share("file"));
    let similar = near.iter().filter(|(_, share)| (0.04..0.08).contains(share)).count();
    assert!(similar >= 6, "{similar}");
}

/// The mean reciprocal rank of the right row among `pool` by `score`.
fn mrr(rows: &[SearchSample], pool: usize, score: impl Fn(usize, usize) -> f64) -> f64 {
    let rank = |query: usize, first: usize| {
        let own = score(query, query);
        let others = (first..first + pool).filter(|&other| other != query);
        1.0 + others
            .map(|other| match score(query, other).total_cmp(&own) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            })
            .sum::<f64>()
    };
    let n = rows.len() / pool * pool;
    (0..n).map(|query| 1.0 / rank(query, query / pool * pool)).sum::<f64>() / n as f64
}

/// Word overlap finds much; what words mean in code, learned from the training rows, finds more.
#[test]
fn retrieval_can_be_learned() {
    let corpus = generate(5, &Sizes { train: 6000, test: 300, ..SMALL });
    let queries: Vec<_> = corpus.test.iter().map(|row| words(&row.query)).collect();
    let codes: Vec<_> = corpus.test.iter().map(|row| code_words(&row.code)).collect();
    let overlap = mrr(&corpus.test, 100, |query, code| {
        queries[query].intersection(&codes[code]).count() as f64 / (codes[code].len() as f64).sqrt()
    });

    let mut together: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut of_code: BTreeMap<&str, f64> = BTreeMap::new();
    let mut of_query: BTreeMap<&str, f64> = BTreeMap::new();
    let rows: Vec<_> =
        corpus.train.iter().map(|row| (words(&row.query), code_words(&row.code))).collect();
    for (query, code) in &rows {
        for word in query {
            *of_query.entry(word).or_default() += 1.0;
        }
        for token in code {
            *of_code.entry(token).or_default() += 1.0;
            for word in query {
                *together.entry((word, token)).or_default() += 1.0;
            }
        }
    }
    let n = rows.len() as f64;
    let learned = mrr(&corpus.test, 100, |query, code| {
        let best_of = |word: &String| -> f64 {
            let pair = |token: &String| {
                let count = together.get(&(word.as_str(), token.as_str())).copied().unwrap_or(0.0);
                let expected = of_query.get(word.as_str()).copied().unwrap_or(1.0)
                    * of_code.get(token.as_str()).copied().unwrap_or(1.0)
                    / n;
                (count / (expected + 2.0)).max(0.05).ln()
            };
            codes[code].iter().map(pair).fold(f64::NEG_INFINITY, f64::max)
        };
        queries[query].iter().map(best_of).sum()
    });
    eprintln!("MRR among 100: word overlap {overlap:.3}, learned associations {learned:.3}");
    assert!(learned > 0.85 && overlap + 0.05 < learned, "{learned} {overlap}");
}

#[test]
fn a_look_at_the_corpus() {
    let corpus = generate(6, &SMALL);
    let mut text = String::new();
    for row in corpus.test.iter().take(25) {
        let _ = writeln!(text, "--- {}\n{}", row.query, row.code);
    }
    eprintln!("{text}");
    assert!(text.contains("def "));
}
