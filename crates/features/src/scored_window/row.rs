use std::sync::Arc;

use lapwing_vocabulary::EventTime;

/// One event on its way into its windows.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The entity.
    pub key: &'a str,
    /// When it happened.
    pub time: EventTime,
    /// Where its record lies.
    pub offset: i64,
    /// The values of [`super::ScoredWindows::columns`], in their order; NaN is null.
    pub inputs: &'a [f64],
    /// Its text, if the windows keep texts and it has one.
    pub text: Option<&'a str>,
}

/// Why a row came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The window is still open.
    Early,
    /// The window has ended, or was closed to make room. Of a window that had too few events at its end, the row that
    /// comes once late events have made them enough.
    Final,
    /// The window had ended, and a late event has changed it; or, with 0 events, it is no more.
    Amended,
}

/// One row: a window as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The entity.
    pub key: String,
    /// Begin of the window, included; of sessions and counts the time of the oldest event.
    pub start: EventTime,
    /// End of the window, not included; of a window filled by its count the time of the newest event, included.
    pub end: EventTime,
    /// Why the row came.
    pub cause: Cause,
    /// Number of rows of this window before this one.
    pub revision: u32,
    /// Number of events; 0 withdraws the row before.
    pub events: u64,
    /// Lowest offset of its events.
    pub first_offset: i64,
    /// Highest offset of its events.
    pub last_offset: i64,
    /// The 8 lowest and the 8 highest offsets, ascending; all of them up to 16.
    pub offsets: Vec<i64>,
    /// The values of [`super::ScoredWindows::names`], in their order; NaN is null.
    pub values: Vec<f64>,
    /// Texts of its oldest and its newest events, ascending by event time, then offset.
    pub texts: Vec<WindowText>,
    /// The values of the row before, whose place this one takes; `None` for the first row of a window.
    pub before: Option<Vec<f64>>,
}

/// The text of one event of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowText {
    /// Where the event's record lies.
    pub offset: i64,
    /// When it happened.
    pub time: EventTime,
    /// The text, or its beginning.
    pub text: Arc<str>,
    /// Whether it is only the beginning.
    pub is_cut: bool,
}

/// What has become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is in its windows.
    Taken {
        /// Whether one of them had ended before, and been told.
        amended: bool,
    },
    /// None of its windows is open or kept.
    TooLate {
        /// By how much the allowed lateness was too short. Units: microseconds, at least 1.
        by_micros: i64,
    },
}

/// A window that is open, or kept to be amended.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenWindow {
    /// Begin of the window.
    pub start: EventTime,
    /// End of the window if no more events come.
    pub end: EventTime,
    /// Whether it has been told and is only kept.
    pub kept: bool,
    /// Number of rows so far.
    pub rows: u32,
    /// Number of events.
    pub events: u64,
    /// The values of a row made now.
    pub values: Vec<f64>,
}
