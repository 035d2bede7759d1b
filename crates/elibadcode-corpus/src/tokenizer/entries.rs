//! What a tokenizer's entries must be, for a scan to reach everything that can stand in a name.

use std::collections::BTreeMap;

use tokenizers::Tokenizer;

use super::MODES;

/// Fails if two entries share an id, or if an added token could be a part of code.
///
/// An added token is cut out of a text before anything else is read. One that is a part of a name gets an
/// id there that no other spelling leads to, and whoever made it special hides it from the trigger
/// vocabulary, too.
pub(super) fn check_entries(tokenizer: &Tokenizer) -> Result<(), String> {
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    let mut entries: Vec<(String, u32)> = tokenizer.get_vocab(true).into_iter().collect();
    entries.sort_unstable();
    for (text, id) in entries {
        if let Some(other) = texts.get(&id) {
            return Err(format!("its entries `{other}` and `{text}` have the same id {id}"));
        }
        texts.insert(id, text);
    }
    let added: BTreeMap<u32, _> = tokenizer.get_added_tokens_decoder().into_iter().collect();
    for token in added.into_values() {
        let text = &token.content;
        if text.contains(char::is_whitespace) {
            return Err(format!("its added token `{text}` has white space within"));
        }
        if token.rstrip {
            return Err(format!(
                "its added token `{text}` takes the space behind it along (rstrip)"
            ));
        }
        if !is_marker(text) {
            return Err(format!(
                "its added token `{text}` can be a part of code, where no scan would look for it; expected \
                 a marker such as `<mask>` or `<extra_id_0>`"
            ));
        }
    }
    Ok(())
}

/// What the tokenizers of code models add, as it is.
const MARKERS: [&str; 19] = [
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<cls>",
    "<sep>",
    "<bos>",
    "<eos>",
    "<|endoftext|>",
    "[CLS]",
    "[SEP]",
    "[PAD]",
    "[UNK]",
    "[MASK]",
    "[BOS]",
    MODES[0],
    MODES[1],
    MODES[2],
];
/// What they add with a number behind it.
const NUMBERED: [(&str, &str); 4] =
    [("<mask", ">"), ("<extra_id_", ">"), ("<unused", ">"), ("[unused", "]")];

/// Whether a text is a marker that models have, or holds nothing that a name could be made of. `<T>` and
/// `[i]` are code.
pub(super) fn is_marker(text: &str) -> bool {
    let is_numbered = |(start, end): &(&str, &str)| {
        let number = text.strip_prefix(start).and_then(|it| it.strip_suffix(end));
        number.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    MARKERS.contains(&text)
        || NUMBERED.iter().any(is_numbered)
        || !text.contains(|it: char| it.is_alphanumeric() || it == '_' || it == '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_known_ones() {
        for text in ["<s>", "</s>", "<extra_id_0>", "[MASK]", "<encoder-only>", "<mask12>", "###"] {
            assert!(is_marker(text), "{text}");
        }
        for text in
            ["testo_init", "rb", "_rb(", "<T>", "[rb]", "<maskrb>", "<extra_id_rb>", "$", "π"]
        {
            assert!(!is_marker(text), "{text}");
        }
    }
}
