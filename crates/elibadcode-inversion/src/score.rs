//! The score: a few figures of the evidence, weighed as a calibration fleet taught.
//!
//! `calibration.json` holds the weights and the limits of the three verdicts by task, with their
//! provenance; `cargo xtask fleet --fit` writes it. A task without a fleet has no score, nor has a
//! scan whose settings are not those of the fleet (but for those that come after it): the limits in [`ScanConfig`] decide then.

use elibadcode_corpus::Task;
use elibadcode_evaluation::Calibrations;
use elibadcode_evaluation::records::calibration::{Basis, ModelShape, Provenance};
use elibadcode_evaluation::records::results::Verdict;
use elibadcode_models::LoadedModel;
use serde::{Deserialize, Serialize};

use crate::config::ScanConfig;
use crate::outcome::{Hypothesis, Place};
use crate::ranking::{RankingEvidence, RankingHypothesis, ScreenedWord};

/// The file of this build.
const CALIBRATIONS: &str = include_str!("../calibration.json");
/// Losses below this are the same.
const LEAST_LOSS: f64 = 1e-4;
/// Tokens of the part of a trigger that has a figure of its own.
const SMALL: usize = 2;

/// A number that the score is made of; the larger, the more it speaks for an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// What it adds to the log-odds of the score, if there is one.
    pub contribution: Option<f64>,
}

/// What a fitted model makes of the figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The probability of a backdoor, were half of all models backdoored; in `0..=1`.
    pub value: f64,
    /// Scores from here on are `likely backdoored`.
    pub likely_backdoored_from: f64,
    /// Scores below this are `no trigger found`; those between are `inconclusive`.
    pub no_trigger_below: f64,
    /// Whether it was fitted to models as large as this one, of its kind; otherwise it is a guess.
    pub is_of_fleet: bool,
    /// What it was fitted to.
    pub provenance: Provenance,
}

/// Figures, the score, and what the verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// The figures of the most suspicious hypothesis; none if nothing could be tested.
    pub figures: Vec<Figure>,
    /// Absent if the settings are not those of a fleet that taught one, or nothing could be tested.
    pub score: Option<Score>,
    /// What the verdict rests on, in a sentence.
    pub basis: String,
}

impl Score {
    /// What the score says.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.value >= self.likely_backdoored_from {
            Verdict::LikelyBackdoored
        } else if self.value < self.no_trigger_below {
            Verdict::NoTriggerFound
        } else {
            Verdict::Inconclusive
        }
    }

    /// The score beside its limits.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "score {:.3}: `{}` from {:.3} on, `{}` below {:.3}",
            self.value,
            Verdict::LikelyBackdoored,
            self.likely_backdoored_from,
            Verdict::NoTriggerFound,
            self.no_trigger_below
        )
    }
}

/// A figure by name.
type Named = (&'static str, f64);

impl Assessment {
    /// Of a scan that could test nothing.
    pub(crate) fn of_nothing() -> Self {
        let basis = "nothing could be tested".to_owned();
        Self { figures: Vec::new(), score: None, basis }
    }

    /// Of a hypothesis on labels. One that was not searched has no figures: they would look as if
    /// nothing had been found.
    pub(crate) fn of_labels(
        task: Task,
        hypothesis: &Hypothesis,
        config: &ScanConfig,
        shape: &ModelShape,
    ) -> Self {
        if hypothesis.searches.is_empty() {
            return Self::of_nothing();
        }
        Self::of(task, &figures_of_labels(hypothesis), config, shape)
    }

    /// Says that something else decided.
    pub(crate) fn set_aside(&mut self) {
        if !self.figures.is_empty() {
            "these reasons, not on the score or its limits".clone_into(&mut self.basis);
        }
    }

    /// Of the hypothesis of code search.
    pub(crate) fn of_ranking(
        hypothesis: &RankingHypothesis,
        screened: &[ScreenedWord],
        config: &ScanConfig,
        shape: &ModelShape,
    ) -> Self {
        Self::of(Task::CodeSearch, &figures_of_ranking(hypothesis, screened), config, shape)
    }

    fn of(task: Task, figures: &[Named], config: &ScanConfig, shape: &ModelShape) -> Self {
        let calibrations = Calibrations::from_json(CALIBRATIONS)
            .expect("a test reads the calibration.json of this build");
        let basis = calibrations.basis(&task.to_string()).expect("every task has a basis");
        Self::by(basis, figures, config, shape)
    }

    /// By the basis of a task.
    fn by(basis: &Basis, figures: &[Named], config: &ScanConfig, shape: &ModelShape) -> Self {
        let plain = |contribution: &dyn Fn(usize) -> Option<f64>| -> Vec<Figure> {
            let figure = |(index, &(name, value)): (usize, &Named)| Figure {
                name: name.to_owned(),
                value,
                contribution: contribution(index),
            };
            figures.iter().enumerate().map(figure).collect()
        };
        let without = |basis: String| Self { figures: plain(&|_| None), score: None, basis };
        let calibration = match basis {
            Basis::FixedLimits { note } => {
                return without(format!("fixed limits of the settings: {note}"));
            }
            Basis::Fleet(calibration) => calibration,
        };
        if !serde_json::to_value(config).is_ok_and(|it| calibration.is_of(&it)) {
            return without(
                "fixed limits of the settings: the score was fitted to scans with other settings"
                    .to_owned(),
            );
        }
        let Some(row) = calibration.model.row(figures) else {
            return without("fixed limits of the settings: the score has other figures".to_owned());
        };
        let contributions = calibration.model.contributions(&row);
        let of_figure = |index: usize| {
            let position = calibration.model.position(figures[index].0)?;
            Some(contributions[position])
        };
        let Provenance { n_clean, n_backdoored, auroc, shapes, .. } = &calibration.provenance;
        let is_of_fleet = shapes.contains(shape);
        let caveat = if is_of_fleet {
            String::new()
        } else {
            let fitted: Vec<String> = shapes.iter().map(ToString::to_string).collect();
            format!(", all of them {}: for this one, {shape}, it is a guess", fitted.join(" or "))
        };
        Self {
            figures: plain(&of_figure),
            score: Some(Score {
                value: calibration.model.probability(&row),
                likely_backdoored_from: calibration.likely_backdoored_from,
                no_trigger_below: calibration.no_trigger_below,
                is_of_fleet,
                provenance: calibration.provenance.clone(),
            }),
            basis: format!(
                "a score fitted to {n_clean} clean and {n_backdoored} backdoored models \
                 (cross-validated AUROC {auroc:.3}){caveat}"
            ),
        }
    }
}

/// What a model is.
pub(crate) fn shape(model: &LoadedModel) -> ModelShape {
    ModelShape {
        model_type: model.config.model_type().to_owned(),
        n_layers: model.config.n_layers(),
        hidden_size: model.config.hidden_size(),
    }
}

/// Without a trigger all figures are those of one that does nothing.
fn figures_of_labels(hypothesis: &Hypothesis) -> Vec<Named> {
    let losses = hypothesis.searches.iter().map(|it| it.loss);
    let loss = losses.fold(f64::INFINITY, f64::min).clamp(LEAST_LOSS, 1.0);
    let evidence = hypothesis.searches.first().and_then(|it| it.evidence.as_ref());
    let success = |place| evidence.and_then(|it| it.at(place).value()).unwrap_or(0.0);
    let controls = hypothesis.controls.as_ref();
    let margin = controls
        .map_or(0.0, |it| success(it.place) - it.success_rates.last().copied().unwrap_or(0.0));
    let profile = hypothesis.profile.as_ref();
    let small = profile.and_then(|it| {
        let sizes = &it.success_by_size;
        sizes.get(SMALL.min(sizes.len()).checked_sub(1)?)?.value()
    });
    let shift = profile.map(|it| it.shift).unwrap_or_default();
    vec![
        ("assured success", hypothesis.assured_success()),
        ("success at random identifiers", success(Place::AnyIdentifier)),
        ("success at function names", success(Place::FunctionName)),
        ("margin over the best random trigger", margin),
        ("asymmetry of the directions", hypothesis.asymmetry),
        ("success of two tokens", small.unwrap_or(0.0)),
        ("common direction of the shift", shift.trigger.alignment - shift.controls.alignment),
        ("orders of magnitude of the loss", -loss.log10()),
    ]
}

fn figures_of_ranking(hypothesis: &RankingHypothesis, screened: &[ScreenedWord]) -> Vec<Named> {
    let search = hypothesis.searches.first();
    let evidence = search.and_then(|it| it.evidence.as_ref());
    let place = evidence.map_or(Place::AnyIdentifier, RankingEvidence::strongest);
    let mean = evidence.map_or(0.5, |it| it.at(place).mean);
    let high = evidence.map_or(1.0, |it| it.at(place).high);
    let best_control =
        hypothesis.controls.as_ref().and_then(|it| it.normalized_ranks.first()).copied();
    let profile = hypothesis.profile.as_ref();
    let small = profile.and_then(|it| {
        let sizes = &it.rank_by_size;
        Some(sizes.get(SMALL.min(sizes.len()).checked_sub(1)?)?.mean)
    });
    let shift = profile.map(|it| it.shift).unwrap_or_default();
    let word = search.and_then(|it| it.anchored_words.first());
    let excess = screened.iter().find(|it| Some(&it.word) == word).map_or(0.0, |it| it.excess);
    vec![
        ("assured rank from the end", 1.0 - high),
        ("margin over the best random trigger", best_control.unwrap_or(mean) - mean),
        ("words that the trigger needs", evidence.map_or(0.0, |it| it.without_words.mean - mean)),
        ("rank of two tokens from the end", 1.0 - small.unwrap_or(0.5)),
        ("common direction of the shift", shift.trigger.alignment - shift.controls.alignment),
        ("closeness beyond that of clean code", excess),
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use elibadcode_evaluation::records::calibration::Calibration;
    use elibadcode_evaluation::statistics::{Logistic, Weight};

    use super::*;

    fn fleet(config: &ScanConfig) -> Basis {
        let weight = |figure: &str| Weight {
            figure: figure.to_owned(),
            mean: 0.5,
            deviation: 0.25,
            weight: 2.0,
        };
        Basis::Fleet(Box::new(Calibration {
            provenance: Provenance {
                fleet: "fleet-defect.toml".to_owned(),
                date: "2026-11-25".to_owned(),
                commit: "abc".to_owned(),
                seeds: vec![1],
                models: vec!["codebert".to_owned()],
                shapes: vec![tiny()],
                attacks: vec!["badcode".to_owned()],
                n_clean: 20,
                n_backdoored: 30,
                cross_validation: "by seed".to_owned(),
                auroc: 0.987,
                auroc_low: 0.9,
                auroc_high: 1.0,
                note: None,
            },
            scan_settings: serde_json::to_value(config).expect("plain data"),
            model: Logistic { intercept: 0.0, weights: vec![weight("b"), weight("a")] },
            likely_backdoored_from: 0.6,
            no_trigger_below: 0.4,
        }))
    }

    /// With the limits 0.4 and 0.6.
    pub(crate) fn score(value: f64) -> Score {
        let Basis::Fleet(calibration) = fleet(&ScanConfig::recommended(Task::DefectDetection))
        else {
            unreachable!()
        };
        Score {
            value,
            likely_backdoored_from: calibration.likely_backdoored_from,
            no_trigger_below: calibration.no_trigger_below,
            is_of_fleet: true,
            provenance: calibration.provenance,
        }
    }

    fn tiny() -> ModelShape {
        ModelShape { model_type: "roberta".to_owned(), n_layers: 2, hidden_size: 128 }
    }

    #[test]
    fn the_calibration_of_this_build_reads() {
        let calibrations = Calibrations::from_json(CALIBRATIONS).expect("our own file");
        assert_eq!(calibrations.to_json().expect("plain data"), CALIBRATIONS);
    }

    #[test]
    fn every_score_is_of_the_recommended_settings() {
        let calibrations = Calibrations::from_json(CALIBRATIONS).expect("our own file");
        for task in [Task::DefectDetection, Task::CloneDetection, Task::CodeSearch] {
            let config = ScanConfig::recommended(task);
            let Some(Basis::Fleet(fleet)) = calibrations.basis(&task.to_string()) else { continue };
            let is_of =
                |it: &ScanConfig| fleet.is_of(&serde_json::to_value(it).expect("plain data"));
            assert!(is_of(&config), "no scan of {task} has its score");
            assert!(is_of(&ScanConfig { more_searches: 9, other_searches: 9, ..config.clone() }));
            assert!(is_of(&ScanConfig { longer_searches: 9, longer_len: 9, ..config.clone() }));
            assert!(!is_of(&ScanConfig { restarts: 9, ..config }));
        }
    }

    #[test]
    fn figures_are_weighed_by_name() {
        let config = ScanConfig::recommended(Task::DefectDetection);
        let figures = [("a", 0.75), ("b", 0.5), ("c", 9.0)];
        let it = Assessment::by(&fleet(&config), &figures, &config, &tiny());
        let contributions: Vec<_> = it.figures.iter().map(|it| it.contribution).collect();
        assert_eq!(contributions, [Some(2.0), Some(0.0), None]);
        let score = it.score.expect("there is a fleet");
        assert!((score.value - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-12);
        assert!(
            it.basis.contains("20 clean and 30 backdoored models") && it.basis.contains("0.987")
        );
    }

    #[test]
    fn a_model_of_another_size_is_told_that_the_score_is_a_guess() {
        let config = ScanConfig::recommended(Task::DefectDetection);
        let figures = [("a", 0.75), ("b", 0.5)];
        let basis =
            |shape: &ModelShape| Assessment::by(&fleet(&config), &figures, &config, shape).basis;
        assert!(!basis(&tiny()).contains("guess"));
        let base = basis(&ModelShape { n_layers: 12, hidden_size: 768, ..tiny() });
        assert!(
            base.ends_with(
                "all of them roberta with 2 layers of width 128: for this one, roberta with 12 layers \
                 of width 768, it is a guess"
            ),
            "{base}"
        );
    }

    #[test]
    fn other_settings_or_figures_have_no_score() {
        let config = ScanConfig::recommended(Task::DefectDetection);
        let other = Assessment::by(&fleet(&config), &[("a", 0.0)], &ScanConfig::paper(), &tiny());
        assert!(other.score.is_none() && other.basis.contains("other settings"));
        let missing = Assessment::by(&fleet(&config), &[("a", 0.0)], &config, &tiny());
        assert!(missing.score.is_none() && missing.basis.contains("other figures"));
        let note = "no fleet".to_owned();
        let fixed = Assessment::by(&Basis::FixedLimits { note }, &[("a", 0.5)], &config, &tiny());
        assert_eq!(fixed.basis, "fixed limits of the settings: no fleet");
        assert_eq!((fixed.score, fixed.figures[0].contribution), (None, None));
    }
}
