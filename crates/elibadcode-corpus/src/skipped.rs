//! The rows of a corpus that were left out, and why.
//!
//! A corpus from the wild has a few broken rows; they are counted and passed over. A corpus of
//! which much is broken is not what it claims to be, and is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

pub use elibadcode_syntax::MAX_FUNCTION_BYTES;

/// The share of the rows of a file, in `0..=1`, above which skipped rows make it unusable.
pub const MAX_SKIPPED_RATE: f64 = 0.1;

/// This many skipped rows are accepted whatever their share is, if any usable row is left.
pub const ALWAYS_ACCEPTED: usize = 10;

/// Why a row is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SkipReason {
    /// The row is longer than [`MAX_ROW_BYTES`](crate::MAX_ROW_BYTES).
    RowTooLong,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The row is not in the format's syntax: no JSON object, or not three columns.
    Malformed,
    /// A field that the task needs is absent or `null`.
    MissingField,
    /// The label is neither 0 nor 1.
    BadLabel,
    /// A pair names a function that the corpus does not have, or that was left out itself.
    UnknownId,
    /// The id was used by an earlier row; that one stands.
    RepeatedId,
    /// The function is longer than [`MAX_FUNCTION_BYTES`].
    FunctionTooLong,
    /// There is no function in the code.
    NoFunction,
    /// There is no code but its tokens, and joined they do not parse: Python's line breaks are missing.
    TokensOnly,
    /// The docstring holds no word.
    EmptyDocstring,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowTooLong => "row too long",
            Self::NotUtf8 => "not UTF-8",
            Self::Malformed => "malformed row",
            Self::MissingField => "missing field",
            Self::BadLabel => "label other than 0 and 1",
            Self::UnknownId => "no usable function of this id",
            Self::RepeatedId => "repeated id",
            Self::FunctionTooLong => "function too long",
            Self::NoFunction => "no function in the code",
            Self::TokensOnly => "no `code`, and its tokens do not parse without line breaks",
            Self::EmptyDocstring => "empty docstring",
        })
    }
}

/// How often a reason was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipCount {
    /// Rows.
    pub rows: usize,
    /// The file with the first of them.
    pub first_path: PathBuf,
    /// Its line number, from 1.
    pub first_line: usize,
}

/// What was left out of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// All rows that were looked at.
    pub n_rows: usize,
    /// The rows that were left out, by reason.
    pub reasons: BTreeMap<SkipReason, SkipCount>,
}

impl Skipped {
    /// How many rows were left out.
    pub fn n_skipped(&self) -> usize {
        self.reasons.values().map(|count| count.rows).sum()
    }

    /// How many rows were left out for this reason.
    pub fn count(&self, reason: SkipReason) -> usize {
        self.reasons.get(&reason).map_or(0, |count| count.rows)
    }

    pub(crate) fn add(&mut self, reason: SkipReason, path: &Path, line: usize) {
        let first = || SkipCount { rows: 0, first_path: path.to_owned(), first_line: line };
        self.reasons.entry(reason).or_insert_with(first).rows += 1;
    }

    /// This report and that of another file of the same corpus.
    pub(crate) fn merge(&mut self, other: Self) {
        self.n_rows += other.n_rows;
        for (reason, count) in other.reasons {
            let rows = count.rows;
            self.reasons.entry(reason).or_insert(SkipCount { rows: 0, ..count }).rows += rows;
        }
    }

    /// Refuses the file or folder at `path`, whose rows are `expected` to look like this, if too much of
    /// it is left out, or everything.
    pub(crate) fn check(&self, path: &Path, expected: &str) -> Result<(), Error> {
        let n_skipped = self.n_skipped();
        let refuse = |problem: String| Err(Error::Corpus { path: path.to_owned(), problem });
        if self.n_rows == 0 {
            return refuse("holds no rows".to_owned());
        }
        let share = n_skipped as f64 / self.n_rows as f64;
        if n_skipped == self.n_rows || (n_skipped > ALWAYS_ACCEPTED && share > MAX_SKIPPED_RATE) {
            return refuse(format!(
                "{self}; at most {:.0} % may be. Expected {expected}",
                100.0 * MAX_SKIPPED_RATE
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} rows unusable", self.n_skipped(), self.n_rows)?;
        for (index, (reason, count)) in self.reasons.iter().enumerate() {
            let SkipCount { rows, first_path, first_line } = count;
            let file = first_path.file_name().unwrap_or_default().display();
            let separator = if index == 0 { ": " } else { ", " };
            write!(f, "{separator}{rows} {reason} (first: {file}, line {first_line})")?;
        }
        Ok(())
    }
}

/// What a tolerant reader gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<T> {
    /// What could be used.
    pub samples: T,
    /// What could not.
    pub skipped: Skipped,
}
