//! Ensembles as artefacts of format 1 hold them; read, never written.
//!
//! Format 1 knows two methods, no segments, no weights, and calibrations that end in a bent exponential tail. What it
//! cannot say is given the value that scores as on the day the artefact was written.

use serde::Deserialize;

use crate::calibration::Calibration;
use crate::columns::ModelColumns;
use crate::detector::Detector;
use crate::ensemble::{Ensemble, Vote};
use crate::fusion::Voice;
use crate::isolation_forest::IsolationForest;
use crate::member::Member;
use crate::robust_zscore::RobustZscore;
use crate::segments::Segmented;

/// An ensemble of format 1; fields in the order of the format.
#[derive(Debug, Deserialize)]
pub(crate) struct EnsembleV1 {
    columns: ModelColumns,
    medians: Vec<f32>,
    members: Vec<MemberV1>,
    fused: CalibrationV1,
    vote: Option<CalibrationV1>,
    statistic: CalibrationV1,
    alert_rate: f64,
    seed: u64,
    trained_rows: u64,
}

#[derive(Debug, Deserialize)]
struct MemberV1 {
    name: String,
    inputs: Option<Vec<usize>>,
    detector: DetectorV1,
    calibration: CalibrationV1,
}

#[derive(Debug, Deserialize)]
enum DetectorV1 {
    RobustZscore(RobustZscoreV1),
    IsolationForest(IsolationForest),
}

#[derive(Debug, Deserialize)]
struct RobustZscoreV1 {
    medians: Vec<f32>,
    scales: Vec<f32>,
}

#[derive(Debug, Deserialize)]
struct CalibrationV1 {
    scores: Vec<f64>,
    surprisals: Vec<f64>,
    scale: f64,
}

impl From<CalibrationV1> for Calibration {
    fn from(old: CalibrationV1) -> Self {
        Self::of_format_1(old.scores, old.surprisals, old.scale)
    }
}

/// Evidence was what was reported.
fn voice(calibration: CalibrationV1, weight: f64) -> Voice {
    let calibration = Segmented::whole(calibration.into());
    Voice { reported: calibration.clone(), evidence: calibration, weight }
}

impl From<MemberV1> for Member {
    fn from(old: MemberV1) -> Self {
        let detector = match old.detector {
            DetectorV1::RobustZscore(detector) => {
                Detector::RobustZscore(RobustZscore::of_format_1(detector.medians, detector.scales))
            }
            DetectorV1::IsolationForest(detector) => Detector::IsolationForest(detector),
        };
        Self { name: old.name, inputs: old.inputs, detector, voice: voice(old.calibration, 1.0) }
    }
}

impl From<EnsembleV1> for Ensemble {
    fn from(old: EnsembleV1) -> Self {
        let vote = |calibration: CalibrationV1| Vote { voice: voice(calibration, 0.0), handicap: 0.0 };
        Self {
            columns: old.columns,
            medians: old.medians,
            members: old.members.into_iter().map(Member::from).collect(),
            fused: old.fused.into(),
            vote: old.vote.map(vote),
            segments: None,
            statistic: Segmented::whole(old.statistic.into()),
            alert_rate: old.alert_rate,
            seed: old.seed,
            trained_rows: old.trained_rows,
        }
    }
}
