use std::fmt;

use lapwing_vocabulary::time::{DAY, format_duration};
use serde::{Deserialize, Serialize};

use super::error::ScoredWindowError;

/// The shortest length: event times of most sources are no finer.
const LENGTH_MICROS_MIN: i64 = 1_000;
/// The longest length: a leap year.
const LENGTH_MICROS_MAX: i64 = 366 * DAY;
/// Panes of a sliding window at most: each row merges them all.
const STEPS_MAX: i64 = 60;

/// Which windows an entity's events are cut into.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// One after the other, aligned to the epoch: `[n·size, (n + 1)·size)`.
    Tumbling {
        /// Length. Units: microseconds.
        size_micros: i64,
    },
    /// One ends at each multiple of the step: `[n·step − size, n·step)`.
    Sliding {
        /// Length, a multiple of the step. Units: microseconds.
        size_micros: i64,
        /// Distance between two ends. Units: microseconds.
        step_micros: i64,
    },
    /// As long as the next event comes within the gap: from the first event to the last plus the gap.
    Session {
        /// Silence that ends a session. Units: microseconds.
        gap_micros: i64,
        /// A session ends this long after its first event at the latest. Units: microseconds.
        age_micros_max: Option<i64>,
    },
    /// A number of events in the order in which they come, or what has come when a time is over. At most one is open
    /// per entity. What is told is not kept and not amended, for its number is reached.
    CountOrTimeout {
        /// Events that fill a window.
        events: u64,
        /// Silence that ends it. Units: microseconds.
        gap_micros: Option<i64>,
        /// It ends this long after its oldest event at the latest. Units: microseconds.
        age_micros_max: Option<i64>,
    },
}

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
        }
    }
}

impl fmt::Display for WindowMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value of a window's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WindowColumn {
    /// Its name.
    pub name: String,
    /// What is computed.
    pub measure: WindowMeasure,
    /// Of which column; `None` only for `count`, which then counts events.
    pub column: Option<String>,
}

/// Windows as the scored unit, as a pipeline file declares them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScoredWindowSpec {
    /// Which windows.
    pub kind: WindowKind,
    /// How long a told window is kept to be amended by late events. Units: microseconds.
    pub allowed_lateness_micros: i64,
    /// While a window is open, a row comes this long after the first event that its last row does not hold, as the
    /// watermark goes. Not for sliding windows. Units: microseconds.
    pub early_micros: Option<i64>,
    /// The values of a row, in order.
    pub columns: Vec<WindowColumn>,
}

impl ScoredWindowSpec {
    /// Refuses what cannot be computed, naming fault and remedy.
    pub fn check(&self) -> Result<(), ScoredWindowError> {
        self.kind.check()?;
        let lateness = self.allowed_lateness_micros;
        if !(0..=LENGTH_MICROS_MAX).contains(&lateness) {
            return Err(length_error("allowed_lateness", lateness, 0));
        }
        if let Some(early) = self.early_micros {
            check_length("early", early)?;
            if matches!(self.kind, WindowKind::Sliding { .. }) {
                return Err(ScoredWindowError::EarlySliding);
            }
        }
        check_columns(&self.columns)
    }
}

impl WindowKind {
    fn check(&self) -> Result<(), ScoredWindowError> {
        match *self {
            Self::Tumbling { size_micros } => check_length("size", size_micros),
            Self::Sliding { size_micros, step_micros } => check_sliding(size_micros, step_micros),
            Self::Session { gap_micros, age_micros_max } => {
                check_length("gap", gap_micros)?;
                age_micros_max.map_or(Ok(()), |age| check_length("age_max", age))
            }
            Self::CountOrTimeout { events: 0, .. } => Err(ScoredWindowError::NoEvents),
            Self::CountOrTimeout { gap_micros: None, age_micros_max: None, .. } => Err(ScoredWindowError::Unbounded),
            Self::CountOrTimeout { gap_micros, age_micros_max, .. } => {
                gap_micros.map_or(Ok(()), |gap| check_length("gap", gap))?;
                age_micros_max.map_or(Ok(()), |age| check_length("age_max", age))
            }
        }
    }
}

fn check_length(what: &'static str, micros: i64) -> Result<(), ScoredWindowError> {
    let possible = (LENGTH_MICROS_MIN..=LENGTH_MICROS_MAX).contains(&micros);
    if possible { Ok(()) } else { Err(length_error(what, micros, LENGTH_MICROS_MIN)) }
}

fn length_error(what: &'static str, micros: i64, shortest: i64) -> ScoredWindowError {
    let [length, shortest, longest] = [micros, shortest, LENGTH_MICROS_MAX].map(format_duration);
    ScoredWindowError::Length { what, length, shortest, longest }
}

fn check_sliding(size: i64, step: i64) -> Result<(), ScoredWindowError> {
    check_length("size", size)?;
    check_length("step", step)?;
    if step > size {
        let [size, step] = [size, step].map(format_duration);
        return Err(ScoredWindowError::StepAboveSize { size, step });
    }
    if size % step != 0 {
        let remedy = format_duration(size - size % step);
        let [size, step] = [size, step].map(format_duration);
        return Err(ScoredWindowError::Uneven { size, step, remedy });
    }
    if size / step > STEPS_MAX {
        return Err(ScoredWindowError::Steps { steps: size / step, most: STEPS_MAX });
    }
    Ok(())
}

fn check_columns(columns: &[WindowColumn]) -> Result<(), ScoredWindowError> {
    if columns.is_empty() {
        return Err(ScoredWindowError::NoColumns);
    }
    for (index, column) in columns.iter().enumerate() {
        let name = column.name.clone();
        if name.is_empty() {
            return Err(ScoredWindowError::EmptyName { number: index + 1 });
        }
        if columns[..index].iter().any(|before| before.name == name) {
            return Err(ScoredWindowError::DuplicateName { name });
        }
        if column.column.is_none() && column.measure != WindowMeasure::Count {
            return Err(ScoredWindowError::MissingColumn { name, measure: column.measure.name() });
        }
    }
    Ok(())
}
