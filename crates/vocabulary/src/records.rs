use std::sync::Arc;

use crate::position::{Offset, Partition, Position};

/// One record header: a name and bytes, as Kafka has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name; may repeat.
    pub name: String,
    /// Value bytes.
    pub value: Vec<u8>,
}

/// Raw records of one partition in the order of their offsets, stored as columns: all values lie in one buffer, so a
/// batch of thousands costs a handful of allocations.
#[derive(Clone, Debug, Default)]
pub struct Records {
    topic: Arc<str>,
    partition: Partition,
    offsets: Vec<Offset>,
    timestamps: Vec<i64>,
    values: Bytes,
    keys: Bytes,
    keyed: Vec<bool>,
    headers: Vec<(u32, Vec<Header>)>,
}

/// Byte strings laid end to end.
#[derive(Clone, Debug, Default)]
struct Bytes {
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl Bytes {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.ends.push(self.buffer.len());
    }

    fn append(&mut self, other: &Self) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&other.buffer);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.buffer[start..self.ends[index]]
    }
}

impl Records {
    /// An empty batch of one partition.
    pub fn new(topic: Arc<str>, partition: Partition) -> Self {
        Self { topic, partition, ..Self::default() }
    }

    /// Appends a record. Units: `timestamp` is microseconds since the epoch, the moment the record was appended to
    /// its log (for files: read). Offsets must ascend; they may have gaps (transaction markers, compaction).
    pub fn push(&mut self, offset: Offset, timestamp: i64, key: Option<&[u8]>, value: &[u8], headers: Vec<Header>) {
        debug_assert!(self.offsets.last().is_none_or(|last| *last < offset), "offsets ascend");
        self.push_anywhere(offset, timestamp, key, value, headers);
    }

    /// As [`Records::push`], for records that were put into another order than that of their log.
    pub fn push_anywhere(
        &mut self,
        offset: Offset,
        timestamp: i64,
        key: Option<&[u8]>,
        value: &[u8],
        headers: Vec<Header>,
    ) {
        if !headers.is_empty() {
            self.headers.push((self.offsets.len() as u32, headers));
        }
        self.offsets.push(offset);
        self.timestamps.push(timestamp);
        self.values.push(value);
        self.keys.push(key.unwrap_or_default());
        self.keyed.push(key.is_some());
    }

    /// Name of the topic, or the path of a file.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Partition these records come from.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes of all values together.
    pub fn value_bytes(&self) -> usize {
        self.values.buffer.len()
    }

    /// Offset of record `index`.
    pub fn offset(&self, index: usize) -> Offset {
        self.offsets[index]
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Option<Offset> {
        self.offsets.last().copied()
    }

    /// Append time of record `index`. Units: microseconds since the epoch.
    pub fn timestamp(&self, index: usize) -> i64 {
        self.timestamps[index]
    }

    /// Value of record `index`.
    pub fn value(&self, index: usize) -> &[u8] {
        self.values.get(index)
    }

    /// Key of record `index`, if it has one.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.keyed[index].then(|| self.keys.get(index))
    }

    /// Headers of record `index`.
    pub fn headers(&self, index: usize) -> &[Header] {
        match self.headers.binary_search_by_key(&(index as u32), |(at, _)| *at) {
            Ok(found) => &self.headers[found].1,
            Err(_) => &[],
        }
    }

    /// Position of record `index`.
    pub fn position(&self, index: usize) -> Position {
        Position { topic: self.topic.clone(), partition: self.partition, offset: self.offsets[index] }
    }

    /// Takes in the records that follow, of the same partition.
    pub fn append(&mut self, other: &Self) {
        debug_assert!(self.partition == other.partition, "records of one partition");
        let before = self.offsets.len() as u32;
        self.headers.extend(other.headers.iter().map(|(at, headers)| (before + at, headers.clone())));
        self.offsets.extend_from_slice(&other.offsets);
        self.timestamps.extend_from_slice(&other.timestamps);
        self.values.append(&other.values);
        self.keys.append(&other.keys);
        self.keyed.extend_from_slice(&other.keyed);
    }

    /// Drops every record from `length` on.
    pub fn truncate(&mut self, length: usize) {
        if length >= self.len() {
            return;
        }
        self.offsets.truncate(length);
        self.timestamps.truncate(length);
        self.keyed.truncate(length);
        self.headers.retain(|(at, _)| (*at as usize) < length);
        for bytes in [&mut self.values, &mut self.keys] {
            bytes.ends.truncate(length);
            bytes.buffer.truncate(bytes.ends.last().copied().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_read_back_and_truncated() {
        let mut records = Records::new("t".into(), 3);
        records.push(5, 50, Some(b"k"), b"one", vec![]);
        records.push(7, 70, None, b"", vec![Header { name: "h".into(), value: b"v".to_vec() }]);
        assert_eq!((records.value(0), records.key(0), records.headers(0).len()), (&b"one"[..], Some(&b"k"[..]), 0));
        assert_eq!((records.value(1), records.key(1), records.headers(1).len()), (&b""[..], None, 1));
        assert_eq!(records.position(1).to_string(), "t[3]@7");
        let mut joined = records.clone();
        let mut more = Records::new("t".into(), 3);
        more.push(9, 90, None, b"two", vec![Header { name: "g".into(), value: vec![] }]);
        joined.append(&more);
        assert_eq!((joined.len(), joined.value(2), joined.key(2)), (3, &b"two"[..], None));
        assert_eq!((joined.headers(1).len(), joined.headers(2)[0].name.as_str()), (1, "g"));
        records.truncate(1);
        assert_eq!((records.len(), records.last_offset(), records.value_bytes()), (1, Some(5), 3));
    }
}
