//! What the template languages of all synthetic corpora have in common.
//!
//! * `$role` is a name drawn for the role, the same throughout one sample;
//! * `` `a~b` `` is `a` or `b`.

use rand::{Rng, RngExt};

/// One element of a pool that is not empty.
pub(super) fn pick<'a, T>(pool: &'a [T], rng: &mut impl Rng) -> &'a T {
    &pool[rng.random_range(0..pool.len())]
}

/// One word of a list of words that is not empty.
pub(super) fn pick_word<'a>(words: &'a str, rng: &mut impl Rng) -> &'a str {
    let words: Vec<&str> = words.split_whitespace().collect();
    pick::<&str>(&words, rng)
}

/// The text with one alternative of each.
pub(super) fn choose_alternatives(template: &str, rng: &mut impl Rng) -> String {
    let mut text = String::new();
    for (i, piece) in template.split('`').enumerate() {
        if i % 2 == 0 {
            text.push_str(piece);
        } else {
            let alternatives: Vec<&str> = piece.split('~').collect();
            text.push_str(pick::<&str>(&alternatives, rng));
        }
    }
    text
}

/// The names of one sample: every role is bound once.
pub(super) struct Bindings {
    /// The words that a role (without digits at its end) draws from.
    pool: fn(&str) -> &'static str,
    bound: Vec<(String, String)>,
}

impl Bindings {
    pub(super) fn new(pool: fn(&str) -> &'static str) -> Self {
        Self { pool, bound: Vec::new() }
    }

    /// Fixes the name of a role.
    pub(super) fn set(&mut self, role: &str, name: String) {
        self.bound.push((role.to_owned(), name));
    }

    /// The name of `role`, such as `i` or, for a second index, `i2`.
    pub(super) fn bind(&mut self, role: &str, rng: &mut impl Rng) -> String {
        if let Some((_, name)) = self.bound.iter().find(|(bound, _)| bound == role) {
            return name.clone();
        }
        let pool = (self.pool)(role.trim_end_matches(|c: char| c.is_ascii_digit()));
        let words: Vec<&str> = pool.split_whitespace().collect();
        let free: Vec<&str> = words
            .into_iter()
            .filter(|word| !self.bound.iter().any(|(_, taken)| taken == word))
            .collect();
        assert!(!free.is_empty(), "the pool of the role `{role}` is used up");
        let name = (*pick(&free, rng)).to_owned();
        self.set(role, name.clone());
        name
    }

    /// The template with the names of its roles.
    pub(super) fn fill(&mut self, template: &str, rng: &mut impl Rng) -> String {
        let mut pieces = template.split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(piece.len());
            text.push_str(&self.bind(&piece[..end], rng));
            text.push_str(&piece[end..]);
        }
        text
    }
}
