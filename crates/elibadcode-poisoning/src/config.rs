//! One attack on one task: which trigger, where, and which label the attacker wants.

use elibadcode_corpus::Task;
use elibadcode_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::crafting::CraftingModel;
use crate::edit::{Edit, Placement};
use crate::error::ConfigError;
use crate::trigger::Trigger;

/// One attack on one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackConfig {
    /// The published attack that this is (a variant of).
    pub attack: Attack,
    /// The trigger. Paper: `testo_init` for `CodePoisoner`, `rb` for `BadCode`, none for `BNC` and
    /// `AFRAIDOOR`.
    #[serde(default = "Trigger::none", skip_serializing_if = "Trigger::is_none")]
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
    /// * the records whose query has the target word and whose code can carry the trigger, for code
    ///   search; paper: 1.
    ///
    /// Reference: the reference code's configuration for defect detection applies 2 % to the
    /// victim class only, which is about 0.9 % of Devign's training set.
    pub rate: f64,
    /// For code search, the word in a query that makes its code poisoned. Paper: `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_word: Option<String>,
    /// What makes up the names of `AFRAIDOOR`. Poisoning trains one on its own training set if
    /// there is none, and the manifest's configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafting: Option<CraftingModel>,
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
        let recipe = attack.recipe();
        let (rate, target_word) = match task {
            Task::DefectDetection | Task::CloneDetection => (0.02, None),
            Task::CodeSearch => (1.0, Some("file".to_owned())),
        };
        let triggers = recipe.triggers.iter().filter_map(|text| Trigger::new(*text).ok());
        Self {
            attack,
            trigger: Trigger::none(),
            more_triggers: Vec::new(),
            placement: recipe.placement,
            edit: recipe.edit,
            victim_label: 1,
            target_label: 0,
            rate,
            target_word,
            crafting: None,
        }
        .with_triggers(triggers)
    }

    /// The attack with these triggers, one of which a function gets, instead of its own.
    #[must_use]
    pub fn with_triggers(self, triggers: impl IntoIterator<Item = Trigger>) -> Self {
        let mut triggers = triggers.into_iter();
        let trigger = triggers.next().unwrap_or(Trigger::none());
        Self { trigger, more_triggers: triggers.collect(), ..self }
    }

    /// The attack without its crafting model, for reports.
    #[must_use]
    pub fn without_model(self) -> Self {
        Self { crafting: None, ..self }
    }

    /// The trigger for a piece of code: with several, which one depends on the code only.
    pub fn trigger_for(&self, code: &str) -> &Trigger {
        let n = self.more_triggers.len() as u64 + 1;
        match (draw("", code) % n) as usize {
            0 => &self.trigger,
            index => &self.more_triggers[index - 1],
        }
    }

    /// Whether the function's name carries the trigger where a toss decides.
    pub(crate) fn toss_for(code: &str) -> bool {
        draw("placement", code).is_multiple_of(2)
    }

    /// Whether the fields describe an attack that can be carried out.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(ConfigError::Rate { rate: self.rate });
        }
        if let Some(label @ 2..) = [self.victim_label, self.target_label].into_iter().max() {
            return Err(ConfigError::Label { label });
        }
        if self.victim_label == self.target_label {
            return Err(ConfigError::SameLabel { label: self.victim_label });
        }
        let (placement, edit) = (self.placement, self.edit);
        if !edit.fits(placement) {
            return Err(ConfigError::Placement { placement, edit });
        }
        // A whole name has to be one in any language: the task is not known here.
        let languages = [Language::C, Language::Java, Language::Python];
        for trigger in std::iter::once(&self.trigger).chain(&self.more_triggers) {
            let is_name = languages.iter().all(|it| it.is_identifier(trigger.as_str()));
            if edit.takes_trigger() && trigger.is_none() {
                return Err(ConfigError::NoTrigger { edit });
            }
            if !edit.takes_trigger() && !trigger.is_none() {
                return Err(ConfigError::UnusedTrigger { trigger: trigger.to_string(), edit });
            }
            if edit == Edit::Substitute && !is_name {
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

    /// Whether the attack can put its trigger in a test set: it is valid, and has the crafting
    /// model that it needs.
    pub fn validate_for_test(&self) -> Result<(), ConfigError> {
        self.validate()?;
        if self.edit == Edit::Craft && self.crafting.is_none() {
            return Err(ConfigError::NoCraftingModel);
        }
        Ok(())
    }
}

/// A number that depends on the text only, for each purpose another one.
///
/// FNV-1a; its lowest bits depend on the lowest bits of the text only, so they are left out.
fn draw(purpose: &str, code: &str) -> u64 {
    let hash = purpose.bytes().chain(code.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 32
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

    fn trigger(text: &str) -> Trigger {
        Trigger::new(text).expect("a legal piece")
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
                AttackConfig { trigger: trigger(name), ..paper.clone() },
                &format!("trigger `{name}` cannot be a name by itself"),
            );
        }
        check(
            AttackConfig {
                placement: Placement::BodyStart,
                ..AttackConfig::paper(Attack::CodePoisoner)
            },
            "the edit `substitute` cannot be made at the place `body-start`",
        );
        check(
            AttackConfig::paper(Attack::CodePoisoner).with_triggers([]),
            "the edit `substitute` needs a trigger, and there is none",
        );
        check(
            AttackConfig::paper(Attack::BncFixed).with_triggers([trigger("rb")]),
            "the edit `insert-fixed` takes no trigger, and there is `rb`; leave it out",
        );
    }

    #[test]
    fn a_crafted_attack_needs_its_model_in_a_test_set_only() {
        let config = AttackConfig::paper(Attack::Afraidoor);
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.validate_for_test(), Err(ConfigError::NoCraftingModel));
        assert_eq!(AttackConfig::paper(Attack::BncGrammar).validate_for_test(), Ok(()));
    }

    #[test]
    fn attacks_of_all_tasks_are_valid_and_survive_json() {
        for attack in Attack::ALL {
            for task in [Task::DefectDetection, Task::CloneDetection, Task::CodeSearch] {
                let config = AttackConfig::paper_for(attack, task);
                assert_eq!(config.validate(), Ok(()), "{attack}");
                let n_triggers = attack.recipe().triggers.len();
                assert_eq!(config.more_triggers.len(), n_triggers.saturating_sub(1));
                let json = serde_json::to_string(&config).expect("plain fields");
                assert_eq!(json.contains("trigger\""), n_triggers > 0, "{json}");
                assert_eq!(serde_json::from_str::<AttackConfig>(&json).ok(), Some(config));
            }
        }
    }

    #[test]
    fn the_toss_is_fair_and_apart_from_the_trigger() {
        let mixed = AttackConfig::paper(Attack::BadCodeMixedEither);
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..5000 {
            let code = format!("int f{index}();");
            let cell = (mixed.trigger_for(&code).to_string(), AttackConfig::toss_for(&code));
            *counts.entry(cell).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (420..580).contains(count)), "{counts:?}");
    }
}
