//! Weight files: named host tensors from safetensors, and back.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use fs_err as fs;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::Error;

/// A dense row-major `f32` tensor in main memory.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// `shape.product()` values.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// The transpose of a matrix: `[rows, columns]` becomes `[columns, rows]`.
    pub(crate) fn transposed(&self) -> Self {
        let [rows, columns] = self.shape[..] else { panic!("only a matrix has a transpose") };
        let mut values = Vec::with_capacity(self.values.len());
        for column in 0..columns {
            values.extend((0..rows).map(|row| self.values[row * columns + column]));
        }
        Self { shape: vec![columns, rows], values }
    }
}

pub(crate) fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// Reads every tensor of a safetensors file; f16 and bf16 become f32, integer buffers are left out.
pub(crate) fn read_safetensors(path: &Path) -> Result<BTreeMap<String, HostTensor>, Error> {
    let problem = |problem: String| Error::Weights { path: path.to_owned(), problem };
    let bytes = fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| problem(format!("not a complete safetensors file: {error}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let Some(values) = float_values(&view) else { continue };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(problem(format!("`{name}` holds {} at index {index}", values[index])));
        }
        tensors.insert(name.to_owned(), HostTensor { shape: view.shape().to_vec(), values });
    }
    Ok(tensors)
}

fn float_values(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    let half = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
    Some(match view.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect(),
        Dtype::BF16 => {
            data.chunks_exact(2).map(|pair| f32::from_bits(u32::from(half(pair)) << 16)).collect()
        }
        Dtype::F16 => data.chunks_exact(2).map(|pair| f32_from_f16(half(pair))).collect(),
        _ => return None,
    })
}

/// IEEE 754 binary16 to binary32, exactly.
fn f32_from_f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x03ff);
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Writes the tensors in name order as f32, with the metadata that transformers expects.
pub(crate) fn write_safetensors(
    path: &Path,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<(), Error> {
    let problem = |problem: String| Error::Weights { path: path.to_owned(), problem };
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, tensor)| {
            (name, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), &bytes[name])
            .map_err(|error| problem(format!("`{name}`: {error}")))?;
        views.push((name.as_str(), view));
    }
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| problem(error.to_string()))?;
    fs::File::create(path)?.write_all(&file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(f32_from_f16(bits).to_bits(), f32::to_bits(value), "{bits:#06x}");
        }
        assert!(f32_from_f16(0x7c00).is_infinite());
        assert!(f32_from_f16(0x7e00).is_nan());
    }

    #[test]
    fn a_transpose_swaps_the_axes() {
        let matrix = HostTensor { shape: vec![2, 3], values: vec![1., 2., 3., 4., 5., 6.] };
        let transpose = matrix.transposed();
        assert_eq!(transpose.shape, [3, 2]);
        assert_eq!(transpose.values, [1., 4., 2., 5., 3., 6.]);
        assert_eq!(transpose.transposed(), matrix);
    }

    #[test]
    fn a_file_reads_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let tensors: BTreeMap<String, HostTensor> = [
            ("b".to_owned(), HostTensor { shape: vec![2], values: vec![0.5, -1.0] }),
            ("a".to_owned(), HostTensor { shape: vec![1, 2], values: vec![3.0, 4.0] }),
        ]
        .into();
        write_safetensors(&path, &tensors).unwrap();
        assert_eq!(read_safetensors(&path).unwrap(), tensors);
    }

    #[test]
    fn damaged_files_are_refused_with_their_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let tensors: BTreeMap<String, HostTensor> =
            [("a".to_owned(), HostTensor { shape: vec![4], values: vec![1.0; 4] })].into();
        write_safetensors(&path, &tensors).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in [0, 4, 12, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let message = read_safetensors(&path).unwrap_err().to_string();
            assert!(message.contains("model.safetensors"), "{message}");
        }
        let nan = [("a".to_owned(), HostTensor { shape: vec![1], values: vec![f32::NAN] })].into();
        write_safetensors(&path, &nan).unwrap();
        assert!(read_safetensors(&path).unwrap_err().to_string().contains("`a` holds NaN"));
    }
}
