//! Functions of which nobody has said anything: rows of JSON with the source in `func` or `code`.

use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::rows::Rows;
use crate::skipped::{Loaded, MAX_FUNCTION_BYTES, SkipReason, Skipped};

/// One function and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlabelledFunction {
    /// Line of the file, from 1.
    pub line: usize,
    /// Source text.
    pub code: String,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "code")]
    func: String,
}

/// Reads one `.jsonl` or `.jsonl.gz` file; other fields of its rows are not looked at.
///
/// Functions that are too long are left out and counted, so that one of them cannot keep the others
/// from being looked at.
pub fn read_unlabelled(path: &Path) -> Result<Loaded<Vec<UnlabelledFunction>>, Error> {
    let mut samples = Vec::new();
    let mut skipped = Skipped::default();
    Rows::parse(path, "{\"func\": …}", |line, row: Option<Row>| {
        skipped.n_rows += 1;
        match row {
            None => skipped.add(SkipReason::RowTooLong, path, line),
            Some(Row { func }) if func.len() > MAX_FUNCTION_BYTES => {
                skipped.add(SkipReason::FunctionTooLong, path, line);
            }
            Some(Row { func: code }) => samples.push(UnlabelledFunction { line, code }),
        }
        Ok(())
    })?;
    skipped.check(path, r#"rows like {"func": …}"#)?;
    Ok(Loaded { samples, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Loaded<Vec<UnlabelledFunction>>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        fs_err::write(&path, text).unwrap();
        read_unlabelled(&path)
    }

    #[test]
    fn rows_are_read_by_their_function() {
        let loaded = read("{\"func\": \"a\", \"target\": \"?\"}\n\n{\"code\": \"b\"}\n").unwrap();
        let line = |line, code: &str| UnlabelledFunction { line, code: code.into() };
        assert_eq!(loaded.samples, [line(1, "a"), line(3, "b")]);
    }

    #[test]
    fn a_long_function_does_not_hide_the_others() {
        let check = |n_bytes: usize, reason: &str| {
            let text = format!("{{\"func\": \"{}\"}}\n{{\"func\": \"a\"}}\n", "x".repeat(n_bytes));
            let Loaded { samples, skipped } = read(&text).unwrap();
            assert_eq!(samples, [UnlabelledFunction { line: 2, code: "a".into() }]);
            let expected = format!("1 of 2 rows unusable: 1 {reason} (first: rows.jsonl, line 1)");
            assert_eq!(skipped.to_string(), expected);
        };
        check(MAX_FUNCTION_BYTES + 1, "function too long");
        check(crate::MAX_ROW_BYTES as usize, "row too long");
    }

    #[test]
    fn bad_rows_are_named_by_line() {
        let check = |text: &str, expected: &str| {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("{\"func\": \"a\"}\n{\"func\": 1}\n", "line 2: invalid type: integer `1`");
        check("{\"target\": 1}\n", "line 1: missing field `func`");
        check("\n", "holds no rows");
    }
}
