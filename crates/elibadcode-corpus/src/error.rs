//! What can be wrong with a corpus or a tokenizer.

use std::path::PathBuf;

/// Errors of this crate; each names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// One row of a corpus file is not what the format asks for.
    #[error("{}, line {line}: {problem}", path.display())]
    Row {
        /// The corpus file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What was expected and what was found.
        problem: String,
    },
    /// A corpus file as a whole is unusable.
    #[error("{}: {problem}", path.display())]
    Corpus {
        /// The corpus file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A tokenizer is missing, damaged or lacks a special token.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The tokenizer file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A subset asks for more samples than there are.
    #[error("{0}")]
    Split(String),
}
