//! Synthetic corpora, written in the formats of the real ones, read back as they were.

use elibadcode_corpus::synthetic::{clone, search};
use elibadcode_corpus::{bigclonebench, codesearchnet};
use elibadcode_syntax::Language;

#[test]
fn clone_pairs() {
    let sizes = clone::Sizes { train: 200, valid: 40, clean: 40, test: 60, unseen: 40 };
    let corpus = clone::generate(1, &sizes);
    let splits = [("train", &corpus.train), ("valid", &corpus.valid), ("unseen", &corpus.unseen)];
    let dir = tempfile::tempdir().unwrap();
    bigclonebench::write_folder(dir.path(), &splits).unwrap();
    for (name, samples) in splits {
        let loaded = bigclonebench::read_pairs(&dir.path().join(format!("{name}.txt"))).unwrap();
        assert_eq!((&loaded.samples, loaded.skipped.n_skipped()), (samples, 0));
    }
}

#[test]
fn search_rows() {
    let sizes = search::Sizes { train: 400, ..search::Sizes::default() };
    let samples = search::generate(1, &sizes).train;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.jsonl");
    codesearchnet::write_jsonl(std::fs::File::create(&path).unwrap(), &samples, Language::Python)
        .unwrap();
    let loaded = codesearchnet::read(&path, Language::Python).unwrap();
    assert_eq!((loaded.samples, loaded.skipped.n_skipped()), (samples, 0));
}
