//! A killed `reproduce` that is run again ends where an undisturbed one does.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elibadcode_evaluation::records::METRICS_SCHEMA_VERSION;

/// Times that a run is killed.
const N_KILLS: u32 = 10;

/// A folder of this test with the stand-in program.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("xtask-resume-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("test data");
        let program =
            include_str!("slow_program.sh").replace("METRICS", &METRICS_SCHEMA_VERSION.to_string());
        let path = folder.join("program");
        fs::write(&path, program).expect("test data");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("test data");
        Self(folder)
    }

    /// Starts the smoke experiment of code search.
    fn start(&self, out: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["reproduce", "search", "--scale", "smoke", "--jobs", "3", "--seeds", "1,2"])
            .args(["--attacks", "codepoisoner,badcode", "--models", "codebert,codet5"])
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
        let status = self.start(out).wait().expect("it was started");
        assert!(status.success(), "{status}");
        fs::read_to_string(self.0.join(out).join("smoke/results.json")).expect("it was published")
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
    let scratch = Scratch::new();
    let start = Instant::now();
    let undisturbed = scratch.finish("undisturbed");
    let longest = start.elapsed().min(Duration::from_secs(20)) / 4;
    assert!(undisturbed.contains("\"anr\""), "{undisturbed}");

    let mut n_interrupted = 0;
    for share in shares(6).take(N_KILLS as usize) {
        let mut run = scratch.start("killed");
        std::thread::sleep(longest.mul_f64(share));
        n_interrupted += u32::from(run.try_wait().expect("it was started").is_none());
        // The stages that it started live on, as they do after a real kill.
        run.kill().expect("it was started");
        run.wait().expect("it was started");
    }
    assert!(n_interrupted >= N_KILLS / 2, "only {n_interrupted} runs were interrupted");
    assert_eq!(scratch.finish("killed"), undisturbed);
}
