//! What can be wrong with a model folder, a device or a training run.

use std::fmt;
use std::path::PathBuf;

use crate::checkpoint::shape_text;
use crate::head::Head;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// `config.json` is not JSON, or not that of a supported model.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A weight file is damaged or of an unsupported kind.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The weight file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// The weight file does not hold the tensors that the configuration asks for.
    #[error("{}: the tensors do not fit config.json:{problems}", path.display())]
    Tensors {
        /// The weight file.
        path: PathBuf,
        /// Each tensor at fault.
        problems: TensorProblems,
    },
    /// The tokenizer of the folder cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] elibadcode_corpus::Error),
    /// The tokenizer and the model disagree.
    #[error(
        "{}: the tokenizer has {tokenizer} entries but the model has {model} embedding rows",
        path.display()
    )]
    VocabularySize {
        /// The model folder.
        path: PathBuf,
        /// Entries of the tokenizer.
        tokenizer: usize,
        /// `vocab_size` of the model.
        model: usize,
    },
    /// The model answers another kind of question.
    #[error("the model has the head `{found}`, expected `{expected}`")]
    Head {
        /// The model's head.
        found: Head,
        /// The head that is needed.
        expected: Head,
    },
    /// The requested device is not there.
    #[error("{0}")]
    Device(String),
    /// A training configuration makes no sense.
    #[error("{0}")]
    Training(String),
    /// A value that should be finite is not.
    #[error("{0}")]
    NotFinite(String),
}

/// Tensors that are missing, unexpected or of the wrong shape.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TensorProblems {
    /// Name and expected shape.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Name and found shape.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// Name, expected shape, found shape.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl TensorProblems {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }
}

impl fmt::Display for TensorProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let missing = self
            .missing
            .iter()
            .map(|(name, shape)| format!("missing `{name}`, expected {}", shape_text(shape)));
        let misshaped = self.misshaped.iter().map(|(name, expected, found)| {
            format!("`{name}` is {}, expected {}", shape_text(found), shape_text(expected))
        });
        let unexpected = self
            .unexpected
            .iter()
            .map(|(name, shape)| format!("unexpected `{name}` {}", shape_text(shape)));
        let lines: Vec<String> = misshaped.chain(missing).chain(unexpected).collect();
        for line in lines.iter().take(SHOWN) {
            write!(f, "\n  {line}")?;
        }
        if lines.len() > SHOWN {
            write!(f, "\n  and {} more", lines.len() - SHOWN)?;
        }
        Ok(())
    }
}
