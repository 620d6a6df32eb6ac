use std::collections::BTreeMap;

use lapwing_vocabulary::{Alert, Offset, Partition};
use serde::{Deserialize, Serialize};

/// Most points of history that an overview carries: ten minutes, one each second.
pub const HISTORY_POINTS_MAX: usize = 600;

/// What a running pipeline says of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Version of the program.
    pub version: String,
    /// When this run began, RFC 3339.
    pub started: String,
    /// What carries the records: `kafka`, `embedded log`, `files`.
    pub transport: String,
    /// Model that scores now, as `name@version`; `None` while rules alone decide.
    pub model: Option<String>,
    /// Events read since the start.
    pub events_total: u64,
    /// Events read per second, over the last second.
    pub events_per_second: f64,
    /// Records that wait in the source.
    pub backlog_records: u64,
    /// Alerts raised since the start.
    pub alerts_total: u64,
    /// The same, by anomaly type.
    pub alerts_by_type: BTreeMap<String, u64>,
    /// Records set aside because they could not be read.
    pub dead_letters_total: u64,
    /// Events that came behind the watermark.
    pub late_total: u64,
    /// From the moment an event could be read to its alert committed; `None` before the first alert.
    pub latency_ms: Option<Latency>,
    /// No event older than this is awaited, RFC 3339; `None` before the first event.
    pub watermark: Option<String>,
    /// Entities remembered.
    pub entities: u64,
    /// Every partition this run owns.
    pub partitions: Vec<PartitionOverview>,
    /// One point each second, oldest first; at most [`HISTORY_POINTS_MAX`].
    pub history: Vec<HistoryPoint>,
    /// How right the alerts are, where the truth is known (the demo plants its anomalies).
    pub quality: Option<Quality>,
}

/// Percentiles of a latency. Units: milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them are at most this.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
}

/// One partition of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionOverview {
    /// Name of the topic.
    pub topic: String,
    /// Number within the topic.
    pub partition: Partition,
    /// First offset not yet consumed.
    pub committed: Offset,
    /// Records that wait behind it.
    pub backlog_records: u64,
    /// No event older than this is awaited here, RFC 3339.
    pub watermark: Option<String>,
    /// Entities remembered here.
    pub entities: u64,
}

/// One second of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// End of that second. Units: milliseconds since 1970-01-01T00:00:00Z.
    pub t: i64,
    /// Events read in that second.
    pub events_per_second: f64,
    /// Alerts raised in that second.
    pub alerts: u64,
    /// Event to alert, of the alerts of that second; `None` if there was none.
    pub latency_ms_p99: Option<f64>,
}

/// How right the alerts are, counted against known labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Share of the alerts that are right. Range: 0..=1.
    pub precision: f64,
    /// Share of the planted anomalies that were found. Range: 0..=1.
    pub recall: f64,
    /// Share of the normal events that were flagged. Range: 0..=1.
    pub false_positive_rate: f64,
}

/// An alert, and when it was raised. In JSON the fields of the alert stand beside `detected`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// When the alert was committed, by the wall clock, RFC 3339.
    pub detected: String,
    /// From the moment the event could be read to that commit. Units: milliseconds.
    pub latency_ms: Option<f64>,
    /// The alert itself.
    #[serde(flatten)]
    pub alert: Alert,
}
