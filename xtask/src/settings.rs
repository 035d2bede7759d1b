//! Settings that an experiment has on top of the program's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use crate::experiment::Task;

/// Settings with others on top of them, of a table only what is given: as the program takes a file's.
pub(crate) fn merged(base: &toml::Table, more: &toml::Table) -> toml::Table {
    let mut settings = base.clone();
    for (key, value) in more {
        let value = match (settings.get(key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merged(old, new).into(),
            _ => value.clone(),
        };
        settings.insert(key.clone(), value);
    }
    settings
}

/// Fails if the program refuses settings of a command: before it has worked for hours.
pub(crate) fn check(
    binary: &Path,
    command: &str,
    task: Task,
    settings: &toml::Table,
) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    resolved::<toml::Table>(binary, command, task, settings).map(drop)
}

/// All settings of a command as the program resolves them; what it refuses is an error.
pub(crate) fn resolved<T: DeserializeOwned>(
    binary: &Path,
    command: &str,
    task: Task,
    settings: &toml::Table,
) -> Result<T> {
    let file = Scratch::new(command, &toml::to_string(settings)?)?;
    let mut asked = Command::new(binary);
    asked.args([command, "--task", task.name(), "--print-config", "--config"]);
    let output = asked.arg(&file.0).output().with_context(|| binary.display().to_string())?;
    if !output.status.success() {
        bail!(
            "{} {command} refuses the experiment's settings: {}",
            binary.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8(output.stdout)?;
    toml::from_str(&text).with_context(|| format!("the settings of {command}"))
}

/// A file that is removed again.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Result<Self> {
        let name = format!("xtask-{name}-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays in the temporary folder does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_table_only_what_is_given_changes() {
        let table = |text: &str| text.parse::<toml::Table>().expect("TOML");
        let base = table("rounds = 2\n[limits]\na = 1.0\nb = 1.0");
        let more = table("epochs = 3\n[limits]\nb = 2.0");
        let expected = table("rounds = 2\nepochs = 3\n[limits]\na = 1.0\nb = 2.0");
        assert_eq!(merged(&base, &more), expected);
    }
}
