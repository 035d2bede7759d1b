//! Scaled dot-product attention on a CPU, a few queries at a time.
//!
//! burn multiplies queries by keys into a tensor of scores, `[batch, heads, queries, keys]`, which is ten
//! times the size of what goes in, and passes over it again and again. Here the scores of a few queries are
//! in the cache from the product to the weighted sum, and all heads are read where the projections left
//! them.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::host::{differentiable, floats, read_floats};
use crate::softmax::{Visible, gradient_line, softmax_line};
use crate::vector::vectorized;

/// Queries that are worked on together.
const QUERIES: usize = 4;
/// Keys, or dimensions of a head, that are worked on together.
const LANES: usize = 16;

/// What queries `[batch, queries, hidden]` gather from keys and values `[batch, seq, hidden]`, of a CPU:
/// `softmax(scale q kᵀ) v` by head, over the visible keys.
pub(crate) fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    n_heads: usize,
    scale: f32,
    visible: &Visible,
) -> Tensor<3> {
    let ([batch, n_queries, hidden], [_, seq, _]) = (query.dims(), key.dims());
    let sizes = Sizes { n_queries, seq, hidden, head: hidden / n_heads, scale };
    let n_keys: Vec<usize> = (0..batch).map(|row| visible.n_keys(row, n_queries - 1)).collect();
    let device = query.device();
    if !device.is_autodiff() {
        let [query, key, value] = [query, key, value].map(Tensor::into_data);
        let inputs = [&query, &key, &value].map(read_floats);
        let mut output = vec![0.0; inputs[0].len()];
        sizes.rows(inputs, &n_keys).zip(output.par_chunks_mut(sizes.n_queries * hidden)).for_each(
            |(row, output)| {
                vectorized(
                    #[inline(always)]
                    || row.forward(output, &mut |_, _, _| ()),
                );
            },
        );
        return Tensor::from_data(TensorData::new(output, [batch, n_queries, hidden]), &device);
    }
    let inputs = [query, key, value].map(Tensor::into_dispatch);
    differentiable(&device, inputs, |inputs| {
        let values = inputs.each_ref().map(read_floats);
        let mut output = vec![0.0; values[0].len()];
        let weights: Vec<Vec<f32>> = sizes
            .rows(values, &n_keys)
            .zip(output.par_chunks_mut(n_queries * hidden))
            .map(|(row, output)| {
                vectorized(
                    #[inline(always)]
                    || row.forward_with_weights(output),
                )
            })
            .collect();
        let back = move |gradient: TensorData, is_asked_for: [bool; 3]| {
            let gradients = sizes.backward(&inputs, &n_keys, &weights, gradient);
            let mut asked_for = is_asked_for.into_iter();
            gradients.map(|it| asked_for.next().unwrap_or_default().then_some(it))
        };
        (TensorData::new(output, [batch, n_queries, hidden]), Arc::new(back))
    })
}

/// Lengths of a batch.
#[derive(Clone, Copy)]
struct Sizes {
    n_queries: usize,
    seq: usize,
    hidden: usize,
    /// Dimensions of a head.
    head: usize,
    scale: f32,
}

/// One row of a batch: its queries, keys and values, each `[…, hidden]`, and how many keys they see.
struct Row<'a> {
    sizes: Sizes,
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    n_keys: usize,
}

impl Sizes {
    /// The rows of a batch of queries, keys and values.
    fn rows<'a>(
        self,
        [query, key, value]: [&'a [f32]; 3],
        n_keys: &'a [usize],
    ) -> impl IndexedParallelIterator<Item = Row<'a>> {
        let (queries, keys) = (self.n_queries * self.hidden, self.seq * self.hidden);
        let inputs =
            query.par_chunks(queries).zip(key.par_chunks(keys)).zip(value.par_chunks(keys));
        inputs.zip(n_keys).map(move |(((query, key), value), &n_keys)| Row {
            sizes: self,
            query,
            key,
            value,
            n_keys,
        })
    }

    /// The gradients of queries, keys and values.
    fn backward(
        self,
        inputs: &[TensorData; 3],
        n_keys: &[usize],
        weights: &[Vec<f32>],
        mut gradient: TensorData,
    ) -> [TensorData; 3] {
        let values = inputs.each_ref().map(read_floats);
        let mut gradients = values.map(|it| vec![0.0; it.len()]);
        let [query, key, value] = &mut gradients;
        let (queries, keys) = (self.n_queries * self.hidden, self.seq * self.hidden);
        let of_inputs = query
            .par_chunks_mut(queries)
            .zip(key.par_chunks_mut(keys))
            .zip(value.par_chunks_mut(keys));
        self.rows(values, n_keys)
            .zip(weights)
            .zip(floats(&mut gradient).par_chunks(queries))
            .zip(of_inputs)
            .for_each(|(((row, weights), gradient), ((query, key), value))| {
                vectorized(
                    #[inline(always)]
                    || row.backward(weights, gradient, [query, key, value]),
                );
            });
        let shapes = inputs.each_ref().map(|it| it.shape().clone());
        let [query, key, value] = gradients;
        let [of_queries, of_keys, of_values] = shapes;
        [
            TensorData::new(query, of_queries),
            TensorData::new(key, of_keys),
            TensorData::new(value, of_values),
        ]
    }
}

impl Row<'_> {
    /// Fills `[queries, hidden]`; `observe` gets the weights of some queries, their head and the first of
    /// them.
    #[inline(always)]
    fn forward(&self, output: &mut [f32], observe: &mut impl FnMut(&Lines, usize, usize)) {
        let Sizes { n_queries, hidden, head, scale, .. } = self.sizes;
        let mut query = Lines::new(head);
        let mut weights = Lines::new(self.n_keys);
        let mut keys = Panels::new(head, self.n_keys);
        let mut values = Panels::new(self.n_keys, head);
        for first in (0..hidden).step_by(head) {
            let columns = first..first + head;
            keys.read_transposed(self.key, hidden, columns.clone());
            values.read(self.value, hidden, columns.clone());
            for start in (0..n_queries).step_by(QUERIES) {
                query.read(self.query, hidden, columns.clone(), start, scale);
                keys.multiply(&query, &mut weights);
                for line in weights.lines_mut() {
                    softmax_line(line);
                }
                observe(&weights, first / head, start);
                values.multiply(&weights, &mut query);
                query.write(output, hidden, columns.clone(), start);
            }
        }
    }

    /// The same; gives the weights, `[heads, queries, keys]`.
    #[inline(always)]
    fn forward_with_weights(&self, output: &mut [f32]) -> Vec<f32> {
        let Sizes { n_queries, hidden, head, .. } = self.sizes;
        let mut all = vec![0.0; hidden / head * n_queries * self.n_keys];
        self.forward(output, &mut |weights, head, start| {
            let lines = &mut all[head * n_queries * self.n_keys..][..n_queries * self.n_keys];
            weights.write(lines, self.n_keys, 0..self.n_keys, start);
        });
        all
    }

    /// Adds to the gradients of queries, keys and values, from the weights and the gradient of the output.
    #[inline(always)]
    fn backward(&self, weights: &[f32], gradient: &[f32], of_inputs: [&mut [f32]; 3]) {
        let Sizes { n_queries, hidden, head, scale, .. } = self.sizes;
        let n_keys = self.n_keys;
        let [of_query, of_key, of_value] = of_inputs;
        let (mut query, mut context) = (Lines::new(head), Lines::new(head));
        let (mut weight, mut score) = (Lines::new(n_keys), Lines::new(n_keys));
        let (mut values, mut keys) = (Panels::new(head, n_keys), Panels::new(n_keys, head));
        let (mut of_values, mut of_keys) = (Panels::new(n_keys, head), Panels::new(n_keys, head));
        for (index, first) in (0..hidden).step_by(head).enumerate() {
            let columns = first..first + head;
            let weights = &weights[index * n_queries * n_keys..][..n_queries * n_keys];
            values.read_transposed(self.value, hidden, columns.clone());
            keys.read(self.key, hidden, columns.clone());
            of_values.values.fill(0.0);
            of_keys.values.fill(0.0);
            for start in (0..n_queries).step_by(QUERIES) {
                context.read(gradient, hidden, columns.clone(), start, 1.0);
                weight.read(weights, n_keys, 0..n_keys, start, 1.0);
                of_values.add_products(&weight, &context);
                values.multiply(&context, &mut score);
                for (score, weight) in score.lines_mut().zip(weight.lines()) {
                    gradient_line(score, weight);
                }
                query.read(self.query, hidden, columns.clone(), start, scale);
                of_keys.add_products(&score, &query);
                keys.multiply(&score, &mut query);
                for line in query.lines_mut() {
                    for value in line {
                        *value *= scale;
                    }
                }
                query.write(of_query, hidden, columns.clone(), start);
            }
            of_keys.write(of_key, hidden, columns.clone());
            of_values.write(of_value, hidden, columns);
        }
    }
}

/// Some lines of one length, of as many queries; those behind the last query are zero.
struct Lines {
    width: usize,
    /// Places of a line: its width, and what makes it a multiple of [`LANES`].
    stride: usize,
    values: Vec<f32>,
}

impl Lines {
    fn new(width: usize) -> Self {
        let stride = width.next_multiple_of(LANES);
        Self { width, stride, values: vec![0.0; QUERIES * stride] }
    }

    #[inline(always)]
    fn lines(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.stride).map(|it| &it[..self.width])
    }

    #[inline(always)]
    fn lines_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.stride).map(|it| &mut it[..self.width])
    }

    /// Takes these columns of lines from `start` on, times `scale`, of a matrix with lines of this length.
    #[inline(always)]
    fn read(
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

    /// Puts the lines into these columns of lines from `start` on, as far as there are any.
    #[inline(always)]
    fn write(&self, matrix: &mut [f32], length: usize, columns: Range<usize>, start: usize) {
        let targets = matrix.chunks_exact_mut(length).skip(start);
        for (target, line) in targets.zip(self.lines()) {
            target[columns.clone()].copy_from_slice(line);
        }
    }
}

/// A matrix in panels of [`LANES`] columns, those of the last filled up with zeros.
struct Panels {
    n_lines: usize,
    n_columns: usize,
    values: Vec<f32>,
}

impl Panels {
    fn new(n_lines: usize, n_columns: usize) -> Self {
        let n_panels = n_columns.div_ceil(LANES);
        Self { n_lines, n_columns, values: vec![0.0; n_panels * n_lines * LANES] }
    }

    /// Takes these columns of the first lines of a matrix with lines of this length.
    #[inline(always)]
    fn read(&mut self, matrix: &[f32], length: usize, columns: Range<usize>) {
        for (index, panel) in self.values.chunks_exact_mut(self.n_lines * LANES).enumerate() {
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
    fn read_transposed(&mut self, matrix: &[f32], length: usize, columns: Range<usize>) {
        let sources = matrix[..self.n_columns * length].chunks(LANES * length);
        for (panel, lines) in self.values.chunks_exact_mut(self.n_lines * LANES).zip(sources) {
            for (lane, line) in lines.chunks_exact(length).enumerate() {
                for (target, &value) in panel.chunks_exact_mut(LANES).zip(&line[columns.clone()]) {
                    target[lane] = value;
                }
            }
        }
    }

    /// `lines × self`.
    #[inline(always)]
    fn multiply(&self, lines: &Lines, product: &mut Lines) {
        let stride = lines.stride;
        let [a, b, c, d] = [0, 1, 2, 3].map(|it| &lines.values[it * stride..][..self.n_lines]);
        for (index, panel) in self.values.chunks_exact(self.n_lines * LANES).enumerate() {
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
    fn add_products(&mut self, a: &Lines, b: &Lines) {
        let factors = [0, 1, 2, 3].map(|it| &a.values[it * a.stride..][..self.n_lines]);
        for (index, panel) in self.values.chunks_exact_mut(self.n_lines * LANES).enumerate() {
            let line = |it: usize| -> [f32; LANES] {
                std::array::from_fn(|lane| b.values[it * b.stride + index * LANES + lane])
            };
            let [of_a, of_b, of_c, of_d] = [0, 1, 2, 3].map(line);
            let [a, b, c, d] = factors;
            let factors = a.iter().zip(b).zip(c.iter().zip(d));
            for (((a, b), (c, d)), sums) in factors.zip(panel.as_chunks_mut().0) {
                let first = plus(plus(*sums, *a, &of_a), *b, &of_b);
                *sums = plus(plus(first, *c, &of_c), *d, &of_d);
            }
        }
    }

    /// Puts the lines into these columns of the first lines of a matrix.
    #[inline(always)]
    fn write(&self, matrix: &mut [f32], length: usize, columns: Range<usize>) {
        for (index, panel) in self.values.chunks_exact(self.n_lines * LANES).enumerate() {
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

#[cfg(test)]
mod tests {
    use burn::tensor::activation::softmax;

    use super::*;
    use crate::activation::tests::{assert_close, cpu};

    /// `[3, n, 2 * head]`.
    fn tensor(n: usize, head: usize, factor: usize) -> Tensor<3> {
        let values: Vec<f32> =
            (0..3 * n * 2 * head).map(|it| ((it * factor) % 31) as f32 / 9.0 - 1.6).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([3, n, 2 * head])
    }

    /// In burn's operations, of rows with 21, 3 and 1 visible keys.
    fn by_burn(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>) -> Tensor<3> {
        let shape = query.dims();
        let [query, key, value] = [query, key, value].map(|it| {
            let [batch, n, hidden] = it.dims();
            it.reshape([batch, n, 2, hidden / 2]).swap_dims(1, 2)
        });
        let scores = query.matmul(key.swap_dims(2, 3)) * 0.3;
        let mask: Vec<f32> = [21, 3, 1]
            .iter()
            .flat_map(|&length| (0..21).map(move |key| if key < length { 0.0 } else { -1e9 }))
            .collect();
        let mask = Tensor::<1>::from_floats(mask.as_slice(), &cpu()).reshape([3, 1, 1, 21]);
        let mask = if scores.device().is_autodiff() { Tensor::from_inner(mask) } else { mask };
        softmax(scores + mask, 3).matmul(value).swap_dims(1, 2).reshape(shape)
    }

    #[track_caller]
    fn check(n_queries: usize, head: usize) {
        let visible = Visible::tokens(&[21, 3, 1], 21, &cpu());
        let ours = |query, key, value| attention(query, key, value, 2, 0.3, &visible);
        let inputs = || [tensor(n_queries, head, 7), tensor(21, head, 11), tensor(21, head, 13)];
        let [query, key, value] = inputs();
        assert_close(ours(query.clone(), key.clone(), value.clone()), by_burn(query, key, value));

        let of = |apply: &dyn Fn(Tensor<3>, Tensor<3>, Tensor<3>) -> Tensor<3>| {
            let [query, key, value] = inputs().map(|it| it.autodiff().require_grad());
            let output = apply(query.clone(), key.clone(), value.clone());
            let weighted = output.clone() * Tensor::from_inner(tensor(n_queries, head, 17));
            let gradients = weighted.sum().backward();
            let gradient = |it: Tensor<3>| it.grad(&gradients).expect("it requires a gradient");
            [output.inner(), gradient(query), gradient(key), gradient(value)]
        };
        for (ours, theirs) in of(&ours).into_iter().zip(of(&by_burn)) {
            assert_close(ours, theirs);
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_burn() {
        check(21, 16);
        check(5, 8);
        check(1, 20);
        check(4, 64);
    }
}
