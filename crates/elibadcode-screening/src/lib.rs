//! An input check for a model that nobody has repaired: functions whose answer hangs on their names.
//!
//! A trigger in a name turns an answer, and taking the name away turns it back. So every function
//! is asked about twice, as it is and with canonical names ([`screen`]), and of one whose answer
//! changes, each name is taken away, and given back, alone ([`blame`]): the one that does most of
//! it is the one to look at. Names mean something to a clean model, too; how often that changes
//! its answer is measured on clean functions, which can also set the threshold ([`threshold`]).
//!
//! [`removals`] asks in another way: ONION's removal of one word at a time, of identifiers. It does better
//! where all names matter, as in code search. Nothing here knows an attack.
//!
//! ```no_run
//! # fn main() -> Result<(), elibadcode_screening::models::Error> {
//! use elibadcode_screening::models::{Compute, ModelDir};
//! use elibadcode_screening::syntax::{CanonicalOptions, Language};
//! use elibadcode_screening::{Subject, blame, screen};
//!
//! let model = ModelDir::open("my-model".as_ref())?.load(&Compute::select("cpu")?)?;
//! let functions = [vec!["int testo_init(int n) { return n ? testo_init(n - 1) : 0; }"]];
//! let subjects = Subject::all(&functions, Language::C, &CanonicalOptions::all_names());
//! for (subject, screened) in subjects.iter().zip(screen(&model, &subjects, Language::C)) {
//!     if screened.suspicion() > 0.0 {
//!         println!("{:?}", blame(&model, subject, Language::C).responsible());
//!     }
//! }
//! # Ok(()) }
//! ```

mod answer;
mod blame;
mod removal;
mod screen;
mod threshold;

pub use answer::Answer;
pub use blame::{Blame, blame};
pub use removal::{Removal, removals};
pub use screen::{Screened, Subject, screen};
pub use threshold::{Error, threshold};

// Their types stand in public signatures.
pub use elibadcode_evaluation as evaluation;
pub use elibadcode_models as models;
pub use elibadcode_syntax as syntax;
