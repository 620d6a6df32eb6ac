use std::fmt;

use lapwing_vocabulary::time::{DAY, SECOND, format_duration};
use serde::{Deserialize, Serialize};

use crate::error::FeatureError;

/// The shortest window or baseline: below it a pane would be shorter than clocks of producers agree.
pub const LENGTH_MICROS_MIN: i64 = SECOND;
/// The longest window or baseline: a leap year.
pub const LENGTH_MICROS_MAX: i64 = 366 * DAY;

/// What is computed of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
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
    StandardDeviation,
    /// How many standard deviations the event's own value lies from the mean of the window without it, or from the
    /// baseline before it. Range: −50..=50. Over a window it does not exist until two values are there; over a
    /// baseline it is 0 until something is known. It does not exist if the event's value is null.
    Zscore,
}

impl Measure {
    /// Every measure, in the order of declaration.
    pub const ALL: [Self; 7] =
        [Self::Count, Self::Sum, Self::Mean, Self::Min, Self::Max, Self::StandardDeviation, Self::Zscore];

    /// The word for it in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::StandardDeviation => "standard_deviation",
            Self::Zscore => "zscore",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Over which part of an entity's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The events of the last `length_micros`, by event time, up to the newest of the entity. It moves in steps of a
    /// twelfth of its length (a pane), so it covers between 11/12 of its length and all of it.
    Window {
        /// Length. Units: microseconds.
        length_micros: i64,
    },
    /// Everything seen, an event's weight falling to 1/e each `length_micros`.
    Baseline {
        /// Time constant. Units: microseconds.
        length_micros: i64,
    },
}

impl Over {
    /// The length, whichever it is. Units: microseconds.
    pub fn length_micros(self) -> i64 {
        match self {
            Self::Window { length_micros } | Self::Baseline { length_micros } => length_micros,
        }
    }

    /// `window` or `baseline`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Baseline { .. } => "baseline",
        }
    }
}

/// One feature as the pipeline file declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Name of the feature; becomes a column.
    pub name: String,
    /// What is computed.
    pub measure: Measure,
    /// Of which column; `None` only for `count`, which then counts events.
    pub column: Option<String>,
    /// Over which part of the past.
    pub over: Over,
}

impl FeatureSpec {
    /// Refuses what cannot be computed, naming the feature and the remedy.
    pub fn check(&self) -> Result<(), FeatureError> {
        let (name, measure) = (self.name.clone(), self.measure.name());
        if self.column.is_none() && self.measure != Measure::Count {
            return Err(FeatureError::MissingColumn { name, measure });
        }
        if matches!(self.over, Over::Baseline { .. }) && self.measure != Measure::Zscore {
            return Err(FeatureError::NotOverBaseline { name, measure });
        }
        let length = self.over.length_micros();
        if (LENGTH_MICROS_MIN..=LENGTH_MICROS_MAX).contains(&length) {
            return Ok(());
        }
        Err(FeatureError::Length {
            name,
            over: self.over.name(),
            length: format_duration(length),
            shortest: format_duration(LENGTH_MICROS_MIN),
            longest: format_duration(LENGTH_MICROS_MAX),
        })
    }
}
