use std::sync::Arc;

use lapwing_vocabulary::{Offset, Partition, PortError, Records};
use tracing::warn;

use super::block::Block;
use super::block_key::BlockKey;
use super::catalog::Topic;
use super::store::{Blocks, Store};

/// A batch ends when its values reach this size, whatever their number. Units: bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A place within a partition, with the block that is being read.
pub(super) struct Cursor {
    // Given.
    topic: Arc<Topic>,
    partition: Partition,
    // Changing.
    next: Offset,
    block: Option<Block>,
    /// Whether `next` is known to be no block's middle.
    at_boundary: bool,
}

impl Cursor {
    pub(super) fn new(topic: Arc<Topic>, partition: Partition, next: Offset) -> Self {
        Self { topic, partition, next: next.max(0), block: None, at_boundary: false }
    }

    /// First offset not yet delivered.
    pub(super) fn next(&self) -> Offset {
        self.next
    }

    /// Appends the records before `until` to `out`, until that has `records_max` of them or enough bytes.
    pub(super) fn fill(
        &mut self,
        store: &Store,
        until: Offset,
        records_max: usize,
        out: &mut Records,
    ) -> Result<(), PortError> {
        let mut blocks = None;
        loop {
            self.drain(store, until, records_max, out)?;
            if self.next >= until || is_full(out, records_max) {
                return Ok(());
            }
            let blocks = match &mut blocks {
                Some(blocks) => blocks,
                None => blocks.insert(store.blocks(&self.topic, self.partition, self.next, until, self.at_boundary)?),
            };
            if !self.advance(store, blocks)? {
                // What was there has been dropped since.
                self.next = until;
                self.at_boundary = false;
            }
        }
    }

    /// Takes what the block in hand has.
    fn drain(&mut self, store: &Store, until: Offset, records_max: usize, out: &mut Records) -> Result<(), PortError> {
        let Some(block) = &mut self.block else { return Ok(()) };
        while let Some(offset) = block.next_offset() {
            if offset >= until {
                self.next = self.next.max(until);
                return Ok(());
            }
            if is_full(out, records_max) {
                return Ok(());
            }
            let key = block.key();
            let entry = block.next().map_err(|why| damaged(store, &self.topic, &key, &why))?;
            if let Some(entry) = entry.filter(|entry| entry.offset >= self.next) {
                out.push(entry.offset, entry.timestamp, entry.key, entry.value, entry.headers);
                self.next = entry.offset + 1;
            }
        }
        self.next = self.next.max(block.last() + 1);
        // Compaction moves the boundaries of blocks.
        self.at_boundary = !self.topic.layout.compact;
        self.block = None;
        Ok(())
    }

    /// Opens the next block; whether there is one.
    fn advance(&mut self, store: &Store, blocks: &mut Blocks<'_>) -> Result<bool, PortError> {
        let next = self.next;
        while let Some((key, value)) = blocks.next_if(|key| key.last >= next)? {
            let Some(value) = value else { continue };
            if key.base > next && !self.topic.layout.compact {
                let (topic, partition) = (&self.topic.name, self.partition);
                warn!(%topic, partition, from = next, to = key.base, "retention dropped records before they were read");
            }
            self.block = Some(Block::open(key, value).map_err(|why| damaged(store, &self.topic, &key, &why))?);
            return Ok(true);
        }
        Ok(false)
    }
}

fn is_full(out: &Records, records_max: usize) -> bool {
    out.len() >= records_max || out.value_bytes() >= BATCH_BYTES_MAX
}

/// The error for a block whose bytes are not what was written.
pub(super) fn damaged(store: &Store, topic: &Topic, key: &BlockKey, why: &str) -> PortError {
    PortError::Corrupt(format!(
        "read {}[{}]@{} of the log in {}: {why}: restore the folder from a copy, or continue after the block, at offset {}",
        topic.name,
        key.partition,
        key.base,
        store.folder().display(),
        key.last + 1
    ))
}
