//! Source code as token ids that remember which source bytes they came from.
//!
//! Reference: code tokens joined by one space, then byte-level BPE, then `<s> … </s>`, truncated
//! (spec section 3.2). Comments are not code tokens.

use std::ops::Range;

use elibadcode_syntax::{Function, Language};

use crate::tokenizer::CodeTokenizer;

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
    /// The code tokens that fit, in order; the last may be cut.
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
    /// Encodes a parsed function to at most `max_length` ids, special tokens included.
    pub fn encode(&self, function: &Function, max_length: usize) -> EncodedCode {
        let special = self.special();
        let room = max_length.saturating_sub(1);
        let mut ids = vec![special.bos];
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
