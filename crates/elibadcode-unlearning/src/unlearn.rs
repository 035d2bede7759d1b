//! The repair of a model that gives labels: which samples carry the trigger, and what they teach.

use std::collections::BTreeSet;

use elibadcode_corpus::{LabelledPairIds, Task, stage_rng};
use elibadcode_inversion::{CleanSample, InvertedTrigger, Partners, ScanConfig, TriggerSpace};
use elibadcode_models::{CodeModel, Head, LoadedModel, TrainingConfig, fine_tune};
use elibadcode_syntax::Language;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::checks::{Checks, Measurement, check_answers};
use crate::config::UnlearningConfig;
use crate::error::Error;
use crate::injection::{CheckSample, Places, Row, check_triggers, places, varied};
use crate::lesson::{Teacher, passes};
use crate::parts::{function_numbers, split};
use crate::renaming::Renaming;
use crate::rounds::{Round, UnlearnEvent, Unlearned, repair};

/// Fewer samples of a class than this cannot be divided into training and checks.
const MIN_PER_CLASS: usize = 20;
/// Fewer samples of a class than this cannot vouch for a repair.
const MIN_CHECKS: usize = 5;

/// Makes the model forget the triggers of one (victim → target) pair.
#[expect(clippy::too_many_arguments, reason = "model, data, trigger and settings are all needed")]
pub fn unlearn(
    model: &LoadedModel,
    clean: &[CleanSample],
    language: Language,
    triggers: &[InvertedTrigger],
    (victim_label, target_label): (u8, u8),
    config: &UnlearningConfig,
    seed: u64,
    observe: &mut dyn FnMut(UnlearnEvent),
) -> Result<Unlearned<Checks>, Error> {
    let is_paired = clean.iter().any(|sample| sample.partner.is_some());
    let (task, head) = if is_paired {
        (Task::CloneDetection, Head::Pair)
    } else {
        (Task::DefectDetection, Head::Classification)
    };
    config.validate_for(task)?;
    for label in [victim_label, target_label] {
        let n = clean.iter().filter(|sample| sample.label == label).count();
        if n < MIN_PER_CLASS {
            return Err(Error::Samples(format!(
                "the repair needs at least {MIN_PER_CLASS} clean samples of each label; label \
                 {label} has {n}"
            )));
        }
    }
    model.network.expect_head(head)?;
    check_triggers(model, triggers)?;
    let n_slots = config.n_slots(triggers);
    let mut rng = stage_rng(seed, "unlearn places");
    let partners = Partners::new(model, clean, language)?;
    let places = places(model, clean, &partners, language, n_slots, &mut rng);
    let mut rng = stage_rng(seed, "unlearn split");
    // A partner teaches by its label, or not at all: its vector is given.
    let teaches_partners = !config.keeps_vectors || config.task_weight > 0.0;
    let (kept_aside, training) =
        divide(places, clean, config.check_rate, teaches_partners, &mut rng);
    let mut rng = stage_rng(seed, "unlearn checks");
    // Triggers have the same vocabulary for all tasks.
    let recommended = ScanConfig::recommended(Task::DefectDetection);
    let space = TriggerSpace::new(model, language, &recommended)?;
    let checks: Vec<CheckSample> = kept_aside
        .iter()
        .filter_map(|it| it.check_sample(model, &space, triggers, &mut rng).transpose())
        .collect::<Result<_, _>>()?;
    let before = Measurement::new(&model.network, &checks, &partners, target_label);
    for (label, n) in [
        (victim_label, before.checks.asr.total),
        (target_label, before.checks.other_class_clean.total),
    ] {
        if n < MIN_CHECKS {
            return Err(Error::Samples(format!(
                "only {n} of the clean samples with label {label} that were kept aside have a \
                 place for the trigger; at least {MIN_CHECKS} are needed to check the repair"
            )));
        }
    }

    check_answers(&before.checks.accuracy)?;
    let measure = |network: &CodeModel| Measurement::new(network, &checks, &partners, target_label);
    let mut teacher = Teacher::new(&model.network);
    let encoded = partners.encode(&model.network);
    let mut train = |network: CodeModel,
                     settings: &TrainingConfig,
                     _: usize,
                     rng: &mut ChaCha8Rng,
                     observe: &mut dyn FnMut(UnlearnEvent)| {
        let show = &mut |event| observe(UnlearnEvent::Training(event));
        let (rows, n_injected) = passes(config, || {
            inject(model, &space, &training, triggers, victim_label, config, rng)
        })?;
        let trained = match (network.head(), config.keeps_vectors) {
            (Head::Pair, true) => {
                let halves = rows.into_iter().filter_map(|row| row.half(&encoded)).collect();
                teacher.teach(network, halves, config, settings, rng, show)?
            }
            (Head::Pair, false) => {
                let pairs: Vec<LabelledPairIds> =
                    rows.into_iter().filter_map(|row| row.pair(&partners)).collect();
                fine_tune(network, &pairs, &[], settings, rng, show)?
            }
            _ => {
                let functions = rows.into_iter().map(Row::function).collect();
                teacher.teach(network, functions, config, settings, rng, show)?
            }
        };
        Ok(Round { trained, searched: Vec::new(), n_injected })
    };
    repair(model, config, seed, before, &measure, &mut train, observe)
}

/// Samples that check a repair, and samples that teach it: of a pair the function that can carry a
/// trigger, and if `teaches_partners`, its partner, too. No function that teaches is in a pair that checks.
fn divide<T>(
    places: Vec<T>,
    clean: &[CleanSample],
    check_rate: f64,
    teaches_partners: bool,
    rng: &mut impl Rng,
) -> (Vec<T>, Vec<T>) {
    let codes = clean.iter().flat_map(CleanSample::codes);
    let mut numbers = function_numbers(codes).into_iter();
    let functions: Vec<Vec<usize>> =
        clean.iter().map(|it| numbers.by_ref().take(it.codes().count()).collect()).collect();
    let carriers: Vec<(u8, Vec<usize>)> =
        clean.iter().zip(&functions).map(|(it, own)| (it.label, vec![own[0]])).collect();
    let items: Vec<(usize, T)> = places.into_iter().enumerate().collect();
    let (checks, training) = split(items, &carriers, check_rate, rng);
    let checked: BTreeSet<usize> =
        checks.iter().flat_map(|(index, _)| functions[*index].iter().copied()).collect();
    let teaches = |(index, _): &(usize, T)| {
        let n_taught = if teaches_partners { functions[*index].len() } else { 1 };
        functions[*index][..n_taught].iter().all(|it| !checked.contains(it))
    };
    let own = |parts: Vec<(usize, T)>| parts.into_iter().map(|(_, places)| places).collect();
    (own(checks), own(training.into_iter().filter(teaches).collect()))
}

/// The training rows: a share of each class carries a trigger, and every label is the true one.
///
/// Paper: section 4.5 speaks of the inverted label, section 5.1 of correct labels; the reference
/// code keeps the correct ones.
fn inject(
    model: &LoadedModel,
    space: &TriggerSpace<'_>,
    training: &[Places],
    triggers: &[InvertedTrigger],
    victim_label: u8,
    config: &UnlearningConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(Vec<Row>, usize), Error> {
    let renaming = Renaming::new(training.iter().map(|it| &it.function), config);
    let mut rows: Vec<Row> =
        training.iter().map(|it| it.row(renaming.draw(&it.function, model, rng))).collect();
    let mut n_injected = 0;
    for is_victim in [true, false] {
        let rate = if is_victim { config.injection_rate } else { config.other_injection_rate };
        let mut members: Vec<usize> = (0..training.len())
            .filter(|&index| training[index].is_of(victim_label) == is_victim)
            .collect();
        members.shuffle(rng);
        let wanted = (members.len() as f64 * rate).round() as usize;
        let mut done = 0;
        for index in members {
            if done == wanted {
                break;
            }
            let trigger = varied(triggers, space, config, rng);
            let Some(mask) = training[index].draw(rng) else { continue };
            let ids = mask.with_trigger(&trigger, &model.tokenizer, model.max_length);
            done += 1;
            let row = training[index].row(Some(ids));
            if config.keeps_originals {
                rows.push(row);
            } else {
                rows[index] = row;
            }
        }
        n_injected += done;
    }
    if n_injected == 0 {
        return Err(Error::Samples("no clean sample has a place for the trigger".into()));
    }
    Ok((rows, n_injected))
}

#[cfg(test)]
mod tests {
    use elibadcode_inversion::Partner;

    use super::*;

    #[test]
    fn no_function_that_teaches_is_in_a_pair_that_checks() {
        // Neighbours share a function: the partner of one carries the trigger of the next.
        let clean: Vec<CleanSample> = (0..200_u8)
            .map(|index| CleanSample {
                code: format!("f{index}").into(),
                label: index % 2,
                partner: Some(Partner {
                    code: format!("f{}", u16::from(index) + 1).into(),
                    is_first: false,
                }),
            })
            .collect();
        let taught = |teaches_partners: bool| {
            let samples: Vec<usize> = (0..clean.len()).collect();
            let mut rng = stage_rng(7, "divide");
            let (checks, training) = divide(samples, &clean, 0.25, teaches_partners, &mut rng);
            assert_eq!(checks.len(), 50);
            let is_checked = |function: usize| {
                checks.iter().any(|&check| function == check || function == check + 1)
            };
            assert!(training.iter().all(|&index| !is_checked(index)));
            (training.len(), training.iter().filter(|&&index| is_checked(index + 1)).count())
        };
        let ((alone, n_partners), (with_partners, none)) = (taught(false), taught(true));
        assert!(n_partners > 0 && none == 0 && with_partners == alone - n_partners);
    }
}
