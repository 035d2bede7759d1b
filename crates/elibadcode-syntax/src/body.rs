//! Statements put in front of everything that a function does.

use std::ops::Range;

use tree_sitter::Node;

use crate::comments::is_plain_string;
use crate::identifier::Role;
use crate::tree::{self, walk};
use crate::{Function, InsertError, Language};

/// How much deeper than its function a body stands that has no line of its own yet.
const INDENT: &str = "    ";

/// A function with statements that were put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The whole function.
    pub function: Function,
    /// The bytes of its text that are new: the statements and the white space around them.
    pub range: Range<usize>,
}

/// Where text goes in, and what it looks like there.
struct Place {
    offset: usize,
    /// What comes in front of each statement.
    before_each: String,
    /// What comes behind each statement.
    after_each: String,
    /// What comes behind all of them.
    after: String,
}

impl Place {
    fn before_each(offset: usize, before_each: String) -> Self {
        Self { offset, before_each, after_each: String::new(), after: String::new() }
    }
}

impl Function {
    /// The function with `statements`, in this order, at the start of its body.
    ///
    /// Each statement is complete and has no line ends; in Python a compound statement has its
    /// body on the same line. The place is right behind the first brace of the body, or in Python
    /// behind the colon; but behind the call of another constructor with which a Java constructor
    /// has to begin, and behind a docstring, which would be none after a statement. New lines are
    /// made and indented where the body has lines of its own.
    pub fn with_first_statements(&self, statements: &[&str]) -> Result<Inserted, InsertError> {
        let place = self.body_start().ok_or(InsertError::NoBody)?;
        let mut inserted = String::new();
        for statement in statements {
            inserted.extend([&*place.before_each, statement, &*place.after_each]);
        }
        inserted.push_str(&place.after);
        let (start, end) = self.text().split_at(place.offset);
        let function = Self::parse(format!("{start}{inserted}{end}"), self.language());
        let range = place.offset..place.offset + inserted.len();
        // Where the code has errors, their recovery can depend on what stands around them.
        if function.has_errors() != self.has_errors() || !keeps_tokens(self, &function, &range) {
            return Err(InsertError::ParseChanged);
        }
        Ok(Inserted { function, range })
    }

    fn body_start(&self) -> Option<Place> {
        let text = self.text();
        let parsed = tree::parse(text, self.language())?;
        let name = self.identifiers().iter().find(|it| it.role == Role::FunctionName)?;
        let names: Vec<usize> =
            name.occurrences.iter().map(|range| range.start + parsed.shift).collect();
        let mut place = None;
        walk(&parsed.tree, |path| {
            let Some(step) = path.last().filter(|_| place.is_none()) else { return false };
            let body = step.node.child_by_field_name("body");
            if let Some(body) = body.filter(|_| is_function(step.kind)) {
                let head = step.node.start_byte()..body.start_byte();
                if names.iter().any(|name| head.contains(name)) {
                    place = match self.language() {
                        Language::C | Language::Java => {
                            in_braces(text, &parsed.source, body, parsed.shift)
                        }
                        Language::Python => in_suite(text, step.node, body),
                    };
                }
            }
            true
        });
        place
    }
}

fn is_function(kind: &str) -> bool {
    matches!(
        kind,
        "function_definition"
            | "method_declaration"
            | "constructor_declaration"
            | "compact_constructor_declaration"
    )
}

/// The place in a body in braces; `body` is a node of `source`, in which `text` begins at `shift`.
fn in_braces(text: &str, source: &str, body: Node<'_>, shift: usize) -> Option<Place> {
    if !source.get(body.byte_range())?.starts_with('{') {
        return None;
    }
    let mut cursor = body.walk();
    let statements: Vec<Node<'_>> =
        body.named_children(&mut cursor).filter(|child| !child.is_extra()).collect();
    let first = statements.first();
    let offset = match first {
        Some(call) if call.kind() == "explicit_constructor_invocation" => call.end_byte(),
        _ => body.start_byte() + 1,
    };
    let offset = offset.checked_sub(shift)?;
    let rest = text.get(offset..)?;
    let Some(line_end) = line_end(rest) else {
        return Some(Place::before_each(offset, " ".to_owned()));
    };
    let indent = first
        .and_then(|first| own_indent(text, first.start_byte().checked_sub(shift)?))
        .map_or_else(|| format!("{}{INDENT}", line_indent(text, offset)), str::to_owned);
    Some(Place::before_each(offset, format!("{line_end}{indent}")))
}

/// The place in the body of a Python function.
fn in_suite(text: &str, function: Node<'_>, body: Node<'_>) -> Option<Place> {
    let mut cursor = body.walk();
    let statements: Vec<Node<'_>> =
        body.named_children(&mut cursor).filter(|child| !child.is_extra()).collect();
    let first = *statements.first()?;
    let start = first.start_byte();
    let end_of_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if is_plain_string(first, text) {
        let indent = own_indent(text, start)?;
        let offset = first.end_byte();
        let behind = text.get(offset..)?.trim_start_matches([' ', '\t']);
        let is_last = behind.is_empty() || behind.starts_with(['\n', '\r', '#']);
        let line = format!("{end_of_line}{indent}");
        return is_last.then_some(Place::before_each(offset, line));
    }
    if let Some(indent) = own_indent(text, start) {
        let after_each = format!("{end_of_line}{indent}");
        return Some(Place { after_each, ..Place::before_each(start, String::new()) });
    }
    // The whole function in one line, where no compound statement can be.
    let line = format!("{end_of_line}{}{INDENT}", line_indent(text, function.start_byte()));
    Some(Place { after: line.clone(), ..Place::before_each(start, line) })
}

/// How the line ends, if nothing but white space comes before its end.
fn line_end(rest: &str) -> Option<&'static str> {
    let rest = rest.trim_start_matches([' ', '\t']);
    let is_crlf = rest.starts_with("\r\n");
    (is_crlf || rest.starts_with('\n')).then_some(if is_crlf { "\r\n" } else { "\n" })
}

/// What stands before `offset` in its line, if that is nothing but white space.
fn own_indent(text: &str, offset: usize) -> Option<&str> {
    let before = text.get(..offset)?;
    let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t')).then_some(line)
}

/// The white space at the beginning of the line of `offset`.
fn line_indent(text: &str, offset: usize) -> &str {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let n_blank = text[start..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[start..start + n_blank]
}

/// Whether the tokens outside of `range`, which is new in `after`, are those of `before`.
fn keeps_tokens(before: &Function, after: &Function, range: &Range<usize>) -> bool {
    let kept = after
        .tokens()
        .iter()
        .filter(|token| token.range.end <= range.start || token.range.start >= range.end)
        .map(|token| {
            let shift = if token.range.start >= range.end { range.len() } else { 0 };
            token.range.start - shift..token.range.end - shift
        });
    let is_apart = after
        .tokens()
        .iter()
        .filter(|token| token.range.start < range.end && token.range.end > range.start)
        .all(|token| token.range.start >= range.start && token.range.end <= range.end);
    is_apart && kept.eq(before.tokens().iter().map(|token| token.range.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, statements: &[&str], text: &str, expected: &str) {
        let function = Function::parse(text, language);
        let inserted = function.with_first_statements(statements).expect("there is a body");
        assert_eq!(inserted.function.text(), expected);
        let mut undone = expected.to_owned();
        undone.replace_range(inserted.range, "");
        assert_eq!(undone, text);
    }

    #[track_caller]
    fn check_refused(language: Language, text: &str, expected: &InsertError) {
        let outcome = Function::parse(text, language).with_first_statements(&["x();"]);
        assert_eq!(outcome.expect_err("no place").to_string(), expected.to_string(), "{text}");
    }

    #[test]
    fn c_statements_follow_the_first_brace_of_the_body() {
        let check = |text, expected| check(Language::C, &["x();"], text, expected);
        check("int f(void) { return 1; }", "int f(void) { x(); return 1; }");
        check("int f(void) {}", "int f(void) { x();}");
        check("int f(void)\n{\n\treturn 1;\n}\n", "int f(void)\n{\n\tx();\n\treturn 1;\n}\n");
        check("int f(void) {\n}\n", "int f(void) {\n    x();\n}\n");
        check("int f(a)\nint a;\n{ \r\n  a;\r\n}", "int f(a)\nint a;\n{\r\n  x(); \r\n  a;\r\n}");
        check("int f(int a) { // why\n  a; }", "int f(int a) { x(); // why\n  a; }");
        check("struct s { int a; } f(void) { a; }", "struct s { int a; } f(void) { x(); a; }");
        check("f(int a) { a; }", "f(int a) { x(); a; }");
        check("int g(int); int f(void) { a; }", "int g(int); int f(void) { x(); a; }");
    }

    #[test]
    fn java_statements_follow_the_call_of_a_constructor() {
        let check = |text, expected| check(Language::Java, &["x();"], text, expected);
        check(
            "@A({1, 2}) int f() throws E { return 1; }",
            "@A({1, 2}) int f() throws E { x(); return 1; }",
        );
        check("public F(int a) { super(a); b = a; }", "public F(int a) { super(a); x(); b = a; }");
        check("F() {\n  // first\n  this(1);\n}", "F() {\n  // first\n  this(1);\n  x();\n}");
        check("void f() { super.f(); }", "void f() { x(); super.f(); }");
    }

    #[test]
    fn python_statements_follow_the_colon_or_the_docstring() {
        let check = |text, expected| check(Language::Python, &["x()", "y()"], text, expected);
        check("def f(a):\n  return a\n", "def f(a):\n  x()\n  y()\n  return a\n");
        check(
            "@d\ndef f(a={1: 2}) -> D[1:2]:\n    # why\n\n    return a",
            "@d\ndef f(a={1: 2}) -> D[1:2]:\n    # why\n\n    x()\n    y()\n    return a",
        );
        check("def f(a): return a", "def f(a): \n    x()\n    y()\n    return a");
        check(
            "def f():\n\t\"\"\"Doc\n\tstring.\"\"\"  # why\n\tpass\n",
            "def f():\n\t\"\"\"Doc\n\tstring.\"\"\"\n\tx()\n\ty()  # why\n\tpass\n",
        );
        check("def f():\n    'doc'", "def f():\n    'doc'\n    x()\n    y()");
        check("def f():\n  f'{a}'\n", "def f():\n  x()\n  y()\n  f'{a}'\n");
        check("async def f():\r\n  a\r\n", "async def f():\r\n  x()\r\n  y()\r\n  a\r\n");
    }

    #[test]
    fn what_has_no_body_is_refused() {
        check_refused(Language::C, "", &InsertError::NoBody);
        check_refused(Language::C, "int f(void);", &InsertError::NoBody);
        check_refused(Language::C, "{ a(); }", &InsertError::NoBody);
        check_refused(Language::Java, "abstract int f();", &InsertError::NoBody);
        check_refused(Language::Python, "def f(): 'doc'", &InsertError::NoBody);
        check_refused(Language::Python, "def f():\n  'doc'; g()\n", &InsertError::NoBody);
        check_refused(Language::Python, "f = 1", &InsertError::NoBody);
    }
}
