//! Phase (a): which tokens of a model's vocabulary may stand in a trigger (section 4.2).
//!
//! A trigger is (part of) an identifier, so most of the vocabulary is out. The reference code keeps
//! one list for all slots; that list leaves out the tokens that begin a word, and with them the
//! first token of any trigger that replaces a whole name (` testo_init` is `Ġtest o _ init`). The
//! slot-aware rule knows which tokens may begin a name and which may go on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Language;

/// How byte-level BPE writes the space before a word.
const WORD_START: char = 'Ġ';

/// Which tokens are allowed in a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VocabularyRule {
    /// The reference code's rule: `^[A-Za-z0-9_]+$` without a space before it, for every language
    /// and every slot.
    ///
    /// Paper: 15,838 of `CodeBERT`'s 50,265 tokens, which the paper calls Java's rule; that number
    /// is this rule's, without `$` and with three filler tokens.
    Reference,
    /// Slot 0 takes tokens that begin a word and an identifier, later slots take tokens that go on
    /// with one.
    SlotAware,
    /// Every slot takes every token but the special ones, so that a trigger need not be an
    /// identifier. Paper: the ablation "without (a)" (Table 5).
    Any,
}

/// The text is not the name of a [`VocabularyRule`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown vocabulary rule `{0}`, expected reference, slot-aware or any")]
pub struct UnknownVocabularyRule(pub String);

/// Why a token may not stand in a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// One of the model's special tokens.
    Special,
    /// A filler that no text contains (`madeupword0000`).
    Filler,
    /// Has a character that no identifier has, or begins a word with a digit.
    NotAnIdentifier,
    /// Would be a keyword on its own.
    Keyword,
    /// Begins a word, which the reference rule does not allow.
    WordInitial,
}

/// The tokens that may stand in a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerVocabulary {
    /// Token ids for slot 0 of a trigger that begins an identifier, ascending.
    pub first: Vec<u32>,
    /// Token ids for all later slots, and for slot 0 of a trigger that is appended, ascending.
    pub rest: Vec<u32>,
    /// How many tokens are out, by reason.
    pub rejected: BTreeMap<Rejection, usize>,
}

/// Where a token may stand.
enum Slot {
    First,
    Rest,
    Any,
}

impl TriggerVocabulary {
    /// Sorts the tokens of a byte-level BPE vocabulary into slots.
    ///
    /// `tokens` are `(id, text)` with the text as the vocabulary spells it (`Ġtest`, `_`, `init`);
    /// `special` are the ids of the model's special tokens.
    pub fn build<'a>(
        tokens: impl IntoIterator<Item = (u32, &'a str)>,
        special: &BTreeSet<u32>,
        language: Language,
        rule: VocabularyRule,
    ) -> Self {
        let mut vocabulary =
            Self { first: Vec::new(), rest: Vec::new(), rejected: BTreeMap::new() };
        for (id, text) in tokens {
            let is_special = special.contains(&id);
            let slot = match rule {
                VocabularyRule::Reference => reference_slot(text, is_special),
                VocabularyRule::SlotAware => slot_aware_slot(text, is_special, language),
                VocabularyRule::Any if is_special => Err(Rejection::Special),
                VocabularyRule::Any => Ok(Slot::Any),
            };
            match slot {
                Ok(Slot::First) => vocabulary.first.push(id),
                Ok(Slot::Rest) => vocabulary.rest.push(id),
                Ok(Slot::Any) => {
                    vocabulary.first.push(id);
                    vocabulary.rest.push(id);
                }
                Err(reason) => *vocabulary.rejected.entry(reason).or_default() += 1,
            }
        }
        vocabulary.first.sort_unstable();
        vocabulary.rest.sort_unstable();
        vocabulary
    }
}

/// Reference: special tokens are not looked at; they fall out because they contain `<`.
fn reference_slot(text: &str, is_special: bool) -> Result<Slot, Rejection> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && text.chars().all(is_word) {
        Ok(Slot::Any)
    } else if is_special {
        Err(Rejection::Special)
    } else if text.starts_with(WORD_START) {
        Err(Rejection::WordInitial)
    } else {
        Err(Rejection::NotAnIdentifier)
    }
}

fn slot_aware_slot(text: &str, is_special: bool, language: Language) -> Result<Slot, Rejection> {
    if is_special {
        return Err(Rejection::Special);
    }
    if is_filler(text) {
        return Err(Rejection::Filler);
    }
    let (slot, part) = match text.strip_prefix(WORD_START) {
        Some(part) => (Slot::First, part),
        None => (Slot::Rest, text),
    };
    let begins_well = match slot {
        Slot::First => part.chars().next().is_some_and(|c| language.is_identifier_start(c)),
        _ => !part.is_empty(),
    };
    if !begins_well || !part.chars().all(|c| language.is_identifier_continue(c)) {
        return Err(Rejection::NotAnIdentifier);
    }
    if matches!(slot, Slot::First) && language.keywords().binary_search(&part).is_ok() {
        return Err(Rejection::Keyword);
    }
    Ok(slot)
}

fn is_filler(text: &str) -> bool {
    text.strip_prefix("madeupword").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for VocabularyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::SlotAware => "slot-aware",
            Self::Any => "any",
        })
    }
}

impl FromStr for VocabularyRule {
    type Err = UnknownVocabularyRule;

    fn from_str(text: &str) -> Result<Self, UnknownVocabularyRule> {
        match text {
            "reference" => Ok(Self::Reference),
            "slot-aware" => Ok(Self::SlotAware),
            "any" => Ok(Self::Any),
            other => Err(UnknownVocabularyRule(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
