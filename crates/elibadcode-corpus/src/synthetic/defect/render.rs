//! From a template to the text of one C function.
//!
//! Template markup, beside C:
//! * `$role` is a name or type drawn for the role, the same throughout the function;
//! * `#{a#|b#}` is `a` in the safe function and `b` in the defective one;
//! * `#S` and `#D` are where the case's guard stands in the safe and in the defective function,
//!   where a check gives way to a harmless statement at times;
//! * `` `a~b` `` is `a` or `b`, whatever the label;
//! * `#N` is a harmless statement, or nothing.

use rand::{Rng, RngExt};

use super::names::Names;
use super::shapes::Case;
use crate::synthetic::markup::{choose_alternatives, pick};

const HARMLESS: &[&str] = &[
    "stat_calls++;",
    "trace_event(\"$noun\");",
    "log_value($const, stat_calls);",
    "debug_level |= $const;",
    "assert(stat_calls `<~<=~>=~>` $const);",
    "if (!debug_level) stat_small = $const;",
    "if (debug_level == 0) stat_small++;",
];

/// How often there is a statement at `#N`.
const HARMLESS_RATE: f64 = 0.75;

/// How often a check is left out rather than made too late.
const OMITTED_RATE: f64 = 0.6;

/// The source text of one function.
pub(super) fn function(
    head: &str,
    case: &Case,
    defective: bool,
    names: &mut Names,
    rng: &mut impl Rng,
) -> String {
    let storage = *pick(&["static ", "static ", ""], rng);
    let marked = resolve_marks(case, defective, rng);
    let template = choose_alternatives(&format!("{storage}{head} {{ {marked} }}"), rng);
    let text = bind_names(&template, names, rng);
    lay_out(&text.split_whitespace().collect::<Vec<_>>().join(" "), rng)
}

/// The body that the label asks for; alternatives and roles still to be chosen.
fn resolve_marks(case: &Case, defective: bool, rng: &mut impl Rng) -> String {
    let mut text = String::new();
    let mut pieces = case.body.split('#');
    text.push_str(pieces.next().unwrap_or_default());
    let mut keep = true;
    let omitted = defective && case.guard.starts_with("if") && rng.random_bool(OMITTED_RATE);
    for piece in pieces {
        let (mark, rest) = piece.split_at(1);
        match mark {
            "{" => keep = !defective,
            "|" => keep = defective,
            "}" => keep = true,
            "S" if !defective => text.push_str(case.guard),
            "D" if omitted => text.push_str(pick::<&str>(HARMLESS, rng)),
            "D" if defective => text.push_str(case.guard),
            "N" if rng.random_bool(HARMLESS_RATE) => text.push_str(pick::<&str>(HARMLESS, rng)),
            "S" | "D" | "N" => {}
            _ => unreachable!("a shape uses the unknown mark `#{mark}`"),
        }
        if keep {
            text.push_str(rest);
        }
    }
    text
}

fn bind_names(template: &str, names: &mut Names, rng: &mut impl Rng) -> String {
    let mut pieces = template.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(piece.len());
        text.push_str(&names.bind(&piece[..end], rng));
        text.push_str(&piece[end..]);
    }
    text
}

/// Breaks `text`, one function on one line, into indented lines.
fn lay_out(text: &str, rng: &mut impl Rng) -> String {
    let indent = *pick(&["    ", "\t", "  "], rng);
    let brace_below: bool = rng.random();
    let mut lines =
        Lines { text: String::new(), line: String::new(), depth: 0, hanging: 0, indent };
    let mut parens = 0_usize;
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '"';
        match c {
            _ if quoted => lines.line.push(c),
            ' ' if lines.line.is_empty() => {}
            '{' if lines.depth == 0 && brace_below => {
                lines.end();
                lines.open();
            }
            '{' => lines.open(),
            '}' => lines.close(),
            ';' if parens == 0 => {
                lines.line.push(c);
                lines.end();
                lines.hanging = 0;
            }
            _ => {
                lines.line.push(c);
                parens = parens + usize::from(c == '(') - usize::from(c == ')');
                if c == ')' && parens == 0 && lines.is_control() {
                    while chars.next_if_eq(&' ').is_some() {}
                    if chars.peek() == Some(&'{') {
                        lines.line.push(' ');
                    } else {
                        lines.end();
                        lines.hanging += 1;
                    }
                }
            }
        }
    }
    lines.text
}

struct Lines {
    text: String,
    line: String,
    depth: usize,
    /// Levels below a control statement without braces.
    hanging: usize,
    indent: &'static str,
}

impl Lines {
    fn is_control(&self) -> bool {
        ["if (", "for (", "while ("].iter().any(|head| self.line.starts_with(head))
    }

    fn end(&mut self) {
        let line = self.line.trim_end();
        if !line.is_empty() {
            self.text.push_str(&self.indent.repeat(self.depth + self.hanging));
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.line.clear();
    }

    fn open(&mut self) {
        self.line.push('{');
        self.end();
        self.depth += 1;
        self.hanging = 0;
    }

    fn close(&mut self) {
        self.end();
        self.depth -= 1;
        self.line.push('}');
        self.end();
    }
}
