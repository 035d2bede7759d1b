//! One identifier removed at a time, as ONION removes one word at a time.
//!
//! ONION judges a removal by a language model's perplexity; there is none here, and the suspicious
//! model's own answer is the stronger judge: a trigger is what it cannot do without.

use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Function, Identifier, Language};
use rayon::prelude::*;

use crate::answer::{Answer, ask};

/// Subjects whose versions, one per identifier, are held at a time.
const MAX_SUBJECTS: usize = 256;
/// Bytes of code that these subjects have, unless a single one has more.
const MAX_BYTES: usize = 512 << 10;

/// What taking single identifiers away does to an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removal {
    /// How far the answer moves when the one identifier is removed that moves it most; 0 if no removal
    /// changes it.
    pub suspicion: f64,
    /// That identifier.
    pub name: Option<String>,
}

/// Removes every identifier of every subject in turn.
///
/// # Panics
///
/// If a subject is not of two functions and the model takes pairs, or not of one and it does not.
pub fn removals(model: &LoadedModel, subjects: &[Vec<&str>], language: Language) -> Vec<Removal> {
    let mut all = Vec::with_capacity(subjects.len());
    while all.len() < subjects.len() {
        let left = &subjects[all.len()..];
        all.extend(removals_of_few(model, &left[..n_held(left)], language));
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
fn removals_of_few(
    model: &LoadedModel,
    subjects: &[Vec<&str>],
    language: Language,
) -> Vec<Removal> {
    let versions: Vec<Vec<(String, Vec<String>)>> = subjects
        .par_iter()
        .map(|codes| without_one(codes, language, |code| model.reach(code, language)))
        .collect();
    let mut questions: Vec<Vec<String>> =
        subjects.iter().map(|codes| codes.iter().map(|&code| code.to_owned()).collect()).collect();
    let mut names: Vec<Vec<String>> = Vec::with_capacity(subjects.len());
    for versions in versions {
        let (removed, versions): (Vec<String>, Vec<Vec<String>>) = versions.into_iter().unzip();
        names.push(removed);
        questions.extend(versions);
    }
    let mut raw = ask(model, &questions, language);
    let mut answers = raw.split_off(subjects.len()).into_iter();
    let mut strongest = |raw: &Answer, names: Vec<String>| {
        let mut found = Removal::default();
        for (name, answer) in names.into_iter().zip(answers.by_ref()) {
            let suspicion = raw.distance(&answer);
            if raw.differs_from(&answer) && suspicion > found.suspicion {
                found = Removal { suspicion, name: Some(name) };
            }
        }
        found
    };
    raw.iter().zip(names).map(|(raw, names)| strongest(raw, names)).collect()
}

/// Every version of a subject with one identifier less, of those that begin within `reach`, after that
/// identifier.
fn without_one(
    codes: &[&str],
    language: Language,
    reach: impl Fn(&str) -> usize,
) -> Vec<(String, Vec<String>)> {
    let mut versions = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let function = Function::parse(*code, language);
        let end = reach(code);
        let starts_within =
            |it: &&Identifier| it.occurrences.first().is_some_and(|at| at.start < end);
        for identifier in function.identifiers().iter().filter(starts_within) {
            let mut version: Vec<String> = codes.iter().map(|&code| code.to_owned()).collect();
            version[index] = function.replace_occurrences(&identifier.occurrences, "");
            versions.push((identifier.text.clone(), version));
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
        let check = |reach: &dyn Fn(&str) -> usize, expected: &[(&str, [&str; 2])]| {
            let versions = without_one(&codes, Language::C, reach);
            let versions: Vec<(&str, Vec<&str>)> = versions
                .iter()
                .map(|(name, codes)| (&**name, codes.iter().map(|it| &**it).collect()))
                .collect();
            let expected = expected.iter().map(|(name, codes)| (*name, codes.to_vec()));
            assert!(versions.iter().cloned().eq(expected), "{versions:?}");
        };
        let without_f = ("f", ["int (int a) { return a; }", codes[1]]);
        let without_a = ("a", ["int f(int ) { return ; }", codes[1]]);
        let without_g = ("g", [codes[0], "int (void) { return (); }"]);
        check(&str::len, &[without_f, without_a, without_g]);
        // The model reads `int f`, and `int`.
        check(&|code| if code == codes[0] { 5 } else { 3 }, &[without_f]);
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
