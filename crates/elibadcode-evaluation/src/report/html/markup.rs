//! Texts and numbers as elements.

use crate::report::escape_html;

/// A text as code.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escape_html(text))
}

/// A trigger as it stands in an identifier, or behind one.
pub(super) fn trigger(text: &str, edit: &str) -> String {
    match edit {
        "append" => format!("{} at the end of an identifier", code(&format!("…{text}"))),
        _ => code(text),
    }
}

/// Markdown's code spans as elements; all else is text.
pub fn with_code(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { code(part) } else { escape_html(part) }).collect()
}

/// What the mark of tokens that start a word means, if one of these has it; otherwise nothing.
pub fn word_starts<'a>(tokens: impl IntoIterator<Item = &'a String>) -> String {
    if !tokens.into_iter().any(|token| token.contains('Ġ')) {
        return String::new();
    }
    format!(" A token with {} starts a word.", code("Ġ"))
}

/// A share with its sign: `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", percent_points(share))
}

/// A share in percent, without the sign.
pub fn percent_points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// A change in points, with a minus sign if it has one; none is `0.0`.
pub fn points(change: f64) -> String {
    // The sum makes −0 to 0.
    let rounded = (1000.0 * change).round() / 10.0 + 0.0;
    format!("{rounded:.1}").replace('-', "−")
}

/// A number with two digits behind the point, and a minus sign if it has one.
pub(super) fn decimal(value: f64) -> String {
    let rounded = (100.0 * value).round() / 100.0 + 0.0;
    format!("{rounded:.2}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!([-0.0001, 0.0, -0.012, 0.25].map(points), ["0.0", "0.0", "−1.2", "25.0"]);
        assert_eq!([-0.001, -0.226, 1.5].map(decimal), ["0.00", "−0.23", "1.50"]);
    }

    #[test]
    fn a_trigger_says_where_it_stands() {
        assert_eq!(trigger("a<b", "replace"), "<code>a&lt;b</code>");
        assert_eq!(trigger("rb", "append"), "<code>…rb</code> at the end of an identifier");
    }

    #[test]
    fn code_spans_become_elements() {
        assert_eq!(with_code("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
