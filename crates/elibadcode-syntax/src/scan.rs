//! One pass over the tree: tokens, uses of names, and what the comment remover takes out.

use std::collections::HashSet;
use std::ops::Range;

use crate::Language;
use crate::binding::{self, Use};
use crate::comments::{Docstrings, Edit};
use crate::function::CodeToken;
use crate::tree::{Parsed, Step, walk};

/// What one pass finds; all ranges refer to the function's own text.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) tokens: Vec<CodeToken>,
    pub(crate) uses: Vec<(Range<usize>, Use)>,
    pub(crate) edits: Vec<Edit>,
}

/// Walks over the tree of `text`.
pub(crate) fn scan(parsed: &Parsed<'_>, text: &str, language: Language) -> Scan {
    let source = parsed.source.as_ref();
    let mut found = Scan::default();
    let own = |range: Range<usize>| own_range(range, parsed.shift, text);
    // While the walk is inside a literal, only the names in it matter (f-strings).
    let mut literal_end = 0;
    let mut docstrings = Docstrings::default();
    let mut previous = "";
    walk(&parsed.tree, |path| {
        let Some(step) = path.last() else { return false };
        let in_literal = step.node.start_byte() < literal_end;
        if let Some(edit) = comment_edit(path, source, language, &mut docstrings)
            && let Some(range) = own(edit.range.clone())
            && !(in_literal && is_comment(step.kind))
        {
            found.edits.push(Edit { range, ..edit });
        }
        if is_comment(step.kind) {
            return false;
        }
        if is_literal(step.kind) {
            if let Some(range) = own(step.node.byte_range())
                && !in_literal
            {
                found.tokens.push(CodeToken { range });
            }
            literal_end = literal_end.max(step.node.end_byte());
            previous = "";
            return language != Language::C && step.node.child_count() > 0;
        }
        if step.kind == "preproc_arg" {
            for name in preproc_names(path, source) {
                found.uses.extend(own(name).map(|range| (range, Use::Reference)));
            }
        }
        let is_name = step.kind == "identifier";
        if !is_name && step.node.child_count() > 0 {
            return true;
        }
        if step.kind.ends_with("identifier")
            && let Some(range) = own(step.node.byte_range())
        {
            // Nothing after a dot is a name of the function: a field, a method, part of a path.
            let is_member = match language {
                Language::C => matches!(previous, "." | "->"),
                Language::Java => matches!(previous, "." | "::"),
                Language::Python => previous == ".",
            };
            let name_use =
                if is_member { Use::Other } else { binding::classify(language, path, source) };
            found.uses.push((range, name_use));
        }
        if step.kind == "line_continuation" {
            return false;
        }
        previous = step.kind;
        if !in_literal && let Some(range) = own(token_range(step, source)) {
            found.tokens.push(CodeToken { range });
        }
        false
    });
    found
}

/// What the comment remover does at the end of `path`; the range refers to `source`.
///
/// `docstrings` has to see every node of the walk.
pub(crate) fn comment_edit(
    path: &[Step<'_>],
    source: &str,
    language: Language,
    docstrings: &mut Docstrings,
) -> Option<Edit> {
    let step = path.last()?;
    if is_comment(step.kind) {
        Some(Edit::comment(without_line_end(step, source), language))
    } else if step.kind == "preproc_arg" {
        Some(Edit::comment(preproc_comment(step, source)?, language))
    } else if language == Language::Python {
        docstrings.edit(path, source)
    } else {
        None
    }
}

pub(crate) fn is_comment(kind: &str) -> bool {
    matches!(kind, "comment" | "line_comment" | "block_comment")
}

/// The range of a comment; the grammars count a carriage return before the end of line to it.
fn without_line_end(comment: &Step<'_>, source: &str) -> Range<usize> {
    let range = comment.node.byte_range();
    let n_returns =
        source.get(range.clone()).map_or(0, |text| text.len() - text.trim_end_matches('\r').len());
    range.start..range.end - n_returns
}

pub(crate) fn is_literal(kind: &str) -> bool {
    matches!(kind, "string_literal" | "char_literal" | "character_literal" | "string")
}

/// Translates a range of the parsed source into one of `text`; `None` if it is empty or outside.
pub(crate) fn own_range(range: Range<usize>, shift: usize, text: &str) -> Option<Range<usize>> {
    let range = range.start.checked_sub(shift)?..range.end.checked_sub(shift)?;
    text.get(range.clone()).is_some_and(|token| !token.trim().is_empty()).then_some(range)
}

/// The leaf without white space around it, and without the `//` comment at the end of a directive.
fn token_range(step: &Step<'_>, source: &str) -> Range<usize> {
    let range = step.node.byte_range();
    let comment = (step.kind == "preproc_arg").then(|| preproc_comment(step, source)).flatten();
    let end = comment.map_or(range.end, |comment| comment.start);
    let Some(token) = source.get(range.start..end) else { return range };
    let start = range.start + (token.len() - token.trim_start().len());
    start..start + token.trim().len()
}

/// The `//` comment at the end of a directive, which the grammar takes for a part of it.
fn preproc_comment(step: &Step<'_>, source: &str) -> Option<Range<usize>> {
    let start = step.node.start_byte();
    let body = source.get(step.node.byte_range())?;
    let (at, _) = words(body).into_iter().find(|(_, word)| *word == Word::Comment)?;
    Some(start + at.start..start + at.end)
}

/// The names in the body of a macro, which the grammar leaves as one piece of text.
///
/// Parameters of the macro itself are no names of the function.
pub(crate) fn preproc_names(path: &[Step<'_>], source: &str) -> Vec<Range<usize>> {
    let [.., parent, leaf] = path else { return Vec::new() };
    let part = |field: &str| {
        let node = parent.node.child_by_field_name(field)?;
        source.get(node.byte_range())
    };
    let parameters: &str = match parent.kind {
        "preproc_def" => "",
        "preproc_function_def" => part("parameters").unwrap_or(""),
        "preproc_call" if part("directive").is_some_and(|name| name.ends_with("pragma")) => "",
        _ => return Vec::new(),
    };
    let own: HashSet<&str> = words(parameters).into_iter().map(|(at, _)| &parameters[at]).collect();
    let start = leaf.node.start_byte();
    let Some(body) = source.get(leaf.node.byte_range()) else { return Vec::new() };
    words(body)
        .into_iter()
        .filter(|(at, word)| *word == Word::Name && !own.contains(&body[at.clone()]))
        .map(|(at, _)| start + at.start..start + at.end)
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Name,
    Field,
    Comment,
}

/// The words of a macro body outside of strings, and the `//` comment that may end it.
fn words(body: &str) -> Vec<(Range<usize>, Word)> {
    let bytes = body.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'"' | b'\'') => {
                i += 1;
                while i < bytes.len() && bytes[i] != quote {
                    i += 1 + usize::from(bytes[i] == b'\\');
                }
                i += 1;
            }
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                found.push((i..body.trim_end().len(), Word::Comment));
                break;
            }
            first if is_word(first) => {
                let start = i;
                while i < bytes.len() && is_word(bytes[i]) {
                    i += 1;
                }
                if !first.is_ascii_digit() {
                    let before = body[..start].trim_end();
                    let field = (before.ends_with('.') && !before.ends_with("..."))
                        || before.ends_with("->");
                    found.push((start..i, if field { Word::Field } else { Word::Name }));
                }
            }
            _ => i += 1,
        }
    }
    found
}
