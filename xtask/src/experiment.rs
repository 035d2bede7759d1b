//! An experiment: the TOML files of `xtask/experiments/`, which hold all numbers.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use elibadcode_evaluation::PaperCell;
use serde::Deserialize;

/// Size of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// Seconds: does every stage run?
    Smoke,
    /// Synthetic corpora, a tiny model from scratch
    Small,
    /// Real functions and weights from --data
    Real,
}

impl Scale {
    /// The scale's name in files and folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Small => "small",
            Self::Real => "real",
        }
    }
}

/// A matrix of attack × seed with the settings of every stage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// The task, spelled as in `results.json`.
    pub(crate) task: String,
    /// The architecture, spelled as in `results.json`.
    pub(crate) model: String,
    /// Master seeds.
    pub(crate) seeds: Vec<u64>,
    /// Attacks by name.
    pub(crate) attacks: Vec<String>,
    /// Poisoned samples as a share of the training set.
    pub(crate) attack_rate: f64,
    /// Where samples come from.
    pub(crate) corpus: CorpusPlan,
    /// Where training starts.
    pub(crate) base: BasePlan,
    /// How models are trained.
    pub(crate) training: TrainingPlan,
    /// Settings of `scan` on top of the recommended ones.
    pub(crate) scan: toml::Table,
    /// Settings of `purify` on top of the recommended ones.
    pub(crate) purify: toml::Table,
    /// What counts as success.
    pub(crate) acceptance: Limits,
    /// What the paper reports.
    pub(crate) paper: Paper,
}

/// Where samples come from; counts are functions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum CorpusPlan {
    /// The program's generator.
    Synthetic { train: usize, valid: usize, clean: usize, test: usize },
    /// Files below `--data`; drawn as test, clean, valid, train, each without those before it.
    Files { test: Draw, clean: Draw, valid: Draw, train: Draw },
}

/// A seeded part of some files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    /// Files below `--data`.
    pub(crate) from: Vec<String>,
    /// How many functions; all if absent.
    pub(crate) n: Option<usize>,
}

/// Where training starts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum BasePlan {
    /// An untrained model with a tokenizer from the clean training samples.
    Init { preset: String, vocab_size: Option<usize>, max_length: Option<usize> },
    /// A Hugging Face folder below `--data`.
    Folder {
        path: String,
        positive_output: Option<u8>,
        max_length: Option<usize>,
        input_format: Option<String>,
    },
}

/// How models are trained, the backdoored ones and their clean twin alike.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingPlan {
    /// Passes over the training samples.
    pub(crate) epochs: usize,
    /// Peak learning rate.
    pub(crate) learning_rate: f64,
    /// Samples per step; the program's default if absent.
    pub(crate) batch_size: Option<usize>,
}

/// What counts as success; fractions in `0..=1`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Least accuracy of the backdoored model on clean samples.
    pub(crate) min_clean_accuracy: f64,
    /// Least ASR of the backdoored model.
    pub(crate) min_asr_before: f64,
    /// Most by which the ASR of the repaired model exceeds that of the clean twin.
    pub(crate) max_asr_above_twin: f64,
    /// Most accuracy that the repair may cost.
    pub(crate) max_accuracy_drop: f64,
    /// Most accuracy that the trigger may cost on the target label's samples after the repair.
    pub(crate) max_other_class_drop: f64,
}

/// What the paper reports.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paper {
    /// Number of the table.
    pub(crate) table: u8,
    /// Its cells that this experiment repeats.
    pub(crate) cells: Vec<PaperCell>,
}

impl Experiment {
    /// The defect detection experiment of a scale.
    pub(crate) fn defect(scale: Scale) -> Result<Self> {
        let text = match scale {
            Scale::Smoke => include_str!("../experiments/defect-smoke.toml"),
            Scale::Small => include_str!("../experiments/defect-small.toml"),
            Scale::Real => include_str!("../experiments/defect-real.toml"),
        };
        Self::parse(text).with_context(|| format!("reading defect-{}.toml", scale.name()))
    }

    fn parse(text: &str) -> Result<Self> {
        let experiment: Self = toml::from_str(text)?;
        ensure!(!experiment.seeds.is_empty(), "no seeds");
        ensure!(!experiment.attacks.is_empty(), "no attacks");
        for attack in &experiment.attacks {
            let is_published = experiment.paper.cells.iter().any(|cell| {
                (&cell.task, &cell.model, &cell.attack)
                    == (&experiment.task, &experiment.model, attack)
            });
            ensure!(is_published, "no paper value for the attack {attack}");
        }
        Ok(experiment)
    }

    /// Keeps only these attacks and seeds; an empty list keeps all.
    pub(crate) fn narrow(&mut self, attacks: &[String], seeds: &[u64]) -> Result<()> {
        for attack in attacks {
            let known = self.paper.cells.iter().any(|cell| cell.attack == *attack);
            ensure!(known, "the experiment has no attack `{attack}`: {}", self.attacks.join(", "));
        }
        if !attacks.is_empty() {
            self.attacks = attacks.to_vec();
        }
        if !seeds.is_empty() {
            self.seeds = seeds.to_vec();
        }
        Ok(())
    }

    /// Whether files below `--data` are read.
    pub(crate) fn needs_data(&self) -> bool {
        matches!(self.corpus, CorpusPlan::Files { .. })
            || matches!(self.base, BasePlan::Folder { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = include_str!("../experiments/defect-small.toml");

    #[test]
    fn embedded_experiments_are_valid() {
        for scale in Scale::value_variants() {
            let experiment = Experiment::defect(*scale).expect("valid");
            assert_eq!((&*experiment.task, &*experiment.model), ("defect", "codebert"));
            assert_eq!(experiment.needs_data(), *scale == Scale::Real);
        }
    }

    #[test]
    fn foreign_keys_and_unpublished_attacks_are_refused() {
        let check = |from: &str, to: &str| {
            assert!(SMALL.contains(from), "{from}");
            Experiment::parse(&SMALL.replacen(from, to, 1)).expect_err("changed").to_string()
        };
        assert!(check("epochs", "epohcs").contains("epohcs"));
        assert!(check("train = 12000", "train = 12000\nextra = 1").contains("extra"));
        assert_eq!(check("\"badcode\"]", "\"bnc\"]"), "no paper value for the attack bnc");
        assert_eq!(check("[1, 2, 3]", "[]"), "no seeds");
    }

    #[test]
    fn a_part_of_the_matrix_can_be_chosen() {
        let mut experiment = Experiment::parse(SMALL).expect("valid");
        experiment.narrow(&["badcode".to_owned()], &[7]).expect("known");
        assert_eq!((experiment.attacks.len(), &*experiment.seeds), (1, &[7][..]));
        assert!(experiment.narrow(&["nobody".to_owned()], &[]).is_err());
    }
}
