use serde::{Deserialize, Serialize};

/// What one detector says of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorScore {
    /// Name of the detector in the pipeline file.
    pub detector: String,
    /// Raw score, larger is stranger; its scale is the method's own.
    pub raw: f64,
    /// Share of normal rows that score at least as high. Range: (0, 1].
    pub tail_probability: f64,
}
