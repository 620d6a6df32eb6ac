use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::ScoredWindowError;

/// Labels of counts at most: each is a value of every row.
const LABELS_MAX: usize = 1_000;
/// The longest sequence: each place is a value of every row, and an event that is kept.
const SEQUENCE_MAX: usize = 256;
/// What the value of codes without a label is called.
const OTHER: &str = "other";

/// What is computed of the events of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowMeasure {
    /// Number of events; with a column, number of events whose value is not null.
    Count,
    /// Sum of the values; 0 of none.
    Sum,
    /// Mean of the values; does not exist of none.
    Mean,
    /// Smallest value; does not exist of none.
    Min,
    /// Largest value; does not exist of none.
    Max,
    /// Sample standard deviation (divided by n − 1); does not exist of fewer than two values.
    Std,
    /// The value of the oldest event that has one, by event time, then offset.
    First,
    /// The value of the newest event that has one, by event time, then offset.
    Last,
    /// Number of different values: exact up to 64, beyond that to about 3 %.
    Distinct,
    /// Of a column of codes, the number of events of each code: one value per label, for the codes 1, 2, … in order, then
    /// one for all other values (0, beyond the labels, negative, fractions).
    Counts,
    /// The values of the oldest events that have one, oldest first by event time, then offset: as many as `length` says;
    /// those beyond the last event do not exist.
    Sequence,
    /// Time from the oldest to the newest event that has a value, without a column from the oldest to the newest event;
    /// 0 of one, does not exist of none. Units: seconds.
    Span,
}

impl WindowMeasure {
    /// The word for it in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Std => "std",
            Self::First => "first",
            Self::Last => "last",
            Self::Distinct => "distinct",
            Self::Counts => "counts",
            Self::Sequence => "sequence",
            Self::Span => "span",
        }
    }
}

impl fmt::Display for WindowMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value of a window's row, or of some measures several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WindowColumn {
    /// Its name.
    pub name: String,
    /// What is computed.
    pub measure: WindowMeasure,
    /// Of which column; `None` only for `count` and `span`, which are then of all events.
    pub column: Option<String>,
    /// Of `counts` the labels of the codes 1, 2, …: 1 to 1,000. Of other measures empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Of `sequence` the number of values: 1 to 256. Of other measures 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub length: usize,
}

fn is_zero(length: &usize) -> bool {
    *length == 0
}

impl WindowColumn {
    /// One value, without labels or a length.
    pub fn new(name: impl Into<String>, measure: WindowMeasure, column: Option<&str>) -> Self {
        Self { name: name.into(), measure, column: column.map(str::to_owned), labels: Vec::new(), length: 0 }
    }

    /// Names of its values: `{name}_{label}` and at last `{name}_other` of counts, `{name}_1`, … of a sequence, else its
    /// own name.
    pub fn outputs(&self) -> Vec<String> {
        let name = &self.name;
        match self.measure {
            WindowMeasure::Counts => {
                let labels = self.labels.iter().map(String::as_str);
                labels.chain([OTHER]).map(|label| format!("{name}_{label}")).collect()
            }
            WindowMeasure::Sequence => (1..=self.length).map(|place| format!("{name}_{place}")).collect(),
            _ => vec![name.clone()],
        }
    }

    fn check(&self) -> Result<(), ScoredWindowError> {
        let (name, measure) = (self.name.clone(), self.measure.name());
        if self.column.is_none() && !matches!(self.measure, WindowMeasure::Count | WindowMeasure::Span) {
            return Err(ScoredWindowError::MissingColumn { name, measure });
        }
        let (labels, length) = (self.labels.len(), self.length);
        match self.measure {
            WindowMeasure::Counts if !(1..=LABELS_MAX).contains(&labels) => {
                return Err(ScoredWindowError::Labels { name, labels, most: LABELS_MAX });
            }
            WindowMeasure::Sequence if !(1..=SEQUENCE_MAX).contains(&length) => {
                return Err(ScoredWindowError::SequenceLength { name, length, most: SEQUENCE_MAX });
            }
            _ => {}
        }
        if labels > 0 && self.measure != WindowMeasure::Counts {
            return Err(ScoredWindowError::Stray { name, measure, what: "labels" });
        }
        if length > 0 && self.measure != WindowMeasure::Sequence {
            return Err(ScoredWindowError::Stray { name, measure, what: "a length" });
        }
        match self.labels.iter().position(String::is_empty) {
            Some(at) => Err(ScoredWindowError::EmptyLabel { name, code: at + 1 }),
            None => Ok(()),
        }
    }
}

/// Names of all values of these columns, in order.
pub(super) fn names_of(columns: &[WindowColumn]) -> Vec<String> {
    columns.iter().flat_map(WindowColumn::outputs).collect()
}

/// Refuses columns that cannot be computed or told apart.
pub(super) fn check_columns(columns: &[WindowColumn]) -> Result<(), ScoredWindowError> {
    if columns.is_empty() {
        return Err(ScoredWindowError::NoColumns);
    }
    let mut known = BTreeSet::new();
    for (index, column) in columns.iter().enumerate() {
        if column.name.is_empty() {
            return Err(ScoredWindowError::EmptyName { number: index + 1 });
        }
        column.check()?;
        for name in column.outputs() {
            if !known.insert(name.clone()) {
                return Err(ScoredWindowError::DuplicateName { name });
            }
        }
    }
    Ok(())
}
