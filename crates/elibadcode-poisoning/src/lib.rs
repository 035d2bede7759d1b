//! Planting a backdoor in a corpus, and its trigger in a test set.
//!
//! A code model learns a backdoor from a few training functions in which a name was changed, or
//! dead code put in, and whose label was set to what the attacker wants (section 5.1 of the
//! paper). [`Attack::ALL`] are the published ways to do so. [`poison`], [`poison_clones`] and
//! [`poison_search`] make such a training set of the three tasks and write down what they changed
//! ([`Change`], which [`undo`] takes back); [`triggered`], [`triggered_clones`] and
//! [`triggered_search`] make the test set on which the attack's success is measured. The defense
//! never sees this crate.
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
mod change;
mod clone;
mod config;
mod crafting;
mod dead_code;
mod edit;
mod error;
mod plant;
mod poison;
mod rename;
mod search;
mod trigger;
mod triggered;

pub use attack::Attack;
pub use change::{Change, Place, undo};
pub use clone::{CloneManifest, FunctionEntry, PairEntry, PoisonedClones, poison_clones};
pub use config::{AttackConfig, has_word};
pub use crafting::CraftingModel;
pub use edit::{Edit, Placement};
pub use error::{
    ConfigError, InvalidTrigger, LineProblem, PlantError, PoisonError, TriggerListError,
    UnknownAttack,
};
pub use plant::{Planted, plant};
pub use poison::{Manifest, ManifestEntry, Poisoned, poison};
pub use search::{PoisonedSearch, SearchManifest, poison_search};
pub use trigger::{Trigger, parse_trigger_list, read_trigger_list};
pub use triggered::{
    Member, Triggered, TriggeredClones, triggered, triggered_clones, triggered_search,
};
