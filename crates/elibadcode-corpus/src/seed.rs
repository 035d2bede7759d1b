//! One generator per stage from one seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of a stage: a hash of seed and name, so that adding a stage shifts no other.
pub fn stage_rng(seed: u64, stage: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new_derive_key("elibadcode stage generator");
    hasher.update(&seed.to_le_bytes());
    hasher.update(stage.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn stages_and_seeds_differ_and_repeat() {
        let draw = |seed, stage| stage_rng(seed, stage).next_u64();
        assert_eq!(draw(1, "train"), draw(1, "train"));
        assert_ne!(draw(1, "train"), draw(2, "train"));
        assert_ne!(draw(1, "train"), draw(1, "scan"));
    }
}
