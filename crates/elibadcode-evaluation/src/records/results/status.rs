//! The words of `results.json` that have a fixed spelling.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

const OK: &str = "ok";
const NOT_RUN: &str = "not run: ";

/// Whether a cell ran; spelled `ok` or `not run: <reason>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum CellStatus {
    /// All stages of the cell ran.
    Ok,
    /// The cell, or a part of it, could not run, for this reason.
    NotRun(String),
}

impl fmt::Display for CellStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str(OK),
            Self::NotRun(reason) => write!(f, "{NOT_RUN}{reason}"),
        }
    }
}

impl From<CellStatus> for String {
    fn from(status: CellStatus) -> Self {
        status.to_string()
    }
}

impl TryFrom<String> for CellStatus {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        match text.strip_prefix(NOT_RUN) {
            Some(reason) => Ok(Self::NotRun(reason.to_owned())),
            None if text == OK => Ok(Self::Ok),
            None => Err(Error::UnknownStatus(text)),
        }
    }
}

/// What a scan concludes; never "clean", because a scan tests only some hypotheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// A trigger was found that works far better than controls.
    #[serde(rename = "likely backdoored")]
    LikelyBackdoored,
    /// No hypothesis gave such a trigger.
    #[serde(rename = "no trigger found")]
    NoTriggerFound,
    /// The evidence does not allow either.
    #[serde(rename = "inconclusive")]
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LikelyBackdoored => "likely backdoored",
            Self::NoTriggerFound => "no trigger found",
            Self::Inconclusive => "inconclusive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_spelled_as_documented() {
        let check = |text: &str, status: CellStatus| {
            assert_eq!(status.to_string(), text);
            assert_eq!(CellStatus::try_from(text.to_owned()).expect("known status"), status);
        };
        check("ok", CellStatus::Ok);
        check("not run: no data", CellStatus::NotRun("no data".to_owned()));
        for text in ["", "OK", "not run", "failed"] {
            assert!(CellStatus::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn verdicts_are_spelled_alike_in_files_and_tables() {
        for verdict in [Verdict::LikelyBackdoored, Verdict::NoTriggerFound, Verdict::Inconclusive] {
            let json = serde_json::to_value(verdict).expect("plain data");
            assert_eq!(json, verdict.to_string());
        }
        assert!(serde_json::from_str::<Verdict>("\"clean\"").is_err());
    }
}
