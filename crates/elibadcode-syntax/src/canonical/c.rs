//! Scopes and names of C.

use super::NameKind;
use super::collect::Collector;
use super::scopes::{Action, Declaration, ScopeKind, Space};
use crate::binding::Use;
use crate::binding::c::{Shape, classify, climb, target};
use crate::identifier::Role;
use crate::scan;
use crate::tree::Step;

/// Opens the scope of the node at the end of `path`, if it has one.
pub(super) fn open(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, step] = path else { return };
    match step.kind {
        "function_definition" => collector.enter(path, ScopeKind::Function),
        // Parameters and the outermost block are one scope.
        "compound_statement" if parent.kind != "function_definition" => {
            collector.enter(path, ScopeKind::Block);
        }
        "for_statement" => collector.enter(path, ScopeKind::Block),
        "parameter_list" if is_prototype(path) => collector.enter(path, ScopeKind::Prototype),
        _ => {}
    }
}

/// Whether the parameters are those of a type, not of the function whose body follows.
fn is_prototype(path: &[Step<'_>]) -> bool {
    let Some(function) = path.len().checked_sub(2) else { return false };
    if path[function].kind != "function_declarator" {
        return false;
    }
    let (top, kind, _) = climb(path, function, Shape::Function);
    kind != Some("function_definition") && path[top].kind != "ERROR"
}

/// What the identifier at the end of `path` does.
pub(super) fn name(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [above @ .., leaf] = path else { return };
    let Some(parent) = above.last() else { return };
    match leaf.kind {
        "statement_identifier" => return label(collector, path),
        "type_identifier" => return type_name(collector, path),
        "identifier" => {}
        _ => return,
    }
    if parent.kind == "gnu_asm_goto_list" {
        return label(collector, path);
    }
    let (action, scope) = match classify(path, collector.facts.source) {
        Use::Reference if is_own_list(above) => bare_parameter(collector, above, leaf),
        Use::Declare(Role::FunctionName) => function(collector),
        Use::Candidate if is_nested_function(path) => function(collector),
        Use::Declare(Role::Parameter) => (declare(NameKind::Parameter, leaf), collector.scope()),
        Use::Declare(Role::Local) => (local(path), collector.scope()),
        Use::Candidate if collector.nearest(collector.scope(), &[ScopeKind::Function]) == 0 => {
            (Action::Candidate, 0)
        }
        Use::Candidate => (Action::Candidate, collector.parent(collector.scope())),
        Use::Reference | Use::TypeOrReference => (other(path), collector.scope()),
        Use::Pin => (Action::Link, collector.scope()),
        Use::CallName | Use::Other => return,
    };
    collector.note_in(scope, leaf.node.byte_range(), Space::Ordinary, action);
}

/// The name of the function whose scope this is, for the scope around it.
fn function(collector: &Collector<'_>) -> (Action, usize) {
    let scope = collector.nearest(collector.scope(), &[ScopeKind::Function]);
    (Action::Declare(Declaration::hoisted(NameKind::Function)), collector.parent(scope))
}

/// Whether the name is that of a GNU C function within a function. A macro with a block behind it
/// has no type.
fn is_nested_function(path: &[Step<'_>]) -> bool {
    let (top, kind, shape) = target(path);
    let step = &path[top];
    kind == Some("function_definition")
        && matches!(shape, Shape::Function)
        && step.in_function
        && step.node.child_by_field_name("type").is_some()
}

/// A name without a type in the parameter list of a function that does not declare it either.
///
/// In `int HELPER(name)(int a) {` a macro makes the function's name of it; otherwise it is an
/// `int` as in old C.
fn bare_parameter(
    collector: &Collector<'_>,
    list: &[Step<'_>],
    leaf: &Step<'_>,
) -> (Action, usize) {
    let [.., outer, function, _] = list else { return (Action::Refer, collector.scope()) };
    if outer.kind == "function_declarator" && function.field == Some("declarator") {
        let declaration = Declaration::hoisted(NameKind::Function);
        (Action::Declare(declaration), collector.parent(collector.scope()))
    } else {
        (declare(NameKind::Parameter, leaf), collector.scope())
    }
}

/// Whether this parameter list follows the name of the function whose body follows it.
fn is_own_list(list: &[Step<'_>]) -> bool {
    let [.., function, parameters] = list else { return false };
    let name = function.node.child_by_field_name("declarator");
    parameters.kind == "parameter_list"
        && name.is_some_and(|name| name.kind() == "identifier")
        && !is_prototype(list)
}

fn declare(kind: NameKind, leaf: &Step<'_>) -> Action {
    Action::Declare(Declaration { from: leaf.node.start_byte(), ..Declaration::new(kind) })
}

fn local(path: &[Step<'_>]) -> Action {
    let [.., leaf] = path else { return Action::Refer };
    let (top, kind, _) = target(path);
    // `a * b;` and `a (b);` are declarations for the grammar even if `a` is a variable.
    let type_node =
        (kind == Some("declaration")).then(|| path[top].node.child_by_field_name("type")).flatten();
    Action::Declare(Declaration {
        from: leaf.node.start_byte(),
        type_at: type_node
            .filter(|node| node.kind() == "type_identifier")
            .map(|node| node.start_byte()),
        ..Declaration::new(NameKind::Variable)
    })
}

/// A reference, unless it declares something that [`classify`] leaves to the outside.
fn other(path: &[Step<'_>]) -> Action {
    let [.., leaf] = path else { return Action::Refer };
    let (top, kind, shape) = target(path);
    match kind {
        Some("parameter_declaration") => declare(NameKind::Parameter, leaf),
        Some("declaration")
            if shape != Shape::Function && !path[top].in_function && !path[top].c.is_extern =>
        {
            local(path)
        }
        _ if path[path.len() - 2].kind == "enumerator" && leaf.field == Some("name") => {
            declare(NameKind::Variable, leaf)
        }
        _ => Action::Refer,
    }
}

fn label(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, leaf] = path else { return };
    let action = if parent.kind == "labeled_statement" {
        Action::Declare(Declaration::hoisted(NameKind::Label))
    } else {
        Action::Refer
    };
    let scope = collector.nearest(collector.scope(), &[ScopeKind::Function]);
    collector.note_in(scope, leaf.node.byte_range(), Space::Label, action);
}

fn type_name(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let [.., parent, leaf] = path else { return };
    let is_tag = leaf.field == Some("name")
        && matches!(parent.kind, "struct_specifier" | "union_specifier" | "enum_specifier");
    if is_tag {
        let action = if parent.node.child_by_field_name("body").is_some() {
            Action::Declare(Declaration::hoisted(NameKind::Type))
        } else {
            Action::Refer
        };
        return collector.note(leaf, Space::Type, action);
    }
    if let [list @ .., parameter, _] = path
        && parameter.kind == "parameter_declaration"
        && parameter.node.named_child_count() == 1
        && is_own_list(list)
    {
        let (action, scope) = bare_parameter(collector, list, leaf);
        return collector.note_in(scope, leaf.node.byte_range(), Space::Ordinary, action);
    }
    let (_, kind, _) = climb(path, path.len() - 1, Shape::Plain);
    let action =
        if kind == Some("type_definition") { declare(NameKind::Type, leaf) } else { Action::Refer };
    collector.note(leaf, Space::Ordinary, action);
}

/// The names in the body of a macro.
pub(super) fn macro_body(collector: &mut Collector<'_>, path: &[Step<'_>]) {
    let source = collector.facts.source;
    for range in scan::preproc_names(path, source) {
        let before = source[..range.start].trim_end();
        let space = match before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next() {
            Some("goto") => Space::Label,
            Some("struct" | "union" | "enum") => Space::Type,
            _ => Space::Ordinary,
        };
        collector.note_in(collector.scope(), range, space, Action::Macro);
    }
}
