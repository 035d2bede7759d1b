//! The three tasks and what differs between them in words.

use clap::ValueEnum;
use serde::Deserialize;

/// One of the three tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Task {
    /// Defect detection, C
    Defect,
    /// Clone detection, Java
    Clone,
    /// Code search, Python
    Search,
}

impl Task {
    /// All of them, in the order of reports.
    pub(crate) const ALL: [Self; 3] = [Self::Defect, Self::Clone, Self::Search];

    /// The task's name in files, folders and `--task`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Clone => "clone",
            Self::Search => "search",
        }
    }

    /// The file of a split in a folder that the program wrote.
    pub(crate) fn split(self, name: &str) -> String {
        match self {
            Self::Clone => format!("{name}.txt"),
            Self::Defect | Self::Search => format!("{name}.jsonl"),
        }
    }

    /// The task's name in headings.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Defect => "Defect detection",
            Self::Clone => "Clone detection",
            Self::Search => "Code search",
        }
    }

    /// The number that models of the task are judged by.
    pub(crate) fn score(self) -> &'static str {
        match self {
            Self::Defect => "accuracy",
            Self::Clone => "F1",
            Self::Search => "MRR",
        }
    }

    /// The same at the beginning of a heading.
    pub(crate) fn score_title(self) -> &'static str {
        match self {
            Self::Defect => "Accuracy",
            Self::Clone => "F1",
            Self::Search => "MRR",
        }
    }

    /// What a sample is.
    pub(crate) fn samples(self) -> &'static str {
        match self {
            Self::Defect => "functions",
            Self::Clone => "pairs",
            Self::Search => "functions with queries",
        }
    }
}
