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
mod column_table;
mod column_measure;
/// What counts as strange in a single column.
pub mod input_rule;
/// Detector: distance of each column from its median.
pub mod robust_zscore;
/// Detector: distance of each column outside its quartiles.
pub mod iqr_fence;
/// Detector: how thinly the rows lie in each column.
pub mod hbos;
/// Detector: how few rows lie as far out in each column.
pub mod ecod;
/// Detector: how far a row leaves the flat on which the others lie.
pub mod pca;
/// Detector: how unlikely all the surprises of a row are together.
pub mod surprise;
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
/// Detector: distance of counts from the nearest counts of training.
pub mod count_distance;
/// Detector: how seldom one code followed another.
pub mod transitions;
/// Detector: a model trained elsewhere.
pub mod onnx;
/// Raw scores to probabilities.
pub mod calibration;
/// The ways to score rows, and their options.
pub mod method;
/// Rows to learn from and rows to calibrate on.
pub mod held_out;
mod segments;
mod fusion;
mod detector;
/// One detector of an ensemble: what it reads, how it scores, how rare its scores are.
pub mod member;
/// Detectors calibrated, fused and held to an alert rate.
pub mod ensemble;
/// Which inputs had most to do with a row's score.
pub mod explanation;
mod format_1;
mod format_2;
/// An ensemble as bytes, versioned and checksummed.
pub mod artefact;
/// What can go wrong, and what the caller does next.
pub mod error;

pub use calibration::Calibration;
pub use columns::{Encoding, InputSpec, ModelColumns};
pub use count_distance::{CountDistance, CountDistanceOptions};
pub use ecod::{Ecod, EcodOptions};
pub use ensemble::{Ensemble, EnsembleSpec, MemberScores, Scores};
pub use error::DetectError;
pub use hbos::{Hbos, HbosOptions};
pub use input_rule::{ColumnRule, Direction, InputRule, MinimumEffect};
pub use iqr_fence::IqrFence;
pub use isolation_forest::{IsolationForest, IsolationForestOptions};
pub use matrix::Matrix;
pub use member::{Inputs, MemberSpec};
pub use method::Method;
pub use networks::{Autoencoder, AutoencoderOptions, Transformer, TransformerOptions};
pub use onnx::OnnxOptions;
pub use options::OptionValue;
pub use pca::{Pca, PcaOptions};
pub use robust_zscore::RobustZscore;
pub use surprise::Surprise;
pub use training::{Label, TrainingSet};
pub use transitions::{Transitions, TransitionsOptions};
pub use tree_scorer::TreeScorer;
pub use trees::extended_isolation_forest::{ExtendedIsolationForest, ExtendedIsolationForestOptions};
pub use trees::gradient_boosting::{GradientBoosting, GradientBoostingOptions};
pub use trees::random_forest::{RandomForest, RandomForestOptions};
pub use trees::unsupervised_forest::{UnsupervisedForest, UnsupervisedForestOptions};
