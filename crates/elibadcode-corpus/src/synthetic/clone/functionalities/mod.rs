//! What the methods do, each written in several ways. The markup is described in `render`.

mod aggregates;
mod arithmetic;
mod arrays;
mod collections;
mod encodings;
mod files;
mod strings;

/// Functionalities that use the same types and much the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Arrays of numbers to a number, or one by one.
    Aggregates,
    /// Whole numbers.
    Arithmetic,
    /// Order and search in arrays.
    Arrays,
    /// Strings.
    Strings,
    /// Two-dimensional arrays.
    Matrices,
    /// Lists and maps.
    Collections,
    /// Files and streams.
    Files,
    /// Hashes, number formats, parsers.
    Encodings,
}

/// Something that a method can do.
pub(super) struct Functionality {
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// Method names that say what it does, separated by spaces.
    pub(super) methods: &'static str,
    /// Ways to write it.
    pub(super) variants: &'static [&'static str],
}

const fn functionality(
    name: &'static str,
    family: Family,
    methods: &'static str,
    variants: &'static [&'static str],
) -> Functionality {
    Functionality { name, family, methods, variants }
}

/// All functionalities; those of a family stand together.
pub(super) fn all() -> Vec<&'static Functionality> {
    let mut all: Vec<&Functionality> = [
        aggregates::FUNCTIONALITIES,
        arithmetic::FUNCTIONALITIES,
        arrays::FUNCTIONALITIES,
        strings::FUNCTIONALITIES,
        collections::FUNCTIONALITIES,
        files::FUNCTIONALITIES,
        encodings::FUNCTIONALITIES,
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|functionality| functionality.family);
    all
}
