//! What was changed in a piece of code, and where: enough to find it, and to undo it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One change of a piece of code: a name that was replaced, or text that was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What stood there; empty where text was put in.
    pub before: String,
    /// What stands there now, with the white space that was put in around it.
    pub after: String,
    /// Where `after` stands in the code with the trigger, ascending.
    pub places: Vec<Place>,
}

/// A place in a piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Its first byte, from 0.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
}

impl Place {
    pub(crate) fn new(code: &str, range: Range<usize>) -> Self {
        let n_lines_before = code[..range.start].matches('\n').count();
        Self { line: n_lines_before + 1, start: range.start, end: range.end }
    }
}

/// The code as it was before `changes`; nothing if they were not made in this code.
pub fn undo(code: &str, changes: &[Change]) -> Option<String> {
    let mut places: Vec<(Place, &Change)> = changes
        .iter()
        .flat_map(|change| change.places.iter().map(move |place| (*place, change)))
        .collect();
    places.sort_unstable_by_key(|(place, _)| place.start);
    let mut clean = String::with_capacity(code.len());
    let mut end = 0;
    for (place, change) in places {
        if code.get(place.start..place.end) != Some(&*change.after) {
            return None;
        }
        clean.push_str(code.get(end..place.start)?);
        clean.push_str(&change.before);
        end = place.end;
    }
    clean.push_str(&code[end..]);
    Some(clean)
}

/// The names that are different in two texts whose only difference is names, in order of first
/// occurrence.
pub(crate) fn renamed(before: &str, after: &str) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (old, new) in words(before).into_iter().zip(words(after)) {
        let (old, place) = (&before[old], new.clone());
        let new = &after[new];
        if old == new {
            continue;
        }
        let place = Place::new(after, place);
        match changes.iter_mut().find(|it| it.before == old && it.after == new) {
            Some(change) => change.places.push(place),
            None => changes.push(Change {
                before: old.to_owned(),
                after: new.to_owned(),
                places: vec![place],
            }),
        }
    }
    changes
}

/// The longest runs of characters of identifiers.
pub(crate) fn words(text: &str) -> Vec<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| is_word(*c)) {
        let end = at + c.len_utf8();
        match words.last_mut() {
            Some(word) if word.end == at => word.end = end,
            _ => words.push(at..end),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_words_are_found_and_undone() {
        let before = "int f(int é)\n{ return f(é) + \"f f_rb ff\"[0] + ff; }";
        let after = "int f_rb(int ab)\n{ return f_rb(ab) + \"f f_rb ff\"[0] + ff; }";
        let changes = renamed(before, after);
        let check = |change: &Change, names: (&str, &str), places: &[(usize, usize, usize)]| {
            assert_eq!((&*change.before, &*change.after), names);
            let found = change.places.iter().map(|it| (it.line, it.start, it.end));
            assert!(found.eq(places.iter().copied()), "{change:?}");
        };
        assert_eq!(changes.len(), 2);
        check(&changes[0], ("f", "f_rb"), &[(1, 4, 8), (2, 26, 30)]);
        check(&changes[1], ("é", "ab"), &[(1, 13, 15), (2, 31, 33)]);
        assert_eq!(undo(after, &changes).as_deref(), Some(before));
        assert_eq!(undo(before, &changes), None);
    }

    #[test]
    fn changes_of_other_code_are_not_undone() {
        let change = |after: &str, ranges: &[(usize, usize)]| Change {
            before: "x".to_owned(),
            after: after.to_owned(),
            places: ranges.iter().map(|&(start, end)| Place { line: 1, start, end }).collect(),
        };
        assert_eq!(undo("ab", &[change("b", &[(1, 2)])]).as_deref(), Some("ax"));
        assert_eq!(undo("ab", &[change("a", &[(1, 2)])]), None);
        assert_eq!(undo("ab", &[change("b", &[(1, 9)])]), None);
        assert_eq!(undo("ééé", &[change("é", &[(1, 3)])]), None);
        assert_eq!(undo("aa", &[change("aa", &[(0, 2)]), change("a", &[(1, 2)])]), None);
        assert_eq!(undo("ab", &[change("", &[(2, 1)])]), None);
    }
}
