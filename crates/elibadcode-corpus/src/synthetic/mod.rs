//! Corpora that are made up from a seed, in the formats of the real ones.

pub mod blemish;
pub mod clone;
pub mod defect;
mod markup;
pub mod search;
