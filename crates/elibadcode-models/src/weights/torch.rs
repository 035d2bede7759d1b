//! `torch.save` of a state dict, in the zip form and in the form before PyTorch 1.6.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;
use std::rc::Rc;

use super::pickle::{self, StorageKind, TensorRecord, Value};
use super::{MAX_HEADER, StoredTensor, archive, n_bytes, read_at};

/// What the old form starts with, after the pickle opcodes for a ten-byte integer.
const OLD_MAGIC: [u8; 14] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Finds the tensors of a state dict.
pub(super) fn open(
    reader: &mut (impl Read + Seek),
    length: u64,
    file: usize,
) -> Result<BTreeMap<String, StoredTensor>, String> {
    let start = read_at(reader, 0, length.min(OLD_MAGIC.len() as u64) as usize)?;
    let (records, storages) = if start == OLD_MAGIC {
        open_old(reader, length)?
    } else if start.starts_with(b"PK") {
        open_archive(reader, length)?
    } else {
        return Err("neither a zip archive nor a pickle of torch.save".to_owned());
    };
    let mut tensors = BTreeMap::new();
    for (name, record) in records {
        let StorageKind::Floats(element) = record.storage.kind else { continue };
        let storage = storages.get(&*record.storage.key);
        let storage = storage.ok_or_else(|| format!("`{name}` has no data"))?;
        if !record.is_contiguous() {
            return Err(format!("`{name}` is not stored in one piece; call .contiguous() on it"));
        }
        let start = record.offset.checked_mul(element.size() as u64);
        let end = start.zip(n_bytes(&record.shape, element)).and_then(|(a, b)| a.checked_add(b));
        match (start, end) {
            (Some(start), Some(end)) if end <= storage.end - storage.start => {
                let start = storage.start + start;
                let shape = record.shape.clone();
                tensors.insert(name.to_string(), StoredTensor { shape, element, file, start });
            }
            _ => return Err(format!("`{name}` does not lie within its data")),
        }
    }
    Ok(tensors)
}

type Opened = (BTreeMap<Rc<str>, Rc<TensorRecord>>, BTreeMap<String, Range<u64>>);

fn open_archive(reader: &mut (impl Read + Seek), length: u64) -> Result<Opened, String> {
    let entries = archive::open(reader, length)?;
    // As torch does, whatever the case of the letters.
    let is_called = |name: &str, wanted: &str| {
        name.split_once('/').is_some_and(|it| it.1.eq_ignore_ascii_case(wanted))
    };
    let find = |wanted| entries.iter().find(|(name, _)| is_called(name, wanted));
    let (name, range) = find("data.pkl").ok_or("the archive has no data.pkl")?;
    let size = range.end - range.start;
    if size > MAX_HEADER {
        return Err(format!("data.pkl has {size} bytes, expected at most {MAX_HEADER}"));
    }
    let bytes = read_at(reader, range.start, size as usize)?;
    if let Some((_, range)) = find("byteorder") {
        let size = (range.end - range.start).min(16);
        if read_at(reader, range.start, size as usize)? != b"little" {
            return Err("the numbers are not little-endian".to_owned());
        }
    }
    let records = pickle::Interpreter::new(&bytes).state_dict()?;
    let prefix = name.replace("data.pkl", "data/");
    let storages = entries
        .iter()
        .filter_map(|(name, range)| Some((name.strip_prefix(&prefix)?.to_owned(), range.clone())))
        .collect();
    Ok((records, storages))
}

/// Five pickles (magic number, protocol, platform, state dict, keys of the storages), then for
/// each key the number of its elements and the elements.
fn open_old(reader: &mut (impl Read + Seek), length: u64) -> Result<Opened, String> {
    let bytes = read_at(reader, 0, length.min(MAX_HEADER) as usize)?;
    let mut interpreter = pickle::Interpreter::new(&bytes);
    for _ in 0..3 {
        interpreter.read()?;
    }
    let records = interpreter.state_dict()?;
    let keys = interpreter.read()?;
    let keys = interpreter.texts(&keys).ok_or("the list of storages is damaged")?;
    let mut start = interpreter.position() as u64;
    let mut storages = BTreeMap::new();
    for key in keys {
        if start + 8 > length {
            return Err("the file ends before its data does".to_owned());
        }
        let count = read_at(reader, start, 8)?;
        let count = count.iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
        start += 8;
        // An optimizer's storages are there, too.
        let size = interpreter.size_of(&key);
        let size = size.ok_or_else(|| format!("storage `{key}` is of no tensor"))?;
        let end = count.checked_mul(size as u64).and_then(|it| it.checked_add(start));
        let end = end.filter(|&end| end <= length);
        let end = end.ok_or("the file ends before its data does")?;
        storages.insert(key.to_string(), start..end);
        start = end;
    }
    Ok((records, storages))
}

impl pickle::Interpreter<'_> {
    /// The strings of a list.
    fn texts(&self, list: &Value) -> Option<Vec<Rc<str>>> {
        let text = |it: &Value| if let Value::Text(text) = it { Some(text.clone()) } else { None };
        self.items(list)?.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::weights::Weights;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/weights").join(name)
    }

    fn open_bytes(bytes: &[u8]) -> Result<BTreeMap<String, StoredTensor>, String> {
        open(&mut Cursor::new(bytes), bytes.len() as u64, 0)
    }

    #[test]
    fn both_forms_hold_the_same_tensors() {
        for name in ["zip.bin", "old.bin", "nested.bin"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::copy(fixture(name), dir.path().join("pytorch_model.bin")).unwrap();
            let weights = Weights::open(dir.path()).unwrap().remove(0);
            let names: Vec<&String> = weights.tensors().keys().collect();
            assert_eq!(names, ["brain", "double", "half", "parameter", "part", "tied", "whole"]);
            let check = |name: &str, shape: &[usize], values: &[f32]| {
                let tensor = weights.read(name).unwrap();
                assert_eq!((&tensor.shape[..], &tensor.values[..]), (shape, values), "{name}");
            };
            check("whole", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
            check("tied", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
            check("part", &[4], &[8.0, 9.0, 10.0, 11.0]);
            check("half", &[2], &[0.5, -1.5]);
            check("brain", &[2], &[2.0, -0.25]);
            check("double", &[1, 1], &[1.25]);
            check("parameter", &[1], &[7.0]);
        }
    }

    #[test]
    fn what_a_state_dict_has_no_use_for_is_refused() {
        let refused = |name: &str| open_bytes(&std::fs::read(fixture(name)).unwrap()).unwrap_err();
        assert_eq!(refused("command.bin"), "refusing to load `posix.system`");
        assert_eq!(
            refused("turned.bin"),
            "`turned` is not stored in one piece; call .contiguous() on it"
        );
        assert!(open_bytes(b"\x80\x04.").unwrap_err().contains("neither"));
    }

    #[test]
    fn an_archive_that_torch_reads_otherwise_is_refused() {
        let whole = std::fs::read(fixture("zip.bin")).unwrap();
        // The directory is what counts, and comes last.
        let with_last = |from: &[u8], to: &[u8]| {
            let mut bytes = whole.clone();
            let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
            bytes[at..at + from.len()].copy_from_slice(to);
            open_bytes(&bytes).unwrap_err()
        };
        let error = with_last(b"zip/data/1", b"ZIP/data/1");
        assert_eq!(error, "`ZIP/data/1` is not in the folder of the other entries");
        assert_eq!(with_last(b"zip/data/1", b"zip/data/0"), "`zip/data/0` is there twice");
        // It finds names whatever the case of their letters.
        assert_eq!(with_last(b"zip/data/1", b"zip/DATA/0"), "`zip/DATA/0` is there twice");
        let mut big = whole.clone();
        let at = big.windows(6).position(|window| window == b"little").unwrap();
        big[at..at + 6].copy_from_slice(b"bigbig");
        let at = big.windows(9).rposition(|window| window == b"byteorder").unwrap();
        big[at..at + 9].copy_from_slice(b"ByteOrder");
        assert_eq!(open_bytes(&big).unwrap_err(), "the numbers are not little-endian");
        // It goes by the directory for large archives: that of fewer entries here.
        let mut two = whole.clone();
        let at = two.windows(4).rposition(|window| window == b"PK\x06\x06").unwrap();
        two[at + 32] -= 1;
        assert_eq!(open_bytes(&two).unwrap_err(), "the archive has two directories that differ");
    }

    #[test]
    fn a_file_that_is_cut_or_damaged_anywhere_does_no_harm() {
        for name in ["zip.bin", "old.bin"] {
            let whole = std::fs::read(fixture(name)).unwrap();
            for length in 0..whole.len() {
                assert!(open_bytes(&whole[..length]).is_err(), "{name} cut to {length}");
            }
            for position in 0..whole.len() {
                for value in [0x00, 0x28, 0x7f, 0x80, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[position] = value;
                    let Ok(tensors) = open_bytes(&damaged) else { continue };
                    for (name, tensor) in tensors {
                        let n = n_bytes(&tensor.shape, tensor.element);
                        assert!(
                            n.is_some_and(|n| tensor.start + n <= whole.len() as u64),
                            "{name}"
                        );
                    }
                }
            }
        }
    }
}
