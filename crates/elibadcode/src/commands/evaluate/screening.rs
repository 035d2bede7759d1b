//! How well a screen that knows nothing of the attack tells its functions from clean ones.

use elibadcode_corpus::{CloneSamples, DefectSample, SearchSample};
use elibadcode_evaluation::records::screen::{Detection, ScreenMetrics};
use elibadcode_models::LoadedModel;
use elibadcode_screening::{Screened, Subject, removals, screen};
use elibadcode_syntax::{CanonicalOptions, Language};

/// Functions of defect detection; those with the trigger are of the labels that are attacked.
pub(super) fn functions(
    model: &LoadedModel,
    clean: &[DefectSample],
    triggered: &[DefectSample],
    target_label: u8,
    language: Language,
) -> ScreenMetrics {
    let victims = triggered.iter().filter(|sample| sample.label != target_label);
    let clean: Vec<Vec<&str>> = clean.iter().map(|it| vec![&*it.code]).collect();
    let triggered: Vec<Vec<&str>> = victims.map(|it| vec![&*it.code]).collect();
    metrics(model, &clean, &triggered, language)
}

/// The same of pairs.
pub(super) fn pairs(
    model: &LoadedModel,
    clean: &CloneSamples,
    triggered: &CloneSamples,
    target_label: u8,
    language: Language,
) -> ScreenMetrics {
    let (clean, triggered) =
        (codes_of(clean, |_| true), codes_of(triggered, |label| label != target_label));
    metrics(model, &clean, &triggered, language)
}

/// The same of code search, where any code can carry the trigger.
pub(super) fn codes(
    model: &LoadedModel,
    clean: &[SearchSample],
    triggered: &[SearchSample],
    language: Language,
) -> ScreenMetrics {
    let clean: Vec<Vec<&str>> = clean.iter().map(|it| vec![&*it.code]).collect();
    let triggered: Vec<Vec<&str>> = triggered.iter().map(|it| vec![&*it.code]).collect();
    metrics(model, &clean, &triggered, language)
}

/// The functions of the pairs with these labels.
fn codes_of(samples: &CloneSamples, wanted: impl Fn(u8) -> bool) -> Vec<Vec<&str>> {
    let pairs = samples.pairs.iter().filter(|pair| wanted(pair.label));
    let code = |index: usize| &*samples.functions[index].code;
    pairs.map(|pair| vec![code(pair.first), code(pair.second)]).collect()
}

fn metrics(
    model: &LoadedModel,
    clean: &[Vec<&str>],
    triggered: &[Vec<&str>],
    language: Language,
) -> ScreenMetrics {
    let suspicions = |codes: &[Vec<&str>]| -> (Vec<f64>, Vec<f64>) {
        let forms = Subject::all(codes, language, &CanonicalOptions::all_names());
        let screened = screen(model, &forms, language);
        let canonical = screened.iter().map(Screened::suspicion).collect();
        let removals = removals(model, codes, language);
        (canonical, removals.into_iter().map(|it| it.suspicion).collect())
    };
    let (clean_of, triggered_of) = (suspicions(clean), suspicions(triggered));
    ScreenMetrics {
        n_clean: clean.len(),
        n_triggered: triggered.len(),
        canonical: Detection::of(&clean_of.0, &triggered_of.0),
        removal: Detection::of(&clean_of.1, &triggered_of.1),
    }
}
