//! Drives scored windows by hand: short specs, events as plain numbers, a watermark that lags behind.
#![allow(dead_code)]

pub(crate) mod twin;

use lapwing_features::{
    Arrival, Closed, Placement, ScoredWindowSpec, ScoredWindows, Texts, WindowColumn, WindowKind, WindowMeasure,
};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;

/// One event of the tests; the time in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Ev {
    pub(crate) key: String,
    pub(crate) second: i64,
    pub(crate) offset: i64,
    pub(crate) value: f64,
}

impl Ev {
    pub(crate) fn time(&self) -> i64 {
        self.second * SECOND
    }

    /// Its text, with characters of two bytes; some events have none.
    pub(crate) fn text(&self) -> Option<String> {
        (self.offset % 5 != 4).then(|| format!("é{}ü{}", self.offset, self.value))
    }
}

pub(crate) fn ev(key: &str, second: i64, offset: i64, value: f64) -> Ev {
    Ev { key: key.to_owned(), second, offset, value }
}

/// Every measure of one column, and the number of events.
pub(crate) const MEASURES: [WindowMeasure; 9] = [
    WindowMeasure::Count,
    WindowMeasure::Sum,
    WindowMeasure::Mean,
    WindowMeasure::Min,
    WindowMeasure::Max,
    WindowMeasure::Std,
    WindowMeasure::First,
    WindowMeasure::Last,
    WindowMeasure::Distinct,
];

pub(crate) fn spec(kind: WindowKind, lateness_seconds: i64, early_seconds: Option<i64>) -> ScoredWindowSpec {
    let mut columns = vec![WindowColumn::new("events", WindowMeasure::Count, None)];
    columns.extend(MEASURES.map(|measure| WindowColumn::new(measure.name(), measure, Some("x"))));
    ScoredWindowSpec {
        kind,
        allowed_lateness_micros: lateness_seconds * SECOND,
        early_micros: early_seconds.map(|early| early * SECOND),
        columns,
        events_min: 1,
        texts: None,
    }
}

/// Beside that of [`spec`], everything that gives several values, and texts.
pub(crate) fn full(spec: ScoredWindowSpec) -> ScoredWindowSpec {
    let mut columns = spec.columns;
    let x = |name: &str, measure| WindowColumn::new(name, measure, Some("x"));
    let labels = |many: usize| (1..=many).map(|code| format!("code{code}")).collect();
    columns.push(WindowColumn { labels: labels(3), ..x("few", WindowMeasure::Counts) });
    columns.push(WindowColumn { labels: labels(70), ..x("many", WindowMeasure::Counts) });
    columns.push(WindowColumn { length: 4, ..x("path", WindowMeasure::Sequence) });
    columns.push(x("x_seconds", WindowMeasure::Span));
    columns.push(WindowColumn::new("seconds", WindowMeasure::Span, None));
    ScoredWindowSpec { columns, texts: Some(Texts { events: 5, bytes: 4 }), ..spec }
}

pub(crate) fn tumbling(size: i64) -> WindowKind {
    WindowKind::Tumbling { size_micros: size * SECOND }
}

pub(crate) fn sliding(size: i64, step: i64) -> WindowKind {
    WindowKind::Sliding { size_micros: size * SECOND, step_micros: step * SECOND }
}

pub(crate) fn session(gap: i64, age: Option<i64>) -> WindowKind {
    WindowKind::Session { gap_micros: gap * SECOND, age_micros_max: age.map(|age| age * SECOND) }
}

pub(crate) fn count(events: u64, gap: Option<i64>, age: Option<i64>) -> WindowKind {
    let micros = |length: Option<i64>| length.map(|length| length * SECOND);
    WindowKind::CountOrTimeout { events, gap_micros: micros(gap), age_micros_max: micros(age) }
}

/// Windows and a watermark that lags behind the newest event by so many seconds.
pub(crate) struct Driver {
    pub(crate) windows: ScoredWindows,
    pub(crate) lag: i64,
    pub(crate) newest: Option<i64>,
    pub(crate) rows: Vec<Closed>,
}

impl Driver {
    pub(crate) fn new(spec: ScoredWindowSpec, lag: i64) -> Self {
        Self::with_room(spec, lag, 1_000_000)
    }

    pub(crate) fn with_room(spec: ScoredWindowSpec, lag: i64, open_max: usize) -> Self {
        let windows = ScoredWindows::new(spec, open_max).unwrap();
        Self { windows, lag, newest: None, rows: Vec::new() }
    }

    /// Moves the watermark as the event wants it; answers it.
    pub(crate) fn watermark(&mut self, event: &Ev) -> EventTime {
        self.newest = self.newest.max(Some(event.second));
        EventTime((self.newest.unwrap_or_default() - self.lag) * SECOND)
    }

    pub(crate) fn observe(&mut self, event: &Ev) -> Placement {
        let watermark = self.watermark(event);
        let Ev { key, offset, value, .. } = event;
        let text = event.text();
        let arrival =
            Arrival { key, time: EventTime(event.time()), offset: *offset, inputs: &[*value], text: text.as_deref() };
        self.windows.observe(arrival, Some(watermark), &mut self.rows)
    }

    pub(crate) fn advance(&mut self, second: i64) {
        self.windows.advance(EventTime(second * SECOND), &mut self.rows);
    }

    /// The rows since the last call.
    pub(crate) fn take(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.rows)
    }
}

/// Whether two values are the same, up to rounding of the standard deviation.
pub(crate) fn near(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(1.0)
}

pub(crate) fn all_near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(*a, *b))
}

/// Whether two rows say the same. Of a withdrawn row only what is withdrawn is said.
pub(crate) fn same_row(a: &Closed, b: &Closed) -> bool {
    let name = |row: &Closed| (row.key.clone(), row.start, row.cause, row.revision, row.events);
    let place = |row: &Closed| (row.end, row.first_offset, row.last_offset, row.offsets.clone());
    let before = match (&a.before, &b.before) {
        (Some(a), Some(b)) => all_near(a, b),
        (None, None) => true,
        _ => false,
    };
    name(a) == name(b)
        && a.texts == b.texts
        && before
        && all_near(&a.values, &b.values)
        && (a.events == 0 || place(a) == place(b))
}

pub(crate) fn same_rows(a: &[Closed], b: &[Closed]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_row(a, b))
}
