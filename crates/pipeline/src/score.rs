//! Runs the ensemble over rows. Pure: the model in, the rows in, scores out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use lapwing_detect::{DetectError, Ensemble, Matrix, Scores};

/// A trained ensemble under its name and version.
#[derive(Debug)]
pub struct Model {
    /// Name of the ensemble.
    pub name: String,
    /// Version, from 1.
    pub version: u64,
    /// The detectors, their calibration and fusion.
    pub ensemble: Ensemble,
}

impl Model {
    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// Where a pipeline gets its model, asked between epochs.
pub trait ModelSource: Send + Sync {
    /// The model now in force, if it is another than the one `known` (its version) already is. `Ok(None)` if it is the same,
    /// or if there is none yet.
    fn changed_from(&self, known: Option<u64>) -> Result<Option<Arc<Model>>, String>;

    /// A version that was in force once: a replay that has to know earlier scores asks for it. `Err` if it is no more.
    fn version(&self, version: u64) -> Result<Arc<Model>, String>;
}

/// A source that never has a model: the pipeline enriches and forwards.
#[derive(Debug)]
pub struct NoModel;

impl ModelSource for NoModel {
    fn changed_from(&self, _known: Option<u64>) -> Result<Option<Arc<Model>>, String> {
        Ok(None)
    }

    fn version(&self, version: u64) -> Result<Arc<Model>, String> {
        Err(format!("there are no models, and so no version {version}"))
    }
}

/// Rows as the model sees them, and what it says of them.
pub struct Scored {
    /// One row per event in the model's columns.
    pub matrix: Matrix,
    /// The scores.
    pub scores: Scores,
}

/// Scores a batch of rows. `Err` lists the columns that the rows lack.
pub fn score(model: &Model, rows: &RecordBatch) -> Result<Scored, DetectError> {
    let matrix = model.ensemble.columns().encode(rows)?;
    let scores = model.ensemble.score(&matrix)?;
    Ok(Scored { matrix, scores })
}
