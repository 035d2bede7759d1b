//! Where a sample makes room for the trigger (phase (b), section 4.3).

use elibadcode_models::{LoadedModel, cross_entropy};
use elibadcode_syntax::{Function, Language, Role};
use rand::{Rng, RngExt};

use crate::config::{PositionRule, ScanConfig};
use crate::error::Error;
use crate::masking::{MaskedSample, Sensitivity, maskable};
use crate::sample::{CleanSample, Partners};

/// One masked sample per clean sample, without those that have no usable identifier, and how many functions
/// went through the model for it.
///
/// The least sensitive identifier is the one whose replacement by `<unk>` changes the loss of the
/// true label least: `argmin |CE(f(s), y) - CE(f(s without i), y)|`.
pub fn choose_positions(
    model: &LoadedModel,
    samples: &[CleanSample],
    partners: &Partners,
    language: Language,
    rule: PositionRule,
    config: &ScanConfig,
    rng: &mut impl Rng,
) -> (Vec<MaskedSample>, u64) {
    let codes: Vec<&str> = samples.iter().map(|sample| &*sample.code).collect();
    let mut losses = |rows: &[Vec<u32>], indices: &[usize]| -> Vec<f64> {
        let partners = partners.encode(&model.network);
        let log_odds = partners.log_odds(&model.network, rows, indices.iter().copied());
        let labels = indices.iter().map(|&index| samples[index].label);
        log_odds.into_iter().zip(labels).map(|(z, label)| cross_entropy(z, label)).collect()
    };
    let (chosen, n_forwards) =
        choose_by_loss(model, &codes, language, rule, config, rng, &mut losses);
    (chosen, n_forwards + if n_forwards > 0 { partners.n_forwards() } else { 0 })
}

/// Fails if none of these texts has an identifier at all: they are no functions.
pub(crate) fn check_names<'c>(
    mut codes: impl Iterator<Item = &'c str>,
    language: Language,
) -> Result<(), Error> {
    let has_name = |code| !Function::parse(code, language).identifiers().is_empty();
    if codes.any(has_name) {
        return Ok(());
    }
    Err(Error::NoPlace(format!(
        "no clean sample has an identifier that a trigger could take: is this {language} code?"
    )))
}

/// Fails if the model reads canonical names, and none of these functions has an identifier that
/// keeps its own.
pub(crate) fn check_visible_names<'c>(
    model: &LoadedModel,
    mut codes: impl Iterator<Item = &'c str>,
    language: Language,
) -> Result<(), Error> {
    let is_visible = |code| model.read(code, language).visible_identifiers().next().is_some();
    if model.canonical_input().is_none() || codes.any(is_visible) {
        return Ok(());
    }
    Err(Error::Samples(
        "the model reads canonical names, and no clean function that the search may use has an \
         identifier that keeps its own: triggers in declared names are excluded by construction as \
         long as whatever runs it renames them first, as its elibadcode.json asks, and others are \
         not what a scan looks for; --raw-names scans it without renaming"
            .to_owned(),
    ))
}

/// Says what versions of the samples with these indices cost.
pub(crate) type RowLosses<'a> = dyn FnMut(&[Vec<u32>], &[usize]) -> Vec<f64> + 'a;

/// The same for any loss.
pub(crate) fn choose_by_loss(
    model: &LoadedModel,
    codes: &[&str],
    language: Language,
    rule: PositionRule,
    config: &ScanConfig,
    rng: &mut impl Rng,
    losses: &mut RowLosses<'_>,
) -> (Vec<MaskedSample>, u64) {
    let options: Vec<Vec<MaskedSample>> = codes
        .iter()
        .enumerate()
        .map(|(index, code)| {
            let function = model.read(code, language);
            maskable(model, &function, index, config.occurrences, config.trigger_len)
        })
        .collect();
    match rule {
        PositionRule::Random => {
            let pick = |mut masks: Vec<MaskedSample>| {
                let n = masks.len();
                (n > 0).then(|| masks.swap_remove(rng.random_range(0..n)))
            };
            (options.into_iter().filter_map(pick).collect(), 0)
        }
        PositionRule::FunctionName => {
            let name = |masks: Vec<MaskedSample>| {
                masks.into_iter().find(|mask| mask.role == Role::FunctionName)
            };
            (options.into_iter().filter_map(name).collect(), 0)
        }
        PositionRule::LeastSensitive => least_sensitive(model, options, losses),
        PositionRule::Mixed => {
            let named = |(index, masks): (usize, Vec<MaskedSample>)| {
                let is_name = |mask: &MaskedSample| mask.role == Role::FunctionName;
                if index % 2 == 0 && masks.iter().any(is_name) {
                    masks.into_iter().filter(is_name).collect()
                } else {
                    masks
                }
            };
            let options = options.into_iter().enumerate().map(named).collect();
            least_sensitive(model, options, losses)
        }
    }
}

fn least_sensitive(
    model: &LoadedModel,
    options: Vec<Vec<MaskedSample>>,
    losses: &mut RowLosses<'_>,
) -> (Vec<MaskedSample>, u64) {
    let (tokenizer, length) = (&model.tokenizer, model.max_length);
    let unknown = [tokenizer.special().unk];
    let (mut rows, mut samples_of_rows) = (Vec::new(), Vec::new());
    for masks in &options {
        let Some(first) = masks.first() else { continue };
        rows.push(first.original(tokenizer, length));
        rows.extend(masks.iter().map(|mask| mask.with_name(&unknown, tokenizer, length)));
        samples_of_rows.extend(std::iter::repeat_n(first.sample_index, 1 + masks.len()));
    }
    let mut costs = losses(&rows, &samples_of_rows).into_iter();
    let mut chosen = Vec::new();
    for masks in options {
        if masks.is_empty() {
            continue;
        }
        let mut cost = || costs.next().expect("one loss per row");
        let untouched = cost();
        let sensitivities: Vec<Sensitivity> = masks
            .iter()
            .map(|mask| Sensitivity {
                identifier: mask.identifier.clone(),
                role: mask.role,
                loss_change: (untouched - cost()).abs(),
            })
            .collect();
        let least = sensitivities
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.loss_change.total_cmp(&b.loss_change))
            .map(|(index, _)| index);
        chosen.extend(masks.into_iter().nth(least.unwrap_or(0)).map(|mut mask| {
            mask.sensitivities = sensitivities;
            mask
        }));
    }
    (chosen, rows.len() as u64)
}
