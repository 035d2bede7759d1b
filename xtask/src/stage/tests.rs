//! Stages of a stand-in program: the shell, with a script that counts its runs.

use super::*;

/// Appends a line to `runs`, writes its first argument as the output and a run record; the command
/// `fail` fails, `refuse` exits with 1 and writes no output, `change` changes the file `--input`.
const SCRIPT: &str = r#"echo run >> "$(dirname "$0")/runs"
command=$1
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2;; --record) record=$2;; --input) input=$2;; esac
  shift
done
[ "$command" = fail ] && { echo 'first' >&2; echo 'error: no data' >&2; echo >&2; exit 2; }
[ "$command" = change ] && echo change >> "$input"
[ "$command" = refuse ] || echo "$command" > "$output"
n=$(wc -l < "$(dirname "$0")/runs")
echo '{"schema_version":1,"command":"x","status":"success","seed":'$n',"device":"cpu","version":"0",
  "config":{},"inputs":{},"wall_seconds":1.5}' > "$record"
[ "$command" = refuse ] && exit 1
exit 0
"#;

struct Scratch {
    folder: PathBuf,
    runner: Runner,
}

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("test data");
        fs::write(folder.join("script"), SCRIPT).expect("test data");
        let (binary, root) = (PathBuf::from("/bin/sh"), folder.join("out"));
        let runner = Runner::new(binary, root, "cpu", false);
        Self { folder, runner }
    }

    fn stage(&self, name: &str, command: &str) -> Stage {
        let script = self.folder.join("script").display().to_string();
        Stage::new(name, &script, "made.txt").argument(command)
    }

    fn n_runs(&self) -> usize {
        fs::read_to_string(self.folder.join("runs")).unwrap_or_default().lines().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_stage_runs_once_until_something_changes() {
    let scratch = Scratch::new("once");
    let check = |stage: Stage, n_runs: usize| {
        let done = scratch.runner.run(stage).expect("test data");
        assert_eq!(scratch.n_runs(), n_runs);
        assert_eq!((done.exit_code, done.wall_seconds, &*done.device), (0, 1.5, "cpu"));
        done
    };
    let stage = || scratch.stage("a/b", "make").flag("--seed", 1);
    let first = check(stage(), 1);
    let second = check(stage(), 1);
    assert_eq!(first.fingerprint, second.fingerprint);
    let reader = || scratch.stage("c", "make");
    check(reader(), 2);
    check(reader().after(&first), 3);
    let made = check(reader().after(&second), 3);
    fs::remove_file(&made.output).expect("test data");
    check(reader().after(&first), 4);
    let input = scratch.folder.join("input");
    fs::write(&input, "1").expect("test data");
    check(stage().reads(input.clone()), 5);
    fs::write(&input, "12").expect("test data");
    check(stage().reads(input), 6);
    let fingerprint = |binary: PathBuf| {
        let runner = Runner::new(binary, PathBuf::new(), "cpu", false);
        runner.fingerprint(&stage()).expect("test data")
    };
    assert_eq!(fingerprint("/bin/sh".into()), first.fingerprint);
    assert_ne!(fingerprint(scratch.folder.join("script")), first.fingerprint);
}

#[test]
fn what_read_an_output_runs_again_once_that_is_made_anew() {
    let scratch = Scratch::new("again");
    let both = || {
        let first = scratch.runner.run(scratch.stage("a", "make")).expect("test data");
        scratch.runner.run(scratch.stage("b", "make").after(&first)).expect("test data");
    };
    both();
    both();
    assert_eq!(scratch.n_runs(), 2);
    // Under the same plan: on another processor, say, which makes another model.
    fs::remove_dir_all(scratch.folder.join("out/a")).expect("it is there");
    both();
    assert_eq!(scratch.n_runs(), 4);
    both();
    assert_eq!(scratch.n_runs(), 4);
}

#[test]
fn what_another_run_made_anew_is_not_read() {
    let scratch = Scratch::new("anew");
    let read = scratch.runner.run(scratch.stage("a", "make")).expect("test data");
    let other = scratch.stage("a", "make").flag("--n", 2);
    scratch.runner.run(other).expect("test data");
    let error = scratch.runner.run(scratch.stage("b", "make").after(&read)).expect_err("changed");
    assert!(format!("{error:#}").contains("another run made this anew"), "{error:#}");
    assert_eq!(scratch.n_runs(), 2);
}

#[test]
fn failures_are_named_and_not_stamped() {
    let scratch = Scratch::new("fail");
    for n_runs in 1..=2 {
        let error = scratch.runner.run(scratch.stage("f", "fail")).expect_err("must fail");
        let error = format!("{error:#}");
        assert!(error.starts_with("stage f: error: no data (log: "), "{error}");
        assert!(error.ends_with("f/stderr.txt)"), "{error}");
        assert_eq!(scratch.n_runs(), n_runs);
    }
}

#[test]
fn the_error_is_shown_and_not_the_hint_behind_it() {
    let check = |log: &str, expected: Option<&str>| {
        assert_eq!(complaint(log).as_deref(), expected, "{log}");
    };
    check("\n", None);
    check("warning: x\nanything\n\n", Some("anything"));
    check(
        "error: unexpected argument '--screen' found\n\nFor more information, try '--help'.\n",
        Some("error: unexpected argument '--screen' found"),
    );
    check(
        "thread 'main' panicked at a.rs:1:2:\nno\nnote: run with `RUST_BACKTRACE=1`\n",
        Some("thread 'main' panicked at a.rs:1:2: no"),
    );
}

#[test]
fn a_refusal_is_a_result_without_output() {
    let scratch = Scratch::new("refuse");
    for _ in 0..2 {
        let stage = scratch.stage("r", "refuse").exits(&[0, 1]);
        let done = scratch.runner.run(stage).expect("test data");
        assert_eq!((done.exit_code, done.output.exists(), scratch.n_runs()), (1, false, 1));
    }
}

#[test]
fn what_an_earlier_run_made_is_not_taken_for_a_refused_ones() {
    let scratch = Scratch::new("stale");
    let made = scratch.runner.run(scratch.stage("a", "make")).expect("test data");
    assert!(made.output.exists());
    let stage = scratch.stage("a", "refuse").exits(&[0, 1]);
    let done = scratch.runner.run(stage).expect("a refusal is a result");
    assert_eq!(done.exit_code, 1);
    assert!(!done.output.exists());
}

#[test]
fn whoever_comes_second_waits() {
    let scratch = Scratch::new("twice");
    for round in 1..=8 {
        let run = || scratch.runner.run(scratch.stage("s", "make").flag("--round", round));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            for thread in threads {
                thread.join().expect("no panic").expect("one ran it, the others waited");
            }
        });
        assert_eq!(scratch.n_runs(), round);
    }
}

#[test]
fn a_dry_run_does_nothing() {
    let mut scratch = Scratch::new("dry");
    scratch.runner.is_dry_run = true;
    for _ in 0..2 {
        scratch.runner.run(scratch.stage("d", "make").costs(Some(7))).expect("test data");
    }
    assert_eq!(scratch.n_runs(), 0);
    let planned = scratch.runner.planned.lock().expect("one thread");
    assert_eq!(*planned, BTreeMap::from([("d".to_owned(), Some(7))]));
    assert!(!scratch.runner.root.exists());
}

#[test]
fn a_plan_runs_again_what_gets_other_settings() {
    let mut scratch = Scratch::new("settings");
    let plan = |scratch: &Scratch, n: i64| {
        let mut settings = toml::Table::new();
        settings.insert("n".to_owned(), n.into());
        let file = scratch.runner.settings_file("s", &settings).expect("a writable folder");
        let stage = scratch.stage("s", "make").settings(file.as_deref());
        scratch.runner.run(stage).expect("test data");
        scratch.runner.planned.lock().expect("one thread").len()
    };
    assert_eq!((plan(&scratch, 1), scratch.n_runs()), (0, 1));
    scratch.runner.is_dry_run = true;
    assert_eq!(plan(&scratch, 1), 0, "it is done");
    assert_eq!(plan(&scratch, 2), 1, "the settings are others");
    let written = || {
        let files = fs::read_dir(&scratch.runner.root).expect("it was made").flatten();
        let files = files.map(|it| it.path()).filter(|it| it.extension().is_some());
        files.map(|it| fs::read_to_string(it).expect("a file")).collect::<Vec<_>>()
    };
    assert_eq!((written(), scratch.n_runs()), (vec!["n = 1\n".to_owned()], 1));
    (scratch.runner.is_dry_run, scratch.runner.unwritten) = (false, Mutex::default());
    plan(&scratch, 2);
    assert_eq!((written().len(), scratch.n_runs()), (2, 2), "another run may read the first");
}

#[test]
fn a_file_that_changes_while_a_stage_runs_is_noticed() {
    let scratch = Scratch::new("changes");
    let input = scratch.folder.join("input");
    fs::write(&input, "1").expect("test data");
    let stage = || {
        let file = input.display().to_string();
        scratch.stage("a", "change").flag("--input", &file).reads(input.clone())
    };
    let error = scratch.runner.run(stage()).expect_err("it changed");
    assert!(format!("{error:#}").contains("a file that it reads changed meanwhile"), "{error:#}");
}

#[test]
fn a_program_that_is_built_anew_stops_the_run() {
    let scratch = Scratch::new("rebuilt");
    let program = scratch.folder.join("program");
    fs::write(&program, "one").expect("test data");
    let runner = Runner::new(&program, scratch.folder.join("out"), "cpu", false);
    fs::write(&program, "another").expect("test data");
    let error = runner.run(scratch.stage("a", "make")).expect_err("another program");
    assert!(format!("{error:#}").contains("the program changed since this run began"), "{error:#}");
    assert_eq!(scratch.n_runs(), 0);
}

#[test]
fn a_planner_tells_fingerprints_and_does_nothing() {
    let scratch = Scratch::new("planner");
    let planner = scratch.runner.planner().expect("there is a program");
    let planned = planner.run(scratch.stage("p", "make")).expect("test data");
    assert_eq!(scratch.n_runs(), 0);
    let made = scratch.runner.run(scratch.stage("p", "make")).expect("test data");
    assert_eq!(planned.fingerprint, made.fingerprint);
    assert!(Runner::new("", "", "cpu", false).planner().is_none());
}

#[test]
fn fingerprints_are_fnv_1a() {
    let hash =
        |parts: &[&str]| fingerprint_of(&parts.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
    assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
}
