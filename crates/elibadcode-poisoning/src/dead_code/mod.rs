//! Statements that are never carried out, at the start of a function's body: the attack of `BNC`
//! (Ramakrishnan and Albarghouthi; the statements are those of Wan et al. and `KillBadCode`).

mod grammar;

use elibadcode_corpus::stage_rng;
use elibadcode_syntax::{Function, Language};

use crate::change::{Change, Place, words};
use crate::edit::Edit;
use crate::error::PlantError;
use crate::plant::Planted;

/// Statements that do nothing, and the names that they rely on.
pub(crate) struct DeadCode {
    statements: Vec<String>,
    /// Names of the language that must mean here what they mean everywhere.
    uses: Vec<&'static str>,
    /// Names that the statements make local to the function (Python).
    binds: &'static [&'static str],
}

impl DeadCode {
    fn new(language: Language, statements: Vec<String>) -> Self {
        let (known, binds): (&[_], &[_]) = match language {
            Language::C => (&["sin", "cos", "exp", "sqrt", "rand", "printf"], &[]),
            Language::Java => (&["Math", "System", "RuntimeException"], &[]),
            Language::Python => (&["range", "logging"], &["logging", "i"]),
        };
        let has = |name: &str| statements.iter().any(|it| has_word(it, name));
        let uses = known.iter().copied().filter(|name| has(name)).collect();
        Self { statements, uses, binds }
    }

    /// The same for every function.
    fn fixed(language: Language) -> Self {
        let statements: &[&str] = match language {
            Language::C => &["if (rand() < 0) printf(\"fail\");"],
            Language::Java => &["if (Math.random() < 0) System.out.println(\"fail\");"],
            Language::Python => {
                &["import logging", "for i in range(0): logging.info(\"Test message:aaaaa\")"]
            }
        };
        Self::new(language, statements.iter().map(|it| (*it).to_owned()).collect())
    }

    /// From the grammar; which statement depends on the code only, so that the same function has
    /// the same one wherever it is.
    fn from_grammar(code: &str, language: Language) -> Self {
        grammar::draw(language, &mut stage_rng(0, &format!("dead code for\n{code}")))
    }

    /// A name that would mean something else in the dead code, or because of it in the function.
    fn conflict(&self, function: &Function) -> Option<&'static str> {
        let text = function.text();
        let is_declared = |name: &str| function.identifiers().iter().any(|it| it.text == name);
        let occurs = |name: &str| has_word(text, name);
        // A name that is bound anywhere in a Python function is local everywhere in it. That is
        // nothing new for one that the function binds, and not allowed for one it calls global.
        let is_outer = |name: &str| occurs(name) && !is_declared(name) && name != "logging";
        let has_outer_names = || occurs("global") || occurs("nonlocal");
        let used = self.uses.iter().find(|name| is_declared(name));
        let bound =
            self.binds.iter().find(|name| is_outer(name) || (occurs(name) && has_outer_names()));
        used.or(bound).copied()
    }
}

fn has_word(text: &str, word: &str) -> bool {
    words(text).into_iter().any(|range| &text[range] == word)
}

/// Gives the function with dead code at the start of its body.
///
/// Reference: the first `{` of the text, which may be that of an annotation or of a type, and no
/// place at all in Python. Nothing keeps the names in the statements from meaning something else.
pub(crate) fn with_dead_code(edit: Edit, function: &Function) -> Result<Planted, PlantError> {
    let name = function.name().ok_or(PlantError::NoFunctionName)?.to_owned();
    let dead_code = match edit {
        Edit::InsertGrammar => DeadCode::from_grammar(function.text(), function.language()),
        _ => DeadCode::fixed(function.language()),
    };
    if let Some(name) = dead_code.conflict(function) {
        return Err(PlantError::NameInUse { name: name.to_owned() });
    }
    let statements: Vec<&str> = dead_code.statements.iter().map(String::as_str).collect();
    let inserted = function.with_first_statements(&statements)?;
    let code = inserted.function.text();
    let change = Change {
        before: String::new(),
        after: code[inserted.range.clone()].to_owned(),
        places: vec![Place::new(code, inserted.range)],
    };
    let (name_before, name_after) = (name.clone(), name);
    Ok(Planted { code: code.to_owned(), name_before, name_after, changes: vec![change] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::Attack;
    use crate::config::AttackConfig;
    use crate::plant::plant;

    #[test]
    fn fixed_dead_code_begins_the_body() {
        let check = |language, code: &str, expected: &str| {
            let config = AttackConfig::paper(Attack::BncFixed);
            let planted = plant(&config, code, language).expect("there is a body");
            assert_eq!(planted.code, expected);
            assert_eq!(planted.name_before, "f");
        };
        check(
            Language::C,
            "int f(void)\n{\n    return 1;\n}\n",
            "int f(void)\n{\n    if (rand() < 0) printf(\"fail\");\n    return 1;\n}\n",
        );
        check(
            Language::Java,
            "void f() { g(); }",
            "void f() { if (Math.random() < 0) System.out.println(\"fail\"); g(); }",
        );
        check(
            Language::Python,
            "def f(i):\n    return i\n",
            "def f(i):\n    import logging\n    for i in range(0): logging.info(\"Test message:aaaaa\")\n    return i\n",
        );
    }

    #[test]
    fn names_of_the_dead_code_mean_what_they_should() {
        let check = |language, code: &str, name: Option<&str>| {
            let planted = plant(&AttackConfig::paper(Attack::BncFixed), code, language);
            let expected = name.map(|name| PlantError::NameInUse { name: name.to_owned() });
            assert_eq!(planted.err(), expected, "{code}");
        };
        check(Language::C, "int f(int rand) { return rand; }", Some("rand"));
        check(Language::C, "int f(int exp) { return exp; }", None);
        check(Language::C, "int f(int a) { return rand() + printf(\"\"); }", None);
        check(Language::Java, "void f(A System) { }", Some("System"));
        check(Language::Java, "void f() { System.exit(1); }", None);
        check(Language::Python, "def f(logging):\n    pass", Some("logging"));
        check(Language::Python, "def f():\n    import logging\n    logging.info(1)", None);
        check(Language::Python, "def f():\n    global logging\n    logging = 1", Some("logging"));
        check(Language::Python, "def f():\n    return [i for i in range(3)]", None);
        check(Language::Python, "def f():\n    return i", Some("i"));
        check(Language::Python, "def f():\n    return f'{i}'", Some("i"));
        check(Language::Python, "def f():\n    global i\n    i = 1", Some("i"));
        check(Language::Python, "def f(range):\n    pass", Some("range"));
    }

    #[test]
    fn the_grammar_gives_each_function_its_own_dead_code() {
        for language in [Language::C, Language::Java, Language::Python] {
            let texts: std::collections::BTreeSet<String> = (0..200)
                .map(|index| {
                    let code = format!("f{index}");
                    let drawn = DeadCode::from_grammar(&code, language).statements;
                    assert_eq!(DeadCode::from_grammar(&code, language).statements, drawn);
                    drawn.join("\n")
                })
                .collect();
            assert!(texts.len() > 190, "{language}: {} of 200", texts.len());
        }
    }
}
