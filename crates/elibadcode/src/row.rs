//! Rows of JSON in which one string changes and every other byte stays.

use std::ops::Range;

use serde::de::IgnoredAny;

/// The string that a row holds a function in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Where the value stands in the row, with its quotes.
    range: Range<usize>,
    /// The value.
    pub(crate) value: String,
}

/// The first of `names` that the row has.
pub(crate) fn find(row: &str, names: &[&str]) -> Result<Field, String> {
    serde_json::from_str::<IgnoredAny>(row).map_err(|error| {
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or(&text);
        format!("{text} (column {})", error.column())
    })?;
    if !row.trim_start().starts_with('{') {
        return Err("the row is no object".to_owned());
    }
    let fields = fields(row);
    let expected = names.join("` or `");
    let name = names
        .iter()
        .find(|name| fields.iter().any(|(found, _)| found == *name))
        .ok_or_else(|| format!("the row has no field `{expected}`"))?;
    let mut values = fields.iter().filter(|(found, _)| found == name).map(|(_, range)| range);
    let range = values.next().cloned().unwrap_or_default();
    if values.next().is_some() {
        return Err(format!("the row has the field `{name}` twice"));
    }
    let value = serde_json::from_str(&row[range.clone()])
        .map_err(|_| format!("the field `{name}` is no string"))?;
    Ok(Field { range, value })
}

/// The row with another string in this field.
pub(crate) fn replace(row: &str, field: &Field, value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!("{}{value}{}", &row[..field.range.start], &row[field.range.end..])
}

/// The names of an object's own fields and where their values stand; `row` is valid JSON.
fn fields(row: &str) -> Vec<(String, Range<usize>)> {
    let bytes = row.as_bytes();
    let mut fields = Vec::new();
    let mut at = skip(bytes, 0, |byte| byte != b'{') + 1;
    loop {
        let start = skip(bytes, at, |byte| byte != b'"' && byte != b'}');
        if bytes.get(start) != Some(&b'"') {
            return fields;
        }
        let end = string_end(bytes, start);
        let name = serde_json::from_str(&row[start..end]).unwrap_or_default();
        let start = skip(bytes, end, |byte| byte == b':' || byte.is_ascii_whitespace());
        at = value_end(bytes, start);
        fields.push((name, start..at));
    }
}

fn skip(bytes: &[u8], start: usize, is_skipped: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|&byte| !is_skipped(byte)).map_or(bytes.len(), |n| start + n)
}

/// The byte after the string that starts here.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    (at + 1).min(bytes.len())
}

/// The byte after the value that starts here.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth <= 1 => return at + depth,
            b']' | b'}' => depth -= 1,
            byte if depth == 0 && (byte == b',' || byte.is_ascii_whitespace()) => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_changes() {
        let check = |row: &str, value: &str, expected: &str| {
            let field = find(row, &["func", "code"]).unwrap();
            assert_eq!(field.value, value, "{row}");
            assert_eq!(replace(row, &field, "a\n\"b"), expected);
        };
        check(r#"{"func":"x"}"#, "x", r#"{"func":"a\n\"b"}"#);
        check(
            r#" { "z" : [ {"func": 1}, "}" ] , "code" : "\u0041\"" , "a": 1e5 } "#,
            "A\"",
            r#" { "z" : [ {"func": 1}, "}" ] , "code" : "a\n\"b" , "a": 1e5 } "#,
        );
        check(
            r#"{"n":-1,"code":"c","o":{},"p":[],"\u0066unc":"f","q":null}"#,
            "f",
            r#"{"n":-1,"code":"c","o":{},"p":[],"\u0066unc":"a\n\"b","q":null}"#,
        );
    }

    #[test]
    fn bad_rows_are_refused() {
        let check = |row: &str, expected: &str| {
            assert_eq!(find(row, &["func", "code"]).unwrap_err(), expected, "{row}");
        };
        check("{\"func\": oops}", "expected value (column 10)");
        check("", "EOF while parsing a value (column 0)");
        check("[\"func\"]", "the row is no object");
        check("{}", "the row has no field `func` or `code`");
        check("{\"a\": {\"func\": \"x\"}}", "the row has no field `func` or `code`");
        check("{\"func\": [1]}", "the field `func` is no string");
        check("{\"func\": \"x\", \"func\": \"y\"}", "the row has the field `func` twice");
    }
}
