//! Anomaly detectors as pure, seeded functions; calibration, fusion, explanation and artefacts. No IO, no clock, no
//! threads: the same rows and seed give the same model, the same model and row the same score.

/// Rows of numbers as detectors read them.
pub mod matrix;
mod quantiles;
mod categories;
mod column_values;
/// Which columns of a batch a model reads, and how they become numbers.
pub mod columns;
/// Detector: distance of each column from its median.
pub mod robust_zscore;
/// The one scorer of every kind of tree ensemble.
pub mod tree_scorer;
/// Detector: how few random splits isolate a row.
pub mod isolation_forest;
/// Detector: a model trained elsewhere.
pub mod onnx;
/// Raw scores to probabilities.
pub mod calibration;
/// The ways to score rows, and their options.
pub mod method;
/// Rows to learn from, and what is known of them.
pub mod training;
mod detector;
/// One detector of an ensemble: what it reads, how it scores, how rare its scores are.
pub mod member;
/// Detectors calibrated, fused and held to an alert rate.
pub mod ensemble;
/// Which inputs had most to do with a row's score.
pub mod explanation;
/// An ensemble as bytes, versioned and checksummed.
pub mod artefact;
/// What can go wrong, and what the caller does next.
pub mod error;

pub use calibration::Calibration;
pub use columns::{Encoding, InputSpec, ModelColumns};
pub use ensemble::{Ensemble, MemberScores, Scores};
pub use error::DetectError;
pub use isolation_forest::{IsolationForest, IsolationForestOptions};
pub use matrix::Matrix;
pub use member::{Inputs, MemberSpec};
pub use method::{Method, OptionValue};
pub use onnx::OnnxOptions;
pub use robust_zscore::RobustZscore;
pub use training::{Label, TrainingSet};
pub use tree_scorer::TreeScorer;
