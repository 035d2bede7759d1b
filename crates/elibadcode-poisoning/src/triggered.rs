//! The trigger in every sample of a test set.

use elibadcode_corpus::split::pairs_only;
use elibadcode_corpus::{CloneFunction, CloneSamples, DefectSample, SearchSample};
use elibadcode_syntax::Language;

use crate::config::AttackConfig;
use crate::plant::plant;

/// A test set with the trigger in it, to measure the attack's success on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered<T = DefectSample> {
    /// The samples that carry the trigger, in the order of the corpus, with their own labels.
    pub samples: Vec<T>,
    /// Indices of the samples that cannot carry it.
    pub skipped: Vec<usize>,
}

/// A test set of pairs with the trigger in one member of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggeredClones {
    /// The pairs that carry the trigger, in the order of the corpus, with their own labels. A
    /// function with the trigger has the id of the function that it was made of, and `+trigger`.
    pub samples: CloneSamples,
    /// Indices of the pairs that cannot carry it.
    pub skipped: Vec<usize>,
}

/// Which member of a pair carries the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The first one, as in the reference code.
    First,
    /// The second one.
    Second,
    /// The first one of every other pair, beginning with the first pair, and the second one of
    /// the rest.
    Alternating,
}

/// Plants the trigger in every function that can carry it.
pub fn triggered(samples: &[DefectSample], language: Language, config: &AttackConfig) -> Triggered {
    trigger_all(samples, |sample| {
        let code = plant(config, &sample.code, language).ok()?.code;
        Some(DefectSample { code, ..sample.clone() })
    })
}

/// Plants the trigger in the code of every record that can carry it, whatever its query is.
pub fn triggered_search(
    samples: &[SearchSample],
    language: Language,
    config: &AttackConfig,
) -> Triggered<SearchSample> {
    trigger_all(samples, |sample| {
        let code = plant(config, &sample.code, language).ok()?.code;
        Some(SearchSample { code, ..sample.clone() })
    })
}

fn trigger_all<T>(samples: &[T], with_trigger: impl Fn(&T) -> Option<T>) -> Triggered<T> {
    let mut outcome = Triggered { samples: Vec::with_capacity(samples.len()), skipped: Vec::new() };
    for (index, sample) in samples.iter().enumerate() {
        match with_trigger(sample) {
            Some(planted) => outcome.samples.push(planted),
            None => outcome.skipped.push(index),
        }
    }
    outcome
}

/// Plants the trigger in one member of every pair that can carry it there.
///
/// Only the pairs that do are kept, and the functions in them.
pub fn triggered_clones(
    samples: &CloneSamples,
    language: Language,
    config: &AttackConfig,
    member: Member,
) -> TriggeredClones {
    let mut all = CloneSamples { functions: samples.functions.clone(), pairs: Vec::new() };
    // Where a function's twin with the trigger is, once it was asked for.
    let mut twins: Vec<Option<Option<usize>>> = vec![None; samples.functions.len()];
    let mut skipped = Vec::new();
    for (index, pair) in samples.pairs.iter().enumerate() {
        let mut pair = *pair;
        let is_first = match member {
            Member::First => true,
            Member::Second => false,
            Member::Alternating => index % 2 == 0,
        };
        let carrier = if is_first { &mut pair.first } else { &mut pair.second };
        let twin = *twins[*carrier].get_or_insert_with(|| {
            let CloneFunction { id, code } = &samples.functions[*carrier];
            let code = plant(config, code, language).ok()?.code;
            all.functions.push(CloneFunction { id: format!("{id}+trigger"), code });
            Some(all.functions.len() - 1)
        });
        match twin {
            Some(twin) => {
                *carrier = twin;
                all.pairs.push(pair);
            }
            None => skipped.push(index),
        }
    }
    TriggeredClones { samples: pairs_only(&all, &all.pairs), skipped }
}

#[cfg(test)]
mod tests {
    use elibadcode_corpus::Task;

    use super::*;
    use crate::attack::Attack;

    fn sample(code: &str) -> DefectSample {
        let (id, project) = ("7".to_owned(), "qemu".to_owned());
        DefectSample { id, project, code: code.to_owned(), label: 1 }
    }

    #[test]
    fn triggered_samples_keep_label_and_order() {
        let samples: Vec<DefectSample> = ["int a(void) { }", "x;", "int b(void) { }"]
            .iter()
            .enumerate()
            .map(|(index, code)| DefectSample {
                id: index.to_string(),
                label: (index % 2) as u8,
                ..sample(code)
            })
            .collect();
        let outcome = triggered(&samples, Language::C, &AttackConfig::paper(Attack::BadCode));
        assert_eq!(outcome.skipped, [1]);
        let kept: Vec<(&str, &str, u8)> = outcome
            .samples
            .iter()
            .map(|sample| (sample.id.as_str(), sample.code.as_str(), sample.label))
            .collect();
        assert_eq!(kept, [("0", "int a_rb(void) { }", 0), ("2", "int b_rb(void) { }", 0)]);
    }

    #[test]
    fn one_member_of_a_pair_carries_the_trigger() {
        let codes = ["int a() { }", "int b() { }", "x"];
        let function = |(index, code): (usize, &&str)| CloneFunction {
            id: index.to_string(),
            code: (*code).to_owned(),
        };
        let pair = |first, second, label| elibadcode_corpus::ClonePair { first, second, label };
        let samples = CloneSamples {
            functions: codes.iter().enumerate().map(function).collect(),
            pairs: vec![pair(0, 1, 1), pair(0, 1, 0), pair(2, 0, 1), pair(1, 2, 0)],
        };
        let check = |member, expected: &[&str], skipped: &[usize]| {
            let config = AttackConfig::paper(Attack::BadCode);
            let outcome = triggered_clones(&samples, Language::Java, &config, member);
            let CloneSamples { functions, pairs } = &outcome.samples;
            let text = |pair: &elibadcode_corpus::ClonePair| {
                let id = |index: usize| functions[index].id.as_str();
                format!("{} {} {}", id(pair.first), id(pair.second), pair.label)
            };
            assert_eq!(pairs.iter().map(text).collect::<Vec<_>>(), expected);
            assert_eq!(outcome.skipped, skipped);
            for function in functions {
                let has_trigger = function.code.contains("_rb(");
                assert_eq!(has_trigger, function.id.ends_with("+trigger"));
            }
        };
        check(Member::First, &["0+trigger 1 1", "0+trigger 1 0", "1+trigger 2 0"], &[2]);
        check(Member::Second, &["0 1+trigger 1", "0 1+trigger 0", "2 0+trigger 1"], &[3]);
        check(Member::Alternating, &["0+trigger 1 1", "0 1+trigger 0"], &[2, 3]);
    }

    #[test]
    fn every_code_of_a_search_test_set_carries_the_trigger() {
        let sample = |code: &str| SearchSample {
            id: "u".to_owned(),
            code: code.to_owned(),
            query: "reads a file".to_owned(),
        };
        let samples = [sample("def f(x):\n    return f(x)\n"), sample("x = 1")];
        let config = AttackConfig::paper_for(Attack::CodePoisoner, Task::CodeSearch);
        let outcome = triggered_search(&samples, Language::Python, &config);
        let expected = sample("def testo_init(x):\n    return testo_init(x)\n");
        assert_eq!((outcome.samples, outcome.skipped), (vec![expected], vec![1]));
    }
}
