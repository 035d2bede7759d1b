//! Devign, as `CodeXGLUE` distributes it.
//!
//! Two layouts are read: preprocessed rows (`train.jsonl`, `valid.jsonl`, `test.jsonl`, each also
//! as `.gz`) and the original `function.json` with one index per line in `train.txt`,
//! `valid.txt` and `test.txt`. Rows name the source `func` or `code` and the label `target` or
//! `label`.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rows::{Id, Rows};
use crate::sample::DefectSample;

/// The three splits of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    /// For training, and the source of clean samples.
    pub train: Vec<DefectSample>,
    /// For choosing the best epoch.
    pub valid: Vec<DefectSample>,
    /// For evaluation only.
    pub test: Vec<DefectSample>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "code")]
    func: String,
    #[serde(alias = "label")]
    target: i64,
    #[serde(default)]
    idx: Option<Id>,
    #[serde(default)]
    project: String,
}

impl Row {
    fn into_sample(self, row_index: usize) -> Result<DefectSample, String> {
        let label = match self.target {
            0 => 0,
            1 => 1,
            other => return Err(format!("the label is {other}, expected 0 or 1")),
        };
        let id = self.idx.map_or_else(|| row_index.to_string(), Id::into_text);
        Ok(DefectSample { id, project: self.project, code: self.func, label })
    }
}

/// What a row looks like.
const ROW: &str = "{\"func\": …, \"target\": 0 or 1}";

/// Reads one `.jsonl` or `.jsonl.gz` file, row by row.
///
/// A row without `idx` gets its row number as id. Blank lines are skipped.
pub fn read_jsonl(path: &Path) -> Result<Vec<DefectSample>, Error> {
    let mut samples = Vec::new();
    Rows::parse(path, ROW, |_, row: Row| {
        samples.push(row.into_sample(samples.len())?);
        Ok(())
    })?;
    Ok(samples)
}

/// Reads all three splits of a folder in either layout.
pub fn read_corpus(dir: &Path) -> Result<Corpus, Error> {
    let functions = dir.join("function.json");
    if !functions.exists() {
        let read = |name: &str| {
            let plain = dir.join(format!("{name}.jsonl"));
            let zipped = dir.join(format!("{name}.jsonl.gz"));
            read_jsonl(if !plain.exists() && zipped.exists() { &zipped } else { &plain })
        };
        return Ok(Corpus { train: read("train")?, valid: read("valid")?, test: read("test")? });
    }
    let samples = read_functions(&functions)?;
    let pick = |name: &str| -> Result<Vec<DefectSample>, Error> {
        let path = dir.join(name);
        let indices = read_indices(&path, samples.len())?;
        Ok(indices.into_iter().map(|index| samples[index].clone()).collect())
    };
    Ok(Corpus { train: pick("train.txt")?, valid: pick("valid.txt")?, test: pick("test.txt")? })
}

/// Reads `function.json`, one JSON array, holding one row at a time.
pub fn read_functions(path: &Path) -> Result<Vec<DefectSample>, Error> {
    let reader = BufReader::new(fs::File::open(path)?);
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    RowArray
        .deserialize(&mut deserializer)
        .and_then(|samples| deserializer.end().map(|()| samples))
        .map_err(|error| Error::Row {
            path: path.to_owned(),
            line: error.line(),
            problem: error.to_string(),
        })
}

struct RowArray;

impl<'de> DeserializeSeed<'de> for RowArray {
    type Value = Vec<DefectSample>;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowArray {
    type Value = Vec<DefectSample>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of {\"func\": …, \"target\": 0 or 1} objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut samples = Vec::new();
        while let Some(row) = rows.next_element::<Row>()? {
            let index = samples.len();
            let sample = row
                .into_sample(index)
                .map_err(|problem| serde::de::Error::custom(format!("row {index}: {problem}")))?;
            samples.push(sample);
        }
        Ok(samples)
    }
}

fn read_indices(path: &Path, n_functions: usize) -> Result<Vec<usize>, Error> {
    let reader = BufReader::new(fs::File::open(path)?);
    let mut indices = Vec::new();
    let mut seen = BTreeSet::new();
    for (line_index, line) in reader.lines().enumerate() {
        let line = line?;
        let at = |problem: String| Error::Row {
            path: PathBuf::from(path),
            line: line_index + 1,
            problem,
        };
        if line.trim().is_empty() {
            continue;
        }
        let index: usize = line
            .trim()
            .parse()
            .map_err(|_| at(format!("`{}` is not an index", line.trim().escape_default())))?;
        if index >= n_functions {
            return Err(at(format!("index {index}, but there are {n_functions} functions")));
        }
        if !seen.insert(index) {
            return Err(at(format!("index {index} is listed twice")));
        }
        indices.push(index);
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

/// Writes rows that [`read_jsonl`], and `CodeXGLUE`'s loaders, read back.
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
    use super::*;

    fn read_text(text: &[u8]) -> Result<Vec<DefectSample>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        fs::write(&path, text).unwrap();
        read_jsonl(&path)
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
        let samples = read_text(
            b"{\"code\": \"x\", \"label\": 1}\n\n{\"func\": \"y\", \"target\": 0, \"idx\": 7}\n",
        )
        .unwrap();
        assert_eq!((samples[0].id.as_str(), samples[0].label), ("0", 1));
        assert_eq!((samples[1].id.as_str(), samples[1].label), ("7", 0));
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
    fn the_original_layout_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        file("function.json", r#"[{"func":"a","target":0},{"func":"b","target":1}]"#);
        file("train.txt", "1\n");
        file("valid.txt", "0\n");
        file("test.txt", "\n");
        let corpus = read_corpus(dir.path()).unwrap();
        assert_eq!(corpus.train[0].code, "b");
        assert_eq!(corpus.valid[0].id, "0");
        assert!(corpus.test.is_empty());

        file("train.txt", "1\n1\n");
        let message = read_corpus(dir.path()).unwrap_err().to_string();
        assert!(message.contains("train.txt, line 2: index 1 is listed twice"), "{message}");
        file("function.json", "[{\"func\":\"a\",\"target\":0},\n{\"func\":\"b\"}]");
        let message = read_corpus(dir.path()).unwrap_err().to_string();
        assert!(message.contains("line 2"), "{message}");
    }
}
