//! `bundle.json`: all that a report is made of, so that parts that ran on several machines can be
//! put together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use elibadcode_evaluation::records::document;
use elibadcode_evaluation::records::results::{Cell, CellStatus, Scan};
use serde::{Deserialize, Serialize};

use crate::detail::Detail;
use crate::experiment::{Experiment, Question, Scale, Task};
use crate::shard::Shard;
use crate::stage::fnv_1a;

/// The version of `bundle.json` that this program reads and writes.
const SCHEMA_VERSION: u32 = 8;

/// The whole of a `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bundle {
    schema_version: u32,
    /// The file that it was read from.
    #[serde(skip)]
    file: PathBuf,
    /// A hash of the program that ran the stages.
    #[serde(default)]
    program: String,
    /// A hash of the settings of each experiment.
    #[serde(default)]
    settings: Vec<String>,
    /// Size of the experiments.
    pub(crate) scale: String,
    /// The research question, if one was asked.
    pub(crate) question: Option<String>,
    /// Models, attacks and seeds of the whole matrix, by task.
    selection: Vec<String>,
    /// Which part of the matrix this is.
    shard: String,
    /// The cells.
    pub(crate) entries: Vec<Entry>,
    /// Scans of the models without backdoor.
    pub(crate) twins: Vec<TwinScan>,
}

/// A cell and what a report says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// What was measured.
    pub(crate) cell: Cell,
    /// What a reader must know of it.
    pub(crate) note: Option<String>,
    /// Where it was computed.
    pub(crate) device: Option<String>,
    /// A hash of the test samples, if anything was measured on them.
    #[serde(default)]
    pub(crate) data: Option<String>,
    /// The day on which its last stage ended.
    pub(crate) day: Option<String>,
    /// What is shown beside the numbers.
    pub(crate) detail: Detail,
}

/// The scan of a model without backdoor: an entry of `twins.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwinScan {
    /// The task, spelled as in `results.json`.
    pub(crate) task: String,
    /// The architecture, spelled as in `results.json`.
    pub(crate) model: String,
    /// The master seed.
    pub(crate) seed: u64,
    /// Whether the scan ran.
    pub(crate) status: CellStatus,
    /// What it found; nothing was planted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scan: Option<Scan>,
}

/// A hash of an experiment's settings but for what a run chose of it, which a bundle says beside it.
fn settings(experiment: &Experiment) -> String {
    let mut whole = experiment.clone();
    (whole.models, whole.attacks, whole.seeds) = Default::default();
    format!("{:016x}", fnv_1a(format!("{whole:?}").into_bytes()))
}

impl Bundle {
    /// An empty bundle.
    pub(crate) fn new(
        scale: Scale,
        question: Option<Question>,
        experiments: &[Experiment],
        shard: Shard,
        program: &str,
    ) -> Self {
        let selected = |it: &Experiment| {
            let seeds: Vec<String> = it.seeds.iter().map(u64::to_string).collect();
            format!(
                "{}: {}; {}; seeds {}",
                it.task.name(),
                it.models.join(", "),
                it.attacks.join(", "),
                seeds.join(", ")
            )
        };
        Self {
            schema_version: SCHEMA_VERSION,
            file: PathBuf::new(),
            program: program.to_owned(),
            settings: experiments.iter().map(settings).collect(),
            scale: scale.name().to_owned(),
            question: question.map(|question| question.name().to_owned()),
            selection: experiments.iter().map(selected).collect(),
            shard: shard.to_string(),
            entries: Vec::new(),
            twins: Vec::new(),
        }
    }

    /// Reads the bundle of a results folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("bundle.json");
        let shown = || format!("reading {}", path.display());
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{}; expected a results folder of `cargo xtask reproduce`", shown())
        })?;
        let mut bundle: Self = document::read(&text, "bundle.json", SCHEMA_VERSION)
            .with_context(|| format!("{}; one of another version: run the shard again", shown()))?;
        bundle.file = path;
        Ok(bundle)
    }

    /// The text of the `bundle.json`.
    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Whether everything ran.
    pub(crate) fn is_complete(&self) -> bool {
        let cells = self.entries.iter().map(|entry| &entry.cell.status);
        cells.chain(self.twins.iter().map(|twin| &twin.status)).all(|it| *it == CellStatus::Ok)
    }

    /// The experiments that its cells and twins are of.
    pub(crate) fn experiments(&self) -> Result<Vec<Experiment>> {
        let scale = Scale::named(&self.scale)
            .with_context(|| format!("`{}` is not a scale of this program", self.scale))?;
        let question = match &self.question {
            None => None,
            Some(name) => Some(
                Question::named(name)
                    .with_context(|| format!("`{name}` is not a question of this program"))?,
            ),
        };
        let tasks: Vec<Task> = Task::ALL.into_iter().filter(|task| self.has(task.name())).collect();
        ensure!(!tasks.is_empty(), "there are no cells");
        let mut experiments = match question {
            Some(question) => question.experiments(&tasks, scale)?,
            None => tasks
                .into_iter()
                .map(|task| Experiment::load(task, scale))
                .collect::<Result<_>>()?,
        };
        for experiment in &mut experiments {
            let task = experiment.task.name();
            let cells =
                || self.entries.iter().map(|it| &it.cell).filter(move |cell| cell.task == task);
            let models: Vec<String> = cells().map(|cell| cell.model.clone()).collect();
            let attacks: Vec<String> = cells().map(|cell| cell.attack.clone()).collect();
            let seeds: Vec<u64> = cells().map(|cell| cell.seed).collect();
            experiment.narrow(&models, &attacks, &seeds)?;
        }
        ensure!(
            experiments.iter().all(|it| self.settings.contains(&settings(it))),
            "{}: the experiments of this xtask have other settings than those that it was made with, and \
             would describe it wrongly; merge with the xtask that ran it",
            self.title()
        );
        Ok(experiments)
    }

    fn has(&self, task: &str) -> bool {
        self.entries.iter().any(|entry| entry.cell.task == task)
            || self.twins.iter().any(|twin| twin.task == task)
    }

    /// All parts of one run together, in the order of an undivided one.
    pub(crate) fn merge(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let Some(mut whole) = parts.next() else { bail!("there is nothing to merge") };
        let mut shards = vec![whole.shard.clone()];
        for part in parts {
            ensure!(
                (&part.scale, &part.question) == (&whole.scale, &whole.question),
                "{} and {} cannot be merged: they are of different experiments",
                whole.title(),
                part.title()
            );
            ensure!(
                part.selection == whole.selection,
                "{} and {} cannot be merged: one has {}, the other {}",
                whole.title(),
                part.title(),
                whole.selection.join("; "),
                part.selection.join("; ")
            );
            ensure!(
                part.program == whole.program,
                "{} and {} cannot be merged: they are of two programs ({}, {}); copy one program \
                 to all machines and run the shards with it (--binary)",
                whole.title(),
                part.title(),
                whole.program,
                part.program
            );
            ensure!(
                part.settings == whole.settings,
                "{} and {} cannot be merged: the settings of their experiments differ; run the \
                 shards with xtask of one version",
                whole.title(),
                part.title()
            );
            shards.push(part.shard);
            whole.entries.extend(part.entries);
            whole.twins.extend(part.twins);
        }
        check_complete(&shards)?;
        check_data(&whole.entries)?;
        whole.shard = Shard::WHOLE.to_string();
        whole.sort()?;
        Ok(whole)
    }

    fn title(&self) -> String {
        let question = self.question.as_deref().map_or(String::new(), |it| format!(", {it}"));
        let part = format!("scale {}{question}, shard {}", self.scale, self.shard);
        if self.file.as_os_str().is_empty() {
            return part;
        }
        format!("{} ({part})", self.file.display())
    }

    /// Puts everything in the order of the experiments; what is there twice must be the same.
    fn sort(&mut self) -> Result<()> {
        let experiments = self.experiments()?;
        let place = |list: &[String], name: &str| list.iter().position(|it| it == name);
        self.entries.sort_by_cached_key(|Entry { cell, .. }| {
            let task = experiments.iter().position(|it| it.task.name() == cell.task);
            let experiment = task.map(|index| &experiments[index]);
            experiment.map(|it| {
                let variant = it.variants.iter().position(|it| it.name == cell.variant);
                let seed = it.seeds.iter().position(|seed| *seed == cell.seed);
                let model = place(&it.models, &cell.model);
                (task, model, place(&it.attacks, &cell.attack), variant, seed)
            })
        });
        self.twins.sort_by_cached_key(|twin| {
            let task = experiments.iter().position(|it| it.task.name() == twin.task);
            let experiment = task.map(|index| &experiments[index]);
            experiment.map(|it| {
                let seed = it.seeds.iter().position(|seed| *seed == twin.seed);
                (task, place(&it.models, &twin.model), seed)
            })
        });
        self.entries.dedup();
        self.twins.dedup();
        let cell = |Entry { cell, .. }: &Entry| {
            let Cell { task, model, attack, variant, seed, .. } = cell;
            format!("{task}/{model}/{attack}/{variant}/seed {seed}")
        };
        let twin = |TwinScan { task, model, seed, .. }: &TwinScan| {
            format!("the clean twin {task}/{model}/seed {seed}")
        };
        check_distinct(self.entries.iter().map(cell))?;
        check_distinct(self.twins.iter().map(twin))
    }
}

/// Fails if two neighbours have the same name.
fn check_distinct(names: impl Iterator<Item = String>) -> Result<()> {
    let names: Vec<String> = names.collect();
    for pair in names.windows(2) {
        ensure!(pair[0] != pair[1], "{} is there twice with other numbers", pair[0]);
    }
    Ok(())
}

/// Fails if cells of a task and seed were measured on different test samples, as those of machines
/// with different `--data` are.
fn check_data(entries: &[Entry]) -> Result<()> {
    let mut seen: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for Entry { cell, data, .. } in entries {
        let Some(data) = data else { continue };
        let first = *seen.entry((&cell.task, cell.seed)).or_insert(data);
        ensure!(
            first == data,
            "the shards cannot be merged: their test samples for {}, seed {}, differ ({first}, \
             {data}); give all machines the same --data",
            cell.task,
            cell.seed
        );
    }
    Ok(())
}

/// Fails if a part of a divided run is missing.
fn check_complete(shards: &[String]) -> Result<()> {
    let parsed: Vec<Shard> = shards.iter().map(|it| it.parse()).collect::<Result<_>>()?;
    for count in parsed.iter().map(|shard| shard.count()) {
        let missing: Vec<String> = Shard::all(count)
            .filter(|shard| !parsed.contains(shard))
            .map(|shard| shard.to_string())
            .collect();
        ensure!(missing.is_empty(), "shard {} is not among the folders", missing.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(task: &str, attack: &str, seed: u64) -> Entry {
        let cell = serde_json::json!({
            "task": task, "model": "codebert", "attack": attack, "seed": seed, "status": "ok",
        });
        Entry {
            cell: serde_json::from_value(cell).expect("test data"),
            note: None,
            device: None,
            data: None,
            day: None,
            detail: Detail::default(),
        }
    }

    fn part(shard: &str, entries: Vec<Entry>) -> Bundle {
        let shard = shard.parse().expect("a part");
        let load = |task| Experiment::load(task, Scale::Small).expect("our own file");
        let experiments = [Task::Defect, Task::Clone].map(load);
        Bundle { entries, ..Bundle::new(Scale::Small, None, &experiments, shard, "a") }
    }

    fn attacks(bundle: &Bundle) -> Vec<String> {
        let name = |it: &Entry| format!("{} {} {}", it.cell.task, it.cell.attack, it.cell.seed);
        bundle.entries.iter().map(name).collect()
    }

    #[test]
    fn parts_come_together_in_the_order_of_the_whole() {
        let one = part("1/2", vec![entry("clone", "badcode", 1), entry("defect", "badcode", 2)]);
        let two = part("2/2", vec![entry("defect", "codepoisoner", 1)]);
        let whole = Bundle::merge(vec![two.clone(), one.clone()]).expect("complete");
        assert_eq!(
            attacks(&whole),
            ["defect codepoisoner 1", "defect badcode 2", "clone badcode 1"]
        );
        assert_eq!(whole.shard, "1/1");
        let again = Bundle::merge(vec![two, one.clone(), one]).expect("the same twice");
        assert_eq!(again, whole);
        let text = whole.to_json().expect("plain data");
        assert_eq!(serde_json::from_str::<Bundle>(&text).expect("own output"), whole);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |parts: Vec<Bundle>| Bundle::merge(parts).expect_err("refused").to_string();
        let one = part("1/3", vec![entry("defect", "badcode", 1)]);
        assert_eq!(refused(vec![one.clone()]), "shard 2/3, 3/3 is not among the folders");
        assert_eq!(refused(Vec::new()), "there is nothing to merge");
        let other = Bundle { scale: "smoke".to_owned(), ..one.clone() };
        assert!(refused(vec![one.clone(), other]).contains("shard 1/3 and scale smoke"));
        let fewer = Bundle { selection: vec!["defect: seeds 2".to_owned()], ..one.clone() };
        assert!(refused(vec![one.clone(), fewer]).contains("the other defect: seeds 2"));
        let read = |folder: &str, it: &Bundle| Bundle { file: folder.into(), ..it.clone() };
        let rebuilt = Bundle { program: "b".to_owned(), ..one.clone() };
        let error = refused(vec![read("one", &one), read("two", &rebuilt)]);
        assert!(error.starts_with("one (scale small, shard 1/3) and two (scale"), "{error}");
        assert!(error.contains("of two programs (a, b)"), "{error}");
        let changed = Bundle { settings: vec!["other".to_owned()], ..one.clone() };
        let both = refused(vec![one, changed.clone()]);
        assert!(both.contains("the settings of their experiments differ"), "{both}");
        // Nor do all parts of another xtask go together here.
        let old = refused(vec![Bundle { shard: "1/1".to_owned(), ..changed }]);
        assert!(old.contains("merge with the xtask that ran it"), "{old}");
        let mut changed = entry("defect", "badcode", 1);
        changed.cell.status = CellStatus::NotRun("no".to_owned());
        let on = |data: &str, seed| Entry {
            data: Some(data.to_owned()),
            ..entry("defect", "badcode", seed)
        };
        let elsewhere = part("1/1", vec![on("a", 1), on("b", 2), on("c", 1)]);
        let elsewhere = refused(vec![elsewhere]);
        assert!(elsewhere.contains("for defect, seed 1, differ (a, c)"), "{elsewhere}");
        let twice = part("1/1", vec![changed, entry("defect", "badcode", 1)]);
        let twice = refused(vec![twice]);
        assert!(twice.starts_with("defect/codebert/badcode/elibadcode/seed 1 is there"), "{twice}");
        let foreign = Bundle { scale: "huge".to_owned(), ..part("1/1", Vec::new()) };
        assert_eq!(refused(vec![foreign]), "`huge` is not a scale of this program");
    }
}
