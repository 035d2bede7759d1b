//! `CodeSearchNet`: functions with the sentences that describe them.
//!
//! A corpus is a `.jsonl` or `.jsonl.gz` file, or a folder of them (`python_train_0.jsonl.gz`, …).
//! A row's source is `code`, `original_string` or, where there is neither, its `code_tokens` joined
//! by a space (of Python they have lost the line breaks, without which most of them do not parse: these are
//! left out); the query is its `docstring_tokens`; its id is `url`, `retrieval_idx` or `idx`. The
//! names that `AdvTest` and the copy of Hugging Face have for these are known, too.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use elibadcode_syntax::{Function, Language};
use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::encoding::code_token_texts;
use crate::error::Error;
use crate::rows::{Id, Rows, has_extension};
use crate::sample::SearchSample;
use crate::skipped::{Loaded, MAX_FUNCTION_BYTES, SkipReason, Skipped};

/// Rows that are held as text before they are parsed.
const CHUNK_ROWS: usize = 512;
/// Bytes from which on fewer rows are parsed at a time.
const CHUNK_BYTES: usize = 32 << 20;

#[derive(Deserialize)]
struct Record {
    code: Option<String>,
    function: Option<String>,
    func_code_string: Option<String>,
    original_string: Option<String>,
    #[serde(alias = "function_tokens", alias = "func_code_tokens")]
    code_tokens: Option<Words>,
    #[serde(alias = "func_documentation_tokens")]
    docstring_tokens: Option<Words>,
    #[serde(alias = "func_code_url")]
    url: Option<Id>,
    retrieval_idx: Option<Id>,
    idx: Option<Id>,
}

/// Words as a list, or as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

impl Words {
    /// Joined as source code: comments, each of which is a word, would hide what stands behind them.
    fn into_code(self, language: Language) -> String {
        let marks: &[&str] = match language {
            Language::Python => &["#"],
            Language::C | Language::Java => &["//", "/*"],
        };
        match self {
            Self::List(mut words) => {
                words.retain(|word| !marks.iter().any(|mark| word.trim_start().starts_with(mark)));
                words.join(" ")
            }
            Self::Text(text) => text,
        }
    }

    /// Joined by one space.
    fn into_query(self) -> String {
        let text = match self {
            Self::List(words) => words.join(" "),
            Self::Text(text) => text,
        };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Record {
    fn into_sample(self, language: Language) -> Result<SearchSample, SkipReason> {
        let tokens = || self.code_tokens.map(|tokens| tokens.into_code(language));
        let source = self.code.or(self.function).or(self.func_code_string);
        let source = source.or(self.original_string);
        let is_joined = source.is_none();
        let source = source.or_else(tokens);
        let (Some(source), Some(words)) = (source, self.docstring_tokens) else {
            return Err(SkipReason::MissingField);
        };
        if source.len() > MAX_FUNCTION_BYTES {
            return Err(SkipReason::FunctionTooLong);
        }
        let query = words.into_query();
        if query.is_empty() {
            return Err(SkipReason::EmptyDocstring);
        }
        let function = Function::parse(source, language);
        if is_joined && language == Language::Python && function.has_errors() {
            return Err(SkipReason::TokensOnly);
        }
        if function.name().is_none() {
            return Err(SkipReason::NoFunction);
        }
        let id = self.url.or(self.retrieval_idx).or(self.idx).map(Id::into_text);
        let id = id.unwrap_or_default();
        Ok(SearchSample { id, code: function.without_comments(), query })
    }
}

/// Reads one file, or all `.jsonl` and `.jsonl.gz` files of a folder in the order of their names.
///
/// Docstrings and comments are taken out of the code. A row without an id gets its row number.
/// Rows that are not usable are skipped and counted, up to
/// [`MAX_SKIPPED_RATE`](crate::MAX_SKIPPED_RATE) of all rows.
pub fn read(path: &Path, language: Language) -> Result<Loaded<Vec<SearchSample>>, Error> {
    let mut loaded = Loaded { samples: Vec::new(), skipped: Skipped::default() };
    for part in parts(path)? {
        read_part(&part, language, &mut loaded)?;
    }
    loaded.skipped.check(path, r#"rows like {"code": …, "docstring_tokens": […]}"#)?;
    Ok(loaded)
}

/// The files that [`read`] reads, in order.
pub fn parts(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut parts = Vec::new();
    for entry in fs::read_dir(path)? {
        let part = entry?.path();
        if has_extension(&part, "jsonl") {
            parts.push(part);
        }
    }
    parts.sort_unstable();
    // `gunzip -k` leaves both.
    let all: BTreeSet<PathBuf> = parts.iter().cloned().collect();
    let is_packed = |part: &Path| part.extension().is_some_and(|it| it == "gz");
    parts.retain(|part| !(is_packed(part) && all.contains(&part.with_extension(""))));
    if parts.is_empty() {
        let problem = "holds no .jsonl or .jsonl.gz file".to_owned();
        return Err(Error::Corpus { path: path.to_owned(), problem });
    }
    Ok(parts)
}

fn read_part(
    path: &Path,
    language: Language,
    loaded: &mut Loaded<Vec<SearchSample>>,
) -> Result<(), Error> {
    let mut rows = Rows::open(path)?;
    let mut chunk: Vec<(usize, Option<Vec<u8>>)> = Vec::with_capacity(CHUNK_ROWS);
    let mut n_bytes = 0;
    loop {
        let row = rows.next()?.map(|row| (row.line, row.text.map(<[u8]>::to_vec)));
        let is_end = row.is_none();
        n_bytes += row.iter().filter_map(|(_, text)| text.as_ref()).map(Vec::len).sum::<usize>();
        chunk.extend(row);
        if chunk.len() == CHUNK_ROWS || n_bytes >= CHUNK_BYTES || is_end {
            take_chunk(path, &chunk, language, loaded);
            chunk.clear();
            n_bytes = 0;
        }
        if is_end {
            return Ok(());
        }
    }
}

fn take_chunk(
    path: &Path,
    rows: &[(usize, Option<Vec<u8>>)],
    language: Language,
    loaded: &mut Loaded<Vec<SearchSample>>,
) {
    let parsed: Vec<Result<SearchSample, SkipReason>> =
        rows.par_iter().map(|(_, text)| parse(text.as_deref(), language)).collect();
    for ((line, _), outcome) in rows.iter().zip(parsed) {
        let row_index = loaded.skipped.n_rows;
        loaded.skipped.n_rows += 1;
        match outcome {
            Ok(mut sample) => {
                if sample.id.is_empty() {
                    sample.id = row_index.to_string();
                }
                loaded.samples.push(sample);
            }
            Err(reason) => loaded.skipped.add(reason, path, *line),
        }
    }
}

fn parse(row: Option<&[u8]>, language: Language) -> Result<SearchSample, SkipReason> {
    let row = row.ok_or(SkipReason::RowTooLong)?;
    let text = std::str::from_utf8(row).map_err(|_| SkipReason::NotUtf8)?;
    let record: Record = serde_json::from_str(text).map_err(|_| SkipReason::Malformed)?;
    record.into_sample(language)
}

#[derive(Serialize)]
struct WrittenRecord<'a> {
    url: &'a str,
    func_name: &'a str,
    language: Language,
    code: &'a str,
    code_tokens: Vec<String>,
    docstring_tokens: Vec<&'a str>,
}

/// Writes rows that [`read`], and the loaders of the public code, read back.
pub fn write_jsonl(
    mut out: impl Write,
    samples: &[SearchSample],
    language: Language,
) -> Result<(), Error> {
    for SearchSample { id, code, query } in samples {
        let function = Function::parse(code.as_str(), language);
        let row = WrittenRecord {
            url: id,
            func_name: function.name().unwrap_or_default(),
            language,
            code,
            code_tokens: code_token_texts(code, language),
            docstring_tokens: query.split_whitespace().collect(),
        };
        serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
