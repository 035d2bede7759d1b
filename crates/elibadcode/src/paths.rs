//! What `--force` may not do: write over what the command reads.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use elibadcode_corpus::{bigclonebench, codesearchnet, devign};
use elibadcode_models::ModelDir;
use fs_err as fs;

/// Arguments that are written to.
const OUTPUTS: [&str; 4] = ["output", "report", "convert", "record"];
/// A name, or the manifest of an attack.
const ATTACK: &str = "attack";

/// Fails if two outputs are in one place, or an output is one of the inputs that this command line names, a
/// folder with one in it, or a file that is read of a folder.
pub(crate) fn check(command: &Command, matches: &ArgMatches) -> Result<()> {
    let Some((name, arguments)) = matches.subcommand() else { return Ok(()) };
    let known = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
    let paths = known.chain(command.get_arguments().filter(|it| it.is_global_set()));
    let (outputs, inputs): (Vec<_>, Vec<_>) = paths
        .filter(|it| {
            let is_path = it.get_value_parser().type_id() == ValueParser::path_buf().type_id();
            is_path || it.get_id() == ATTACK
        })
        .map(|it| it.get_id().as_str())
        .filter(|id| arguments.value_source(id) == Some(ValueSource::CommandLine))
        .partition(|id| OUTPUTS.contains(id));
    let there = |ids: &[&str]| -> Vec<PathBuf> {
        let values = ids.iter().filter_map(|id| arguments.try_get_raw(id).ok().flatten());
        values.flatten().filter_map(|value| fs::canonicalize(Path::new(value)).ok()).collect()
    };
    let written: Vec<PathBuf> = outputs
        .iter()
        .filter_map(|id| arguments.try_get_raw(id).ok().flatten())
        .flatten()
        .filter_map(|value| resolved(Path::new(value)))
        .collect();
    for (index, output) in written.iter().enumerate() {
        let mut others = written.iter().enumerate().filter(|(other, _)| *other != index);
        if let Some((_, other)) = others.find(|(_, other)| other.starts_with(output)) {
            bail!(
                "{}: two outputs are to be written there; give each a place outside of the other",
                other.display()
            );
        }
    }
    let mut inputs = there(&inputs);
    let beside: Vec<PathBuf> = inputs.iter().flat_map(|it| files_beside(it)).collect();
    inputs.extend(beside);
    for output in there(&outputs) {
        if let Some(folder) = inputs.iter().find(|input| is_read_of(&output, input)) {
            bail!(
                "{} is what the command reads of {}: write elsewhere",
                output.display(),
                folder.display()
            );
        }
        if let Some(input) = inputs.iter().find(|input| input.starts_with(&output)) {
            if *input == output {
                bail!("{} is what the command reads: write elsewhere", output.display());
            }
            bail!(
                "{} holds {}, which the command reads: write elsewhere",
                output.display(),
                input.display()
            );
        }
    }
    Ok(())
}

/// Where a path leads, of which the last parts need not be there yet.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find_map(|it| Some((it, fs::canonicalize(it).ok()?)));
    let (there, leads_to) = there?;
    Some(leads_to.join(path.strip_prefix(there).ok()?))
}

/// The files that are read with this one: the functions of pairs, or of an index.
fn files_beside(file: &Path) -> Vec<PathBuf> {
    let is_pairs = file.extension().is_some_and(|it| it == "txt");
    let of_pairs = is_pairs.then(|| bigclonebench::functions_of(file));
    let all = of_pairs.into_iter().chain(devign::functions_of(file));
    all.filter_map(|it| fs::canonicalize(it).ok()).collect()
}

/// Whether this is a file of a model or a corpus in this folder.
fn is_read_of(file: &Path, folder: &Path) -> bool {
    if file.parent() != Some(folder) || !folder.is_dir() {
        return false;
    }
    let of_model = ModelDir::files(folder).unwrap_or_default();
    let of_corpus = codesearchnet::parts(folder).unwrap_or_default();
    of_model.iter().chain(&of_corpus).any(|it| it == file)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn nothing_is_written_over_what_is_read() {
        let dir = tempfile::tempdir().expect("there is a place");
        let path = |name: &str| dir.path().join(name).display().to_string();
        for name in ["scan.json", "other.json"] {
            fs::write(path(name), "{}").expect("it is ours");
        }
        let check = |words: &[&str]| {
            let words = [&["elibadcode"], words].concat();
            let command = Cli::command();
            let matches = command.clone().try_get_matches_from(words).expect("good usage");
            check(&command, &matches).map_err(|error| error.to_string())
        };
        let (scan, other, folder) = (path("scan.json"), path("other.json"), path(""));
        assert_eq!(check(&["report", &scan, "-o", &other]), Ok(()));
        assert_eq!(check(&["report", &scan, "-o", &path("new.html")]), Ok(()));
        let error = check(&["report", &scan, "-o", &scan]).expect_err("the same");
        assert!(error.contains("scan.json is what the command reads"), "{error}");
        let error = check(&["report", &scan, "--record", &scan]).expect_err("the same");
        assert!(error.contains("is what the command reads"), "{error}");
        let (new, within) = (path("new"), path("new/report.json"));
        for other in [&new, &within] {
            let words =
                ["purify", &folder, "--data", &scan, "--scan", &scan, "-o", &new, "--report"];
            let error = check(&[&words[..], &[other]].concat()).expect_err("two in one place");
            assert!(error.contains("two outputs are to be written there"), "{error}");
        }
        // What is no path is read by nobody.
        assert_eq!(check(&["report", &scan, "--name", &other, "-o", &other]), Ok(()));
        let words = ["canonicalize", "--language", "c", &scan, "-o", &other];
        assert_eq!(check(&words), Ok(()));
        let of_folder = ["config.json", "model.safetensors", "part.jsonl"];
        for name in of_folder {
            fs::write(path(name), "{}").expect("it is ours");
        }
        for name in of_folder {
            let words = ["scan", &folder, "--data", &folder, "-o", &path(name)];
            let error = check(&words).expect_err("it is read");
            assert!(error.contains("is what the command reads of"), "{error}");
        }
        assert_eq!(check(&["scan", &folder, "--data", &other, "-o", &scan]), Ok(()));
        let words = ["evaluate", &path("m"), "--data", &scan, "--attack", &other, "-o", &other];
        assert!(check(&words).is_err(), "a manifest is read");
        for name in ["pairs.txt", "data.jsonl"] {
            fs::write(path(name), "").expect("it is ours");
        }
        let (pairs, functions) = (path("pairs.txt"), path("data.jsonl"));
        let words = ["scan", &path("m"), "--task", "clone", "--data", &pairs, "-o", &functions];
        assert!(check(&words).is_err(), "the functions of pairs are read");
        let words = ["poison", "--data", &scan, "--attack", "badcode", "-o", &folder];
        let error = check(&words).expect_err("it holds it");
        assert!(error.contains("holds") && error.contains("scan.json"), "{error}");
    }
}
