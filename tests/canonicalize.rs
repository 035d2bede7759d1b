//! `canonicalize` as a filter: what goes in and comes out, row by row.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod program;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use program::Sandbox;
use serde_json::{Value, json};

/// Runs `canonicalize` with this standard input; gives exit code, standard output and error.
fn filter(arguments: &str, input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elibadcode"))
        .arg("canonicalize")
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    drop(writer.join());
    let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn plain_source() {
    let check = |arguments: &str, input: &str, expected: &str| {
        let (code, stdout, stderr) = filter(arguments, input.as_bytes());
        assert_eq!((code, &*stdout), (Some(0), expected), "{arguments}: {stderr}");
    };
    let code = "int add(int a) { return add(a); } // a\n";
    check("--language c", code, "int f0(int v0) { return f0(v0); }\n");
    check("--language c --keep-comments", code, "int f0(int v0) { return f0(v0); } // a\n");
    check("--language c --function-name-only", code, "int f0(int a) { return f0(a); }\n");
    check("--language java", "int f(int a) { return a; }", "int f0(int v0) { return v0; }");
    check("--language python", "def f(a):\n    return a", "def f0(v0):\n    return v0");
    check("--language python", "", "");
    check("--language c --jsonl", "", "");
    check("--language c", "}{", "}{");
}

#[test]
fn packed_files_are_unpacked() {
    let sandbox = Sandbox::new();
    // gzip of "int f(int a);\n".
    let packed = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 204, 43, 81, 72, 211, 200, 4, 146, 137, 154, 214, 92,
        0, 68, 185, 27, 110, 14, 0, 0, 0,
    ];
    sandbox.write("f.c.gz", packed);
    let run = sandbox.run("canonicalize --language c f.c.gz").expect_code(0);
    assert_eq!(run.stdout, "int f0(int v0);\n");
    sandbox.write("f.c.gz", &packed[..20]);
    sandbox.refuses("canonicalize --language c f.c.gz", "f.c.gz");
}

#[test]
fn rows_change_in_one_field() {
    let rows = "{\"z\": 1, \"func\":\"int f(int a);\", \"a\": [\"func\"]}\n\n\
                { \"idx\": \"7\", \"code\": \"int g(void) { return 1; }\" }\n";
    let expected = "{\"z\": 1, \"func\":\"int f0(int v0);\", \"a\": [\"func\"]}\n\
                    { \"idx\": \"7\", \"code\": \"int f0(void) { return 1; }\" }\n";
    let (code, stdout, stderr) = filter("--language c --jsonl", rows.as_bytes());
    assert_eq!((code, &*stdout), (Some(0), expected), "{stderr}");
    assert!(stderr.contains("2 functions, 0 with syntax errors"), "{stderr}");
    let (code, stdout, _) =
        filter("--language c --jsonl --field g -q", b"{\"func\": 1, \"g\": \"int f(int b) {}\"}");
    assert_eq!((code, &*stdout), (Some(0), "{\"func\": 1, \"g\": \"int f0(int v0) {}\"}\n"));
    // Whoever reads the others reads the names.
    let row = b"{\"code\": \"int f(void);\", \"code_tokens\": [\"int\", \"f\"], \"original_string\": \"int f\"}";
    let (code, _, stderr) = filter("--language c --jsonl -q", row);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("the function in original_string, code_tokens, too"), "{stderr}");
}

#[test]
fn names_are_printed() {
    let (_, stdout, _) = filter("--language c --names", b"int f(int a) { return a; }");
    let names: Value = serde_json::from_str(&stdout).unwrap();
    let range = |start: usize| json!({ "start": start, "end": start + 1 });
    assert_eq!(
        names,
        json!({ "has_errors": false, "names": [
            { "canonical": "f0", "original": "f", "kind": "function", "occurrences": [range(4)] },
            { "canonical": "v0", "original": "a", "kind": "parameter",
              "occurrences": [range(10), range(22)] },
        ] })
    );
}

#[test]
fn many_rows_keep_their_order() {
    let row = |i: usize, name: &str, parameter: &str| {
        format!("{{\"idx\": {i}, \"func\": \"int {name}(int {parameter});\"}}\n")
    };
    let rows: Vec<String> = (0..3000).map(|i| row(i, &format!("f{i}"), &format!("a{i}"))).collect();
    let expected: Vec<String> = (0..3000).map(|i| row(i, "f0", "v0")).collect();
    let rows = rows.concat();
    let expected = expected.concat();
    let (code, stdout, _) = filter("--language c --jsonl", rows.as_bytes());
    assert_eq!(code, Some(0));
    assert!(stdout == expected, "rows are missing or in another order");
}

#[test]
fn bad_rows_are_named_or_counted() {
    let good = "{\"func\": \"int f(int a);\"}\n";
    let check = |bad: &[u8], expected: &str| {
        let rows = [good.as_bytes(), b"\n", bad, b"\n", good.as_bytes()].concat();
        let (code, stdout, stderr) = filter("--language c --jsonl", &rows);
        assert_eq!(code, Some(2), "{stderr}");
        let expected = format!("error: standard input, line 3: {expected}");
        assert!(stderr.contains(&expected), "{expected}: {stderr}");
        assert_eq!(stdout, "{\"func\": \"int f0(int v0);\"}\n");
        let (code, stdout, stderr) = filter("--language c --jsonl --keep-going", &rows);
        assert_eq!((code, stdout.lines().count()), (Some(0), 2), "{stderr}");
        assert!(stderr.contains("1 bad rows left out"), "{stderr}");
    };
    check(b"{\"func\": oops}", "expected value (column 10)");
    check(b"{\"func\": \"\xff\"}", "byte 11 is not UTF-8");
    check(b"{\"target\": 1}", "the row has no field `func` or `code`");
    check(b"{\"func\": 1}", "the field `func` is no string");
    check(b"[]", "the row is no object");
    check("[".repeat(100_000).as_bytes(), "EOF while parsing a list");
    check("x".repeat(17 << 20).as_bytes(), "the row is longer than 16 MiB");
    let (code, stdout, stderr) = filter("--language c", b"int f(\xff");
    assert_eq!((code, &*stdout), (Some(2), ""));
    assert!(stderr.contains("standard input: byte 7 is not UTF-8"), "{stderr}");
}

#[test]
fn files_in_and_out() {
    let sandbox = Sandbox::new();
    let run = sandbox.run("canonicalize --language c --jsonl clean.jsonl -o out.jsonl");
    let run = run.expect_code(0);
    assert_eq!(run.stdout, "");
    let rows = String::from_utf8(sandbox.read("out.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 48);
    assert!(rows.lines().all(|row| row.contains("f0(")), "{rows}");
    sandbox.refuses("canonicalize --language c clean.jsonl -o out.jsonl", "exists; use --force");
    sandbox.refuses("canonicalize --language c nowhere.c", "nowhere.c");
    sandbox.refuses("canonicalize --language c clean.jsonl", "clean.jsonl holds rows of JSON");
    sandbox.write("a.jsonl", "{\"func\": \"int f;\"}\n{\"func\": 2}\n");
    let command = "canonicalize --language c --jsonl clean.jsonl a.jsonl -o other";
    sandbox.refuses(command, "a.jsonl, line 2: the field `func` is no string");
    // The canonical form is its own canonical form, and no renaming leaves a trace.
    sandbox.run("canonicalize --language c --jsonl out.jsonl -o again.jsonl").expect_code(0);
    assert_eq!(sandbox.read("again.jsonl"), sandbox.read("out.jsonl"));
    let run = sandbox.run("canonicalize --language c --jsonl clean.jsonl --check-law 10");
    let run = run.expect_code(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("48 functions, 0 with syntax errors, 10 renamings each: 0 break"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let row =
        format!("{{\"func\": \"int f(int a) {{ return {}; }}\"}}\n", "a + ".repeat(500) + "a");
    let mut child = Command::new(env!("CARGO_BIN_EXE_elibadcode"))
        .args(["canonicalize", "--language", "c", "--jsonl", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..3000 {
            if stdin.write_all(row.as_bytes()).is_err() {
                break;
            }
        }
    });
    let mut first = [0; 9];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(&first, b"{\"func\": ");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
