//! Where a trigger goes in a function, and how it changes what stands there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trigger::Trigger;

/// Which part of a function carries the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Placement {
    /// The name of the function itself.
    FunctionName,
    /// The parameter or local that occurs least often; the first of several.
    LeastFrequentVariable,
    /// The function's name or the least frequent variable: a toss that depends on the code only.
    /// A function without variables carries it in its name.
    FunctionOrVariable,
    /// The names of all parameters and locals.
    AllVariables,
    /// The start of the body, in front of what the function does.
    BodyStart,
}

/// How the trigger changes that part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Edit {
    /// The trigger replaces the identifier.
    Substitute,
    /// The trigger follows the identifier after an underscore: `name_trigger`.
    Postfix,
    /// The same dead code in all functions.
    InsertFixed,
    /// Dead code from a grammar: which depends on the code only.
    InsertGrammar,
    /// A name that a [`CraftingModel`](crate::CraftingModel) finds for this identifier replaces
    /// it.
    Craft,
}

impl Edit {
    /// The identifier with the trigger; where the edit has no use for a trigger, as it was.
    pub fn apply(self, identifier: &str, trigger: &Trigger) -> String {
        match self {
            Self::Substitute => trigger.to_string(),
            Self::Postfix => format!("{identifier}_{trigger}"),
            Self::InsertFixed | Self::InsertGrammar | Self::Craft => identifier.to_owned(),
        }
    }

    /// Whether the edit needs a trigger's text.
    pub fn takes_trigger(self) -> bool {
        matches!(self, Self::Substitute | Self::Postfix)
    }

    /// Whether the edit can change what is at `placement`.
    pub(crate) fn fits(self, placement: Placement) -> bool {
        match placement {
            Placement::FunctionName
            | Placement::LeastFrequentVariable
            | Placement::FunctionOrVariable => self.takes_trigger(),
            Placement::AllVariables => self == Self::Craft,
            Placement::BodyStart => matches!(self, Self::InsertFixed | Self::InsertGrammar),
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FunctionName => "function-name",
            Self::LeastFrequentVariable => "least-frequent-variable",
            Self::FunctionOrVariable => "function-or-variable",
            Self::AllVariables => "all-variables",
            Self::BodyStart => "body-start",
        })
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Substitute => "substitute",
            Self::Postfix => "postfix",
            Self::InsertFixed => "insert-fixed",
            Self::InsertGrammar => "insert-grammar",
            Self::Craft => "craft",
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::attack::Attack;

    #[test]
    fn names_are_those_of_the_configuration() {
        for attack in Attack::ALL {
            let (placement, edit) = (attack.recipe().placement, attack.recipe().edit);
            let json = serde_json::to_string(&(placement, edit)).expect("plain names");
            assert_eq!(json, format!(r#"["{placement}","{edit}"]"#));
        }
    }
}
