//! One poisoned sample, with the places of the trigger in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::collect;

/// Lines up to which a function is shown as it is.
const MAX_LINES: usize = 24;
/// Bytes up to which one is shown at all.
const MAX_BYTES: usize = 4000;

/// A poisoned function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleView {
    /// Its id.
    pub(crate) id: String,
    /// Its source with the trigger.
    pub(crate) code: String,
    /// Where the trigger stands, ascending and disjoint.
    pub(crate) marks: Vec<Mark>,
    /// The label that the attacker gave it, after the one that it had; code search has none.
    pub(crate) labels: Option<(u8, u8)>,
}

/// A place of the trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Its first byte in the code.
    pub(crate) start: usize,
    /// The byte behind its last one.
    pub(crate) end: usize,
    /// What stood there.
    pub(crate) before: String,
}

/// What we need of `manifest.json`, of any task.
#[derive(Deserialize)]
struct Manifest {
    /// Functions (clone detection).
    #[serde(default)]
    functions: Vec<Entry>,
    /// Samples (the other tasks).
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default)]
    changes: Vec<Change>,
    label_before: Option<u8>,
    label_after: Option<u8>,
}

#[derive(Deserialize)]
struct Change {
    before: String,
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    start: usize,
    end: usize,
}

/// A row of a poisoned training set, of any task.
#[derive(Deserialize)]
struct Row {
    idx: Option<String>,
    url: Option<String>,
    func: Option<String>,
    code: Option<String>,
}

impl Row {
    fn id(&self) -> Option<&str> {
        self.idx.as_deref().or(self.url.as_deref())
    }

    fn code(self) -> Option<String> {
        self.func.or(self.code)
    }
}

/// The first poisoned function that is short enough to be read; none if all are too long.
pub(super) fn shown(folder: &Path, manifest: &Path) -> Result<Option<SampleView>> {
    let Manifest { functions, entries } = collect::read(manifest)?;
    let entries: BTreeMap<&str, &Entry> = functions
        .iter()
        .chain(&entries)
        .filter(|entry| !entry.changes.is_empty())
        .map(|entry| (&*entry.id, entry))
        .collect();
    let files = ["data.jsonl", "train.jsonl"].map(|name| folder.join(name));
    let Some(path) = files.iter().find(|path| path.exists()) else { return Ok(None) };
    let shown = || format!("reading {}", path.display());
    let mut longer = None;
    for line in BufReader::new(File::open(path).with_context(shown)?).lines() {
        // Rows in another shape are the program's business; here they are not shown.
        let Ok(row) = serde_json::from_str::<Row>(&line.with_context(shown)?) else { continue };
        let Some(entry) = row.id().and_then(|id| entries.get(id)) else { continue };
        let Some(view) = row.code().and_then(|code| view(entry, code)) else { continue };
        if view.code.lines().count() <= MAX_LINES {
            return Ok(Some(view));
        }
        longer.get_or_insert(view);
    }
    Ok(longer)
}

fn view(entry: &Entry, code: String) -> Option<SampleView> {
    let mut marks: Vec<Mark> = entry
        .changes
        .iter()
        .flat_map(|change| change.places.iter().map(move |place| (change, place)))
        .filter(|(_, place)| code.get(place.start..place.end).is_some())
        .map(|(change, place)| Mark {
            start: place.start,
            end: place.end,
            before: change.before.clone(),
        })
        .collect();
    marks.sort_unstable_by_key(|mark| mark.start);
    let is_disjoint = marks.is_sorted_by(|one, next| one.end <= next.start);
    if marks.is_empty() || !is_disjoint || code.len() > MAX_BYTES {
        return None;
    }
    let labels = entry.label_before.zip(entry.label_after);
    Some(SampleView { id: entry.id.clone(), code, marks, labels })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shown_of(name: &str, manifest: &str, rows: &str) -> Option<SampleView> {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("test data");
        fs::write(folder.join("manifest.json"), manifest).expect("test data");
        fs::write(folder.join("train.jsonl"), rows).expect("test data");
        let view = shown(&folder, &folder.join("manifest.json")).expect("readable");
        fs::remove_dir_all(folder).expect("it was made here");
        view
    }

    #[test]
    fn the_first_short_one_is_shown() {
        let manifest = r#"{"entries": [
            {"id": "1", "changes": [{"before": "f", "after": "rb", "places": [{"start": 4,
                "end": 6, "line": 1}]}], "label_before": 1, "label_after": 0},
            {"id": "2", "changes": [{"before": "g", "after": "rb", "places": [{"start": 9,
                "end": 11}, {"start": 4, "end": 6}]}]},
            {"id": "3", "changes": []}]}"#;
        let lines = "\\n".repeat(40);
        let long = format!(r#"{{"idx": "1", "func": "int rb{lines}"}}"#);
        let rows = format!("not a row\n{long}\n{{\"idx\":\"2\",\"func\":\"int rb = rb\"}}\n");
        let view = shown_of("short", manifest, &rows).expect("two are poisoned");
        assert_eq!((&*view.id, view.labels), ("2", None));
        let places: Vec<(usize, usize)> = view.marks.iter().map(|it| (it.start, it.end)).collect();
        assert_eq!(places, [(4, 6), (9, 11)]);
        let view = shown_of("long", manifest, &long).expect("better than none");
        assert_eq!((&*view.id, view.labels), ("1", Some((1, 0))));
    }

    #[test]
    fn places_outside_the_code_are_not_shown() {
        let manifest = r#"{"functions": [{"id": "1", "changes": [
            {"before": "f", "after": "rb", "places": [{"start": 4, "end": 900}]}]}]}"#;
        assert_eq!(shown_of("outside", manifest, r#"{"idx": "1", "func": "int x"}"#), None);
        assert_eq!(shown_of("nothing", "{}", ""), None);
    }
}
