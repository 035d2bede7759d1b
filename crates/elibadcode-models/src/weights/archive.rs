//! The zip archives of `torch.save`: entries are stored, not compressed, so an entry is a range of
//! the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::ops::Range;

use super::{MAX_HEADER, read_at};

const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: u64 = 22;
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
    let end = tail
        .windows(END_LENGTH as usize)
        .rev()
        .find(|window| window.starts_with(&END))
        .ok_or_else(|| damaged("it has no directory"))?;
    let (size, start) = (u32_at(end, 12), u32_at(end, 16));
    if size == TOO_LARGE || start == TOO_LARGE {
        return Err("a zip archive above 4 GiB; save it as safetensors".to_owned());
    }
    if u64::from(size) > MAX_HEADER || u64::from(start) + u64::from(size) > length {
        return Err(damaged("its directory is out of range"));
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
        let local = u64::from(u32_at(rest, 42));
        let next = ENTRY_LENGTH + name + extra + comment;
        if rest.len() < next {
            return Err(damaged("its directory is damaged"));
        }
        let name = String::from_utf8_lossy(&rest[ENTRY_LENGTH..ENTRY_LENGTH + name]).into_owned();
        rest = &rest[next..];
        if method != 0 || size != unpacked {
            return Err(format!("`{name}` is compressed, which torch.save never does"));
        }
        if size == TOO_LARGE || local + LOCAL_LENGTH > length {
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
    Ok(entries)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
