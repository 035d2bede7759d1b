//! `BigCloneBench`, as `CodeXGLUE` distributes it.
//!
//! `data.jsonl` holds one function per row, `{"func", "idx"}`; beside it `train.txt`, `valid.txt`
//! and `test.txt` hold one pair per line, `id1 TAB id2 TAB label` with label 1 for clones.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rows::{Id, Rows, plain_or_packed};
use crate::sample::{CloneFunction, ClonePair, CloneSamples};
use crate::skipped::{Loaded, MAX_FUNCTION_BYTES, SkipReason, Skipped};

/// The file with the functions, in the folder of the pairs.
pub const FUNCTIONS_FILE: &str = "data.jsonl";

#[derive(Deserialize)]
struct FunctionRow {
    #[serde(alias = "code")]
    func: Option<String>,
    idx: Option<Id>,
}

/// A pair whose functions are indices into the ids of [`PairIds`].
struct PairRow {
    line: usize,
    pair: ClonePair,
}

/// The ids that the pairs use, numbered in order of first use.
#[derive(Default)]
struct PairIds(BTreeMap<String, usize>);

impl PairIds {
    fn index(&mut self, id: &str) -> usize {
        if let Some(&index) = self.0.get(id) {
            return index;
        }
        let index = self.0.len();
        self.0.insert(id.to_owned(), index);
        index
    }
}

/// The [`FUNCTIONS_FILE`] beside a file of pairs, or the packed one.
pub fn functions_of(pairs_file: &Path) -> PathBuf {
    plain_or_packed(pairs_file.with_file_name(FUNCTIONS_FILE))
}

/// Reads a file of pairs, and the functions in them from the [`FUNCTIONS_FILE`] beside it.
///
/// Only functions that occur in a pair are kept, in order of first use. Rows of either file that
/// are not usable are skipped and counted, up to [`MAX_SKIPPED_RATE`](crate::MAX_SKIPPED_RATE) of
/// the file.
pub fn read_pairs(pairs_file: &Path) -> Result<Loaded<CloneSamples>, Error> {
    let mut pair_report = Skipped::default();
    let (ids, rows) = read_pair_rows(pairs_file, &mut pair_report)?;
    let functions_file = functions_of(pairs_file);
    let (mut codes, mut skipped) = read_codes(&functions_file, &ids)?;
    let mut names = vec![String::new(); ids.0.len()];
    for (id, index) in ids.0 {
        names[index] = id;
    }

    let mut samples = CloneSamples::default();
    let mut new_index = vec![None; names.len()];
    for PairRow { line, pair } in rows {
        let has_code = |index: usize| new_index[index].is_some() || codes[index].is_some();
        if !(has_code(pair.first) && has_code(pair.second)) {
            pair_report.add(SkipReason::UnknownId, pairs_file, line);
            continue;
        }
        let [first, second] = [pair.first, pair.second].map(|index| {
            *new_index[index].get_or_insert_with(|| {
                let code = codes[index].take().unwrap_or_default();
                let id = std::mem::take(&mut names[index]);
                samples.functions.push(CloneFunction { id, code });
                samples.functions.len() - 1
            })
        });
        samples.pairs.push(ClonePair { first, second, ..pair });
    }
    pair_report.check(pairs_file, "lines like `id1 TAB id2 TAB label`")?;
    skipped.merge(pair_report);
    Ok(Loaded { samples, skipped })
}

fn read_pair_rows(path: &Path, report: &mut Skipped) -> Result<(PairIds, Vec<PairRow>), Error> {
    let mut rows = Rows::open(path)?;
    let mut ids = PairIds::default();
    let mut pairs = Vec::new();
    while let Some(row) = rows.next()? {
        report.n_rows += 1;
        match parse_pair(row.text, &mut ids) {
            Ok(pair) => pairs.push(PairRow { line: row.line, pair }),
            Err(reason) => report.add(reason, path, row.line),
        }
    }
    Ok((ids, pairs))
}

fn parse_pair(row: Option<&[u8]>, ids: &mut PairIds) -> Result<ClonePair, SkipReason> {
    let row = row.ok_or(SkipReason::RowTooLong)?;
    let text = std::str::from_utf8(row).map_err(|_| SkipReason::NotUtf8)?;
    let columns: Vec<&str> = text.split_whitespace().collect();
    let (first, second, label) = match columns[..] {
        [first, second, label] => (first, second, label),
        [_, _] => return Err(SkipReason::MissingField),
        _ => return Err(SkipReason::Malformed),
    };
    let label = match label {
        "0" => 0,
        "1" => 1,
        _ => return Err(SkipReason::BadLabel),
    };
    Ok(ClonePair { first: ids.index(first), second: ids.index(second), label })
}

/// The source text of every id of `ids` that the file has.
fn read_codes(path: &Path, ids: &PairIds) -> Result<(Vec<Option<String>>, Skipped), Error> {
    let mut codes = vec![None; ids.0.len()];
    let mut report = Skipped::default();
    let mut rows = Rows::open(path)?;
    while let Some(row) = rows.next()? {
        report.n_rows += 1;
        match parse_function(row.text) {
            Ok(CloneFunction { id, code }) => match ids.0.get(&id) {
                Some(&index) if codes[index].is_some() => {
                    report.add(SkipReason::RepeatedId, path, row.line);
                }
                Some(&index) => codes[index] = Some(code),
                None => {}
            },
            Err(reason) => report.add(reason, path, row.line),
        }
    }
    report.check(path, r#"rows like {"func": …, "idx": …}"#)?;
    Ok((codes, report))
}

fn parse_function(row: Option<&[u8]>) -> Result<CloneFunction, SkipReason> {
    let row = row.ok_or(SkipReason::RowTooLong)?;
    let text = std::str::from_utf8(row).map_err(|_| SkipReason::NotUtf8)?;
    let row: FunctionRow = serde_json::from_str(text).map_err(|_| SkipReason::Malformed)?;
    let (Some(id), Some(code)) = (row.idx, row.func) else { return Err(SkipReason::MissingField) };
    if code.len() > MAX_FUNCTION_BYTES {
        return Err(SkipReason::FunctionTooLong);
    }
    if code.trim().is_empty() {
        return Err(SkipReason::NoFunction);
    }
    Ok(CloneFunction { id: id.into_text(), code })
}

#[derive(Serialize)]
struct WrittenFunction<'a> {
    func: &'a str,
    idx: &'a str,
}

/// Writes a folder that [`read_pairs`], and `CodeXGLUE`'s loaders, read back: one `NAME.txt` per
/// split and one [`FUNCTIONS_FILE`] for all.
///
/// A function may be in several splits under the same id; ids must be free of white space.
pub fn write_folder(dir: &Path, splits: &[(&str, &CloneSamples)]) -> Result<(), Error> {
    let functions_file = dir.join(FUNCTIONS_FILE);
    let mut out = std::io::BufWriter::new(fs::File::create(&functions_file)?);
    let mut written: BTreeMap<&str, &str> = BTreeMap::new();
    for CloneFunction { id, code } in splits.iter().flat_map(|(_, samples)| &samples.functions) {
        let refuse = |problem: String| Error::Corpus { path: functions_file.clone(), problem };
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(refuse(format!("`{}` cannot be a function id", id.escape_debug())));
        }
        match written.insert(id, code) {
            None => {}
            Some(earlier) if earlier == code => continue,
            Some(_) => return Err(refuse(format!("two functions have the id `{id}`"))),
        }
        let row = WrittenFunction { func: code, idx: id };
        serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    for (name, samples) in splits {
        let file = fs::File::create(dir.join(format!("{name}.txt")))?;
        write_pairs(std::io::BufWriter::new(file), samples)?;
    }
    Ok(())
}

/// Writes one `id1 TAB id2 TAB label` line per pair.
pub fn write_pairs(mut out: impl Write, samples: &CloneSamples) -> Result<(), Error> {
    let id = |index: usize| samples.functions[index].id.as_str();
    for ClonePair { first, second, label } in &samples.pairs {
        writeln!(out, "{}\t{}\t{label}", id(*first), id(*second))?;
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;
