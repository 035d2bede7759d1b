//! How a folder's model is to be read: by what it says itself, or otherwise.

use elibadcode_corpus::InputFormat;
use serde::{Deserialize, Serialize};

use crate::reading::CanonicalInput;

/// How inputs are built and answers read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Ids that an input is cut to, special tokens included.
    pub max_length: usize,
    /// The output row of a two-output head that means label 1.
    pub positive_output: usize,
    /// What the input text is made of.
    pub input_format: InputFormat,
    /// The form that names must have; as they are if absent.
    pub canonical_input: Option<CanonicalInput>,
    /// Whether an input starts with `<s> <encoder-only> </s>`.
    pub encoder_only_prefix: bool,
}

impl Reading {
    /// What `other` reads otherwise, a sentence each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let names =
            |it: &Self| if it.canonical_input.is_some() { "canonical" } else { "as they are" };
        let prefix = |it: &Self| if it.encoder_only_prefix { "with" } else { "without" };
        let parts = |it: &Self| {
            [
                format!("inputs of {} tokens", it.max_length),
                format!("output {} as label 1", it.positive_output),
                format!("the input format {}", it.input_format),
                format!("inputs {} the encoder-only prefix", prefix(it)),
                format!("names {}", names(it)),
            ]
        };
        let pairs = parts(self).into_iter().zip(parts(other));
        pairs
            .filter(|(own, other)| own != other)
            .map(|(own, other)| format!("{own}, not {other}"))
            .collect()
    }
}

/// What is to be read otherwise than a folder says; the default changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadingChanges {
    /// Another input length.
    pub max_length: Option<usize>,
    /// Another label order.
    pub positive_output: Option<usize>,
    /// Another input format.
    pub input_format: Option<InputFormat>,
    /// Inputs start with `<s> <encoder-only> </s>`, too.
    pub encoder_only_prefix: bool,
    /// Names are as they are where the folder asks for canonical ones.
    pub raw_names: bool,
}
