//! Which name an answer hangs on.

use elibadcode_models::LoadedModel;
use elibadcode_syntax::{Language, NameKind};
use serde::Serialize;

use crate::answer::{Answer, ask};
use crate::screen::{Screened, Subject};

/// What one name does to the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NameShare {
    /// Which function of the subject declares it, from 0.
    pub function: usize,
    /// The name.
    pub name: String,
    /// What it names.
    pub kind: NameKind,
    /// Share of the whole change that comes about when this name alone is canonical.
    pub removed: f64,
    /// Share of the whole change that is undone when this name alone is restored.
    pub restored: f64,
    /// Whether the answer changes when this name alone is canonical.
    pub changes_the_answer: bool,
    /// Whether the answer comes back when this name alone is restored.
    pub brings_it_back: bool,
}

impl NameShare {
    /// How much the answer hangs on this name.
    pub fn share(&self) -> f64 {
        f64::midpoint(self.removed, self.restored)
    }
}

/// What the answer to a subject hangs on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Blame {
    /// Every name, the one that does most first.
    pub names: Vec<NameShare>,
    /// Share of the change that comes about when only comments and docstrings go.
    pub comments: f64,
}

impl Blame {
    /// The name that does most; none if comments do more, or there are no names.
    pub fn responsible(&self) -> Option<&NameShare> {
        self.names.first().filter(|it| it.share() > self.comments)
    }
}

/// Takes every name away alone, gives every name back alone, and looks what changes.
pub fn blame(
    model: &LoadedModel,
    subject: &Subject<'_>,
    screened: &Screened,
    language: Language,
) -> Blame {
    let names: Vec<(usize, usize)> = subject
        .canonical
        .iter()
        .enumerate()
        .flat_map(|(function, form)| (0..form.names.len()).map(move |name| (function, name)))
        .collect();
    // The whole subject with the names canonical that `is_canonical` says yes to.
    let version = |is_canonical: &dyn Fn((usize, usize)) -> bool| -> Vec<String> {
        let forms = subject.canonical.iter().zip(&subject.codes).enumerate();
        forms
            .map(|(function, (form, code))| {
                form.with_names(code, |name| is_canonical((function, name)))
            })
            .collect()
    };
    let mut versions = vec![version(&|_| false)];
    versions.extend(names.iter().map(|own| version(&|it| it == *own)));
    versions.extend(names.iter().map(|own| version(&|it| it != *own)));
    let answers = ask(model, &versions, language);
    let whole = screened.raw.distance(&screened.canonical);
    let share = |answer: &Answer| {
        if whole == 0.0 { 0.0 } else { screened.raw.distance(answer) / whole }
    };
    let (without_comments, answers) = answers.split_first().expect("one version has all names");
    let (removed, restored) = answers.split_at(names.len());
    let mut shares: Vec<NameShare> = names
        .iter()
        .zip(removed.iter().zip(restored))
        .map(|(&(function, index), (removed, restored))| {
            let name = &subject.canonical[function].names[index];
            NameShare {
                function,
                name: name.original.clone(),
                kind: name.kind,
                removed: share(removed),
                restored: 1.0 - share(restored),
                changes_the_answer: screened.raw.differs_from(removed),
                brings_it_back: !screened.raw.differs_from(restored),
            }
        })
        .collect();
    shares.sort_by(|a, b| b.share().total_cmp(&a.share()));
    Blame { names: shares, comments: share(without_comments) }
}
