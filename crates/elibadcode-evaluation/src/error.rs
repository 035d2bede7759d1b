//! What can be wrong with a published file.

/// Why a record could not be read or must not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON, or not JSON of this shape.
    #[error("malformed {file}")]
    Malformed {
        /// The kind of file, for example `results.json`.
        file: &'static str,
        /// What the JSON parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The file was written for another version of the format.
    #[error("{file} has schema version {found}, this program knows {expected}")]
    SchemaVersion {
        /// The kind of file, for example `results.json`.
        file: &'static str,
        /// The version in the file.
        found: u32,
        /// The version that this crate reads and writes.
        expected: u32,
    },
    /// A number that no measurement can give.
    #[error("cell {cell}: {field} is {value}, which is out of range")]
    OutOfRange {
        /// Task, model, attack and seed of the cell.
        cell: String,
        /// The field's path inside the cell, for example `before.asr`.
        field: &'static str,
        /// The number found there.
        value: f64,
    },
    /// A rate with more hits than trials.
    #[error("a rate of {hits} hits in {total} trials is impossible")]
    ImpossibleRate {
        /// Hits in the file.
        hits: usize,
        /// Trials in the file.
        total: usize,
    },
    /// A cell status other than `ok` and `not run: <reason>`.
    #[error("unknown cell status {0:?}, expected \"ok\" or \"not run: <reason>\"")]
    UnknownStatus(String),
}
