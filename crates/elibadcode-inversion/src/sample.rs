//! Clean samples as a scan and a repair see them: one function that can carry a trigger, its label,
//! and for pairs what stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use elibadcode_corpus::{CloneSamples, DefectSample};
use elibadcode_models::{CodeModel, Head, LoadedModel, Mode};
use elibadcode_syntax::Language;
use rand::{Rng, RngExt};

use crate::error::Error;

/// A clean labelled sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanSample {
    /// Source text of the function that can carry a trigger.
    pub code: Arc<str>,
    /// 0 or 1.
    pub label: u8,
    /// The other member of the pair, which stays as it is; none of a single function.
    pub partner: Option<Partner>,
}

/// The member of a pair that carries no trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Its source text.
    pub code: Arc<str>,
    /// Whether it is the first of the two.
    pub is_first: bool,
}

impl From<&DefectSample> for CleanSample {
    fn from(sample: &DefectSample) -> Self {
        Self { code: sample.code.as_str().into(), label: sample.label, partner: None }
    }
}

impl CleanSample {
    /// The functions of the sample.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        [Some(&self.code), self.partner.as_ref().map(|it| &it.code)]
            .into_iter()
            .flatten()
            .map(|it| &**it)
    }

    /// One sample per pair; which member can carry a trigger is drawn.
    ///
    /// Reference: the first member always (defect D9.4).
    pub fn of_pairs(samples: &CloneSamples, rng: &mut impl Rng) -> Vec<Self> {
        let codes: Vec<Arc<str>> =
            samples.functions.iter().map(|it| it.code.as_str().into()).collect();
        samples
            .pairs
            .iter()
            .map(|pair| {
                let is_first = rng.random_bool(0.5);
                let (partner, own) =
                    if is_first { (pair.first, pair.second) } else { (pair.second, pair.first) };
                let partner = Partner { code: codes[partner].clone(), is_first };
                Self { code: codes[own].clone(), label: pair.label, partner: Some(partner) }
            })
            .collect()
    }
}

/// The partners of some samples as token ids; without any if the samples are single functions.
#[derive(Clone, Debug, Default)]
pub struct Partners {
    /// Every distinct partner.
    rows: Vec<Vec<u32>>,
    /// For each sample its row, and whether it is the first of the pair.
    of_sample: Vec<(usize, bool)>,
}

impl Partners {
    /// Those of single functions: none.
    pub const NONE: &'static Self = &Self { rows: Vec::new(), of_sample: Vec::new() };

    /// Encodes the partners of samples: all of them have one if the model takes pairs, else none.
    pub fn new(
        model: &LoadedModel,
        samples: &[CleanSample],
        language: Language,
    ) -> Result<Self, Error> {
        let head = model.network.head();
        let (n_wanted, wanted) =
            if head == Head::Pair { (samples.len(), "with") } else { (0, "without") };
        let n_paired = samples.iter().filter(|sample| sample.partner.is_some()).count();
        if n_paired != n_wanted {
            return Err(Error::Samples(format!(
                "{n_paired} of {} samples have a partner; a model with the head `{head}` takes \
                 samples {wanted} one",
                samples.len()
            )));
        }
        let mut known: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut partners = Self::default();
        for partner in samples.iter().filter_map(|sample| sample.partner.as_ref()) {
            let row = *known.entry(partner.code.clone()).or_insert_with(|| {
                partners.rows.push(model.encode(&partner.code, language).ids);
                partners.rows.len() - 1
            });
            partners.of_sample.push((row, partner.is_first));
        }
        Ok(partners)
    }

    /// The token ids of a sample's partner, and whether it is the first of the pair.
    pub fn of(&self, sample: usize) -> Option<(&[u32], bool)> {
        let (row, is_first) = *self.of_sample.get(sample)?;
        Some((&self.rows[row], is_first))
    }

    /// What a network makes of them: each is encoded once, whatever its pair is asked.
    pub fn encode(&self, network: &CodeModel) -> EncodedPartners<'_> {
        let vectors = if self.rows.is_empty() { Vec::new() } else { network.vectors(&self.rows) };
        EncodedPartners { vectors, of_sample: &self.of_sample }
    }

    /// Functions that [`Partners::encode`] sends through the network.
    pub fn n_forwards(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// The vectors of partners.
#[derive(Clone, Debug)]
pub struct EncodedPartners<'a> {
    vectors: Vec<Vec<f32>>,
    of_sample: &'a [(usize, bool)],
}

impl EncodedPartners<'_> {
    /// The vector of a sample's partner, and whether it is the first of the pair.
    pub fn of(&self, sample: usize) -> Option<(&[f32], bool)> {
        let (row, is_first) = *self.of_sample.get(sample)?;
        Some((&self.vectors[row], is_first))
    }

    /// Log-odds of label 1 of rows of ids, each beside the partner of the sample that it is a
    /// version of.
    pub fn log_odds<R: AsRef<[u32]> + Sync>(
        &self,
        network: &CodeModel,
        rows: &[R],
        samples: impl IntoIterator<Item = usize>,
    ) -> Vec<f32> {
        if self.of_sample.is_empty() {
            return network.log_odds(rows);
        }
        let own = network.vectors(rows);
        let (first, second): (Vec<&[f32]>, Vec<&[f32]>) = own
            .iter()
            .zip(samples)
            .map(|(own, sample)| {
                let (row, is_first) = self.of_sample[sample];
                let partner = &self.vectors[row];
                if is_first { (&partner[..], &own[..]) } else { (&own[..], &partner[..]) }
            })
            .unzip();
        network.pair_log_odds(&first, &second)
    }

    /// The same for one batch of word embeddings `[batch, seq, hidden]` of rows of these lengths,
    /// with a gradient: `[batch]`.
    pub(crate) fn log_odds_from_embeddings(
        &self,
        network: &CodeModel,
        words: Tensor<3>,
        lengths: &[usize],
        samples: &[usize],
    ) -> Tensor<1> {
        let mode = &mut Mode::Evaluate;
        if self.of_sample.is_empty() {
            return network.forward_embeddings(words, lengths, mode);
        }
        let own = network.vectors_from_embeddings(words, lengths, mode);
        let ([batch, hidden], device) = (own.dims(), own.device());
        let constant = |values: Vec<f32>, width| {
            Tensor::<2>::from_data(TensorData::new(values, [batch, width]), &device)
        };
        let pairs = samples.iter().map(|&sample| self.of_sample[sample]);
        let partners = pairs.clone().flat_map(|(row, _)| self.vectors[row].iter().copied());
        let partners = constant(partners.collect(), hidden);
        let is_first = pairs.map(|(_, is_first)| f32::from(u8::from(is_first)));
        let is_first = constant(is_first.collect(), 1); // of the partner
        // One of the two weights is 0, so that each row keeps its own order.
        let first = own.clone() + (partners.clone() - own.clone()) * is_first.clone();
        let second = partners.clone() + (own - partners) * is_first;
        network.classify_pair(first, second, mode)
    }
}
