//! Texts and numbers as elements.

use crate::report::escape_html;

/// A text as code.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escape_html(text))
}

/// Markdown's code spans as elements; all else is text.
pub fn with_code(markdown: &str) -> String {
    let parts = markdown.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { code(part) } else { escape_html(part) }).collect()
}

/// A share with its sign: `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", percent_points(share))
}

/// A share in percent, without the sign.
pub fn percent_points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}
