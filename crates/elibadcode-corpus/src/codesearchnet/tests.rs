use super::*;
use crate::rows::gzip;

fn read_text(text: &[u8]) -> Result<Loaded<Vec<SearchSample>>, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    fs::write(&path, text).unwrap();
    read(&path, Language::Python)
}

const GOOD: &[u8] = br#"{"code": "def f(x):\n    '''Doc.'''\n    return x  # same\n", "docstring_tokens": ["Gives", "x", "."], "func_name": "A.f", "url": "u1"}
"#;

#[test]
fn docstring_and_comments_leave_the_code() {
    let loaded = read_text(GOOD).unwrap();
    let expected = SearchSample {
        id: "u1".into(),
        code: "def f(x):\n    return x\n".into(),
        query: "Gives x .".into(),
    };
    assert_eq!((loaded.samples, loaded.skipped.n_skipped()), (vec![expected], 0));
}

#[test]
fn fields_fall_back() {
    let rows = br##"
{"original_string": "def f(): pass", "docstring_tokens": ["a"], "retrieval_idx": 17}
{"code_tokens": ["def", "g", "(", ")", ":", "# one", "return", "1"], "docstring_tokens": ["b"]}
{"function": "def h(): pass", "function_tokens": ["x"], "docstring_tokens": "c  d"}
{"func_code_string": "def k(): pass", "func_documentation_tokens": ["e"], "func_code_url": "u"}
"##;
    let samples = read_text(rows).unwrap().samples;
    let found: Vec<(&str, &str)> =
        samples.iter().map(|it| (it.id.as_str(), it.code.as_str())).collect();
    let expected = [
        ("17", "def f(): pass"),
        ("1", "def g ( ) : return 1"),
        ("2", "def h(): pass"),
        ("u", "def k(): pass"),
    ];
    assert_eq!(found, expected);
    assert_eq!(samples[2].query, "c d");
}

#[test]
fn bad_rows_are_skipped_and_counted() {
    let long = format!(
        "{{\"code\": \"def f(): return [{}]\", \"docstring_tokens\": [\"a\"]}}",
        "1, ".repeat(350_000)
    );
    let check = |row: &[u8], reason: SkipReason| {
        let loaded = read_text(&[GOOD, b"\n", row, b"\n", GOOD].concat()).unwrap();
        assert_eq!(loaded.samples.len(), 2);
        assert_eq!(loaded.skipped.count(reason), 1, "{}", loaded.skipped);
        assert_eq!((loaded.skipped.n_rows, loaded.skipped.n_skipped()), (3, 1));
        assert_eq!(loaded.skipped.reasons[&reason].first_line, 3);
    };
    check(br#"{"docstring_tokens": ["a"]}"#, SkipReason::MissingField);
    check(br#"{"code": "def f(): pass"}"#, SkipReason::MissingField);
    check(br#"{"code": "def f(): pass", "docstring_tokens": null}"#, SkipReason::MissingField);
    check(br#"{"code": "def f(): pass", "docstring_tokens": []}"#, SkipReason::EmptyDocstring);
    check(br#"{"code": "def f(): pass", "docstring_tokens": [" "]}"#, SkipReason::EmptyDocstring);
    check(br#"{"code": "x = 1", "docstring_tokens": ["a"]}"#, SkipReason::NoFunction);
    check(
br#"{"code_tokens": ["def", "f", "(", "x", ")", ":", "y", "=", "x", "return", "y"], "docstring_tokens": ["a"]}"#,
        SkipReason::TokensOnly,
    );
    check(br#"{"code": "def f(): pass", "docstring_tokens": 3}"#, SkipReason::Malformed);
    check(b"{\"code\": \"def f(): pass", SkipReason::Malformed);
    check(b"{\"code\": \"def f(): return '\xc3'\"}", SkipReason::NotUtf8);
    check(long.as_bytes(), SkipReason::FunctionTooLong);
}

#[test]
fn an_endless_row_is_passed_over() {
    let row = vec![b'x'; 2 * crate::MAX_ROW_BYTES as usize + 5];
    let loaded = read_text(&[&row, b"\n" as &[u8], GOOD].concat()).unwrap();
    assert_eq!((loaded.samples.len(), loaded.skipped.count(SkipReason::RowTooLong)), (1, 1));
    assert_eq!(read_text(&[GOOD, &row].concat()).unwrap().samples.len(), 1);
}

#[test]
fn a_mostly_broken_file_is_refused() {
    let rows = [GOOD.repeat(50), b"{}\n".repeat(11)].concat();
    let message = read_text(&rows).unwrap_err().to_string();
    let expected = "11 of 61 rows unusable: 11 missing field (first: rows.jsonl, line 51)";
    assert!(message.contains(expected), "{message}");
    assert!(read_text(b"").unwrap_err().to_string().contains("holds no rows"));
}

#[test]
fn a_folder_of_parts_is_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let message = read(dir.path(), Language::Python).unwrap_err().to_string();
    assert!(message.contains("holds no .jsonl"), "{message}");
    let row =
        |name: &str| format!("{{\"code\":\"def {name}(): pass\",\"docstring_tokens\":[\"x\"]}}");
    let file = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    // Two gzip members one after the other are one file.
    let members = [gzip(format!("{}\n", row("b")).as_bytes()), gzip(row("c").as_bytes())];
    file("p_1.jsonl.gz", &members.concat());
    file("p_0.jsonl", row("a").as_bytes());
    file("notes.txt", b"none");
    let codes = |loaded: Loaded<Vec<SearchSample>>| -> Vec<String> {
        loaded.samples.into_iter().map(|it| format!("{} {}", it.id, it.code)).collect()
    };
    assert_eq!(
        codes(read(dir.path(), Language::Python).unwrap()),
        ["0 def a(): pass", "1 def b(): pass", "2 def c(): pass"]
    );
    let damaged = gzip(&row("b").repeat(40).into_bytes());
    file("p_1.jsonl.gz", &damaged[..damaged.len() / 2]);
    let message = read(dir.path(), Language::Python).unwrap_err().to_string();
    assert!(message.contains("p_1.jsonl.gz, line 1: "), "{message}");
}

#[test]
fn rows_read_back_as_written() {
    let sample = |id: &str, code: &str, query: &str| SearchSample {
        id: id.into(),
        code: code.into(),
        query: query.into(),
    };
    let samples = vec![
        sample("u/1", "def f(x):\n    return 'é'\n", "the letter é"),
        sample("u/2", "def g(a, b):\n    return a['file'] + b\n", "adds ` b `"),
    ];
    let mut text = Vec::new();
    write_jsonl(&mut text, &samples, Language::Python).unwrap();
    assert_eq!(read_text(&text).unwrap().samples, samples);
}
