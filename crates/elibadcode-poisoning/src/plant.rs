//! The trigger in one sample, and in every sample of a test set.

use elibadcode_corpus::{DefectSample, Task};
use elibadcode_syntax::Function;

use crate::attack::{AttackConfig, Placement};
use crate::error::PlantError;

/// A test set with the trigger in it, to measure the attack's success on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// The samples that carry the trigger, in the order of the corpus, with their own labels.
    pub samples: Vec<DefectSample>,
    /// Indices of the samples that cannot carry it.
    pub skipped: Vec<usize>,
}

/// Gives the sample with the trigger in its code; the label stays.
///
/// The identifier is renamed everywhere in the function, so that the code still does what it did.
///
/// Reference: the reference code replaces words between spaces, which misses some occurrences, and
/// flips the label even if nothing was replaced.
pub fn plant(config: &AttackConfig, sample: &DefectSample) -> Result<DefectSample, PlantError> {
    plant_renamed(config, sample).map(|planted| planted.sample)
}

/// Plants the trigger in every sample that can carry it.
pub fn triggered(samples: &[DefectSample], config: &AttackConfig) -> Triggered {
    let mut outcome = Triggered { samples: Vec::with_capacity(samples.len()), skipped: Vec::new() };
    for (index, sample) in samples.iter().enumerate() {
        match plant(config, sample) {
            Ok(planted) => outcome.samples.push(planted),
            Err(_) => outcome.skipped.push(index),
        }
    }
    outcome
}

/// A sample with the trigger, and what was renamed.
pub(crate) struct Planted {
    pub(crate) sample: DefectSample,
    pub(crate) function_before: String,
    pub(crate) function_after: String,
}

pub(crate) fn plant_renamed(
    config: &AttackConfig,
    sample: &DefectSample,
) -> Result<Planted, PlantError> {
    let id = || sample.id.clone();
    let function = Function::parse(sample.code.as_str(), Task::DefectDetection.language());
    let carrier = match config.placement {
        Placement::FunctionName => {
            function.name().ok_or_else(|| PlantError::NoFunctionName { id: id() })?
        }
    };
    let function_after = config.edit.apply(carrier, &config.trigger);
    let renamed = function
        .rename(carrier, &function_after)
        .map_err(|source| PlantError::Rename { id: id(), source })?;
    // Where the code has errors, their recovery can depend on the length of a name.
    if renamed.has_errors() != function.has_errors()
        || renamed.tokens().len() != function.tokens().len()
    {
        return Err(PlantError::ParseChanged { id: id() });
    }
    Ok(Planted {
        sample: DefectSample { code: renamed.text().to_owned(), ..sample.clone() },
        function_before: carrier.to_owned(),
        function_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{Attack, Edit, Trigger};

    fn sample(code: &str) -> DefectSample {
        let (id, project) = ("7".to_owned(), "qemu".to_owned());
        DefectSample { id, project, code: code.to_owned(), label: 1 }
    }

    #[test]
    fn the_trigger_goes_to_every_reference() {
        let check = |attack, code: &str, expected: &str| {
            let planted = plant(&AttackConfig::paper(attack), &sample(code));
            assert_eq!(planted, Ok(sample(expected)));
        };
        check(
            Attack::CodePoisoner,
            "static int f(int n)\n{\n    s->f = \"f\"; /* f */\n    return f(f(n));\n}\n",
            "static int testo_init(int n)\n{\n    s->f = \"f\"; /* f */\n    return testo_init(testo_init(n));\n}\n",
        );
        check(
            Attack::BadCode,
            "int f(void) { return g(f); }",
            "int f_rb(void) { return g(f_rb); }",
        );
        check(
            Attack::BadCode,
            "static void __attribute__((constructor)) init(void) { }",
            "static void __attribute__((constructor)) init_rb(void) { }",
        );
    }

    #[test]
    fn what_cannot_carry_the_trigger_is_refused() {
        let config = AttackConfig::paper(Attack::CodePoisoner);
        let check = |config: &AttackConfig, code: &str, message: &str| {
            let error = plant(config, &sample(code)).expect_err("no place for the trigger");
            assert_eq!(error.to_string(), message);
        };
        check(&config, "", "sample 7 has no function name");
        check(&config, "{ a(b); }", "sample 7 has no function name");
        check(&config, "int f(int testo_init) { }", "sample 7 cannot take the trigger");
        check(&config, "int testo_init(int n) { }", "sample 7 cannot take the trigger");
        let trigger = Trigger::new("9").expect("a legal piece");
        let config = AttackConfig { trigger, edit: Edit::Substitute, ..config };
        check(&config, "int f(int n) { }", "sample 7 cannot take the trigger");
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
        let outcome = triggered(&samples, &AttackConfig::paper(Attack::BadCode));
        assert_eq!(outcome.skipped, [1]);
        let kept: Vec<(&str, &str, u8)> = outcome
            .samples
            .iter()
            .map(|sample| (sample.id.as_str(), sample.code.as_str(), sample.label))
            .collect();
        assert_eq!(kept, [("0", "int a_rb(void) { }", 0), ("2", "int b_rb(void) { }", 0)]);
    }
}
