//! Detectors that are trees, but for the padded ones of [`crate::isolation_forest`].
//!
//! ```text
//! rows ─▶ binning ─▶ grower (histogram by histogram) ─▶ linked: scored
//!                      ▲
//!   random_forest, unsupervised_forest, gradient_boosting: what rows bring, what leaves say
//! ```

mod parallel;
/// Rows whose labels are known.
mod labelled;
/// Columns as bytes.
mod binning;
/// Sums over bins, and the best cut.
mod histogram;
/// One tree from binned rows.
mod grower;
/// Deep trees, laid out to be walked.
pub mod linked;
/// Detector: the share of a forest's votes that say anomaly.
pub mod random_forest;
/// Detector: how far a row is from those whose columns depend on each other as in training.
pub mod unsupervised_forest;
/// Detector: trees that each correct the ones before.
pub mod gradient_boosting;
/// Detector: how few oblique cuts isolate a row.
pub mod extended_isolation_forest;
