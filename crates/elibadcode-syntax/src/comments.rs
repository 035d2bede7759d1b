//! Source text without comments and docstrings.

use std::ops::Range;

use tree_sitter::Node;

use crate::Language;
use crate::tree::Step;

/// A piece of text that the comment remover takes out, and what comes in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) replacement: &'static str,
}

impl Edit {
    /// Removes one comment.
    pub(crate) fn comment(range: Range<usize>, language: Language) -> Self {
        let replacement = if language == Language::Python { "" } else { " " };
        Self { range, replacement }
    }
}

/// Removes the string at the end of `path` if it is a docstring.
///
/// That is a string (not an f-string or bytes) that is the first statement of a function or class,
/// and every such string right after it, which would be the docstring once the first is gone.
pub(crate) fn docstring(path: &[Step<'_>], source: &str) -> Option<Edit> {
    let [.., definition, block, statement, string] = path else { return None };
    if !matches!(definition.kind, "function_definition" | "class_definition")
        || block.kind != "block"
        || !is_plain_string(statement.node, source)
    {
        return None;
    }
    let mut cursor = block.node.walk();
    let mut statements = block.node.children(&mut cursor).filter(|child| !child.is_extra());
    let others = statements.by_ref().take_while(|other| *other != statement.node);
    if others.into_iter().any(|other| !is_plain_string(other, source)) {
        return None;
    }
    let must_stay = statements.next().is_none_or(|next| next.kind() == ";");
    let replacement = if must_stay { "pass" } else { "" };
    Some(Edit { range: string.node.byte_range(), replacement })
}

/// Whether a statement is nothing but a string, without prefixes that make it something else.
pub(crate) fn is_plain_string(statement: Node<'_>, source: &str) -> bool {
    let string = statement.named_child(0).filter(|_| {
        statement.kind() == "expression_statement" && statement.named_child_count() == 1
    });
    string.filter(|string| string.kind() == "string").is_some_and(|string| {
        source.get(string.byte_range()).is_some_and(|text| {
            let mut prefix = text.chars().take_while(|&c| c != '"' && c != '\'');
            !prefix.any(|c| matches!(c, 'b' | 'B' | 'f' | 'F'))
        })
    })
}

/// Applies `edits` (ascending) and drops the lines that they leave blank.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut touched = Vec::with_capacity(edits.len());
    let mut end = 0;
    for edit in edits {
        // A comment that the grammar sees inside of something already removed.
        if edit.range.start < end {
            continue;
        }
        edited.push_str(&text[end..edit.range.start]);
        touched.push(edited.len());
        edited.push_str(edit.replacement);
        end = edit.range.end;
    }
    edited.push_str(&text[end..]);
    drop_blank_lines(&edited, &touched)
}

/// Drops white space at the end of the lines that hold an offset of `touched`, and the line itself
/// if nothing else is in it.
fn drop_blank_lines(edited: &str, touched: &[usize]) -> String {
    let mut kept = String::with_capacity(edited.len());
    let mut touched = touched.iter().copied().peekable();
    let mut end = 0;
    for line in edited.split_inclusive('\n') {
        end += line.len();
        let mut is_touched = false;
        while touched.next_if(|&at| at < end || end == edited.len()).is_some() {
            is_touched = true;
        }
        let trimmed = line.trim_end();
        // After a backslash a blank line still has to end the macro.
        if !is_touched || (trimmed.is_empty() && kept.trim_end().ends_with('\\')) {
            kept.push_str(line);
        } else if !trimmed.is_empty() {
            kept.push_str(trimmed);
            kept.push_str(line_ending(line));
        }
    }
    kept
}

fn line_ending(line: &str) -> &str {
    if line.ends_with("\r\n") {
        "\r\n"
    } else if line.ends_with('\n') {
        "\n"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests;
