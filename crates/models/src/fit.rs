use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use lapwing_detect::training::Outside;
use lapwing_detect::{Ensemble, EnsembleSpec, Label, ModelColumns, TrainingSet};
use lapwing_evaluate::truth::label_of;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::settings::Settings;

use crate::error::ModelError;

/// A fitted ensemble and what the card needs to know of it.
#[derive(Debug)]
pub struct Fitted {
    /// The ensemble.
    pub ensemble: Ensemble,
    /// Rows it was fitted to.
    pub rows: u64,
}

/// What lies around training.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// Model files, and who trains networks.
    pub outside: &'a dyn Outside,
    /// Threads that training may use; they change no bit of what comes out.
    pub threads: usize,
}

/// Fits the detectors of a pipeline to a sample of rows. The same rows and settings give the same ensemble.
pub fn fit(plan: &Plan, sample: &RecordBatch, means: Means<'_>) -> Result<Fitted, ModelError> {
    if sample.num_rows() == 0 {
        return Err(ModelError::NoRows(String::new()));
    }
    let columns = ModelColumns::fit(&plan.inputs, std::slice::from_ref(sample))?;
    let matrix = columns.encode(sample)?;
    let settings = &plan.settings;
    let labels = labels(settings, sample)?;
    let set = TrainingSet { rows: &matrix, labels: &labels, outside: means.outside, threads: means.threads };
    let spec = EnsembleSpec {
        members: &plan.members,
        alert_rate: settings.decide.alert_rate,
        segment: settings.decide.segment.as_deref(),
        seed: settings.train.seed,
    };
    let ensemble = Ensemble::fit_by(columns, &set, &spec)?;
    Ok(Fitted { ensemble, rows: sample.num_rows() as u64 })
}

/// What is known of each row, if the pipeline names a column of labels.
fn labels(settings: &Settings, sample: &RecordBatch) -> Result<Vec<Label>, ModelError> {
    let Some(name) = &settings.train.label else { return Ok(Vec::new()) };
    let column = sample.column_by_name(name).expect("the plan keeps the column of labels");
    let texts = cast(column, &DataType::Utf8).map_err(|error| ModelError::Label(format!("{name}: {error}")))?;
    let of = |text: Option<&str>| text.map_or(Label::Unknown, |text| label_of(text, &settings.train.normal));
    Ok(texts.as_string::<i32>().iter().map(of).collect())
}
