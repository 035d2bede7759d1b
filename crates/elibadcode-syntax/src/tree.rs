//! Syntax trees: parsing that always gives one, and a walk that needs no call stack.

use std::borrow::Cow;

use tree_sitter::{Node, Parser, Tree};

use crate::Language;

/// What is put around a function that does not parse by itself.
const JAVA_CLASS: (&str, &str) = ("class _ {\n", "\n}");
const C_RETURN_TYPE: (&str, &str) = ("int ", "");

/// A tree, and the text that its byte offsets refer to.
pub(crate) struct Parsed<'t> {
    pub(crate) tree: Tree,
    /// The function's text, with something in front of and behind it where `shift` is not 0.
    pub(crate) source: Cow<'t, str>,
    /// How many bytes of `source` stand before the function's text.
    pub(crate) shift: usize,
}

/// Parses anything.
///
/// A Java method parses by itself, a constructor does not: Java text with errors is tried once more
/// inside a class, and that tree is taken if it has no errors. C text without a function (2 % of
/// Devign lacks the return type) is tried once more with `int` before it, and that tree is taken if
/// the text begins with a function then.
pub(crate) fn parse(text: &str, language: Language) -> Parsed<'_> {
    let tree = parse_tree(text, language);
    let root = tree.root_node();
    let retry = match language {
        Language::Java if root.has_error() => JAVA_CLASS,
        Language::C if !has_function(root, text) => C_RETURN_TYPE,
        _ => return Parsed { tree, source: Cow::Borrowed(text), shift: 0 },
    };
    let (before, after) = retry;
    let source = format!("{before}{text}{after}");
    let retried = parse_tree(&source, language);
    let is_better = match language {
        Language::C => begins_with_function(retried.root_node(), before.len(), &source),
        Language::Java | Language::Python => !retried.root_node().has_error(),
    };
    if is_better {
        Parsed { tree: retried, source: Cow::Owned(source), shift: before.len() }
    } else {
        Parsed { tree, source: Cow::Borrowed(text), shift: 0 }
    }
}

/// Whether the C tree has a function with a name; after errors `if (…) {` can look like one.
fn has_function(root: Node<'_>, source: &str) -> bool {
    let mut cursor = root.walk();
    root.children(&mut cursor).any(|child| {
        child.kind() == "function_definition"
            && has_name(child.child_by_field_name("declarator"), source)
    })
}

/// Whether the C tree begins with a function whose declarator is well formed and begins the text.
fn begins_with_function(root: Node<'_>, text_start: usize, source: &str) -> bool {
    let Some(function) = root.child(0).filter(|node| node.kind() == "function_definition") else {
        return false;
    };
    let Some(declarator) = function.child_by_field_name("declarator") else { return false };
    let between = source.get(text_start..declarator.start_byte());
    declarator.kind().ends_with("_declarator")
        && !declarator.has_error()
        && between.is_some_and(|text| text.trim().is_empty())
        && has_name(Some(declarator), source)
}

/// Whether the innermost declarator is an identifier and no keyword.
fn has_name(declarator: Option<Node<'_>>, source: &str) -> bool {
    let Some(mut name) = declarator else { return false };
    loop {
        let inner = match name.kind() {
            "parenthesized_declarator" | "attributed_declarator" => name.named_child(0),
            _ => name.child_by_field_name("declarator"),
        };
        let Some(inner) = inner else { break };
        name = inner;
    }
    name.kind() == "identifier"
        && source.get(name.byte_range()).is_some_and(|name| !Language::C.is_reserved(name))
}

fn parse_tree(text: &str, language: Language) -> Tree {
    let mut parser = Parser::new();
    parser
        .set_language(&language.grammar())
        .expect("the grammar crates are built for this tree-sitter");
    parser
        .parse(text, None)
        .expect("a parser with a language and without a time limit gives a tree")
}

/// One node on the way from the root to the node that is being visited.
#[derive(Clone, Copy)]
pub(crate) struct Step<'t> {
    pub(crate) node: Node<'t>,
    pub(crate) kind: &'t str,
    /// The field of the parent that the node fills.
    pub(crate) field: Option<&'t str>,
    /// Whether an ancestor is a function (or, in C, a block).
    pub(crate) in_function: bool,
    /// Whether the nearest enclosing scope is the body of a class.
    pub(crate) in_class: bool,
}

/// Visits every node before its children, in source order, with the path from the root to it.
///
/// `visit` says whether to go on to the node's children.
pub(crate) fn walk<'t>(tree: &'t Tree, mut visit: impl FnMut(&[Step<'t>]) -> bool) {
    let mut cursor = tree.walk();
    let mut path: Vec<Step<'t>> = Vec::new();
    loop {
        let node = cursor.node();
        let (in_function, in_class) = scope_below(path.last());
        path.push(Step {
            node,
            kind: node.kind(),
            field: cursor.field_name(),
            in_function,
            in_class,
        });
        if visit(&path) && cursor.goto_first_child() {
            continue;
        }
        loop {
            path.pop();
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

fn scope_below(parent: Option<&Step<'_>>) -> (bool, bool) {
    let Some(parent) = parent else { return (false, false) };
    match parent.kind {
        "function_definition"
        | "compound_statement"
        | "method_declaration"
        | "constructor_declaration"
        | "compact_constructor_declaration" => (true, false),
        "lambda" | "lambda_expression" => (parent.in_function, false),
        "class_definition" | "class_body" | "interface_body" | "enum_body" => {
            (parent.in_function, true)
        }
        _ => (parent.in_function, parent.in_class),
    }
}
