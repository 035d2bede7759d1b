//! However `reproduce` is run, killed and started again or divided among machines, it ends in the
//! results of one undisturbed run.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elibadcode_evaluation::records::METRICS_SCHEMA_VERSION;

/// The results of what is asked for below, which is a part of the matrix.
const RESULTS: &str =
    "smoke/only-search-models-codet5-codebert-attacks-badcode-codepoisoner-seeds-1";

/// Times that a run is killed.
const N_KILLS: u32 = 10;

/// A folder of this test with the stand-in program.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("test data");
        let program =
            include_str!("slow_program.sh").replace("METRICS", &METRICS_SCHEMA_VERSION.to_string());
        let path = folder.join("program");
        fs::write(&path, program).expect("test data");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("test data");
        Self(folder)
    }

    /// Starts the smoke experiment of code search.
    fn start(&self, out: &str, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["reproduce", "search", "--scale", "smoke", "--jobs", "3", "--seeds", "1"])
            .args(["--attacks", "badcode,codepoisoner", "--models", "codet5,codebert"])
            .args(more)
            .arg("--binary")
            .arg(self.0.join("program"))
            .arg("--out")
            .arg(self.0.join(out))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("xtask was built")
    }

    /// Runs it to its end and gives back its results.
    fn finish(&self, out: &str) -> String {
        let status = self.start(out, &[]).wait().expect("it was started");
        assert!(status.success(), "{status}");
        self.results(&format!("{out}/{RESULTS}"))
    }

    /// Without the date: a test may run past midnight.
    fn results(&self, folder: &str) -> String {
        let path = self.0.join(folder).join("results.json");
        let text = fs::read_to_string(path).expect("it was published");
        let is_date = |line: &&str| line.trim_start().starts_with("\"date\":");
        text.lines().filter(|line| !is_date(line)).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Shares in `0..1` that follow from a seed (the generator of Numerical Recipes).
fn shares(seed: u32) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(seed), |state| {
        Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .skip(1)
    .map(|state| f64::from(state) / 2_f64.powi(32))
}

#[test]
fn ten_kills_change_nothing() {
    let scratch = Scratch::new("resume");
    let start = Instant::now();
    let undisturbed = scratch.finish("undisturbed");
    let longest = start.elapsed().min(Duration::from_secs(20)) / 4;
    assert!(undisturbed.contains("\"anr\""), "{undisturbed}");

    let mut n_interrupted = 0;
    for share in shares(6).take(N_KILLS as usize) {
        let mut run = scratch.start("killed", &[]);
        std::thread::sleep(longest.mul_f64(share));
        n_interrupted += u32::from(run.try_wait().expect("it was started").is_none());
        // The stages that it started live on, as they do after a real kill.
        run.kill().expect("it was started");
        run.wait().expect("it was started");
    }
    assert!(n_interrupted >= N_KILLS / 2, "only {n_interrupted} runs were interrupted");
    assert_eq!(scratch.finish("killed"), undisturbed);
}

#[test]
fn shards_come_together() {
    let scratch = Scratch::new("shards");
    let whole = scratch.finish("whole");
    // Machines of their own, and two processes in the same folder.
    let runs = [("one", "1/3"), ("shared", "2/3"), ("shared", "3/3")]
        .map(|(out, shard)| scratch.start(out, &["--shard", shard]));
    for mut run in runs {
        let status = run.wait().expect("it was started");
        assert!(status.success(), "{status}");
    }
    let folder = |out: &str, shard: &str| scratch.0.join(out).join(RESULTS).join(shard);
    let folders = [folder("one", "shard-1-of-3"), folder("shared", "shard-3-of-3")];
    let merge = |folders: &[PathBuf]| {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("merge")
            .args(folders)
            .arg("--out")
            .arg(scratch.0.join("merged"))
            .output()
            .expect("xtask was built")
    };
    let incomplete = merge(&folders);
    assert_eq!(incomplete.status.code(), Some(2));
    let error = String::from_utf8_lossy(&incomplete.stderr).into_owned();
    assert_eq!(error, "error: shard 2/3 is not among the folders\n");
    assert!(!scratch.0.join("merged").exists());

    let missing = folder("shared", "shard-2-of-3");
    let all: Vec<PathBuf> = folders.into_iter().chain([missing]).collect();
    let merged = merge(&all);
    assert!(merged.status.success(), "{}", String::from_utf8_lossy(&merged.stderr));
    assert_eq!(scratch.results("merged"), whole);
    let page = fs::read_to_string(scratch.0.join("merged/report.html")).expect("it was published");
    assert!(page.ends_with("</html>\n"), "{} bytes", page.len());
}
