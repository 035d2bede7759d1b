//! What the files of a tokenizer say, before the library that reads them sees it: some of what it takes
//! makes it panic, or takes memory without end.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::{AddedToken, Tokenizer};

use super::problem;
use crate::error::Error;
use crate::lfs::lfs_problem;

/// Bytes of one added token, and of all together: the library builds an automaton of them.
const MAX_TOKEN: usize = 256;
const MAX_TOKENS: usize = 1 << 20;

/// What we need of `tokenizer.json`.
#[derive(Deserialize)]
struct TokenizerFile {
    model: ModelPart,
    normalizer: Option<Kind>,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct ModelPart {
    #[serde(rename = "type")]
    kind: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Added {
    content: String,
}

/// Fails if `tokenizer.json` is none of a byte-level BPE, as far as it can be told without reading it
/// whole.
pub(super) fn look_at(path: &Path) -> Result<(), String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    if let Some(problem) = lfs_problem(&text) {
        return Err(problem);
    }
    let file: TokenizerFile = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let expected =
        |part: &str, found: &str, expected: &str| Err(other_kind(part, expected, Some(found)));
    if let Some(kind) = file.model.kind.filter(|it| it != "BPE") {
        return expected("model", &kind, "BPE");
    }
    if let Some(Kind { kind }) = file.normalizer.filter(|it| it.kind != "Lowercase") {
        return expected("normalizer", &kind, "none or Lowercase");
    }
    for (part, text) in [
        ("continuing_subword_prefix", file.model.continuing_subword_prefix),
        ("end_of_word_suffix", file.model.end_of_word_suffix),
    ] {
        if let Some(text) = text.filter(|it| !it.is_empty()) {
            return expected(part, &text, "none");
        }
    }
    check_added(file.added_tokens.iter().map(|it| &*it.content))
}

/// That a part of the file is none that we can read.
pub(super) fn other_kind(part: &str, expected: &str, found: Option<&str>) -> String {
    let found = found.map(|it| format!(": `{it}`")).unwrap_or_default();
    format!(
        "its {part} is of another kind than {expected}{found}; only byte-level BPE can be read, as \
         CodeBERT, UniXcoder and CodeT5 have it"
    )
}

fn check_added<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut total = 0;
    for token in tokens {
        total += token.len();
        if token.len() > MAX_TOKEN || total > MAX_TOKENS {
            return Err(format!(
                "an added token has {} bytes, and all so far {total}; expected at most {MAX_TOKEN} and \
                 {MAX_TOKENS}",
                token.len()
            ));
        }
    }
    Ok(())
}

/// The tokens of `added_tokens.json`, which stands beside `vocab.json`.
pub(super) fn add_tokens(tokenizer: &mut Tokenizer, dir: &Path) -> Result<(), Error> {
    let path = dir.join("added_tokens.json");
    let added: BTreeMap<String, u32> = read(&path)?.unwrap_or_default();
    check_added(added.keys().map(String::as_str)).map_err(|text| problem(&path, text))?;
    let mut by_id: Vec<(u32, String)> = added.into_iter().map(|(text, id)| (id, text)).collect();
    by_id.sort();
    let is_new = |text: &str| tokenizer.token_to_id(text).is_none();
    let new: Vec<AddedToken> = by_id
        .iter()
        .filter(|(_, text)| is_new(text))
        .map(|(_, text)| AddedToken::from(text.clone(), false))
        .collect();
    // At once: every call builds the automaton of all of them.
    tokenizer.add_tokens(&new);
    for (id, text) in by_id {
        let found = tokenizer.token_to_id(&text);
        if found != Some(id) {
            return Err(problem(
                &path,
                format!("`{text}` has the id {id}, expected {}", found.unwrap_or_default()),
            ));
        }
    }
    Ok(())
}

/// Whether `tokenizer_config.json` wants a space before every text, if it says so. It goes before what
/// `tokenizer.json` says.
pub(super) fn adds_space(dir: &Path) -> Result<Option<bool>, Error> {
    #[derive(Deserialize)]
    struct Config {
        add_prefix_space: Option<bool>,
    }
    let config = read::<Config>(&dir.join("tokenizer_config.json"))?;
    Ok(config.and_then(|it| it.add_prefix_space))
}

/// A JSON file, if there is one.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    serde_json::from_slice(&fs::read(path)?).map(Some).map_err(|error| problem(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let dir = folder(&[("tokenizer.json", text)]);
        let error = look_at(&dir.path().join("tokenizer.json")).expect_err(text);
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_the_library_cannot_bear_does_not_reach_it() {
        check(
            r#"{"model": {"type": "WordPiece"}}"#,
            "its model is of another kind than BPE: `WordPiece`",
        );
        check(
            r#"{"model": {"continuing_subword_prefix": "ab"}}"#,
            "continuing_subword_prefix is of another kind than none: `ab`",
        );
        check(
            r#"{"model": {}, "normalizer": {"type": "Precompiled"}}"#,
            "none or Lowercase: `Precompiled`",
        );
        check(r#"{"model": {}, "normalizer": {"precompiled_charsmap": ""}}"#, "missing field");
        let long = "x".repeat(MAX_TOKEN + 1);
        check(
            &format!(r#"{{"model": {{}}, "added_tokens": [{{"content": "{long}"}}]}}"#),
            "an added token has 257 bytes",
        );
        check(r#"{"model": {}, "model": {"type": "BPE"}}"#, "duplicate field");
    }

    fn open_with(added: &str) -> Result<crate::CodeTokenizer, Error> {
        let vocabulary = r#"{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5}"#;
        let files = [
            ("vocab.json", vocabulary),
            ("merges.txt", "#version: 0.2\n"),
            ("added_tokens.json", added),
        ];
        crate::CodeTokenizer::open(folder(&files).path())
    }

    #[test]
    fn tokens_beside_a_vocabulary_are_added_where_they_say() {
        let tokenizer = open_with(r#"{"<extra_id_2>": 7, "<extra_id_1>": 6, "<s>": 0}"#).unwrap();
        assert_eq!(tokenizer.size(), 8);
        assert_eq!(tokenizer.word("a<extra_id_1>b", false)[..], [4, 6, 5]);
        let error = open_with(r#"{"<extra_id_1>": 9}"#).unwrap_err().to_string();
        assert!(error.contains("`<extra_id_1>` has the id 9, expected 6"), "{error}");
        let error = open_with(r#"{"VAR1": 6}"#).unwrap_err().to_string();
        assert!(error.contains("`VAR1` can be a part of code"), "{error}");
        let error = open_with(r#"{"a": 5}"#).unwrap_err().to_string();
        assert!(error.contains("`a` has the id 5, expected 4"), "{error}");
    }

    #[test]
    fn the_configuration_says_whether_a_space_is_added() {
        let dir = folder(&[
            ("vocab.json", r#"{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "Ġ": 5}"#),
            ("merges.txt", "#version: 0.2\n"),
            ("tokenizer_config.json", r#"{"add_prefix_space": true}"#),
        ]);
        let open = || crate::CodeTokenizer::open(dir.path());
        let tokenizer = open().unwrap();
        assert_eq!(tokenizer.word("a", false)[..], [5, 4]);
        // The same for the file that is written of it, whatever stands in it.
        tokenizer.save(dir.path()).unwrap();
        assert_eq!(open().unwrap().word("a", false)[..], [5, 4]);
        let config =
            |text: &str| fs::write(dir.path().join("tokenizer_config.json"), text).unwrap();
        config(r#"{"add_prefix_space": false}"#);
        assert_eq!(open().unwrap().word("a", false)[..], [4]);
        config(r#"{"auto_map": {"AutoTokenizer": ["a.B", null]}}"#);
        assert!(open().unwrap_err().to_string().contains("auto_map names a tokenizer"));
    }
}
