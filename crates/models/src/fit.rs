use arrow::array::RecordBatch;
use lapwing_detect::{Ensemble, ModelColumns, TrainingSet};
use lapwing_pipeline::plan::Plan;

use crate::error::ModelError;

/// A fitted ensemble and what the card needs to know of it.
#[derive(Debug)]
pub struct Fitted {
    /// The ensemble.
    pub ensemble: Ensemble,
    /// Rows it was fitted to.
    pub rows: u64,
}

/// Fits the detectors of a pipeline to a sample of rows. The same rows and settings give the same ensemble.
pub fn fit(plan: &Plan, sample: &RecordBatch) -> Result<Fitted, ModelError> {
    if sample.num_rows() == 0 {
        return Err(ModelError::NoRows(String::new()));
    }
    let columns = ModelColumns::fit(&plan.inputs, std::slice::from_ref(sample))?;
    let matrix = columns.encode(sample)?;
    let settings = &plan.settings;
    let ensemble = Ensemble::fit(
        columns,
        &TrainingSet::unlabelled(&matrix),
        &plan.members,
        settings.decide.alert_rate,
        settings.train.seed,
    )?;
    Ok(Fitted { ensemble, rows: sample.num_rows() as u64 })
}
