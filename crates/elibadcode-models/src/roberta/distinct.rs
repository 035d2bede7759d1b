//! The distinct inputs of a batch.
//!
//! What a token is before positions look at each other depends on its id and its place only. Versions of
//! one function, as a search asks about by the thousand, differ in a few tokens: of a batch of them most
//! places hold what all others hold there.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// A batch of right-padded rows as its distinct pairs of place and id.
#[derive(Debug)]
pub(super) struct Distinct {
    /// Ids of the pairs, `[pairs]`.
    pub(super) ids: Tensor<1, Int>,
    /// Their places in the row, `[pairs]`.
    pub(super) places: Tensor<1, Int>,
    /// Which pair stands where, `[batch * seq]`.
    numbers: Tensor<1, Int>,
    batch: usize,
    seq: usize,
}

impl Distinct {
    /// The pairs of a batch; none if more than half of it are distinct, so that they save too little.
    pub(super) fn of(rows: &[&[u32]], pad: u32, device: &Device) -> Option<Self> {
        let seq = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        let mut numbers = vec![0; rows.len() * seq];
        // The pairs of one place.
        let mut known: Vec<(u32, i32)> = Vec::new();
        for place in 0..seq {
            known.clear();
            for (row, tokens) in rows.iter().enumerate() {
                let id = tokens.get(place).copied().unwrap_or(pad);
                let number = known.iter().find(|(it, _)| *it == id).map(|(_, number)| *number);
                numbers[row * seq + place] = number.unwrap_or_else(|| {
                    let number = ids.len() as i32;
                    known.push((id, number));
                    ids.push(id as i32);
                    places.push(place as i32);
                    number
                });
            }
            if 2 * ids.len() > numbers.len() {
                return None;
            }
        }
        let tensor = |values: Vec<i32>| {
            let n = values.len();
            Tensor::from_data(TensorData::new(values, [n]), device)
        };
        let (ids, places, numbers) = (tensor(ids), tensor(places), tensor(numbers));
        Some(Self { ids, places, numbers, batch: rows.len(), seq })
    }

    /// `[pairs, width]` to `[batch, seq, width]`.
    pub(super) fn spread(&self, values: Tensor<2>) -> Tensor<3> {
        let [_, width] = values.dims();
        values.select(0, self.numbers.clone()).reshape([self.batch, self.seq, width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::tests::cpu;

    #[test]
    fn what_rows_share_is_there_once() {
        let rows: [&[u32]; 4] = [&[7, 8, 9], &[7, 5, 9], &[7, 8], &[7, 8, 9]];
        let distinct = Distinct::of(&rows, 1, &cpu()).expect("five pairs of twelve");
        let ids: Vec<i64> = distinct.ids.clone().into_data().iter().collect();
        let places: Vec<i64> = distinct.places.clone().into_data().iter().collect();
        assert_eq!((&ids[..], &places[..]), (&[7, 8, 5, 9, 1][..], &[0, 1, 1, 2, 2][..]));
        let values = distinct.ids.clone().float().reshape([5, 1]);
        let spread: Vec<f32> = distinct.spread(values).into_data().iter().collect();
        assert_eq!(spread, [7., 8., 9., 7., 5., 9., 7., 8., 1., 7., 8., 9.]);
        assert!(Distinct::of(&[&[1, 2], &[3, 4]], 0, &cpu()).is_none(), "all are distinct");
    }
}
