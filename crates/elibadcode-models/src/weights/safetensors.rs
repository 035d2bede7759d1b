//! safetensors: a JSON header that says where each tensor is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;

use fs_err as fs;
use safetensors::tensor::{Dtype, Metadata, View};

use super::{MAX_HEADER, StoredTensor, read_at};
use crate::checkpoint::{ElementType, HostTensor};
use crate::error::Error;

/// Bytes of the number that gives the header's length.
const LENGTH: u64 = 8;

/// Reads the header. The library checks that the tensors cover the data without gap or overlap.
pub(super) fn open(
    reader: &mut (impl Read + Seek),
    length: u64,
    file: usize,
) -> Result<BTreeMap<String, StoredTensor>, String> {
    let incomplete = |problem: &str| format!("not a complete safetensors file: {problem}");
    if length < LENGTH {
        return Err(incomplete(&format!("it has {length} bytes")));
    }
    let first = read_at(reader, 0, LENGTH as usize)?;
    let header = first.iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    if header > MAX_HEADER {
        return Err(incomplete(&format!(
            "its header claims {header} bytes, expected at most {MAX_HEADER}"
        )));
    }
    if header > length - LENGTH {
        return Err(incomplete(&format!(
            "its header claims {header} bytes, the file has {length} in all"
        )));
    }
    let bytes = read_at(reader, LENGTH, header as usize)?;
    let metadata: Metadata =
        serde_json::from_slice(&bytes).map_err(|error| incomplete(&error.to_string()))?;
    let data_start = LENGTH + header;
    if data_start + metadata.data_len() as u64 != length {
        return Err(incomplete(&format!(
            "its header promises {} bytes of data, there are {}",
            metadata.data_len(),
            length - data_start
        )));
    }
    let mut tensors = BTreeMap::new();
    for name in metadata.offset_keys() {
        let info = metadata.info(&name).expect("the keys are those of the tensors");
        let element = match info.dtype {
            Dtype::F64 => ElementType::F64,
            Dtype::F32 => ElementType::F32,
            Dtype::F16 => ElementType::F16,
            Dtype::BF16 => ElementType::BF16,
            // Buffers of indices.
            Dtype::I64 | Dtype::I32 | Dtype::U8 | Dtype::BOOL => continue,
            other => return Err(format!("`{name}` is of type {other:?}, expected floats")),
        };
        let start = data_start + info.data_offsets.0 as u64;
        tensors.insert(name, StoredTensor { shape: info.shape.clone(), element, file, start });
    }
    Ok(tensors)
}

/// A tensor as the library writes it: its bytes are made when their turn comes.
struct Written<'a>(&'a HostTensor);

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f32>() * self.0.values.len()
    }
}

/// Writes the tensors in name order as f32, with the metadata that transformers expects.
pub(crate) fn write_safetensors(
    path: &Path,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<(), Error> {
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), Written(tensor)));
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    // The library's file is private, whatever the user's mask allows.
    let permissions = fs::File::create(path)?.metadata()?.permissions();
    safetensors::serialize_to_file(views, Some(metadata), path)
        .map_err(|error| Error::Weights { path: path.to_owned(), problem: error.to_string() })?;
    Ok(fs::set_permissions(path, permissions)?)
}
