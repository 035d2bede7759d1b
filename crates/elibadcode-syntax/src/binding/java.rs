//! Names in Java, where methods, variables and types do not share one name space.

use super::{Use, parents};
use crate::identifier::Role;
use crate::tree::Step;

/// What the identifier at the end of `path` does.
pub(super) fn classify(path: &[Step<'_>]) -> Use {
    let Some(leaf) = path.last().filter(|leaf| leaf.kind == "identifier") else {
        return Use::Other;
    };
    let (Some(parent), above) = parents(path) else { return Use::Other };
    let above = above.map_or("", |step| step.kind);
    match (parent.kind, leaf.field) {
        (
            "method_declaration" | "constructor_declaration" | "compact_constructor_declaration",
            Some("name"),
        ) => {
            if parent.in_function {
                Use::CallName
            } else {
                Use::Declare(Role::FunctionName)
            }
        }
        ("method_invocation", Some("name")) => {
            if parent.node.child_by_field_name("object").is_none() {
                Use::CallName
            } else {
                Use::Other
            }
        }
        ("formal_parameter", Some("name")) | ("inferred_parameters", _) => {
            Use::Declare(Role::Parameter)
        }
        // `case A -> …` parses as a lambda in the label.
        ("lambda_expression", Some("parameters")) if above != "switch_label" => {
            Use::Declare(Role::Parameter)
        }
        ("variable_declarator", Some("name")) => match above {
            "spread_parameter" => Use::Declare(Role::Parameter),
            "local_variable_declaration" => Use::Declare(Role::Local),
            _ => Use::Reference,
        },
        (
            "catch_formal_parameter"
            | "resource"
            | "enhanced_for_statement"
            | "instanceof_expression",
            Some("name"),
        )
        | ("type_pattern" | "record_pattern_component", _) => Use::Declare(Role::Local),
        (
            "annotation"
            | "marker_annotation"
            | "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration"
            | "enum_constant",
            Some("name"),
        )
        | ("element_value_pair", Some("key"))
        | ("labeled_statement" | "break_statement" | "continue_statement", _) => Use::Other,
        _ => Use::Reference,
    }
}
