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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The first record that comes after it.
    pub offset: Offset,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happens between two records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum What {
    /// The wall clock stood in for events.
    Tick {
        /// Event time had come at least this far. Units: microseconds since the epoch.
        tick_micros: i64,
    },
    /// A version of a reference table came into force.
    Table {
        /// Name of the table.
        table: String,
        /// Digest of the version: SHA-256 of the file.
        digest: String,
    },
    /// A model came into force, and what is remembered depends on it.
    Model {
        /// Its version.
        model_version: u64,
    },
}

impl Marker {
    /// Event time has come at least this far.
    pub fn tick(offset: Offset, time: EventTime) -> Self {
        Self { offset, what: What::Tick { tick_micros: time.0 } }
    }

    /// This version of a table is in force from here on.
    pub fn table(offset: Offset, table: &str, digest: &str) -> Self {
        Self { offset, what: What::Table { table: table.to_owned(), digest: digest.to_owned() } }
    }

    /// This version of the model is in force from here on.
    pub fn model(offset: Offset, version: u64) -> Self {
        Self { offset, what: What::Model { model_version: version } }
    }

    /// As a record of the marker topic, in the partition that it is about.
    pub fn record(&self, topic: &Arc<str>, partition: Partition, now: i64) -> OutputRecord {
        OutputRecord {
            topic: topic.clone(),
            partition: Some(partition),
            key: None,
            value: serde_json::to_vec(self).expect("numbers and names have a JSON form"),
            headers: Vec::new(),
            timestamp: now,
        }
    }
}

/// Waits until the markers of a partition are decided, and reads those that a replay from an offset needs, in their order: every tick at or after it, and
/// every table and model, for the last one before it says what was in force there.
/// Errors: those of the log; `Corrupt` for a record that is no marker.
pub fn read_markers(
    topics: &mut dyn Topics,
    topic: &str,
    partition: Partition,
    from: Offset,
) -> Result<Vec<Marker>, PortError> {
    let Some(state) = topics.describe(topic)? else { return Ok(Vec::new()) };
    if partition as usize >= state.partitions.len() {
        return Ok(Vec::new());
    }
    // The position of an epoch may be known a moment before its markers can be read. Whoever had the partition before can
    // commit no more for it: its generation is over. So what is written now is all there will be.
    topics.settle(topic, partition)?;
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
            let is_needed = marker.offset >= from || !matches!(marker.what, What::Tick { .. });
            markers.extend(is_needed.then_some(marker));
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
        let tick = Marker::tick(12, EventTime(34));
        let record = tick.record(&"m".into(), 3, 56);
        assert_eq!(record.value, br#"{"offset":12,"tick_micros":34}"#);
        assert_eq!((record.partition, record.timestamp), (Some(3), 56));
        let table = Marker::table(7, "hosts", "ab12");
        assert_eq!(table.record(&"m".into(), 3, 56).value, br#"{"offset":7,"table":"hosts","digest":"ab12"}"#);
        let model = Marker::model(8, 3);
        assert_eq!(model.record(&"m".into(), 3, 56).value, br#"{"offset":8,"model_version":3}"#);
        for marker in [tick, table, model] {
            let text = serde_json::to_vec(&marker).unwrap();
            assert_eq!(serde_json::from_slice::<Marker>(&text).unwrap(), marker);
        }
    }
}
