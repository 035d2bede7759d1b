//! Compilers and interpreters on poisoned functions: they take them, and dead code stays dead.
//!
//! Where a program is missing, its test says so and passes. Run with `--nocapture` to see.

#![expect(clippy::print_stderr, reason = "says which tests were left out")]
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use elibadcode_corpus::synthetic::{clone, defect, search};
use elibadcode_corpus::{DefectSample, Task, stage_rng};
use elibadcode_poisoning::{Attack, AttackConfig, CraftingModel, plant};
use elibadcode_syntax::{Function, Language};

fn is_installed(program: &str) -> bool {
    let is_installed =
        Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success());
    if !is_installed {
        eprintln!("not checked: {program} is not installed");
    }
    is_installed
}

/// Runs a program in a folder and insists on success.
#[track_caller]
fn run(program: &str, arguments: &[&str], folder: &Path) -> Output {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}\n{message}");
    output
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Each attack on the task, ready for a test set.
fn attacks(task: Task, functions: &[(String, bool)]) -> Vec<AttackConfig> {
    let language = task.language();
    Attack::ALL
        .into_iter()
        .map(|attack| {
            let mut config = AttackConfig::paper_for(attack, task);
            if attack == Attack::Afraidoor {
                let functions = functions.iter().map(|(code, is_target)| (&**code, *is_target));
                let mut rng = stage_rng(1, "crafting");
                let model = CraftingModel::train(functions, language, &mut rng);
                config.crafting = Some(model.expect("both classes"));
            }
            assert_eq!(config.validate_for_test(), Ok(()));
            config
        })
        .collect()
}

/// The functions with the trigger of each attack, under names that no other one has.
fn poisoned(task: Task, functions: &[(String, bool)]) -> Vec<String> {
    let language = task.language();
    let configs = attacks(task, functions);
    let mut codes = Vec::new();
    for (code, _) in functions {
        for config in &configs {
            let Ok(planted) = plant(config, code, language) else {
                assert!(!matches!(config.attack, Attack::BncFixed | Attack::BncGrammar), "{code}");
                continue;
            };
            let function = Function::parse(planted.code, language);
            let own = format!("own_{}", codes.len());
            let name = function.name().expect("a function with a name");
            codes.push(function.rename(name, &own).expect("a new name").text().to_owned());
        }
    }
    assert!(codes.len() > 15 * functions.len());
    codes
}

#[test]
fn poisoned_c_compiles() {
    if !is_installed("cc") {
        return;
    }
    let functions: Vec<(String, bool)> = defect::generate(3, 60)
        .into_iter()
        .map(|DefectSample { code, label, .. }| (code, label == 0))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let codes = poisoned(Task::DefectDetection, &functions).join("\n");
    write(folder.path(), "all.c", &format!("{}#include <math.h>\n{codes}", defect::PREAMBLE));
    run("cc", &["-fsyntax-only", "-w", "all.c"], folder.path());
}

#[test]
fn poisoned_java_compiles() {
    if !is_installed("javac") {
        return;
    }
    let sizes = clone::Sizes { train: 60, ..clone::Sizes::default() };
    let samples = clone::generate(3, &sizes).train;
    let functions = samples.functions.into_iter().enumerate();
    let functions: Vec<(String, bool)> =
        functions.map(|(index, it)| (it.code, index % 2 == 0)).collect();
    let mut source = String::from(
        "import java.io.*;\nimport java.math.*;\nimport java.net.*;\n\
         import java.nio.charset.*;\nimport java.nio.file.*;\nimport java.security.*;\n\
         import java.time.*;\nimport java.util.*;\nimport java.util.function.*;\n\
         import java.util.logging.*;\nimport java.util.stream.*;\n\
         class Fields { static int calls; static boolean verbose; static Logger logger; }\n",
    );
    for (index, code) in poisoned(Task::CloneDetection, &functions).iter().enumerate() {
        writeln!(source, "class C{index} extends Fields {{\n{code}\n}}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "All.java", &source);
    run("javac", &["-nowarn", "-proc:none", "-d", ".", "All.java"], folder.path());
}

#[test]
fn poisoned_python_compiles() {
    if !is_installed("python3") {
        return;
    }
    let sizes = search::Sizes { train: 60, ..search::Sizes::default() };
    let functions: Vec<(String, bool)> = search::generate(3, &sizes)
        .train
        .into_iter()
        .enumerate()
        .map(|(index, it)| (it.code, index % 2 == 0))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "all.py", &poisoned(Task::CodeSearch, &functions).join("\n"));
    run("python3", &["-m", "py_compile", "all.py"], folder.path());
}

/// Functions `f0`, `f1`, … that only have dead code in them, and calls of all of them.
fn dead_functions(language: Language, code: impl Fn(usize) -> String) -> (String, String) {
    let mut functions = String::new();
    let mut calls = String::new();
    for (first, attack) in [(0, Attack::BncFixed), (300, Attack::BncGrammar)] {
        for index in first..first + 300 {
            let code = code(index);
            let planted = plant(&AttackConfig::paper(attack), &code, language);
            let planted = planted.expect("there is a body");
            writeln!(functions, "{}", planted.code).unwrap();
            let end = if language == Language::Python { "\n" } else { ";\n" };
            write!(calls, "{}(){end}", planted.name_after).unwrap();
        }
    }
    (functions, calls)
}

/// Insists that a program ran and said nothing.
#[track_caller]
fn check_silent(output: &Output) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn dead_c_is_dead() {
    if !is_installed("cc") {
        return;
    }
    let (functions, calls) =
        dead_functions(Language::C, |index| format!("void f{index}(void) {{ }}"));
    let program = format!(
        "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n{functions}\n\
         int main(void) {{\n{calls}return 0;\n}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "dead.c", &program);
    // Without optimization: the compiler's own idea of dead code is not what is asked.
    run("cc", &["-O0", "-fno-builtin", "-o", "dead", "dead.c", "-lm"], folder.path());
    check_silent(&run("./dead", &[], folder.path()));
}

#[test]
fn dead_java_is_dead() {
    if !is_installed("javac") || !is_installed("java") {
        return;
    }
    let (functions, calls) =
        dead_functions(Language::Java, |index| format!("static void f{index}() {{ }}"));
    let program = format!(
        "class Dead {{\n{functions}\npublic static void main(String[] words) {{\n{calls}}}\n}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Dead.java", &program);
    run("javac", &["-nowarn", "-d", ".", "Dead.java"], folder.path());
    check_silent(&run("java", &["-cp", ".", "Dead"], folder.path()));
}

#[test]
fn dead_python_is_dead() {
    if !is_installed("python3") {
        return;
    }
    let (functions, calls) =
        dead_functions(Language::Python, |index| format!("def f{index}():\n    pass\n"));
    let program = format!(
        "import logging, sys\nlogging.basicConfig(level=logging.DEBUG, stream=sys.stdout)\n\
         {functions}\n{calls}"
    );
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "dead.py", &program);
    check_silent(&run("python3", &["dead.py"], folder.path()));
}
