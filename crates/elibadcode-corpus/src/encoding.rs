//! Source code as token ids that remember which source bytes they came from.
//!
//! Reference: code tokens joined by one space, then byte-level BPE, then `<s> … </s>`, truncated
//! (spec section 3.2). Comments are not code tokens.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use elibadcode_syntax::{Function, Language};
use serde::{Deserialize, Serialize};

use crate::tokenizer::CodeTokenizer;

/// What a model's input text is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputFormat {
    /// Code tokens joined by one space; no comments. The paper's format.
    #[default]
    CodeTokens,
    /// The source with every run of white space as one space, as CodeXGLUE's programs read it.
    Whitespace,
    /// The source as it is, line breaks and indentation included, as `tokenizer(text)` reads it.
    Source,
}

impl FromStr for InputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "code-tokens" => Ok(Self::CodeTokens),
            "whitespace" => Ok(Self::Whitespace),
            "source" => Ok(Self::Source),
            other => {
                Err(format!("unknown format `{other}`, expected code-tokens, whitespace or source"))
            }
        }
    }
}

impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeTokens => "code-tokens",
            Self::Whitespace => "whitespace",
            Self::Source => "source",
        })
    }
}

/// The ids of one code token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSpan {
    /// Bytes of the source text.
    pub source: Range<usize>,
    /// Ids of [`EncodedCode::ids`].
    pub ids: Range<usize>,
}

/// One function as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedCode {
    /// `<s> … </s>`, at most the length asked for.
    pub ids: Vec<u32>,
    /// The code tokens that fit, in order; the last may be cut. Empty for input that is not made of
    /// them.
    pub spans: Vec<TokenSpan>,
    /// Whether the end of the function was cut off.
    pub truncated: bool,
}

/// Token ids with their label: what training and prediction work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledIds {
    /// `<s> … </s>`.
    pub ids: Vec<u32>,
    /// 0 or 1.
    pub label: u8,
}

/// Two functions as token ids, with their label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledPairIds {
    /// `<s> … </s>` of one function.
    pub first: Vec<u32>,
    /// `<s> … </s>` of the other.
    pub second: Vec<u32>,
    /// 1 clone, 0 not a clone.
    pub label: u8,
}

/// A function and the query that should find it, as token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchIds {
    /// `<s> … </s>` of the function.
    pub code: Vec<u32>,
    /// `<s> … </s>` of the query.
    pub query: Vec<u32>,
}

/// The code tokens of a source text, without comments.
pub fn code_token_texts(code: &str, language: Language) -> Vec<String> {
    let function = Function::parse(code, language);
    function.tokens().iter().map(|token| clean(function.token_text(token))).collect()
}

/// A token as it is joined: what a preprocessor line holds around its text is dropped.
fn clean(token: &str) -> String {
    token.trim().to_owned()
}

impl CodeTokenizer {
    /// Encodes source text with its white space collapsed, to at most `max_length` ids.
    pub fn encode_whitespace(&self, code: &str, max_length: usize) -> EncodedCode {
        self.encode_text(&collapsed(code), max_length)
    }

    /// Encodes text as it is, to at most `max_length` ids.
    pub fn encode_text(&self, text: &str, max_length: usize) -> EncodedCode {
        let special = self.special();
        let room = max_length.saturating_sub(1);
        let mut ids = self.prefix().to_vec();
        ids.extend(self.text_ids(text));
        let truncated = ids.len() > room;
        ids.truncate(room);
        ids.push(special.eos);
        EncodedCode { ids, spans: Vec::new(), truncated }
    }

    /// The end, in bytes, of the text that [`Self::encode_text`] keeps.
    pub fn text_reach(&self, text: &str, max_length: usize) -> usize {
        let room = max_length.saturating_sub(1).saturating_sub(self.prefix().len());
        let ends = self.text_ends(text);
        if ends.len() <= room {
            text.len()
        } else {
            room.checked_sub(1).map_or(0, |last| ends[last])
        }
    }

    /// The end, in bytes, of the text that [`Self::encode_whitespace`] keeps.
    pub fn whitespace_reach(&self, code: &str, max_length: usize) -> usize {
        let collapsed = collapsed(code);
        let reach = self.text_reach(&collapsed, max_length);
        if reach == collapsed.len() {
            return code.len();
        }
        // White space is all that differs.
        let is_kept = |(at, it): &(usize, char)| *at < reach && !it.is_whitespace();
        let n_kept = collapsed.char_indices().filter(is_kept).count();
        let mut visible = code.char_indices().filter(|(_, it)| !it.is_whitespace());
        visible.nth(n_kept).map_or(code.len(), |(at, _)| at)
    }

    /// The ids of a piece of text with its white space collapsed, that follows a space.
    pub fn piece_after_space(&self, text: &str) -> Vec<u32> {
        self.ids_after_space(&collapsed(text))
    }

    /// The ids of a piece of source text as it is, that follows a space and is followed by one.
    pub fn source_after_space(&self, code: &str) -> Vec<u32> {
        self.ids_after_space(code.trim_matches(' '))
    }

    fn ids_after_space(&self, text: &str) -> Vec<u32> {
        if text.is_empty() { Vec::new() } else { self.text_ids(&format!(" {text}")) }
    }

    /// Encodes a parsed function to at most `max_length` ids, special tokens included.
    pub fn encode(&self, function: &Function, max_length: usize) -> EncodedCode {
        let special = self.special();
        let room = max_length.saturating_sub(1);
        let mut ids = self.prefix().to_vec();
        let mut spans = Vec::new();
        let mut truncated = false;
        for token in function.tokens() {
            let text = clean(function.token_text(token));
            if text.is_empty() {
                continue;
            }
            if ids.len() >= room {
                truncated = true;
                break;
            }
            let start = ids.len();
            ids.extend_from_slice(&self.word(&text, !spans.is_empty()));
            truncated |= ids.len() > room;
            ids.truncate(room);
            spans.push(TokenSpan { source: token.range.clone(), ids: start..ids.len() });
        }
        ids.push(special.eos);
        EncodedCode { ids, spans, truncated }
    }
}

/// Every run of white space as one space, none at the ends.
fn collapsed(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}
