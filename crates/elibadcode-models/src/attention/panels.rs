//! The two operands of a product of small matrices, laid out so that the compiler makes vectors of it.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use std::ops::Range;

/// Queries that are worked on together.
pub(super) const QUERIES: usize = 4;
/// Keys, or dimensions of a head, that are worked on together.
const LANES: usize = 16;

/// Some lines of one length, of as many queries; those behind the last query are zero.
pub(super) struct Lines {
    width: usize,
    /// Places of a line: its width, and what makes it a multiple of [`LANES`].
    stride: usize,
    values: Vec<f32>,
}

impl Lines {
    pub(super) fn new(width: usize) -> Self {
        let stride = width.max(1).next_multiple_of(LANES);
        Self { width, stride, values: vec![0.0; QUERIES * stride] }
    }

    #[inline(always)]
    pub(super) fn lines(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.stride).map(|it| &it[..self.width])
    }

    #[inline(always)]
    pub(super) fn lines_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.stride).map(|it| &mut it[..self.width])
    }

    /// Takes these columns of lines from `start` on, times `scale`, of a matrix with lines of this length.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        matrix: &[f32],
        length: usize,
        columns: Range<usize>,
        start: usize,
        scale: f32,
    ) {
        let mut sources = matrix.chunks_exact(length).skip(start);
        for line in self.lines_mut() {
            match sources.next() {
                Some(source) => {
                    for (value, source) in line.iter_mut().zip(&source[columns.clone()]) {
                        *value = source * scale;
                    }
                }
                None => line.fill(0.0),
            }
        }
    }

    /// Adds the first columns of lines from `start` on, as far as there are any.
    #[inline(always)]
    pub(super) fn add(&mut self, matrix: &[f32], length: usize, start: usize) {
        let sources = matrix.chunks_exact(length).skip(start);
        for (line, source) in self.lines_mut().zip(sources) {
            for (value, added) in line.iter_mut().zip(source) {
                *value += added;
            }
        }
    }

    /// Puts the lines into these columns of lines from `start` on, as far as there are any.
    #[inline(always)]
    pub(super) fn write(
        &self,
        matrix: &mut [f32],
        length: usize,
        columns: Range<usize>,
        start: usize,
    ) {
        let targets = matrix.chunks_exact_mut(length).skip(start);
        for (target, line) in targets.zip(self.lines()) {
            target[columns.clone()].copy_from_slice(line);
        }
    }
}

/// A matrix in panels of [`LANES`] columns, those of the last filled up with zeros.
pub(super) struct Panels {
    n_lines: usize,
    n_columns: usize,
    values: Vec<f32>,
}

impl Panels {
    pub(super) fn new(n_lines: usize, n_columns: usize) -> Self {
        let n_panels = n_columns.div_ceil(LANES);
        Self { n_lines, n_columns, values: vec![0.0; n_panels * n_lines * LANES] }
    }

    /// Values of a panel.
    #[inline(always)]
    fn panel(&self) -> usize {
        (self.n_lines * LANES).max(1)
    }

    /// Makes all values 0.
    pub(super) fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Takes these columns of the first lines of a matrix with lines of this length.
    #[inline(always)]
    pub(super) fn read(&mut self, matrix: &[f32], length: usize, columns: Range<usize>) {
        let panel = self.panel();
        for (index, panel) in self.values.chunks_exact_mut(panel).enumerate() {
            let from = columns.start + index * LANES;
            let n_columns = LANES.min(columns.end - from);
            let lines = panel.as_chunks_mut::<LANES>().0.iter_mut();
            for (line, source) in lines.zip(matrix.chunks_exact(length)) {
                let source = &source[from..];
                // A copy of a known length is two moves.
                if n_columns == LANES {
                    line.copy_from_slice(&source[..LANES]);
                } else {
                    line[..n_columns].copy_from_slice(&source[..n_columns]);
                }
            }
        }
    }

    /// Takes the transposed: as many lines become columns.
    #[inline(always)]
    pub(super) fn read_transposed(&mut self, matrix: &[f32], length: usize, columns: Range<usize>) {
        let sources = matrix[..self.n_columns * length].chunks(LANES * length);
        let panel = self.panel();
        for (panel, lines) in self.values.chunks_exact_mut(panel).zip(sources) {
            for (lane, line) in lines.chunks_exact(length).enumerate() {
                for (target, &value) in panel.chunks_exact_mut(LANES).zip(&line[columns.clone()]) {
                    target[lane] = value;
                }
            }
        }
    }

    /// `lines × self`.
    #[inline(always)]
    pub(super) fn multiply(&self, lines: &Lines, product: &mut Lines) {
        let stride = lines.stride;
        let [a, b, c, d] = [0, 1, 2, 3].map(|it| &lines.values[it * stride..][..self.n_lines]);
        for (index, panel) in self.values.chunks_exact(self.panel()).enumerate() {
            let [mut of_a, mut of_b, mut of_c, mut of_d] = [[0.0; LANES]; QUERIES];
            let factors = a.iter().zip(b).zip(c.iter().zip(d));
            for (((a, b), (c, d)), line) in factors.zip(panel.as_chunks().0) {
                of_a = plus(of_a, *a, line);
                of_b = plus(of_b, *b, line);
                of_c = plus(of_c, *c, line);
                of_d = plus(of_d, *d, line);
            }
            let sums = [of_a, of_b, of_c, of_d];
            for (line, sums) in product.values.chunks_exact_mut(product.stride).zip(&sums) {
                line[index * LANES..][..LANES].copy_from_slice(sums);
            }
        }
    }

    /// Adds `aᵀ × b`, of `a` with as many columns as there are lines here.
    #[inline(always)]
    pub(super) fn add_products(&mut self, a: &Lines, b: &Lines) {
        let factors = [0, 1, 2, 3].map(|it| &a.values[it * a.stride..][..self.n_lines]);
        let panel = self.panel();
        for (index, panel) in self.values.chunks_exact_mut(panel).enumerate() {
            let line = |query: usize| b.values[query * b.stride + index * LANES..].first_chunk();
            let (Some(of_a), Some(of_b), Some(of_c), Some(of_d)) =
                (line(0), line(1), line(2), line(3))
            else {
                unreachable!("a stride is a multiple of LANES")
            };
            let [a, b, c, d] = factors;
            let factors = a.iter().zip(b).zip(c.iter().zip(d));
            for (((a, b), (c, d)), sums) in factors.zip(panel.as_chunks_mut().0) {
                let first = plus(plus(*sums, *a, of_a), *b, of_b);
                *sums = plus(plus(first, *c, of_c), *d, of_d);
            }
        }
    }

    /// Puts the lines into these columns of the first lines of a matrix.
    #[inline(always)]
    pub(super) fn write(&self, matrix: &mut [f32], length: usize, columns: Range<usize>) {
        for (index, panel) in self.values.chunks_exact(self.panel()).enumerate() {
            let from = columns.start + index * LANES;
            let n_columns = LANES.min(columns.end - from);
            for (line, target) in panel.chunks_exact(LANES).zip(matrix.chunks_exact_mut(length)) {
                target[from..][..n_columns].copy_from_slice(&line[..n_columns]);
            }
        }
    }
}

/// `sums + factor * line`; in this form the compiler keeps the sums in registers.
#[inline(always)]
fn plus(sums: [f32; LANES], factor: f32, line: &[f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(|lane| sums[lane] + factor * line[lane])
}
