//! What is stored beside the blocks, format 1. Every value begins with the format's number; numbers are
//! little-endian, in keys big-endian.
//!
//! ```text
//! key                                  value after the format number
//! "t" name                             id u32, partitions u32, compact u8, retention_micros i64, retention_bytes i64
//!                                      (−1: none)
//! "h" topic id u32, partition u32      earliest i64, end i64, bytes u64, newest i64, oldest i64, compacted u64
//! "p" topic id u32, partition u32,     offset i64
//!     group
//! ```

use std::sync::Arc;

use lapwing_vocabulary::Offset;
use lapwing_vocabulary::port::TopicLayout;

const FORMAT: u8 = 1;
const NONE: i64 = -1;

/// First byte of the keys of topics.
pub(super) const TOPIC_KEYS: &[u8] = b"t";

/// A topic of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
    pub(super) layout: TopicLayout,
}

/// The ends of a partition, and what its upkeep needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// First offset that still exists.
    pub(super) earliest: Offset,
    /// Offset after the last record.
    pub(super) end: Offset,
    /// Size of all blocks.
    pub(super) bytes: u64,
    /// Largest timestamp ever appended.
    pub(super) newest: i64,
    /// Largest timestamp within the oldest block.
    pub(super) oldest: i64,
    /// Size after the last compaction.
    pub(super) compacted: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { earliest: 0, end: 0, bytes: 0, newest: i64::MIN, oldest: i64::MIN, compacted: 0 }
    }
}

pub(super) fn topic_key(name: &str) -> Vec<u8> {
    [TOPIC_KEYS, name.as_bytes()].concat()
}

pub(super) fn head_key(topic: u32, partition: u32) -> Vec<u8> {
    partition_key(b"h", topic, partition, b"")
}

pub(super) fn position_key(topic: u32, partition: u32, group: &str) -> Vec<u8> {
    partition_key(b"p", topic, partition, group.as_bytes())
}

fn partition_key(kind: &[u8], topic: u32, partition: u32, rest: &[u8]) -> Vec<u8> {
    [kind, &topic.to_be_bytes(), &partition.to_be_bytes(), rest].concat()
}

pub(super) fn encode_topic(topic: &Topic) -> Vec<u8> {
    let layout = &topic.layout;
    let mut bytes = vec![FORMAT];
    bytes.extend(topic.id.to_le_bytes());
    bytes.extend((layout.partitions as u32).to_le_bytes());
    bytes.push(u8::from(layout.compact));
    bytes.extend(layout.retention_micros.unwrap_or(NONE).to_le_bytes());
    bytes.extend(layout.retention_bytes.unwrap_or(NONE).to_le_bytes());
    bytes
}

pub(super) fn decode_topic(key: &[u8], value: &[u8]) -> Option<Topic> {
    let name = std::str::from_utf8(key.strip_prefix(TOPIC_KEYS)?).ok()?;
    let mut fields = Fields::open(value)?;
    let id = u32::from_le_bytes(fields.take()?);
    let partitions = i32::try_from(u32::from_le_bytes(fields.take()?)).ok()?;
    let [compact] = fields.take()?;
    let mut limit = || fields.take().map(i64::from_le_bytes).map(|limit| (limit != NONE).then_some(limit));
    let (retention_micros, retention_bytes) = (limit()?, limit()?);
    let layout =
        TopicLayout { partitions, replication: None, retention_micros, retention_bytes, compact: compact != 0 };
    Some(Topic { id, name: Arc::from(name), layout })
}

pub(super) fn encode_head(head: &Head) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend(head.earliest.to_le_bytes());
    bytes.extend(head.end.to_le_bytes());
    bytes.extend(head.bytes.to_le_bytes());
    bytes.extend(head.newest.to_le_bytes());
    bytes.extend(head.oldest.to_le_bytes());
    bytes.extend(head.compacted.to_le_bytes());
    bytes
}

pub(super) fn decode_head(value: &[u8]) -> Option<Head> {
    let mut fields = Fields::open(value)?;
    Some(Head {
        earliest: i64::from_le_bytes(fields.take()?),
        end: i64::from_le_bytes(fields.take()?),
        bytes: u64::from_le_bytes(fields.take()?),
        newest: i64::from_le_bytes(fields.take()?),
        oldest: i64::from_le_bytes(fields.take()?),
        compacted: u64::from_le_bytes(fields.take()?),
    })
}

pub(super) fn encode_position(offset: Offset) -> Vec<u8> {
    [&[FORMAT], &offset.to_le_bytes()[..]].concat()
}

pub(super) fn decode_position(value: &[u8]) -> Option<Offset> {
    Fields::open(value)?.take().map(i64::from_le_bytes)
}

/// Fixed-width fields after the format number.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn open(value: &'a [u8]) -> Option<Self> {
        value.strip_prefix(&[FORMAT]).map(Self)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Topic, head and position of format 1, one after the other.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/catalog_1.bin");

    #[test]
    fn format_1_of_topics_heads_and_positions_is_the_golden_file() {
        let layout = TopicLayout {
            partitions: 4,
            replication: None,
            retention_micros: Some(60_000_000),
            retention_bytes: None,
            compact: true,
        };
        let topic = Topic { id: 9, name: "alerts".into(), layout };
        let head = Head { earliest: 1, end: 2, bytes: 3, newest: 4, oldest: -5, compacted: 6 };
        let written = [encode_topic(&topic), encode_head(&head), encode_position(77)].concat();
        assert_eq!(written, GOLDEN);
        let (first, rest) = GOLDEN.split_at(26);
        let (second, third) = rest.split_at(49);
        assert_eq!(decode_topic(&topic_key("alerts"), first), Some(topic));
        assert_eq!(decode_head(second), Some(head));
        assert_eq!(decode_position(third), Some(77));
    }

    #[test]
    fn a_later_format_or_a_short_value_is_refused() {
        assert_eq!(decode_position(&[2, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode_head(&[1, 0]), None);
        assert_eq!(decode_topic(b"tname", b""), None);
    }
}
