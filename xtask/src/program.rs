//! The program under test: built first, then spawned by the stages.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::stage::fnv_1a;

/// Builds the release binary with cargo and returns where it is.
pub(crate) fn build(features: Option<&str>) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--package", "elibadcode"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        .stderr(Stdio::inherit());
    if let Some(features) = features {
        command.args(["--features", features]);
    }
    let output = command.output().context("running cargo build")?;
    if !output.status.success() {
        bail!("cargo build --release --package elibadcode failed");
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .context("cargo build named no executable elibadcode")
}

/// The executable that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "elibadcode")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// A hash of the program's bytes: the same on all machines that have the same file.
pub(crate) fn digest(binary: &Path) -> Result<String> {
    let bytes = std::fs::read(binary).with_context(|| format!("reading {}", binary.display()))?;
    Ok(format!("{:016x}", fnv_1a(bytes)))
}

/// Prints results on standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"toml"},"executable":null}
not JSON
{"reason":"compiler-artifact","target":{"name":"elibadcode"},"executable":"/t/elibadcode"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/elibadcode")));
        assert_eq!(executable(""), None);
    }
}
