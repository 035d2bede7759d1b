//! What every command needs: the device, hashed inputs, and the run record.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use elibadcode_corpus::{
    CloneSamples, DefectSample, Loaded, SearchSample, Task, bigclonebench, codesearchnet, devign,
    stage_rng,
};
use elibadcode_evaluation::RunRecord;
use elibadcode_evaluation::records::RUN_SCHEMA_VERSION;
use elibadcode_inversion::CleanSample;
use elibadcode_models::{Compute, Head, LoadedModel, ModelDir};
use elibadcode_syntax::{Function, Language};
use fs_err as fs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::{Global, ModelArgs};
use crate::output;
use crate::progress::{Progress, status};

/// Functions that are parsed to see whether they are in the language.
const MAX_PARSED: usize = 100;
/// Fewer functions than this that do not parse are no sign of another language.
const MIN_UNPARSED: usize = 10;

/// The state of one command.
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) progress: Progress,
    command: &'static str,
    started: Instant,
    device: String,
    inputs: BTreeMap<String, String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(global: &'a Global, command: &'static str) -> Self {
        Self {
            global,
            progress: Progress::new(global.quiet),
            command,
            started: Instant::now(),
            device: String::new(),
            inputs: BTreeMap::new(),
        }
    }

    /// The device that was asked for.
    pub(crate) fn compute(&mut self) -> Result<Compute> {
        let compute = Compute::select(&self.global.device)?;
        self.device.clone_from(&compute.name);
        Ok(compute)
    }

    /// Notes the hash of a model folder, which is returned. After it was looked into, because its files can be of
    /// any length.
    pub(crate) fn note_model(&mut self, path: &Path, dir: &ModelDir) -> Result<String> {
        let hash = dir.hash()?;
        self.inputs.insert(path.display().to_string(), hash.clone());
        Ok(hash)
    }

    /// Opens and loads a model folder.
    pub(crate) fn model(&mut self, args: &ModelArgs) -> Result<(LoadedModel, String)> {
        let compute = self.compute()?;
        let dir = args.reading.open(&args.model_dir)?;
        let model = dir.load(&compute)?;
        let hash = self.note_model(&args.model_dir, &dir)?;
        Ok((model, hash))
    }

    /// Opens and loads a model folder whose head is that of the task.
    pub(crate) fn model_for(
        &mut self,
        args: &ModelArgs,
        task: Task,
    ) -> Result<(LoadedModel, String)> {
        let (model, hash) = self.model(args)?;
        let (found, expected) = (model.network.head(), Head::of_task(task));
        if found != expected {
            let own = match found {
                Head::Classification => Task::DefectDetection,
                Head::Pair => Task::CloneDetection,
                Head::Embedding => Task::CodeSearch,
            };
            bail!(
                "{}: the model has the head `{found}`, the task `{task}` needs `{expected}`; \
                 say the model's own `--task {own}`, or `train --task {task}` from this folder",
                args.model_dir.display()
            );
        }
        Ok((model, hash))
    }

    /// Reads labelled functions (JSONL) and notes the hash of their file, which is returned.
    pub(crate) fn functions(
        &mut self,
        path: &Path,
        language: Language,
    ) -> Result<(Vec<DefectSample>, String)> {
        let samples = self.loaded(path, devign::read(path)?);
        self.check_language(path, samples.iter().map(|it| &*it.code), language)?;
        let hash = self.note_file(path)?;
        Ok((
            samples,
            match devign::functions_of(path) {
                Some(functions) => self.note_both(&hash, &functions)?,
                None => hash,
            },
        ))
    }

    /// Reads pairs, and their functions from the file beside them, and notes the hashes of both;
    /// returned is one hash of the two.
    pub(crate) fn pairs(
        &mut self,
        path: &Path,
        language: Language,
    ) -> Result<(CloneSamples, String)> {
        let samples = self.loaded(path, bigclonebench::read_pairs(path)?);
        self.check_language(path, samples.functions.iter().map(|it| &*it.code), language)?;
        let pairs = self.note_file(path)?;
        let functions = bigclonebench::functions_of(path);
        let hash = self.note_both(&pairs, &functions)?;
        Ok((samples, hash))
    }

    /// Notes the hash of a second file; returned is one hash of it and the `first`.
    fn note_both(&mut self, first: &str, second: &Path) -> Result<String> {
        let second = self.note_file(second)?;
        Ok(blake3::hash(format!("{first}{second}").as_bytes()).to_hex().to_string())
    }

    /// Reads functions with their queries, from a file or from all of a folder, and notes the hashes of the
    /// files; returned is one hash of them.
    pub(crate) fn queries(
        &mut self,
        path: &Path,
        language: Language,
    ) -> Result<(Vec<SearchSample>, String)> {
        let samples = self.loaded(path, codesearchnet::read(path, language)?);
        let parts = codesearchnet::parts(path)?;
        let (first, others) = parts.split_first().context("a corpus is at least one file")?;
        let hash = self.note_file(first)?;
        Ok((samples, others.iter().try_fold(hash, |hash, part| self.note_both(&hash, part))?))
    }

    /// Fails if almost no function parses, which is how another language looks; says so if many do
    /// not.
    pub(crate) fn check_language<'c>(
        &self,
        path: &Path,
        codes: impl Iterator<Item = &'c str>,
        language: Language,
    ) -> Result<()> {
        let codes: Vec<&str> = codes.take(MAX_PARSED).collect();
        let n_bad = codes.iter().filter(|&&it| Function::parse(it, language).has_errors()).count();
        let text = format!(
            "{}: {n_bad} of the first {} functions do not parse as {language}; --language says which \
             language they are in",
            path.display(),
            codes.len()
        );
        if is_another_language(n_bad, codes.len()) {
            bail!(text);
        }
        if 2 * n_bad > codes.len() {
            self.warn(&text);
        }
        Ok(())
    }

    /// Says which rows a tolerant reader left out.
    pub(crate) fn loaded<T>(&self, path: &Path, loaded: Loaded<T>) -> T {
        if loaded.skipped.n_skipped() > 0 {
            self.warn(&format!("{}: {}", path.display(), loaded.skipped));
        }
        loaded.samples
    }

    /// Says how many functions a model does not read to their end, if any.
    pub(crate) fn say_cut(&self, n_cut: usize, n: usize, model: &LoadedModel) {
        if n_cut > 0 {
            self.say(&format!(
                "{n_cut} of {n} functions are longer than the {} tokens that are read (--max-length)",
                model.max_length
            ));
        }
    }

    /// Reads the clean samples of a classification task and notes their hash, which is returned.
    ///
    /// Of a pair one member, drawn by the seed, can carry a trigger.
    pub(crate) fn clean_samples(
        &mut self,
        task: Task,
        path: &Path,
        language: Language,
    ) -> Result<(Vec<CleanSample>, String)> {
        Ok(if task == Task::CloneDetection {
            let (pairs, hash) = self.pairs(path, language)?;
            let mut rng = stage_rng(self.global.seed, "trigger sides");
            (CleanSample::of_pairs(&pairs, &mut rng), hash)
        } else {
            let (samples, hash) = self.functions(path, language)?;
            (samples.iter().map(CleanSample::from).collect(), hash)
        })
    }

    /// Reads a JSON document and notes its hash.
    pub(crate) fn json<T: DeserializeOwned>(&mut self, path: &Path) -> Result<T> {
        let text = fs::read_to_string(path)?;
        self.note_file(path)?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Notes the hash of an input, which is returned.
    pub(crate) fn note_file(&mut self, path: &Path) -> Result<String> {
        if !fs::metadata(path)?.is_file() {
            bail!(
                "{}: expected a file, which can be read twice: for its hash, too",
                path.display()
            );
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(path)?)?;
        let hash = hasher.finalize().to_hex().to_string();
        self.inputs.insert(path.display().to_string(), hash.clone());
        Ok(hash)
    }

    /// What made an output: the deterministic part of the run record.
    pub(crate) fn made_by(&self, config: &impl Serialize) -> Result<serde_json::Value> {
        Ok(serde_json::json!({
            "command": self.command,
            "version": env!("CARGO_PKG_VERSION"),
            "seed": self.global.seed,
            "config": serde_json::to_value(config)?,
            "inputs": self.inputs.values().collect::<Vec<_>>(),
        }))
    }

    /// Ends the command: clears the bar and writes the run record if one was asked for.
    pub(crate) fn finish(&self, config: &impl Serialize) -> Result<()> {
        self.progress.finish();
        let Some(path) = &self.global.record else { return Ok(()) };
        // The command's own output may be there now.
        output::check_file(path, self.global.force)?;
        let record = RunRecord {
            schema_version: RUN_SCHEMA_VERSION,
            command: self.command.to_owned(),
            status: "success".to_owned(),
            seed: self.global.seed,
            device: self.device.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: serde_json::to_value(config)?,
            inputs: self.inputs.clone(),
            wall_seconds: self.started.elapsed().as_secs_f64(),
        };
        output::write_file(path, |out| Ok(out.write_all(output::json(&record)?.as_bytes())?))
    }

    /// A line on standard error, `--quiet` or not: of what went wrong, or was left out.
    pub(crate) fn warn(&self, text: &str) {
        self.progress.finish();
        status(text);
    }

    /// A line on standard error unless `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet {
            self.warn(text);
        }
    }

    /// Prints results on standard output. If nobody reads them any more, as after `head`, the command
    /// goes on: its exit code still says what it found.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        self.progress.finish();
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Whether so many functions do not parse that they are in another language.
pub(crate) fn is_another_language(n_bad: usize, n: usize) -> bool {
    n_bad >= MIN_UNPARSED && 10 * n_bad > 9 * n
}

/// Settings: the preset, with the keys of a TOML file on top.
pub(crate) fn settings<T: Serialize + DeserializeOwned>(
    preset: T,
    file: Option<&Path>,
) -> Result<T> {
    let Some(path) = file else { return Ok(preset) };
    let text = fs::read_to_string(path)?;
    let mut merged = toml::Table::try_from(&preset)?;
    let overrides: toml::Table =
        text.parse().with_context(|| format!("reading {}", path.display()))?;
    merge(&mut merged, overrides).with_context(|| format!("reading {}", path.display()))?;
    merged.try_into().with_context(|| format!("reading {}", path.display()))
}

/// Puts values in the place of those with their keys; of a table, only those that are given.
fn merge(settings: &mut toml::Table, overrides: toml::Table) -> Result<()> {
    let known: Vec<String> = settings.keys().cloned().collect();
    for (key, value) in overrides {
        match (settings.get_mut(&key), value) {
            (None, _) => bail!("unknown key `{key}`, known are {}", known.join(", ")),
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => {
                merge(old, new).with_context(|| format!("in `{key}`"))?;
            }
            (Some(old), new) => *old = new,
        }
    }
    Ok(())
}
