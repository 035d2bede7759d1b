//! From a variant to the text of one Java method.
//!
//! Markup beside that of all templates:
//! * `[for $i; 0; $n]` … `[end]` counts, with `for` or `while`;
//! * `[each int $x; $arr]`, `[list String $x; $xs]` and `[chars $c; $s]` … `[end]` go over an
//!   array, a list and the characters of a string, with or without an index;
//! * `#G(role)` may refuse a null argument;
//! * `#N` is a harmless statement, or nothing.
//!
//! A loop body ends normally and has no `continue`.

use rand::{Rng, RngExt};

use super::names::pool;
use crate::synthetic::markup::{Bindings, choose_alternatives, pick};

const HARMLESS: &[&str] = &[
    "calls++;",
    "System.out.println(\"$say\");",
    "logger.fine(\"$say\");",
    "if (verbose) { System.out.println(\"$say\"); }",
    "long $unused = System.currentTimeMillis();",
    "int $unused = 0;",
    "assert calls >= 0;",
];

const GUARDS: &[&str] = &[
    "if ($@ == null) { throw new IllegalArgumentException(\"$@\"); }",
    "Objects.requireNonNull($@);",
    "if ($@ == null) throw new NullPointerException(\"$@ is null\");",
    "assert $@ != null;",
];

const MODIFIERS: &[&str] =
    &["public static ", "public static ", "private static ", "static ", "public static final "];

/// How often there is a statement at `#N`.
const HARMLESS_RATE: f64 = 0.3;

/// How often there is a check at `#G`.
const GUARD_RATE: f64 = 0.35;

/// The source text of one method called `name`.
pub(super) fn method(variant: &str, name: String, rng: &mut impl Rng) -> String {
    let text = choose_alternatives(variant, rng);
    let text = resolve_marks(&text, rng);
    let text = expand_loops(&text, &mut 0, rng);
    let mut names = Bindings::new(pool);
    names.set("fn", name);
    let modifiers = *pick(MODIFIERS, rng);
    let text = names.fill(&format!("{modifiers}{text}"), rng);
    let text = vary_increments(&text, rng);
    lay_out(&text.split_whitespace().collect::<Vec<_>>().join(" "), rng)
}

fn resolve_marks(template: &str, rng: &mut impl Rng) -> String {
    let mut pieces = template.split('#');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    let mut used = Vec::new();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix('N') {
            let statement = *pick(HARMLESS, rng);
            if rng.random_bool(HARMLESS_RATE) && !used.contains(&statement) {
                used.push(statement);
                text.push_str(statement);
            }
            text.push_str(rest);
        } else if let Some((role, rest)) =
            piece.strip_prefix("G(").and_then(|it| it.split_once(')'))
        {
            if rng.random_bool(GUARD_RATE) {
                text.push_str(&pick(GUARDS, rng).replace('@', role));
            }
            text.push_str(rest);
        } else {
            unreachable!("a variant uses an unknown mark: `#{piece}`");
        }
    }
    text
}

/// Writes out the loops, outer ones first; `n_indices` counts the indices that they bring along.
fn expand_loops(template: &str, n_indices: &mut usize, rng: &mut impl Rng) -> String {
    let starts = ["[for ", "[each ", "[list ", "[chars "];
    let Some(start) = starts.iter().filter_map(|mark| template.find(mark)).min() else {
        return template.to_owned();
    };
    let head_end = start + template[start..].find(']').expect("a loop has a head");
    let mut head_end = head_end;
    while template[start + 1..head_end].matches('[').count()
        > template[start + 1..head_end].matches(']').count()
    {
        head_end += 1 + template[head_end + 1..].find(']').expect("brackets are paired");
    }
    let (body_len, after) = matching_end(&template[head_end + 1..], &starts);
    let body = &template[head_end + 1..head_end + 1 + body_len];
    let rest = &template[head_end + 1 + after..];
    let (kind, head) = template[start + 1..head_end].split_once(' ').expect("a loop has operands");
    let parts: Vec<&str> = head.split(';').map(str::trim).collect();
    *n_indices += 1;
    let at = if *n_indices == 1 { "$it".to_owned() } else { format!("$it{n_indices}") };
    let looped = write_loop(kind, &parts, body, &at, rng);
    let text = format!("{}{looped}{rest}", &template[..start]);
    expand_loops(&text, n_indices, rng)
}

/// The length of a loop's body, and where its `[end]` ends.
fn matching_end(text: &str, starts: &[&str]) -> (usize, usize) {
    let mut depth = 1;
    for (at, _) in text.match_indices('[') {
        if text[at..].starts_with("[end]") {
            depth -= 1;
            if depth == 0 {
                return (at, at + "[end]".len());
            }
        } else if starts.iter().any(|mark| text[at..].starts_with(mark)) {
            depth += 1;
        }
    }
    unreachable!("a loop without end: `{text}`")
}

fn write_loop(kind: &str, parts: &[&str], body: &str, at: &str, rng: &mut impl Rng) -> String {
    let counted = |index: &str, from: &str, to: &str, first: &str, form: usize| match form {
        0 | 1 => {
            format!("for (int {index} = {from}; {index} < {to}; {index}++) {{ {first}{body} }}")
        }
        2 => format!("for (int {index} = {from}; {index} < {to}; ++{index}) {{ {first}{body} }}"),
        _ => format!("int {index} = {from}; while ({index} < {to}) {{ {first}{body} {index}++; }}"),
    };
    let form = rng.random_range(0..5_usize);
    match (kind, parts) {
        ("for", [index, from, to]) => counted(index, from, to, "", form),
        ("each", [variable, array]) if form < 3 => {
            format!("for ({variable} : {array}) {{ {body} }}")
        }
        ("each", [variable, array]) => {
            let first = format!("{variable} = {array}[{at}]; ");
            counted(at, "0", &format!("{array}.length"), &first, form - 2)
        }
        ("list", [variable, list]) => match form {
            0..=2 => format!("for ({variable} : {list}) {{ {body} }}"),
            3 => {
                let first = format!("{variable} = {list}.get({at}); ");
                counted(at, "0", &format!("{list}.size()"), &first, 0)
            }
            _ => {
                let element = variable.split(' ').next().unwrap_or_default();
                format!(
                    "Iterator<{element}> {at} = {list}.iterator(); while ({at}.hasNext()) {{ \
                     {variable} = {at}.next(); {body} }}"
                )
            }
        },
        ("chars", [variable, text]) => match form {
            0 | 1 => format!("for (char {variable} : {text}.toCharArray()) {{ {body} }}"),
            _ => {
                let first = format!("char {variable} = {text}.charAt({at}); ");
                counted(at, "0", &format!("{text}.length()"), &first, form - 1)
            }
        },
        _ => unreachable!("a variant uses the unknown loop `{kind}`"),
    }
}

/// Writes some of the statements `x++;` in another way.
fn vary_increments(text: &str, rng: &mut impl Rng) -> String {
    let mut pieces = text.split("++;");
    let mut varied = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let start = varied.rfind([' ', '{']).map_or(0, |at| at + 1);
        let name = varied[start..].to_owned();
        let is_statement = name.chars().all(|c| c.is_ascii_alphanumeric())
            && varied[..start].trim_end().ends_with([';', '{', '}']);
        match rng.random_range(0..6) {
            0 if is_statement => varied.push_str(" += 1;"),
            1 if is_statement => varied.extend([" = ", name.as_str(), " + 1;"]),
            _ => varied.push_str("++;"),
        }
        varied.push_str(piece);
    }
    varied
}

/// Breaks `text`, one method on one line, into indented lines.
fn lay_out(text: &str, rng: &mut impl Rng) -> String {
    let indent = *pick(&["    ", "    ", "\t", "  "], rng);
    let cuddled = rng.random_bool(0.7);
    let mut out = String::new();
    // Open blocks, and whether each is the body of a `do`.
    let mut blocks: Vec<bool> = Vec::new();
    // Open parentheses, and braces of array initializers.
    let mut parens = 0_usize;
    let mut quote = None;
    let mut line = String::new();
    let mut chars = text.char_indices();
    let end_line = |line: &mut String, depth: usize, out: &mut String| {
        if !line.trim().is_empty() {
            out.push_str(&indent.repeat(depth));
            out.push_str(line.trim());
            out.push('\n');
        }
        line.clear();
    };
    while let Some((at, c)) = chars.next() {
        if let Some(open) = quote {
            line.push(c);
            if c == '\\' {
                line.extend(chars.next().map(|(_, escaped)| escaped));
            } else if c == open {
                quote = None;
            }
            continue;
        }
        let mut ends_do = false;
        let in_parens = parens > 0;
        match c {
            '"' | '\'' => quote = Some(c),
            '(' => parens += 1,
            '{' if parens > 0 || line.trim_end().ends_with([']', '=']) => parens += 1,
            ')' => parens -= 1,
            '}' if parens > 0 => parens -= 1,
            '}' => {
                end_line(&mut line, blocks.len(), &mut out);
                ends_do = blocks.pop() == Some(true);
            }
            _ => {}
        }
        line.push(c);
        // The brace that ends an initializer ends no block.
        if parens > 0 || in_parens {
            continue;
        }
        let rest = text[at + c.len_utf8()..].trim_start();
        let goes_on = ["else", "catch", "finally"].iter().any(|it| rest.starts_with(it));
        match c {
            '{' => {
                let is_do = line.trim() == "do {";
                end_line(&mut line, blocks.len(), &mut out);
                blocks.push(is_do);
            }
            ';' => end_line(&mut line, blocks.len(), &mut out),
            '}' if !(ends_do || (cuddled && goes_on)) => {
                end_line(&mut line, blocks.len(), &mut out);
            }
            _ => {}
        }
    }
    end_line(&mut line, blocks.len(), &mut out);
    out
}
