//! Text in which all names are equally long.
//!
//! How a parser recovers from an error depends on how many bytes it skips, so the tree of a text
//! with errors depends on the length of the names in it. The tree of the skeleton does not.

use std::collections::HashMap;
use std::ops::Range;

use super::java::INHERITED;
use super::python::INITIALIZER;
use crate::Language;

/// Words of Python that are keywords in some places only.
const SOFT_KEYWORDS: [&str; 5] = ["case", "exec", "match", "print", "type"];
/// Distinct words that the codes are long enough for.
const MAX_WORDS: usize = 100_000;

/// A text with a code of fixed length for every word that may be a name.
pub(super) struct Skeleton {
    pub(super) text: String,
    /// The words that were replaced: where they stand in the skeleton and in the text.
    words: Vec<(Range<usize>, Range<usize>)>,
}

/// What the lexer is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment,
    /// A string that ends with this quote.
    Quoted(u8),
    /// A string that ends with this quote three times.
    Triple(u8),
}

impl Skeleton {
    pub(super) fn new(text: &str, language: Language) -> Self {
        let mut skeleton = Self { text: String::with_capacity(text.len()), words: Vec::new() };
        let mut codes: HashMap<&str, usize> = HashMap::new();
        let mut end = 0;
        for range in words(text, language) {
            let word = &text[range.clone()];
            let next = codes.len();
            let code = *codes.entry(word).or_insert(next);
            if code >= MAX_WORDS {
                break;
            }
            skeleton.text.push_str(&text[end..range.start]);
            let start = skeleton.text.len();
            skeleton.text.push_str(&format!("x{code:05}"));
            skeleton.words.push((start..skeleton.text.len(), range.clone()));
            end = range.end;
        }
        skeleton.text.push_str(&text[end..]);
        skeleton
    }

    /// The range of the text that a range of the skeleton stands for.
    pub(super) fn restore(&self, range: &Range<usize>) -> Range<usize> {
        self.position(range.start)..self.position(range.end)
    }

    fn position(&self, at: usize) -> usize {
        let after = self.words.partition_point(|(code, _)| code.start < at);
        let Some((code, word)) = after.checked_sub(1).map(|index| &self.words[index]) else {
            return at;
        };
        if at < code.end { word.start } else { word.end + (at - code.end) }
    }
}

/// The words outside of comments and strings that may be names.
fn words(text: &str, language: Language) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let mut found = Vec::new();
    let mut state = State::Code;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let rest = &bytes[at..];
        match state {
            State::Code if is_word(byte) => {
                let start = at;
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                if is_name(text, start..at, language) {
                    found.push(start..at);
                }
                continue;
            }
            State::Code => {
                (state, at) = opened(rest, language).map_or((state, at), |(new, n)| (new, at + n));
            }
            State::LineComment if byte == b'\n' => state = State::Code,
            State::BlockComment if rest.starts_with(b"*/") => {
                state = State::Code;
                at += 1;
            }
            State::Quoted(_) | State::Triple(_) if byte == b'\\' => at += 1,
            State::Quoted(quote) if byte == quote || byte == b'\n' => state = State::Code,
            State::Triple(quote) if rest.starts_with(&[quote; 3]) => {
                state = State::Code;
                at += 2;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// What begins here, and how many bytes its beginning has beyond the first.
fn opened(rest: &[u8], language: Language) -> Option<(State, usize)> {
    let is_python = language == Language::Python;
    match rest {
        [b'#', ..] if is_python => Some((State::LineComment, 0)),
        [b'/', b'/', ..] if !is_python => Some((State::LineComment, 1)),
        [b'/', b'*', ..] if !is_python => Some((State::BlockComment, 1)),
        [quote @ (b'"' | b'\''), second, third, ..]
            if language != Language::C && quote == second && second == third =>
        {
            Some((State::Triple(*quote), 2))
        }
        [quote @ (b'"' | b'\''), ..] => Some((State::Quoted(*quote), 0)),
        _ => None,
    }
}

fn is_name(text: &str, range: Range<usize>, language: Language) -> bool {
    let word = &text[range.clone()];
    let before = text[..range.start].trim_end_matches([' ', '\t']);
    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
    let is_string_prefix = text[range.end..].starts_with(['"', '\'']);
    let is_directive = language == Language::C && before.ends_with('#');
    let has_meaning = match language {
        Language::C => false,
        Language::Java => INHERITED.contains(&word),
        Language::Python => word == INITIALIZER || SOFT_KEYWORDS.contains(&word),
    };
    !is_number && !is_string_prefix && !is_directive && !has_meaning && !language.is_reserved(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_codes_and_ranges_come_back() {
        let check = |language, text: &str, expected: &str| {
            let skeleton = Skeleton::new(text, language);
            assert_eq!(skeleton.text, expected);
            for (code, word) in &skeleton.words {
                assert_eq!(skeleton.restore(code), *word);
            }
            assert_eq!(skeleton.restore(&(0..skeleton.text.len())), 0..text.len());
        };
        check(Language::C, "", "");
        check(
            Language::C,
            "int f(foo a) { /* a */ a = L\"a\\\"a\" + 'a' + 10UL; } // a",
            "int x00000(x00001 x00002) { /* a */ x00002 = L\"a\\\"a\" + 'a' + 10UL; } // a",
        );
        check(Language::C, "#define a(b) b\n a", "#define x00000(x00001) x00001\n x00000");
        check(Language::Java, "a.toString(b)", "x00000.toString(x00001)");
        check(
            Language::Python,
            "print a # b\n'''c\nd''' + f'{a}' + b",
            "print x00000 # b\n'''c\nd''' + f'{a}' + x00001",
        );
    }
}
