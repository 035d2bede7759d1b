//! The files that the commands publish, as types: `run.json`, `metrics.json`,
//! `certificate.json`, the document of `screen`, `results.json` and `calibration.json`.
//!
//! Other programs read these files; a change of their shape changes the schema version.

pub mod calibration;
pub mod certificate;
pub mod document;
pub mod metrics;
pub mod results;
mod run;
pub mod screen;

pub use calibration::Calibrations;
pub use certificate::{CERTIFICATE_SCHEMA_VERSION, Certificate};
pub use metrics::{METRICS_SCHEMA_VERSION, Metrics};
pub use results::{Cell, Results};
pub use run::{RUN_SCHEMA_VERSION, RunRecord};
pub use screen::{SCREEN_SCHEMA_VERSION, ScreenReport};

/// Version of `purification.json`, whose types are in the crate that unlearns.
pub const PURIFICATION_SCHEMA_VERSION: u32 = 1;

/// Version of `scan.json`, whose types are in the crate that makes scans.
pub const SCAN_SCHEMA_VERSION: u32 = 7;
