//! The baseline: one identifier removed at a time, as ONION removes one word at a time.
//!
//! ONION judges a removal by a language model's perplexity; there is none here, and the suspicious
//! model's own answer is the stronger judge: a trigger is what it cannot do without.

use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Function, Identifier, Language};
use rayon::prelude::*;

use crate::answer::ask;

/// Subjects whose versions, one per identifier, are held at a time.
const MAX_SUBJECTS: usize = 256;
/// Bytes of code that these subjects have, unless a single one has more.
const MAX_BYTES: usize = 512 << 10;

/// For each subject, how far the answer moves when the one identifier is removed that moves it
/// most; 0 if no removal changes it.
///
/// # Panics
///
/// If a subject is not of two functions and the model takes pairs, or not of one and it does not.
pub fn removal_suspicions(
    model: &LoadedModel,
    subjects: &[Vec<&str>],
    language: Language,
) -> Vec<f64> {
    let mut all = Vec::with_capacity(subjects.len());
    while all.len() < subjects.len() {
        let left = &subjects[all.len()..];
        all.extend(suspicions(model, &left[..n_held(left)], language));
    }
    all
}

/// How many of these subjects, in their order, have versions that can be held at a time.
fn n_held(subjects: &[Vec<&str>]) -> usize {
    let mut n_bytes = 0;
    let n_fitting = subjects
        .iter()
        .take(MAX_SUBJECTS)
        .take_while(|codes| {
            n_bytes += codes.iter().map(|code| code.len()).sum::<usize>();
            n_bytes <= MAX_BYTES
        })
        .count();
    n_fitting.max(1)
}

/// The same of subjects that are few enough for all of their versions to be held.
fn suspicions(model: &LoadedModel, subjects: &[Vec<&str>], language: Language) -> Vec<f64> {
    let versions: Vec<Vec<Vec<String>>> = subjects
        .par_iter()
        .map(|codes| without_one(codes, language, |code| model.reach(code, language)))
        .collect();
    let n_versions: Vec<usize> = versions.iter().map(Vec::len).collect();
    let raw = subjects.iter().map(|codes| codes.iter().map(|&code| code.to_owned()).collect());
    let questions: Vec<Vec<String>> = raw.chain(versions.into_iter().flatten()).collect();
    let mut raw = ask(model, &questions, language);
    let mut answers = raw.split_off(subjects.len()).into_iter();
    raw.iter()
        .zip(n_versions)
        .map(|(raw, n_versions)| {
            answers
                .by_ref()
                .take(n_versions)
                .filter(|answer| raw.differs_from(answer))
                .map(|answer| raw.distance(&answer))
                .fold(0.0, f64::max)
        })
        .collect()
}

/// Every version of a subject with one identifier less, of those that begin within `reach`.
fn without_one(
    codes: &[&str],
    language: Language,
    reach: impl Fn(&str) -> usize,
) -> Vec<Vec<String>> {
    let mut versions = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let function = Function::parse(*code, language);
        let end = reach(code);
        let starts_within =
            |it: &&Identifier| it.occurrences.first().is_some_and(|at| at.start < end);
        for identifier in function.identifiers().iter().filter(starts_within) {
            let mut version: Vec<String> = codes.iter().map(|&code| code.to_owned()).collect();
            version[index] = function.replace_occurrences(&identifier.occurrences, "");
            versions.push(version);
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_is_removed_once() {
        let codes = ["int f(int a) { return a; }", "int g(void) { return g(); }"];
        let versions = without_one(&codes, Language::C, str::len);
        assert_eq!(
            versions,
            [
                ["int (int a) { return a; }", codes[1]],
                ["int f(int ) { return ; }", codes[1]],
                [codes[0], "int (void) { return (); }"],
            ]
        );
        // The model reads `int f`, and `int`.
        let versions =
            without_one(&codes, Language::C, |code| if code == codes[0] { 5 } else { 3 });
        assert_eq!(versions, [["int (int a) { return a; }", codes[1]]]);
    }

    #[test]
    fn few_subjects_or_little_code_is_held_at_a_time() {
        let half = "x".repeat(MAX_BYTES / 2);
        let check = |subjects: &[Vec<&str>], expected: usize| {
            assert_eq!(n_held(subjects), expected);
        };
        check(&vec![vec!["x"]; MAX_SUBJECTS + 1], MAX_SUBJECTS);
        check(&vec![vec![&*half]; 3], 2);
        check(&vec![vec![&*half, "x"]; 3], 1);
        check(&vec![vec![&*half; 3]; 3], 1);
        check(&[vec!["x"], vec![&*half]], 2);
    }
}
