//! Every subject twice: as it is, and with canonical names.

use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Canonical, CanonicalOptions, Language, canonicalize_text};
use rayon::prelude::*;

use crate::answer::{Answer, ask};

/// One function, or the two of a pair, in two forms.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The functions as they are.
    pub codes: Vec<&'a str>,
    /// Their canonical forms.
    pub canonical: Vec<Canonical>,
}

impl<'a> Subject<'a> {
    /// Canonicalizes the functions of every subject.
    pub fn all(
        subjects: &[Vec<&'a str>],
        language: Language,
        options: &CanonicalOptions,
    ) -> Vec<Self> {
        let read = |codes: &Vec<&'a str>| Self {
            codes: codes.clone(),
            canonical: codes.iter().map(|it| canonicalize_text(it, language, options)).collect(),
        };
        subjects.par_iter().map(read).collect()
    }

    /// Whether some function does not parse.
    pub fn has_errors(&self) -> bool {
        self.canonical.iter().any(|it| it.has_errors)
    }
}

/// What a model says about a subject with and without its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Screened {
    /// With its own names.
    pub raw: Answer,
    /// With canonical ones.
    pub canonical: Answer,
}

impl Screened {
    /// How much of the answer hangs on names: its distance from the one without them, and 0 if the
    /// two agree.
    pub fn suspicion(&self) -> f64 {
        if self.raw.differs_from(&self.canonical) {
            self.raw.distance(&self.canonical)
        } else {
            0.0
        }
    }
}

/// Asks a model about every subject in both forms.
///
/// # Panics
///
/// If a subject is not of two functions and the model takes pairs, or not of one and it does not.
pub fn screen(model: &LoadedModel, subjects: &[Subject<'_>], language: Language) -> Vec<Screened> {
    // One question for both forms: of a subject without names they are the same input.
    let mut forms: Vec<Vec<&str>> = subjects.iter().map(|it| it.codes.clone()).collect();
    for subject in subjects {
        forms.push(subject.canonical.iter().map(|form| &*form.text).collect());
    }
    let mut raw = ask(model, &forms, language);
    let canonical = raw.split_off(subjects.len());
    raw.into_iter().zip(canonical).map(|(raw, canonical)| Screened { raw, canonical }).collect()
}
