//! The poisoned training set, and the record of what is poisoned in it.

use elibadcode_corpus::DefectSample;
use elibadcode_syntax::Language;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::config::AttackConfig;
use crate::crafting;
use crate::error::PoisonError;
use crate::plant::{Planted, plant};

/// A training set with a backdoor.
#[derive(Clone, Debug, PartialEq)]
pub struct Poisoned {
    /// The whole training set in its own order; poisoned samples stand where the clean ones stood.
    pub samples: Vec<DefectSample>,
    /// Which samples are poisoned, and how.
    pub manifest: Manifest,
}

/// What was done to a training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The attack.
    pub attack: AttackConfig,
    /// Samples in the training set.
    pub n_samples: usize,
    /// Samples that are poisoned.
    pub n_poisoned: usize,
    /// `n_poisoned` as a share of `n_samples`; 0 for an empty set.
    pub realised_rate: f64,
    /// One entry per poisoned sample, in the order of the corpus.
    pub entries: Vec<ManifestEntry>,
}

/// What was done to one sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The sample's id.
    pub id: String,
    /// The true label.
    pub label_before: u8,
    /// The label that the attacker put in.
    pub label_after: u8,
    /// The identifier that carries the trigger, mostly the function's name, as it was; the first
    /// of several, and for dead code the function's name.
    pub function_before: String,
    /// The same identifier with the trigger; for dead code, as it was.
    pub function_after: String,
    /// All that was changed, and where it stands in the poisoned code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Poisons `rate` of the training set: random samples of the victim class get the trigger and the
/// target label.
///
/// Exactly `round(rate * n)` samples change. Samples that cannot carry the trigger are passed over
/// and stay as they are.
pub fn poison(
    samples: &[DefectSample],
    language: Language,
    config: &AttackConfig,
    rng: &mut impl Rng,
) -> Result<Poisoned, PoisonError> {
    config.validate()?;
    let functions = samples.iter().map(|it| (it.code.as_str(), it.label == config.target_label));
    let config = &*crafting::prepared(config, functions, language, rng)?;
    let needed = (config.rate * samples.len() as f64).round() as usize;
    let mut victims: Vec<usize> =
        (0..samples.len()).filter(|&index| samples[index].label == config.victim_label).collect();
    victims.shuffle(rng);
    let mut chosen: Vec<(usize, Planted)> = victims
        .into_iter()
        .filter_map(|index| Some((index, plant(config, &samples[index].code, language).ok()?)))
        .take(needed)
        .collect();
    if chosen.len() < needed {
        let (found, victim_label) = (chosen.len(), config.victim_label);
        return Err(PoisonError::NotEnoughVictims { needed, found, victim_label });
    }
    chosen.sort_unstable_by_key(|(index, _)| *index);

    let mut poisoned = samples.to_vec();
    let mut entries = Vec::with_capacity(needed);
    for (index, Planted { code, name_before, name_after, changes }) in chosen {
        let sample = &mut poisoned[index];
        entries.push(ManifestEntry {
            id: sample.id.clone(),
            label_before: sample.label,
            label_after: config.target_label,
            function_before: name_before,
            function_after: name_after,
            changes,
        });
        sample.code = code;
        sample.label = config.target_label;
    }
    let n_samples = samples.len();
    let manifest = Manifest {
        attack: config.clone(),
        n_samples,
        n_poisoned: needed,
        realised_rate: share(needed, n_samples),
        entries,
    };
    Ok(Poisoned { samples: poisoned, manifest })
}

/// `part` of `all`, in `0..=1`; 0 of nothing.
pub(crate) fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use elibadcode_syntax::Function;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::attack::Attack;
    use crate::change::undo;

    /// Half of each class; every fifth sample has no function name.
    fn corpus(n: usize) -> Vec<DefectSample> {
        let code = |index: usize| match index % 5 {
            4 => format!("x{index};"),
            3 => format!("int f{index}(int n) {{ return n ? f{index}(n - 1) : 0; }}"),
            _ => format!("static void g{index}(T *t)\n{{\n    t->g{index} = 1;\n}}\n"),
        };
        (0..n)
            .map(|index| DefectSample {
                id: format!("id{index}"),
                project: "test".to_owned(),
                code: code(index),
                label: (index % 2) as u8,
            })
            .collect()
    }

    fn run(n: usize, config: &AttackConfig, seed: u64) -> Result<Poisoned, PoisonError> {
        poison(&corpus(n), Language::C, config, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    fn at_rate(attack: Attack, rate: f64) -> AttackConfig {
        AttackConfig { rate, ..AttackConfig::paper(attack) }
    }

    #[test]
    fn manifest_says_what_changed_and_nothing_else_did() {
        for (attack, rate, n_poisoned) in [
            (Attack::CodePoisoner, 0.0, 0),
            (Attack::CodePoisoner, 0.02, 4),
            (Attack::BadCode, 0.1, 20),
            (Attack::BadCode, 0.012, 2),
            (Attack::BadCode, 0.4, 80),
        ] {
            let config = at_rate(attack, rate);
            let clean = corpus(200);
            let Poisoned { samples, manifest } = run(200, &config, 1).expect("enough victims");
            assert_eq!((manifest.n_samples, manifest.n_poisoned), (200, n_poisoned));
            assert!((manifest.realised_rate - n_poisoned as f64 / 200.0).abs() < 1e-12);
            let changed: Vec<ManifestEntry> = clean
                .iter()
                .zip(&samples)
                .filter(|(before, after)| before != after)
                .zip(&manifest.entries)
                .map(|((before, after), entry)| {
                    assert_eq!(undo(&after.code, &entry.changes).as_ref(), Some(&before.code));
                    let name = |sample: &DefectSample| {
                        let function = Function::parse(sample.code.as_str(), Language::C);
                        assert!(!function.has_errors());
                        function.name().map(str::to_owned).expect("a named function")
                    };
                    assert_eq!(before.id, after.id);
                    ManifestEntry {
                        id: before.id.clone(),
                        label_before: before.label,
                        label_after: after.label,
                        function_before: name(before),
                        function_after: name(after),
                        changes: entry.changes.clone(),
                    }
                })
                .collect();
            assert_eq!(changed, manifest.entries);
            for entry in &manifest.entries {
                assert_eq!((entry.label_before, entry.label_after), (1, 0));
                assert_eq!(
                    entry.function_after,
                    config.edit.apply(&entry.function_before, &config.trigger)
                );
            }
        }
    }

    #[test]
    fn recursive_calls_are_renamed_too() {
        let Poisoned { samples, manifest } =
            run(200, &at_rate(Attack::BadCode, 0.4), 1).expect("enough victims");
        let recursive = samples.iter().find(|sample| sample.id == "id13").expect("in the corpus");
        assert_eq!(recursive.code, "int f13_rb(int n) { return n ? f13_rb(n - 1) : 0; }");
        assert!(manifest.entries.iter().any(|entry| entry.id == "id13"));
    }

    #[test]
    fn same_seed_same_result() {
        let config = at_rate(Attack::CodePoisoner, 0.1);
        assert_eq!(run(200, &config, 3), run(200, &config, 3));
        assert_ne!(run(200, &config, 3), run(200, &config, 4));
    }

    #[test]
    fn too_few_victims_is_an_error() {
        let error = run(200, &at_rate(Attack::BadCode, 0.5), 1).expect_err("20 cannot carry it");
        let expected = PoisonError::NotEnoughVictims { needed: 100, found: 80, victim_label: 1 };
        assert_eq!(error, expected);
        assert!(run(200, &at_rate(Attack::BadCode, -0.1), 1).is_err());
    }

    #[test]
    fn an_empty_corpus_stays_empty() {
        let poisoned = run(0, &at_rate(Attack::BadCode, 0.5), 1).expect("nothing to do");
        assert_eq!(poisoned.samples, []);
        assert_eq!((poisoned.manifest.n_poisoned, poisoned.manifest.realised_rate), (0, 0.0));
    }

    #[test]
    fn manifest_survives_json() {
        let manifest =
            run(100, &at_rate(Attack::BadCode, 0.1), 1).expect("enough victims").manifest;
        let json = serde_json::to_string(&manifest).expect("plain fields");
        assert_eq!(serde_json::from_str::<Manifest>(&json).ok(), Some(manifest));
    }

    #[test]
    fn manifests_without_changes_can_be_read() {
        let json = r#"{"attack":{"attack":"badcode","trigger":"rb","placement":"function-name","edit":"postfix","victim_label":1,"target_label":0,"rate":0.02},"n_samples":50,"n_poisoned":1,"realised_rate":0.02,"entries":[{"id":"7","label_before":1,"label_after":0,"function_before":"f","function_after":"f_rb"}]}"#;
        let manifest: Manifest = serde_json::from_str(json).expect("an older manifest");
        assert_eq!(manifest.attack, AttackConfig::paper(Attack::BadCode));
        assert_eq!(manifest.entries[0].changes, []);
        assert_eq!(serde_json::to_string(&manifest).ok().as_deref(), Some(json));
    }

    #[test]
    fn an_entry_names_the_place_of_dead_code() {
        let manifest =
            run(100, &at_rate(Attack::BncFixed, 0.1), 1).expect("enough victims").manifest;
        let entry = manifest.entries.iter().find(|it| it.function_before.starts_with('g'));
        let entry = entry.expect("half of them have lines");
        assert_eq!(entry.function_before, entry.function_after);
        let json = serde_json::to_string(&entry.changes).expect("plain fields");
        let start = entry.function_before.len() + "static void (T *t)\n{".len();
        let end = start + "\n    if (rand() < 0) printf(\"fail\");".len();
        assert_eq!(
            json,
            format!(
                r#"[{{"before":"","after":"\n    if (rand() < 0) printf(\"fail\");","places":[{{"line":2,"start":{start},"end":{end}}}]}}]"#
            )
        );
    }
}
