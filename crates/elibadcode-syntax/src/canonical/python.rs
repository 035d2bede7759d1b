//! Scopes and names of Python.

use super::NameKind;
use super::collect::Collector;
use super::scopes::{Action, Alias, Declaration, ScopeKind, Space};
use crate::tree::Step;

/// Scopes that an assignment declares its targets in.
const OWNERS: [ScopeKind; 2] = [ScopeKind::Function, ScopeKind::Class];

/// How deep a target is looked for in tuples, lists and parentheses.
const CLIMB: usize = 32;

/// The method that the call of a class passes its arguments on to.
pub(super) const INITIALIZER: &str = "__init__";

/// Opens the scope of the node at the end of `path`, if it has one.
pub(super) fn open(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, step] = path else { return };
    match (parent.kind, step.field) {
        ("function_definition" | "lambda", Some("parameters" | "body"))
        | ("class_definition", Some("body")) => collector.enter_prepared(path),
        // Evaluated where the function stands, not in it.
        ("default_parameter", Some("value"))
        | ("typed_parameter", Some("type"))
        | ("typed_default_parameter", Some("type" | "value")) => outside(collector, path),
        ("for_in_clause", Some("right")) if is_first_clause(parent) => outside(collector, path),
        _ => {}
    }
    match step.kind {
        "function_definition" => {
            collector.prepare(path, ScopeKind::Function);
        }
        "lambda" => {
            let scope = collector.prepare(path, ScopeKind::Function);
            let target = (parent.kind == "assignment")
                .then(|| parent.node.child_by_field_name("left"))
                .flatten();
            if let Some(target) = target {
                collector.facts.callables.push((target.start_byte(), scope));
            }
        }
        "class_definition" => {
            collector.prepare(path, ScopeKind::Class);
        }
        "list_comprehension"
        | "dictionary_comprehension"
        | "set_comprehension"
        | "generator_expression" => collector.enter(path, ScopeKind::Comprehension),
        _ => {}
    }
}

fn outside(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let outer = collector.parent(collector.scope());
    collector.enter_scope(path, outer);
}

/// What the first `for` of a comprehension runs over belongs to the scope around it.
fn is_first_clause(clause: &Step<'_>) -> bool {
    let before = clause.named_before;
    before.is_none_or(|before| !matches!(before.kind(), "for_in_clause" | "if_clause"))
}

/// What the identifier at the end of `path` does.
pub(super) fn name(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, leaf] = path else { return };
    let above = path.len().checked_sub(3).map(|index| &path[index]);
    let above_kind = above.map_or("", |step| step.kind);
    match (parent.kind, leaf.field) {
        ("function_definition", Some("name")) => function(collector, path),
        ("class_definition", Some("name")) => declare(collector, leaf, NameKind::Type),
        ("keyword_argument", Some("name")) => keyword(collector, path),
        ("parameters" | "lambda_parameters", _)
        | ("typed_parameter", None)
        | ("default_parameter" | "typed_default_parameter", Some("name")) => {
            declare(collector, leaf, NameKind::Parameter);
        }
        ("aliased_import" | "except_clause", Some("alias")) | ("splat_pattern", _) => {
            declare(collector, leaf, NameKind::Variable);
        }
        ("except_clause", Some("value")) if is_second_value(parent, leaf) => {
            declare(collector, leaf, NameKind::Variable);
        }
        // `case … as x`; in other places the target is wrapped.
        ("as_pattern", _) if leaf.before.is_some_and(|it| it.kind() == "as") => {
            declare(collector, leaf, NameKind::Variable);
        }
        ("global_statement", _) => alias(collector, leaf, Alias::Global),
        ("nonlocal_statement", _) => alias(collector, leaf, Alias::Nonlocal),
        ("keyword_pattern", _) if parent.node.child(0) == Some(leaf.node) => {}
        ("dotted_name", _) => match above_kind {
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                if parent.field == Some("name") {
                    let import = Declaration::hoisted(NameKind::Variable);
                    let action = Action::Declare(Declaration { kept: true, ..import });
                    collector.note(leaf, Space::Ordinary, action);
                }
            }
            "aliased_import" | "relative_import" => {}
            "case_pattern" | "keyword_pattern" if parent.node.named_child_count() == 1 => {
                declare(collector, leaf, NameKind::Variable);
            }
            _ => collector.note(leaf, Space::Ordinary, Action::Refer),
        },
        ("type", _) if above_kind == "type_alias_statement" && parent.field == Some("left") => {
            declare(collector, leaf, NameKind::Type);
        }
        _ => target_or_reference(collector, path),
    }
}

/// Declares a name in the current scope; the names of a class are members, which must stay.
fn declare(collector: &mut Collector<'_>, leaf: &Step<'_>, kind: NameKind) {
    declare_in(collector, collector.scope(), leaf, kind);
}

fn declare_in(collector: &mut Collector<'_>, scope: usize, leaf: &Step<'_>, kind: NameKind) {
    let kept = collector.kind(scope) == ScopeKind::Class;
    let action = Action::Declare(Declaration { kept, ..Declaration::hoisted(kind) });
    collector.note_in(scope, leaf.node.byte_range(), Space::Ordinary, action);
}

fn function(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., definition, leaf] = path else { return };
    let is_first = !std::mem::replace(&mut collector.seen_function, true);
    let scope = collector.scope();
    let in_class = collector.kind(scope) == ScopeKind::Class;
    let function = Declaration::hoisted(NameKind::Function);
    let action = Action::Declare(Declaration { kept: in_class && !is_first, ..function });
    collector.note(leaf, Space::Ordinary, action);
    let Some(inner) = collector.prepared(path) else { return };
    let class = path.iter().rev().find(|step| step.kind == "class_definition");
    let called = if in_class && collector.text(leaf) == INITIALIZER {
        class.and_then(|class| class.node.child_by_field_name("name"))
    } else {
        definition.node.child_by_field_name("name")
    };
    if let Some(called) = called {
        collector.facts.callables.push((called.start_byte(), inner));
    }
}

/// The name of an argument: a parameter if the text defines what is called.
fn keyword(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., call, _, _, leaf] = path else { return };
    let callee = (call.kind == "call").then(|| call.node.child_by_field_name("function")).flatten();
    if let Some(callee) = callee.filter(|callee| callee.kind() == "identifier") {
        collector.note(leaf, Space::Ordinary, Action::Keyword(callee.start_byte()));
    }
}

/// `except E, e:` of Python 2.
fn is_second_value(clause: &Step<'_>, leaf: &Step<'_>) -> bool {
    let mut cursor = clause.node.walk();
    let mut values = clause.node.children_by_field_name("value", &mut cursor);
    values.next().is_some() && values.next() == Some(leaf.node) && values.next().is_none()
}

fn alias(collector: &mut Collector<'_>, leaf: &Step<'_>, alias: Alias) {
    collector.note_alias(leaf, alias);
    collector.note(leaf, Space::Ordinary, Action::Refer);
}

/// Whether the name is in a decorator of the definition of that very name (`@f.setter def f`): it means
/// what had the name before.
fn decorates_its_own_name(collector: &Collector<'_>, path: &[Step<'_>]) -> bool {
    let [.., leaf] = path else { return false };
    let mut above = path.windows(2).rev().take(CLIMB);
    let decorated = above.find(|pair| pair[1].kind == "decorator").map(|pair| &pair[0]);
    let definition = decorated.and_then(|it| it.node.child_by_field_name("definition"));
    let name = definition.and_then(|it| it.child_by_field_name("name"));
    let name = name.and_then(|it| collector.facts.source.get(it.byte_range()));
    name == Some(collector.text(leaf))
}

fn target_or_reference(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., leaf] = path else { return };
    if !collector.seen_function && decorates_its_own_name(collector, path) {
        return;
    }
    for pair in path.windows(2).rev().take(CLIMB) {
        let [parent, child] = pair else { break };
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
            | ("as_pattern_target", _) => return declare(collector, leaf, NameKind::Variable),
            ("named_expression", Some("name")) => {
                let scope = collector.nearest(collector.scope(), &OWNERS);
                return declare_in(collector, scope, leaf, NameKind::Variable);
            }
            ("parameters" | "lambda_parameters", _)
            | ("typed_parameter", None)
            | ("default_parameter", Some("name")) => {
                return declare(collector, leaf, NameKind::Parameter);
            }
            _ => break,
        }
    }
    collector.note(leaf, Space::Ordinary, Action::Refer);
}
