//! What the stages of every experiment share.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Runner, Stage, fnv_1a, write};
use crate::experiment::{Task, TrainingPlan};

/// Exit codes of a scan: no trigger found, likely backdoored, inconclusive.
pub(crate) const SCAN_EXITS: &[i32] = &[0, 1, 3];

impl Stage {
    /// A stage of a task.
    pub(crate) fn of_task(
        task: Task,
        name: impl Into<String>,
        command: &str,
        output: &str,
        seed: u64,
    ) -> Self {
        Self::new(name, command, output).flag("--task", task.name()).flag("--seed", seed)
    }

    /// How `train` trains.
    pub(crate) fn training(self, plan: &TrainingPlan) -> Self {
        self.flag("--epochs", plan.epochs)
            .flag("--learning-rate", plan.learning_rate)
            .optional("--batch-size", plan.batch_size)
    }

    /// Settings of `scan` or `purify`, if there are any.
    pub(crate) fn settings(self, file: Option<&Path>) -> Self {
        match file {
            Some(file) => self.flag("--config", file.display()).reads(file.to_owned()),
            None => self,
        }
    }
}

impl Runner {
    /// Writes settings that an experiment has on top of the program's own to a file below the root, which
    /// is named by them: runs with other settings do not change it.
    /// A dry run only notes the file if it would be written, so that its stages count as not done.
    pub(crate) fn settings_file(
        &self,
        name: &str,
        settings: &toml::Table,
    ) -> Result<Option<PathBuf>> {
        if settings.is_empty() {
            return Ok(None);
        }
        let text = toml::to_string_pretty(settings)?;
        let path = self.root.join(format!("{name}-{:016x}.toml", fnv_1a(text.bytes())));
        // An unchanged file keeps its time, by which stages know it.
        let is_old = fs::read_to_string(&path).ok().as_deref() != Some(&*text);
        if is_old && self.is_dry_run {
            self.unwritten.lock().expect("no other thread panicked").insert(path.clone());
        } else if is_old {
            let root = &self.root;
            fs::create_dir_all(root).with_context(|| format!("making {}", root.display()))?;
            write(&path, &text)?;
        }
        Ok(Some(path))
    }
}
