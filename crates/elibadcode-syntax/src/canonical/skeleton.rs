//! Text in which all names are equally long, without comments and with little white space.
//!
//! How a parser recovers from an error depends on how many bytes and lines it skips, so the tree of
//! a text with errors depends on the length of the names in it. The tree of the skeleton does not.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::java::INHERITED;
use super::python::INITIALIZER;
use crate::Language;
use crate::binding::c::field_argument;

/// Words of Python that are keywords in some places only.
const SOFT_KEYWORDS: [&str; 5] = ["case", "exec", "match", "print", "type"];
/// Distinct words that the codes are long enough for.
const MAX_WORDS: usize = 100_000;

/// A text with a code of fixed length for every word that may be a name.
pub(super) struct Skeleton {
    pub(super) text: String,
    /// Where comments stand in the text.
    pub(super) comments: Vec<Range<usize>>,
    /// What was replaced: where it stands in the skeleton and in the text.
    pieces: Vec<(Range<usize>, Range<usize>)>,
}

/// A part of the text that looks different in the skeleton.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Word,
    Space,
    Comment,
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
        let mut skeleton = Self {
            text: String::with_capacity(text.len()),
            comments: Vec::new(),
            pieces: Vec::new(),
        };
        let mut codes: HashMap<&str, usize> = HashMap::new();
        let mut pieces = pieces(text, language).into_iter().peekable();
        let mut end = 0;
        while let Some((piece, mut range)) = pieces.next() {
            skeleton.text.push_str(&text[end..range.start]);
            let start = skeleton.text.len();
            if piece == Piece::Word {
                let next = codes.len();
                let code = *codes.entry(&text[range.clone()]).or_insert(next);
                if code >= MAX_WORDS {
                    skeleton.text.push_str(&text[range.start..]);
                    return skeleton;
                }
                let _ = write!(skeleton.text, "x{code:05}");
            } else {
                let mut gap = vec![(piece, range.clone())];
                while let Some((piece, next)) =
                    pieces.next_if(|(piece, next)| *piece != Piece::Word && next.start == range.end)
                {
                    range.end = next.end;
                    gap.push((piece, next));
                }
                skeleton.push_gap(text, &range, gap, language);
                // Nothing is behind the last piece, so that no range has to be found there.
                if range.end == text.len() {
                    return skeleton;
                }
            }
            end = range.end;
            skeleton.pieces.push((start..skeleton.text.len(), range));
        }
        skeleton.text.push_str(&text[end..]);
        skeleton
    }

    /// Adds what is left of white space and comments: a line end, or a space.
    fn push_gap(
        &mut self,
        text: &str,
        range: &Range<usize>,
        gap: Vec<(Piece, Range<usize>)>,
        language: Language,
    ) {
        let mut has_newline = false;
        for (piece, part) in gap {
            if piece == Piece::Comment {
                self.comments.push(part);
            } else {
                has_newline |= text[part].contains('\n');
            }
        }
        if range.start == 0 || range.end == text.len() {
            return;
        }
        match language {
            // The indentation of the next line has a meaning.
            Language::Python if has_newline => {
                let line_end = text[..range.end].rfind('\n').unwrap_or(range.start);
                self.text.push_str(&text[line_end..range.end]);
            }
            _ => self.text.push(if has_newline { '\n' } else { ' ' }),
        }
    }

    /// The range of the text that a range of the skeleton stands for.
    pub(super) fn restore(&self, range: &Range<usize>) -> Range<usize> {
        self.position(range.start)..self.position(range.end)
    }

    fn position(&self, at: usize) -> usize {
        let n_before = self.pieces.partition_point(|(code, _)| code.end <= at);
        if let Some((code, piece)) = self.pieces.get(n_before)
            && code.start < at
        {
            return piece.start;
        }
        let before = n_before.checked_sub(1).map(|index| &self.pieces[index]);
        before.map_or(at, |(code, piece)| piece.end + (at - code.end))
    }
}

/// White space, comments, and the words outside of comments and strings that may be names.
fn pieces(text: &str, language: Language) -> Vec<(Piece, Range<usize>)> {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let run = |start: usize, belongs: &dyn Fn(u8) -> bool| {
        bytes[start..].iter().position(|&it| !belongs(it)).map_or(bytes.len(), |n| start + n)
    };
    let mut found = Vec::new();
    let mut state = State::Code;
    let mut comment = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let rest = &bytes[at..];
        match state {
            State::Code if is_word(byte) => {
                let end = run(at, &is_word);
                if is_name(text, at..end, language) {
                    found.push((Piece::Word, at..end));
                }
                at = end;
                continue;
            }
            State::Code if byte.is_ascii_whitespace() => {
                let end = run(at, &|byte| byte.is_ascii_whitespace());
                found.push((Piece::Space, at..end));
                at = end;
                continue;
            }
            State::Code => {
                comment = at;
                (state, at) = opened(rest, language).map_or((state, at), |(new, n)| (new, at + n));
            }
            // C splices lines before it looks for comments.
            State::LineComment if byte == b'\\' && language == Language::C => {
                at += match rest {
                    [_, b'\r', b'\n', ..] => 2,
                    [_, b'\n', ..] => 1,
                    _ => 0,
                };
            }
            State::LineComment if byte == b'\n' => {
                found.push((Piece::Comment, comment..at));
                state = State::Code;
                continue;
            }
            State::BlockComment if rest.starts_with(b"*/") => {
                state = State::Code;
                at += 1;
                found.push((Piece::Comment, comment..at + 1));
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
    if matches!(state, State::LineComment | State::BlockComment) {
        found.push((Piece::Comment, comment..bytes.len()));
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
        Language::C => field_argument(word).is_some(),
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
            for (code, piece) in &skeleton.pieces {
                assert!(code.is_empty() || skeleton.restore(code) == *piece, "{text}");
            }
            for range in &skeleton.comments {
                assert!(text[range.clone()].starts_with(['/', '#']), "{text}");
            }
        };
        check(Language::C, "", "");
        check(
            Language::C,
            " int f(foo a) {\n /* a\n */ a =  L\"a\\\"  a\" + 'a' + 10UL; } // a",
            "int x00000(x00001 x00002) {\nx00002 = L\"a\\\"  a\" + 'a' + 10UL; }",
        );
        check(
            Language::C,
            "#define a(b) b // c\n\n a/**/a /* x",
            "#define x00000(x00001) x00001\nx00000 x00000",
        );
        check(Language::Java, "a.toString(b)", "x00000.toString(x00001)");
        check(
            Language::Python,
            "print a # b\n\n  '''c\nd''' + f'{a}' +  b\n",
            "print x00000\n  '''c\nd''' + f'{a}' + x00001",
        );
    }
}
