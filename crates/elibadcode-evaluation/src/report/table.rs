//! Markdown tables that also read well as plain text.

use std::iter;

/// A GitHub-flavored Markdown table with aligned columns and a newline at the end.
///
/// Cells may hold Markdown; pipes in them are escaped and line breaks become spaces. Every row must
/// have one cell per header.
pub fn markdown_table<H, R, C>(headers: &[H], rows: &[R]) -> String
where
    H: AsRef<str>,
    R: AsRef<[C]>,
    C: AsRef<str>,
{
    let headers: Vec<String> = headers.iter().map(|header| escape_cell(header.as_ref())).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.as_ref().iter().map(|cell| escape_cell(cell.as_ref())).collect())
        .collect();
    let widths: Vec<usize> = (0..headers.len())
        .map(|column| {
            let cells = rows.iter().map(|row: &Vec<String>| {
                assert_eq!(row.len(), headers.len(), "a row must have one cell per header");
                row[column].chars().count()
            });
            cells.chain([headers[column].chars().count(), 3]).max().unwrap_or_default()
        })
        .collect();

    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    iter::once(&headers)
        .chain(iter::once(&rule))
        .chain(&rows)
        .map(|cells| line(cells, &widths))
        .collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, &width)| format!(" {cell:<width$} |"));
    iter::once("|".to_owned()).chain(padded).chain(iter::once("\n".to_owned())).collect()
}

/// Escapes what ends a cell. Backslashes directly before a pipe are doubled, else they would
/// take its escape away.
fn escape_cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut n_backslashes = 0;
    for c in text.chars() {
        match c {
            '|' => {
                escaped.extend(iter::repeat_n('\\', n_backslashes + 1));
                escaped.push('|');
            }
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(c),
        }
        n_backslashes = if c == '\\' { n_backslashes + 1 } else { 0 };
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let table = markdown_table(&["task", "n"], &[["defect", "1"], ["ü", "1000"]]);
        let expected = "\
| task   | n    |
| ------ | ---- |
| defect | 1    |
| ü      | 1000 |
";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_table_may_be_empty() {
        let rows: [[&str; 1]; 0] = [];
        assert_eq!(markdown_table(&["a"], &rows), "| a   |\n| --- |\n");
    }

    #[test]
    fn cells_cannot_break_out() {
        let check = |cell: &str, expected: &str| assert_eq!(escape_cell(cell), expected);
        check("a|b", r"a\|b");
        check(r"a\|b", r"a\\\|b");
        check(r"a\\|b", r"a\\\\\|b");
        check(r"\a|b", r"\a\|b");
        check("||", r"\|\|");
        check("a\nb\r\nc", "a b  c");
    }
}
