//! Outputs appear whole or not at all, and never replace anything without `--force`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fs_err as fs;

/// What made a corpus folder, beside its samples.
pub(crate) const CORPUS_FILE: &str = "corpus.json";

/// Bytes in the name of a file, on the systems that we know.
const MAX_NAME: usize = 255;
/// What the names of temporary files begin with: a command that is killed leaves its own behind.
const SCRATCH: &str = ".elibadcode-";
/// Files that show that a folder is ours, with a key of theirs: other programs write a
/// `manifest.json`, too, and `train.jsonl` and the like are in the public corpora.
const OURS: [(&str, &str); 3] =
    [("elibadcode.json", "made_by"), ("manifest.json", "attack"), (CORPUS_FILE, "command")];

/// Fails if an output file cannot be written, or exists and may not be replaced. Called before any
/// work: what fails after it is lost.
pub(crate) fn check_file(path: &Path, force: bool) -> Result<()> {
    check(path, force)?;
    let is_named_as_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    ensure!(
        !path.is_dir() && !is_named_as_folder,
        "{} is a folder, expected a file to write",
        path.display()
    );
    ensure!(
        path.extension().is_none_or(|it| it != "gz"),
        "{}: outputs are not packed; give a name without .gz",
        path.display()
    );
    Ok(())
}

/// The same of an output folder.
pub(crate) fn check_dir(path: &Path, force: bool) -> Result<()> {
    check(path, force)?;
    let is_replaceable = !path.is_dir()
        || fs::read_dir(path)?.next().is_none()
        || OURS.iter().any(|&(name, key)| has_key(&path.join(name), key));
    ensure!(
        is_replaceable,
        "{} is not a folder that elibadcode wrote; remove it yourself",
        path.display()
    );
    Ok(())
}

fn check(path: &Path, force: bool) -> Result<()> {
    // `a/.`, `a/..` and `/` name no entry of a folder, and the system has a limit to the length of one.
    let is_dot = path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    ensure!(!is_dot, "{} names nothing to write", path.display());
    let name =
        path.file_name().with_context(|| format!("{} names nothing to write", path.display()))?;
    ensure!(
        name.len() <= MAX_NAME,
        "{}: its name has {} bytes, at most {MAX_NAME} are possible",
        path.display(),
        name.len()
    );
    if path.symlink_metadata().is_ok() {
        ensure!(path.exists(), "{} is a link that leads nowhere", path.display());
        ensure!(
            path.is_file() || path.is_dir(),
            "{} is neither a file nor a folder, which is all that can be replaced",
            path.display()
        );
        ensure!(force, "{} exists; use --force to replace it", path.display());
    }
    // The folders that are missing will be made; the first that is there must take a file.
    let there = path.ancestors().skip(1).map(or_here).find(|it| it.symlink_metadata().is_ok());
    let there = there.unwrap_or(Path::new("."));
    tempfile::tempfile_in(there)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(())
}

/// Writes a file through a temporary one beside it.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let path = &linked(path)?;
    let parent = parent(path);
    fs::create_dir_all(parent)?;
    let mut scratch = scratch_file()
        .tempfile_in(parent)
        .with_context(|| format!("writing {}", path.display()))?;
    if let Ok(old) = path.metadata() {
        scratch.as_file().set_permissions(old.permissions())?;
    }
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
    builder.prefix(SCRATCH);
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
    let path = &linked(path)?;
    let parent = parent(path);
    fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new()
        .prefix(SCRATCH)
        .tempdir_in(parent)
        .with_context(|| format!("writing {}", path.display()))?;
    let fresh = scratch.path().join("output");
    write(&fresh)?;
    if path.symlink_metadata().is_ok() {
        check_dir(path, force)?;
        // What was there goes with the temporary folder, once the new one stands in its place.
        let old = scratch.path().join("old");
        fs::rename(path, &old)?;
        if let Err(error) = fs::rename(&fresh, path) {
            if fs::rename(&old, path).is_err() {
                let kept = scratch.keep().join("old");
                return Err(error)
                    .with_context(|| format!("what was there is in {}", kept.display()));
            }
            return Err(error.into());
        }
        return Ok(());
    }
    fs::rename(&fresh, path)?;
    Ok(())
}

/// Where a link leads: what it leads to is replaced, and the link stays.
fn linked(path: &Path) -> Result<PathBuf> {
    Ok(if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() })
}

/// Whether a file is a JSON object with this key.
fn has_key(path: &Path, key: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|it| it.get(key).is_some())
}

fn parent(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(Path::new("")))
}

/// The folder itself, or the current one if it has no name.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// One JSON document with a final newline.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_stays_and_what_it_leads_to_keeps_its_mode() {
        let dir = tempfile::tempdir().expect("there is a place");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "old").expect("it is ours");
        fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
        symlink(&file, &link).expect("it is new");
        write_file(&link, |out| Ok(out.write_all(b"new")?)).expect("it is ours");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "new");
        assert_eq!(file.metadata().expect("it is there").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn only_files_and_folders_are_replaced() {
        let error = check_file(Path::new("/dev/null"), true).expect_err("a device").to_string();
        assert!(error.contains("neither a file nor a folder"), "{error}");
        let error = check_file(Path::new("/nowhere/a.gz"), true).expect_err("packed").to_string();
        assert!(error.contains("/nowhere/a.gz"), "{error}");
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_any_work() {
        let check = |path: &str, expected: &str| {
            let error = check_file(Path::new(path), true).expect_err("unusable").to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("nowhere-yet/", "is a folder");
        check("nowhere-yet/..", "names nothing to write");
        check("nowhere-yet/.", "names nothing to write");
        check(&"a".repeat(300), "has 300 bytes");
        assert!(check_dir(Path::new(&"a".repeat(300)), true).is_err());
    }
}
