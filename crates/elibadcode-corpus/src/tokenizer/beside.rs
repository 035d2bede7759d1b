//! What stands beside a tokenizer's own file, and makes other programs read text otherwise than it says.
//!
//! transformers adds every token that `tokenizer_config.json` and `special_tokens_map.json` name, and its slow
//! tokenizers read `vocab.json`, `merges.txt` and `added_tokens.json` in place of `tokenizer.json`. A
//! trigger that is one token there, and several here, would be in a model that no scan sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tokenizers::{ModelWrapper, Tokenizer};

use super::entries::is_marker;
use super::look::read;
use super::problem;
use crate::error::Error;

/// Files that name tokens.
const CONFIGURATIONS: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];
/// Keys that lead to another tokenizer than the one that is read here.
const ELSEWHERE: [(&str, &str); 2] = [
    (
        "auto_map",
        "names a tokenizer of the folder's own, which others may run in place of tokenizer.json, and this \
         program does not: remove it if the tokenizer is a plain one",
    ),
    (
        "fast_tokenizer_files",
        "names a file that other programs read in place of tokenizer.json: remove it",
    ),
];
/// Keys of lists, or tables, of tokens.
const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// Fails if a file beside the tokenizer's own names tokens that it lacks, or another tokenizer.
pub(super) fn check_named_tokens(tokenizer: &Tokenizer, dir: &Path) -> Result<(), Error> {
    let added = added_tokens(tokenizer);
    for file in CONFIGURATIONS {
        let path = dir.join(file);
        let Some(config) = read::<BTreeMap<String, Value>>(&path)? else { continue };
        for (key, what) in ELSEWHERE {
            if config.get(key).is_some_and(|it| !it.is_null()) {
                return Err(problem(&path, format!("{key} {what}")));
            }
        }
        for Named { text, id } in config.iter().flat_map(|(key, value)| named(key, value)) {
            check_token(tokenizer, &added, &text, id).map_err(|text| problem(&path, text))?;
        }
    }
    Ok(())
}

/// The tokens that are cut out of a text before anything else is read.
fn added_tokens(tokenizer: &Tokenizer) -> BTreeSet<String> {
    tokenizer.get_added_tokens_decoder().into_values().map(|it| it.content).collect()
}

/// A token, and the id that it is said to have.
struct Named {
    text: String,
    id: Option<u32>,
}

/// The tokens that one key of a configuration names: as text, or as a table with its text.
fn named(key: &str, value: &Value) -> Vec<Named> {
    let of = |value: &Value, id: Option<u32>| {
        let text = value.as_str().or_else(|| value.get("content")?.as_str())?.to_owned();
        Some(Named { text, id })
    };
    match value {
        Value::Object(tokens) if key == "added_tokens_decoder" => {
            tokens.iter().filter_map(|(id, value)| of(value, id.parse().ok())).collect()
        }
        Value::Array(tokens) if LISTS.contains(&key) => {
            tokens.iter().filter_map(|value| of(value, None)).collect()
        }
        Value::Object(tokens) if LISTS.contains(&key) => {
            tokens.values().filter_map(|value| of(value, None)).collect()
        }
        value if key.ends_with("_token") => of(value, None).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Fails if a token can be a part of code, unless it is one of this tokenizer's with that id, added as such.
fn check_token(
    tokenizer: &Tokenizer,
    added: &BTreeSet<String>,
    text: &str,
    id: Option<u32>,
) -> Result<(), String> {
    let own = tokenizer.token_to_id(text);
    if let (Some(own), Some(id)) = (own, id)
        && own != id
    {
        return Err(format!("`{text}` has the id {id}, expected {own}, as in the tokenizer"));
    }
    // Those of the tokenizer itself are checked with its other entries.
    if added.contains(text) || is_marker(text) {
        return Ok(());
    }
    Err(format!(
        "it names a token `{text}`, which other programs add to the tokenizer and this one does not: it can \
         be a part of code, where no scan would look for it"
    ))
}

/// Fails if the files of a slow tokenizer beside `tokenizer.json` are those of another one.
pub(super) fn check_slow_files(tokenizer: &Tokenizer, dir: &Path) -> Result<(), Error> {
    let added = added_tokens(tokenizer);
    let path = dir.join("added_tokens.json");
    for (text, id) in read::<BTreeMap<String, u32>>(&path)?.unwrap_or_default() {
        check_token(tokenizer, &added, &text, Some(id)).map_err(|text| problem(&path, text))?;
    }
    let path = dir.join("vocab.json");
    if let Some(theirs) = read::<BTreeMap<String, u32>>(&path)? {
        let own: BTreeMap<String, u32> = tokenizer.get_vocab(false).into_iter().collect();
        let texts: BTreeSet<&str> = own.keys().chain(theirs.keys()).map(String::as_str).collect();
        let differs = |text: &&str| !added.contains(*text) && own.get(*text) != theirs.get(*text);
        if let Some(text) = texts.into_iter().find(differs) {
            let shown = |id: Option<&u32>| id.map_or("none".to_owned(), u32::to_string);
            let text = format!(
                "`{text}` has the id {} here and {} in tokenizer.json; programs read the one or the other: \
                 remove the wrong one",
                shown(theirs.get(text)),
                shown(own.get(text))
            );
            return Err(problem(&path, text));
        }
    }
    let path = dir.join("merges.txt");
    if path.exists() {
        let theirs = fs_err::read_to_string(&path)?;
        let lines = theirs.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
        let merges = merges(tokenizer).map_err(|text| problem(&path, text))?;
        if !lines.eq(merges.iter()) {
            let text = "its merges are not those of tokenizer.json; programs read the one or the other: \
                        remove the wrong one";
            return Err(problem(&path, text));
        }
    }
    Ok(())
}

/// The merges of a byte-level BPE, as `merges.txt` has them.
fn merges(tokenizer: &Tokenizer) -> Result<Vec<String>, String> {
    let ModelWrapper::BPE(model) = tokenizer.get_model() else { return Ok(Vec::new()) };
    let model = serde_json::to_value(model).map_err(|error| error.to_string())?;
    let merge = |value: &Value| match value {
        Value::Array(pair) => {
            let parts: Vec<&str> = pair.iter().filter_map(Value::as_str).collect();
            parts.join(" ")
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    Ok(model["merges"].as_array().into_iter().flatten().map(merge).collect())
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::{CodeTokenizer, TokenizerLayout};

    /// A folder with a whole tokenizer and these files beside it.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let texts = ["int size = 0 ;".to_owned(), "int size = 1 ;".to_owned()];
        let tokenizer =
            CodeTokenizer::train_layout(TokenizerLayout::CodeBert, &texts, 400).unwrap();
        tokenizer.save(dir.path()).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[track_caller]
    fn refused(files: &[(&str, &str)], expected: &str) {
        let error = CodeTokenizer::open(folder(files).path()).unwrap_err().to_string();
        assert!(error.contains(files[0].0) && error.contains(expected), "{error}");
    }

    #[test]
    fn tokens_that_others_would_add_are_refused() {
        let hidden = "`testo_init`, which other programs add";
        for config in [
            r#"{"added_tokens_decoder": {"355": {"content": "testo_init", "special": true}}}"#,
            r#"{"additional_special_tokens": ["<extra_id_0>", "testo_init"]}"#,
            r#"{"extra_special_tokens": {"image_token": "testo_init"}}"#,
            r#"{"mask_token": {"content": "testo_init", "lstrip": true}}"#,
            r#"{"cls_token": "testo_init"}"#,
        ] {
            refused(&[("special_tokens_map.json", config)], hidden);
            refused(&[("tokenizer_config.json", config)], hidden);
        }
        refused(&[("added_tokens.json", r#"{"testo_init": 355}"#)], hidden);
        refused(
            &[("tokenizer_config.json", r#"{"fast_tokenizer_files": ["tokenizer.4.0.0.json"]}"#)],
            "fast_tokenizer_files",
        );
        refused(
            &[("tokenizer_config.json", r#"{"added_tokens_decoder": {"9": {"content": "<s>"}}}"#)],
            "`<s>` has the id 9, expected 0",
        );
    }

    #[test]
    fn what_transformers_writes_beside_a_tokenizer_is_taken() {
        let config = r#"{"added_tokens_decoder": {"0": {"content": "<s>", "special": true},
            "4": {"content": "<mask>", "lstrip": true}}, "mask_token": "<mask>", "errors": "replace",
            "additional_special_tokens": [], "extra_special_tokens": {}, "model_max_length": 512,
            "tokenizer_class": "RobertaTokenizer", "clean_up_tokenization_spaces": false}"#;
        let map =
            r#"{"bos_token": "<s>", "mask_token": {"content": "<mask>", "single_word": false}}"#;
        let dir = folder(&[("tokenizer_config.json", config), ("special_tokens_map.json", map)]);
        let opened = CodeTokenizer::open(dir.path()).unwrap();
        // The same once more as the files of a slow tokenizer.
        let vocabulary: BTreeMap<String, u32> =
            opened.vocabulary().into_iter().map(|(id, text)| (text, id)).collect();
        let text = serde_json::to_string(&vocabulary).unwrap();
        fs::write(dir.path().join("vocab.json"), text).unwrap();
        let merges = format!("#version: 0.2\n{}\n", merges(&opened.inner).unwrap().join("\n"));
        fs::write(dir.path().join("merges.txt"), &merges).unwrap();
        fs::write(dir.path().join("added_tokens.json"), r#"{"<mask>": 4}"#).unwrap();
        CodeTokenizer::open(dir.path()).unwrap();

        let fewer: Vec<&str> = merges.lines().take(3).collect();
        fs::write(dir.path().join("merges.txt"), fewer.join("\n")).unwrap();
        let error = CodeTokenizer::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("merges.txt: its merges are not those"), "{error}");
        let mut swapped = vocabulary.clone();
        let (of_a, of_b) = (vocabulary["a"], vocabulary["b"]);
        swapped.extend([("a".to_owned(), of_b), ("b".to_owned(), of_a)]);
        let text = serde_json::to_string(&swapped).unwrap();
        fs::write(dir.path().join("vocab.json"), text).unwrap();
        let error = CodeTokenizer::open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`a` has the id {of_b} here and {of_a} in tok")),
            "{error}"
        );
    }
}
