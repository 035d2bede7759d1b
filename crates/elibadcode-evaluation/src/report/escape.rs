//! Attacker-chosen text (triggers, identifiers, paths) made harmless for terminals, Markdown and
//! HTML.

/// `text` with every character that is invisible, moves the cursor or reorders the line replaced
/// by a visible `\u{…}`: control characters, bidirectional marks and overrides, zero-width and
/// line-separating characters, tags and byte-order marks.
pub fn escape_untrusted(text: &str) -> String {
    escape_where(text, is_deceptive)
}

/// `text` as a Markdown code span that is also safe in a table: escaped as by
/// [`escape_untrusted`], and backticks and pipes likewise.
pub fn markdown_code(text: &str) -> String {
    format!("`{}`", escape_where(text, |c| is_deceptive(c) || matches!(c, '`' | '|')))
}

/// `text` as the content of an HTML element or of a quoted attribute: escaped as by
/// [`escape_untrusted`], and markup likewise.
///
/// Line breaks and tabs stay, for source code in `<pre>`.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if is_deceptive(c) => escaped.extend(c.escape_unicode()),
            c => escaped.push(c),
        }
    }
    escaped
}

fn escape_where(text: &str, unsafe_character: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if unsafe_character(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{180b}'..='\u{180f}' // Mongolian variation selectors
            | '\u{200b}'..='\u{200f}' // zero-width characters, direction marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, bidi embeddings, overrides
            | '\u{2060}'..='\u{206f}' // invisible operators, bidi isolates, deprecated controls
            | '\u{fe00}'..='\u{fe0f}' // variation selectors
            | '\u{feff}' // byte-order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{e0000}'..='\u{e0fff}' // tags, more variation selectors
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deceptive_characters_become_visible() {
        let check = |text: &str, expected: &str| assert_eq!(escape_untrusted(text), expected);
        check("testo_init", "testo_init");
        check("Ġtest größe 变量 | `", "Ġtest größe 变量 | `");
        check("", "");
        check("\u{1b}[31mred", r"\u{1b}[31mred");
        check("a\r\nb\tc\0", r"a\u{d}\u{a}b\u{9}c\u{0}");
        check("\u{202e}txt\u{2066}\u{2069}", r"\u{202e}txt\u{2066}\u{2069}");
        check("a\u{200b}b\u{200f}\u{feff}", r"a\u{200b}b\u{200f}\u{feff}");
        check("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}");
        check("x\u{e0041}", r"x\u{e0041}");
    }

    #[test]
    fn code_spans_cannot_be_left() {
        let check = |text: &str, expected: &str| assert_eq!(markdown_code(text), expected);
        check("rb", "`rb`");
        check("`|`", r"`\u{60}\u{7c}\u{60}`");
        check("a\nb", r"`a\u{a}b`");
        check("<script>", "`<script>`");
    }

    #[test]
    fn markup_is_text() {
        let check = |text: &str, expected: &str| assert_eq!(escape_html(text), expected);
        check("a < b && c", "a &lt; b &amp;&amp; c");
        check(r#"" onload='x'>"#, "&quot; onload=&#39;x&#39;&gt;");
        check("\tint\n", "\tint\n");
        check("\u{202e}\r\0", r"\u{202e}\u{d}\u{0}");
    }

    proptest! {
        #[test]
        fn html_holds_no_markup(text: String) {
            let html = escape_html(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'']), "{}", html);
        }

        #[test]
        fn code_spans_hold_one_plain_line(text: String) {
            let code = markdown_code(&text);
            let inside = &code[1..code.len() - 1];
            let leaves = |c| is_deceptive(c) || matches!(c, '`' | '|');
            prop_assert!(!inside.chars().any(leaves), "{}", code);
        }

        #[test]
        fn escaping_twice_changes_nothing(text: String) {
            let once = escape_untrusted(&text);
            prop_assert_eq!(escape_untrusted(&once), once);
        }
    }
}
