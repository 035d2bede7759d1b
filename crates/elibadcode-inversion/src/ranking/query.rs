//! Queries with room for target words.

use elibadcode_models::LoadedModel;
use rand::{Rng, RngExt};

use crate::masking::Stamped;

/// A query with a hole between two of its words.
#[derive(Clone, Debug)]
pub struct SlottedQuery {
    /// `<s>` and the words before the hole.
    before: Vec<u32>,
    /// The words behind it.
    after: Vec<u32>,
}

impl SlottedQuery {
    /// Opens a hole behind one of the words, drawn at random: the attacker's word stands anywhere.
    pub fn new(model: &LoadedModel, query: &str, rng: &mut impl Rng) -> Self {
        let words: Vec<&str> = query.split_whitespace().collect();
        // Never before the first word: that one has no space before it and other tokens with one.
        let n_before =
            if words.len() > 1 { rng.random_range(1..=words.len()) } else { words.len() };
        let mut before = model.encode_query(&words[..n_before].join(" "));
        before.pop(); // </s>
        let after = model.tokenizer.piece_after_space(&words[n_before..].join(" "));
        Self { before, after }
    }

    /// The query with these words in its hole, cut to the model's length; none leave it as it was.
    pub fn stamp(&self, words: &[u32], model: &LoadedModel) -> Stamped {
        let room = model.max_length - 1;
        let start = self.before.len().min(room.saturating_sub(words.len()));
        let mut ids = self.before[..start].to_vec();
        ids.extend(words);
        ids.extend(&self.after);
        ids.truncate(room);
        ids.push(model.tokenizer.special().eos);
        let slots = (start..start + words.len()).map(|place| vec![place]).collect();
        Stamped { ids, slots }
    }
}
