//! Functions of which nobody has said anything: rows of JSON with the source in `func` or `code`.

use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::rows::{MAX_ROW_BYTES, Rows};
use crate::skipped::MAX_FUNCTION_BYTES;

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
pub fn read_unlabelled(path: &Path) -> Result<Vec<UnlabelledFunction>, Error> {
    let mut functions = Vec::new();
    Rows::parse(path, "{\"func\": …}", |line, row: Option<Row>| {
        let Row { func: code } =
            row.ok_or_else(|| format!("the row is longer than {} MiB", MAX_ROW_BYTES >> 20))?;
        if code.len() > MAX_FUNCTION_BYTES {
            return Err(format!(
                "the function is longer than {} KiB; leave it out, or cut it",
                MAX_FUNCTION_BYTES >> 10
            ));
        }
        functions.push(UnlabelledFunction { line, code });
        Ok(())
    })?;
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<UnlabelledFunction>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        fs_err::write(&path, text).unwrap();
        read_unlabelled(&path)
    }

    #[test]
    fn rows_are_read_by_their_function() {
        let functions =
            read("{\"func\": \"a\", \"target\": \"?\"}\n\n{\"code\": \"b\"}\n").unwrap();
        let line = |line, code: &str| UnlabelledFunction { line, code: code.into() };
        assert_eq!(functions, [line(1, "a"), line(3, "b")]);
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
        let long = |n_bytes: usize| format!("{{\"func\": \"{}\"}}\n", "x".repeat(n_bytes));
        check(&long(MAX_FUNCTION_BYTES + 1), "line 1: the function is longer than 256 KiB");
        check(&long(MAX_ROW_BYTES as usize), "line 1: the row is longer than 16 MiB");
    }
}
