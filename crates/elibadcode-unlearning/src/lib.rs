//! Make a code model forget an inverted trigger, and check that it did (phase (d), section 4.5).
//!
//! [`unlearn`] puts the trigger into a part of the clean samples, teaches the model their true labels
//! (as the paper does; not those of pairs) and to take them as it does without the trigger, and
//! accepts its own result only if samples that were kept aside say that the trigger is gone, that the
//! accuracy is not, and that the trigger has not become an alarm for the other class. The trigger is
//! data: one that was written by hand works too.
//! [`unlearn_search`] is the same for code search, where one word has many triggers: it looks for
//! more of them in the model as it is, round by round.
//!
//! [`canonical_repair`] needs no trigger at all: the model reads canonical names from then on, and
//! what that costs is measured.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use elibadcode_unlearning::corpus::{Task, devign};
//! use elibadcode_unlearning::inversion::{CleanSample, Edit};
//! use elibadcode_unlearning::models::{Compute, ModelDir};
//! use elibadcode_unlearning::syntax::Language;
//! use elibadcode_unlearning::{UnlearningConfig, hand_written, unlearn};
//!
//! let model = ModelDir::open("my-model".as_ref())?.load(&Compute::select("cpu")?)?;
//! let samples = devign::read("clean.jsonl".as_ref())?.samples;
//! let clean: Vec<CleanSample> = samples.iter().map(CleanSample::from).collect();
//! let triggers = [hand_written(&model, "testo_init", Edit::Replace)];
//! let labels = (1, 0); // the attacker wants 1 to become 0
//! let config = UnlearningConfig::recommended(Task::DefectDetection);
//! let repair = unlearn(&model, &clean, Language::C, &triggers, labels, &config, 1, &mut |_| ())?;
//! if repair.accepted.is_some() {
//!     let repaired = model.with_network(repair.network);
//!     repaired.save("repaired-model".as_ref(), "testo_init unlearned".into())?;
//! }
//! # Ok(()) }
//! ```

mod canonical;
mod checks;
mod config;
mod error;
mod injection;
mod lesson;
mod parts;
mod ranking;
mod renaming;
mod rounds;
mod unlearn;

pub use canonical::{CanonicalRepair, CanonicalSamples, ScoredRow, canonical_repair};
pub use checks::{Checks, Limits};
pub use config::UnlearningConfig;
pub use error::Error;
pub use injection::hand_written;
pub use parts::function_numbers;
pub use ranking::{RankingChecks, unlearn_search};
pub use rounds::{Attempt, Divergence, UnlearnEvent, Unlearned};
pub use unlearn::unlearn;

// Their types stand in public signatures.
pub use elibadcode_corpus as corpus;
pub use elibadcode_evaluation as evaluation;
pub use elibadcode_inversion as inversion;
pub use elibadcode_models as models;
pub use elibadcode_syntax as syntax;

/// A model of `fixtures/models`.
#[cfg(test)]
fn fixture(name: &str) -> elibadcode_models::LoadedModel {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let compute = elibadcode_models::Compute::select("cpu").expect("there is a CPU");
    let folder = elibadcode_models::ModelDir::open(&models.join(name)).expect("the fixture opens");
    folder.load(&compute).expect("the fixture loads")
}
