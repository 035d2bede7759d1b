//! The function templates, by theme. The markup is described in the `render` module.

mod allocation;
mod arithmetic;
mod bounds;
mod conditions;
mod lifetime;
mod locking;
mod resources;
mod strings;

use super::DefectKind;

/// One kind of function, and the defects it can have.
pub(super) struct Template {
    pub(super) name: &'static str,
    /// Return type, name and parameters.
    pub(super) head: &'static str,
    pub(super) cases: &'static [Case],
}

/// One function body with a place for a defect.
pub(super) struct Case {
    pub(super) kind: DefectKind,
    /// The statement that stands at `#S` in the safe and at `#D` in the defective function.
    pub(super) guard: &'static str,
    pub(super) body: &'static str,
}

/// All templates.
pub(super) fn all() -> impl Iterator<Item = &'static Template> {
    [
        allocation::TEMPLATES,
        lifetime::TEMPLATES,
        resources::TEMPLATES,
        bounds::TEMPLATES,
        strings::TEMPLATES,
        conditions::TEMPLATES,
        locking::TEMPLATES,
        arithmetic::TEMPLATES,
    ]
    .into_iter()
    .flatten()
}

/// The defect is that `guard` stands at the wrong place.
const fn moved(kind: DefectKind, guard: &'static str, body: &'static str) -> Case {
    Case { kind, guard, body }
}

/// The defect is in the marked choices of `body`.
const fn swapped(kind: DefectKind, body: &'static str) -> Case {
    Case { kind, guard: "", body }
}
