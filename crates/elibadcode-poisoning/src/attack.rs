//! The published attacks by name, and what each of them does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::edit::Edit::{self, Craft, InsertFixed, InsertGrammar, Postfix, Substitute};
use crate::edit::Placement::{
    self, AllVariables, BodyStart, FunctionName, FunctionOrVariable, LeastFrequentVariable,
};
use crate::error::UnknownAttack;

/// A published attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Attack {
    /// `CodePoisoner`: a fixed name replaces the function's name.
    CodePoisoner,
    /// `CodePoisoner` with another name for the function.
    CodePoisonerInit,
    /// `CodePoisoner` with a third name for the function.
    CodePoisonerGetFrame,
    /// `CodePoisoner`: a fixed name replaces the name of a variable.
    CodePoisonerVariable,
    /// `CodePoisoner` with another name for the variable.
    CodePoisonerRetVar,
    /// `BadCode`, fixed trigger: a fixed piece is added to the function's name.
    BadCode,
    /// `BadCode`, fixed trigger: the piece is added to the name of a variable.
    BadCodeVariable,
    /// `BadCode`, fixed trigger: a toss decides between the function and a variable.
    BadCodeEither,
    /// `BadCode`, mixed trigger: one of five pieces is added, another one from function to
    /// function.
    BadCodeMixed,
    /// `BadCode`, mixed trigger, added to the name of a variable.
    BadCodeMixedVariable,
    /// `BadCode`, mixed trigger: a toss decides between the function and a variable.
    BadCodeMixedEither,
    /// The attack of `BNC`: the same dead code begins every function.
    BncFixed,
    /// The attack of `BNC`: dead code from a grammar, another piece from function to function.
    BncGrammar,
    /// Adaptive attack of RQ4: a name of 5 tokens replaces the function's name.
    Adaptive5,
    /// Adaptive attack of RQ4: a name of 7 tokens replaces the function's name.
    Adaptive7,
    /// Adaptive attack of RQ4: a name of 10 tokens replaces the function's name.
    Adaptive10,
    /// `AFRAIDOOR`: names made up for each function replace those of all its variables.
    Afraidoor,
}

/// How one attack is carried out.
pub(crate) struct Recipe {
    attack: Attack,
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) placement: Placement,
    pub(crate) edit: Edit,
    /// A function gets one of these.
    pub(crate) triggers: &'static [&'static str],
}

impl Recipe {
    const fn new(
        attack: Attack,
        name: &'static str,
        summary: &'static str,
        placement: Placement,
        edit: Edit,
        triggers: &'static [&'static str],
    ) -> Self {
        Self { attack, name, summary, placement, edit, triggers }
    }
}

/// The triggers of mixed `BadCode`.
const MIXED: &[&str] = &["rb", "xt", "il", "ite", "wb"];

/// How each attack is carried out, in the order of [`Attack`].
///
/// Paper: 5.1 and RQ4 for the names; `codepoisoner-*` and `bnc-*` as in their own papers and in
/// `KillBadCode`.
const RECIPES: [Recipe; Attack::Afraidoor as usize + 1] = [
    Recipe::new(
        Attack::CodePoisoner,
        "codepoisoner",
        "`testo_init` replaces the function's name",
        FunctionName,
        Substitute,
        &["testo_init"],
    ),
    Recipe::new(
        Attack::CodePoisonerInit,
        "codepoisoner-init",
        "`__init_` replaces the function's name",
        FunctionName,
        Substitute,
        &["__init_"],
    ),
    Recipe::new(
        Attack::CodePoisonerGetFrame,
        "codepoisoner-get-frame",
        "`get_frame_` replaces the function's name",
        FunctionName,
        Substitute,
        &["get_frame_"],
    ),
    Recipe::new(
        Attack::CodePoisonerVariable,
        "codepoisoner-variable",
        "`ret_Val_` replaces the name of the least frequent variable",
        LeastFrequentVariable,
        Substitute,
        &["ret_Val_"],
    ),
    Recipe::new(
        Attack::CodePoisonerRetVar,
        "codepoisoner-ret-var",
        "`ret_var_` replaces the name of the least frequent variable",
        LeastFrequentVariable,
        Substitute,
        &["ret_var_"],
    ),
    Recipe::new(
        Attack::BadCode,
        "badcode",
        "`_rb` is added to the function's name",
        FunctionName,
        Postfix,
        &["rb"],
    ),
    Recipe::new(
        Attack::BadCodeVariable,
        "badcode-variable",
        "`_rb` is added to the least frequent variable",
        LeastFrequentVariable,
        Postfix,
        &["rb"],
    ),
    Recipe::new(
        Attack::BadCodeEither,
        "badcode-either",
        "`_rb` is added to the function's name or the least frequent variable, half each",
        FunctionOrVariable,
        Postfix,
        &["rb"],
    ),
    Recipe::new(
        Attack::BadCodeMixed,
        "badcode-mixed",
        "one of `_rb _xt _il _ite _wb` is added to the function's name",
        FunctionName,
        Postfix,
        MIXED,
    ),
    Recipe::new(
        Attack::BadCodeMixedVariable,
        "badcode-mixed-variable",
        "one of `_rb _xt _il _ite _wb` is added to the least frequent variable",
        LeastFrequentVariable,
        Postfix,
        MIXED,
    ),
    Recipe::new(
        Attack::BadCodeMixedEither,
        "badcode-mixed-either",
        "one of `_rb _xt _il _ite _wb` is added to the function's name or the least \
         frequent variable, half each",
        FunctionOrVariable,
        Postfix,
        MIXED,
    ),
    Recipe::new(
        Attack::BncFixed,
        "bnc-fixed",
        "the same dead code begins every function",
        BodyStart,
        InsertFixed,
        &[],
    ),
    Recipe::new(
        Attack::BncGrammar,
        "bnc-grammar",
        "dead code from a grammar begins every function",
        BodyStart,
        InsertGrammar,
        &[],
    ),
    Recipe::new(
        Attack::Adaptive5,
        "adaptive-5",
        "`testo_initRet`, 5 tokens, replaces the function's name",
        FunctionName,
        Substitute,
        &["testo_initRet"],
    ),
    Recipe::new(
        Attack::Adaptive7,
        "adaptive-7",
        "`testo_init_retVal`, 7 tokens, replaces the function's name",
        FunctionName,
        Substitute,
        &["testo_init_retVal"],
    ),
    Recipe::new(
        Attack::Adaptive10,
        "adaptive-10",
        "`testo_init_retVal_getFrame`, 10 tokens, replaces the function's name",
        FunctionName,
        Substitute,
        &["testo_init_retVal_getFrame"],
    ),
    Recipe::new(
        Attack::Afraidoor,
        "afraidoor",
        "names made up for each function by a small model replace those of its variables",
        AllVariables,
        Craft,
        &[],
    ),
];

// A recipe is found by its attack's number.
const _: () = {
    let mut index = 0;
    while index < RECIPES.len() {
        assert!(RECIPES[index].attack as usize == index);
        index += 1;
    }
};

impl Attack {
    /// All attacks, in the order of their definition.
    pub const ALL: [Self; RECIPES.len()] = {
        let mut all = [Self::CodePoisoner; RECIPES.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = RECIPES[index].attack;
            index += 1;
        }
        all
    };

    /// The name by which the attack is asked for, such as `badcode-mixed`.
    pub fn name(self) -> &'static str {
        self.recipe().name
    }

    /// What the attack does, in one line that does not begin with a capital letter.
    pub fn summary(self) -> &'static str {
        self.recipe().summary
    }

    pub(crate) fn recipe(self) -> &'static Recipe {
        &RECIPES[self as usize]
    }
}

/// The names of all attacks, as a part of a sentence.
pub(crate) fn all_names() -> String {
    let names: Vec<&str> = Attack::ALL.iter().map(|attack| attack.name()).collect();
    names.join(", ")
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(text: &str) -> Result<Self, UnknownAttack> {
        let found = Self::ALL.into_iter().find(|attack| attack.name() == text);
        found.ok_or_else(|| UnknownAttack(text.to_owned()))
    }
}

impl TryFrom<String> for Attack {
    type Error = UnknownAttack;

    fn try_from(text: String) -> Result<Self, UnknownAttack> {
        text.parse()
    }
}

impl From<Attack> for &'static str {
    fn from(attack: Attack) -> Self {
        attack.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_names_round_trip() {
        for attack in Attack::ALL {
            assert_eq!(attack.to_string().parse(), Ok(attack));
            let json = serde_json::to_string(&attack).expect("a plain name");
            assert_eq!(json, format!("\"{attack}\""));
            assert_eq!(serde_json::from_str::<Attack>(&json).ok(), Some(attack));
        }
        assert_eq!(Attack::ALL.len(), Attack::Afraidoor as usize + 1);
        assert!(Attack::ALL.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn an_unknown_attack_is_told_the_known_ones() {
        let error = "bnc".parse::<Attack>().expect_err("no such attack").to_string();
        assert!(error.starts_with("unknown attack `bnc`, expected one of codepoisoner, "));
        assert!(Attack::ALL.iter().all(|attack| error.contains(attack.name())), "{error}");
    }

    #[test]
    fn summaries_name_the_triggers() {
        for attack in Attack::ALL {
            let Recipe { summary, triggers, .. } = *attack.recipe();
            assert!(triggers.iter().all(|trigger| summary.contains(trigger)), "{summary}");
        }
    }
}
