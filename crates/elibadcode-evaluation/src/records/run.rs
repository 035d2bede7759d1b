//! `run.json`: what one command did, on what, and how long it took.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document;
use crate::error::Error;

/// The version of `run.json` that this crate reads and writes.
pub const RUN_SCHEMA_VERSION: u32 = 1;

const FILE: &str = "run.json";

/// The record of one run of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Version of the format, [`RUN_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command's name, for example `scan`.
    pub command: String,
    /// `success`: a command that fails writes no record.
    pub status: String,
    /// The master seed.
    pub seed: u64,
    /// The device and adapter that computed.
    pub device: String,
    /// Version of the program.
    pub version: String,
    /// The settings as resolved from defaults, file and flags; how a model folder is read is part of
    /// its hash.
    pub config: serde_json::Value,
    /// BLAKE3 hash (hex) of every input, by path.
    pub inputs: BTreeMap<String, String>,
    /// Wall-clock time from start to end, in seconds.
    pub wall_seconds: f64,
}

impl RunRecord {
    /// Reads the text of a `run.json`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        document::read(text, FILE, RUN_SCHEMA_VERSION)
    }

    /// The text of the `run.json`, indented, with a newline at the end.
    pub fn to_json(&self) -> Result<String, Error> {
        document::text(self, FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunRecord {
        RunRecord {
            schema_version: RUN_SCHEMA_VERSION,
            command: "scan".to_owned(),
            status: "success".to_owned(),
            seed: 123_456,
            device: "cpu".to_owned(),
            version: "0.1.0".to_owned(),
            config: serde_json::json!({"top_k": 64, "epsilon": 0.15}),
            inputs: BTreeMap::from([("model/config.json".to_owned(), "af13".to_owned())]),
            wall_seconds: 21.4,
        }
    }

    #[test]
    fn read_back_as_written() {
        let text = record().to_json().expect("plain data");
        assert_eq!(RunRecord::from_json(&text).expect("own output"), record());
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn foreign_files_are_refused() {
        let check = |from: &str, to: &str| {
            let text = record().to_json().expect("plain data").replacen(from, to, 1);
            RunRecord::from_json(&text).expect_err("changed").to_string()
        };
        assert_eq!(
            check("\"schema_version\": 1", "\"schema_version\": 2"),
            "run.json has schema version 2, this program knows 1"
        );
        assert_eq!(check("\"seed\"", "\"sede\""), "malformed run.json");
        assert_eq!(check("123456", "-1"), "malformed run.json");
    }
}
