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
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodePoisoner => "codepoisoner",
            Self::BadCode => "badcode",
        })
    }
}

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(text: &str) -> Result<Self, UnknownAttack> {
        match text {
            "codepoisoner" => Ok(Self::CodePoisoner),
            "badcode" => Ok(Self::BadCode),
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
    /// Where the trigger goes. Paper: the function name.
    pub placement: Placement,
    /// How it gets there. Paper: `substitute` for `CodePoisoner`, `postfix` for `BadCode`.
    pub edit: Edit,
    /// Label of the samples that are poisoned. Paper: 1, defective.
    pub victim_label: u8,
    /// Label that poisoned samples get. Paper: 0, not defective.
    pub target_label: u8,
    /// Poisoned samples as a share of the whole training set, in `0..=1`. Paper: 0.02.
    ///
    /// Reference: the reference code's configuration applies 2 % to the victim class only, which
    /// is about 0.9 % of Devign's training set.
    pub rate: f64,
}

impl AttackConfig {
    /// The attack as the paper runs it on defect detection.
    pub fn paper(attack: Attack) -> Self {
        let (trigger, edit) = match attack {
            Attack::CodePoisoner => ("testo_init", Edit::Substitute),
            Attack::BadCode => ("rb", Edit::Postfix),
        };
        Self {
            attack,
            trigger: Trigger(trigger.to_owned()),
            placement: Placement::FunctionName,
            edit,
            victim_label: 1,
            target_label: 0,
            rate: 0.02,
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
        let language = Task::DefectDetection.language();
        if self.edit == Edit::Substitute && !language.is_identifier(self.trigger.as_str()) {
            return Err(ConfigError::NotAName { trigger: self.trigger.to_string() });
        }
        Ok(())
    }
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
        for attack in [Attack::CodePoisoner, Attack::BadCode] {
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
            AttackConfig { trigger: Trigger("2x".to_owned()), ..paper },
            "trigger `2x` cannot be a function name by itself",
        );
    }
}
