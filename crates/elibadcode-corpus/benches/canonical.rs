//! What canonical names cost beside parsing alone, of the functions of a corpus of defect detection.
//!
//! ```sh
//! cargo bench --workspace --bench canonical -- "$PWD/devign/test.jsonl"
//! ```
//!
//! Without a file they are synthetic.
#![expect(clippy::print_stdout, reason = "a program whose result is a table")]
#![expect(clippy::unwrap_used, reason = "a measurement ends at the first problem")]

use std::time::Instant;

use elibadcode_corpus::{devign, synthetic};
use elibadcode_syntax::{CanonicalOptions, Function, Language, canonicalize_text};

/// Everything is run so often, and the least time counts.
const RUNS: usize = 5;

fn main() {
    // cargo adds `--bench`.
    let file = std::env::args().skip(1).find(|it| it != "--bench");
    let samples = match &file {
        Some(path) => devign::read(path.as_ref()).unwrap().samples,
        None => synthetic::defect::generate(1, 2000),
    };
    let codes: Vec<&str> = samples.iter().map(|it| it.code.as_str()).collect();
    println!("{} functions", codes.len());
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_c::LANGUAGE.into()).unwrap();
    let parsing = timed("parsing alone", &codes, |code| {
        parser.parse(code, None).unwrap();
    });
    let of_parsing = |seconds: f64| println!("{:>40.1} times of parsing", seconds / parsing);
    of_parsing(timed("with tokens and names", &codes, |code| {
        Function::parse(code, Language::C);
    }));
    let options = CanonicalOptions::all_names();
    of_parsing(timed("with canonical names", &codes, |code| {
        canonicalize_text(code, Language::C, &options);
    }));
}

/// The least seconds that all functions take.
fn timed(what: &str, codes: &[&str], mut run: impl FnMut(&str)) -> f64 {
    let seconds = |()| {
        let start = Instant::now();
        for code in codes {
            run(code);
        }
        start.elapsed().as_secs_f64()
    };
    let least = std::iter::repeat_n((), RUNS).map(seconds).fold(f64::INFINITY, f64::min);
    println!("{what:<24} {:>10.1} µs a function", 1e6 * least / codes.len() as f64);
    least
}
