//! The words every Lapwing crate shares. No IO, no clock, no threads: types, their text forms, and the ports that
//! transports implement.

/// Event time in microseconds, and its text forms.
pub mod time;
/// Event times that are wrong by a mistake one can recognise, and its remedy.
pub mod time_confusion;
/// Reading stored bytes that may be anything.
pub mod stored;
/// Where a record lies: topic, partition, offset.
pub mod position;
/// Raw records of one partition, as they come from a transport.
pub mod records;
/// What a worker asks of a transport: poll records, commit an epoch.
pub mod port;
/// Rows of decoded events, with their times and origins.
pub mod events;
/// Why a record was set aside, and the headers that say so.
pub mod dead_letter;
/// What a detector, and the ensemble, say of a row.
pub mod score;
/// The alert record.
pub mod alert;

pub use alert::{Alert, AlertLine, AlertStatus, AlertTemplate, AlertWindow, Contribution, Deviation, Severity};
pub use dead_letter::{DeadLetter, Reason, Stage};
pub use events::EventBatch;
pub use port::{Epoch, OutputRecord, Polled, PortError, Processing, Transport};
pub use position::{Offset, Partition, Position};
pub use records::{Header, Records};
pub use score::DetectorScore;
pub use time::EventTime;
