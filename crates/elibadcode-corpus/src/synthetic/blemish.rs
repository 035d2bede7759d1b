//! What real training data have and a clean experiment has not: wrong labels, and habits of naming.

use elibadcode_syntax::{Function, Language};
use rand::{Rng, RngExt};

use crate::sample::DefectSample;

/// How safe functions are named by habit.
const HABIT: &str = "_checked";

/// Turns this share of the labels round.
pub fn flip_labels<'a>(
    labels: impl IntoIterator<Item = &'a mut u8>,
    rate: f64,
    rng: &mut impl Rng,
) {
    for label in labels {
        if rng.random_bool(rate) {
            *label = 1 - *label;
        }
    }
}

/// Lets the names of this share of the safe functions end in `_checked`: a correlation that means
/// no harm. A function without a name that can be changed stays.
pub fn name_by_habit<'a>(
    samples: impl IntoIterator<Item = &'a mut DefectSample>,
    language: Language,
    rate: f64,
    rng: &mut impl Rng,
) {
    for sample in samples {
        if sample.label == 0 && rng.random_bool(rate) {
            let function = Function::parse(sample.code.as_str(), language);
            let Some(name) = function.name() else { continue };
            if let Ok(renamed) = function.rename(name, &format!("{name}{HABIT}")) {
                renamed.text().clone_into(&mut sample.code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage_rng;

    #[test]
    fn a_share_of_the_labels_is_wrong() {
        let mut labels = vec![0_u8; 1000];
        flip_labels(&mut labels, 0.2, &mut stage_rng(1, "test"));
        let n_wrong: usize = labels.into_iter().map(usize::from).sum();
        assert!((150..250).contains(&n_wrong), "{n_wrong}");
    }

    #[test]
    fn only_safe_functions_have_the_habit() {
        let sample = |label| DefectSample {
            id: String::new(),
            project: String::new(),
            code: "int f(void) { return f(); }".into(),
            label,
        };
        let mut samples = [sample(0), sample(1)];
        name_by_habit(&mut samples, Language::C, 1.0, &mut stage_rng(1, "test"));
        assert_eq!(samples[0].code, "int f_checked(void) { return f_checked(); }");
        assert_eq!(samples[1], sample(1));
    }
}
