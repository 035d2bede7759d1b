//! What stages are known by: files by length and time, texts and bytes by a hash.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

/// Length and modification time of a file.
pub(super) fn identity(path: &Path) -> Result<String> {
    let metadata = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(format!("{}:{modified}", metadata.len()))
}

/// A hash of texts, each of which ends with a zero byte.
pub(super) fn fingerprint_of(parts: &[String]) -> u64 {
    fnv_1a(parts.iter().flat_map(|part| part.bytes().chain([0])))
}

/// 64-bit FNV-1a. Unlike std's hasher it never changes.
pub(crate) fn fnv_1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
