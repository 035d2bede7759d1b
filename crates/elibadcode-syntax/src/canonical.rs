//! Functions whose declared names are canonical: `f0`, `v0`, `v1`, … instead of what was written.
//!
//! **The law.** A *legal renaming* gives other names to things that the text itself declares, so
//! that every occurrence still means the same thing. For every legal renaming `r` of a function `f`
//! that parses without errors, `canonicalize(r(f))` and `canonicalize(f)` are the same bytes. A
//! model that only ever sees canonical text gives the same answer for both, so no trigger that is
//! hidden in a declared name can change its answer. Also `canonicalize(canonicalize(f))` is
//! `canonicalize(f)`, and the canonical text has the same tokens apart from names (and comments,
//! where they are taken out).
//!
//! **What is declared.** The text is taken for a whole program.
//!
//! - Names of functions that the text defines, always, also `main`, `__init__` or `toString` if
//!   they name the function that the text is about; calls of the function itself follow, in Java
//!   also through `this`. All overloads of a Java method share its name. Where a macro makes the
//!   name (`HELPER(name)(int a)` in C), the macro's own name counts as one too.
//! - Parameters, also `self`, also those of lambdas, nested functions and C prototypes.
//! - Variables, constants, catch, resource, pattern, loop and comprehension variables, enumerators,
//!   aliases of Python imports, C file-scope variables.
//! - Labels; classes, type parameters, typedefs and tags that are defined in the text.
//! - Java fields of classes in the text, and their methods unless they may override one: all but
//!   private and static methods of a class with a superclass or an interface are kept. A member of
//!   a class that has a name is kept if the text takes a member of that name from some object other
//!   than `this`, whose class only a compiler could tell.
//! - Names of Python arguments (`f(n=1)`) where `f` is a function, class or lambda of the text;
//!   everywhere else (`functools.partial(f, n=1)`, methods) they are taken for names of somebody
//!   else's function and stay.
//!
//! **What is kept**, and so is not covered: called functions, types, fields and macros of others
//! and everything behind a dot or an arrow (members of C structs and of Python classes, also the
//! recursion of a Python method through `self.`), macros even if the text defines them, imports,
//! `global` names, `extern` variables, Python 3.12 type parameters, text in strings. Names in the
//! body of a macro follow the declarations; all declarations of such a name share one canonical name.
//!
//! **Numbering.** Functions are `f0`, `f1`, …, variables `v0`, …, types `t0`, …, labels `l0`, …, each
//! in order of first occurrence, so that nothing depends on the old names. A number is left out if
//! the text has that word in a place that is kept: no kept name is ever captured.
//!
//! Text with errors is canonicalized too, on a tree that depends neither on the length of names nor
//! on comments and formatting, so that the law holds for nearly all of it. Text in which scopes are nested
//! more than 256 deep counts as such: names in deeper scopes are told apart no more.
//!
//! ```
//! use elibadcode_syntax::{CanonicalOptions, Language, canonicalize_text};
//!
//! let options = CanonicalOptions::all_names();
//! let code = "int fact(int n) { /* n! */ return n ? n * fact(n - 1) : one(); }";
//! let canonical = canonicalize_text(code, Language::C, &options);
//! assert_eq!(canonical.text, "int f0(int v0) {   return v0 ? v0 * f0(v0 - 1) : one(); }");
//! assert_eq!(canonical.names[1].original, "n");
//! ```

mod c;
mod collect;
mod java;
mod law;
mod python;
mod scopes;
mod skeleton;

pub use law::{Renaming, Violation, law_violation, renamed_text};

use std::collections::HashSet;
use std::ops::Range;

use serde::Serialize;

use crate::comments::{self, Edit};
use crate::scan::own_range;
use crate::tree::Parsed;
use crate::{Function, Language, tree};
use scopes::Binding;
use skeleton::Skeleton;

/// What becomes canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CanonicalOptions {
    /// Only the name of the function that the text is about changes, for tasks such as code search
    /// where the other names carry meaning.
    pub function_name_only: bool,
    /// Comments and docstrings go, which could hold a trigger as well as names could.
    pub strip_comments: bool,
}

impl CanonicalOptions {
    /// All declared names, without comments: what excludes most triggers.
    pub fn all_names() -> Self {
        Self { function_name_only: false, strip_comments: true }
    }

    /// The function's name only, without comments.
    pub fn function_name() -> Self {
        Self { function_name_only: true, strip_comments: true }
    }
}

/// What a declared name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// A function or method.
    Function,
    /// A parameter of any function.
    Parameter,
    /// A variable, constant or field.
    Variable,
    /// A class, type parameter, typedef or tag.
    Type,
    /// A label.
    Label,
}

impl NameKind {
    fn prefix(self) -> char {
        match self {
            Self::Function => 'f',
            Self::Parameter | Self::Variable => 'v',
            Self::Type => 't',
            Self::Label => 'l',
        }
    }
}

/// A declared name, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CanonicalName {
    /// The name in the canonical text.
    pub canonical: String,
    /// The name in the text that came in.
    pub original: String,
    /// What it names.
    pub kind: NameKind,
    /// Where it stands in the text that came in: ascending byte ranges.
    pub occurrences: Vec<Range<usize>>,
}

/// A text with canonical names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Canonical {
    /// The canonical text.
    pub text: String,
    /// The names that changed, in order of first occurrence; one entry per declaration, so that
    /// two scopes that declare the same name have two.
    pub names: Vec<CanonicalName>,
    /// Whether the grammar could not make sense of some part of the text that came in, or its scopes are
    /// nested too deeply.
    pub has_errors: bool,
    /// What is taken out of the text that came in.
    #[serde(skip)]
    edits: Vec<Edit>,
}

impl Canonical {
    /// The text that came in with some of the names canonical: those of [`names`](Self::names) at
    /// the indices that `is_canonical` says yes to. Comments go as they do from the whole. A canonical name
    /// that one of the others has already gets another number.
    ///
    /// # Panics
    ///
    /// If `original` is another text than came in.
    pub fn with_names(&self, original: &str, is_canonical: impl Fn(usize) -> bool) -> String {
        let left: HashSet<&str> = (0..self.names.len())
            .filter(|&index| !is_canonical(index))
            .map(|index| &*self.names[index].original)
            .collect();
        let mut next = self.names.len();
        let mut other = |taken: &str| loop {
            let name = format!("{}{next}", taken.trim_end_matches(|it: char| it.is_ascii_digit()));
            next += 1;
            if !original.contains(&name) && !self.text.contains(&name) {
                return name;
            }
        };
        let names: Vec<String> = (self.names.iter().enumerate())
            .map(|(index, CanonicalName { canonical, original, .. })| match is_canonical(index) {
                false => original.clone(),
                true if left.contains(&**canonical) => other(canonical),
                true => canonical.clone(),
            })
            .collect();
        rewrite(original, &changes(&self.names), |index| &names[index], &self.edits)
    }
}

/// The function with canonical names; see the law above.
pub fn canonicalize(function: &Function, options: &CanonicalOptions) -> Canonical {
    canonicalize_text(function.text(), function.language(), options)
}

/// As [`canonicalize`], for text that is not needed as a [`Function`]: parses once.
pub fn canonicalize_text(text: &str, language: Language, options: &CanonicalOptions) -> Canonical {
    let Declared { mut bindings, edits, has_errors } = declared(text, language);
    let edits = if options.strip_comments { edits } else { Vec::new() };
    if options.function_name_only {
        // What the text is about is declared first, and need not occur first.
        let functions = bindings.iter().filter(|it| it.kind == NameKind::Function && !it.kept);
        let first = functions.map(|it| it.declared_at).min();
        bindings.retain(|it| it.kind == NameKind::Function && Some(it.declared_at) == first);
    }
    let mut names: Vec<CanonicalName> = Vec::new();
    for binding in bindings {
        if binding.kept {
            continue;
        }
        names.push(CanonicalName {
            canonical: String::new(),
            original: text[binding.occurrences[0].clone()].to_owned(),
            kind: binding.kind,
            occurrences: binding.occurrences,
        });
    }
    let changes = changes(&names);
    number(&mut names, &kept_words(text, &changes, &edits));
    let text = rewrite(text, &changes, |index| &names[index].canonical, &edits);
    Canonical { text, names, has_errors, edits }
}

/// Where the functions, parameters and variables of each of `names` stand that the text declares,
/// ascending.
pub(crate) fn occurrences_of(
    text: &str,
    language: Language,
    names: &[&str],
) -> Vec<Vec<Range<usize>>> {
    let mut occurrences = vec![Vec::new(); names.len()];
    for binding in declared(text, language).bindings {
        let is_value = !matches!(binding.kind, NameKind::Type | NameKind::Label);
        let own = &text[binding.occurrences[0].clone()];
        let index = names.iter().position(|name| *name == own);
        if let Some(index) = index.filter(|_| is_value && !binding.kept) {
            occurrences[index].extend(binding.occurrences);
        }
    }
    for ranges in &mut occurrences {
        ranges.sort_unstable_by_key(|range: &Range<usize>| range.start);
    }
    occurrences
}

/// The names that a text declares, and its comments.
struct Declared {
    bindings: Vec<Binding>,
    edits: Vec<Edit>,
    has_errors: bool,
}

fn declared(text: &str, language: Language) -> Declared {
    let unknown = || Declared { bindings: Vec::new(), edits: Vec::new(), has_errors: true };
    let Some(parsed) = tree::parse(text, language) else { return unknown() };
    if !parsed.tree.root_node().has_error() {
        let (bindings, edits, is_too_deep) = declarations(&parsed, text, language);
        return Declared { bindings, edits, has_errors: is_too_deep };
    }
    let skeleton = Skeleton::new(text, language);
    let Some(parsed) = tree::parse(&skeleton.text, language) else { return unknown() };
    let (mut bindings, mut edits, _) = declarations(&parsed, &skeleton.text, language);
    for range in bindings.iter_mut().flat_map(|binding| &mut binding.occurrences) {
        *range = skeleton.restore(range);
    }
    for edit in &mut edits {
        edit.range = skeleton.restore(&edit.range);
    }
    edits.extend(skeleton.comments.into_iter().map(|range| Edit::comment(range, language)));
    edits.sort_by_key(|edit| edit.range.start);
    Declared { bindings, edits, has_errors: true }
}

/// The names that the tree declares, the comments, and whether its scopes are nested too deeply.
fn declarations(
    parsed: &Parsed<'_>,
    text: &str,
    language: Language,
) -> (Vec<Binding>, Vec<Edit>, bool) {
    let (facts, edits) = collect::collect(parsed, language);
    let own = |range: Range<usize>| own_range(range, parsed.shift, text);
    let mut bindings = scopes::resolve(&facts);
    for binding in &mut bindings {
        binding.occurrences = binding.occurrences.drain(..).filter_map(own).collect();
    }
    bindings.retain(|binding| !binding.occurrences.is_empty());
    let own_edit = |edit: Edit| Some(Edit { range: own(edit.range)?, ..edit });
    (bindings, edits.into_iter().filter_map(own_edit).collect(), facts.is_too_deep)
}

/// The occurrences of all names in order, each with the index of its name.
fn changes(names: &[CanonicalName]) -> Vec<(Range<usize>, usize)> {
    let mut changes: Vec<(Range<usize>, usize)> = names
        .iter()
        .enumerate()
        .flat_map(|(index, name)| name.occurrences.iter().map(move |range| (range.clone(), index)))
        .collect();
    changes.sort_unstable_by_key(|(range, _)| range.start);
    changes
}

/// Gives each name the next canonical one that the text does not have already.
fn number(names: &mut [CanonicalName], kept: &HashSet<&str>) {
    let mut next = [0_usize; 128];
    for name in names {
        let prefix = name.kind.prefix();
        let number = &mut next[prefix as usize];
        loop {
            name.canonical = format!("{prefix}{number}");
            *number += 1;
            if !kept.contains(&*name.canonical) {
                break;
            }
        }
    }
}

/// The words outside of names and removed comments that look like canonical names.
fn kept_words<'t>(
    text: &'t str,
    changes: &[(Range<usize>, usize)],
    edits: &[Edit],
) -> HashSet<&'t str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let bytes = text.as_bytes();
    let mut changed = changes.iter().map(|(range, _)| range.start).peekable();
    let mut removed = edits.iter().map(|edit| edit.range.clone()).peekable();
    let mut words = HashSet::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        if !matches!(bytes[start], b'f' | b'v' | b't' | b'l')
            || !bytes[start + 1..at].iter().all(u8::is_ascii_digit)
        {
            continue;
        }
        while changed.next_if(|&change| change < start).is_some() {}
        while removed.next_if(|range| range.end <= start).is_some() {}
        let is_removed = removed.peek().is_some_and(|range| range.start <= start);
        if changed.peek() != Some(&start) && !is_removed {
            words.insert(&text[start..at]);
        }
    }
    words
}

/// The text with other names, and without what the edits take out.
fn rewrite<'n>(
    text: &str,
    changes: &[(Range<usize>, usize)],
    name: impl Fn(usize) -> &'n str,
    edits: &[Edit],
) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut moved = Vec::with_capacity(edits.len());
    let mut changes = changes.iter().peekable();
    let mut end = 0;
    let mut copy_to = |limit: usize, renamed: &mut String| {
        while let Some((range, index)) = changes.next_if(|(range, _)| range.start < limit) {
            renamed.push_str(&text[end..range.start]);
            renamed.push_str(name(*index));
            end = range.end;
        }
        if end < limit {
            renamed.push_str(&text[end..limit]);
            end = limit;
        }
        renamed.len()
    };
    for edit in edits {
        let start = copy_to(edit.range.start, &mut renamed);
        let range = start..copy_to(edit.range.end, &mut renamed);
        moved.push(Edit { range, replacement: edit.replacement });
    }
    copy_to(text.len(), &mut renamed);
    if moved.is_empty() { renamed } else { comments::apply(&renamed, &moved) }
}

#[cfg(test)]
mod tests;
