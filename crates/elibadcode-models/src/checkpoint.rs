//! Tensors in main memory, and the number formats that files keep them in.

/// A dense row-major `f32` tensor in main memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HostTensor {
    /// Size of each axis.
    pub(crate) shape: Vec<usize>,
    /// `shape.product()` values.
    pub(crate) values: Vec<f32>,
}

impl HostTensor {
    /// The transpose of a matrix: `[rows, columns]` becomes `[columns, rows]`.
    pub(crate) fn transposed(&self) -> Self {
        let [rows, columns] = self.shape[..] else { panic!("only a matrix has a transpose") };
        let mut values = vec![0.0; self.values.len()];
        // In tiles: a column of a large matrix touches a cache line per value.
        for (row_tile, column_tile) in (0..rows)
            .step_by(TILE)
            .flat_map(|row| (0..columns).step_by(TILE).map(move |column| (row, column)))
        {
            for row in row_tile..(row_tile + TILE).min(rows) {
                for column in column_tile..(column_tile + TILE).min(columns) {
                    values[column * rows + row] = self.values[row * columns + column];
                }
            }
        }
        Self { shape: vec![columns, rows], values }
    }
}

const TILE: usize = 32;

pub(crate) fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// How a file keeps a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ElementType {
    F64,
    F32,
    F16,
    BF16,
}

impl ElementType {
    /// Bytes of a number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The name in run records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        }
    }

    /// Little-endian numbers as f32.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f32> {
        let half = |pair: &[u8]| u16::from_le_bytes([pair[0], pair[1]]);
        match self {
            Self::F64 => bytes
                .chunks_exact(8)
                .map(|it| {
                    f64::from_le_bytes([it[0], it[1], it[2], it[3], it[4], it[5], it[6], it[7]])
                        as f32
                })
                .collect(),
            Self::F32 => bytes
                .chunks_exact(4)
                .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
                .collect(),
            Self::BF16 => bytes
                .chunks_exact(2)
                .map(|pair| f32::from_bits(u32::from(half(pair)) << 16))
                .collect(),
            Self::F16 => bytes.chunks_exact(2).map(|pair| f32_from_f16(half(pair))).collect(),
        }
    }
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
        assert_eq!(ElementType::BF16.values(&[0x40, 0x3f, 0x00, 0xc0]), [0.75, -2.0]);
        assert_eq!(ElementType::F64.values(&1.5f64.to_le_bytes()), [1.5]);
    }

    #[test]
    fn a_transpose_swaps_the_axes() {
        let matrix = HostTensor { shape: vec![2, 3], values: vec![1., 2., 3., 4., 5., 6.] };
        let transpose = matrix.transposed();
        assert_eq!(transpose.shape, [3, 2]);
        assert_eq!(transpose.values, [1., 4., 2., 5., 3., 6.]);
        assert_eq!(transpose.transposed(), matrix);
        let values: Vec<f32> = (0..70 * 45).map(|it| it as f32).collect();
        let matrix = HostTensor { shape: vec![70, 45], values };
        assert_eq!(
            matrix.transposed().values[44 * 70 + 69].to_bits(),
            matrix.values[69 * 45 + 44].to_bits()
        );
        assert_eq!(matrix.transposed().transposed(), matrix);
    }
}
