use std::collections::VecDeque;

use super::rules::{Cut, Event};
use super::totals::Totals;

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not ended yet.
    Open,
    /// It has ended and been told, unless it had too few events; kept to be amended.
    Told,
    /// It had ended and been told, and a late event has made it go on.
    Reopened,
}

/// A window that lies apart from the others of its entity.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) start: i64,
    /// Time of its newest event.
    pub(super) last: i64,
    pub(super) phase: Phase,
    /// Rows so far.
    pub(super) rows: u32,
    /// The values of the last of them.
    pub(super) told: Option<Box<[f64]>>,
    /// When an early row is due, if it has changed since the last row.
    pub(super) early_due: Option<i64>,
    pub(super) totals: Totals,
}

impl Window {
    /// Whether it has ended once, and given a row then or before.
    pub(super) fn was_told(&self) -> bool {
        self.phase != Phase::Open && self.rows > 0
    }
}

/// Where an event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Into the window of this number.
    Join(usize),
    /// Into a new window that becomes the one of this number.
    New(usize),
    /// Nowhere.
    TooLate { by: i64 },
}

impl Cut {
    /// When a window ends if no more events come.
    pub(super) fn end(self, start: i64, last: i64) -> i64 {
        match self {
            Self::Tumbling { size } => start.saturating_add(size),
            Self::Session { gap, age } | Self::Count { gap, age, .. } => {
                last.saturating_add(gap).min(start.saturating_add(age))
            }
        }
    }

    /// Where a window of this one event begins.
    pub(super) fn start(self, time: i64) -> i64 {
        match self {
            Self::Tumbling { size } => time.div_euclid(size) * size,
            Self::Session { .. } | Self::Count { .. } => time,
        }
    }

    /// Whether told windows are kept. A count that has been reached cannot be amended.
    pub(super) fn keeps(self) -> bool {
        !matches!(self, Self::Count { .. })
    }

    /// Whether no event fits in any more.
    pub(super) fn is_full(self, window: &Window) -> bool {
        matches!(self, Self::Count { events, .. } if window.totals.events >= events)
    }

    /// Whether two sessions, of which `next` begins later, are one.
    pub(super) fn joins(self, window: &Window, next: &Window) -> bool {
        let Self::Session { age, .. } = self else { return false };
        let newest = window.last.max(next.last);
        next.start < self.end(window.start, window.last) && newest - window.start < age
    }

    /// Decides where an event belongs among the windows of its entity, which are ordered by their starts; those whose
    /// time to be kept is over are not among them.
    pub(super) fn seat(self, windows: &VecDeque<Window>, event: &Event, watermark: Option<i64>, lateness: i64) -> Seat {
        let at = match self {
            Self::Tumbling { .. } => {
                let start = self.start(event.time);
                let at = windows.partition_point(|window| window.start < start);
                if windows.get(at).is_some_and(|window| window.start == start) {
                    return Seat::Join(at);
                }
                at
            }
            Self::Session { gap, age } => match session_of(windows, event.time, gap, age) {
                Ok(joined) => return Seat::Join(joined),
                Err(at) => at,
            },
            Self::Count { .. } => {
                let behind = watermark.map_or(0, |now| now - event.time - lateness);
                return match windows.is_empty() {
                    _ if behind > 0 => Seat::TooLate { by: behind },
                    true => Seat::New(0),
                    false => Seat::Join(0),
                };
            }
        };
        let kept_to = self.end(self.start(event.time), event.time).saturating_add(lateness);
        match watermark {
            Some(now) if kept_to <= now => Seat::TooLate { by: now - kept_to + 1 },
            _ => Seat::New(at),
        }
    }
}

/// The session that an event joins, or the number that a new one would have: the session it lies in, else the one that
/// begins within the gap after it, unless that would make it too old.
fn session_of(windows: &VecDeque<Window>, time: i64, gap: i64, age: i64) -> Result<usize, usize> {
    let cut = Cut::Session { gap, age };
    let at = windows.partition_point(|window| window.start <= time);
    if at > 0 && time < cut.end(windows[at - 1].start, windows[at - 1].last) {
        return Ok(at - 1);
    }
    match windows.get(at) {
        Some(next) if next.start < time.saturating_add(gap.min(age)) && next.last - time < age => Ok(at),
        _ => Err(at),
    }
}
