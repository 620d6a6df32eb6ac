use serde::{Deserialize, Serialize};

/// What a model says of itself: kept beside the artefact, for people and for audits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Name of the ensemble.
    pub name: String,
    /// Version, from 1; never reused.
    pub version: u64,
    /// Version of Lapwing that trained it.
    pub lapwing: String,
    /// When it was trained, RFC 3339.
    pub trained_at: String,
    /// Fingerprint of the parts of the pipeline file that decide what its inputs mean.
    pub pipeline_digest: String,
    /// Rows offered for training, after the filter.
    pub rows_seen: u64,
    /// Rows in the sample it was fitted to.
    pub rows_fitted: u64,
    /// Event times of the first and last row offered, RFC 3339.
    pub span: Option<(String, String)>,
    /// The filter over rows, if one was set.
    pub filter: Option<String>,
    /// Share of normal traffic that may be flagged.
    pub alert_rate: f64,
    /// Seed of every draw.
    pub seed: u64,
    /// Names of the model's columns.
    pub columns: Vec<String>,
    /// Names of its detectors.
    pub detectors: Vec<String>,
    /// SHA-256 of the artefact file.
    pub sha256: String,
}
