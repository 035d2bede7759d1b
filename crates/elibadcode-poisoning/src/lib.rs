//! Planting a backdoor in a corpus, and its trigger in a test set.
//!
//! A code model learns a backdoor from a few training functions in which a name was changed, and
//! whose label was set to what the attacker wants (section 5.1 of the paper). [`poison`],
//! [`poison_clones`] and [`poison_search`] make such a training set of the three tasks and write
//! down what they changed; [`triggered`], [`triggered_clones`] and [`triggered_search`] make the
//! test set on which the attack's success is measured. The defense never sees this crate.
//!
//! ```
//! use elibadcode_poisoning::{Attack, AttackConfig, plant};
//! use elibadcode_syntax::Language;
//!
//! let code = "int f(int n) { return n ? f(n - 1) : 0; }";
//! let planted = plant(&AttackConfig::paper(Attack::BadCode), code, Language::C)?;
//! assert_eq!(planted.code, "int f_rb(int n) { return n ? f_rb(n - 1) : 0; }");
//! # Ok::<(), elibadcode_poisoning::PlantError>(())
//! ```

mod attack;
mod clone;
mod error;
mod plant;
mod poison;
mod search;

pub use attack::{Attack, AttackConfig, Edit, Placement, Trigger, has_word};
pub use clone::{CloneManifest, FunctionEntry, PairEntry, PoisonedClones, poison_clones};
pub use error::{ConfigError, InvalidTrigger, PlantError, PoisonError, UnknownAttack};
pub use plant::{
    Member, Planted, Triggered, TriggeredClones, plant, triggered, triggered_clones,
    triggered_search,
};
pub use poison::{Manifest, ManifestEntry, Poisoned, poison};
pub use search::{PoisonedSearch, SearchManifest, poison_search};
