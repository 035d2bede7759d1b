//! The zip archives of `torch.save`: entries are stored, not compressed, so an entry is a range of
//! the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::ops::Range;

use super::{MAX_HEADER, read_at};

const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: u64 = 22;
/// Directory of archives above 4 GiB, and what says where it is, just before [`END`].
const LARGE_END: [u8; 4] = *b"PK\x06\x06";
const LARGE_END_LENGTH: usize = 56;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LENGTH: u64 = 20;
const MAX_COMMENT: u64 = 0xffff;
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const ENTRY_LENGTH: usize = 46;
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_LENGTH: u64 = 30;
/// Stands for a number that is too large for its field.
const TOO_LARGE: u32 = u32::MAX;

/// Where each entry's bytes are, by name.
pub(super) fn open(
    reader: &mut (impl Read + Seek),
    length: u64,
) -> Result<BTreeMap<String, Range<u64>>, String> {
    let damaged = |what: &str| format!("not a complete zip archive: {what}");
    let tail_length = length.min(END_LENGTH + MAX_COMMENT);
    let tail = read_at(reader, length - tail_length, tail_length as usize)?;
    let is_end = |window: &[u8]| window.starts_with(&END);
    let end_at = tail.windows(END_LENGTH as usize).rposition(is_end);
    let end_at = end_at.ok_or_else(|| damaged("it has no directory"))?;
    let end = &tail[end_at..];
    let (n_entries, size, start) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16));
    if size == TOO_LARGE || start == TOO_LARGE {
        return Err("a zip archive above 4 GiB; save it as safetensors".to_owned());
    }
    if u64::from(size) > MAX_HEADER || u64::from(start) + u64::from(size) > length {
        return Err(damaged("its directory is out of range"));
    }
    // torch goes by the directory of large archives, if there is one.
    let end_at = length - tail_length + end_at as u64;
    if let Some(large) = large_directory(reader, end_at, length)?
        && large != [u64::from(n_entries), u64::from(size), u64::from(start)]
    {
        return Err("the archive has two directories that differ".to_owned());
    }
    let directory = read_at(reader, u64::from(start), size as usize)?;
    let mut entries = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut rest = &directory[..];
    while !rest.is_empty() {
        if rest.len() < ENTRY_LENGTH || !rest.starts_with(&ENTRY) {
            return Err(damaged("its directory is damaged"));
        }
        let (method, size, unpacked) = (u16_at(rest, 10), u32_at(rest, 20), u32_at(rest, 24));
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(rest, at)));
        let offset = u32_at(rest, 42);
        let local = u64::from(offset);
        let next = ENTRY_LENGTH + name + extra + comment;
        if rest.len() < next {
            return Err(damaged("its directory is damaged"));
        }
        let name = String::from_utf8_lossy(&rest[ENTRY_LENGTH..ENTRY_LENGTH + name]).into_owned();
        rest = &rest[next..];
        if method != 0 || size != unpacked {
            return Err(format!("`{name}` is compressed, which torch.save never does"));
        }
        if [size, offset].contains(&TOO_LARGE) || local + LOCAL_LENGTH > length {
            return Err(damaged(&format!("`{name}` is out of range")));
        }
        let header = read_at(reader, local, LOCAL_LENGTH as usize)?;
        if !header.starts_with(&LOCAL) {
            return Err(damaged(&format!("`{name}` is not where the directory says")));
        }
        let lengths = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let start = local + LOCAL_LENGTH + lengths;
        let range = start..start + u64::from(size);
        if range.end > length {
            return Err(damaged(&format!("`{name}` is out of range")));
        }
        // torch reads what stands below the first entry's folder, and the last of two of one name.
        let root = |name: &str| name.split('/').next().map(str::to_owned);
        if entries.keys().next().is_some_and(|other: &String| root(other) != root(&name)) {
            return Err(format!("`{name}` is not in the folder of the other entries"));
        }
        // It finds a name whatever the case of its letters.
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("`{name}` is there twice"));
        }
        entries.insert(name, range);
    }
    if entries.len() != usize::from(n_entries) {
        return Err(damaged(&format!("{n_entries} entries are promised, {} there", entries.len())));
    }
    Ok(entries)
}

/// Entries, size and start of the directory by the record for large archives, if the end at this position
/// follows one.
fn large_directory(
    reader: &mut (impl Read + Seek),
    end_at: u64,
    length: u64,
) -> Result<Option<[u64; 3]>, String> {
    let Some(at) = end_at.checked_sub(LOCATOR_LENGTH) else { return Ok(None) };
    let locator = read_at(reader, at, LOCATOR_LENGTH as usize)?;
    if !locator.starts_with(&LOCATOR) {
        return Ok(None);
    }
    let at = u64_at(&locator, 8);
    if at.checked_add(LARGE_END_LENGTH as u64).is_none_or(|end| end > length) {
        return Err("not a complete zip archive: its second directory is out of range".to_owned());
    }
    let record = read_at(reader, at, LARGE_END_LENGTH)?;
    if !record.starts_with(&LARGE_END) {
        return Err("not a complete zip archive: its second directory is damaged".to_owned());
    }
    Ok(Some([32, 40, 48].map(|at| u64_at(&record, at))))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
