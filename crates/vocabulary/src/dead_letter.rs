use std::fmt;

use crate::position::Position;
use crate::records::Header;

/// Header: topic the record came from. Names as Kafka Connect writes them.
pub const HEADER_TOPIC: &str = "__connect.errors.topic";
/// Header: partition the record came from.
pub const HEADER_PARTITION: &str = "__connect.errors.partition";
/// Header: offset the record had.
pub const HEADER_OFFSET: &str = "__connect.errors.offset";
/// Header: stage that refused the record.
pub const HEADER_STAGE: &str = "__connect.errors.stage";
/// Header: machine-readable reason.
pub const HEADER_CLASS: &str = "__connect.errors.exception.class.name";
/// Header: reason for people.
pub const HEADER_MESSAGE: &str = "__connect.errors.exception.message";

/// The station at which a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Bytes to columns.
    Decode,
    /// Other topics joined to the events.
    Join,
    /// SQL and reference tables.
    Enrich,
}

impl Stage {
    /// The name written to headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Join => "join",
            Self::Enrich => "enrich",
        }
    }
}

/// Why a record was set aside: the value of the `reason` label and of [`HEADER_CLASS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are not of the declared format.
    Malformed,
    /// A field cannot be read as its declared type.
    WrongType,
    /// The field of the entity is missing or null.
    MissingKey,
    /// The field of event time is missing or cannot be read as a time.
    MissingTime,
    /// Event time is further in the future than `max_future` allows.
    FutureTime,
    /// The record is larger than `max_record_bytes`.
    TooLarge,
    /// The record is of a joined table that has as many keys as it may.
    TableFull,
    /// The enrich query fails on the event: a division by zero, a text that is not a number.
    QueryFailed,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::WrongType,
        Self::MissingKey,
        Self::MissingTime,
        Self::FutureTime,
        Self::TooLarge,
        Self::TableFull,
        Self::QueryFailed,
    ];

    /// The name written to headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongType => "wrong_type",
            Self::MissingKey => "missing_key",
            Self::MissingTime => "missing_time",
            Self::FutureTime => "future_time",
            Self::TooLarge => "too_large",
            Self::TableFull => "table_full",
            Self::QueryFailed => "query_failed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that was set aside, and why. The original key, value and headers go along with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where the record lies.
    pub position: Position,
    /// Who refused it.
    pub stage: Stage,
    /// The class of the fault.
    pub reason: Reason,
    /// What exactly was wrong, naming the field.
    pub message: String,
}

impl DeadLetter {
    /// The headers that tell the story, in Kafka Connect's names.
    pub fn headers(&self) -> Vec<Header> {
        let header = |name: &str, value: String| Header { name: name.to_owned(), value: value.into_bytes() };
        vec![
            header(HEADER_TOPIC, self.position.topic.to_string()),
            header(HEADER_PARTITION, self.position.partition.to_string()),
            header(HEADER_OFFSET, self.position.offset.to_string()),
            header(HEADER_STAGE, self.stage.name().to_owned()),
            header(HEADER_CLASS, self.reason.name().to_owned()),
            header(HEADER_MESSAGE, format!("{} {}: {}", self.stage.name(), self.position, self.message)),
        ]
    }
}
