use std::fmt;

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::score::DetectorScore;

/// How urgent an alert is, in PagerDuty's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look when there is time.
    Warning,
    /// Look today.
    Error,
    /// Look now.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much one input had to do with an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Name of the input: a column, a feature, or `column=value` of an encoded category.
    pub input: String,
    /// Its share of all positive contributions. Range: 0..=1.
    pub share: f64,
    /// The value seen; `None` if it was missing.
    pub actual: Option<f64>,
    /// The value typical in training (median).
    pub expected: f64,
}

/// What has become of a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// It holds.
    #[default]
    Open,
    /// Late events have changed the window, and what is known now is nothing strange.
    Withdrawn,
}

impl AlertStatus {
    /// Whether it holds.
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }
}

/// The window a finding is about, where windows are what is scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertWindow {
    /// First moment of it, RFC 3339.
    pub start: String,
    /// First moment after it, RFC 3339.
    pub end: String,
    /// Number of events in it.
    pub events: u64,
    /// 0 for its first row; each row that amends it has the next number. A later one takes the place of those before.
    pub revision: u32,
    /// Whether it was still open, so that more may come.
    pub early: bool,
}

/// A line of a log that an alert rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertLine {
    /// Where its record lies.
    pub position: Position,
    /// When it was written, RFC 3339.
    pub time: String,
    /// The line.
    pub text: String,
    /// Whether only its beginning is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// What is strange about the lines of one template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deviation {
    /// There are more of them than usual.
    TooMany,
    /// There are fewer of them than usual.
    TooFew,
    /// No list of templates knows them.
    New,
    /// One stands where another usually does.
    OutOfOrder,
}

/// A template of log messages that has to do with an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertTemplate {
    /// Its id; `other` stands for all that no list knows.
    pub template: String,
    /// Its text; empty where it is not known.
    pub text: String,
    /// What is strange.
    pub finding: Deviation,
    /// Lines of it, or the place among the lines, from 1.
    pub actual: f64,
    /// Lines of it that are usual; `None` of a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// Id of the template that usually stands at the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// One finding, as it is written to the alerts topic. It holds nothing that depends on when or where it was computed,
/// so the same input gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Hash of pipeline, type, entity and the position that opened it: the same finding always has the same id.
    pub id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the anomaly type; `anomaly` if none of the declared types applies.
    #[serde(rename = "type")]
    pub kind: String,
    /// Urgency.
    pub severity: Severity,
    /// The entity: value of the key field.
    pub entity: String,
    /// Id of the event, if the pipeline names an id field.
    pub event_id: Option<String>,
    /// When the event happened, RFC 3339.
    pub event_time: String,
    /// One sentence for people.
    pub summary: String,
    /// Calibrated score, larger is stranger: 1 − share of normal rows at least as strange. Range: 0..=1.
    pub score: f64,
    /// The score from which rows are flagged; follows from `alert_rate`.
    pub threshold: f64,
    /// What each detector said.
    pub detectors: Vec<DetectorScore>,
    /// The inputs that had most to do with it, largest first.
    pub contributions: Vec<Contribution>,
    /// The raw events it rests on.
    pub positions: Vec<Position>,
    /// Model that scored it, as `name@version`.
    pub model: String,
    /// What has become of it; left out while it holds.
    #[serde(default, skip_serializing_if = "AlertStatus::is_open")]
    pub status: AlertStatus,
    /// The window, where windows are what is scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<AlertWindow>,
    /// The first and last lines of the window, where they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<AlertLine>,
    /// Templates that are too many, too few, new or out of order, the strangest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<AlertTemplate>,
}
