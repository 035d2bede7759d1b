//! The lines of a corpus file, one at a time and each of bounded length.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A row longer than this many bytes is not read.
pub const MAX_ROW_BYTES: u64 = 16 << 20;

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What gzip begins with.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Opens a text file: see [`text_reader`].
pub fn open_text(path: &Path) -> Result<BufReader<Box<dyn Read>>, Error> {
    let file = fs::File::open(path)?;
    if path.is_dir() {
        let problem = "this is a folder; give a file in it".to_owned();
        return Err(Error::Corpus { path: path.to_owned(), problem });
    }
    Ok(text_reader(file)?)
}

/// A file, or where it is not there the one of that name that gzip packed.
pub(crate) fn plain_or_packed(path: PathBuf) -> PathBuf {
    let mut packed = path.clone().into_os_string();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    if !path.exists() && packed.exists() { packed } else { path }
}

/// Whether this is how the file's name ends, before the `.gz` of a packed one.
pub(crate) fn has_extension(path: &Path, wanted: &str) -> bool {
    let is_packed = path.extension().is_some_and(|it| it == "gz");
    let unpacked = if is_packed { path.with_extension("") } else { path.to_owned() };
    unpacked.extension().is_some_and(|it| it == wanted)
}

/// What gzip makes of a text.
#[cfg(test)]
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

/// A text without the mark that some editors put before it, unpacked if it is gzip's.
pub fn text_reader(source: impl Read + 'static) -> io::Result<BufReader<Box<dyn Read>>> {
    let mut source = BufReader::new(source);
    let is_packed = source.fill_buf()?.starts_with(GZIP);
    let unpacked: Box<dyn Read> =
        if is_packed { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) };
    let mut text = BufReader::new(unpacked);
    // A damaged file says so when it is read.
    if text.fill_buf().is_ok_and(|start| start.starts_with(BYTE_ORDER_MARK)) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Reads the lines of a text file.
pub(crate) struct Rows {
    path: PathBuf,
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    line_number: usize,
}

/// One line that is not blank.
pub(crate) struct Row<'a> {
    /// Line number, from 1.
    pub(crate) line: usize,
    /// The line, or `None` if it is longer than [`MAX_ROW_BYTES`].
    pub(crate) text: Option<&'a [u8]>,
}

impl Rows {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let reader = open_text(path)?;
        Ok(Self { path: path.to_owned(), reader, line: Vec::new(), line_number: 0 })
    }

    /// The next line that is not blank; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        loop {
            let n_read = self.read_piece()?;
            if n_read == 0 {
                return Ok(None);
            }
            self.line_number += 1;
            if n_read == MAX_ROW_BYTES && self.line.last() != Some(&b'\n') {
                self.pass_over_line()?;
                return Ok(Some(Row { line: self.line_number, text: None }));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(Row { line: self.line_number, text: Some(&self.line) }))
    }

    /// Reads a whole file of rows of JSON, each of which is `expected` to look like this: `each` gets
    /// the line number and what is in the row, `None` if it is longer than [`MAX_ROW_BYTES`], or
    /// says what is wrong with it.
    pub(crate) fn parse<T: DeserializeOwned>(
        path: &Path,
        expected: &str,
        mut each: impl FnMut(usize, Option<T>) -> Result<(), String>,
    ) -> Result<(), Error> {
        let mut rows = Self::open(path)?;
        let mut is_empty = true;
        while let Some(Row { line, text }) = rows.next()? {
            is_empty = false;
            let at = |problem: String| Error::Row { path: path.to_owned(), line, problem };
            let row = text.map(|text| parse_row(text, expected)).transpose().map_err(at)?;
            each(line, row).map_err(at)?;
        }
        if is_empty {
            return Err(Error::Corpus { path: path.to_owned(), problem: "holds no rows".into() });
        }
        Ok(())
    }

    /// Up to the end of the line, or as much as may be held.
    fn read_piece(&mut self) -> Result<u64, Error> {
        self.line.clear();
        let read = self.reader.by_ref().take(MAX_ROW_BYTES).read_until(b'\n', &mut self.line);
        // A damaged gzip stream does not know its file.
        read.map(|n_read| n_read as u64).map_err(|error| Error::Row {
            path: self.path.clone(),
            line: self.line_number + 1,
            problem: error.to_string(),
        })
    }

    fn pass_over_line(&mut self) -> Result<(), Error> {
        while self.read_piece()? > 0 && self.line.last() != Some(&b'\n') {}
        Ok(())
    }
}

/// What is in a row, or what is wrong with it.
fn parse_row<T: DeserializeOwned>(row: &[u8], expected: &str) -> Result<T, String> {
    serde_json::from_slice(row).map_err(|error| {
        // Without serde's own `at line 1`, which counts within the row.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        let hint = match row.trim_ascii().first() {
            Some(b'[') => "; a JSON array? `jq -c '.[]'` makes rows of it",
            Some(b'{') | None => "",
            Some(_) => "; this is no JSON",
        };
        format!("{text} (column {}); expected {expected}{hint}", error.column())
    })
}

/// An id as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(i64),
    Text(String),
}

impl Id {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}
