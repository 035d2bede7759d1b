use super::*;

fn folder(data: &[u8], pairs: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FUNCTIONS_FILE), data).unwrap();
    fs::write(dir.path().join("train.txt"), pairs).unwrap();
    dir
}

fn read(data: &[u8], pairs: &[u8]) -> Result<Loaded<CloneSamples>, Error> {
    read_pairs(&folder(data, pairs).path().join("train.txt"))
}

const DATA: &[u8] = br#"{"func": "int a() { }", "idx": "1"}
{"func": "int b() { }", "idx": 2}

{"func": "int c() { }", "idx": "3"}
"#;

#[test]
fn functions_may_be_packed() {
    let folder = folder(b"", b"3\t2\t0\n");
    fs::write(folder.path().join("data.jsonl.gz"), crate::rows::gzip(DATA)).unwrap();
    fs::remove_file(folder.path().join(FUNCTIONS_FILE)).unwrap();
    assert_eq!(read_pairs(&folder.path().join("train.txt")).unwrap().samples.functions.len(), 2);
}

#[test]
fn functions_come_in_order_of_first_use() {
    let Loaded { samples, skipped } = read(DATA, b"3\t2\t0\n2\t3\t1\n").unwrap();
    let ids: Vec<&str> = samples.functions.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["3", "2"]);
    assert_eq!(samples.functions[1].code, "int b() { }");
    let pairs: Vec<_> = samples.pairs.iter().map(|it| (it.first, it.second, it.label)).collect();
    assert_eq!(pairs, [(0, 1, 0), (1, 0, 1)]);
    assert_eq!((skipped.n_rows, skipped.n_skipped()), (5, 0));
}

#[test]
fn bad_pairs_are_skipped_and_counted() {
    let check = |line: &[u8], reason: SkipReason| {
        let Loaded { samples, skipped } =
            read(DATA, &[b"1\t2\t1\r\n\n", line, b"\n2 3 0\n"].concat()).unwrap();
        assert_eq!((samples.pairs.len(), samples.functions.len()), (2, 3));
        assert_eq!(skipped.count(reason), 1, "{skipped}");
        assert_eq!((skipped.n_skipped(), skipped.reasons[&reason].first_line), (1, 3));
        assert!(skipped.reasons[&reason].first_path.ends_with("train.txt"));
    };
    check(b"1\t9\t0", SkipReason::UnknownId);
    check(b"9\t9\t0", SkipReason::UnknownId);
    check(b"1\t2\t2", SkipReason::BadLabel);
    check(b"1\t2\t-1", SkipReason::BadLabel);
    check(b"1\t2", SkipReason::MissingField);
    check(b"1", SkipReason::Malformed);
    check(b"1\t2\t0\t1", SkipReason::Malformed);
    check(b"1\t\xff\t0", SkipReason::NotUtf8);
}

#[test]
fn bad_functions_are_skipped_with_their_pairs() {
    let long = format!("{{\"func\": \"{}\", \"idx\": \"9\"}}", "x ".repeat(1 << 19));
    let check = |row: &[u8], reason: SkipReason| {
        let data = [DATA, row, b"\n"].concat();
        let Loaded { samples, skipped } = read(&data, b"9\t1\t1\n1\t2\t0\n").unwrap();
        assert_eq!((samples.pairs.len(), samples.functions[0].id.as_str()), (1, "1"));
        assert_eq!((skipped.count(reason), skipped.count(SkipReason::UnknownId)), (1, 1));
        assert_eq!((skipped.n_skipped(), skipped.reasons[&reason].first_line), (2, 5));
    };
    check(br#"{"func": "int f() { }"}"#, SkipReason::MissingField);
    check(br#"{"func": null, "idx": 9}"#, SkipReason::MissingField);
    check(br#"{"func": " ", "idx": 9}"#, SkipReason::NoFunction);
    check(br#"{"func": "int f() { }", "idx": "#, SkipReason::Malformed);
    check(b"{\"func\": \"\xff\", \"idx\": 9}", SkipReason::NotUtf8);
    check(long.as_bytes(), SkipReason::FunctionTooLong);
}

#[test]
fn the_first_of_two_functions_with_one_id_stands() {
    let data = [DATA, br#"{"func": "int z() { }", "idx": 1}"#].concat();
    let Loaded { samples, skipped } = read(&data, b"1\t2\t1\n").unwrap();
    assert_eq!(samples.functions[0].code, "int a() { }");
    assert_eq!(skipped.count(SkipReason::RepeatedId), 1);
}

#[test]
fn a_mostly_broken_file_is_refused() {
    let pairs = format!("{}{}", "1\t2\t1\n".repeat(99), "1\t9\t1\n1\t2\n".repeat(6));
    let message = read(DATA, pairs.as_bytes()).unwrap_err().to_string();
    let expected = "train.txt: 12 of 111 rows unusable: 6 missing field (first: train.txt, line \
                    101), 6 no usable function of this id (first: train.txt, line 100); at most 10 % may be. \
                    Expected lines like `id1 TAB id2 TAB label`";
    assert!(message.ends_with(expected), "{message}");
    let few = format!("{}{}", "1\t2\t1\n".repeat(3), "1\t9\t1\n".repeat(10));
    assert_eq!(read(DATA, few.as_bytes()).unwrap().skipped.n_skipped(), 10);
    for (data, pairs, expected) in [
        (DATA, &b"1\t9\t0\n"[..], "train.txt: 1 of 1 rows unusable"),
        (DATA, b"\n", "train.txt: holds no rows"),
        (b"", b"1\t2\t1\n", "data.jsonl: holds no rows"),
    ] {
        let message = read(data, pairs).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_folder_reads_back_as_written() {
    let function = |id: &str| CloneFunction { id: id.into(), code: format!("int f{id}() {{ }}\n") };
    let pair = |first, second, label| ClonePair { first, second, label };
    let train = CloneSamples {
        functions: vec![function("a"), function("b")],
        pairs: vec![pair(0, 1, 1), pair(1, 0, 0)],
    };
    let test = CloneSamples {
        functions: vec![function("b"), function("c")],
        pairs: vec![pair(0, 1, 0), pair(1, 1, 1)],
    };
    let dir = tempfile::tempdir().unwrap();
    write_folder(dir.path(), &[("train", &train), ("test", &test)]).unwrap();
    for (name, expected) in [("train.txt", &train), ("test.txt", &test)] {
        let loaded = read_pairs(&dir.path().join(name)).unwrap();
        assert_eq!((&loaded.samples, loaded.skipped.n_skipped()), (expected, 0));
    }
    let clash = CloneSamples {
        functions: vec![CloneFunction { id: "a".into(), code: "int g() { }".into() }],
        pairs: vec![],
    };
    let message = write_folder(dir.path(), &[("train", &train), ("valid", &clash)]).unwrap_err();
    assert!(message.to_string().contains("two functions have the id `a`"), "{message}");
    let blank = CloneSamples { functions: vec![function("a b")], pairs: vec![] };
    assert!(write_folder(dir.path(), &[("train", &blank)]).is_err());
}
