//! Times as logs write them, read into microseconds.
//!
//! Each format is read by hand, byte by byte: every line carries a time, and a general parser that follows a format
//! string costs ten times as much. Finding where a time ends ([`TimeFormat::span`]) looks at its form alone; reading it
//! ([`TimeFormat::read`]) also checks that the month has that day.

mod civil;
mod formats;

use lapwing_vocabulary::time::{DAY, SECOND};
use thiserror::Error;

use civil::{Clock, Date};

/// Bytes of a text that a message quotes.
const EXCERPT_BYTES: usize = 48;
/// No moment beyond this is looked at, so that sums of times cannot overflow: some 250,000 years.
const ARRIVED_MAX: i64 = i64::MAX / 1_024;

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// `081109 203518`.
    Hdfs,
    /// `2005-06-03-15.42.50.363779`.
    Bgl,
    /// `2026-01-01T10:00:00.123Z` and its kin.
    Iso8601,
    /// `2026-01-01 10:00:00,123`.
    Log4j,
    /// `Nov  9 20:35:18`, without a year.
    Syslog,
    /// `10/Oct/2000:13:55:36 -0700`.
    Apache,
    /// `17/06/09 20:10:40`.
    Spark,
    /// `20:35:18.123`, without a day.
    Clock,
    /// A number since 1970.
    Epoch(EpochUnit),
}

/// What an epoch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EpochUnit {
    /// Told by the size of the number.
    BySize,
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// Why a text is not the time that it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeMisfit {
    /// It looks different.
    #[error("`{found}` is no time of the form {form}")]
    Form {
        /// Its first bytes.
        found: String,
        /// The form, with an example.
        form: &'static str,
    },
    /// A part is no such month, day, hour and so on.
    #[error("time `{found}`: {part} {value} is not in {from}..={to}")]
    Range {
        /// The text.
        found: String,
        /// `month`, `day`, `hour`, …
        part: &'static str,
        /// What it says.
        value: i64,
        /// The least it may be.
        from: i64,
        /// The most it may be.
        to: i64,
    },
    /// The layout has no time at this place.
    #[error("field number {field} of the layout holds no time; take one of kind `time`")]
    NoTime {
        /// Place in the layout's fields, from 0.
        field: usize,
    },
}

/// What is wrong with a time, before the text is quoted.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Form,
    Range { part: &'static str, value: i64, from: i64, to: i64 },
}

/// The day that a time names.
enum Day {
    Full(Date),
    WithoutYear { month: i64, day: i64 },
    None,
}

/// A time as written: `zone_seconds` is what it is ahead of UTC, if it says so.
struct Written {
    day: Day,
    clock: Clock,
    zone_seconds: Option<i64>,
}

impl TimeFormat {
    /// All formats; those before others are the more telling ones.
    pub(crate) const ALL: [Self; 13] = [
        Self::Hdfs,
        Self::Bgl,
        Self::Log4j,
        Self::Iso8601,
        Self::Syslog,
        Self::Apache,
        Self::Spark,
        Self::Clock,
        Self::Epoch(EpochUnit::BySize),
        Self::Epoch(EpochUnit::Seconds),
        Self::Epoch(EpochUnit::Millis),
        Self::Epoch(EpochUnit::Micros),
        Self::Epoch(EpochUnit::Nanos),
    ];

    /// The kind by which patterns name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hdfs => "hdfs_time",
            Self::Bgl => "bgl_time",
            Self::Iso8601 => "iso8601",
            Self::Log4j => "log4j_time",
            Self::Syslog => "syslog_time",
            Self::Apache => "apache_time",
            Self::Spark => "spark_time",
            Self::Clock => "clock",
            Self::Epoch(EpochUnit::BySize) => "epoch",
            Self::Epoch(EpochUnit::Seconds) => "epoch_s",
            Self::Epoch(EpochUnit::Millis) => "epoch_ms",
            Self::Epoch(EpochUnit::Micros) => "epoch_us",
            Self::Epoch(EpochUnit::Nanos) => "epoch_ns",
        }
    }

    /// Its form, with an example.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Self::Hdfs => "yyMMdd HHmmss, such as `081109 203518`",
            Self::Bgl => "yyyy-MM-dd-HH.mm.ss.ffffff, such as `2005-06-03-15.42.50.363779`",
            Self::Iso8601 => "ISO 8601 with date and time, such as `2026-01-01T10:00:00.123Z`",
            Self::Log4j => "yyyy-MM-dd HH:mm:ss,fff, such as `2026-01-01 10:00:00,123`",
            Self::Syslog => "MMM d HH:mm:ss, such as `Nov  9 20:35:18`",
            Self::Apache => "dd/MMM/yyyy:HH:mm:ss zone, such as `10/Oct/2000:13:55:36 -0700`",
            Self::Spark => "yy/MM/dd HH:mm:ss, such as `17/06/09 20:10:40`",
            Self::Clock => "HH:mm:ss, such as `20:35:18.123`",
            Self::Epoch(EpochUnit::BySize) => "a number since 1970, such as `1117838570`",
            Self::Epoch(EpochUnit::Seconds) => "seconds since 1970, such as `1117838570`",
            Self::Epoch(EpochUnit::Millis) => "milliseconds since 1970, such as `1117838570363`",
            Self::Epoch(EpochUnit::Micros) => "microseconds since 1970, such as `1117838570363779`",
            Self::Epoch(EpochUnit::Nanos) => "nanoseconds since 1970, such as `1117838570363779000`",
        }
    }

    /// How many bytes at the beginning of a text have the form of this time.
    pub(crate) fn span(self, text: &[u8]) -> Option<usize> {
        formats::span(self, text)
    }

    /// Reads a time. Units: `offset_seconds` is what a time that names no zone is ahead of UTC; the result and
    /// `arrived_micros` are microseconds since the epoch. A missing year or day is the one that brings the time nearest
    /// to its arrival. Errors: `Form`, `Range`.
    pub(crate) fn read(self, text: &str, offset_seconds: i32, arrived_micros: i64) -> Result<i64, TimeMisfit> {
        self.micros(text.as_bytes(), i64::from(offset_seconds), arrived_micros).map_err(|fault| match fault {
            Fault::Form => TimeMisfit::Form { found: excerpt(text), form: self.form() },
            Fault::Range { part, value, from, to } => TimeMisfit::Range { found: excerpt(text), part, value, from, to },
        })
    }

    fn micros(self, text: &[u8], offset_seconds: i64, arrived_micros: i64) -> Result<i64, Fault> {
        if formats::span(self, text) != Some(text.len()) {
            return Err(Fault::Form);
        }
        if let Self::Epoch(unit) = self {
            return formats::epoch(unit, text);
        }
        let written = formats::written(self, text)?;
        let clock = written.clock.micros()?;
        let offset = written.zone_seconds.unwrap_or(offset_seconds) * SECOND;
        match written.day {
            Day::Full(date) => Ok(date.days()? * DAY + clock - offset),
            Day::WithoutYear { month, day } => nearest_year(month, day, clock - offset, arrived_micros),
            Day::None => Ok(nearest_day(clock - offset, arrived_micros)),
        }
    }
}

/// The year that brings a time nearest to its arrival; of two, the earlier. `rest` is what to add to the day.
fn nearest_year(month: i64, day: i64, rest: i64, arrived_micros: i64) -> Result<i64, Fault> {
    // Whether the day exists at all is told by a leap year.
    Date { year: 2_000, month, day }.days()?;
    let arrived = arrived_micros.clamp(-ARRIVED_MAX, ARRIVED_MAX);
    let year = civil::year_of(arrived);
    // Two leap years are up to eight years apart (1896 and 1904).
    let reach = if (month, day) == (2, 29) { 8 } else { 1 };
    let moments = (year - reach..=year + reach).filter_map(|year| Date { year, month, day }.days().ok());
    let nearest = moments.map(|days| days * DAY + rest).min_by_key(|micros| micros.abs_diff(arrived));
    Ok(nearest.expect("every day of a leap year exists at least once in sixteen years"))
}

fn nearest_day(rest: i64, arrived_micros: i64) -> i64 {
    let arrived = arrived_micros.clamp(-ARRIVED_MAX, ARRIVED_MAX);
    let day = (arrived - rest).div_euclid(DAY) * DAY + rest;
    if arrived - day <= DAY / 2 { day } else { day + DAY }
}

/// The beginning of a text for a message: on one line, what cannot be seen written as an escape.
pub(crate) fn excerpt(text: &str) -> String {
    let cut = text.floor_char_boundary(EXCERPT_BYTES);
    let mut shown = String::with_capacity(EXCERPT_BYTES);
    for c in text[..cut].chars() {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            other => shown.extend(other.escape_debug()),
        }
    }
    if cut < text.len() {
        shown.push('…');
    }
    shown
}
