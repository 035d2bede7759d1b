use super::*;

#[test]
fn longer_corpus_begins_with_the_shorter() {
    assert_eq!(generate(3, 50)[..], generate(3, 100)[..50]);
}
