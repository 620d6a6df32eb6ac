//! Markers: what happened to a partition between two of its records and did not come from them. Memory is a fold of the
//! records *and* of these, so each is committed in the same epoch as what it caused, and a replay repeats it where it
//! happened.

use std::sync::Arc;

use lapwing_vocabulary::port::Topics;
use lapwing_vocabulary::{EventTime, Offset, OutputRecord, Partition, PortError};
use serde::{Deserialize, Serialize};

/// Markers read at a time.
const READ_RECORDS: usize = 10_000;
/// Largest marker that is looked at. Units: bytes. One has some sixty.
const MARKER_BYTES_MAX: usize = 1 << 10;

/// Something that happened before the record at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The first record that comes after it.
    pub offset: Offset,
    /// Event time had come at least this far. Units: microseconds since the epoch.
    pub tick_micros: i64,
}

impl Marker {
    /// The moment that event time had reached.
    pub fn tick(&self) -> EventTime {
        EventTime(self.tick_micros)
    }

    /// As a record of the marker topic, in the partition that it is about.
    pub fn record(&self, topic: &Arc<str>, partition: Partition, now: i64) -> OutputRecord {
        OutputRecord {
            topic: topic.clone(),
            partition: Some(partition),
            key: None,
            value: serde_json::to_vec(self).expect("two numbers have a JSON form"),
            headers: Vec::new(),
            timestamp: now,
        }
    }
}

/// Reads the markers of a partition that stand at or after an offset, in their order.
/// Errors: those of the log; `Corrupt` for a record that is no marker.
pub fn read_markers(
    topics: &mut dyn Topics,
    topic: &str,
    partition: Partition,
    from: Offset,
) -> Result<Vec<Marker>, PortError> {
    let Some(state) = topics.describe(topic)? else { return Ok(Vec::new()) };
    let Some((mut next, end)) = state.partitions.get(partition as usize).copied() else { return Ok(Vec::new()) };
    let mut markers = Vec::new();
    while next < end {
        let records = topics.read(topic, partition, next, READ_RECORDS)?;
        let Some(last) = records.last_offset() else { break };
        for index in 0..records.len() {
            let value = records.value(index);
            let marker =
                (value.len() <= MARKER_BYTES_MAX).then(|| serde_json::from_slice::<Marker>(value).ok()).flatten();
            let marker = marker.ok_or_else(|| {
                let place = records.position(index);
                PortError::Corrupt(format!("{place} is no marker; `{topic}` is written by this pipeline alone"))
            })?;
            markers.extend((marker.offset >= from).then_some(marker));
        }
        next = last + 1;
    }
    Ok(markers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_a_small_json_object() {
        let record = Marker { offset: 12, tick_micros: 34 }.record(&"m".into(), 3, 56);
        assert_eq!(record.value, br#"{"offset":12,"tick_micros":34}"#);
        assert_eq!((record.partition, record.timestamp), (Some(3), 56));
    }
}
