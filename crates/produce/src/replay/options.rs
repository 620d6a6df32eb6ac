use std::path::PathBuf;

use lapwing_vocabulary::EventTime;

use crate::error::{ProduceError, refuse_first};
use crate::telemetry::{DEFAULT_HOSTS, DEFAULT_SEED};

/// What the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFormat {
    /// KDD Cup 1999: 41 features and a label with a dot, no header. Becomes JSON as the telemetry scenario writes it.
    Kdd,
    /// CSV with a header. Becomes JSON objects: cells that are JSON numbers, `true` or `false` are typed, empty cells
    /// are null, all others text.
    Csv,
    /// One JSON object a line, passed through.
    JsonLines,
    /// Any text, a record a line or some lines, passed through.
    Lines,
}

impl ReplayFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Kdd, Self::Csv, Self::JsonLines, Self::Lines];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kdd => "kdd",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Lines => "lines",
        }
    }

    /// The format that a word stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// In which order rows go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they lie in the file.
    InOrder,
    /// Each drawn from the next `window` rows; a window as large as the file shuffles it entirely.
    Random {
        /// The same seed gives the same order; each round has its own.
        seed: u64,
        /// Rows held in memory, at least 1.
        window: usize,
    },
}

/// What to do with a line that is not of the declared format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Stop with an error that names file and line.
    Fail,
    /// Pass over it and count it.
    Skip,
}

/// Settings of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayOptions {
    /// The file; `.gz` and `.zst` are unpacked on the way.
    pub path: PathBuf,
    /// What its lines are.
    pub format: ReplayFormat,
    /// Field whose value becomes the record key; `None` is `host_id` for KDD'99, no key for others.
    pub key: Option<String>,
    /// For raw lines: what in a line is a key, a regular expression such as `blk_-?\d+` (its first group, if it has
    /// one). A line comes once for each key that it names; one without a key is malformed. `None`: no record has a key.
    pub key_pattern: Option<String>,
    /// For raw lines: how the first line of a record begins, a regular expression. Lines that it does not match belong
    /// to the record before, up to [`RECORD_LINES_MAX`] lines and [`RECORD_BYTES_MAX`] bytes. `None`: each line is one.
    ///
    /// [`RECORD_LINES_MAX`]: super::RECORD_LINES_MAX
    /// [`RECORD_BYTES_MAX`]: super::RECORD_BYTES_MAX
    pub multiline_start: Option<String>,
    /// Field that holds event time, for CSV and JSON lines. `None`: time follows from `start` and `interval_micros`.
    pub time: Option<String>,
    /// Field that holds the event's identity, for CSV and JSON lines.
    pub id: Option<String>,
    /// Order of the rows.
    pub order: Order,
    /// At most so many events; `None` is all.
    pub limit: Option<u64>,
    /// Whether to begin again at the end, for ever.
    pub repeat: bool,
    /// What to do with malformed lines.
    pub malformed: Malformed,
    /// Seed of the ids that are added.
    pub seed: u64,
    /// Time of the first event, where the file has no times.
    pub start: EventTime,
    /// Time from one event to the next, where the file has no times. Units: microseconds.
    pub interval_micros: i64,
    /// Number of hosts that KDD'99 rows are spread over.
    pub hosts: usize,
}

impl ReplayOptions {
    /// The whole file once, in order, a thousand events per second of event time from 1970 on.
    pub fn new(path: impl Into<PathBuf>, format: ReplayFormat) -> Self {
        Self {
            path: path.into(),
            format,
            key: None,
            key_pattern: None,
            multiline_start: None,
            time: None,
            id: None,
            order: Order::InOrder,
            limit: None,
            repeat: false,
            malformed: Malformed::Fail,
            seed: DEFAULT_SEED,
            start: EventTime(0),
            interval_micros: 1_000,
            hosts: DEFAULT_HOSTS,
        }
    }

    /// Refuses what cannot be replayed.
    pub(crate) fn check(&self) -> Result<(), ProduceError> {
        let has_fields = matches!(self.format, ReplayFormat::Csv | ReplayFormat::JsonLines);
        let is_empty_window = matches!(self.order, Order::Random { window: 0, .. });
        let has_lines = self.format == ReplayFormat::Lines;
        refuse_first([
            (has_lines && self.key.is_some(), "key", "raw lines have no fields; give a key pattern"),
            (
                !has_lines && self.key_pattern.is_some(),
                "key pattern",
                "only raw lines need one; name the field of the key",
            ),
            (!has_lines && self.multiline_start.is_some(), "multiline start", "only raw lines may be put together"),
            (!has_fields && self.time.is_some(), "time", "only CSV and JSON lines have a field of time; leave it out"),
            (!has_fields && self.id.is_some(), "id", "only CSV and JSON lines have a field of identity; leave it out"),
            (is_empty_window, "window", "give at least 1 row"),
            (self.interval_micros < 0, "interval", "give zero or more"),
            (self.hosts == 0, "hosts", "give at least 1"),
        ])
    }
}
