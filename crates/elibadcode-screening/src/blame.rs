//! Which name an answer hangs on.

use elibadcode_evaluation::records::screen::NameEvidence;
use elibadcode_models::LoadedModel;
use elibadcode_syntax::Language;

use crate::answer::{Answer, ask};
use crate::screen::Subject;

/// What the answer to a subject hangs on.
#[derive(Clone, Debug, PartialEq)]
pub struct Blame {
    /// Every name that the model reads, the one that does most first.
    pub names: Vec<NameEvidence>,
    /// Share of the change that comes about when only comments and docstrings go.
    pub comments: f64,
}

impl Blame {
    /// The name that does most; none if comments do more, or there are no names.
    pub fn responsible(&self) -> Option<&NameEvidence> {
        self.names.first().filter(|it| it.share() > self.comments)
    }
}

/// Takes every name away alone, gives every name back alone, and looks what changes.
///
/// # Panics
///
/// If the subject is not of two functions and the model takes pairs, or not of one and it does not.
pub fn blame(model: &LoadedModel, subject: &Subject<'_>, language: Language) -> Blame {
    let names: Vec<(usize, usize)> = subject
        .canonical
        .iter()
        .enumerate()
        .flat_map(|(function, form)| {
            let end = model.reach(subject.codes[function], language);
            let starts = form.names.iter().map(|it| it.occurrences.first().map(|it| it.start));
            let read =
                starts.enumerate().filter(move |(_, start)| start.is_some_and(|it| it < end));
            read.map(move |(name, _)| (function, name))
        })
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
    let owned =
        |codes: Vec<&str>| -> Vec<String> { codes.into_iter().map(str::to_owned).collect() };
    let canonical = subject.canonical.iter().map(|form| &*form.text).collect();
    // The whole subject in both forms again: answers are compared within one question only.
    let mut versions = vec![owned(subject.codes.clone()), owned(canonical), version(&|_| false)];
    versions.extend(names.iter().map(|own| version(&|it| it == *own)));
    versions.extend(names.iter().map(|own| version(&|it| it != *own)));
    let answers = ask(model, &versions, language);
    let [raw, canonical, without_comments, answers @ ..] = &answers[..] else {
        unreachable!("three versions were asked about first")
    };
    let whole = raw.distance(canonical);
    // Without all names the answer may stay, or become surer, though without one it changes: then there
    // is no change to share.
    let is_share = whole > 0.0;
    let share = |answer: &Answer| if is_share { raw.distance(answer) / whole } else { 0.0 };
    let (removed, restored) = answers.split_at(names.len());
    let mut shares: Vec<NameEvidence> = names
        .iter()
        .zip(removed.iter().zip(restored))
        .map(|(&(function, index), (removed, restored))| {
            let name = &subject.canonical[function].names[index];
            NameEvidence {
                function,
                name: name.original.clone(),
                removed: share(removed),
                restored: if is_share { 1.0 - share(restored) } else { 0.0 },
                changes_the_answer: raw.differs_from(removed),
                brings_it_back: !raw.differs_from(restored),
            }
        })
        .collect();
    shares.sort_by(|a, b| b.share().total_cmp(&a.share()));
    Blame { names: shares, comments: share(without_comments) }
}
