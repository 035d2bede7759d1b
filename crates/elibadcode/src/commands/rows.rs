//! Samples as a model reads them, with what they teach.

use elibadcode_corpus::{
    ClonePair, CloneSamples, DefectSample, LabelledIds, LabelledPairIds, SearchIds, SearchSample,
};
use elibadcode_models::{LoadedModel, SearchRow};
use elibadcode_syntax::Language;
use rayon::prelude::*;

/// Functions with their labels.
pub(super) fn labelled(
    model: &LoadedModel,
    samples: &[DefectSample],
    language: Language,
) -> Vec<LabelledIds> {
    let row = |sample: &DefectSample| LabelledIds {
        ids: model.encode(&sample.code, language).ids,
        label: sample.label,
    };
    samples.par_iter().map(row).collect()
}

/// Pairs with their labels; each function is encoded once.
pub(super) fn pairs(
    model: &LoadedModel,
    samples: &CloneSamples,
    language: Language,
) -> Vec<LabelledPairIds> {
    let ids: Vec<Vec<u32>> =
        samples.functions.par_iter().map(|it| model.encode(&it.code, language).ids).collect();
    let row = |pair: &ClonePair| LabelledPairIds {
        first: ids[pair.first].clone(),
        second: ids[pair.second].clone(),
        label: pair.label,
    };
    samples.pairs.iter().map(row).collect()
}

/// Functions with their queries.
pub(super) fn queries(
    model: &LoadedModel,
    samples: &[SearchSample],
    language: Language,
) -> Vec<SearchRow> {
    let row = |sample: &SearchSample| SearchIds {
        code: model.encode(&sample.code, language).ids,
        query: model.encode_query(&sample.query),
    };
    SearchRow::number(samples.par_iter().map(row).collect())
}
