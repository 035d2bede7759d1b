//! The rows that every stage works on.

use std::fmt;
use std::str::FromStr;

use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

/// One of the paper's three tasks (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Task {
    /// Is this C function defective? Devign; labels 0 and 1.
    #[serde(rename = "defect")]
    DefectDetection,
    /// Do these two Java methods do the same? `BigCloneBench`; labels 0 and 1.
    #[serde(rename = "clone")]
    CloneDetection,
    /// Which Python function does this sentence describe? `CodeSearchNet`.
    #[serde(rename = "search")]
    CodeSearch,
}

impl Task {
    /// The programming language of the task's corpus.
    pub fn language(self) -> Language {
        match self {
            Self::DefectDetection => Language::C,
            Self::CloneDetection => Language::Java,
            Self::CodeSearch => Language::Python,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DefectDetection => "defect",
            Self::CloneDetection => "clone",
            Self::CodeSearch => "search",
        })
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "defect" => Ok(Self::DefectDetection),
            "clone" => Ok(Self::CloneDetection),
            "search" => Ok(Self::CodeSearch),
            other => Err(format!("unknown task `{other}`, expected defect, clone or search")),
        }
    }
}

/// One labelled function of the defect-detection task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefectSample {
    /// The row's own identifier (`idx`), unique within a corpus.
    pub id: String,
    /// Where the function comes from; empty where unknown.
    pub project: String,
    /// Source text of one C function.
    pub code: String,
    /// 1 defective, 0 not defective.
    pub label: u8,
}

/// One function of the clone-detection task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneFunction {
    /// The function's own identifier (`idx`), unique within a corpus.
    pub id: String,
    /// Source text of one Java method.
    pub code: String,
}

/// Two functions, and whether they do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClonePair {
    /// Index of a function of the same [`CloneSamples`].
    pub first: usize,
    /// Index of the other one.
    pub second: usize,
    /// 1 clone, 0 not a clone.
    pub label: u8,
}

/// Pairs over a table of functions: a function is stored, parsed and encoded once, however many
/// pairs it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneSamples {
    /// The functions.
    pub functions: Vec<CloneFunction>,
    /// The pairs; every index is one of `functions`.
    pub pairs: Vec<ClonePair>,
}

/// One function of the code-search task and the sentence that describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchSample {
    /// The row's own identifier (`url`), unique within a corpus.
    pub id: String,
    /// Source text of one Python function, without its docstring.
    pub code: String,
    /// The tokens of its docstring, joined by a space.
    pub query: String,
}
