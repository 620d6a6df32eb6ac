use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::columns::ModelColumns;
use crate::error::DetectError;
use crate::isolation_forest::{IsolationForest, SAMPLES_DEFAULT, TREES_DEFAULT};
use crate::matrix::Matrix;
use crate::robust_zscore::RobustZscore;

/// A way to score rows, with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Mean distance of the columns from their medians; also casts the vote of the strangest column.
    RobustZscore,
    /// How few random splits isolate a row.
    IsolationForest {
        /// Number of trees.
        trees: usize,
        /// Rows each tree sees.
        samples: usize,
    },
}

impl Method {
    /// An isolation forest of the published size.
    pub const FOREST: Self = Self::IsolationForest { trees: TREES_DEFAULT, samples: SAMPLES_DEFAULT };

    /// The name written to pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::RobustZscore => "robust_zscore",
            Self::IsolationForest { .. } => "isolation_forest",
        }
    }
}

/// Which of the model's columns a member reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inputs {
    /// All of them.
    All,
    /// These: names of batch columns (all their encoded columns), or of encoded columns.
    Named(Vec<String>),
}

/// A member of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSpec {
    /// Name of the detector in the pipeline file.
    pub name: String,
    /// How it scores.
    pub method: Method,
    /// What it reads.
    pub inputs: Inputs,
}

/// A trained member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Places of its inputs among the model's columns; `None` if it reads all.
    inputs: Option<Vec<usize>>,
    detector: Detector,
    /// How rare its raw scores are.
    pub(crate) calibration: Calibration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Detector {
    RobustZscore(RobustZscore),
    IsolationForest(IsolationForest),
}

/// What a detector says of a batch. Shape: one value per row each.
pub(crate) struct RawScores {
    /// Larger is stranger.
    pub(crate) score: Vec<f64>,
    /// |z| of the strangest single column, from detectors that measure columns.
    pub(crate) vote: Option<Vec<f64>>,
}

impl Member {
    /// Trains a member; it is not yet calibrated. Errors: `Setting`, `TooFewRows`.
    pub(crate) fn fit(
        spec: &MemberSpec,
        columns: &ModelColumns,
        rows: &Matrix,
        seed: u64,
    ) -> Result<Self, DetectError> {
        let inputs = resolve(spec, columns)?;
        let rows = selected(inputs.as_deref(), rows);
        let detector = match spec.method {
            Method::RobustZscore => Detector::RobustZscore(RobustZscore::fit(&rows)?),
            Method::IsolationForest { trees, samples } => {
                Detector::IsolationForest(IsolationForest::fit(&rows, trees, samples, seed)?)
            }
        };
        Ok(Self { name: spec.name.clone(), inputs, detector, calibration: Calibration::fit(&[]) })
    }

    /// Refuses a member that could not score rows of `width` columns; the text says what is wrong.
    pub(crate) fn check(&self, width: usize) -> Result<(), String> {
        let read = self.inputs.as_ref().map_or(width, Vec::len);
        let beyond = self.inputs.iter().flatten().find(|place| **place >= width);
        if let Some(place) = beyond {
            return Err(format!("detector `{}` reads column {place} of {width}", self.name));
        }
        let detector_width = match &self.detector {
            Detector::RobustZscore(detector) => detector.check().map(|()| detector.width()),
            Detector::IsolationForest(detector) => detector.check().map(|()| detector.width()),
        };
        if detector_width.map_err(|text| format!("detector `{}`: {text}", self.name))? != read {
            return Err(format!("detector `{}` is not as wide as its {read} inputs", self.name));
        }
        self.calibration.check().map_err(|text| format!("detector `{}`: {text}", self.name))
    }

    /// Whether it casts the vote of the strangest column.
    pub(crate) fn votes(&self) -> bool {
        matches!(self.detector, Detector::RobustZscore(_))
    }

    /// Raw scores of rows that have all of the model's columns.
    pub(crate) fn score(&self, rows: &Matrix) -> Result<RawScores, DetectError> {
        let rows = selected(self.inputs.as_deref(), rows);
        match &self.detector {
            Detector::RobustZscore(detector) => {
                detector.score(&rows).map(|z| RawScores { score: z.mean, vote: Some(z.max) })
            }
            Detector::IsolationForest(detector) => detector.score(&rows).map(|score| RawScores { score, vote: None }),
        }
    }

    /// Adds to each of the model's columns what it did to make the row strange to this member: the positive parts of
    /// the method's own attribution, scaled so that they sum to `weight`.
    pub(crate) fn attribute(&self, row: &[f32], weight: f64, credit: &mut [f64]) {
        let values: Cow<[f32]> = match &self.inputs {
            None => Cow::Borrowed(row),
            Some(places) => places.iter().map(|place| row[*place]).collect(),
        };
        let mut own = vec![0.0; values.len()];
        match &self.detector {
            Detector::RobustZscore(detector) => detector.attribute(&values, &mut own),
            Detector::IsolationForest(detector) => detector.attribute(&values, &mut own),
        }
        let total: f64 = own.iter().map(|part| part.max(0.0)).sum();
        if total <= 0.0 {
            return;
        }
        for (index, part) in own.iter().enumerate() {
            let place = self.inputs.as_ref().map_or(index, |places| places[index]);
            credit[place] += weight * part.max(0.0) / total;
        }
    }
}

fn selected<'a>(inputs: Option<&[usize]>, rows: &'a Matrix) -> Cow<'a, Matrix> {
    inputs.map_or(Cow::Borrowed(rows), |places| Cow::Owned(rows.select(places)))
}

/// Places of a member's inputs, each once and ascending; `None` for all.
fn resolve(spec: &MemberSpec, columns: &ModelColumns) -> Result<Option<Vec<usize>>, DetectError> {
    let Inputs::Named(names) = &spec.inputs else { return Ok(None) };
    let mut places = Vec::new();
    for name in names {
        let found = columns.places(name);
        if found.is_empty() {
            let known: Vec<String> = columns.inputs().into_iter().map(|input| input.column).collect();
            let (detector, known) = (&spec.name, known.join("`, `"));
            let text = format!("detector `{detector}` reads `{name}`, which the model does not have; it has `{known}`");
            return Err(DetectError::Setting(text));
        }
        places.extend(found);
    }
    places.sort_unstable();
    places.dedup();
    match places.is_empty() {
        true => Err(DetectError::Setting(format!("detector `{}` reads no column", spec.name))),
        false => Ok(Some(places)),
    }
}
