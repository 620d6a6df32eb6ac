//! A compacted partition keeps, of all records with the same key, the last. It is rewritten block by block in offset
//! order; surviving records keep their offsets, and the newest block is left alone. Every batch on the way leaves a
//! valid partition, so a crash in between only leaves some work undone.

use std::collections::HashMap;

use lapwing_vocabulary::{Offset, Partition, PortError};
use tracing::debug;

use super::block::{Block, BlockBuilder, entry_bytes};
use super::block_key::BlockKey;
use super::catalog::{Head, Topic};
use super::cursor::damaged;
use super::store::{Blocks, Store};

/// Rewritten blocks are committed in batches of about this size. Units: bytes.
const BATCH_BYTES: u64 = 8 << 20;

/// Whether enough was appended since the last time.
pub(super) fn is_due(head: &Head, topic: &Topic, after_bytes: u64) -> bool {
    topic.layout.compact && head.bytes.saturating_sub(head.compacted) >= after_bytes.max(head.compacted)
}

/// Rewrites a partition without the records that a later one of the same key replaces.
pub(super) fn compact(
    store: &Store,
    topic: &Topic,
    partition: Partition,
    head: Head,
    block_bytes_max: usize,
) -> Result<Head, PortError> {
    let Some((latest, newest)) = survey(store, topic, partition, &head)? else { return Ok(head) };
    let mut rewrite = Rewrite::new(store, topic, partition, head, block_bytes_max);
    let mut blocks = store.blocks(topic, partition, head.earliest, newest.base, true)?;
    while let Some(mut block) = next_block(store, topic, &mut blocks)? {
        let key = block.key();
        while let Some(entry) = block.next().map_err(|why| damaged(store, topic, &key, &why))? {
            let superseded = entry.key.and_then(|key| latest.get(key)).is_some_and(|latest| *latest > entry.offset);
            if !superseded {
                let size = entry_bytes(entry.key, entry.value, &entry.headers);
                let builder = rewrite.builder_for(entry.offset, size);
                builder.push(entry.offset, entry.timestamp, entry.key, entry.value, &entry.headers);
            }
        }
        rewrite.replaced(key)?;
    }
    let compacted = rewrite.finish()?;
    debug!(topic = %topic.name, partition, before = head.bytes, after = compacted.bytes, "kept the last record per key");
    Ok(compacted)
}

/// The last offset of every key, and the newest block.
type Survey = (HashMap<Vec<u8>, Offset>, BlockKey);

fn survey(store: &Store, topic: &Topic, partition: Partition, head: &Head) -> Result<Option<Survey>, PortError> {
    let (mut latest, mut newest) = (HashMap::new(), None);
    let mut blocks = store.blocks(topic, partition, head.earliest, head.end, true)?;
    while let Some(mut block) = next_block(store, topic, &mut blocks)? {
        let key = block.key();
        while let Some(entry) = block.next().map_err(|why| damaged(store, topic, &key, &why))? {
            let Some(name) = entry.key else { continue };
            match latest.get_mut(name) {
                Some(offset) => *offset = entry.offset,
                None => _ = latest.insert(name.to_vec(), entry.offset),
            }
        }
        newest = Some(key);
    }
    Ok(newest.map(|newest| (latest, newest)))
}

fn next_block(store: &Store, topic: &Topic, blocks: &mut Blocks<'_>) -> Result<Option<Block>, PortError> {
    let Some((key, value)) = blocks.next_if(|_| true)? else { return Ok(None) };
    let value = value.ok_or_else(|| store.unreadable("a block"))?;
    Block::open(key, value).map(Some).map_err(|why| damaged(store, topic, &key, &why))
}

/// Blocks on their way from their old form to the new one.
struct Rewrite<'a> {
    // Given.
    store: &'a Store,
    topic: &'a Topic,
    partition: Partition,
    block_bytes_max: usize,
    // Changing.
    head: Head,
    builder: Option<BlockBuilder>,
    written: Vec<(BlockKey, Vec<u8>)>,
    replaced: Vec<BlockKey>,
    written_bytes: u64,
}

impl<'a> Rewrite<'a> {
    fn new(store: &'a Store, topic: &'a Topic, partition: Partition, head: Head, block_bytes_max: usize) -> Self {
        let (written, replaced) = (Vec::new(), Vec::new());
        Self { store, topic, partition, block_bytes_max, head, builder: None, written, replaced, written_bytes: 0 }
    }

    /// The block that a record goes to.
    fn builder_for(&mut self, offset: Offset, size: usize) -> &mut BlockBuilder {
        if self.builder.as_ref().is_some_and(|builder| builder.is_full(offset, size, self.block_bytes_max)) {
            self.close();
        }
        self.builder.get_or_insert_with(|| BlockBuilder::new(offset))
    }

    fn close(&mut self) {
        if let Some(builder) = self.builder.take() {
            let (key, block) = builder.finish(self.topic.id, self.partition as u32);
            self.written_bytes += key.size_bytes();
            self.written.push((key, block));
        }
    }

    /// Every surviving record of an old block has been taken over.
    fn replaced(&mut self, key: BlockKey) -> Result<(), PortError> {
        self.replaced.push(key);
        if self.written_bytes >= BATCH_BYTES { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), PortError> {
        self.close();
        let mut batch = self.store.batch();
        let written: Vec<BlockKey> = self.written.iter().map(|(key, _)| *key).collect();
        for key in self.replaced.drain(..) {
            self.head.bytes = self.head.bytes.saturating_sub(key.size_bytes());
            // A block that remains under its key is overwritten, not dropped: one batch does one thing to a key.
            if !written.contains(&key) {
                batch.drop_block(&key);
            }
        }
        for (key, block) in self.written.drain(..) {
            self.head.bytes += key.size_bytes();
            batch.put_block(&key, block);
        }
        self.written_bytes = 0;
        batch.put_head(self.topic, self.partition as u32, &self.head);
        batch.commit(&format!("compact {}[{}]", self.topic.name, self.partition), false)
    }

    fn finish(mut self) -> Result<Head, PortError> {
        self.commit()?;
        self.head.compacted = self.head.bytes;
        let mut batch = self.store.batch();
        batch.put_head(self.topic, self.partition as u32, &self.head);
        batch.commit(&format!("compact {}[{}]", self.topic.name, self.partition), false)?;
        Ok(self.head)
    }
}
