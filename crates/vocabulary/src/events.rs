use arrow::array::RecordBatch;

use crate::position::{Offset, Partition, Position};
use crate::time::EventTime;
use std::sync::Arc;

/// Decoded events of one partition: one row each, in the order of their offsets.
/// Shape: `rows` has n rows; the other columns have n values.
#[derive(Clone, Debug)]
pub struct EventBatch {
    /// Topic, or file, the events come from.
    pub topic: Arc<str>,
    /// Partition they come from.
    pub partition: Partition,
    /// The columns.
    pub rows: RecordBatch,
    /// Offset of each row's record.
    pub offsets: Vec<Offset>,
    /// When each event happened.
    pub times: Vec<EventTime>,
    /// When each record was appended. Units: microseconds since the epoch.
    pub arrived: Vec<i64>,
}

impl EventBatch {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Position of row `index`.
    pub fn position(&self, index: usize) -> Position {
        Position { topic: self.topic.clone(), partition: self.partition, offset: self.offsets[index] }
    }
}
