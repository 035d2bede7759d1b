//! Intervals, tests and summaries for small samples of measurements.
//!
//! Nothing here draws random numbers: a permutation test gets its control values from the caller.
//! A question that the data cannot answer (no values, no spread) gives `None`, never a number.

mod exact_rank_test;
mod logistic;
mod normal;
mod odds_ratio;
mod outlier;
mod paired;
mod proportion;
mod rank_test;
mod roc;
mod signed_rank;
mod significance;
mod summary;

pub use exact_rank_test::mann_whitney_exact;
pub use logistic::{Logistic, Weight};
pub use odds_ratio::odds_ratio_interval;
pub use outlier::mad_outlier_index;
pub use paired::{mean_interval, paired_drop};
pub use proportion::{Interval, wilson_interval};
pub use rank_test::{MannWhitney, mann_whitney_u, roc_auc};
pub use roc::{RocPoint, auroc_interval, roc_curve, true_positive_rate_at};
pub use signed_rank::signed_rank_exact;
pub use significance::permutation_p_value;
pub use summary::{mean, median, sample_standard_deviation};
