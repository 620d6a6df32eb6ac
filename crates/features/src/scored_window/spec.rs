use lapwing_vocabulary::time::{DAY, format_duration};
use serde::{Deserialize, Serialize};

use super::columns::{WindowColumn, check_columns, names_of};
use super::error::ScoredWindowError;

/// The shortest length: event times of most sources are no finer.
const LENGTH_MICROS_MIN: i64 = 1_000;
/// The longest length: a leap year.
const LENGTH_MICROS_MAX: i64 = 366 * DAY;
/// Panes of a sliding window at most: each row merges them all.
const STEPS_MAX: i64 = 60;
/// Texts that a window keeps at most: as many as a person reads, and they make up most of its memory.
const TEXTS_MAX: usize = 32;
/// The longest piece of a text that can be kept: with the number of texts it bounds a window at 128 KiB.
const TEXT_BYTES_MAX: usize = 4_096;

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
    /// A window of fewer events gives no row, neither early nor final; at least 1, which leaves none out.
    #[serde(default = "events_min_default", skip_serializing_if = "is_events_min_default")]
    pub events_min: u64,
    /// Which texts of its events a window keeps; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<Texts>,
}

/// The texts that a window keeps: those of its oldest and of its newest events, by event time, then offset; half each,
/// of an odd number one more of the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Texts {
    /// Of how many events; 1 to 32.
    pub events: usize,
    /// The longest piece of a text that is kept; what is longer is cut, between two characters. 1 to 4,096. Units: bytes.
    pub bytes: usize,
}

fn events_min_default() -> u64 {
    1
}

fn is_events_min_default(events_min: &u64) -> bool {
    *events_min == events_min_default()
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
        self.check_events_min()?;
        self.texts.map_or(Ok(()), Texts::check)?;
        check_columns(&self.columns)
    }

    /// Names of all values of a row, in order.
    pub fn outputs(&self) -> Vec<String> {
        names_of(&self.columns)
    }

    fn check_events_min(&self) -> Result<(), ScoredWindowError> {
        match self.kind {
            _ if self.events_min == 0 => Err(ScoredWindowError::EventsMinZero),
            WindowKind::CountOrTimeout { events, .. } if events < self.events_min => {
                Err(ScoredWindowError::EventsMinAboveCount { events_min: self.events_min, events })
            }
            _ => Ok(()),
        }
    }
}

impl Texts {
    fn check(self) -> Result<(), ScoredWindowError> {
        let Self { events, bytes } = self;
        for (what, given, most) in [("events", events, TEXTS_MAX), ("bytes", bytes, TEXT_BYTES_MAX)] {
            if !(1..=most).contains(&given) {
                return Err(ScoredWindowError::Texts { what, given, most });
            }
        }
        Ok(())
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
