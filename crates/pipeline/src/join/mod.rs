//! Other topics joined to the events: the stage between decode and enrich.
//!
//! **One order.** The forwarder writes the records of all topics into one internal topic, each with the name of its stream
//! ([`STREAM_HEADER`](crate::join::STREAM_HEADER)). So a partition is still one sequence of records, and what is joined to
//! an event depends on nothing else: a replay gives the same rows, however the records are cut into batches.
//!
//! **Two clocks**, both folds of that sequence. *Event time* is the newest time of any event or record of a joined
//! stream; events that wait go on when it has come far enough beyond them. The *watermark* is the newest time of the
//! events alone, less the lateness allowed; it, and whatever still waits, decides what can be forgotten. So a joined stream
//! that runs ahead makes no event late, and one that runs behind forgets nothing that an event could still match.
//!
//! **Tables** are looked up when their event comes, streams when it goes on.

/// What is joined, compiled.
mod plan;
/// Values of joined records.
mod value;
/// The records of a stream around the time of an event.
mod interval;
/// The last value of each key.
mod table;
/// What a partition remembers for its joins, and the fold that updates it.
mod memory;
/// What is remembered, to and from a snapshot.
mod stored;
/// What became of events and records, counted.
mod counts;
/// Records of several streams taken apart, joined, and put together as events.
mod stage;

use lapwing_vocabulary::{Header, Records};

pub use counts::{Counts, JoinCounts};
pub use plan::JoinPlan;
pub(crate) use plan::{compile, joined_schema, with_all_columns};
pub use stage::{Join, Joined, Joins};

/// Header of a record of a joined topic in the internal topic: the name of its join. Events have none.
pub const STREAM_HEADER: &str = "lapwing.stream";

/// Whether a record is an event of the source, and not one of a joined topic.
pub fn is_event(records: &Records, index: usize) -> bool {
    stream(records, index).is_none()
}

/// The name of the join a record belongs to.
fn stream(records: &Records, index: usize) -> Option<&[u8]> {
    let header = |header: &&Header| header.name == STREAM_HEADER;
    records.headers(index).iter().find(header).map(|header| &*header.value)
}
