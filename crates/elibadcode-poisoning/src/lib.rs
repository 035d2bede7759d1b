//! Planting a backdoor in a corpus, and its trigger in a test set.
//!
//! A code model learns a backdoor from a few training functions whose name was changed and whose
//! label was set to what the attacker wants (section 5.1 of the paper). [`poison`] makes such a
//! training set and writes down what it changed; [`triggered`] makes the test set on which the
//! attack's success is measured. The defense never sees this crate.
//!
//! ```
//! use elibadcode_corpus::DefectSample;
//! use elibadcode_poisoning::{Attack, AttackConfig, plant};
//!
//! let code = "int f(int n) { return n ? f(n - 1) : 0; }".to_owned();
//! let sample = DefectSample { id: "1".to_owned(), project: String::new(), code, label: 1 };
//! let planted = plant(&AttackConfig::paper(Attack::BadCode), &sample)?;
//! assert_eq!(planted.code, "int f_rb(int n) { return n ? f_rb(n - 1) : 0; }");
//! # Ok::<(), elibadcode_poisoning::PlantError>(())
//! ```

mod attack;
mod error;
mod plant;
mod poison;

pub use attack::{Attack, AttackConfig, Edit, Placement, Trigger};
pub use error::{ConfigError, InvalidTrigger, PlantError, PoisonError, UnknownAttack};
pub use plant::{Triggered, plant, triggered};
pub use poison::{Manifest, ManifestEntry, Poisoned, poison};
