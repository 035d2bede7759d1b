//! Names in C.

use tree_sitter::Node;

use super::{Use, parents};
use crate::identifier::Role;
use crate::tree::Step;

/// How deep an expression in an `#if` is looked through.
const CONDITION_DEPTH: usize = 16;

/// What the identifier at the end of `path` does.
pub(crate) fn classify(path: &[Step<'_>], source: &str) -> Use {
    let Some(leaf) = path.last() else { return Use::Other };
    let (Some(parent), _) = parents(path) else { return Use::Other };
    match leaf.kind {
        "identifier" => {}
        "type_identifier" => {
            return match (parent.kind, leaf.field) {
                ("struct_specifier" | "union_specifier" | "enum_specifier", Some("name"))
                | ("type_definition", Some("declarator")) => Use::Other,
                _ => Use::TypeOrReference,
            };
        }
        _ => return Use::Other,
    }
    match (parent.kind, leaf.field) {
        ("enumerator", Some("name")) if leaf.in_function => Use::Declare(Role::Local),
        ("parameter_list", _) => old_style_parameter(path),
        ("gnu_asm_output_operand" | "gnu_asm_input_operand", Some("symbol"))
        | (
            "gnu_asm_goto_list"
            | "gnu_asm_clobber_list"
            | "preproc_params"
            | "preproc_defined"
            | "attribute_specifier",
            _,
        )
        | (
            "preproc_def"
            | "preproc_function_def"
            | "preproc_ifdef"
            | "preproc_elifdef"
            | "attribute"
            | "macro_type_specifier",
            Some("name"),
        ) => Use::Other,
        ("argument_list", _) if is_attribute(path) || is_field_argument(path, source) => Use::Other,
        _ if in_condition(path) => Use::Other,
        _ => declared(path),
    }
}

/// How the innermost declarator that is not a pair of parentheses looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Object,
    Function,
}

/// From the declarator at `path[index]`, itself of `shape`, to what it declares.
pub(crate) fn climb<'t>(
    path: &[Step<'t>],
    index: usize,
    shape: Shape,
) -> (usize, Option<&'t str>, Shape) {
    let top = path[index].c.declaration;
    if index == 0 {
        return (0, None, shape);
    }
    let kind = (path[top + 1].field == Some("declarator")).then_some(path[top].kind);
    let around = path[top + 1..index].iter().rev().map(|step| match step.kind {
        "function_declarator" => Shape::Function,
        "pointer_declarator" | "array_declarator" => Shape::Object,
        _ => Shape::Plain,
    });
    let innermost = std::iter::once(shape).chain(around).find(|&it| it != Shape::Plain);
    (top, kind, innermost.unwrap_or(Shape::Plain))
}

/// What the identifier declares: the place of the declaration, its kind and the declarator's shape.
///
/// With a macro in front of the type (`always_inline some_type f(…)`, `struct {…} PACKED x`) the
/// grammar takes the last but one word for the name and puts the name itself into an error node.
pub(crate) fn target<'t>(path: &[Step<'t>]) -> (usize, Option<&'t str>, Shape) {
    let last = path.len() - 1;
    if let [.., declarator, error, name] = path
        && error.kind == "ERROR"
        && error.c.displaced == Some(name.node)
    {
        return match declarator.kind {
            "function_declarator" => climb(path, last - 2, Shape::Function),
            "init_declarator" => climb(path, last - 2, Shape::Plain),
            kind => (last - 2, Some(kind), Shape::Plain),
        };
    }
    if path[last].c.displaced.is_some() {
        return (last, None, Shape::Plain);
    }
    climb(path, last, Shape::Plain)
}

fn declared(path: &[Step<'_>]) -> Use {
    let (top, kind, shape) = target(path);
    match (kind, shape) {
        (Some("function_definition"), Shape::Function) if !path[top].in_function => {
            Use::Declare(Role::FunctionName)
        }
        (Some("parameter_declaration"), _) => parameter(path, top),
        (Some("declaration"), Shape::Function) if path[top].in_function => Use::Pin,
        (Some("function_definition"), _) | (Some("declaration"), Shape::Function) => Use::Candidate,
        (Some("declaration"), _) if path[top].in_function => {
            if path[top].c.is_extern {
                Use::Pin
            } else {
                Use::Declare(Role::Local)
            }
        }
        (_, Shape::Function) if path[top].kind == "ERROR" => Use::Candidate,
        _ => Use::Reference,
    }
}

/// A parameter of the function itself, not one in the type of a function pointer or a prototype.
fn parameter(path: &[Step<'_>], declaration: usize) -> Use {
    let Some(function) = declaration.checked_sub(2) else { return Use::Reference };
    if path[function].kind != "function_declarator" {
        return Use::Reference;
    }
    let (top, kind, _) = climb(path, function, Shape::Function);
    if kind == Some("function_definition") || path[top].kind == "ERROR" {
        Use::Declare(Role::Parameter)
    } else {
        Use::Reference
    }
}

/// `int f(a, b) int a; char *b; {`: without the declarations, `a` and `b` are a macro's arguments.
fn old_style_parameter(path: &[Step<'_>]) -> Use {
    let Some(function) = path.len().checked_sub(3) else { return Use::Reference };
    let (top, kind, _) = climb(path, function, Shape::Function);
    if kind == Some("function_definition") && path[top].c.is_old_style {
        Use::Declare(Role::Parameter)
    } else {
        Use::Reference
    }
}

/// Whether the identifier is an argument that a macro takes for the name of a field: that of a list's
/// link, or of the part of which the whole is wanted.
fn is_field_argument(path: &[Step<'_>], source: &str) -> bool {
    let [.., call, list, leaf] = path else { return false };
    let name = call.node.child_by_field_name("function");
    let name = name.and_then(|it| source.get(it.byte_range()));
    let field = match name.and_then(field_argument) {
        None => None,
        Some(FieldArgument::At(place)) => argument(list.node, place),
        Some(FieldArgument::Last) => {
            let n_named = list.node.named_child_count();
            list.node.named_child(n_named.saturating_sub(1) as u32)
        }
    };
    field == Some(leaf.node)
}

/// Children of a list of arguments that are looked at: no macro has so many.
const MAX_ARGUMENTS: usize = 32;

/// The argument behind so many commas: `struct node` before it is an error to the grammar, and two nodes.
fn argument(list: Node<'_>, place: usize) -> Option<Node<'_>> {
    let mut cursor = list.walk();
    let mut n_commas = 0;
    list.children(&mut cursor).take(MAX_ARGUMENTS).find(|child| {
        n_commas += usize::from(child.kind() == ",");
        child.is_named() && n_commas == place
    })
}

/// Which argument of a macro is the name of a field.
pub(crate) enum FieldArgument {
    At(usize),
    Last,
}

/// The argument that a macro of this name takes for a field's, if it is known to.
pub(crate) fn field_argument(name: &str) -> Option<FieldArgument> {
    match name {
        "DO_UPCAST" => return Some(FieldArgument::At(1)),
        "container_of" | "list_entry" | "list_for_each_entry" => return Some(FieldArgument::At(2)),
        _ => {}
    }
    // The lists of BSD, with the prefix of QEMU's.
    let (list, verb) = name.strip_prefix('Q').unwrap_or(name).split_once('_')?;
    if !matches!(list, "LIST" | "SLIST" | "STAILQ" | "SIMPLEQ" | "TAILQ") {
        None
    } else if verb.starts_with("FOREACH") {
        Some(FieldArgument::At(2))
    } else if verb.starts_with("INSERT") || verb.starts_with("REMOVE") || verb == "NEXT" {
        Some(FieldArgument::Last)
    } else {
        None
    }
}

fn is_attribute(path: &[Step<'_>]) -> bool {
    let (_, above) = parents(path);
    above.is_some_and(|step| matches!(step.kind, "attribute_specifier" | "attribute"))
}

/// Whether the identifier stands in the condition of an `#if`, where only macros have names.
fn in_condition(path: &[Step<'_>]) -> bool {
    for pair in path.windows(2).rev().take(CONDITION_DEPTH) {
        let [parent, child] = pair else { return false };
        match parent.kind {
            "preproc_if" | "preproc_elif" => return child.field == Some("condition"),
            "binary_expression"
            | "unary_expression"
            | "parenthesized_expression"
            | "call_expression"
            | "argument_list" => {}
            _ => return false,
        }
    }
    false
}
