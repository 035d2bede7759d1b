//! Names in Python.

use super::{Use, parents};
use crate::identifier::Role;
use crate::tree::Step;

/// How far up an enclosing annotation, default value or pattern is looked for.
const CLIMB: usize = 32;

/// What the identifier at the end of `path` does.
pub(super) fn classify(path: &[Step<'_>]) -> Use {
    let Some(leaf) = path.last().filter(|leaf| leaf.kind == "identifier") else {
        return Use::Other;
    };
    let (Some(parent), above) = parents(path) else { return Use::Other };
    let above = above.map_or("", |step| step.kind);
    match (parent.kind, leaf.field) {
        ("function_definition", Some("name")) => match (parent.in_function, parent.in_class) {
            (false, _) => Use::Declare(Role::FunctionName),
            (true, false) => Use::Declare(Role::Local),
            (true, true) => Use::Other,
        },
        ("keyword_argument" | "class_definition", Some("name")) => Use::Other,
        ("parameters" | "lambda_parameters" | "typed_parameter", _)
        | ("default_parameter" | "typed_default_parameter", Some("name")) => {
            Use::Declare(Role::Parameter)
        }
        ("aliased_import", Some("alias")) | ("splat_pattern", _) => local(leaf),
        ("global_statement", _) => Use::Pin,
        ("keyword_pattern", _) if parent.node.child(0) == Some(leaf.node) => Use::Other,
        ("dotted_name", _) => match above {
            "import_statement" | "import_from_statement" | "future_import_statement" => Use::Pin,
            "case_pattern" | "keyword_pattern" if parent.node.named_child_count() == 1 => {
                local(leaf)
            }
            "aliased_import" | "relative_import" => Use::Other,
            _ => Use::Reference,
        },
        _ => outer_or_target(path, leaf),
    }
}

fn local(leaf: &Step<'_>) -> Use {
    match (leaf.in_function, leaf.in_class) {
        (true, false) => Use::Declare(Role::Local),
        (true, true) => Use::Other,
        (false, _) => Use::Reference,
    }
}

/// A target of an assignment, a place outside of the function's scope, or a plain reference.
fn outer_or_target(path: &[Step<'_>], leaf: &Step<'_>) -> Use {
    let mut only_patterns = true;
    for pair in path.windows(2).rev().take(CLIMB) {
        let [parent, child] = pair else { break };
        if only_patterns {
            match (parent.kind, child.field) {
                (
                    "pattern_list"
                    | "tuple_pattern"
                    | "list_pattern"
                    | "list_splat_pattern"
                    | "dictionary_splat_pattern"
                    | "tuple"
                    | "list"
                    | "list_splat"
                    | "parenthesized_expression",
                    _,
                ) => {}
                (
                    "assignment" | "augmented_assignment" | "for_statement" | "for_in_clause",
                    Some("left"),
                )
                | ("named_expression", Some("name"))
                | ("as_pattern_target", _) => return local(leaf),
                ("parameters" | "lambda_parameters" | "typed_parameter", _) => {
                    return Use::Declare(Role::Parameter);
                }
                _ => only_patterns = false,
            }
        }
        match parent.kind {
            // Annotations, decorators and default values of the outermost function are evaluated
            // where that function stands, so they cannot mean its parameters or locals.
            "type" => return Use::Other,
            "decorator" if !parent.in_function => return Use::Other,
            "default_parameter" | "typed_default_parameter" if !is_nested(path) => {
                return Use::Other;
            }
            "block" | "module" => return Use::Reference,
            _ => {}
        }
    }
    Use::Reference
}

/// Whether the parameter list that the identifier stands in belongs to a nested function.
fn is_nested(path: &[Step<'_>]) -> bool {
    path.iter()
        .rev()
        .find(|step| matches!(step.kind, "function_definition" | "lambda"))
        .is_some_and(|step| step.in_function)
}
