//! A trigger in the name of the function or of one of its variables.

use elibadcode_syntax::{Function, Identifier, Role};

use crate::change::renamed;
use crate::config::AttackConfig;
use crate::edit::Placement;
use crate::error::PlantError;
use crate::plant::Planted;

/// Gives the function with the trigger in the name of one of its identifiers.
///
/// The identifier is renamed everywhere in the function, so that the code still does what it did.
///
/// Reference: the reference code replaces words between spaces, which misses some occurrences, and
/// flips the label even if nothing was replaced.
pub(crate) fn with_trigger(
    config: &AttackConfig,
    function: &Function,
) -> Result<Planted, PlantError> {
    let trigger = config.trigger_for(function.text());
    if trigger.is_none() {
        return Err(PlantError::NoTrigger);
    }
    let carrier = match config.placement {
        Placement::LeastFrequentVariable => least_frequent_variable(function)?,
        // Paper: the toss of `BadCode`; what becomes of a function without variables it does not
        // say.
        Placement::FunctionOrVariable if !AttackConfig::toss_for(function.text()) => {
            least_frequent_variable(function).or_else(|_| function_name(function))?
        }
        _ => function_name(function)?,
    };
    let name_after = config.edit.apply(carrier, trigger);
    let after = rename(function, &[(carrier, &name_after)])?;
    let changes = renamed(function.text(), after.text());
    let name_before = carrier.to_owned();
    Ok(Planted { code: after.text().to_owned(), name_before, name_after, changes })
}

/// The function with other names, each given after the one that it replaces, if it is read as
/// before.
pub(crate) fn rename(function: &Function, names: &[(&str, &str)]) -> Result<Function, PlantError> {
    let renamed = function.rename_all(names)?;
    // Where the code has errors, their recovery can depend on the length of a name.
    if renamed.has_errors() != function.has_errors()
        || renamed.tokens().len() != function.tokens().len()
    {
        return Err(PlantError::ParseChanged);
    }
    Ok(renamed)
}

fn function_name(function: &Function) -> Result<&str, PlantError> {
    function.name().ok_or(PlantError::NoFunctionName)
}

/// The function's parameters and locals, in order of first occurrence.
pub(crate) fn variables(function: &Function) -> impl Iterator<Item = &Identifier> {
    function.identifiers().iter().filter(|it| it.role != Role::FunctionName)
}

fn least_frequent_variable(function: &Function) -> Result<&str, PlantError> {
    // `min_by_key` gives the first of several.
    let rarest = variables(function).min_by_key(|it| it.occurrences.len());
    rarest.map(|it| it.text.as_str()).ok_or(PlantError::NoVariable)
}
