//! Documents with a schema version, as text.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The field that says how to read the others.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

/// Reads the text of a document of this version; the version is looked at first, because the rest
/// of another one may have another shape.
pub fn read<T: DeserializeOwned>(
    text: &str,
    file: &'static str,
    expected: u32,
) -> Result<T, Error> {
    let malformed = |source| Error::Malformed { file, source };
    let Version { schema_version: found } = serde_json::from_str(text).map_err(malformed)?;
    if found != expected {
        return Err(Error::SchemaVersion { file, found, expected });
    }
    serde_json::from_str(text).map_err(malformed)
}

/// The text of a document, indented, with a newline at the end.
pub(crate) fn text(document: &impl Serialize, file: &'static str) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|source| Error::Malformed { file, source })?;
    Ok(text + "\n")
}
