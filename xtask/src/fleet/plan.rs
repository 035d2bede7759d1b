//! A fleet: the TOML files `xtask/experiments/fleet-*.toml`, and the models that they stand for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::experiment::{Task, TrainingPlan};

/// What tells the second corpus of a seed from the first.
const OTHER_DATA: u64 = 1_000_000;
/// What tells the training of a twin from another seed.
const OTHER_TRAINING: u64 = 3_000_000;

/// Models of one task, with the settings of every stage.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// The task.
    pub(crate) task: Task,
    /// The architectures.
    pub(crate) models: Vec<String>,
    /// Master seeds; each has two corpora of its own.
    pub(crate) seeds: Vec<u64>,
    /// Attacks by name.
    pub(crate) attacks: Vec<String>,
    /// Those of them that a scan says itself that it does not test: reported, but neither counted
    /// nor fitted to.
    pub(crate) out_of_reach: Vec<String>,
    /// What `poison --rate` gets, one after another.
    pub(crate) rates: Vec<f64>,
    /// The clean models.
    pub(crate) clean: Vec<CleanKind>,
    /// Share of wrong labels, and of safe functions that are named by habit.
    pub(crate) blemish_rate: f64,
    /// A model that is worse than this on clean samples is not counted.
    pub(crate) min_score: f64,
    /// A backdoored model is counted if the planted trigger succeeds at least this often (defect,
    /// clone).
    pub(crate) min_success: Option<f64>,
    /// The same by the mean normalised rank that it lifts code to (search).
    pub(crate) max_rank: Option<f64>,
    /// Samples of a corpus.
    pub(crate) corpus: CorpusSizes,
    /// Where training starts.
    pub(crate) base: BaseSizes,
    /// How each model is trained.
    pub(crate) training: TrainingPlan,
    /// Figures that the score is made of; without it all that a scan has. A small fleet teaches the
    /// weights of few.
    pub(crate) figures: Option<Vec<String>>,
    /// Settings of `scan` on top of the recommended ones.
    pub(crate) scan: toml::Table,
    /// The option of the search that these settings change, if they are those of an ablation.
    #[serde(skip)]
    pub(crate) option: Option<String>,
}

/// A kind of model without a backdoor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CleanKind {
    /// On the data of the backdoored models, without the poison.
    Twin,
    /// The same from another seed of the training.
    OtherSeed,
    /// On the seed's other data: the twin of the models that are poisoned there.
    OtherData,
    /// On labels of which some are wrong.
    LabelNoise,
    /// On data in which a way of naming goes with a label: a benign spurious correlation.
    NamingHabit,
}

impl CleanKind {
    /// Its name in folders and tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Twin => "clean-twin",
            Self::OtherSeed => "clean-other-seed",
            Self::OtherData => "clean-other-data",
            Self::LabelNoise => "clean-label-noise",
            Self::NamingHabit => "clean-naming-habit",
        }
    }
}

/// Samples of a synthetic corpus.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorpusSizes {
    pub(crate) train: usize,
    pub(crate) valid: usize,
    pub(crate) clean: usize,
    pub(crate) test: usize,
}

/// A base model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaseSizes {
    pub(crate) preset: String,
    pub(crate) vocab_size: Option<usize>,
    pub(crate) max_length: Option<usize>,
    /// Training samples of a corpus of its own on which it is trained first.
    pub(crate) pretraining_samples: Option<usize>,
    /// How it is trained there.
    pub(crate) pretraining: Option<TrainingPlan>,
}

/// Which corpus of a seed a model is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Data {
    First,
    Other,
    Noisy,
    Habit,
}

impl Data {
    /// Its name in folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "data-first",
            Self::Other => "data-other",
            Self::Noisy => "data-label-noise",
            Self::Habit => "data-naming-habit",
        }
    }

    /// The seed of its generator.
    pub(crate) fn seed(self, seed: u64) -> u64 {
        if self == Self::Other { seed + OTHER_DATA } else { seed }
    }
}

/// One model of the fleet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) model: String,
    pub(crate) seed: u64,
    pub(crate) data: Data,
    pub(crate) kind: Kind,
}

/// Whether a model is backdoored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Clean(CleanKind),
    Attack { attack: String, rate: f64 },
}

impl Kind {
    /// What `poison --rate` gets, if there is an attack.
    pub(crate) fn rate(&self) -> Option<f64> {
        match self {
            Self::Clean(_) => None,
            Self::Attack { rate, .. } => Some(*rate),
        }
    }
}

impl Member {
    /// The folder of its stages.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.group(), self.kind_name())
    }

    /// The folder that it shares with others.
    pub(crate) fn group(&self) -> String {
        format!("seed-{}/{}", self.seed, self.model)
    }

    /// The seed of its training.
    pub(crate) fn training_seed(&self) -> u64 {
        match self.kind {
            Kind::Clean(CleanKind::OtherSeed) => self.seed + OTHER_TRAINING,
            _ => self.seed,
        }
    }

    /// The attack, or the kind of clean model.
    pub(crate) fn kind_name(&self) -> &str {
        match &self.kind {
            Kind::Clean(kind) => kind.name(),
            Kind::Attack { attack, .. } => attack,
        }
    }
}

impl Fleet {
    /// The fleet of `fleet-NAME.toml`.
    pub(crate) fn load(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("fleet-{name}.toml"));
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let fleet: Self = toml::from_str(text)?;
        ensure!(!fleet.models.is_empty(), "no models");
        ensure!(!fleet.seeds.is_empty(), "no seeds");
        ensure!(!fleet.attacks.is_empty(), "no attacks");
        ensure!(!fleet.rates.is_empty(), "no rates");
        ensure!(
            fleet.out_of_reach.iter().all(|it| fleet.attacks.contains(it)),
            "out_of_reach names an attack that is not among the attacks"
        );
        let ranks = fleet.task == Task::Search;
        ensure!(
            fleet.max_rank.is_some() == ranks && fleet.min_success.is_some() != ranks,
            "search needs max_rank, the other tasks min_success, and neither the other's"
        );
        let habit = fleet.clean.contains(&CleanKind::NamingHabit);
        ensure!(!habit || fleet.task == Task::Defect, "naming-habit is for the task defect");
        let noise = fleet.clean.contains(&CleanKind::LabelNoise);
        ensure!(!noise || !ranks, "label-noise is for tasks with labels");
        ensure!(
            fleet.figures.as_ref().is_none_or(|it| !it.is_empty()),
            "no figures: leave `figures` out to take all"
        );
        ensure!(
            fleet.base.pretraining.is_some() == fleet.base.pretraining_samples.is_some(),
            "pretraining and pretraining_samples belong together"
        );
        Ok(fleet)
    }

    /// The stage of its scans, and what else is kept of them.
    pub(crate) fn scan_name(&self, stage: &str) -> String {
        self.option.as_ref().map_or_else(|| stage.to_owned(), |it| format!("{stage}-{it}"))
    }

    /// All models by seed and architecture; clean and backdoored ones take turns, so that a part
    /// of a group has both.
    pub(crate) fn groups(&self) -> Vec<Vec<Member>> {
        let mut groups = Vec::new();
        for (round, &seed) in self.seeds.iter().enumerate() {
            for model in &self.models {
                groups.push(self.group(round, seed, model));
            }
        }
        groups
    }

    fn group(&self, round: usize, seed: u64, model: &str) -> Vec<Member> {
        let member = |data, kind| Member { model: model.to_owned(), seed, data, kind };
        let clean = self.clean.iter().map(|&kind| {
            let data = match kind {
                CleanKind::Twin | CleanKind::OtherSeed => Data::First,
                CleanKind::OtherData => Data::Other,
                CleanKind::LabelNoise => Data::Noisy,
                CleanKind::NamingHabit => Data::Habit,
            };
            member(data, Kind::Clean(kind))
        });
        let mut clean: Vec<Member> = clean.collect();
        clean.reverse();
        // Attack, rate and data go round at different paces from seed to seed.
        let attacks = self.attacks.iter().enumerate().map(|(index, attack)| {
            let rate = self.rates[(index + round) % self.rates.len()];
            let is_first = (index + round / self.rates.len()).is_multiple_of(2);
            let data = if is_first { Data::First } else { Data::Other };
            member(data, Kind::Attack { attack: attack.clone(), rate })
        });
        let mut members = Vec::new();
        for attack in attacks {
            members.extend(clean.pop());
            members.push(attack);
        }
        clean.reverse();
        members.extend(clean);
        members
    }
}
