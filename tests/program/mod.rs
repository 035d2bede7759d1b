//! The program in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use elibadcode_corpus::synthetic::{clone, defect, search};
use elibadcode_corpus::{DefectSample, SearchSample, bigclonebench, codesearchnet, devign};
use elibadcode_syntax::Language;

/// A temporary folder that commands run in.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    /// Threads of the program; by default one per core.
    pub(crate) n_threads: Option<usize>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// With `model`, the one-logit fixture, and synthetic samples of each task: 48 functions in
    /// `clean.jsonl`, 40 pairs in `pairs.txt`, 60 functions with queries in `queries.jsonl`.
    pub(crate) fn new() -> Self {
        Self::with_model("roberta-one-logit")
    }

    /// With another fixture as `model`.
    pub(crate) fn with_model(fixture: &str) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), n_threads: None };
        std::fs::create_dir(sandbox.path("model")).unwrap();
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(fixture);
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            std::fs::copy(fixture.join(name), sandbox.path("model").join(name)).unwrap();
        }
        sandbox.write_samples("clean.jsonl", &defect::generate(9, 48));
        let pairs = clone::generate(9, &clone::Sizes { test: 40, ..clone::Sizes::default() }).test;
        bigclonebench::write_folder(sandbox.folder.path(), &[("pairs", &pairs)]).unwrap();
        let queries =
            search::generate(9, &search::Sizes { test: 60, ..search::Sizes::default() }).test;
        sandbox.write_queries("queries.jsonl", &queries);
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn write_samples(&self, name: &str, samples: &[DefectSample]) {
        let mut bytes = Vec::new();
        devign::write_jsonl(&mut bytes, samples).unwrap();
        self.write(name, bytes);
    }

    pub(crate) fn write_queries(&self, name: &str, samples: &[SearchSample]) {
        let mut bytes = Vec::new();
        codesearchnet::write_jsonl(&mut bytes, samples, Language::Python).unwrap();
        self.write(name, bytes);
    }

    /// Everything in the folder and its subfolders, sorted.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                names.push(path.strip_prefix(self.folder.path()).unwrap().display().to_string());
            }
        }
        names.sort();
        names
    }

    /// Runs `elibadcode` with these words as arguments, on the CPU unless they say otherwise.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        let device = if arguments.contains("--device") { "" } else { "--device=cpu" };
        let output = Command::new(env!("CARGO_BIN_EXE_elibadcode"))
            .args(arguments.split_whitespace())
            .args(device.split_whitespace())
            .current_dir(self.folder.path())
            .envs(self.n_threads.map(|it| ("RAYON_NUM_THREADS", it.to_string())))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The command ends with 2 and an error that says this, and leaves nothing behind.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &str, expected: &str) {
        let before = self.listing();
        let run = self.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments}: {run:?}");
        assert!(run.stderr.contains(expected), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains("error: "), "{arguments}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{arguments}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
        assert_eq!(self.listing(), before, "{arguments}");
    }
}

impl Run {
    /// The command's output, which must have ended with this code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}
