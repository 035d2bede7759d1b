//! A question: which cells of the tasks' experiments answer it, and what is varied.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use super::paper::Row;
use super::{Experiment, Scale, Task, Variant};

/// A research question of the paper, or one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Question {
    /// Attacks × tasks × models: are backdoors found and removed?
    #[value(name = "1")]
    One,
    /// What does each phase of the search contribute?
    #[value(name = "2")]
    Two,
    /// How much do the settings of the search matter?
    #[value(name = "3")]
    Three,
    /// Does a longer trigger get through?
    #[value(name = "4")]
    Four,
    /// How long does it take?
    #[value(name = "time")]
    Time,
    /// Does it help if the model sees no names, and at what cost? (not in the paper)
    #[value(name = "names")]
    Names,
}

/// `rq1.toml` and so on: what it has instead of the tasks' experiments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overlay {
    title: String,
    tables: String,
    tasks: Vec<Task>,
    models: Vec<String>,
    attacks: Vec<String>,
    seeds: Vec<u64>,
    scans_twins: bool,
    variants: Vec<Variant>,
    /// What the paper reports of these variants, before what `paper.toml` has.
    #[serde(default)]
    paper: Vec<Row>,
}

impl Question {
    /// The question's name in files and folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "rq1",
            Self::Two => "rq2",
            Self::Three => "rq3",
            Self::Four => "rq4",
            Self::Time => "time",
            Self::Names => "names",
        }
    }

    /// The question of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|question| question.name() == name)
    }

    /// The experiments that answer it, of those of some tasks.
    pub(crate) fn experiments(self, tasks: &[Task], scale: Scale) -> Result<Vec<Experiment>> {
        let overlay = self.overlay().with_context(|| format!("reading {}.toml", self.name()))?;
        let asked = |task: &Task| overlay.tasks.contains(task);
        let experiments: Vec<Experiment> = tasks
            .iter()
            .copied()
            .filter(asked)
            .map(|task| overlay.apply(Experiment::load(task, scale)?))
            .collect::<Result<_>>()?;
        let all: Vec<&str> = overlay.tasks.iter().map(|task| task.name()).collect();
        ensure!(!experiments.is_empty(), "{} is asked of {} only", self.name(), all.join(", "));
        Ok(experiments)
    }

    fn overlay(self) -> Result<Overlay> {
        let text = match self {
            Self::One => include_str!("../../experiments/rq1.toml"),
            Self::Two => include_str!("../../experiments/rq2.toml"),
            Self::Three => include_str!("../../experiments/rq3.toml"),
            Self::Four => include_str!("../../experiments/rq4.toml"),
            Self::Time => include_str!("../../experiments/time.toml"),
            Self::Names => include_str!("../../experiments/names.toml"),
        };
        let overlay: Overlay = toml::from_str(text)?;
        ensure!(!overlay.variants.is_empty(), "no variants");
        Ok(overlay)
    }
}

impl Overlay {
    fn apply(&self, mut experiment: Experiment) -> Result<Experiment> {
        let own = self.paper.iter().cloned().map(Into::into);
        experiment.paper.splice(0..0, own);
        experiment.narrow(&self.models, &self.attacks, &self.seeds)?;
        experiment.question = Some(self.title.clone());
        experiment.tables.clone_from(&self.tables);
        experiment.variants.clone_from(&self.variants);
        experiment.scans_twins = self.scans_twins;
        Ok(experiment)
    }
}
