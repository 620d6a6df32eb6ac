use std::sync::Arc;

use lapwing_vocabulary::port::TopicLayout;
use lapwing_vocabulary::{Offset, OutputRecord, Partition, PortError};

use super::block::{BlockBuilder, entry_bytes};
use super::block_key::BlockKey;
use super::catalog::{Head, Topic};
use super::published::Published;
use super::retention;
use super::store::{Batch, Store};
use crate::partitioner::{no_partition, partition_of_key};
use crate::topic_name;

/// Key, value and headers of a record together are at most this large. Units: bytes.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// Where records without a key go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keyless {
    /// To each partition in turn; the number of the turn.
    InTurn(u64),
    /// To the partition of the same number as the source's.
    WithSource(Partition),
}

impl Keyless {
    fn partition(&mut self, partitions: i32) -> Partition {
        match self {
            Self::WithSource(partition) => *partition % partitions,
            Self::InTurn(turn) => {
                let chosen = (*turn % partitions as u64) as Partition;
                *turn += 1;
                chosen
            }
        }
    }
}

/// An append on its way: what every touched topic and partition gets.
#[derive(Default)]
pub(super) struct Draft {
    topics: Vec<TopicDraft>,
    /// Index of the topic that the last record went to: most records of an append go to the same one.
    current: usize,
}

/// What an append does to one topic.
pub(super) struct TopicDraft {
    pub(super) topic: Arc<Topic>,
    pub(super) created: bool,
    pub(super) heads: Vec<Head>,
    streams: Vec<Option<Stream>>,
}

/// Blocks that a partition gets.
struct Stream {
    builder: BlockBuilder,
    blocks: Vec<(BlockKey, Vec<u8>)>,
}

impl Draft {
    /// Makes a topic the one that records go to; `false` if it is not yet part of this append.
    pub(super) fn select(&mut self, name: &str) -> bool {
        if self.topics.get(self.current).is_some_and(|draft| &*draft.topic.name == name) {
            return true;
        }
        match self.topics.iter().position(|draft| &*draft.topic.name == name) {
            Some(found) => self.current = found,
            None => return false,
        }
        true
    }

    fn add_topic(&mut self, topic: Arc<Topic>, heads: Vec<Head>, created: bool) {
        let streams = heads.iter().map(|_| None).collect();
        self.topics.push(TopicDraft { topic, created, heads, streams });
        self.current = self.topics.len() - 1;
    }

    /// Makes sure that a topic is part of this append; one that does not exist is created with `layout`.
    pub(super) fn include(&mut self, name: &str, published: &Published, layout: &TopicLayout) -> Result<(), PortError> {
        if self.select(name) {
            return Ok(());
        }
        if let Some(listed) = published.get(name) {
            self.add_topic(listed.topic.clone(), listed.heads.clone(), false);
            return Ok(());
        }
        topic_name::check(name)?;
        check_layout(name, layout)?;
        let ahead = self.topics.iter().filter(|draft| draft.created).count() as u32;
        let topic = Topic { id: published.next_id() + ahead, name: Arc::from(name), layout: layout.clone() };
        self.add_topic(Arc::new(topic), vec![Head::default(); layout.partitions as usize], true);
        Ok(())
    }

    /// Appends a record to the topic included last.
    pub(super) fn push(
        &mut self,
        record: &OutputRecord,
        keyless: &mut Keyless,
        block_bytes_max: usize,
    ) -> Result<(), PortError> {
        let draft = &mut self.topics[self.current];
        let topic = &draft.topic;
        let size = entry_bytes(record.key.as_deref(), &record.value, &record.headers);
        if size > RECORD_BYTES_MAX {
            let name = &topic.name;
            return Err(PortError::Operator(format!(
                "append to `{name}`: a record of {size} bytes is larger than the {RECORD_BYTES_MAX} bytes that fit"
            )));
        }
        let partition = partition_of(record, topic, keyless)? as usize;
        let head = &mut draft.heads[partition];
        let stream = draft.streams[partition]
            .get_or_insert_with(|| Stream { builder: BlockBuilder::new(head.end), blocks: Vec::new() });
        if stream.builder.is_full(head.end, size, block_bytes_max) {
            stream.close(topic.id, partition as u32, head);
        }
        stream.builder.push(head.end, record.timestamp, record.key.as_deref(), &record.value, &record.headers);
        head.end += 1;
        Ok(())
    }

    /// Puts blocks, heads and new topics into a batch, and drops what is beyond its retention.
    pub(super) fn write(&mut self, store: &Store, batch: &mut Batch<'_>) -> Result<(), PortError> {
        for draft in &mut self.topics {
            if draft.created {
                batch.put_topic(&draft.topic);
            }
            draft.write(store, batch)?;
        }
        Ok(())
    }

    /// What the append has made of the topics.
    pub(super) fn into_topics(self) -> Vec<TopicDraft> {
        self.topics
    }
}

/// Decides which partition a record goes to.
fn partition_of(record: &OutputRecord, topic: &Topic, keyless: &mut Keyless) -> Result<Partition, PortError> {
    let partitions = topic.layout.partitions;
    if record.key.is_none() && topic.layout.compact {
        let name = &topic.name;
        return Err(PortError::Operator(format!(
            "append to `{name}`: the topic keeps the last record per key, and this record has no key"
        )));
    }
    match (record.partition, &record.key) {
        (Some(named), _) if (0..partitions).contains(&named) => Ok(named),
        (Some(named), _) => Err(no_partition(&topic.name, named, Some(partitions))),
        (None, Some(key)) => Ok(partition_of_key(key, partitions)),
        (None, None) => Ok(keyless.partition(partitions)),
    }
}

impl TopicDraft {
    fn write(&mut self, store: &Store, batch: &mut Batch<'_>) -> Result<(), PortError> {
        let topic = &self.topic;
        for (partition, stream) in self.streams.iter_mut().enumerate() {
            let Some(mut stream) = stream.take() else { continue };
            let head = &mut self.heads[partition];
            stream.close(topic.id, partition as u32, head);
            let fresh: Vec<BlockKey> = stream.blocks.iter().map(|(key, _)| *key).collect();
            if retention::is_due(head, &topic.layout) {
                let first_fresh = fresh.first().map_or(head.end, |key| key.base);
                let mut stored = store.blocks(topic, partition as i32, head.earliest, first_fresh, true)?;
                for block in retention::trim(head, &topic.layout, &mut stored, &fresh)? {
                    batch.drop_block(&block);
                }
            }
            for (key, block) in stream.blocks {
                batch.put_block(&key, block);
            }
            batch.put_head(topic, partition as u32, head);
        }
        Ok(())
    }
}

impl Stream {
    /// Closes the current block and begins the next.
    fn close(&mut self, topic: u32, partition: u32, head: &mut Head) {
        if self.builder.is_empty() {
            return;
        }
        let full = std::mem::replace(&mut self.builder, BlockBuilder::new(head.end));
        let (key, block) = full.finish(topic, partition);
        if head.bytes == 0 {
            (head.earliest, head.oldest) = (key.base, key.newest);
        }
        head.newest = head.newest.max(key.newest);
        head.bytes += key.size_bytes();
        self.blocks.push((key, block));
    }
}

pub(super) fn check_layout(name: &str, layout: &TopicLayout) -> Result<(), PortError> {
    let wrong = |text: &str| Err(PortError::Operator(format!("create topic `{name}`: {text}")));
    let negative = |limit: Option<i64>| limit.is_some_and(|limit| limit < 0);
    if !(1..=PARTITIONS_MAX).contains(&layout.partitions) {
        return wrong(&format!("it needs 1 to {PARTITIONS_MAX} partitions, not {}", layout.partitions));
    }
    if negative(layout.retention_bytes) || negative(layout.retention_micros) {
        return wrong("a retention limit is not negative");
    }
    Ok(())
}

/// More partitions than one machine can make use of would only cost memory.
const PARTITIONS_MAX: i32 = 10_000;

/// Checks consumed positions before they are committed.
pub(super) fn check_positions(topic: &Topic, positions: &[(Partition, Offset)]) -> Result<(), PortError> {
    for (partition, offset) in positions {
        if !(0..topic.layout.partitions).contains(partition) || *offset < 0 {
            return Err(PortError::Operator(format!(
                "commit the position {offset} of {}[{partition}]: there is no such place",
                topic.name
            )));
        }
    }
    Ok(())
}
