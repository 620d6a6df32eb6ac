use serde::{Deserialize, Serialize};

use crate::count_distance::CountDistance;
use crate::ecod::Ecod;
use crate::error::DetectError;
use crate::hbos::Hbos;
use crate::input_rule::ColumnRule;
use crate::iqr_fence::IqrFence;
use crate::isolation_forest::IsolationForest;
use crate::matrix::Matrix;
use crate::method::Method;
use crate::networks::{Autoencoder, Transformer};
use crate::onnx::OnnxModel;
use crate::pca::Pca;
use crate::robust_zscore::RobustZscore;
use crate::surprise::Surprise;
use crate::training::TrainingSet;
use crate::transitions::Transitions;
use crate::trees::extended_isolation_forest::ExtendedIsolationForest;
use crate::trees::gradient_boosting::GradientBoosting;
use crate::trees::random_forest::RandomForest;
use crate::trees::unsupervised_forest::UnsupervisedForest;

/// What every trained detector can do. Its input are its own columns, in their order.
pub(crate) trait Detect {
    /// Number of columns of a row.
    fn width(&self) -> usize;

    /// Refuses parameters that could not be applied; the text says what is wrong. After it, nothing panics.
    fn check(&self) -> Result<(), String>;

    /// Whether it measures single columns, and so casts the vote of the strangest one.
    fn votes(&self) -> bool;

    /// Scores a batch; each row's score is the same bits whatever the other rows are.
    /// Shape: `rows` is n × d. Errors: `WidthMismatch`.
    fn score(&self, rows: &Matrix) -> Result<RawScores, DetectError>;

    /// Adds to each column what it did to make the row strange, in units of the method's own; negative where it made
    /// the row look more usual. Returns what would have been usual in each column of this very row, NaN where the
    /// detector does not know; `None` if it never does. Shape: `row`, `credit` and the result have d values.
    fn attribute(&self, row: &[f32], credit: &mut [f64]) -> Option<Vec<f32>>;
}

/// What a detector says of a batch. Shape: one value per row each.
pub(crate) struct RawScores {
    /// Larger is stranger.
    pub(crate) score: Vec<f64>,
    /// Surprisal of the strangest single column, from detectors that measure columns. Units: nats.
    pub(crate) vote: Option<Vec<f64>>,
}

/// A trained detector. A new kind is added at the end: artefacts know kinds by their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Detector {
    RobustZscore(RobustZscore),
    IsolationForest(IsolationForest),
    IqrFence(IqrFence),
    Hbos(Hbos),
    Ecod(Ecod),
    Pca(Pca),
    ExtendedIsolationForest(ExtendedIsolationForest),
    UnsupervisedForest(UnsupervisedForest),
    RandomForest(RandomForest),
    GradientBoosting(GradientBoosting),
    Autoencoder(Autoencoder),
    Transformer(Transformer),
    Onnx(OnnxModel),
    Surprise(Surprise),
    CountDistance(CountDistance),
    Transitions(Transitions),
}

impl Detector {
    /// Trains a detector on rows of its own columns; `rules` has one rule per column, or none at all.
    /// Errors: `Setting`, `TooFewRows`.
    pub(crate) fn fit(
        method: &Method,
        rules: &[ColumnRule],
        set: &TrainingSet<'_>,
        seed: u64,
    ) -> Result<Self, DetectError> {
        method.check().map_err(DetectError::Setting)?;
        Ok(match method {
            Method::RobustZscore => Self::RobustZscore(RobustZscore::fit(set.rows, rules)?),
            Method::IqrFence => Self::IqrFence(IqrFence::fit(set.rows, rules)?),
            Method::Hbos(options) => Self::Hbos(Hbos::fit(set.rows, options)?),
            Method::Ecod(options) => Self::Ecod(Ecod::fit(set.rows, options)?),
            Method::Pca(options) => Self::Pca(Pca::fit(set.rows, options)?),
            Method::Surprise => Self::Surprise(Surprise::new(set.rows.width())?),
            Method::IsolationForest(options) => {
                Self::IsolationForest(IsolationForest::fit(set.rows, options.trees, options.samples, seed)?)
            }
            Method::ExtendedIsolationForest(options) => {
                Self::ExtendedIsolationForest(ExtendedIsolationForest::fit(set, options, seed)?)
            }
            Method::UnsupervisedForest(options) => {
                Self::UnsupervisedForest(UnsupervisedForest::fit(set, options, seed)?)
            }
            Method::RandomForest(options) => Self::RandomForest(RandomForest::fit(set, options, seed)?),
            Method::GradientBoosting(options) => Self::GradientBoosting(GradientBoosting::fit(set, options, seed)?),
            Method::Autoencoder(options) => {
                Self::Autoencoder(set.outside.autoencoder(&set.not_anomalous(), options, seed)?)
            }
            Method::Transformer(options) => {
                Self::Transformer(set.outside.transformer(&set.not_anomalous(), options, seed)?)
            }
            Method::CountDistance(options) => Self::CountDistance(CountDistance::fit(set.rows, options)?),
            Method::Transitions(options) => Self::Transitions(Transitions::fit(set.rows, options)?),
            Method::Onnx(options) => Self::Onnx(OnnxModel::fit(options, set)?),
        })
    }

    pub(crate) fn as_dyn(&self) -> &dyn Detect {
        match self {
            Self::RobustZscore(detector) => detector,
            Self::IsolationForest(detector) => detector,
            Self::IqrFence(detector) => detector,
            Self::Hbos(detector) => detector,
            Self::Ecod(detector) => detector,
            Self::Pca(detector) => detector,
            Self::ExtendedIsolationForest(detector) => detector,
            Self::UnsupervisedForest(detector) => detector,
            Self::RandomForest(detector) => detector,
            Self::GradientBoosting(detector) => detector,
            Self::Autoencoder(detector) => detector,
            Self::Transformer(detector) => detector,
            Self::Onnx(detector) => detector,
            Self::Surprise(detector) => detector,
            Self::CountDistance(detector) => detector,
            Self::Transitions(detector) => detector,
        }
    }
}

/// Detectors have these functions of their own; what differs is only how the score comes, and what they expect.
macro_rules! detects {
    ($($kind:ty: $votes:literal, $raw:expr, $expects:expr;)*) => {$(
        impl Detect for $kind {
            fn width(&self) -> usize {
                self.width()
            }

            fn check(&self) -> Result<(), String> {
                self.check()
            }

            fn votes(&self) -> bool {
                $votes
            }

            fn score(&self, rows: &Matrix) -> Result<RawScores, DetectError> {
                self.score(rows).map($raw)
            }

            fn attribute(&self, row: &[f32], credit: &mut [f64]) -> Option<Vec<f32>> {
                $expects(self.attribute(row, credit))
            }
        }
    )*};
}

fn plain(score: Vec<f64>) -> RawScores {
    RawScores { score, vote: None }
}

/// What is usual in a column is its median, whatever stands in the others.
fn medians((): ()) -> Option<Vec<f32>> {
    None
}

detects! {
    RobustZscore: true, |z| RawScores { score: z.mean, vote: Some(z.max) }, medians;
    IqrFence: true, |distance| RawScores { score: distance.mean, vote: Some(distance.max) }, medians;
    IsolationForest: false, plain, medians;
    Hbos: false, plain, medians;
    Ecod: false, plain, medians;
    Pca: false, plain, medians;
    ExtendedIsolationForest: false, plain, medians;
    UnsupervisedForest: false, plain, medians;
    RandomForest: false, plain, medians;
    GradientBoosting: false, plain, medians;
    Autoencoder: false, plain, medians;
    Transformer: false, plain, medians;
    OnnxModel: false, plain, medians;
    Surprise: false, plain, medians;
    CountDistance: false, plain, Some;
    Transitions: false, plain, Some;
}
