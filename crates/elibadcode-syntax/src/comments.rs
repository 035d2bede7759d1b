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

/// The docstrings that a walk over the tree comes to next, the last one first.
///
/// They are found for a whole block at once: to look for each string at what stands before it
/// takes time quadratic in the number of strings that a hostile function begins with.
#[derive(Default)]
pub(crate) struct Docstrings(Vec<Edit>);

impl Docstrings {
    /// Removes the string at the end of `path` if it is a docstring; `path` is that of every node
    /// in turn.
    pub(crate) fn edit(&mut self, path: &[Step<'_>], source: &str) -> Option<Edit> {
        let [.., parent, step] = path else { return None };
        if step.kind == "string" {
            return self.0.pop_if(|edit| edit.range == step.node.byte_range());
        }
        let is_definition = matches!(parent.kind, "function_definition" | "class_definition");
        if is_definition && step.kind == "block" {
            self.0.extend(docstrings(step.node, source).into_iter().rev());
        }
        None
    }
}

/// Removes the docstrings at the start of the block of a function or class.
///
/// That is a string (no f-string, t-string or bytes) that is the first statement, and every such
/// string right after it, which would be the docstring once the first is gone.
fn docstrings(block: Node<'_>, source: &str) -> Vec<Edit> {
    let mut cursor = block.walk();
    let mut statements = block.children(&mut cursor).filter(|child| !child.is_extra()).peekable();
    let mut edits = Vec::new();
    while let Some(string) = statements.peek().and_then(|&it| plain_string(it, source)) {
        statements.next();
        let must_stay = statements.peek().is_none_or(|next| next.kind() == ";");
        let replacement = if must_stay { "pass" } else { "" };
        edits.push(Edit { range: string.byte_range(), replacement });
    }
    edits
}

/// Whether a statement is nothing but a string, without prefixes that make it something else.
pub(crate) fn is_plain_string(statement: Node<'_>, source: &str) -> bool {
    plain_string(statement, source).is_some()
}

fn plain_string<'t>(statement: Node<'t>, source: &str) -> Option<Node<'t>> {
    // A comma behind the string makes a tuple of it.
    let is_alone = statement.kind() == "expression_statement" && statement.child_count() == 1;
    let string = statement.child(0).filter(|it| is_alone && it.kind() == "string")?;
    let text = source.get(string.byte_range())?;
    let mut prefix = text.chars().take_while(|&c| c != '"' && c != '\'');
    let is_other = prefix.any(|c| matches!(c, 'b' | 'B' | 'f' | 'F' | 't' | 'T'));
    (!is_other).then_some(string)
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
    let mut goes_on = false;
    for line in edited.split_inclusive('\n') {
        end += line.len();
        let mut is_touched = false;
        while touched.next_if(|&at| at < end || end == edited.len()).is_some() {
            is_touched = true;
        }
        let trimmed = line.trim_end();
        if !trimmed.is_empty() {
            goes_on = trimmed.ends_with('\\');
        }
        // After a backslash a blank line still has to end the macro.
        if !is_touched || (trimmed.is_empty() && goes_on) {
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
