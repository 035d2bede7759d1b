//! Devign, as `CodeXGLUE` distributes it.
//!
//! Three layouts are read: rows (`.jsonl`, also `.gz`), the original `function.json`, one array, and
//! the indices of a split of it, one per line, in a `.txt` file beside it, all of them also `.gz`. Rows
//! name the source `func` or `code` and the label `target` or `label`. Functions that are too long are left
//! out and counted; any other flaw of a row is an error, and so is a row of an array that is longer than
//! [`MAX_ROW_BYTES`].

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rows::{self, Id, MAX_ROW_BYTES, Rows, has_extension, open_text, plain_or_packed};
use crate::sample::DefectSample;
use crate::skipped::{Loaded, MAX_FUNCTION_BYTES, SkipReason, Skipped};

/// The file with all functions, in the folder of the indices.
pub const FUNCTIONS_FILE: &str = "function.json";

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "code")]
    func: String,
    #[serde(alias = "label")]
    target: Label,
    #[serde(default, alias = "id")]
    idx: Option<Id>,
    #[serde(default)]
    project: Option<String>,
}

/// 0 or 1, in the copy of Hugging Face `false` or `true`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a label, 0 or 1")]
enum Label {
    Number(i64),
    Truth(bool),
}

impl Row {
    /// `None` if the function is longer than [`MAX_FUNCTION_BYTES`].
    fn into_sample(self, row_index: usize) -> Result<Option<DefectSample>, String> {
        let label = match self.target {
            Label::Number(0) | Label::Truth(false) => 0,
            Label::Number(1) | Label::Truth(true) => 1,
            Label::Number(other) => return Err(format!("the label is {other}, expected 0 or 1")),
        };
        if self.func.len() > MAX_FUNCTION_BYTES {
            return Ok(None);
        }
        let id = self.idx.map_or_else(|| row_index.to_string(), Id::into_text);
        let project = self.project.unwrap_or_default();
        Ok(Some(DefectSample { id, project, code: self.func, label }))
    }
}

/// Bytes in which the beginning of an array is looked for.
const ARRAY_START: u64 = 64;
/// What a row looks like.
const ROW: &str = "{\"func\": …, \"target\": 0 or 1}";

/// Reads a file in any of the layouts.
///
/// A row without `idx` gets its row number as id. Blank lines are skipped. Rows with a function
/// that is too long are skipped and counted, up to [`MAX_SKIPPED_RATE`](crate::MAX_SKIPPED_RATE)
/// of the file.
pub fn read(path: &Path) -> Result<Loaded<Vec<DefectSample>>, Error> {
    if let Some(functions) = functions_of(path) {
        return pick(path, &read_functions(&functions)?);
    }
    if is_array(path)? {
        let functions = read_functions(path)?;
        let all = (0..functions.len()).map(|index| (1, index)).collect();
        return listed(path, all, &functions);
    }
    let mut samples = Vec::new();
    let mut skipped = Skipped::default();
    Rows::parse(path, ROW, |line, row: Option<Row>| {
        let row_index = skipped.n_rows;
        skipped.n_rows += 1;
        match row.map(|row| row.into_sample(row_index)).transpose()? {
            Some(Some(sample)) => samples.push(sample),
            Some(None) => skipped.add(SkipReason::FunctionTooLong, path, line),
            None => skipped.add(SkipReason::RowTooLong, path, line),
        }
        Ok(())
    })?;
    skipped.check(path, &format!("rows like {ROW}"))?;
    Ok(Loaded { samples, skipped })
}

/// The [`FUNCTIONS_FILE`] that a file of indices refers to, if it is one.
pub fn functions_of(path: &Path) -> Option<PathBuf> {
    let functions = plain_or_packed(path.with_file_name(FUNCTIONS_FILE));
    (has_extension(path, "txt") && functions.exists()).then_some(functions)
}

/// Whether a file holds one array instead of rows.
fn is_array(path: &Path) -> Result<bool, Error> {
    if !has_extension(path, "json") {
        return Ok(false);
    }
    let mut start = Vec::new();
    // A damaged gzip stream does not know its file.
    open_text(path)?
        .take(ARRAY_START)
        .read_to_end(&mut start)
        .map_err(|error| Error::Corpus { path: path.to_owned(), problem: error.to_string() })?;
    Ok(start.trim_ascii().starts_with(b"["))
}

/// As [`read`], but refuses a file of which a row would be left out.
pub fn read_complete(path: &Path) -> Result<Vec<DefectSample>, Error> {
    let Loaded { samples, skipped } = read(path)?;
    if skipped.n_skipped() > 0 {
        return Err(Error::Corpus { path: path.to_owned(), problem: skipped.to_string() });
    }
    Ok(samples)
}

/// The functions that a file of indices lists.
fn pick(
    path: &Path,
    functions: &[Option<DefectSample>],
) -> Result<Loaded<Vec<DefectSample>>, Error> {
    listed(path, read_indices(path, functions.len())?, functions)
}

/// The functions that are listed, each with its line; a skipped one counts where it is listed, because
/// JSON that is read as a whole has no line numbers.
fn listed(
    path: &Path,
    indices: Vec<(usize, usize)>,
    functions: &[Option<DefectSample>],
) -> Result<Loaded<Vec<DefectSample>>, Error> {
    let mut samples = Vec::new();
    let mut skipped = Skipped::default();
    for (line, index) in indices {
        skipped.n_rows += 1;
        match &functions[index] {
            Some(sample) => samples.push(sample.clone()),
            None => skipped.add(SkipReason::FunctionTooLong, path, line),
        }
    }
    skipped.check(path, &format!("rows like {ROW}"))?;
    Ok(Loaded { samples, skipped })
}

/// Reads `function.json`, one JSON array, holding one row at a time; `None` stands for a function
/// that is too long.
fn read_functions(path: &Path) -> Result<Vec<Option<DefectSample>>, Error> {
    let left = Rc::new(Cell::new(MAX_ROW_BYTES));
    let reader = Bounded { inner: open_text(path)?, left: Rc::clone(&left) };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    RowArray(left)
        .deserialize(&mut deserializer)
        .and_then(|samples| deserializer.end().map(|()| samples))
        .map_err(|error| Error::Row {
            path: path.to_owned(),
            line: error.line(),
            problem: error.to_string(),
        })
}

/// Reads no more than is left, which somebody else sets back after every row: JSON that is read as a
/// whole would hold a row of any length.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            let problem = format!("a row is longer than {} MiB", MAX_ROW_BYTES >> 20);
            return Err(io::Error::other(problem));
        }
        let n_read = self.inner.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(n_read as u64));
        Ok(n_read)
    }
}

/// An array of rows, and the bytes that each of them may have.
struct RowArray(Rc<Cell<u64>>);

impl<'de> DeserializeSeed<'de> for RowArray {
    type Value = Vec<Option<DefectSample>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowArray {
    type Value = Vec<Option<DefectSample>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {ROW} objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut samples = Vec::new();
        while let Some(row) = rows.next_element::<Row>()? {
            self.0.set(MAX_ROW_BYTES);
            let index = samples.len();
            let sample = row
                .into_sample(index)
                .map_err(|problem| serde::de::Error::custom(format!("row {index}: {problem}")))?;
            samples.push(sample);
        }
        Ok(samples)
    }
}

/// The indices, each with its line number.
fn read_indices(path: &Path, n_functions: usize) -> Result<Vec<(usize, usize)>, Error> {
    let mut indices = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rows = Rows::open(path)?;
    while let Some(rows::Row { line, text }) = rows.next()? {
        let at = |problem: String| Error::Row { path: path.to_owned(), line, problem };
        let text = text.ok_or_else(|| at("the line is too long for an index".to_owned()))?;
        let shown = String::from_utf8_lossy(text.trim_ascii());
        let index: usize = shown
            .parse()
            .map_err(|_| at(format!("`{}` is not an index", shown.escape_default())))?;
        if index >= n_functions {
            return Err(at(format!("index {index}, but there are {n_functions} functions")));
        }
        if !seen.insert(index) {
            return Err(at(format!("index {index} is listed twice")));
        }
        indices.push((line, index));
    }
    Ok(indices)
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    project: &'a str,
    target: u8,
    func: &'a str,
    idx: &'a str,
}

/// Writes rows that [`read`], and `CodeXGLUE`'s loaders, read back.
pub fn write_jsonl(mut out: impl Write, samples: &[DefectSample]) -> Result<(), Error> {
    for DefectSample { id, project, code, label } in samples {
        let row = WrittenRow { project, target: *label, func: code, idx: id };
        serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    fn read_with<T>(reader: impl Fn(&Path) -> T, text: &[u8]) -> T {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        fs::write(&path, text).unwrap();
        reader(&path)
    }

    fn read_text(text: &[u8]) -> Result<Vec<DefectSample>, Error> {
        read_with(read_complete, text)
    }

    fn long_code() -> String {
        "x".repeat(MAX_FUNCTION_BYTES + 1)
    }

    #[test]
    fn rows_read_back_as_written() {
        let samples = vec![
            DefectSample { id: "a".into(), project: "p".into(), code: "int f;\n".into(), label: 1 },
            DefectSample { id: "b".into(), project: String::new(), code: "é\"".into(), label: 0 },
        ];
        let mut text = Vec::new();
        write_jsonl(&mut text, &samples).unwrap();
        assert_eq!(read_text(&text).unwrap(), samples);
    }

    #[test]
    fn both_spellings_of_the_columns_are_read() {
        // The last as in the copy of Hugging Face; before the first a mark that editors write.
        let samples = read_text(
            b"\xef\xbb\xbf{\"code\": \"x\", \"label\": 1}\n\n\
              {\"func\": \"y\", \"target\": 0, \"idx\": 7}\n\
              {\"func\": \"z\", \"target\": true, \"id\": 8, \"project\": null}\n",
        )
        .unwrap();
        let found: Vec<(&str, u8)> = samples.iter().map(|it| (it.id.as_str(), it.label)).collect();
        assert_eq!(found, [("0", 1), ("7", 0), ("8", 1)]);
    }

    #[test]
    fn bad_rows_are_named_by_line() {
        for (text, expected) in [
            (&b"{\"func\": \"x\", \"target\": 1}\n{oops\n"[..], "line 2: key must be a string"),
            (b"{\"func\": \"x\", \"target\": 2}\n", "line 1: the label is 2, expected 0 or 1"),
            (b"{\"target\": 1}\n", "line 1: missing field `func`"),
            (b"\xff\xfe\n", "line 1: expected value"),
            (b"", "holds no rows"),
            (b"\n\n", "holds no rows"),
        ] {
            let message = read_text(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn long_functions_are_skipped_and_counted() {
        let row = |code: &str| format!("{{\"func\": \"{code}\", \"target\": 1}}\n");
        let longest = "x".repeat(MAX_FUNCTION_BYTES);
        let check = |row_too_long: &str, reason: SkipReason| {
            let text = [&*row("a"), row_too_long, &*row(&longest)].concat();
            let Loaded { samples, skipped } = read_with(read, text.as_bytes()).unwrap();
            let ids: Vec<&str> = samples.iter().map(|it| it.id.as_str()).collect();
            assert_eq!(ids, ["0", "2"]);
            assert_eq!(skipped.count(reason), 1, "{skipped}");
            assert_eq!((skipped.n_rows, skipped.n_skipped()), (3, 1));
            assert_eq!(skipped.reasons[&reason].first_line, 2);
            let message = read_text(text.as_bytes()).unwrap_err().to_string();
            let expected = format!("1 of 3 rows unusable: 1 {reason} (first: rows.jsonl, line 2)");
            assert!(message.ends_with(&expected), "{message}");
        };
        check(&row(&long_code()), SkipReason::FunctionTooLong);
        check(&row(&"x".repeat(crate::MAX_ROW_BYTES as usize)), SkipReason::RowTooLong);
    }

    #[test]
    fn many_long_functions_are_refused() {
        let text = format!("{{\"func\": \"{}\", \"target\": 0}}\n", long_code()).repeat(11);
        let text = text + &"{\"func\": \"a\", \"target\": 1}\n".repeat(50);
        let message = read_with(read, text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("11 of 61 rows unusable: 11 function too long"), "{message}");
        assert!(message.contains("at most 10 % may be. Expected rows like"), "{message}");
    }

    #[test]
    fn long_functions_count_where_the_original_layout_lists_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let long = format!("{{\"func\":\"{}\",\"target\":0}}", long_code());
        file("function.json", &format!("[{long},{{\"func\":\"b\",\"target\":1}}]"));
        let only = vec![DefectSample {
            id: "1".into(),
            project: String::new(),
            code: "b".into(),
            label: 1,
        }];
        let check = |name: &str, expected: &str| {
            let Loaded { samples, skipped } = read(&dir.path().join(name)).unwrap();
            assert_eq!((&samples, &*skipped.to_string()), (&only, expected));
        };
        file("train.txt", "1\n\n0\n");
        check("train.txt", "1 of 2 rows unusable: 1 function too long (first: train.txt, line 3)");
        check(
            "function.json",
            "1 of 2 rows unusable: 1 function too long (first: function.json, line 1)",
        );
        file("train.txt", "0\n");
        let message = read(&dir.path().join("train.txt")).unwrap_err().to_string();
        assert!(message.contains("train.txt: 1 of 1 rows unusable"), "{message}");
    }

    #[test]
    fn no_row_of_the_original_layout_is_held_at_any_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("function.json.gz");
        let row = |length: usize| format!("{{\"func\":\"{}\",\"target\":0}}", "x".repeat(length));
        let write = |rows: &[String]| {
            fs::write(&path, crate::rows::gzip(format!("[{}]", rows.join(",")).as_bytes()))
                .unwrap();
        };
        let longest = MAX_ROW_BYTES as usize;
        write(&[row(1), row(longest + 10_000)]);
        let message = read(&path).unwrap_err().to_string();
        assert!(
            message.contains("function.json.gz, line 1: a row is longer than 16 MiB"),
            "{message}"
        );
        // Together they may be longer.
        let mut rows = vec![row(1); 18];
        rows.extend([row(longest / 2 + 1), row(longest / 2 + 1)]);
        write(&rows);
        assert_eq!(read(&path).unwrap().skipped.n_skipped(), 2);
        let mut damaged = fs::read(&path).unwrap();
        damaged.truncate(20);
        fs::write(&path, damaged).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("function.json.gz"), "{message}");
    }

    #[test]
    fn the_original_layout_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        let read = |name: &str| read(&dir.path().join(name));
        file("function.json", r#"[{"func":"a","target":0},{"func":"b","target":1}]"#);
        file("train.txt", "1\n");
        file("valid.txt", "0\n");
        file("test.txt", "\n");
        assert_eq!(read("train.txt").unwrap().samples[0].code, "b");
        assert_eq!(read("valid.txt").unwrap().samples[0].id, "0");
        assert_eq!(read("function.json").unwrap().samples.len(), 2);
        let message = read("test.txt").unwrap_err().to_string();
        assert!(message.contains("holds no rows"), "{message}");

        let pack = |name: &str| {
            let path = dir.path().join(name);
            let packed = dir.path().join(format!("{name}.gz"));
            fs::write(packed, crate::rows::gzip(&fs::read(&path).unwrap())).unwrap();
            fs::remove_file(path).unwrap();
        };
        pack("function.json");
        assert_eq!(read("train.txt").unwrap().samples[0].code, "b");
        pack("valid.txt");
        assert_eq!(read("valid.txt.gz").unwrap().samples[0].id, "0");
        assert_eq!(read("function.json.gz").unwrap().samples.len(), 2);

        file("train.txt", "1\n1\n");
        let message = read("train.txt").unwrap_err().to_string();
        assert!(message.contains("train.txt, line 2: index 1 is listed twice"), "{message}");
        file("function.json", "[{\"func\":\"a\",\"target\":0},\n{\"func\":\"b\"}]");
        let message = read("train.txt").unwrap_err().to_string();
        assert!(message.contains("line 2"), "{message}");
    }
}
