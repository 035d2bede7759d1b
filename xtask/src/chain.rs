//! The stages of an experiment: what models and attacks share, and the chain of one attack.

mod defend;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

use self::defend::Defended;
use crate::cost::Costs;
use crate::experiment::{BasePlan, CorpusPlan, Draw, Experiment, Task, TrainingPlan, Variant};
use crate::stage::{Done, Runner, SCAN_EXITS, Stage};

/// What the program reads beside a file of pairs.
const FUNCTIONS_FILE: &str = "data.jsonl";

/// What every stage needs to be planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// The settings.
    pub(crate) experiment: &'a Experiment,
    /// Runs the stages.
    pub(crate) runner: &'a Runner,
    /// The folder of `--data`.
    pub(crate) data: Option<&'a Path>,
    /// Settings files of `scan` and `purify`, one pair per variant.
    pub(crate) settings: &'a [SettingsFiles],
    /// What stages cost.
    pub(crate) costs: &'a Costs,
}

/// Settings that were written to files for the program to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsFiles {
    /// For `scan`.
    pub(crate) scan: Option<PathBuf>,
    /// For `purify`.
    pub(crate) purify: Option<PathBuf>,
}

/// The samples of a seed, which all models and attacks share.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    train: Samples,
    valid: Samples,
    clean: Samples,
    test: Samples,
}

/// What all attacks on a model share.
#[derive(Clone, Debug)]
pub(crate) struct Foundation {
    corpus: Corpus,
    base: Base,
    /// A model of the same recipe without backdoor.
    twin: OnceLock<Result<Done, String>>,
}

/// A model of the matrix: architecture and master seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject<'a> {
    /// The architecture.
    pub(crate) model: &'a str,
    /// The master seed.
    pub(crate) seed: u64,
}

impl Subject<'_> {
    /// The folder of its stages.
    fn folder(self) -> String {
        format!("seed-{}/{}", self.seed, self.model)
    }
}

/// A file of samples and the stage that made it.
#[derive(Clone, Debug)]
struct Samples {
    path: PathBuf,
    made_by: Done,
    /// How many, if the experiment says so.
    n: Option<usize>,
}

/// Test samples, and an attack on them.
#[derive(Clone, Copy)]
struct Attacked<'a> {
    test: &'a Samples,
    poison: &'a Done,
}

/// Where training starts.
#[derive(Clone, Debug)]
enum Base {
    Made(Done),
    Folder {
        path: PathBuf,
        positive_output: Option<u8>,
        max_length: Option<usize>,
        input_format: Option<String>,
    },
}

/// The stages of one attack that ran, in order; a chain that broke lacks the rest.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// The training set with the backdoor.
    pub(crate) poison: Option<Done>,
    /// The clean twin under the attack.
    pub(crate) twin_metrics: Option<Done>,
    /// The backdoored model.
    pub(crate) train: Option<Done>,
    /// The backdoored model under the attack.
    pub(crate) before: Option<Done>,
    /// The scan of the backdoored model.
    pub(crate) scan: Option<Done>,
    /// The repair, or the fine-tuning; absent if the scan gave it nothing to do.
    pub(crate) purify: Option<Done>,
    /// The repaired model under the attack; `before` again if nothing was repaired.
    pub(crate) after: Option<Done>,
    /// How well a screen of the model's inputs finds the attack, if that is the defense: it leaves
    /// the model as it is, and there is no `after`.
    pub(crate) screen: Option<Done>,
    /// Whether `purify` is a training without checks.
    pub(crate) is_fine_tuned: bool,
}

impl Chain {
    /// The stages that ran.
    pub(crate) fn stages(&self) -> impl Iterator<Item = &Done> {
        let Self { poison, twin_metrics, train, before, scan, purify, after, screen, .. } = self;
        [poison, twin_metrics, train, before, scan, purify, after, screen].into_iter().flatten()
    }

    /// Why the model after the repair is the model before it, if it is.
    pub(crate) fn unrepaired(&self) -> Option<&'static str> {
        match (&self.after, &self.purify) {
            (None, _) => None,
            (_, None) => Some("the scan gave nothing to unlearn, so \"after\" is \"before\""),
            (_, Some(purify)) if purify.exit_code != 0 => {
                Some("the repair failed its own checks and was refused, so \"after\" is \"before\"")
            }
            _ => None,
        }
    }
}

impl Plan<'_> {
    /// Base model of a seed on its corpus.
    pub(crate) fn foundation(&self, subject: Subject<'_>, corpus: &Corpus) -> Result<Foundation> {
        let base = self.base(subject, corpus)?;
        Ok(Foundation { corpus: corpus.clone(), base, twin: OnceLock::new() })
    }

    /// The clean twin, trained by whoever asks first.
    fn twin<'a>(&self, subject: Subject<'_>, foundation: &'a Foundation) -> Result<&'a Done> {
        let Foundation { corpus, base, twin } = foundation;
        let name = format!("{}/twin/train", subject.folder());
        twin.get_or_init(|| {
            let training = self.experiment.training(subject.model);
            let Corpus { train, valid, .. } = corpus;
            self.train(&name, subject.seed, base, training, train, valid)
                .map_err(|error| format!("{error:#}"))
        })
        .as_ref()
        .map_err(|reason| anyhow!("{reason}"))
    }

    /// The scan of the clean twin.
    pub(crate) fn scan_twin(&self, subject: Subject<'_>, foundation: &Foundation) -> Result<Done> {
        let twin = self.twin(subject, foundation)?;
        let name = format!("{}/twin/scan", subject.folder());
        self.scan(&name, subject.seed, 0, twin, &foundation.corpus.clean)
    }

    /// Poison, train, evaluate, defend, evaluate; `chain` keeps what ran before an error.
    pub(crate) fn attack(
        &self,
        attack: &str,
        variant: usize,
        subject: Subject<'_>,
        foundation: &Foundation,
        chain: &mut Chain,
    ) -> Result<()> {
        let Foundation { corpus: Corpus { train, valid, test, .. }, base, .. } = foundation;
        let (seed, folder) = (subject.seed, format!("{}/{attack}", subject.folder()));
        let poison = self
            .stage(format!("{folder}/poison"), "poison", "poisoned", seed)
            .flag("--data", train.path.display())
            .flag("--attack", attack)
            .flag("--rate", self.experiment.attack_rate(attack))
            .after(&train.made_by);
        let poison = &chain.poison.insert(self.runner.run(poison)?).clone();
        let poisoned = Samples {
            path: poison.file(self.experiment.task.split("train")),
            made_by: poison.clone(),
            n: train.n,
        };
        let training = self.experiment.training(subject.model);
        let name = format!("{folder}/train");
        let trained = self.train(&name, seed, base, training, &poisoned, valid)?;
        let model = chain.train.insert(trained).clone();
        let test = Attacked { test, poison };
        let before = self.runner.run(self.evaluate(
            format!("{folder}/evaluate-before"),
            seed,
            &model,
            test,
        ))?;
        chain.before = Some(before);

        let defended = Defended { variant: self.variant(variant), index: variant, folder: &folder };
        self.defend(&defended, subject, &model, &foundation.corpus, test, chain)?;
        // The twin comes last: by now another job has trained it.
        let twin = self.twin(subject, foundation)?;
        let name = format!("{folder}/evaluate-twin");
        chain.twin_metrics = Some(self.runner.run(self.evaluate(name, seed, twin, test))?);
        Ok(())
    }

    /// A model on the test set, without the attack and under it.
    fn evaluate(&self, name: String, seed: u64, model: &Done, on: Attacked<'_>) -> Stage {
        let Attacked { test, poison } = on;
        self.stage(name, "evaluate", "metrics.json", seed)
            .argument(model.output.display())
            .flag("--data", test.path.display())
            .flag("--attack", poison.file("manifest.json").display())
            .optional("--distractors", self.experiment.distractors)
            .costs(self.costs.evaluate)
            .after(model)
            .after(&test.made_by)
            .after(poison)
    }

    fn variant(&self, index: usize) -> &Variant {
        &self.experiment.variants[index]
    }

    /// The seed's samples.
    pub(crate) fn corpus(&self, seed: u64) -> Result<Corpus> {
        match &self.experiment.corpus {
            CorpusPlan::Synthetic { train, valid, clean, test, unseen } => {
                let stage = self
                    .stage(format!("seed-{seed}/corpus"), "synthesize", "corpus", seed)
                    .flag("--train", train)
                    .flag("--valid", valid)
                    .flag("--clean", clean)
                    .flag("--test", test)
                    .optional("--unseen", *unseen);
                let made_by = self.runner.run(stage)?;
                let split = |name, n: usize| Samples {
                    path: made_by.file(self.experiment.task.split(name)),
                    made_by: made_by.clone(),
                    n: Some(n),
                };
                Ok(Corpus {
                    train: split("train", *train),
                    valid: split("valid", *valid),
                    clean: split("clean", *clean),
                    test: split("test", *test),
                })
            }
            CorpusPlan::Files { test, clean, valid, train } => {
                let test = self.draw("test", seed, test, &[])?;
                let clean = self.draw("clean", seed, clean, &[&test])?;
                let valid = self.draw("valid", seed, valid, &[&test, &clean])?;
                let train = self.draw("train", seed, train, &[&test, &clean, &valid])?;
                Ok(Corpus { train, valid, clean, test })
            }
        }
    }

    fn draw(&self, part: &str, seed: u64, draw: &Draw, taken: &[&Samples]) -> Result<Samples> {
        let task = self.experiment.task;
        // Pairs come in a folder, with their functions.
        let output =
            if task == Task::Clone { part.to_owned() } else { self.experiment.task.split(part) };
        let mut stage = self
            .stage(format!("seed-{seed}/corpus/{part}"), "sample", &output, seed)
            .optional("-n", draw.n);
        for file in &draw.from {
            let file = self.data()?.join(file);
            stage = stage.flag("--data", file.display());
            if task == Task::Clone {
                let functions = file.with_file_name(FUNCTIONS_FILE);
                let packed = file.with_file_name(format!("{FUNCTIONS_FILE}.gz"));
                let is_packed = packed.exists() && !functions.exists();
                stage = stage.reads(if is_packed { packed } else { functions });
            }
            stage = stage.reads(file);
        }
        for samples in taken {
            stage = stage.flag("--exclude", samples.path.display()).after(&samples.made_by);
        }
        let made_by = self.runner.run(stage)?;
        let path = match task {
            Task::Clone => made_by.file("pairs.txt"),
            Task::Defect | Task::Search => made_by.output.clone(),
        };
        Ok(Samples { path, made_by, n: draw.expected() })
    }

    /// A stage of this task.
    fn stage(&self, name: impl Into<String>, command: &str, output: &str, seed: u64) -> Stage {
        Stage::of_task(self.experiment.task, name, command, output, seed)
    }

    fn base(&self, subject: Subject<'_>, corpus: &Corpus) -> Result<Base> {
        match &self.experiment.base {
            BasePlan::Init { preset, vocab_size, max_length, pretraining, pretraining_of } => {
                let name = |stage: &str| format!("{}/{stage}", subject.folder());
                let stage = self
                    .stage(name("base"), "init", "base", subject.seed)
                    .flag("--preset", preset)
                    .flag("--arch", subject.model)
                    .flag("--data", corpus.train.path.display())
                    .optional("--vocab-size", *vocab_size)
                    .optional("--max-length", *max_length)
                    .after(&corpus.train.made_by);
                let untrained = Base::Made(self.runner.run(stage)?);
                let own = pretraining_of.get(subject.model);
                let Some(training) = own.or(pretraining.as_ref()) else { return Ok(untrained) };
                let Corpus { train, valid, .. } = corpus;
                let name = name("pretrain");
                let pretrained =
                    self.train(&name, subject.seed, &untrained, training, train, valid)?;
                Ok(Base::Made(pretrained))
            }
            BasePlan::Folder { path, positive_output, max_length, input_format } => {
                Ok(Base::Folder {
                    path: self.data()?.join(path.replace(BasePlan::MODEL, subject.model)),
                    positive_output: *positive_output,
                    max_length: *max_length,
                    input_format: input_format.clone(),
                })
            }
        }
    }

    fn train(
        &self,
        name: &str,
        seed: u64,
        base: &Base,
        training: &TrainingPlan,
        train: &Samples,
        valid: &Samples,
    ) -> Result<Done> {
        let stage = self.stage(name, "train", "model", seed);
        let stage = match base {
            Base::Made(made) => stage.argument(made.output.display()).after(made),
            Base::Folder { path, positive_output, max_length, input_format } => {
                let stage = stage
                    .argument(path.display())
                    .optional("--positive-output", *positive_output)
                    .optional("--max-length", *max_length)
                    .optional("--input-format", input_format.as_deref());
                model_files(path).into_iter().fold(stage, Stage::reads)
            }
        };
        let stage = stage
            .flag("--data", train.path.display())
            .flag("--valid", valid.path.display())
            .training(training)
            .costs(self.costs.train(training, train.n))
            .after(&train.made_by)
            .after(&valid.made_by);
        self.runner.run(stage)
    }

    fn scan(
        &self,
        name: &str,
        seed: u64,
        variant: usize,
        model: &Done,
        clean: &Samples,
    ) -> Result<Done> {
        let stage = self
            .stage(name, "scan", "scan.json", seed)
            .argument(model.output.display())
            .flag("--data", clean.path.display())
            .costs(self.costs.scans[variant])
            .exits(SCAN_EXITS)
            .after(model)
            .after(&clean.made_by);
        self.runner.run(stage.settings(self.settings[variant].scan.as_deref()))
    }

    fn data(&self) -> Result<&Path> {
        let folder = self.data.context("this experiment reads real data: --data DIR is needed")?;
        if !folder.is_dir() && !self.runner.is_dry_run {
            bail!("--data {}: no such folder", folder.display());
        }
        Ok(folder)
    }
}
/// The files of a model folder, in the order of their names; of one that cannot be read its
/// `config.json`, so that it is what is missing.
fn model_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    if files.is_empty() {
        files.push(folder.join("config.json"));
    }
    files
}
