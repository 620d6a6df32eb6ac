//! Ensembles as artefacts of format 2 hold them; read, never written.
//!
//! In format 2 the strangest column is that with the largest distance, not that whose distance is rarest there.
//! Everything else is as in the newest format; a method that came later is in none of these.

use serde::Deserialize;

use crate::calibration::Calibration;
use crate::columns::ModelColumns;
use crate::detector::Detector;
use crate::ecod::Ecod;
use crate::ensemble::{Ensemble, Vote};
use crate::fusion::Voice;
use crate::hbos::Hbos;
use crate::input_rule::Margin;
use crate::iqr_fence::{IqrFence, QuartileBox};
use crate::isolation_forest::IsolationForest;
use crate::member::Member;
use crate::networks::{Autoencoder, Transformer};
use crate::onnx::OnnxModel;
use crate::pca::Pca;
use crate::robust_zscore::RobustZscore;
use crate::segments::{Segmented, Segments};
use crate::surprise::Surprise;
use crate::trees::extended_isolation_forest::ExtendedIsolationForest;
use crate::trees::gradient_boosting::GradientBoosting;
use crate::trees::random_forest::RandomForest;
use crate::trees::unsupervised_forest::UnsupervisedForest;

/// An ensemble of format 2; fields in the order of the format.
#[derive(Debug, Deserialize)]
pub(crate) struct EnsembleV2 {
    columns: ModelColumns,
    medians: Vec<f32>,
    members: Vec<MemberV2>,
    fused: Calibration,
    vote: Option<Vote>,
    segments: Option<Segments>,
    statistic: Segmented,
    alert_rate: f64,
    seed: u64,
    trained_rows: u64,
}

#[derive(Debug, Deserialize)]
struct MemberV2 {
    name: String,
    inputs: Option<Vec<usize>>,
    detector: DetectorV2,
    voice: Voice,
}

#[derive(Debug, Deserialize)]
enum DetectorV2 {
    RobustZscore(RobustZscoreV2),
    IsolationForest(IsolationForest),
    IqrFence(IqrFenceV2),
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
}

#[derive(Debug, Deserialize)]
struct RobustZscoreV2 {
    medians: Vec<f32>,
    scales: Vec<f32>,
    margins: Vec<Margin>,
    max_of_one: f32,
}

#[derive(Debug, Deserialize)]
struct IqrFenceV2 {
    boxes: Vec<QuartileBox>,
}

impl From<DetectorV2> for Detector {
    fn from(old: DetectorV2) -> Self {
        match old {
            DetectorV2::RobustZscore(old) => {
                Self::RobustZscore(RobustZscore::of_format_2(old.medians, old.scales, old.margins, old.max_of_one))
            }
            DetectorV2::IsolationForest(detector) => Self::IsolationForest(detector),
            DetectorV2::IqrFence(old) => Self::IqrFence(IqrFence::of_format_2(old.boxes)),
            DetectorV2::Hbos(detector) => Self::Hbos(detector),
            DetectorV2::Ecod(detector) => Self::Ecod(detector),
            DetectorV2::Pca(detector) => Self::Pca(detector),
            DetectorV2::ExtendedIsolationForest(detector) => Self::ExtendedIsolationForest(detector),
            DetectorV2::UnsupervisedForest(detector) => Self::UnsupervisedForest(detector),
            DetectorV2::RandomForest(detector) => Self::RandomForest(detector),
            DetectorV2::GradientBoosting(detector) => Self::GradientBoosting(detector),
            DetectorV2::Autoencoder(detector) => Self::Autoencoder(detector),
            DetectorV2::Transformer(detector) => Self::Transformer(detector),
            DetectorV2::Onnx(detector) => Self::Onnx(detector),
            DetectorV2::Surprise(detector) => Self::Surprise(detector),
        }
    }
}

impl From<MemberV2> for Member {
    fn from(old: MemberV2) -> Self {
        Self { name: old.name, inputs: old.inputs, detector: old.detector.into(), voice: old.voice }
    }
}

impl From<EnsembleV2> for Ensemble {
    fn from(old: EnsembleV2) -> Self {
        Self {
            columns: old.columns,
            medians: old.medians,
            members: old.members.into_iter().map(Member::from).collect(),
            fused: old.fused,
            vote: old.vote,
            segments: old.segments,
            statistic: old.statistic,
            alert_rate: old.alert_rate,
            seed: old.seed,
            trained_rows: old.trained_rows,
        }
    }
}
