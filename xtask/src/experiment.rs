//! An experiment: the TOML files of `xtask/experiments/`, which hold all numbers.

mod plan;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use elibadcode_evaluation::PaperCell;
use serde::Deserialize;

pub(crate) use self::plan::{BasePlan, CorpusPlan, Draw, TrainingPlan};

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

/// One of the three tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Task {
    /// Defect detection, C
    Defect,
    /// Clone detection, Java
    Clone,
    /// Code search, Python
    Search,
}

impl Task {
    /// The task's name in files, folders and `--task`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Clone => "clone",
            Self::Search => "search",
        }
    }

    /// The task's name in headings.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Defect => "Defect detection",
            Self::Clone => "Clone detection",
            Self::Search => "Code search",
        }
    }

    /// The number that models of the task are judged by.
    pub(crate) fn score(self) -> &'static str {
        match self {
            Self::Defect => "accuracy",
            Self::Clone => "F1",
            Self::Search => "MRR",
        }
    }

    /// What a sample is.
    pub(crate) fn samples(self) -> &'static str {
        match self {
            Self::Defect => "functions",
            Self::Clone => "pairs",
            Self::Search => "functions with queries",
        }
    }
}

/// A matrix of model × attack × seed with the settings of every stage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// The task.
    pub(crate) task: Task,
    /// The architectures, spelled as in `results.json`.
    pub(crate) models: Vec<String>,
    /// Master seeds.
    pub(crate) seeds: Vec<u64>,
    /// Attacks by name.
    pub(crate) attacks: Vec<String>,
    /// What `poison --rate` gets: a share of the training set, of the functions, or of the codes
    /// whose query has the target word, by task.
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

/// What counts as success; fractions in `0..=1`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Least accuracy, F1 or mean reciprocal rank of the backdoored model on clean samples.
    pub(crate) min_score: f64,
    /// Most of that score that the repair may cost.
    pub(crate) max_score_drop: f64,
    /// What the trigger may do, and must.
    pub(crate) attack: AttackLimits,
}

/// What the trigger may do to a repaired model, and must do to the backdoored one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "measure", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum AttackLimits {
    /// Attack success rate: defect and clone detection.
    Asr {
        /// Least of the backdoored model.
        min_before: f64,
        /// Most by which that of the repaired model exceeds the clean twin's.
        max_above_twin: f64,
        /// Most accuracy that the trigger may cost on the target label's samples after the repair.
        max_other_class_drop: f64,
    },
    /// Average normalized rank: code search.
    Anr {
        /// Most of the backdoored model.
        max_before: f64,
        /// Least of the repaired model.
        min_after: f64,
        /// Most by which that of the repaired model differs from the clean twin's.
        max_from_twin: f64,
    },
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
    /// The experiment of a task at a scale.
    pub(crate) fn load(task: Task, scale: Scale) -> Result<Self> {
        let text = match (task, scale) {
            (Task::Defect, Scale::Smoke) => include_str!("../experiments/defect-smoke.toml"),
            (Task::Defect, Scale::Small) => include_str!("../experiments/defect-small.toml"),
            (Task::Defect, Scale::Real) => include_str!("../experiments/defect-real.toml"),
            (Task::Clone, Scale::Smoke) => include_str!("../experiments/clone-smoke.toml"),
            (Task::Clone, Scale::Small) => include_str!("../experiments/clone-small.toml"),
            (Task::Clone, Scale::Real) => include_str!("../experiments/clone-real.toml"),
            (Task::Search, Scale::Smoke) => include_str!("../experiments/search-smoke.toml"),
            (Task::Search, Scale::Small) => include_str!("../experiments/search-small.toml"),
            (Task::Search, Scale::Real) => include_str!("../experiments/search-real.toml"),
        };
        let name = || format!("reading {}-{}.toml", task.name(), scale.name());
        let experiment = Self::parse(text).with_context(name)?;
        ensure!(
            experiment.task == task,
            "{}-{}.toml is of another task",
            task.name(),
            scale.name()
        );
        Ok(experiment)
    }

    fn parse(text: &str) -> Result<Self> {
        let experiment: Self = toml::from_str(text)?;
        ensure!(!experiment.models.is_empty(), "no models");
        ensure!(!experiment.seeds.is_empty(), "no seeds");
        ensure!(!experiment.attacks.is_empty(), "no attacks");
        let measures_ranks = matches!(experiment.acceptance.attack, AttackLimits::Anr { .. });
        ensure!(measures_ranks == (experiment.task == Task::Search), "the other tasks' measure");
        for model in &experiment.models {
            for attack in &experiment.attacks {
                let is_published = experiment.published(model, attack).is_some();
                ensure!(is_published, "no paper value for the attack {attack} on {model}");
            }
        }
        Ok(experiment)
    }

    /// What the paper reports for this model and attack.
    fn published(&self, model: &str, attack: &str) -> Option<&PaperCell> {
        let wanted = (self.task.name(), model, attack);
        self.paper.cells.iter().find(|it| (&*it.task, &*it.model, &*it.attack) == wanted)
    }

    /// Keeps only these models, attacks and seeds; an empty list keeps all.
    pub(crate) fn narrow(
        &mut self,
        models: &[String],
        attacks: &[String],
        seeds: &[u64],
    ) -> Result<()> {
        let models = if models.is_empty() { &self.models } else { models };
        let attacks = if attacks.is_empty() { &self.attacks } else { attacks };
        for model in models {
            for attack in attacks {
                ensure!(
                    self.published(model, attack).is_some(),
                    "the {} experiment has no attack `{attack}` on `{model}`: it has {}",
                    self.task.name(),
                    self.known().join(", ")
                );
            }
        }
        (self.models, self.attacks) = (models.to_vec(), attacks.to_vec());
        if !seeds.is_empty() {
            self.seeds = seeds.to_vec();
        }
        Ok(())
    }

    /// Every pair of attack and model that can be asked for.
    fn known(&self) -> Vec<String> {
        self.paper.cells.iter().map(|it| format!("{} on {}", it.attack, it.model)).collect()
    }

    /// Whether files below `--data` are read.
    pub(crate) fn needs_data(&self) -> bool {
        matches!(self.corpus, CorpusPlan::Files { .. })
            || matches!(self.base, BasePlan::Folder { .. })
    }
}

#[cfg(test)]
mod tests;
