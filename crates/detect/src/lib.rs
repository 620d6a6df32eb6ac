//! Anomaly detectors as pure, seeded functions; calibration, fusion, explanation and artefacts. No IO, no clock:
//! the same rows and seed give the same model, the same model and row the same score. Threads work only where a training
//! set lends them, and change no bit.

/// Rows of numbers as detectors read them.
pub mod matrix;
/// Rows to learn from, and what is known of them.
pub mod training;
mod quantiles;
mod categories;
mod column_values;
/// Which columns of a batch a model reads, and how they become numbers.
pub mod columns;
/// Detector: distance of each column from its median.
pub mod robust_zscore;
/// The one scorer of every kind of tree ensemble.
pub mod tree_scorer;
/// Options of detectors: where their values are kept, and what may stand there.
pub mod options;
/// Detector: how few random splits isolate a row.
pub mod isolation_forest;
/// Detectors that are deep or boosted trees.
pub mod trees;
/// Detectors: neural networks, trained outside and applied here.
pub mod networks;
/// Detector: a model trained elsewhere.
pub mod onnx;
/// Raw scores to probabilities.
pub mod calibration;
/// The ways to score rows, and their options.
pub mod method;
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
pub use method::Method;
pub use networks::{Autoencoder, AutoencoderOptions, Transformer, TransformerOptions};
pub use options::OptionValue;
pub use onnx::OnnxOptions;
pub use robust_zscore::RobustZscore;
pub use training::{Label, TrainingSet};
pub use tree_scorer::TreeScorer;
pub use trees::extended_isolation_forest::{ExtendedIsolationForest, ExtendedIsolationForestOptions};
pub use trees::gradient_boosting::{GradientBoosting, GradientBoostingOptions};
pub use trees::random_forest::{RandomForest, RandomForestOptions};
pub use trees::unsupervised_forest::{UnsupervisedForest, UnsupervisedForestOptions};
