//! Legal renamings of a text, and whether its canonical form withstands them.

use std::collections::{BTreeMap, HashSet};

use super::{
    Canonical, CanonicalName, CanonicalOptions, canonicalize_text, changes, java, rewrite,
};
use crate::{Function, Language};

/// How the names of a renaming are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// Every declaration gets a random name of its own, also where some share one now.
    Fresh,
    /// Every declaration gets a name that looks canonical, such as `v3`, in random order.
    CanonicalLike,
    /// The declared names change places.
    Permuted,
    /// One declaration gets a random name.
    Single,
    /// One declaration gets a suffix, as an attack would append its trigger.
    Suffixed,
}

impl Renaming {
    /// Every kind of renaming.
    pub const ALL: [Self; 5] =
        [Self::Fresh, Self::CanonicalLike, Self::Permuted, Self::Single, Self::Suffixed];
}

/// How a text breaks the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What does not hold.
    pub problem: &'static str,
    /// The renamed text.
    pub renamed: String,
    /// The canonical form of the text itself.
    pub expected: String,
    /// The canonical form of the renamed text.
    pub found: String,
}

/// Checks the law on one text with `n_renamings` random renamings, all kinds in turn.
///
/// Also checks that the canonical form is its own canonical form, and that it parses as the text
/// itself does. `pick(n)` gives a random number below `n`.
pub fn law_violation(
    text: &str,
    language: Language,
    options: &CanonicalOptions,
    n_renamings: usize,
    pick: &mut dyn FnMut(usize) -> usize,
) -> Option<Violation> {
    let canonical = canonicalize_text(text, language, options);
    let check = |problem, renamed: &str| {
        let found = canonicalize_text(renamed, language, options);
        let is_fine = found.text == canonical.text && found.has_errors == canonical.has_errors;
        (!is_fine).then(|| Violation {
            problem,
            renamed: renamed.to_owned(),
            expected: canonical.text.clone(),
            found: found.text,
        })
    };
    if let Some(violation) = check("canonical text is not its own canonical form", &canonical.text)
    {
        return Some(violation);
    }
    let with_comments = CanonicalOptions { strip_comments: false, ..*options };
    let n_tokens = |text: &str| Function::parse(text, language).tokens().len();
    let renamed = canonicalize_text(text, language, &with_comments).text;
    if !canonical.has_errors && n_tokens(&renamed) != n_tokens(text) {
        let problem = "canonical text has another number of tokens";
        let expected = text.to_owned();
        return Some(Violation { problem, found: renamed.clone(), renamed, expected });
    }
    let problem = "a renamed text has another canonical form";
    (0..n_renamings).find_map(|index| {
        let renaming = Renaming::ALL[index % Renaming::ALL.len()];
        check(problem, &renamed_text(text, &canonical, language, renaming, pick))
    })
}

/// The text after one random legal renaming of the names that are canonical in `canonical`.
pub fn renamed_text(
    text: &str,
    canonical: &Canonical,
    language: Language,
    renaming: Renaming,
    pick: &mut dyn FnMut(usize) -> usize,
) -> String {
    let changes = changes(&canonical.names);
    let mut taken = words(text, &changes.iter().map(|(range, _)| range.start).collect());
    let names = &canonical.names;
    let originals = names.iter().map(|name| name.original.clone()).collect::<Vec<_>>();
    let new_names = match renaming {
        _ if names.is_empty() => return text.to_owned(),
        Renaming::Fresh => names.iter().map(|_| fresh(language, &mut taken, pick)).collect(),
        Renaming::CanonicalLike => {
            let pool = pool_of_canonical_names(names, &taken, pick);
            pool.into_iter().take(names.len()).collect()
        }
        Renaming::Permuted => permuted(names, language, &mut taken, pick),
        Renaming::Single | Renaming::Suffixed => {
            let index = pick(names.len());
            taken.extend(originals.iter().cloned());
            let mut new_names = originals;
            let suffixed = format!("{}_rb", new_names[index]);
            new_names[index] = if renaming == Renaming::Suffixed && !taken.contains(&suffixed) {
                suffixed
            } else {
                fresh(language, &mut taken, pick)
            };
            new_names
        }
    };
    rewrite(text, &changes, |index| &new_names[index], &[])
}

/// The words of the text in places that do not change.
fn words(text: &str, changed: &HashSet<usize>) -> HashSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let words = text.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    words.filter(|word| !changed.contains(&start(word))).map(str::to_owned).collect()
}

fn fresh(
    language: Language,
    taken: &mut HashSet<String>,
    pick: &mut dyn FnMut(usize) -> usize,
) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    loop {
        let length = 1 + pick(12);
        let name: String = (0..length)
            .map(|index| char::from(LETTERS[pick(LETTERS.len() - if index == 0 { 10 } else { 0 })]))
            .collect();
        if is_legal(language, &name) && taken.insert(name.clone()) {
            return name;
        }
    }
}

/// Whether a declaration may have this name without another meaning than before.
fn is_legal(language: Language, name: &str) -> bool {
    language.is_identifier(name)
        && name != "_"
        && !(language == Language::Java && java::INHERITED.contains(&name))
}

fn pool_of_canonical_names(
    names: &[CanonicalName],
    taken: &HashSet<String>,
    pick: &mut dyn FnMut(usize) -> usize,
) -> Vec<String> {
    let mut pool: Vec<String> = (0..names.len() + taken.len())
        .flat_map(|number| ['v', 'f', 't', 'l'].map(|prefix| format!("{prefix}{number}")))
        .filter(|name| !taken.contains(name))
        .take(names.len() * 2)
        .collect();
    shuffle(&mut pool, pick);
    pool
}

fn permuted(
    names: &[CanonicalName],
    language: Language,
    taken: &mut HashSet<String>,
    pick: &mut dyn FnMut(usize) -> usize,
) -> Vec<String> {
    let mut new_names: BTreeMap<&str, String> = BTreeMap::new();
    let is_free = |name: &str| !taken.contains(name) && is_legal(language, name);
    let mut movable: Vec<&str> =
        names.iter().map(|name| &*name.original).filter(|name| is_free(name)).collect();
    movable.sort_unstable();
    movable.dedup();
    let mut moved: Vec<String> = movable.iter().map(|&name| name.to_owned()).collect();
    shuffle(&mut moved, pick);
    new_names.extend(movable.into_iter().zip(moved));
    for name in names {
        taken.insert(name.original.clone());
    }
    names
        .iter()
        .map(|name| match new_names.get(&*name.original) {
            Some(new_name) => new_name.clone(),
            None => fresh(language, taken, pick),
        })
        .collect()
}

fn shuffle<T>(items: &mut [T], pick: &mut dyn FnMut(usize) -> usize) {
    for index in (1..items.len()).rev() {
        items.swap(index, pick(index + 1));
    }
}
