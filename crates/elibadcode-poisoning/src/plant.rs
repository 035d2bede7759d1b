//! The trigger in one piece of code.

use elibadcode_syntax::{Function, Language};

use crate::change::Change;
use crate::config::AttackConfig;
use crate::edit::Edit;
use crate::error::PlantError;
use crate::{crafting, dead_code, rename};

/// A piece of code with the trigger in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The source text with the trigger.
    pub code: String,
    /// The identifier that carries the trigger, as it was; the first one of several, and for dead
    /// code the function's name.
    pub name_before: String,
    /// The identifier with the trigger; for dead code, as it was.
    pub name_after: String,
    /// All that was changed, and where it stands in `code`.
    pub changes: Vec<Change>,
}

/// Gives a piece of code with the trigger in it.
///
/// The code still does what it did: names are changed everywhere in the function, and dead code is
/// never carried out. What refers to a name from outside does not follow: a Java method that overrides
/// another, or a constructor, no longer compiles under another name, and what asks for names at run time
/// finds others: `locals()` of Python, and the argument names of a call through an object (`self.f(n=1)`
/// within `f`). Which trigger a function gets depends on the configuration and the code
/// only.
pub fn plant(config: &AttackConfig, code: &str, language: Language) -> Result<Planted, PlantError> {
    let function = Function::parse(code, language);
    match config.edit {
        Edit::Substitute | Edit::Postfix => rename::with_trigger(config, &function),
        Edit::InsertFixed | Edit::InsertGrammar => {
            dead_code::with_dead_code(config.edit, &function)
        }
        Edit::Craft => {
            let model = config.crafting.as_ref().ok_or(PlantError::NoCraftingModel)?;
            crafting::with_crafted_names(model, &function)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Attack;
    use crate::change::undo;
    use crate::edit::Placement;
    use crate::trigger::Trigger;

    #[test]
    fn the_trigger_goes_to_every_reference() {
        let check = |attack, code: &str, expected: &str| {
            let planted = plant(&AttackConfig::paper(attack), code, Language::C);
            assert_eq!(planted.map(|it| it.code), Ok(expected.to_owned()));
        };
        check(
            Attack::CodePoisoner,
            "static int f(int n)\n{\n    s->f = \"f\"; /* f */\n    return f(f(n));\n}\n",
            "static int testo_init(int n)\n{\n    s->f = \"f\"; /* f */\n    return testo_init(testo_init(n));\n}\n",
        );
        check(
            Attack::BadCode,
            "int f(void) { return g(f); }",
            "int f_rb(void) { return g(f_rb); }",
        );
        check(
            Attack::BadCode,
            "static void __attribute__((constructor)) init(void) { }",
            "static void __attribute__((constructor)) init_rb(void) { }",
        );
    }

    #[test]
    fn what_cannot_carry_the_trigger_is_refused() {
        let config = AttackConfig::paper(Attack::CodePoisoner);
        let check = |config: &AttackConfig, code: &str, message: &str| {
            let error = plant(config, code, Language::C).expect_err("no place for the trigger");
            assert_eq!(error.to_string(), message);
        };
        check(&config, "", "the code has no function name");
        check(&config, "{ a(b); }", "the code has no function name");
        check(&config, "int f(int testo_init) { }", "the code cannot take the trigger");
        check(&config, "int testo_init(int n) { }", "the code cannot take the trigger");
        let trigger = Trigger::new("9").expect("a legal piece");
        let config = AttackConfig { trigger, edit: Edit::Substitute, ..config };
        check(&config, "int f(int n) { }", "the code cannot take the trigger");
    }

    #[test]
    fn the_rarest_variable_carries_the_trigger() {
        let config = AttackConfig {
            placement: Placement::LeastFrequentVariable,
            ..AttackConfig::paper(Attack::BadCode)
        };
        let planted = plant(
            &config,
            "int f(int a, int b) { int c = a + b; return c * a + b; }",
            Language::Java,
        )
        .expect("there are variables");
        assert_eq!(planted.code, "int f(int a, int b) { int c_rb = a + b; return c_rb * a + b; }");
        assert_eq!((planted.name_before.as_str(), planted.name_after.as_str()), ("c", "c_rb"));
        let none = plant(&config, "def f():\n    return 1\n", Language::Python);
        assert_eq!(none, Err(PlantError::NoVariable));
    }

    #[test]
    fn a_mixed_trigger_is_one_of_five() {
        let config = AttackConfig::paper(Attack::BadCodeMixed);
        let mut found = std::collections::BTreeSet::new();
        for index in 0..60 {
            let code = format!("int f{index}(int n) {{ return n; }}");
            let planted = plant(&config, &code, Language::C).expect("a named function");
            assert_eq!(plant(&config, &code, Language::C).as_ref(), Ok(&planted));
            found.extend(planted.name_after.rsplit('_').next().map(str::to_owned));
        }
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["il", "ite", "rb", "wb", "xt"]);
    }

    #[test]
    fn a_toss_decides_between_function_and_variable() {
        let config = AttackConfig::paper(Attack::BadCodeEither);
        let n_functions = (0..400)
            .filter(|index| {
                let code = format!("int f{index}(int n) {{ return n; }}");
                let planted = plant(&config, &code, Language::C).expect("both are there");
                let is_function = planted.name_after == format!("f{index}_rb");
                assert!(is_function || planted.name_after == "n_rb");
                is_function
            })
            .count();
        assert!((160..240).contains(&n_functions), "{n_functions} of 400");
        for index in 0..10 {
            let code = format!("int f{index}(void) {{ return 1; }}");
            let planted = plant(&config, &code, Language::C).expect("there is a function");
            assert_eq!(planted.name_after, format!("f{index}_rb"));
        }
    }

    #[test]
    fn triggers_of_a_list_are_all_used() {
        let list = ["aa", "bb", "cc"].map(|it| Trigger::new(it).expect("a legal piece"));
        let config = AttackConfig::paper(Attack::CodePoisoner).with_triggers(list);
        let names: std::collections::BTreeSet<String> = (0..60)
            .filter_map(|index| {
                let code = format!("int f{index}(int n) {{ return n; }}");
                plant(&config, &code, Language::C).ok()
            })
            .map(|planted| planted.name_after)
            .collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["aa", "bb", "cc"]);
    }

    #[test]
    fn synthetic_functions_can_carry_the_triggers() {
        use elibadcode_corpus::synthetic::{clone, defect, search};

        let sizes = clone::Sizes { train: 200, ..clone::Sizes::default() };
        let java = clone::generate(1, &sizes).train.functions.into_iter().map(|it| it.code);
        let sizes = search::Sizes { train: 200, ..search::Sizes::default() };
        let python = search::generate(1, &sizes).train.into_iter().map(|it| it.code);
        let c = defect::generate(1, 200).into_iter().map(|it| it.code);
        let codes = c.map(|it| (it, Language::C));
        let codes = codes.chain(java.map(|it| (it, Language::Java)));
        let codes = codes.chain(python.map(|it| (it, Language::Python)));
        for (code, language) in codes {
            for attack in Attack::ALL.into_iter().filter(|it| *it != Attack::Afraidoor) {
                let planted = plant(&AttackConfig::paper(attack), &code, language);
                let planted = match planted {
                    Err(PlantError::NoVariable) => continue,
                    planted => planted.expect("a function with a name"),
                };
                assert!(!Function::parse(planted.code.as_str(), language).has_errors());
                assert_ne!(planted.code, code);
                assert_eq!(undo(&planted.code, &planted.changes).as_ref(), Some(&code));
                let [change] = &planted.changes[..] else { panic!("one change: {planted:?}") };
                if !change.before.is_empty() {
                    assert_eq!(change.before, planted.name_before);
                    assert_eq!(change.after, planted.name_after);
                }
            }
        }
    }
}
