//! `tidy`: the workspace against its own rules (dependency edges, file sizes, README, leftovers).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{program, say};

/// Lines that a source file may have.
const MAX_LINES: usize = 500;
/// Macros that mark unfinished code.
const LEFTOVERS: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
/// Folders that hold no sources of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];

/// Which workspace crates a crate may use, by the part of the name after `elibadcode-`.
///
/// `poisoning` and `inversion` never meet: the defender does not know the attack.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("syntax", &[]),
    ("evaluation", &[]),
    ("corpus", &["syntax"]),
    ("poisoning", &["corpus", "syntax"]),
    ("models", &["corpus", "syntax"]),
    ("inversion", &["models", "syntax", "corpus", "evaluation"]),
    ("unlearning", &["inversion", "models", "syntax", "corpus", "evaluation"]),
    ("screening", &["models", "syntax", "evaluation"]),
    (
        "elibadcode",
        &[
            "syntax",
            "evaluation",
            "corpus",
            "poisoning",
            "models",
            "inversion",
            "unlearning",
            "screening",
        ],
    ),
    ("xtask", &["evaluation"]),
];

/// What we need of `cargo metadata`.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
}

/// Checks everything and prints what is wrong; false if anything is.
pub(crate) fn run() -> Result<bool> {
    let metadata = metadata()?;
    let root = &metadata.workspace_root;
    let mut problems = wrong_edges(&metadata.packages);
    let readme = fs::read_to_string(root.join("README.md")).unwrap_or_default();
    problems.extend(missing_crates(&metadata.packages, &readme));
    let mut sources = Vec::new();
    collect_sources(root, &mut sources)?;
    for path in &sources {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        problems.extend(source_problems(&name, &text));
    }
    for problem in &problems {
        program::print(&format!("{problem}\n"))?;
    }
    say(&format!(
        "{} crates, {} source files, {} problems",
        metadata.packages.len(),
        sources.len(),
        problems.len()
    ));
    Ok(problems.is_empty())
}

fn metadata() -> Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .context("running cargo metadata")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo metadata failed: {}", stderr.trim());
    serde_json::from_slice(&output.stdout).context("reading the output of cargo metadata")
}

/// Dependencies between workspace crates, of any kind, that the architecture does not have.
fn wrong_edges(packages: &[Package]) -> Vec<String> {
    let short = |name: &str| name.strip_prefix("elibadcode-").unwrap_or(name).to_owned();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut problems = Vec::new();
    for package in packages {
        let Some(allowed) = allowed.get(&*short(&package.name)) else {
            problems.push(format!("{}: not in the table of allowed dependencies", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let is_ours = packages.iter().any(|other| other.name == dependency.name);
            if is_ours && !allowed.contains(&&*short(&dependency.name)) {
                problems.push(format!("{} must not use {}", package.name, dependency.name));
            }
        }
    }
    problems
}

fn missing_crates(packages: &[Package], readme: &str) -> Vec<String> {
    // The first cell of a row is the name, or a link that is called so.
    let names = readme.lines().filter_map(|line| line.strip_prefix('|')?.split('`').nth(1));
    let names: Vec<&str> = names.collect();
    packages
        .iter()
        .filter(|package| !names.contains(&&*package.name))
        .map(|package| format!("README.md: the crate {} has no row in a table", package.name))
        .collect()
}

fn source_problems(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        problems.push(format!("{name}: {n_lines} lines, at most {MAX_LINES} are allowed"));
    }
    for (index, line) in text.lines().enumerate() {
        for leftover in LEFTOVERS.iter().filter(|leftover| line.contains(*leftover)) {
            problems.push(format!("{name}:{}: {leftover}…)", index + 1));
        }
    }
    problems
}

/// All `.rs` files below a folder, sorted.
fn collect_sources(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let is_skipped = SKIPPED.iter().any(|name| path.ends_with(name));
        if path.is_dir() && !path.is_symlink() && !is_skipped {
            collect_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies =
            dependencies.iter().map(|name| Dependency { name: (*name).to_owned() }).collect();
        Package { name: name.to_owned(), dependencies }
    }

    #[test]
    fn only_documented_edges_pass() {
        let check = |name: &str, dependency: &str| {
            let packages = [package(name, &[dependency, "serde"]), package(dependency, &[])];
            wrong_edges(&packages).len()
        };
        assert_eq!(check("elibadcode-corpus", "elibadcode-syntax"), 0);
        assert_eq!(check("elibadcode", "elibadcode-poisoning"), 0);
        assert_eq!(check("elibadcode-inversion", "elibadcode-poisoning"), 1);
        assert_eq!(check("elibadcode-poisoning", "elibadcode-inversion"), 1);
        assert_eq!(check("xtask", "elibadcode-models"), 1);
        assert_eq!(check("elibadcode-evaluation", "elibadcode-syntax"), 1);
        assert_eq!(check("elibadcode-new", "elibadcode-syntax"), 1);
    }

    #[test]
    fn crates_are_mentioned_by_their_whole_name() {
        let packages = [package("elibadcode", &[]), package("elibadcode-syntax", &[])];
        assert_eq!(missing_crates(&packages, "| `elibadcode-syntax` |").len(), 1);
        let rows = "| [`elibadcode`](x) | a |\n| `elibadcode-syntax` | b |";
        assert!(missing_crates(&packages, rows).is_empty());
        assert_eq!(missing_crates(&packages, "`elibadcode`, [`elibadcode-syntax`](x)").len(), 2);
        assert_eq!(missing_crates(&packages, "").len(), 2);
    }

    #[test]
    fn long_and_unfinished_files_are_named() {
        assert!(source_problems("a.rs", &"\n".repeat(500)).is_empty());
        let long = source_problems("a.rs", &"\n".repeat(501));
        assert_eq!(long, ["a.rs: 501 lines, at most 500 are allowed"]);
        let unfinished = format!("fn f() {{\n    {})\n}}", LEFTOVERS[0]);
        assert_eq!(source_problems("a.rs", &unfinished).len(), 1);
    }
}
