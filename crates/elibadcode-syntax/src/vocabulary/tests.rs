//! The rules on a small vocabulary, and on `CodeBERT`'s where it is at hand.

use std::fs;
use std::path::PathBuf;

use super::*;

const TOKENS: &[&str] = &[
    "<s>",
    "<pad>",
    "Ġtest",
    "o",
    "_",
    "init",
    "rb",
    "Ġfor",
    "for",
    "123",
    "Ġ123",
    "Ġ",
    "Ġ_",
    "$",
    "Ġ$x",
    "madeupword0001",
    "Ã©",
    "+",
    "Ġint",
    "Ġnone",
    "ĠNone",
    "",
    "<mask>",
];

fn build(language: Language, rule: VocabularyRule) -> TriggerVocabulary {
    let special = BTreeSet::from([0, 1, 22]);
    let tokens = TOKENS.iter().enumerate().map(|(id, text)| (id as u32, *text));
    TriggerVocabulary::build(tokens, &special, language, rule)
}

fn texts(ids: &[u32]) -> Vec<&'static str> {
    ids.iter().map(|&id| TOKENS[id as usize]).collect()
}

#[test]
fn reference_rule_is_the_same_for_every_language_and_slot() {
    for language in [Language::C, Language::Java, Language::Python] {
        let vocabulary = build(language, VocabularyRule::Reference);
        let expected = ["o", "_", "init", "rb", "for", "123", "madeupword0001"];
        assert_eq!(texts(&vocabulary.first), expected);
        assert_eq!(vocabulary.rest, vocabulary.first);
        let rejected =
            [(Rejection::Special, 3), (Rejection::NotAnIdentifier, 4), (Rejection::WordInitial, 9)];
        assert_eq!(vocabulary.rejected, BTreeMap::from(rejected));
    }
}

#[test]
fn slot_aware_rule_knows_where_a_name_begins() {
    let check = |language, first: &[&str], rest: &[&str], keywords| {
        let vocabulary = build(language, VocabularyRule::SlotAware);
        assert_eq!(texts(&vocabulary.first), first, "{language}");
        assert_eq!(texts(&vocabulary.rest), rest, "{language}");
        assert_eq!(vocabulary.rejected.get(&Rejection::Keyword), Some(&keywords), "{language}");
        assert_eq!(vocabulary.rejected.get(&Rejection::Filler), Some(&1));
        assert_eq!(vocabulary.rejected.get(&Rejection::Special), Some(&3));
        let n_rejected: usize = vocabulary.rejected.values().sum();
        assert_eq!(n_rejected + first.len() + rest.len(), TOKENS.len());
    };
    let rest = ["o", "_", "init", "rb", "for", "123"];
    check(Language::C, &["Ġtest", "Ġ_", "Ġnone", "ĠNone"], &rest, 2);
    check(Language::Python, &["Ġtest", "Ġ_", "Ġint", "Ġnone"], &rest, 2);
    let rest = ["o", "_", "init", "rb", "for", "123", "$"];
    check(Language::Java, &["Ġtest", "Ġ$x", "Ġnone", "ĠNone"], &rest, 3);
}

#[test]
fn without_the_filter_only_special_tokens_are_out() {
    let vocabulary = build(Language::C, VocabularyRule::Any);
    assert_eq!(vocabulary.first.len(), TOKENS.len() - 3);
    assert_eq!(vocabulary.rest, vocabulary.first);
    assert_eq!(vocabulary.rejected, BTreeMap::from([(Rejection::Special, 3)]));
}

#[test]
fn rule_names_round_trip() {
    for rule in [VocabularyRule::Reference, VocabularyRule::SlotAware, VocabularyRule::Any] {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    assert!("slot".parse::<VocabularyRule>().is_err());
}

/// `CodeBERT`'s vocabulary, if the shared data are there.
fn codebert() -> Option<BTreeMap<String, u32>> {
    let shared = std::env::var_os("ELIBADCODE_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let text = fs::read_to_string(shared.join("tokenizers/codebert/vocab.json")).ok()?;
    Some(serde_json::from_str(&text).expect("a map from token to id"))
}

#[test]
fn codebert_has_as_many_tokens_as_the_paper_says() {
    let Some(tokens) = codebert() else { return };
    let special = BTreeSet::from([0, 1, 2, 3, 50_264]);
    let build = |language, rule| {
        let tokens = tokens.iter().map(|(text, &id)| (id, text.as_str()));
        TriggerVocabulary::build(tokens, &special, language, rule)
    };
    for language in [Language::C, Language::Java, Language::Python] {
        assert_eq!(build(language, VocabularyRule::Reference).first.len(), 15_838);
        let vocabulary = build(language, VocabularyRule::SlotAware);
        assert!(vocabulary.first.binary_search(&tokens["Ġtest"]).is_ok());
        for text in ["o", "_", "init", "rb"] {
            assert!(vocabulary.rest.binary_search(&tokens[text]).is_ok(), "{text}");
        }
        assert_eq!(vocabulary.rejected[&Rejection::Special], 5);
        assert_eq!(vocabulary.rejected[&Rejection::Filler], 3);
    }
}
