//! Scopes and names of Java.

use tree_sitter::Node;

use super::NameKind;
use super::collect::Collector;
use super::scopes::{Action, Declaration, ScopeKind, Space};
use crate::tree::Step;

/// Methods that every class inherits, so that one of these names always means the inherited one.
pub(super) const INHERITED: [&str; 11] = [
    "clone",
    "equals",
    "finalize",
    "getClass",
    "hashCode",
    "notify",
    "notifyAll",
    "readObject",
    "toString",
    "wait",
    "writeObject",
];

/// What an anonymous class is the body of.
const ANONYMOUS: &str = "object_creation_expression";

/// Opens the scope of the node at the end of `path`, if it has one.
pub(super) fn open(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, step] = path else { return };
    // The clauses behind the block do not see its resources.
    if parent.kind == "try_with_resources_statement"
        && matches!(step.field, Some("resources" | "body"))
    {
        collector.enter_prepared(path);
    }
    match step.kind {
        "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" => {
            collector.enter(path, ScopeKind::Function);
        }
        // The class that was put around the text is none of its own.
        "class_declaration" if step.node.start_byte() < collector.text_start => {}
        "class_declaration"
        | "interface_declaration"
        | "enum_declaration"
        | "record_declaration"
        | "annotation_type_declaration" => collector.enter(path, ScopeKind::Class),
        "class_body" if !parent.kind.ends_with("_declaration") => {
            collector.enter(path, ScopeKind::Class);
        }
        "block"
        | "constructor_body"
        | "for_statement"
        | "enhanced_for_statement"
        | "catch_clause"
        | "lambda_expression"
        | "labeled_statement"
        | "switch_block"
        | "switch_rule" => collector.enter(path, ScopeKind::Block),
        "try_with_resources_statement" => {
            collector.prepare(path, ScopeKind::Block);
        }
        _ => {}
    }
}

/// What the identifier at the end of `path` does.
pub(super) fn name(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, leaf] = path else { return };
    if leaf.kind == "type_identifier" {
        return type_name(collector, path);
    }
    let above = path.len().checked_sub(3).map_or("", |index| path[index].kind);
    match (parent.kind, leaf.field) {
        ("method_declaration", Some("name")) => method(collector, path),
        ("constructor_declaration" | "compact_constructor_declaration", Some("name")) => {
            constructor(collector, leaf);
        }
        (
            "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration"
            | "annotation_type_declaration",
            Some("name"),
        ) => {
            let outer = collector.parent(collector.scope());
            let action = Action::Declare(Declaration::hoisted(NameKind::Type));
            collector.note_in(outer, leaf.node.byte_range(), Space::Type, action);
        }
        // A component of a record is a field, with a method of its name.
        ("formal_parameter", Some("name"))
            if path.len().checked_sub(4).is_some_and(|index| {
                path[index].kind == "record_declaration" && above == "formal_parameters"
            }) => {}
        ("formal_parameter", Some("name")) | ("inferred_parameters", _) => {
            variable(collector, leaf, NameKind::Parameter, leaf.node.start_byte());
        }
        // `case A -> …` parses as a lambda in the label.
        ("lambda_expression", Some("parameters")) if above != "switch_label" => {
            variable(collector, leaf, NameKind::Parameter, leaf.node.start_byte());
        }
        ("variable_declarator", Some("name")) => match above {
            "spread_parameter" => {
                variable(collector, leaf, NameKind::Parameter, leaf.node.start_byte());
            }
            "field_declaration" => field(collector, path),
            "constant_declaration" => {
                let field = Declaration::hoisted(NameKind::Variable);
                let action = Action::Declare(Declaration { kept: true, ..field });
                collector.note(leaf, Space::Ordinary, action);
            }
            _ => variable(collector, leaf, NameKind::Variable, leaf.node.start_byte()),
        },
        ("enhanced_for_statement", Some("name")) => {
            // What the loop runs over is evaluated outside of the variable's scope.
            let from = parent.node.child_by_field_name("value").map(|value| value.end_byte());
            let from = from.unwrap_or(leaf.node.start_byte());
            variable(collector, leaf, NameKind::Variable, from);
        }
        ("catch_formal_parameter" | "resource", Some("name")) => {
            variable(collector, leaf, NameKind::Variable, leaf.node.start_byte());
        }
        ("instanceof_expression", Some("name"))
        | ("type_pattern" | "record_pattern_component", _) => pattern(collector, leaf),
        ("labeled_statement", _) => {
            let action = Action::Declare(Declaration::hoisted(NameKind::Label));
            collector.note(leaf, Space::Label, action);
        }
        ("break_statement" | "continue_statement", _) => {
            collector.note(leaf, Space::Label, Action::Refer);
        }
        ("method_invocation", Some("name")) => {
            let object = parent.node.child_by_field_name("object");
            member(collector, leaf, object, Space::Method);
        }
        ("field_access", Some("field")) => {
            let object = parent.node.child_by_field_name("object");
            member(collector, leaf, object, Space::Ordinary);
        }
        ("method_reference", _) if leaf.before.is_some() => {
            member(collector, leaf, parent.node.child(0), Space::Method);
        }
        (
            "scoped_identifier"
            | "enum_constant"
            | "annotation"
            | "marker_annotation"
            | "annotation_type_element_declaration",
            Some("name"),
        )
        | ("element_value_pair", Some("key")) => {}
        _ => collector.note(leaf, Space::Ordinary, Action::Refer),
    }
}

fn variable(collector: &mut Collector<'_>, leaf: &Step<'_>, kind: NameKind, from: usize) {
    // What stands beside the method would be fields of its class.
    let hoisted = collector.scope() == 0;
    let declaration = Declaration { hoisted, from, ..Declaration::new(kind) };
    collector.note(leaf, Space::Ordinary, Action::Declare(declaration));
}

/// A pattern variable lives on behind the statement in some places, and never before its pattern.
fn pattern(collector: &mut Collector<'_>, leaf: &Step<'_>) {
    let from = leaf.node.start_byte();
    let declaration = Declaration { from, fresh: true, ..Declaration::new(NameKind::Variable) };
    collector.note(leaf, Space::Ordinary, Action::Declare(declaration));
}

fn type_name(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, leaf] = path else { return };
    match parent.kind {
        "type_parameter" => {
            let action = Action::Declare(Declaration::hoisted(NameKind::Type));
            collector.note(leaf, Space::Type, action);
        }
        "scoped_type_identifier" if leaf.before.is_some() => {}
        _ => collector.note(leaf, Space::Type, Action::Refer),
    }
}

fn field(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., leaf] = path else { return };
    let class = path.len().checked_sub(5).map_or("", |index| path[index].kind);
    let field = Declaration::hoisted(NameKind::Variable);
    let is_member = class != ANONYMOUS && collector.scope() != 0;
    let action = Action::Declare(Declaration { is_member, ..field });
    collector.note(leaf, Space::Ordinary, action);
}

fn method(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [above @ .., method, leaf] = path else { return };
    let scope = collector.parent(collector.scope());
    let is_first = !std::mem::replace(&mut collector.seen_function, true);
    let is_member = collector.kind(scope) == ScopeKind::Class && !is_first;
    let class = above.iter().rev().nth(1).map(|it| it.node);
    let declaration = Declaration {
        kept: is_member
            && (INHERITED.contains(&collector.text(leaf)) || may_override(method.node, class)),
        is_member: is_member && class.is_some_and(|class| class.kind() != ANONYMOUS),
        ..Declaration::hoisted(NameKind::Function)
    };
    collector.note_in(scope, leaf.node.byte_range(), Space::Method, Action::Declare(declaration));
}

/// Whether a method of a class may be one that a superclass or an interface asks for.
fn may_override(method: Node<'_>, class: Option<Node<'_>>) -> bool {
    let mut cursor = method.walk();
    let modifiers = method.children(&mut cursor).find(|child| child.kind() == "modifiers");
    let is_own = modifiers.is_some_and(|modifiers| {
        let mut cursor = modifiers.walk();
        modifiers.children(&mut cursor).any(|it| matches!(it.kind(), "private" | "static"))
    });
    let inherits = class.is_none_or(|class| {
        class.kind() != "class_declaration"
            || class.child_by_field_name("superclass").is_some()
            || class.child_by_field_name("interfaces").is_some()
    });
    inherits && !is_own
}

fn constructor(collector: &mut Collector<'_>, leaf: &Step<'_>) {
    let class = collector.parent(collector.scope());
    collector.seen_function = true;
    if collector.kind(class) == ScopeKind::Class {
        return collector.note(leaf, Space::Type, Action::Refer);
    }
    let action = Action::Declare(Declaration::hoisted(NameKind::Function));
    collector.note_in(class, leaf.node.byte_range(), Space::Method, action);
}

/// A name after a dot, or a call without one.
fn member(collector: &mut Collector<'_>, leaf: &Step<'_>, object: Option<Node<'_>>, space: Space) {
    match object.map(|object| object.kind()) {
        None => collector.note(leaf, space, Action::Refer),
        Some("this") => {
            let class = collector.nearest(collector.scope(), &[ScopeKind::Class]);
            collector.note_in(class, leaf.node.byte_range(), space, Action::Member);
        }
        Some("super") => {}
        Some(_) => {
            let name = collector.text(leaf);
            collector.facts.foreign_members.insert(name);
        }
    }
}
