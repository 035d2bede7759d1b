//! Short C functions with and without a local defect, in Devign's format.
//!
//! Every function comes from a [`Shape`]: a template that names one place where a defect of one
//! [`DefectKind`] can sit. Most defective renderings hold the tokens of the safe one in a different
//! order (a check or a release at the wrong place); the others lack a check, for which a harmless
//! statement stands in, or differ in an operator or operand that is right in other shapes. Neither
//! the length nor the tokens, taken one by one, give the label away: what decides is the order.

mod names;
mod render;
mod shapes;

#[cfg(test)]
mod tests;

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sample::DefectSample;
use crate::synthetic::markup::pick;

pub use names::PREAMBLE;
use names::{Names, PROJECTS};

/// What is wrong with a defective function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// An index or a length is used before, or without, comparing it with the size.
    MissingBoundsCheck,
    /// A loop or an index runs one element too far or too short.
    OffByOne,
    /// A pointer that may be null is used before the check.
    MissingNullCheck,
    /// Memory, a file or a counted object is used after it was given back.
    UseAfterFree,
    /// Memory is given back twice on one path.
    DoubleFree,
    /// A result that reports failure is used or dropped before it is looked at.
    UncheckedReturn,
    /// A size computation wraps around before it is checked.
    SizeOverflow,
    /// A string loses, or has no room for, its terminator.
    MissingTerminator,
    /// A path returns with the lock held.
    MissingUnlock,
    /// Shared state is touched outside the locked region.
    UnprotectedAccess,
    /// A path forgets memory or an open file.
    ResourceLeak,
    /// A negative length passes for a large one.
    SignError,
    /// A variable is read before it has a value.
    UninitializedUse,
    /// The divisor is checked after the division, or not for zero.
    DivisionByZero,
    /// The byte count is that of another type or misses the element size.
    WrongSize,
    /// A condition has the opposite sense.
    InvertedCondition,
    /// A descriptor is used before it is known to be valid.
    MissingHandleCheck,
    /// An unsigned value drops below zero.
    IntegerUnderflow,
    /// Parentheses group the wrong operands.
    OperatorPrecedence,
    /// The address of a local array leaves the function.
    DanglingLocal,
    /// A shift count is not limited to the width of the type.
    ShiftOutOfRange,
}

const KINDS: &[DefectKind] = &[
    DefectKind::MissingBoundsCheck,
    DefectKind::OffByOne,
    DefectKind::MissingNullCheck,
    DefectKind::UseAfterFree,
    DefectKind::DoubleFree,
    DefectKind::UncheckedReturn,
    DefectKind::SizeOverflow,
    DefectKind::MissingTerminator,
    DefectKind::MissingUnlock,
    DefectKind::UnprotectedAccess,
    DefectKind::ResourceLeak,
    DefectKind::SignError,
    DefectKind::UninitializedUse,
    DefectKind::DivisionByZero,
    DefectKind::WrongSize,
    DefectKind::InvertedCondition,
    DefectKind::MissingHandleCheck,
    DefectKind::IntegerUnderflow,
    DefectKind::OperatorPrecedence,
    DefectKind::DanglingLocal,
    DefectKind::ShiftOutOfRange,
];

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingBoundsCheck => "missing bounds check",
            Self::OffByOne => "off by one",
            Self::MissingNullCheck => "missing null check",
            Self::UseAfterFree => "use after free",
            Self::DoubleFree => "double free",
            Self::UncheckedReturn => "unchecked return value",
            Self::SizeOverflow => "size overflow",
            Self::MissingTerminator => "missing terminator",
            Self::MissingUnlock => "missing unlock",
            Self::UnprotectedAccess => "unprotected access",
            Self::ResourceLeak => "resource leak",
            Self::SignError => "sign error",
            Self::UninitializedUse => "uninitialized use",
            Self::DivisionByZero => "division by zero",
            Self::WrongSize => "wrong size",
            Self::InvertedCondition => "inverted condition",
            Self::MissingHandleCheck => "missing handle check",
            Self::IntegerUnderflow => "integer underflow",
            Self::OperatorPrecedence => "operator precedence",
            Self::DanglingLocal => "dangling local",
            Self::ShiftOutOfRange => "shift out of range",
        })
    }
}

/// The kind of function a sample is, such as a loop that sums an array.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    name: &'static str,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All defect kinds, in the order of their definition.
pub fn kinds() -> &'static [DefectKind] {
    KINDS
}

/// All function shapes, in the order of their definition.
pub fn shapes() -> Vec<Shape> {
    shapes::all().map(|template| Shape { name: template.name }).collect()
}

/// The first `n` functions of the corpus of this seed; half of an even `n` are defective.
///
/// Sample `i` depends on `(seed, i)` only: a longer corpus begins with the shorter one.
pub fn generate(seed: u64, n: usize) -> Vec<DefectSample> {
    (0..n).map(|index| sample(seed, index).0).collect()
}

/// [`generate`], with the defect that each function has (label 1) or avoids (label 0).
pub fn generate_with_kinds(seed: u64, n: usize) -> Vec<(DefectSample, DefectKind, Shape)> {
    (0..n).map(|index| sample(seed, index)).collect()
}

fn sample(seed: u64, index: usize) -> (DefectSample, DefectKind, Shape) {
    let label = label(seed, index);
    let mut rng = stream(seed, index as u64);
    let cases: Vec<_> = shapes::all()
        .flat_map(|template| template.cases.iter().map(move |case| (template, case)))
        .collect();
    let (template, case) = *pick(&cases, &mut rng);
    let project = pick(PROJECTS, &mut rng);
    let mut names = Names::new();
    let code = render::function(template.head, case, label == 1, &mut names, &mut rng);
    let sample =
        DefectSample { id: index.to_string(), project: (*project).to_owned(), code, label };
    (sample, case.kind, Shape { name: template.name })
}

/// Each pair of neighbors holds both labels, the first of them by a toss of its own.
fn label(seed: u64, index: usize) -> u8 {
    let toss: bool = stream(seed, u64::MAX - index as u64 / 2).random();
    u8::from(toss) ^ (index % 2) as u8
}

fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
