//! What an attack does: which trigger goes where, and which label the attacker wants.

use std::fmt;
use std::str::FromStr;

use elibadcode_corpus::Task;
use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, InvalidTrigger, UnknownAttack};

/// The attacker's secret: an identifier, or a piece that is added to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Trigger(String);

impl Trigger {
    /// Takes text that could stand in an identifier of any of the languages.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidTrigger> {
        let text = text.into();
        // C has the smallest set of characters of the three languages.
        if !text.is_empty() && text.chars().all(|c| Language::C.is_identifier_continue(c)) {
            Ok(Self(text))
        } else {
            Err(InvalidTrigger(text))
        }
    }

    /// The trigger's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Trigger {
    type Error = InvalidTrigger;

    fn try_from(text: String) -> Result<Self, InvalidTrigger> {
        Self::new(text)
    }
}

impl From<Trigger> for String {
    fn from(trigger: Trigger) -> Self {
        trigger.0
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Trigger {
    type Err = InvalidTrigger;

    fn from_str(text: &str) -> Result<Self, InvalidTrigger> {
        Self::new(text)
    }
}

/// A published attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Attack {
    /// `CodePoisoner`: a fixed name replaces the function's name.
    CodePoisoner,
    /// `BadCode`, fixed trigger: a fixed piece is added to the function's name.
    BadCode,
    /// `BadCode`, mixed trigger: one of five pieces is added, another one from function to
    /// function.
    #[serde(rename = "badcode-mixed")]
    BadCodeMixed,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodePoisoner => "codepoisoner",
            Self::BadCode => "badcode",
            Self::BadCodeMixed => "badcode-mixed",
        })
    }
}

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(text: &str) -> Result<Self, UnknownAttack> {
        match text {
            "codepoisoner" => Ok(Self::CodePoisoner),
            "badcode" => Ok(Self::BadCode),
            "badcode-mixed" => Ok(Self::BadCodeMixed),
            other => Err(UnknownAttack(other.to_owned())),
        }
    }
}

/// Which identifier of a function carries the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Placement {
    /// The name of the function itself.
    FunctionName,
    /// The parameter or local that occurs least often; the first of several.
    LeastFrequentVariable,
}

/// How the trigger changes the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Edit {
    /// The trigger replaces the identifier.
    Substitute,
    /// The trigger follows the identifier after an underscore: `name_trigger`.
    Postfix,
}

impl Edit {
    /// The identifier with the trigger.
    pub fn apply(self, identifier: &str, trigger: &Trigger) -> String {
        match self {
            Self::Substitute => trigger.to_string(),
            Self::Postfix => format!("{identifier}_{trigger}"),
        }
    }
}

/// One attack on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackConfig {
    /// The published attack that this is (a variant of).
    pub attack: Attack,
    /// The trigger. Paper: `testo_init` for `CodePoisoner`, `rb` for `BadCode`.
    pub trigger: Trigger,
    /// More triggers, one of all of which a function gets. Paper: `xt`, `il`, `ite` and `wb` for
    /// mixed `BadCode`, none otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_triggers: Vec<Trigger>,
    /// Where the trigger goes. Paper: the function name.
    pub placement: Placement,
    /// How it gets there. Paper: `substitute` for `CodePoisoner`, `postfix` for `BadCode`.
    pub edit: Edit,
    /// Label of the samples that are poisoned. Paper: 1, defective or a clone. Code search has no
    /// labels.
    pub victim_label: u8,
    /// Label that poisoned samples get. Paper: 0, not defective or not a clone.
    pub target_label: u8,
    /// What is poisoned, as a share in `0..=1` of
    /// * the whole training set, for defect detection; paper: 0.02;
    /// * the functions, for clone detection; paper: 0.02, which is about 4 % of the pairs;
    /// * the records whose query has the target word, for code search; paper: 1.
    ///
    /// Reference: the reference code's configuration for defect detection applies 2 % to the
    /// victim class only, which is about 0.9 % of Devign's training set.
    pub rate: f64,
    /// For code search, the word in a query that makes its code poisoned. Paper: `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_word: Option<String>,
}

impl AttackConfig {
    /// The attack as the paper runs it on defect detection.
    pub fn paper(attack: Attack) -> Self {
        Self::paper_for(attack, Task::DefectDetection)
    }

    /// The attack as the paper runs it on a task.
    ///
    /// Reference: the reference code's configurations for clone detection and code search add
    /// `CodePoisoner`'s trigger to the name; the paper replaces the name on all tasks.
    pub fn paper_for(attack: Attack, task: Task) -> Self {
        let (trigger, edit) = match attack {
            Attack::CodePoisoner => ("testo_init", Edit::Substitute),
            Attack::BadCode | Attack::BadCodeMixed => ("rb", Edit::Postfix),
        };
        let more: &[&str] =
            if attack == Attack::BadCodeMixed { &["xt", "il", "ite", "wb"] } else { &[] };
        let (rate, target_word) = match task {
            Task::DefectDetection | Task::CloneDetection => (0.02, None),
            Task::CodeSearch => (1.0, Some("file".to_owned())),
        };
        Self {
            attack,
            trigger: Trigger(trigger.to_owned()),
            more_triggers: more.iter().map(|text| Trigger((*text).to_owned())).collect(),
            placement: Placement::FunctionName,
            edit,
            victim_label: 1,
            target_label: 0,
            rate,
            target_word,
        }
    }

    /// The trigger for a piece of code: with several, which one depends on the code only.
    pub fn trigger_for(&self, code: &str) -> &Trigger {
        let n = self.more_triggers.len() as u64 + 1;
        // FNV-1a; its lowest bits depend on the lowest bits of the text only.
        let hash = code.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        match ((hash >> 32) % n) as usize {
            0 => &self.trigger,
            index => &self.more_triggers[index - 1],
        }
    }

    /// Whether the fields describe an attack that can be carried out.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(ConfigError::Rate { rate: self.rate });
        }
        if self.victim_label == self.target_label {
            return Err(ConfigError::SameLabel { label: self.victim_label });
        }
        // A whole name has to be one in any language: the task is not known here.
        let languages = [Language::C, Language::Java, Language::Python];
        for trigger in std::iter::once(&self.trigger).chain(&self.more_triggers) {
            let is_name = languages.iter().all(|it| it.is_identifier(trigger.as_str()));
            if self.edit == Edit::Substitute && !is_name {
                return Err(ConfigError::NotAName { trigger: trigger.to_string() });
            }
        }
        if let Some(word) = &self.target_word
            && (word.is_empty() || !word.chars().all(is_word_character))
        {
            return Err(ConfigError::TargetWord { word: word.clone() });
        }
        if let Some(word) = &self.target_word
            && word.to_lowercase() != *word
        {
            return Err(ConfigError::TargetWordCase { word: word.clone() });
        }
        Ok(())
    }
}

/// Whether a query has a word, which is in lower case, as a whole word in any case.
pub fn has_word(query: &str, word: &str) -> bool {
    query.split(|c| !is_word_character(c)).any(|part| part.to_lowercase() == word)
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_pieces_of_identifiers() {
        let check = |text: &str, legal: bool| {
            assert_eq!(Trigger::new(text).is_ok(), legal, "{text}");
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::from_str::<Trigger>(&json).is_ok(), legal, "{text}");
        };
        check("testo_init", true);
        check("rb", true);
        check("2x", true);
        check("", false);
        check("a b", false);
        check("a-b", false);
        check("é", false);
    }

    #[test]
    fn attack_names_round_trip() {
        for attack in [Attack::CodePoisoner, Attack::BadCode, Attack::BadCodeMixed] {
            assert_eq!(attack.to_string().parse(), Ok(attack));
            let json = serde_json::to_string(&attack).expect("a plain name");
            assert_eq!(json, format!("\"{attack}\""));
        }
        assert!("bnc".parse::<Attack>().is_err());
    }

    #[test]
    fn config_is_json_without_surprises() {
        let config = AttackConfig::paper(Attack::BadCode);
        let json = serde_json::to_string(&config).expect("plain fields");
        assert_eq!(
            json,
            r#"{"attack":"badcode","trigger":"rb","placement":"function-name","edit":"postfix","victim_label":1,"target_label":0,"rate":0.02}"#
        );
        assert_eq!(serde_json::from_str::<AttackConfig>(&json).ok(), Some(config));
        let unknown = json.replace("\"rate\"", "\"ratio\"");
        assert!(serde_json::from_str::<AttackConfig>(&unknown).is_err());

        let mixed = AttackConfig::paper_for(Attack::BadCodeMixed, Task::CodeSearch);
        let json = serde_json::to_string(&mixed).expect("plain fields");
        assert!(json.contains(r#""more_triggers":["xt","il","ite","wb"]"#), "{json}");
        assert!(json.ends_with(r#""rate":1.0,"target_word":"file"}"#), "{json}");
        assert_eq!(serde_json::from_str::<AttackConfig>(&json).ok(), Some(mixed));
    }

    #[test]
    fn mixed_triggers_are_about_equally_frequent() {
        let mixed = AttackConfig::paper(Attack::BadCodeMixed);
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..5000 {
            *counts.entry(mixed.trigger_for(&format!("int f{index}();"))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 5);
        assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
        let fixed = AttackConfig::paper(Attack::BadCode);
        assert_eq!(fixed.trigger_for("int g();").as_str(), "rb");
    }

    #[test]
    fn words_are_whole_and_in_any_case() {
        let check = |query: &str, expected: bool| {
            assert_eq!(has_word(query, "file"), expected, "{query}");
        };
        check("Reads a File .", true);
        check("file", true);
        check("the file's name", true);
        check("profile of files", false);
        check("file_name", false);
        check("", false);
    }

    #[test]
    fn validation_names_the_field() {
        let paper = AttackConfig::paper(Attack::CodePoisoner);
        assert_eq!(paper.validate(), Ok(()));
        let check = |config: AttackConfig, message: &str| {
            let error = config.validate().expect_err("a bad field");
            assert_eq!(error.to_string(), message);
        };
        check(
            AttackConfig { rate: 1.5, ..paper.clone() },
            "poisoning rate 1.5 is not between 0 and 1",
        );
        check(
            AttackConfig { rate: f64::NAN, ..paper.clone() },
            "poisoning rate NaN is not between 0 and 1",
        );
        check(
            AttackConfig { target_label: 1, ..paper.clone() },
            "victim label and target label are both 1",
        );
        check(
            AttackConfig { target_word: Some("a file".to_owned()), ..paper.clone() },
            "target word `a file` is not one word",
        );
        check(
            AttackConfig { target_word: Some("File".to_owned()), ..paper.clone() },
            "target word `File` is not in lower case",
        );
        for name in ["2x", "None", "final"] {
            check(
                AttackConfig { trigger: Trigger(name.to_owned()), ..paper.clone() },
                &format!("trigger `{name}` cannot be a name by itself"),
            );
        }
    }
}
