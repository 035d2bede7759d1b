//! Outputs appear whole or not at all, and never replace anything without `--force`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;

/// What made a corpus folder, beside its samples.
pub(crate) const CORPUS_FILE: &str = "corpus.json";

/// Files that show that a folder is ours, with a key of theirs: other programs write a
/// `manifest.json`, too, and `train.jsonl` and the like are in the public corpora.
const OURS: [(&str, &str); 3] =
    [("elibadcode.json", "schema_version"), ("manifest.json", "attack"), (CORPUS_FILE, "command")];

/// Fails if the output exists and may not be replaced. Called before any work.
pub(crate) fn check(path: &Path, force: bool) -> Result<()> {
    if path.symlink_metadata().is_ok() && !force {
        bail!("{} exists; use --force to replace it", path.display());
    }
    Ok(())
}

/// Writes a file through a temporary one beside it.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let parent = parent(path);
    fs::create_dir_all(parent)?;
    let mut scratch = scratch_file()
        .tempfile_in(parent)
        .with_context(|| format!("writing {}", path.display()))?;
    {
        let mut buffered = std::io::BufWriter::new(&mut scratch);
        write(&mut buffered)?;
        buffered.flush().with_context(|| format!("writing {}", path.display()))?;
    }
    scratch.persist(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}

/// A temporary file that becomes an output: others may read it as far as the user's mask allows,
/// while temporary files are private.
fn scratch_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Writes a folder through a temporary one beside it.
pub(crate) fn write_dir(
    path: &Path,
    force: bool,
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let parent = parent(path);
    fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new()
        .prefix(".elibadcode-")
        .tempdir_in(parent)
        .with_context(|| format!("writing {}", path.display()))?;
    let fresh = scratch.path().join("output");
    write(&fresh)?;
    if path.exists() {
        check(path, force)?;
        remove(path)?;
    }
    fs::rename(&fresh, path)?;
    Ok(())
}

/// Removes what `--force` replaces, but only if it looks like something we wrote.
fn remove(path: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(fs::remove_file(path)?);
    }
    let is_empty = fs::read_dir(path)?.next().is_none();
    if !is_empty && !OURS.iter().any(|&(name, key)| has_key(&path.join(name), key)) {
        bail!("{} is not a folder that elibadcode wrote; remove it yourself", path.display());
    }
    Ok(fs::remove_dir_all(path)?)
}

/// Whether a file is a JSON object with this key.
fn has_key(path: &Path, key: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|it| it.get(key).is_some())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// One JSON document with a final newline.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}
