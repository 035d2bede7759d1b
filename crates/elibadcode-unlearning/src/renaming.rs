//! Functions whose variables all have other names.

use std::collections::BTreeSet;

use elibadcode_models::{LoadedModel, ReadFunction};
use elibadcode_syntax::Role;
use rand::Rng;
use rand::seq::IndexedRandom;

/// The names that a function gives its variables.
pub(crate) fn variables(function: &ReadFunction) -> impl Iterator<Item = &str> {
    let identifiers = function.visible_identifiers();
    identifiers.filter(|it| it.role != Role::FunctionName).map(|it| &*it.text)
}

/// The ids of a function with its variables renamed, as many as there are names among these that it
/// does not have; none if no variable is.
pub(crate) fn renamed(
    function: &ReadFunction,
    model: &LoadedModel,
    names: &[&str],
    rng: &mut impl Rng,
) -> Option<Vec<u32>> {
    let taken: BTreeSet<&str> =
        function.tokens().iter().map(|token| function.token_text(token)).collect();
    let free: Vec<&str> = names.iter().copied().filter(|it| !taken.contains(it)).collect();
    let own: Vec<&str> = variables(function).collect();
    let drawn = free.sample(rng, own.len());
    let pairs: Vec<(&str, &str)> = own.into_iter().zip(drawn.copied()).collect();
    if pairs.is_empty() {
        return None;
    }
    let renamed = function.rename_all(&pairs).ok()?;
    Some(model.encode(renamed.text(), renamed.language()).ids)
}

#[cfg(test)]
mod tests {
    use elibadcode_syntax::Language;

    use super::*;
    use crate::fixture;

    #[test]
    fn all_variables_get_names_that_are_free() {
        let model = fixture("roberta-one-logit");
        let renamed = |code: &str, names: &[&str]| {
            let function = model.read(code, Language::C);
            renamed(&function, &model, names, &mut elibadcode_corpus::stage_rng(1, "test"))
        };
        let ids = |code: &str| model.encode(code, Language::C).ids;
        // `a` is taken, so that there is only one way, but for the order.
        let code = "int f(int a) { int b = g(a); return b; }";
        let found = renamed(code, &["a", "x", "y", "g"]).expect("two names are free");
        let expected = ["x", "y"].map(|a| {
            let b = if a == "x" { "y" } else { "x" };
            ids(&format!("int f(int {a}) {{ int {b} = g({a}); return {b}; }}"))
        });
        assert!(expected.contains(&found));
        assert_eq!(renamed(code, &["x"]), Some(ids("int f(int x) { int b = g(x); return b; }")));
        assert_eq!(renamed(code, &["a", "b"]), None);
        assert_eq!(renamed("int f(void) { return 1; }", &["x", "y"]), None);
    }
}
