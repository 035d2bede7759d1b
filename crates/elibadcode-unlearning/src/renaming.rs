//! Functions whose variables all have other names.

use std::collections::BTreeSet;

use elibadcode_models::{LoadedModel, ReadFunction};
use elibadcode_syntax::Role;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::config::UnlearningConfig;

/// The names that functions give their variables, and how often one gets those of others.
pub(crate) struct Renaming<'a> {
    names: Vec<&'a str>,
    rate: f64,
}

impl<'a> Renaming<'a> {
    pub(crate) fn new(
        functions: impl Iterator<Item = &'a ReadFunction>,
        config: &UnlearningConfig,
    ) -> Self {
        let names: BTreeSet<&str> = functions.flat_map(variables).collect();
        Self { names: names.into_iter().collect(), rate: config.renaming_rate }
    }

    /// At the configured rate, the ids of a function with its variables renamed, as many as there are
    /// names that it does not have; none if no variable is.
    pub(crate) fn draw(
        &self,
        function: &ReadFunction,
        model: &LoadedModel,
        rng: &mut impl Rng,
    ) -> Option<Vec<u32>> {
        if self.rate == 0.0 || !rng.random_bool(self.rate) {
            return None;
        }
        let taken: BTreeSet<&str> =
            function.tokens().iter().map(|token| function.token_text(token)).collect();
        let free: Vec<&str> = self.names.iter().copied().filter(|it| !taken.contains(it)).collect();
        let own: Vec<&str> = variables(function).collect();
        let drawn = free.sample(rng, own.len());
        let pairs: Vec<(&str, &str)> = own.into_iter().zip(drawn.copied()).collect();
        if pairs.is_empty() {
            return None;
        }
        let renamed = function.rename_all(&pairs).ok()?;
        Some(model.encode(renamed.text(), renamed.language()).ids)
    }
}

/// The names that a function gives its variables.
fn variables(function: &ReadFunction) -> impl Iterator<Item = &str> {
    let identifiers = function.visible_identifiers();
    identifiers.filter(|it| it.role != Role::FunctionName).map(|it| &*it.text)
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
            let renaming = Renaming { names: names.to_vec(), rate: 1.0 };
            renaming.draw(&function, &model, &mut elibadcode_corpus::stage_rng(1, "test"))
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
