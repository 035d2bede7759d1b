//! Find the trigger of a backdoored code model with a few clean samples.
//!
//! The modules are the boxes of the paper's Fig. 2 and the lines of its Algorithm 1:
//! 1. [`TriggerSpace`]: the vocabulary filtered by naming rules (phase (a)), without the tokens that
//!    `explained` finds in the clean samples,
//! 2. `position`: the identifier that each sample gives up (phase (b)),
//! 3. `start`, `objective` and `gcg`: the search (phase (c)),
//! 4. `anchoring`: the slots that do the work (phase (c')),
//! 5. `judge`, `profile` and `verdict`: what the result is worth,
//! 6. `score`: what a fleet of models says about such results.
//!
//! [`ranking`] has the same steps for code search, where the trigger has a second side.
//!
//! The model is only read, and the attacker's trigger is never seen.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use elibadcode_inversion::corpus::{Task, devign};
//! use elibadcode_inversion::models::{Compute, ModelDir};
//! use elibadcode_inversion::syntax::Language;
//! use elibadcode_inversion::{CleanSample, ScanConfig, Subject, scan};
//!
//! let folder = ModelDir::open("my-model".as_ref())?;
//! let samples = devign::read("clean.jsonl".as_ref())?.samples;
//! let clean: Vec<CleanSample> = samples.iter().map(CleanSample::from).collect();
//! let subject = Subject {
//!     model: &folder.load(&Compute::select("cpu")?)?,
//!     task: Task::DefectDetection,
//!     language: Language::C,
//!     clean: &clean,
//!     model_hash: &folder.hash()?,
//!     samples_hash: "",
//! };
//! let config = ScanConfig::recommended(subject.task);
//! let outcome = scan(&subject, &config, 1, &mut |_| ())?;
//! println!("{}: {:?}", outcome.verdict, outcome.triggers);
//! # Ok(()) }
//! ```

mod anchoring;
mod config;
mod error;
mod event;
mod expected;
mod explained;
mod gcg;
mod gradient;
mod hypothesis;
mod judge;
mod masking;
mod objective;
mod outcome;
mod position;
mod profile;
pub mod ranking;
mod sample;
mod scan;
mod score;
mod shift;
mod space;
mod start;
mod verdict;

pub use anchoring::{Anchored, SlotLoss, anchor};
pub use config::{AnchorRule, PositionRule, ScanConfig, StartRule, StepRule};
pub use error::Error;
pub use event::{ScanEvent, Screened};
pub use expected::ExpectedForwards;
pub use explained::ExplainedToken;
pub use gcg::{Found, Iteration, search};
pub use gradient::SlotGradient;
pub use masking::{Edit, MaskedSample, Occurrences, Sensitivity, Stamped, TriggerIds, maskable};
pub use objective::{Answers, Objective};
pub use outcome::{
    Controls, Evidence, Hypothesis, InvertedTrigger, OtherSearch, Place, PositionProfile,
    ScanOutcome, SearchRecord,
};
pub use position::choose_positions;
pub use profile::{Robustness, TokenStrength, TriggerProfile};
pub use sample::{CleanSample, EncodedPartners, Partner, Partners};
pub use scan::{Subject, scan};
pub use score::{Assessment, Figure, Score};
pub use shift::{Shift, ShiftComparison};
pub use space::TriggerSpace;

// Their types stand in public signatures.
pub use elibadcode_corpus as corpus;
pub use elibadcode_evaluation as evaluation;
pub use elibadcode_models as models;
pub use elibadcode_syntax as syntax;
