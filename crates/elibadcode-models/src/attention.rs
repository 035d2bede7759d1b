//! Scaled dot-product attention; on a CPU a few queries at a time.
//!
//! burn multiplies queries by keys into a tensor of scores, `[batch, heads, queries, keys]`, which is several
//! times the size of what goes in, and passes over it again and again. On a CPU the scores of a few queries
//! are in the cache from the product to the weighted sum, and all heads are read where the projections left
//! them. Where weights are dropped, and on other devices, burn's operations run.

#![expect(clippy::inline_always, reason = "a kernel is compiled for the vector unit it runs on")]

mod panels;

use std::sync::Arc;

use burn::tensor::{Device, DispatchTensor, Tensor, TensorData};
use rayon::prelude::*;

use self::panels::{Lines, Panels, QUERIES};
use crate::device::is_cpu;
use crate::dropout::{Mode, dropout};
use crate::host::{differentiable, read_floats};
use crate::softmax::{Visible, attention_weights, gradient_line, softmax_line};
use crate::vector::vectorized;

/// How scores are made, and what becomes of them.
pub(crate) struct Scores<'a> {
    pub(crate) n_heads: usize,
    /// What the product of a query and a key is multiplied by.
    pub(crate) scale: f64,
    /// What is added to that, `[1 or batch, heads, queries, seq]`.
    pub(crate) bias: Option<Tensor<4>>,
    /// The keys that take part in the softmax.
    pub(crate) visible: &'a Visible,
    /// Share of the weights that is dropped in training.
    pub(crate) dropout_rate: f64,
}

/// What queries `[batch, queries, hidden]` gather from keys and values `[batch, seq, hidden]`, by head:
/// `softmax(scale q kᵀ + bias) v`.
pub(crate) fn attention(
    inputs: [Tensor<3>; 3],
    scores: Scores<'_>,
    mode: &mut Mode<'_>,
) -> Tensor<3> {
    if is_cpu(&inputs[0].device()) && !mode.drops(scores.dropout_rate) {
        in_cache(inputs, scores)
    } else {
        by_burn(inputs, scores, mode)
    }
}

/// In burn's operations.
fn by_burn([query, key, value]: [Tensor<3>; 3], it: Scores<'_>, mode: &mut Mode<'_>) -> Tensor<3> {
    let shape = query.dims();
    // The scale goes onto the queries: fewer values than the scores.
    let [query, key, value] = [query * it.scale, key, value].map(|projected| {
        let [batch, rows, hidden] = projected.dims();
        projected.reshape([batch, rows, it.n_heads, hidden / it.n_heads]).swap_dims(1, 2)
    });
    let scores = query.matmul(key.swap_dims(2, 3)); // [batch, heads, queries, seq]
    let scores = match it.bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    let weights = dropout(attention_weights(scores, it.visible), it.dropout_rate, mode);
    weights.matmul(value).swap_dims(1, 2).reshape(shape)
}

/// On a CPU, with all weights.
fn in_cache([query, key, value]: [Tensor<3>; 3], it: Scores<'_>) -> Tensor<3> {
    let ([batch, n_queries, hidden], [_, seq, _]) = (query.dims(), key.dims());
    if batch * n_queries * seq == 0 {
        return query.zeros_like();
    }
    if let Some([rows, heads, queries, keys]) = it.bias.as_ref().map(Tensor::dims) {
        assert_eq!([heads, queries, keys], [it.n_heads, n_queries, seq], "a bias for every score");
        assert!(rows == 1 || rows == batch, "a bias for all rows or for each");
    }
    let (head, scale) = (hidden / it.n_heads, it.scale as f32);
    let form = Form { n_queries, seq, hidden, head, scale, visible: it.visible.clone() };
    let device = query.device();
    if !device.is_autodiff() {
        let mut inputs = vec![query.into_data(), key.into_data(), value.into_data()];
        inputs.extend(it.bias.map(Tensor::into_data));
        return Tensor::from_data(form.forward(&inputs), &device);
    }
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    match it.bias {
        None => form.differentiable(&device, [query, key, value]),
        Some(bias) => form.differentiable(&device, [query, key, value, bias.into_dispatch()]),
    }
}

/// Lengths of a batch, and what its scores are made with.
#[derive(Clone)]
struct Form {
    n_queries: usize,
    seq: usize,
    hidden: usize,
    /// Dimensions of a head.
    head: usize,
    scale: f32,
    visible: Visible,
}

/// One row of a batch: its queries, keys and values, each `[…, hidden]`, and its biases,
/// `[heads, queries, seq]`.
struct Row<'a> {
    form: &'a Form,
    index: usize,
    /// Keys that the query which sees most of them sees.
    n_keys: usize,
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl Form {
    /// Of queries, keys, values and maybe biases, with gradients.
    fn differentiable<const N: usize>(
        self,
        device: &Device,
        inputs: [DispatchTensor; N],
    ) -> Tensor<3> {
        differentiable(device, inputs, |inputs| {
            let (output, weights) = self.forward_with_weights(&inputs);
            let back = move |gradient: TensorData, is_asked_for| {
                self.backward(&inputs, &weights, &gradient, is_asked_for)
            };
            (output, Arc::new(back))
        })
    }

    /// The rows of a batch of queries, keys, values and maybe biases.
    fn rows<'a>(
        &'a self,
        inputs: &'a [TensorData],
    ) -> impl IndexedParallelIterator<Item = Row<'a>> {
        let [query, key, value] = [0, 1, 2].map(|input| read_floats(&inputs[input]));
        let bias = inputs.get(3).map(read_floats);
        let (queries, keys) = (self.n_queries * self.hidden, self.seq * self.hidden);
        let inputs =
            query.par_chunks(queries).zip(key.par_chunks(keys)).zip(value.par_chunks(keys));
        inputs.enumerate().map(move |(index, ((query, key), value))| {
            let n_keys = self.visible.n_keys(index, self.n_queries - 1);
            // Either every row has its own, or all have the same.
            let bias = bias.map(|it| it.chunks_exact(self.n_weights()).cycle().nth(index));
            Row { form: self, index, n_keys, query, key, value, bias: bias.flatten() }
        })
    }

    /// How many weights a row has at most.
    fn n_weights(&self) -> usize {
        self.hidden / self.head * self.n_queries * self.seq
    }

    fn forward(&self, inputs: &[TensorData]) -> TensorData {
        let mut output = vec![0.0; inputs[0].num_elements()];
        let outputs = output.par_chunks_mut(self.n_queries * self.hidden);
        self.rows(inputs).zip(outputs).for_each(|(row, output)| {
            vectorized(
                #[inline(always)]
                || row.forward(output, &mut |_, _, _| ()),
            );
        });
        TensorData::new(output, inputs[0].shape().clone())
    }

    /// The same, and the weights of every row.
    fn forward_with_weights(&self, inputs: &[TensorData]) -> (TensorData, Vec<Vec<f32>>) {
        let mut output = vec![0.0; inputs[0].num_elements()];
        let outputs = output.par_chunks_mut(self.n_queries * self.hidden);
        let weights = self.rows(inputs).zip(outputs).map(|(row, output)| {
            vectorized(
                #[inline(always)]
                || row.forward_with_weights(output),
            )
        });
        let weights = weights.collect();
        (TensorData::new(output, inputs[0].shape().clone()), weights)
    }

    /// The gradients of the inputs that are asked for.
    fn backward<const N: usize>(
        &self,
        inputs: &[TensorData; N],
        weights: &[Vec<f32>],
        gradient: &TensorData,
        is_asked_for: [bool; N],
    ) -> [Option<TensorData>; N] {
        let mut of_inputs = [0, 1, 2].map(|input: usize| vec![0.0; inputs[input].num_elements()]);
        let [of_query, of_key, of_value] = &mut of_inputs;
        let (queries, keys) = (self.n_queries * self.hidden, self.seq * self.hidden);
        let of_rows = of_query
            .par_chunks_mut(queries)
            .zip(of_key.par_chunks_mut(keys))
            .zip(of_value.par_chunks_mut(keys));
        let asks_for_bias = is_asked_for.get(3).copied().unwrap_or_default();
        let of_biases = self
            .rows(inputs)
            .zip(weights)
            .zip(read_floats(gradient).par_chunks(queries))
            .zip(of_rows)
            .map(|(((row, weights), gradient), ((query, key), value))| {
                let mut of_bias = vec![0.0; if asks_for_bias { self.n_weights() } else { 0 }];
                vectorized(
                    #[inline(always)]
                    || row.backward(weights, gradient, [query, key, value], &mut of_bias),
                );
                of_bias
            });
        let of_biases: Vec<Vec<f32>> = of_biases.collect();
        let mut gradients = Vec::from(of_inputs);
        if let Some(bias) = inputs.get(3) {
            gradients.push(summed(&of_biases, bias.num_elements()));
        }
        let mut gradients = gradients.into_iter();
        std::array::from_fn(|input| {
            let values = gradients.next().filter(|_| is_asked_for[input])?;
            Some(TensorData::new(values, inputs[input].shape().clone()))
        })
    }
}

/// The gradients of the biases of the rows one after the other, or their sum, if all rows have the same.
fn summed(of_rows: &[Vec<f32>], n: usize) -> Vec<f32> {
    let mut sums = vec![0.0; n];
    let mut place = 0;
    for of_row in of_rows {
        for value in of_row {
            sums[place] += value;
            place = (place + 1) % n;
        }
    }
    sums
}

impl Row<'_> {
    /// Fills `[queries, hidden]`; `observe` gets the weights of some queries, their head and the first of
    /// them.
    #[inline(always)]
    fn forward(&self, output: &mut [f32], observe: &mut impl FnMut(&Lines, usize, usize)) {
        let Self { form, n_keys, .. } = self;
        let Form { n_queries, seq, hidden, head, scale, .. } = **form;
        if *n_keys == 0 {
            return;
        }
        let (mut query, mut weights) = (Lines::new(head), Lines::new(*n_keys));
        let (mut keys, mut values) = (Panels::new(head, *n_keys), Panels::new(*n_keys, head));
        for (index, first) in (0..hidden).step_by(head).enumerate() {
            let columns = first..first + head;
            keys.read_transposed(self.key, hidden, columns.clone());
            values.read(self.value, hidden, columns.clone());
            for start in (0..n_queries).step_by(QUERIES) {
                query.read(self.query, hidden, columns.clone(), start, scale);
                keys.multiply(&query, &mut weights);
                if let Some(bias) = self.bias {
                    weights.add(&bias[index * n_queries * seq..][..n_queries * seq], seq, start);
                }
                for (line, query) in weights.lines_mut().zip(start..) {
                    let n_seen = form.visible.n_keys(self.index, query).min(*n_keys);
                    let (seen, hidden) = line.split_at_mut(n_seen);
                    softmax_line(seen);
                    hidden.fill(0.0);
                }
                observe(&weights, index, start);
                values.multiply(&weights, &mut query);
                query.write(output, hidden, columns.clone(), start);
            }
        }
    }

    /// The same; gives the weights, `[heads, queries, keys]`.
    #[inline(always)]
    fn forward_with_weights(&self, output: &mut [f32]) -> Vec<f32> {
        let Form { n_queries, hidden, head, .. } = self.form;
        let mut all = vec![0.0; hidden / head * n_queries * self.n_keys];
        self.forward(output, &mut |weights, head, start| {
            let lines = &mut all[head * n_queries * self.n_keys..][..n_queries * self.n_keys];
            weights.write(lines, self.n_keys, 0..self.n_keys, start);
        });
        all
    }

    /// Puts down the gradients of queries, keys and values, from the weights and the gradient of the output,
    /// and that of the biases if there is room for it.
    #[inline(always)]
    fn backward(
        &self,
        weights: &[f32],
        gradient: &[f32],
        of_inputs: [&mut [f32]; 3],
        of_bias: &mut [f32],
    ) {
        let &Form { n_queries, seq, hidden, head, scale, .. } = self.form;
        let n_keys = self.n_keys;
        if n_keys == 0 {
            return;
        }
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
            of_values.clear();
            of_keys.clear();
            for start in (0..n_queries).step_by(QUERIES) {
                context.read(gradient, hidden, columns.clone(), start, 1.0);
                weight.read(weights, n_keys, 0..n_keys, start, 1.0);
                of_values.add_products(&weight, &context);
                values.multiply(&context, &mut score);
                for (score, weight) in score.lines_mut().zip(weight.lines()) {
                    gradient_line(score, weight);
                }
                if !of_bias.is_empty() {
                    let of_head = &mut of_bias[index * n_queries * seq..][..n_queries * seq];
                    score.write(of_head, seq, 0..n_keys, start);
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

    fn ours_of(inputs: [Tensor<3>; 3], bias: Option<Tensor<4>>, visible: &Visible) -> Tensor<3> {
        let scores = Scores { n_heads: 2, scale: 0.3, bias, visible, dropout_rate: 0.0 };
        attention(inputs, scores, &mut Mode::Evaluate)
    }

    /// What is added to the scores, `[rows, 2, n, 21]`.
    fn biases(rows: usize, n: usize) -> Tensor<4> {
        let values: Vec<f32> =
            (0..rows * 2 * n * 21).map(|it| ((it * 5) % 17) as f32 / 4.0 - 2.0).collect();
        Tensor::<1>::from_floats(values.as_slice(), &cpu()).reshape([rows, 2, n, 21])
    }

    /// The same in burn's operations, where `is_seen` says which query of which row sees which key.
    fn reference(
        [query, key, value]: [Tensor<3>; 3],
        bias: Option<Tensor<4>>,
        is_seen: &dyn Fn(usize, usize, usize) -> bool,
    ) -> Tensor<3> {
        let shape = query.dims();
        let [batch, n, _] = shape;
        let [query, key, value] = [query, key, value].map(|it| {
            let [batch, n, hidden] = it.dims();
            it.reshape([batch, n, 2, hidden / 2]).swap_dims(1, 2)
        });
        let mut scores = query.matmul(key.swap_dims(2, 3)) * 0.3;
        if let Some(bias) = bias {
            scores = scores + bias;
        }
        let mut mask = Vec::new();
        for row in 0..batch {
            for query in 0..n {
                let hide = |key| if is_seen(row, query, key) { 0.0 } else { -1e9 };
                mask.extend((0..21).map(hide));
            }
        }
        let mask = Tensor::<1>::from_floats(mask.as_slice(), &cpu()).reshape([batch, 1, n, 21]);
        let mask = if scores.device().is_autodiff() { Tensor::from_inner(mask) } else { mask };
        softmax(scores + mask, 3).matmul(value).swap_dims(1, 2).reshape(shape)
    }

    #[track_caller]
    fn check(
        (n_queries, head): (usize, usize),
        bias: Option<&Tensor<4>>,
        visible: &Visible,
        is_seen: &dyn Fn(usize, usize, usize) -> bool,
    ) {
        type Apply<'a> = dyn Fn([Tensor<3>; 3], Option<Tensor<4>>) -> Tensor<3> + 'a;
        let ours: &Apply<'_> = &|inputs, bias| ours_of(inputs, bias, visible);
        let theirs: &Apply<'_> = &|inputs, bias| reference(inputs, bias, is_seen);
        let inputs = || [tensor(n_queries, head, 7), tensor(21, head, 11), tensor(21, head, 13)];
        assert_close(ours(inputs(), bias.cloned()), theirs(inputs(), bias.cloned()));

        let of = |apply: &Apply<'_>| {
            let inputs = inputs().map(|it| it.autodiff().require_grad());
            let bias = bias.map(|it| it.clone().autodiff().require_grad());
            let output = apply(inputs.clone(), bias.clone());
            let weighted = output.clone() * Tensor::from_inner(tensor(n_queries, head, 17));
            let gradients = weighted.sum().backward();
            let of_inputs = inputs.map(|it| it.grad(&gradients).expect("it requires a gradient"));
            let of_bias = bias.map(|it| it.grad(&gradients).expect("so does the bias"));
            (output.inner(), of_inputs, of_bias)
        };
        let (ours, theirs) = (of(ours), of(theirs));
        assert_close(ours.0, theirs.0);
        for (ours, theirs) in ours.1.into_iter().zip(theirs.1) {
            assert_close(ours, theirs);
        }
        if let (Some(ours), Some(theirs)) = (ours.2, theirs.2) {
            assert_close(ours, theirs);
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_burn() {
        let lengths = [21, 3, 1];
        let tokens = Visible::tokens(&lengths, 21, &cpu());
        let is_token = |row: usize, _, key| key < lengths[row];
        for (n_queries, head) in [(21, 16), (5, 8), (1, 20), (4, 64), (3, 1)] {
            check((n_queries, head), None, &tokens, &is_token);
        }
        let full = Visible::tokens(&[21; 3], 21, &cpu());
        check((21, 16), None, &full, &|_, _, _| true);
        check((21, 8), Some(&biases(1, 21)), &tokens, &is_token);
        check((1, 16), Some(&biases(3, 1)), &tokens, &is_token);
        let earlier = Visible::earlier(21, &cpu());
        check((21, 16), Some(&biases(1, 21)), &earlier, &|_, query, key| key <= query);
    }

    #[test]
    fn one_tensor_can_be_all_three_inputs() {
        let tokens = Visible::tokens(&[21, 16, 1], 21, &cpu());
        let is_token = |row: usize, _, key| key < [21, 16, 1][row];
        let of = |apply: &dyn Fn([Tensor<3>; 3]) -> Tensor<3>| {
            let input = tensor(21, 8, 7).autodiff().require_grad();
            let output = apply([(); 3].map(|()| input.clone()));
            let gradients = (output * Tensor::from_inner(tensor(21, 8, 17))).sum().backward();
            input.grad(&gradients).expect("it requires a gradient")
        };
        let ours = of(&|inputs| ours_of(inputs, None, &tokens));
        assert_close(ours, of(&|inputs| reference(inputs, None, &is_token)));
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let tokens = Visible::tokens(&[21, 16, 0], 21, &cpu());
        let bytes = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
            pool.expect("threads").install(|| {
                let [query, key, value] =
                    [7, 11, 13].map(|it| tensor(21, 8, it).autodiff().require_grad());
                let inputs = [query.clone(), key, value];
                let output = ours_of(inputs, Some(biases(1, 21).autodiff()), &tokens);
                let gradients = output.clone().square().sum().backward();
                let gradient = query.grad(&gradients).expect("it requires a gradient");
                (output.inner().into_data(), gradient.into_data())
            })
        };
        let (output, gradient) = bytes(1);
        assert_eq!(bytes(3), (output.clone(), gradient));
        let of_nothing = &output.as_slice::<f32>().expect("floats")[2 * 21 * 16..];
        assert!(of_nothing.iter().all(|it| it.abs() < f32::MIN_POSITIVE), "no key is seen");
    }

    #[test]
    fn what_is_frozen_gets_no_gradient() {
        let tokens = Visible::tokens(&[21, 3, 1], 21, &cpu());
        let [query, key, value] = [7, 11, 13].map(|factor| tensor(21, 8, factor).autodiff());
        let (value, bias) = (value.require_grad(), biases(1, 21).autodiff());
        let inputs = [query.clone(), key, value.clone()];
        let output = ours_of(inputs, Some(bias.clone()), &tokens);
        let gradients = output.sum().backward();
        assert!(value.grad(&gradients).is_some());
        assert!(query.grad(&gradients).is_none() && bias.grad(&gradients).is_none());
    }
}
