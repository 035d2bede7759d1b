//! An experiment: the TOML files of `xtask/experiments/`, which hold all numbers.

mod limits;
mod paper;
mod plan;
mod question;
mod task;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use elibadcode_evaluation::PaperCell;
use elibadcode_evaluation::records::results::Cell;
use serde::Deserialize;

pub(crate) use self::limits::{AttackLimits, Limits};
pub(crate) use self::plan::{BasePlan, CorpusPlan, Defense, Draw, Speed, TrainingPlan, Variant};
pub(crate) use self::question::Question;
pub(crate) use self::task::Task;

/// The attacks of `poison`, a line each; a test of the program compares the two.
const ATTACKS: &str = include_str!("../experiments/attacks.txt");
/// The architectures of `init`.
const MODELS: &[&str] = &["codebert", "codet5", "unixcoder"];

/// Size of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// Seconds: does every stage run?
    Smoke,
    /// Synthetic corpora, a tiny model from scratch
    Small,
    /// Real functions and weights from --data
    Real,
    /// The paper's: all data and the pre-trained models from --data, on a GPU
    Paper,
}

impl Scale {
    /// The scale's name in files and folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Small => "small",
            Self::Real => "real",
            Self::Paper => "paper",
        }
    }

    /// The scale of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|scale| scale.name() == name)
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
    /// What it gets for some attacks instead.
    #[serde(default)]
    pub(crate) attack_rate_of: BTreeMap<String, f64>,
    /// Other codes of the test set among which the right one is ranked (code search); all if absent.
    pub(crate) distractors: Option<usize>,
    /// Where samples come from.
    pub(crate) corpus: CorpusPlan,
    /// Where training starts.
    pub(crate) base: BasePlan,
    /// How models are trained.
    pub(crate) training: TrainingPlan,
    /// How models of some architectures are trained instead.
    #[serde(default)]
    pub(crate) training_of: BTreeMap<String, TrainingPlan>,
    /// Settings of `scan` on top of the recommended ones.
    pub(crate) scan: toml::Table,
    /// Settings of `purify` on top of the recommended ones.
    pub(crate) purify: toml::Table,
    /// What counts as success.
    pub(crate) acceptance: Limits,
    /// How fast this goes.
    pub(crate) speed: Speed,
    /// The architectures that `base` has weights of, if it is one folder for all.
    #[serde(skip)]
    weights_of: Option<Vec<String>>,
    /// How each attacked model is defended.
    #[serde(default = "own_defense")]
    pub(crate) variants: Vec<Variant>,
    /// Whether the models without backdoor are scanned, too.
    #[serde(skip, default = "yes")]
    pub(crate) scans_twins: bool,
    /// What is asked, if it is more than whether the defense works.
    #[serde(skip)]
    pub(crate) question: Option<String>,
    /// Which tables of the paper it repeats.
    #[serde(skip)]
    pub(crate) tables: String,
    /// What the paper reports.
    #[serde(skip)]
    pub(crate) paper: Vec<PaperCell>,
}

fn own_defense() -> Vec<Variant> {
    vec![Variant::own()]
}

fn yes() -> bool {
    true
}

impl Experiment {
    /// The experiment of a task at a scale.
    pub(crate) fn load(task: Task, scale: Scale) -> Result<Self> {
        let text = match (task, scale) {
            (Task::Defect, Scale::Smoke) => include_str!("../experiments/defect-smoke.toml"),
            (Task::Defect, Scale::Small) => include_str!("../experiments/defect-small.toml"),
            (Task::Defect, Scale::Real) => include_str!("../experiments/defect-real.toml"),
            (Task::Defect, Scale::Paper) => include_str!("../experiments/defect-paper.toml"),
            (Task::Clone, Scale::Smoke) => include_str!("../experiments/clone-smoke.toml"),
            (Task::Clone, Scale::Small) => include_str!("../experiments/clone-small.toml"),
            (Task::Clone, Scale::Real) => include_str!("../experiments/clone-real.toml"),
            (Task::Clone, Scale::Paper) => include_str!("../experiments/clone-paper.toml"),
            (Task::Search, Scale::Smoke) => include_str!("../experiments/search-smoke.toml"),
            (Task::Search, Scale::Small) => include_str!("../experiments/search-small.toml"),
            (Task::Search, Scale::Real) => include_str!("../experiments/search-real.toml"),
            (Task::Search, Scale::Paper) => include_str!("../experiments/search-paper.toml"),
        };
        let name = || format!("reading {}-{}.toml", task.name(), scale.name());
        let mut experiment = Self::parse(text).with_context(name)?;
        ensure!(experiment.task == task, "{}: it is of another task", name());
        experiment.paper = paper::cells().context("reading paper.toml")?;
        "Table 1".clone_into(&mut experiment.tables);
        Ok(experiment)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut experiment: Self = toml::from_str(text)?;
        ensure!(!experiment.models.is_empty(), "no models");
        ensure!(!experiment.seeds.is_empty(), "no seeds");
        ensure!(!experiment.attacks.is_empty(), "no attacks");
        let measures_ranks = matches!(experiment.acceptance.attack, AttackLimits::Anr { .. });
        ensure!(measures_ranks == (experiment.task == Task::Search), "the other tasks' measure");
        ensure!(experiment.distractors.is_none() || measures_ranks, "distractors are for search");
        let known = known_attacks();
        if let Some(foreign) =
            experiment.attack_rate_of.keys().find(|it| !known.contains(&it.as_str()))
        {
            bail!("attack_rate_of: there is no attack `{foreign}`");
        }
        if let BasePlan::Folder { path, .. } = &experiment.base
            && !path.contains(BasePlan::MODEL)
        {
            experiment.weights_of = Some(experiment.models.clone());
        }
        Ok(experiment)
    }

    /// Whether names are kept from the model in a cell.
    pub(crate) fn hides_names(&self, cell: &Cell) -> bool {
        let variant = self.variants.iter().find(|it| it.name == cell.variant);
        variant.is_some_and(|it| it.defense.hides_names())
    }

    /// How a model is trained.
    pub(crate) fn training(&self, model: &str) -> &TrainingPlan {
        self.training_of.get(model).unwrap_or(&self.training)
    }

    /// How much of the training set an attack poisons.
    pub(crate) fn attack_rate(&self, attack: &str) -> f64 {
        self.attack_rate_of.get(attack).copied().unwrap_or(self.attack_rate)
    }

    /// Keeps only these models, attacks and seeds; an empty list keeps all. See
    /// [`Self::check_weights`], too.
    pub(crate) fn narrow(
        &mut self,
        models: &[String],
        attacks: &[String],
        seeds: &[u64],
    ) -> Result<()> {
        let models = if models.is_empty() { &self.models } else { models };
        let attacks = if attacks.is_empty() { &self.attacks } else { attacks };
        for (what, chosen, known) in
            [("model", models, MODELS), ("attack", attacks, &known_attacks())]
        {
            let foreign = chosen.iter().find(|name| !known.contains(&name.as_str()));
            ensure!(
                foreign.is_none(),
                "there is no {what} `{}`: there are {}",
                foreign.map(String::as_str).unwrap_or_default(),
                known.join(", ")
            );
        }
        let (models, attacks) = (in_order(&self.models, models), in_order(&self.attacks, attacks));
        (self.models, self.attacks) = (models, attacks);
        if !seeds.is_empty() {
            self.seeds = in_order(&self.seeds, seeds);
        }
        Ok(())
    }

    /// Fails if the experiment has no weights of one of its models. After all narrowing: a question
    /// may ask for more models than the user wants.
    pub(crate) fn check_weights(&self) -> Result<()> {
        let Some(known) = &self.weights_of else { return Ok(()) };
        let foreign = self.models.iter().find(|model| !known.contains(model));
        ensure!(
            foreign.is_none(),
            "the {} experiment of this scale has weights of {known} only, not of {}: say --models \
             {known}",
            self.task.name(),
            foreign.map(String::as_str).unwrap_or_default(),
            known = known.join(","),
        );
        Ok(())
    }

    /// Whether files below `--data` are read.
    pub(crate) fn needs_data(&self) -> bool {
        matches!(self.corpus, CorpusPlan::Files { .. })
            || matches!(self.base, BasePlan::Folder { .. })
    }
}

/// The attacks of `poison`, by name.
fn known_attacks() -> Vec<&'static str> {
    ATTACKS.lines().collect()
}

/// What was chosen, without repetitions: `known` values in their order, then the others. So the shards of
/// a run are merged in the order of the whole.
fn in_order<T: Clone + Ord>(known: &[T], chosen: &[T]) -> Vec<T> {
    let mut ordered = chosen.to_vec();
    ordered.sort();
    ordered.dedup();
    let place = |value: &T| known.iter().position(|it| it == value).unwrap_or(known.len());
    ordered.sort_by_key(place);
    ordered
}

#[cfg(test)]
mod tests;
