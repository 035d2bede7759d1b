//! One stage: a run of the program in its own folder, skipped when it is done already.
//!
//! A stage is done when `stage.json` is there, which is written last and holds a fingerprint of
//! the arguments, of everything the stage depends on, and of the program. `run.json` is the
//! program's own record, so that a resumed experiment still knows how long its stages took.
//!
//! A stage holds the lock of its folder while it runs, and so does the program that it started:
//! several processes can share a folder, and one that is started again after a kill waits for the
//! program that the killed one left behind.

mod common;
mod fingerprint;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail, ensure};
use elibadcode_evaluation::RunRecord;
use serde::{Deserialize, Serialize};

pub(crate) use self::common::SCAN_EXITS;
pub(crate) use self::fingerprint::fnv_1a;
use self::fingerprint::{fingerprint_of, identity};
use crate::parallel::n_cores_each;
use crate::say;

/// What is written last, when a stage is done.
const STAMP: &str = "stage.json";
/// The record of a stage's program.
const RECORD: &str = "run.json";

/// A planned run of the program.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Folder of the stage below the runner's root.
    name: String,
    /// Command, flags and values, without what the runner adds.
    arguments: Vec<String>,
    /// Name of the output file or folder inside the stage's folder.
    output: String,
    /// The stages that this one reads.
    dependencies: Vec<Done>,
    /// Files that no stage made.
    files: Vec<PathBuf>,
    /// Exit codes that are results rather than errors.
    exit_codes: &'static [i32],
    /// Functions that will go through the model, if somebody knows.
    n_forwards: Option<u64>,
}

impl Stage {
    /// A stage that runs `command` and writes `output`.
    pub(crate) fn new(name: impl Into<String>, command: &str, output: &str) -> Self {
        Self {
            name: name.into(),
            arguments: vec![command.to_owned()],
            output: output.to_owned(),
            dependencies: Vec::new(),
            files: Vec::new(),
            exit_codes: &[0],
            n_forwards: Some(0),
        }
    }

    /// Adds a positional argument.
    pub(crate) fn argument(mut self, value: impl Display) -> Self {
        self.arguments.push(value.to_string());
        self
    }

    /// Adds a flag with its value.
    pub(crate) fn flag(self, flag: &str, value: impl Display) -> Self {
        self.argument(flag).argument(value)
    }

    /// Adds a flag if there is a value for it.
    pub(crate) fn optional(self, flag: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.flag(flag, value),
            None => self,
        }
    }

    /// Runs again whenever `done` ran again.
    pub(crate) fn after(mut self, done: &Done) -> Self {
        self.dependencies.push(done.clone());
        self
    }

    /// Runs again whenever this file changes.
    pub(crate) fn reads(mut self, file: PathBuf) -> Self {
        self.files.push(file);
        self
    }

    /// Sends so many functions through the model.
    pub(crate) fn costs(mut self, n_forwards: Option<u64>) -> Self {
        self.n_forwards = n_forwards;
        self
    }

    /// Takes these exit codes as results.
    pub(crate) fn exits(mut self, exit_codes: &'static [i32]) -> Self {
        self.exit_codes = exit_codes;
        self
    }
}

/// A stage that ran, now or earlier.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// What it wrote.
    pub(crate) output: PathBuf,
    /// Changes whenever the output could.
    pub(crate) fingerprint: u64,
    /// Another for every run of it: on another processor the same plan makes another model. Zero of a
    /// stage that a dry run only plans.
    pub(crate) run: u64,
    /// How the program ended.
    pub(crate) exit_code: i32,
    /// Wall-clock time of the run.
    pub(crate) wall_seconds: f64,
    /// Where it computed; empty if it did not.
    pub(crate) device: String,
    /// When it ended; unknown of a dry run.
    pub(crate) finished: Option<SystemTime>,
}

impl Done {
    /// A file inside the output folder.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.output.join(name)
    }
}

/// `stage.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    arguments: Vec<String>,
    fingerprint: String,
    /// The runs whose outputs it read, see [`Done::run`]; unknown of stages of before they were noted.
    #[serde(default)]
    after: Option<Vec<u64>>,
    exit_code: i32,
    /// False for a repair that was refused.
    has_output: bool,
}

/// Runs stages.
#[derive(Debug)]
pub(crate) struct Runner {
    /// The program.
    pub(crate) binary: PathBuf,
    /// What the program's file was when the run began; none if there is no such file.
    program: Option<String>,
    /// Folder of all stages.
    pub(crate) root: PathBuf,
    /// What `--device` gets.
    pub(crate) device: String,
    /// Only say what would run.
    pub(crate) is_dry_run: bool,
    /// Say nothing, either.
    is_silent: bool,
    /// Settings files that a run would write first.
    unwritten: Mutex<BTreeSet<PathBuf>>,
    /// What would run, with the functions that go through the model.
    pub(crate) planned: Mutex<BTreeMap<String, Option<u64>>>,
}

impl Runner {
    /// A runner that has planned nothing.
    pub(crate) fn new(
        binary: impl Into<PathBuf>,
        root: impl Into<PathBuf>,
        device: &str,
        is_dry_run: bool,
    ) -> Self {
        let (binary, root, device) = (binary.into(), root.into(), device.to_owned());
        let program = identity(&binary).ok();
        let (unwritten, planned) = (Mutex::default(), Mutex::default());
        let is_silent = false;
        Self { binary, program, root, device, is_dry_run, is_silent, unwritten, planned }
    }

    /// One that only tells the fingerprints that this one's stages have; none if the program is
    /// unknown, of which they are made.
    pub(crate) fn planner(&self) -> Option<Self> {
        self.program.as_ref()?;
        let planner = Self::new(&self.binary, &self.root, &self.device, true);
        Some(Self { program: self.program.clone(), is_silent: true, ..planner })
    }

    /// Runs a stage unless it is done.
    pub(crate) fn run(&self, stage: Stage) -> Result<Done> {
        let name = stage.name.clone();
        self.run_inner(stage).with_context(|| format!("stage {name}"))
    }

    fn run_inner(&self, stage: Stage) -> Result<Done> {
        let folder = self.root.join(&stage.name);
        let output = folder.join(&stage.output);
        let record = folder.join(RECORD);
        let stamp_file = folder.join(STAMP);
        let fingerprint = match self.fingerprint(&stage) {
            // The plan says which files are missing.
            Err(_) if self.is_dry_run => 0,
            fingerprint => fingerprint?,
        };
        let after: Vec<u64> = stage.dependencies.iter().map(|it| it.run).collect();
        let finished_before = || {
            let Some(stamp) = finished(&stamp_file, fingerprint, &output) else { return Ok(None) };
            if stamp.after.as_ref().is_some_and(|it| *it != after) {
                return Ok(None);
            }
            // Without its record a stage is not done.
            let Ok(done) = done(output.clone(), fingerprint, stamp.exit_code, &record) else {
                return Ok(None);
            };
            if !self.is_silent {
                let shown = self.shown(&stage);
                say(&format!("{shown:<48} done before in {:.1} s", done.wall_seconds));
            }
            anyhow::Ok(Some(done))
        };
        if let Some(done) = finished_before()? {
            return Ok(done);
        }
        if self.is_dry_run {
            self.plan(&stage);
            let (exit_code, wall_seconds) = (0, 0.0);
            let device = String::new();
            return Ok(Done {
                output,
                fingerprint,
                run: 0,
                exit_code,
                wall_seconds,
                device,
                finished: None,
            });
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let lock = self.lock(&folder, &stage)?;
        // Another process may have run it in the meantime.
        if let Some(done) = finished_before()? {
            return Ok(done);
        }
        self.check_program()?;
        self.check_inputs(&stage, fingerprint)?;
        // The output, too: a refused repair writes none, and an earlier one is not its own.
        for stale in [&stamp_file, &record, &output] {
            let removed = match stale {
                _ if !stale.exists() => Ok(()),
                _ if stale.is_dir() => fs::remove_dir_all(stale),
                _ => fs::remove_file(stale),
            };
            removed.with_context(|| format!("removing {}", stale.display()))?;
        }
        remove_scratch(&folder)?;
        let log = |name: &str| {
            let path = folder.join(name);
            File::create(&path).with_context(|| format!("making {}", path.display()))
        };
        let status = Command::new(&self.binary)
            .args(&stage.arguments)
            .arg("--output")
            .arg(&output)
            .args(["--force", "--device", &self.device, "--record"])
            .arg(&record)
            // Several runs side by side get one core or few each, which takes less work in all than
            // many threads that wait for each other. Results do not depend on it.
            .env("RAYON_NUM_THREADS", n_cores_each().to_string())
            // An empty file: it hands the lock on to the program, which may outlive this process.
            .stdin(Stdio::from(lock.try_clone().context("handing on the lock")?))
            .stdout(log("stdout.txt")?)
            .stderr(log("stderr.txt")?)
            .status()
            .with_context(|| format!("running {}", self.binary.display()))?;
        let exit_code = status.code().ok_or_else(|| {
            anyhow!(
                "stopped by a signal ({status}), perhaps for want of memory: fewer --jobs take less; the \
                 same command goes on from here"
            )
        })?;
        if !stage.exit_codes.contains(&exit_code) {
            let log = folder.join("stderr.txt");
            let text = fs::read(&log)?;
            let shown = complaint(&String::from_utf8_lossy(&text));
            let shown = shown.unwrap_or(format!("exit code {exit_code}"));
            bail!("{shown} (log: {})", log.display());
        }
        // What it read may be another run's, or otherwise changed, by now.
        self.check_inputs(&stage, fingerprint)?;
        let done = done(output, fingerprint, exit_code, &record)?;
        let shown = self.shown(&stage);
        let stamp = Stamp {
            arguments: stage.arguments,
            fingerprint: format!("{fingerprint:016x}"),
            after: Some(after),
            exit_code,
            has_output: done.output.exists(),
        };
        write(&stamp_file, &(serde_json::to_string_pretty(&stamp)? + "\n"))?;
        drop(lock);
        say(&format!("{shown:<48} {:.1} s", done.wall_seconds));
        Ok(done)
    }

    /// Notes a stage that would run, and says so the first time.
    fn plan(&self, stage: &Stage) {
        let mut planned = self.planned.lock().expect("no other thread panicked");
        let is_new = planned.insert(stage.name.clone(), stage.n_forwards).is_none();
        if is_new && !self.is_silent {
            let cost = stage.n_forwards.map_or("?".to_owned(), |n| n.to_string());
            let arguments = stage.arguments.join(" ");
            say(&format!("{:<48} {cost:>9} forwards  elibadcode {arguments}", self.shown(stage)));
            for missing in stage.files.iter().filter(|it| !it.exists() && !self.is_unwritten(it)) {
                say(&format!("    missing: {}", missing.display()));
            }
        }
    }

    fn is_unwritten(&self, file: &Path) -> bool {
        self.unwritten.lock().expect("no other thread panicked").contains(file)
    }

    /// Fails if the program is another one than when the run began.
    fn check_program(&self) -> Result<()> {
        let is_same = identity(&self.binary).ok() == self.program;
        ensure!(
            is_same,
            "{}: the program changed since this run began, and results of two programs are not to \
             be mixed; start the run again, with a file that nobody builds meanwhile (--binary)",
            self.binary.display()
        );
        Ok(())
    }

    /// Fails if what a stage reads is not what it was planned with.
    fn check_inputs(&self, stage: &Stage, planned: u64) -> Result<()> {
        check_dependencies(stage)?;
        ensure!(
            self.fingerprint(stage)? == planned,
            "a file that it reads changed meanwhile; start the run again"
        );
        Ok(())
    }

    /// The lock of a stage's folder; waits for whoever holds it.
    fn lock(&self, folder: &Path, stage: &Stage) -> Result<File> {
        let path = folder.join("lock");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.with_context(|| format!("making {}", path.display()))?;
        let shown = || format!("locking {}", path.display());
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say(&format!("{:<48} waiting for another run of it", self.shown(stage)));
                file.lock().with_context(shown)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(shown),
        }
        Ok(file)
    }

    /// The stage's name behind that of its task.
    fn shown(&self, stage: &Stage) -> String {
        let task = self.root.file_name().unwrap_or_default().display();
        format!("{task}/{}", stage.name)
    }

    /// Changes whenever the stage's output could.
    fn fingerprint(&self, stage: &Stage) -> Result<u64> {
        let program = self.program.clone();
        let program = program.with_context(|| {
            format!("{}: no such program; build it, or name one by --binary", self.binary.display())
        })?;
        let mut parts = stage.arguments.clone();
        parts.extend([stage.output.clone(), self.device.clone(), program]);
        parts.extend(stage.dependencies.iter().map(|it| it.fingerprint.to_string()));
        for file in &stage.files {
            ensure!(!self.is_unwritten(file), "{}: not written yet", file.display());
            parts.push(identity(file)?);
        }
        Ok(fingerprint_of(&parts))
    }
}

/// Writes a text file, whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let shown = || format!("writing {}", path.display());
    let name = path.file_name().unwrap_or_default().display();
    // Of this process only: several may write the same file.
    let scratch = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&scratch, text).and_then(|()| fs::rename(&scratch, path)).with_context(shown)
}

/// Removes what a killed run was writing: the program and [`write()`] hide it until it is whole.
fn remove_scratch(folder: &Path) -> Result<()> {
    let shown = || format!("clearing {}", folder.display());
    for entry in fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden && path.is_dir() {
            fs::remove_dir_all(&path).with_context(shown)?;
        } else if is_hidden {
            fs::remove_file(&path).with_context(shown)?;
        }
    }
    Ok(())
}

/// Fails if what a stage reads was made anew, by another run with another program or other settings: results
/// of two are not to be mixed.
fn check_dependencies(stage: &Stage) -> Result<()> {
    for Done { output, fingerprint, run, .. } in &stage.dependencies {
        let is_done = finished(&output.with_file_name(STAMP), *fingerprint, output).is_some();
        let record = fs::read_to_string(output.with_file_name(RECORD)).unwrap_or_default();
        ensure!(
            is_done && fingerprint_of(&[record]) == *run,
            "{}: another run made this anew, maybe with another program or other settings; give each run \
             a folder of its own (--out)",
            output.display()
        );
    }
    Ok(())
}

/// What a program said last about why it failed: its error, or what it panicked at, but not the hint that
/// may follow.
fn complaint(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(index) = lines.iter().rposition(|line| line.contains(" panicked at ")) {
        return Some(lines[index..].iter().take(2).copied().collect::<Vec<_>>().join(" "));
    }
    let error = lines.iter().rfind(|line| line.starts_with("error:"));
    error.or(lines.last()).map(|line| (*line).to_owned())
}

/// The stamp of a stage that needs not run again.
fn finished(stamp_file: &Path, fingerprint: u64, output: &Path) -> Option<Stamp> {
    let stamp: Stamp = serde_json::from_slice(&fs::read(stamp_file).ok()?).ok()?;
    let is_same = stamp.fingerprint == format!("{fingerprint:016x}");
    (is_same && (output.exists() || !stamp.has_output)).then_some(stamp)
}

fn done(output: PathBuf, fingerprint: u64, exit_code: i32, record: &Path) -> Result<Done> {
    let text = fs::read_to_string(record)
        .with_context(|| format!("reading the run record {}", record.display()))?;
    let run = RunRecord::from_json(&text)?;
    let (wall_seconds, device) = (run.wall_seconds, run.device);
    let finished = fs::metadata(record).and_then(|it| it.modified()).ok();
    let run = fingerprint_of(&[text]);
    Ok(Done { output, fingerprint, run, exit_code, wall_seconds, device, finished })
}

#[cfg(test)]
mod tests;
