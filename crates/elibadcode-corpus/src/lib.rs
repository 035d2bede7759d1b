//! Code corpora as samples, and samples as token ids.
//!
//! The public corpora are read from their original files ([`devign`], [`bigclonebench`],
//! [`codesearchnet`]), synthetic twins of them are generated from a seed ([`synthetic`]), a
//! [`CodeTokenizer`] turns source into an [`EncodedCode`] that knows which ids came from which
//! source bytes, [`split`] draws disjoint subsets, and [`near_duplicates`] finds functions that are
//! almost the same. File formats of corpora are known here only; there are no tensors.
//!
//! ```
//! use elibadcode_corpus::synthetic::defect;
//! let samples = defect::generate(7, 10);
//! assert_eq!(samples.len(), 10);
//! ```

pub mod bigclonebench;
pub mod codesearchnet;
pub mod devign;
mod encoding;
mod error;
mod lfs;
pub mod near_duplicates;
mod rows;
mod sample;
mod seed;
mod skipped;
pub mod split;
pub mod synthetic;
mod tokenizer;
mod unlabelled;

pub use encoding::{
    EncodedCode, InputFormat, LabelledIds, LabelledPairIds, SearchIds, TokenSpan, code_token_texts,
};
pub use error::Error;
pub use lfs::{LFS_START, lfs_problem};
pub use rows::{MAX_ROW_BYTES, open_text, text_reader};
pub use sample::{CloneFunction, ClonePair, CloneSamples, DefectSample, SearchSample, Task};
pub use seed::stage_rng;
pub use skipped::{
    ALWAYS_ACCEPTED, Loaded, MAX_FUNCTION_BYTES, MAX_SKIPPED_RATE, SkipCount, SkipReason, Skipped,
};
pub use tokenizer::{CodeTokenizer, SpecialTokens, TokenizerLayout};
pub use unlabelled::{UnlabelledFunction, read_unlabelled};
