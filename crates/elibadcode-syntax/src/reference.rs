//! The reference code's own idea of a function's variables, for comparisons with it.

use crate::Function;
use crate::Language;
use crate::tree::{parse, walk};

/// The `variables` list of the reference code: one entry per occurrence, duplicates kept.
///
/// Reference: an identifier counts if its parent in the tree is of certain kinds. The list leaves
/// out parameters in Java and Python, and in C it holds macros and globals.
/// [`Function::identifiers`] has the names that are in fact declared.
pub fn reference_variables(function: &Function) -> Vec<String> {
    let parsed = parse(function.text(), function.language());
    let parents: &[&str] = match function.language() {
        Language::C => &[
            "function_declarator",
            "pointer_declarator",
            "declaration",
            "binary_expression",
            "case_statement",
            "field_expression",
        ],
        Language::Java => &["variable_declarator"],
        Language::Python => &["assignment"],
    };
    let mut variables = Vec::new();
    walk(&parsed.tree, |path| {
        if let [.., parent, leaf] = path
            && leaf.kind == "identifier"
            && parents.contains(&parent.kind)
            && let Some(text) = parsed.source.get(leaf.node.byte_range())
            && !text.is_empty()
            && text != leaf.kind
        {
            variables.push(text.to_owned());
        }
        true
    });
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_depend_on_the_parent() {
        let check = |language, text: &str, expected: &[&str]| {
            assert_eq!(reference_variables(&Function::parse(text, language)), expected, "{text}");
        };
        check(
            Language::Python,
            "def f(p):\n    x = p\n    y, z = x, p\n    x = y",
            &["x", "p", "x", "y"],
        );
        check(Language::Java, "void f(int p) { int a = p, b; b = a; }", &["a", "p", "b"]);
        check(
            Language::C,
            "int f(int p, int *q) { int a; int b = 1; a = q->x + N; switch (a) { case M: ; } }",
            &["f", "q", "a", "q", "N", "M"],
        );
        check(Language::C, "", &[]);
    }
}
