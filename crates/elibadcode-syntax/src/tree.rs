//! Syntax trees: parsing that ends, and a walk that needs no call stack.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

use crate::Language;

/// What is put around a function that does not parse by itself.
const JAVA_CLASS: (&str, &str) = ("class _ {\n", "\n}");
const C_RETURN_TYPE: (&str, &str) = ("int ", "");

/// Longer text is not parsed: no model sees more than its beginning, and the parser would spend its time on data
/// tables. Nearly twice the longest function of Devign.
pub const MAX_FUNCTION_BYTES: usize = 256 << 10;
/// What parsing may take: far longer than any code does that somebody wrote.
const PATIENCE: Patience =
    Patience { all: Duration::from_secs(4), part: Duration::from_millis(250) };
/// The parser is first tried on this many bytes of a longer text, then on this much more, and so on.
///
/// The first error in hostile code can take time and memory quadratic in the length before it (64 KiB of
/// `A<A<A<…`, in Java: 22 s and 8.5 GB), and the parser asks for the time only afterwards. It meets such an error at
/// the end of every part: so the text is given up while that is small.
const FIRST_PART: usize = 8 << 10;
const NEXT_PART: usize = 4 << 10;

/// How long the parser may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For all parts: the longest function of Devign, 142 KB, takes a quarter of a second.
    all: Duration,
    /// For one of them: of that function 12 ms.
    part: Duration,
}

/// A tree, and the text that its byte offsets refer to.
pub(crate) struct Parsed<'t> {
    pub(crate) tree: Tree,
    /// The function's text, with something in front of and behind it where `shift` is not 0.
    pub(crate) source: Cow<'t, str>,
    /// How many bytes of `source` stand before the function's text.
    pub(crate) shift: usize,
}

/// Parses anything, but for what takes too long.
///
/// A Java method parses by itself, a constructor does not: Java text with errors is tried once more
/// inside a class, and that tree is taken if it has no errors. C text without a function (2 % of
/// Devign lacks the return type) is tried once more with `int` before it, and that tree is taken if
/// the text begins with a function then.
pub(crate) fn parse(text: &str, language: Language) -> Option<Parsed<'_>> {
    parse_within(text, language, PATIENCE)
}

fn parse_within(text: &str, language: Language, patience: Patience) -> Option<Parsed<'_>> {
    if text.len() > MAX_FUNCTION_BYTES {
        return None;
    }
    let tree = parse_tree(text, language, patience)?;
    let root = tree.root_node();
    let retry = match language {
        Language::Java if root.has_error() => JAVA_CLASS,
        Language::C if !has_function(root, text) => C_RETURN_TYPE,
        _ => return Some(Parsed { tree, source: Cow::Borrowed(text), shift: 0 }),
    };
    let (before, after) = retry;
    let source = format!("{before}{text}{after}");
    let retried = parse_tree(&source, language, patience).filter(|retried| match language {
        Language::C => begins_with_function(retried.root_node(), before.len(), &source),
        Language::Java | Language::Python => !retried.root_node().has_error(),
    });
    Some(match retried {
        Some(tree) => Parsed { tree, source: Cow::Owned(source), shift: before.len() },
        None => Parsed { tree, source: Cow::Borrowed(text), shift: 0 },
    })
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

/// The tree of the whole text, unless it or one of the parts before takes too long.
fn parse_tree(text: &str, language: Language, patience: Patience) -> Option<Tree> {
    let mut parser = Parser::new();
    parser
        .set_language(&language.grammar())
        .expect("the grammar crates are built for this tree-sitter");
    let end = Instant::now() + patience.all;
    let part_end = || end.min(Instant::now() + patience.part);
    // From the start each time: on the tree of the part before it can take longer.
    for length in (FIRST_PART..text.len()).step_by(NEXT_PART) {
        let end = part_end();
        parse_until(&mut parser, &text.as_bytes()[..length], end)?;
        // A part that ended late is a warning: the next one may take ten times as long.
        if Instant::now() > end {
            return None;
        }
    }
    parse_until(&mut parser, text.as_bytes(), part_end())
}

/// The tree, unless the parser notices that it is late.
fn parse_until(parser: &mut Parser, text: &[u8], end: Instant) -> Option<Tree> {
    let mut progress = |_: &ParseState| {
        if Instant::now() > end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let mut read = |offset: usize, _| text.get(offset..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    // A parse that was given up would go on where it was.
    parser.reset();
    tree
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
    /// The sibling before the node.
    pub(crate) before: Option<Node<'t>>,
    /// The nearest sibling before the node that has a name in the grammar and is no comment.
    pub(crate) named_before: Option<Node<'t>>,
    /// What only C asks for.
    pub(crate) c: CStep<'t>,
}

/// What a node of C has to know about those around it.
#[derive(Clone, Copy)]
pub(crate) struct CStep<'t> {
    /// The place in the path of what the declarators around the node, if any, belong to.
    pub(crate) declaration: usize,
    /// Of a declaration: whether it says `extern`, and said it already.
    pub(crate) is_extern: bool,
    /// Of a function: whether it declares its parameters behind their list.
    pub(crate) is_old_style: bool,
    /// Of a word that the grammar takes for a name, and of the error behind it: the name that the error
    /// ends with.
    pub(crate) displaced: Option<Node<'t>>,
}

/// Visits every node before its children, in source order, with the path from the root to it.
///
/// `visit` says whether to go on to the node's children. What a node has to know about its siblings is
/// noted on the way: tree-sitter finds parents and siblings by a search from the root, so that asking for
/// them at each of many nodes takes time quadratic in the length of hostile code.
pub(crate) fn walk<'t>(tree: &'t Tree, mut visit: impl FnMut(&[Step<'t>]) -> bool) {
    let displaced = displaced_names(tree);
    let mut cursor = tree.walk();
    let mut path: Vec<Step<'t>> = Vec::new();
    // The sibling that was visited last.
    let mut last: Option<Step<'t>> = None;
    loop {
        let node = cursor.node();
        let step = Step::new(node, cursor.field_name(), &path, last.as_ref(), &displaced);
        if let Some(parent) = path.last_mut() {
            parent.note_child(&step);
        }
        path.push(step);
        if visit(&path) && cursor.goto_first_child() {
            last = None;
            continue;
        }
        loop {
            last = path.pop();
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

impl<'t> Step<'t> {
    /// The step to a node behind its `last` sibling, at the end of `path`.
    fn new(
        node: Node<'t>,
        field: Option<&'t str>,
        path: &[Self],
        last: Option<&Self>,
        displaced: &HashMap<usize, Node<'t>>,
    ) -> Self {
        let parent = path.last();
        let kind = if is_name_type(node, parent) { "identifier" } else { node.kind() };
        let (in_function, in_class) = scope_below(parent);
        let declaration = match parent {
            Some(parent) if continues_declarator(parent.kind, field) => parent.c.declaration,
            _ => path.len().saturating_sub(1),
        };
        let word = if kind == "ERROR" { last.map(|it| it.node) } else { Some(node) };
        Self {
            node,
            kind,
            field,
            in_function,
            in_class,
            before: last.map(|it| it.node),
            named_before: last.and_then(|it| {
                if it.node.is_named() && !it.node.is_extra() {
                    Some(it.node)
                } else {
                    it.named_before
                }
            }),
            c: CStep {
                declaration,
                is_extern: false,
                is_old_style: kind == "function_definition" && has_declarations(node),
                displaced: word.and_then(|it| displaced.get(&it.id()).copied()),
            },
        }
    }

    fn note_child(&mut self, child: &Self) {
        // Specifiers stand before the first name.
        self.c.is_extern |= child.kind == "storage_class_specifier"
            && child.node.child(0).is_some_and(|it| it.kind() == "extern");
    }
}

/// Whether it is the name `type` of Python, of which the grammar takes `type[k] = 1` and `type(x).y = 1` for
/// statements that begin with the keyword (`type X = int`).
fn is_name_type(node: Node<'_>, parent: Option<&Step<'_>>) -> bool {
    let Some(statement) = parent.filter(|it| it.kind == "type_alias_statement") else {
        return false;
    };
    let is_alias = || {
        let left = statement.node.child_by_field_name("left").and_then(|it| it.child(0));
        left.is_none_or(|it| matches!(it.kind(), "identifier" | "generic_type"))
    };
    node.kind() == "type" && !node.is_named() && !is_alias()
}

/// Whether a node in this field of a C declarator is a part of what the declarator declares.
fn continues_declarator(declarator: &str, field: Option<&str>) -> bool {
    match declarator {
        "function_declarator" | "pointer_declarator" | "array_declarator" | "init_declarator" => {
            field == Some("declarator")
        }
        "parenthesized_declarator" | "attributed_declarator" => true,
        _ => false,
    }
}

fn has_declarations(function: Node<'_>) -> bool {
    let mut cursor = function.walk();
    function.children(&mut cursor).any(|child| child.kind() == "declaration")
}

/// In C, by the id of each word that a declaration takes for a name although an error follows it: the
/// identifier that ends the error.
fn displaced_names(tree: &Tree) -> HashMap<usize, Node<'_>> {
    let mut found = HashMap::new();
    if !tree.root_node().has_error() {
        return found;
    }
    let mut cursor = tree.walk();
    let mut parents: Vec<Node<'_>> = Vec::new();
    let mut before: Option<Node<'_>> = None;
    loop {
        let node = cursor.node();
        let is_declarator = parents.last().is_some_and(|parent| {
            matches!(parent.kind(), "function_declarator" | "init_declarator" | "declaration")
        });
        if is_declarator
            && node.is_error()
            && let Some(word) = before.filter(|it| it.kind() == "identifier")
            && let Some(name) = last_child(node).filter(|it| it.kind() == "identifier")
        {
            found.insert(word.id(), name);
        }
        if node.has_error() && cursor.goto_first_child() {
            parents.push(node);
            before = None;
            continue;
        }
        loop {
            before = Some(cursor.node());
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                return found;
            }
            parents.pop();
        }
    }
}

fn last_child(node: Node<'_>) -> Option<Node<'_>> {
    node.child(node.child_count().checked_sub(1)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_given_up() {
        let short = Duration::from_millis(50);
        let patience = Patience { all: 16 * short, part: short };
        let is_given_up =
            |text: String, language| parse_within(&text, language, patience).is_none();
        let start = Instant::now();
        // Quadratic in time and memory: without parts the first takes a minute and 20 GB.
        for (language, hostile) in
            [(Language::Java, "A<"), (Language::Java, ";("), (Language::C, ";+")]
        {
            let hostile = hostile.repeat(50_000);
            assert!(is_given_up(format!("void f(){{{hostile}}}"), language));
            let code = "g();\n".repeat(5_000);
            assert!(is_given_up(format!("void f(){{{code}{hostile}}}"), language));
            let code = "int a;\n".repeat(5_000);
            assert!(is_given_up(format!("{code}void f(){{{hostile}}}"), language));
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }

    #[test]
    fn long_code_is_parsed_up_to_a_length() {
        let minute = Duration::from_mins(1);
        let patience = Patience { all: minute, part: minute };
        let end = |text: &str, language| {
            let parsed = parse_within(text, language, patience)?;
            Some(parsed.tree.root_node().end_byte() - parsed.shift)
        };
        let long = format!("void f(void){{{}}}", "g(a, 1);\n".repeat(10_000));
        assert_eq!(end(&long, Language::C), Some(long.len()));
        // What is put around a function does not count.
        let longest = format!("F(){{{}}}", " ".repeat(MAX_FUNCTION_BYTES - 5));
        assert!(end(&longest, Language::Java).is_some());
        assert!(end(&format!("{longest} "), Language::Java).is_none());
    }
}
