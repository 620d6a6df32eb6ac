use std::fmt;

use lapwing_vocabulary::time::{DAY, SECOND, format_duration};
use serde::{Deserialize, Serialize};

use crate::error::FeatureError;

/// The shortest window or baseline: below it a pane would be shorter than clocks of producers agree.
pub const LENGTH_MICROS_MIN: i64 = SECOND;
/// The longest window or baseline: a leap year.
pub const LENGTH_MICROS_MAX: i64 = 366 * DAY;
/// The most panes of a window: which of them are filled is kept in the 63 bits of a word that is never NaN.
pub const PANES_MAX: usize = 60;
/// The longest sequence: each of its values is a column of its own.
pub const SEQUENCE_LENGTH_MAX: usize = 64;
/// Panes with values below which there is no correlation: two points always lie on a line, and three nearly do.
pub const CORRELATION_PANES_MIN: usize = 4;
/// The whole of a probability. Units: parts per million.
pub const PPM: u32 = 1_000_000;

/// What is computed of the values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each field is the column that the measure's sentence speaks of")]
pub enum Measure {
    /// Number of events; with a column, number of events whose value is not null.
    Count { column: Option<String> },
    /// Sum of the values; 0 of none.
    Sum { column: String },
    /// Mean of the values; does not exist of none.
    Mean { column: String },
    /// Smallest value; does not exist of none.
    Min { column: String },
    /// Largest value; does not exist of none.
    Max { column: String },
    /// Sample standard deviation (divided by n − 1); does not exist of fewer than two values.
    StandardDeviation { column: String },
    /// Events per second of the window's length; with a column, sum of the values per second.
    Rate { column: Option<String> },
    /// Estimated number of different values; 0 of none.
    Distinct { column: String },
    /// Estimated quantile `q_ppm`, linear between ranks; does not exist of none.
    Quantile { column: String, q_ppm: u32 },
    /// (value − median) / (Q3 − Q1) of the window without the event. Range: −50..=50.
    IqrPosition { column: String },
    /// Entropy of the values as categories. Units: bits. Does not exist of none.
    Entropy { column: String },
    /// Part of the window's values, this event's included, that equal this event's. Range: 0..=1.
    Share { column: String },
    /// How many standard deviations the event's own value lies from the mean of the window without it, or from the
    /// baseline before it. Range: −50..=50. Over a window it does not exist until two values are there; over a
    /// baseline it is 0 until something is known. It does not exist if the event's value is null.
    Zscore { column: String },
    /// Like [`Measure::Zscore`], but with median and interquartile range / 1.349.
    RobustZscore { column: String },
    /// Mean of all values, an event's weight falling to 1/e per length.
    Ewma { column: String },
    /// The value before this event's.
    Last { column: String },
    /// The event's value less the one before.
    Delta { column: String },
    /// Delta per second.
    Velocity { column: String },
    /// Change of velocity per second.
    Acceleration { column: String },
    /// Time since the event before; with a column, since the last value that was not null. Units: seconds.
    SinceLast { column: Option<String> },
    /// 1 if the entity shows this value for the first time, else 0.
    FirstSeen { column: String },
    /// How rare the event's value is as a category. Units: bits.
    Rarity { column: String },
    /// How rarely the column, or the other feature of that name, lies so far from what is usual. Units: bits.
    Surprise { column: String },
    /// Distance on the globe from the place before. Units: kilometres.
    GeoDistance { latitude: String, longitude: String },
    /// Speed from the place before. Units: kilometres per hour.
    GeoSpeed { latitude: String, longitude: String },
    /// Correlation of the entity's course with that of its peers; without a column, of the number of events.
    /// Range: −1..=1.
    Correlation { column: Option<String>, peers: String },
    /// The values of the `length` events before this one, the newest first: as many columns.
    Sequence { column: String, length: usize },
}

impl Measure {
    /// The word for it in pipeline files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count { .. } => "count",
            Self::Sum { .. } => "sum",
            Self::Mean { .. } => "mean",
            Self::Min { .. } => "min",
            Self::Max { .. } => "max",
            Self::StandardDeviation { .. } => "std",
            Self::Rate { .. } => "rate",
            Self::Distinct { .. } => "distinct",
            Self::Quantile { .. } => "quantile",
            Self::IqrPosition { .. } => "iqr_position",
            Self::Entropy { .. } => "entropy",
            Self::Share { .. } => "share",
            Self::Zscore { .. } => "zscore",
            Self::RobustZscore { .. } => "robust_zscore",
            Self::Ewma { .. } => "ewma",
            Self::Last { .. } => "last",
            Self::Delta { .. } => "delta",
            Self::Velocity { .. } => "velocity",
            Self::Acceleration { .. } => "acceleration",
            Self::SinceLast { .. } => "since_last",
            Self::FirstSeen { .. } => "first_seen",
            Self::Rarity { .. } => "rarity",
            Self::Surprise { .. } => "surprise",
            Self::GeoDistance { .. } => "geo_distance",
            Self::GeoSpeed { .. } => "geo_speed",
            Self::Correlation { .. } => "correlation",
            Self::Sequence { .. } => "sequence",
        }
    }

    /// The columns whose values it reads, in the order of its fields; a surprise may read a feature instead. The columns of peers are not among them.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Count { column } | Self::Rate { column } | Self::SinceLast { column } => {
                column.as_deref().into_iter().collect()
            }
            Self::Correlation { column, .. } => column.as_deref().into_iter().collect(),
            Self::GeoDistance { latitude, longitude } | Self::GeoSpeed { latitude, longitude } => {
                vec![latitude, longitude]
            }
            Self::Sum { column }
            | Self::Mean { column }
            | Self::Min { column }
            | Self::Max { column }
            | Self::StandardDeviation { column }
            | Self::Distinct { column }
            | Self::Quantile { column, .. }
            | Self::IqrPosition { column }
            | Self::Entropy { column }
            | Self::Share { column }
            | Self::Zscore { column }
            | Self::RobustZscore { column }
            | Self::Ewma { column }
            | Self::Last { column }
            | Self::Delta { column }
            | Self::Velocity { column }
            | Self::Acceleration { column }
            | Self::FirstSeen { column }
            | Self::Rarity { column }
            | Self::Surprise { column }
            | Self::Sequence { column, .. } => vec![column],
        }
    }

    /// Whether its columns must be numbers or booleans. All others only ask whether values are equal or there, so any
    /// type will do.
    pub fn needs_number(&self) -> bool {
        !matches!(
            self,
            Self::Count { .. }
                | Self::Distinct { .. }
                | Self::Entropy { .. }
                | Self::Share { .. }
                | Self::SinceLast { .. }
                | Self::FirstSeen { .. }
                | Self::Rarity { .. }
                | Self::Sequence { .. }
        )
    }

    /// Panes of its window unless the pipeline file says otherwise: a sketch weighs ten to forty times as much as a
    /// plain accumulator, so it gets fewer.
    pub fn panes_default(&self) -> usize {
        match self {
            Self::Distinct { .. }
            | Self::Quantile { .. }
            | Self::IqrPosition { .. }
            | Self::Entropy { .. }
            | Self::Share { .. }
            | Self::RobustZscore { .. } => 4,
            _ => 12,
        }
    }

    /// The spans over which it exists, as pipeline files say them.
    fn spans(&self) -> &'static [&'static str] {
        match self {
            Self::Zscore { .. } | Self::RobustZscore { .. } => &[WINDOW, BASELINE],
            Self::Ewma { .. } | Self::Rarity { .. } | Self::Surprise { .. } => &[BASELINE],
            Self::FirstSeen { .. } => &[WINDOW, PAST],
            Self::Last { .. }
            | Self::Delta { .. }
            | Self::Velocity { .. }
            | Self::Acceleration { .. }
            | Self::SinceLast { .. }
            | Self::GeoDistance { .. }
            | Self::GeoSpeed { .. }
            | Self::Sequence { .. } => &[PAST],
            _ => &[WINDOW],
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is usual depends on the time; UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// The hour of the day: 24 baselines.
    Day,
    /// The hour of the week: 168 baselines.
    Week,
}

impl Season {
    /// The word for it in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

const WINDOW: &str = "window";
const BASELINE: &str = "baseline";
const PAST: &str = "past";

/// Over which part of an entity's past.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The events of the last `length_micros`, by event time, up to the newest of the entity. It moves in steps of a
    /// pane, so it covers between (panes − 1)/panes of its length and all of it.
    Window {
        /// Length. Units: microseconds.
        length_micros: i64,
        /// Panes it is made of. Range: 1..=60.
        panes: usize,
    },
    /// Everything seen, an event's weight falling to 1/e each `length_micros`.
    Baseline {
        /// Time constant. Units: microseconds.
        length_micros: i64,
        /// Whether there is a baseline for each hour of the day or week.
        season: Option<Season>,
        /// The column whose equal values make entities peers: a young entity is judged by them.
        peers: Option<String>,
    },
    /// The events before, whenever they were.
    Past,
}

impl Over {
    /// The length, whichever it is. Units: microseconds.
    pub fn length_micros(&self) -> Option<i64> {
        match self {
            Self::Window { length_micros, .. } | Self::Baseline { length_micros, .. } => Some(*length_micros),
            Self::Past => None,
        }
    }

    /// `window`, `baseline` or `past`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Window { .. } => WINDOW,
            Self::Baseline { .. } => BASELINE,
            Self::Past => PAST,
        }
    }
}

/// What a null input value counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// Nothing: it is passed over.
    #[default]
    Skip,
    /// 0.
    Zero,
}

impl Nulls {
    /// The word for it in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Zero => "zero",
        }
    }
}

/// What an event may do to what is usual. It is never a model that decides, so that memory stays a fold of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learn {
    /// What is far off by the baseline's own measure moves it little.
    #[default]
    Robust,
    /// Every value counts as it is.
    All,
    /// Nothing: the memory stays as it is.
    Off,
}

impl Learn {
    /// The word for it in pipeline files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::All => "all",
            Self::Off => "off",
        }
    }
}

/// What is shown where a feature does not exist. Equal bits are equal fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fill(u64);

impl Fill {
    /// Shows this value.
    pub fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    /// The value shown.
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A free text with its length before it: cannot be taken for two.
pub(crate) fn quoted(text: &str) -> String {
    format!("{}:{text}", text.len())
}

/// One feature as the pipeline file declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Name of the feature; becomes a column (a sequence: the columns `<name>_1`, `<name>_2`, …).
    pub name: String,
    /// What is computed, of which columns.
    pub measure: Measure,
    /// Over which part of the past.
    pub over: Over,
    /// What a null input counts as.
    pub nulls: Nulls,
    /// What an event may do to what is usual. It is no part of the meaning of the memory: a baseline that learns no more
    /// keeps what it knows.
    pub learn: Learn,
    /// What is shown where the feature does not exist; null (NaN) if nothing is said.
    pub fill: Option<Fill>,
}

impl FeatureSpec {
    /// Names of the columns it becomes.
    pub fn outputs(&self) -> Vec<String> {
        match self.measure {
            Measure::Sequence { length, .. } => (1..=length).map(|place| format!("{}_{place}", self.name)).collect(),
            _ => vec![self.name.clone()],
        }
    }

    /// The feature among others that it is a surprise at, if it is not one at a column.
    pub fn surprise_of<'a>(&self, features: &'a [Self]) -> Option<&'a Self> {
        let Measure::Surprise { column } = &self.measure else { return None };
        features.iter().find(|feature| feature.name == *column)
    }

    /// The column whose equal values make entities peers, if it needs any.
    pub fn peers(&self) -> Option<&str> {
        match (&self.measure, &self.over) {
            (Measure::Correlation { peers, .. }, _) | (_, Over::Baseline { peers: Some(peers), .. }) => Some(peers),
            _ => None,
        }
    }

    /// What it remembers, as a text: equal for features with the same memory, whatever they are called and however
    /// they fill. Each free text goes in with its length before it, so that no two definitions give the same one.
    pub(crate) fn definition(&self) -> String {
        let mut words = vec![self.measure.name().to_owned()];
        words.extend(self.measure.columns().into_iter().map(quoted));
        match self.measure {
            Measure::Quantile { q_ppm, .. } => words.push(format!("{q_ppm} ppm")),
            Measure::Sequence { length, .. } => words.push(format!("{length} values")),
            _ => {}
        }
        words.push(self.over.name().to_owned());
        words.extend(self.over.length_micros().map(|length| length.to_string()));
        match &self.over {
            Over::Window { panes, .. } => words.push(format!("{panes} panes")),
            Over::Baseline { season, .. } => words.extend(season.map(|season| season.name().to_owned())),
            Over::Past => {}
        }
        words.extend(self.peers().map(|peers| format!("peers {}", quoted(peers))));
        words.push(self.nulls.name().to_owned());
        words.join(" ")
    }

    /// Refuses what cannot be computed, naming the feature, the fault and the remedy.
    pub fn check(&self) -> Result<(), FeatureError> {
        self.check_span()?;
        self.check_length()?;
        let name = || self.name.clone();
        match &self.measure {
            Measure::Quantile { q_ppm, .. } if *q_ppm > PPM => {
                Err(FeatureError::Quantile { name: name(), q_ppm: *q_ppm })
            }
            Measure::Sequence { length, .. } if !(1..=SEQUENCE_LENGTH_MAX).contains(length) => {
                Err(FeatureError::SequenceLength { name: name(), length: *length, longest: SEQUENCE_LENGTH_MAX })
            }
            _ if self.fill.is_some_and(|fill| !fill.value().is_finite()) => Err(FeatureError::Fill { name: name() }),
            _ => Ok(()),
        }
    }

    fn check_span(&self) -> Result<(), FeatureError> {
        let (name, measure, spans) = (self.name.clone(), self.measure.name(), self.measure.spans());
        if !spans.contains(&self.over.name()) {
            let over = self.over.name();
            return Err(FeatureError::Span { name, measure, over, allowed: spans.join("` or `") });
        }
        let least = if matches!(self.measure, Measure::Correlation { .. }) { CORRELATION_PANES_MIN } else { 1 };
        if let Over::Window { panes, .. } = self.over
            && !(least..=PANES_MAX).contains(&panes)
        {
            return Err(FeatureError::Panes { name, panes, least, most: PANES_MAX });
        }
        let Over::Baseline { season, peers, .. } = &self.over else {
            return match self.learn {
                Learn::Robust => Ok(()),
                Learn::All | Learn::Off => Err(FeatureError::NothingUsual { name, measure }),
            };
        };
        let is_zscore = matches!(self.measure, Measure::Zscore { .. });
        let is_surprise = matches!(self.measure, Measure::Surprise { .. });
        let setting = match () {
            () if season.is_some() && !is_zscore && !is_surprise => "season",
            () if peers.is_some() && !is_zscore => "peers",
            () if self.learn == Learn::All && !is_zscore && !is_surprise => "learn = all",
            () => return Ok(()),
        };
        Err(FeatureError::OnlyZscore { name, measure, setting })
    }

    fn check_length(&self) -> Result<(), FeatureError> {
        let Some(length) = self.over.length_micros() else { return Ok(()) };
        if (LENGTH_MICROS_MIN..=LENGTH_MICROS_MAX).contains(&length) {
            return Ok(());
        }
        Err(FeatureError::Length {
            name: self.name.clone(),
            over: self.over.name(),
            length: format_duration(length),
            shortest: format_duration(LENGTH_MICROS_MIN),
            longest: format_duration(LENGTH_MICROS_MAX),
        })
    }
}
