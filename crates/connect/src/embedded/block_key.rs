//! The key of a block, format 1: big-endian, so that the blocks of a partition lie in the order of their offsets.
//!
//! ```text
//!  0  topic id      u32
//!  4  partition     u32
//!  8  base offset   u64   of the first record
//! 16  last offset   u64   of the last record
//! 24  newest        i64   largest timestamp of the block, microseconds since the epoch
//! 32  length        u32   bytes of the block
//! ```
//! What follows the base offset does not order anything. It lets retention, compaction and seeking decide on keys
//! alone, without fetching a block.

use lapwing_vocabulary::Offset;

/// Where a block lies and what it spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockKey {
    pub(super) topic: u32,
    pub(super) partition: u32,
    pub(super) base: Offset,
    pub(super) last: Offset,
    pub(super) newest: i64,
    pub(super) length: u32,
}

impl BlockKey {
    pub(super) const LENGTH: usize = 36;
    const PREFIX: usize = 16;

    pub(super) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..Self::PREFIX].copy_from_slice(&Self::seek(self.topic, self.partition, self.base));
        bytes[16..24].copy_from_slice(&self.last.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.newest.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Before every block of the partition whose base offset is at least `base`, after all others.
    pub(super) fn seek(topic: u32, partition: u32, base: Offset) -> [u8; Self::PREFIX] {
        let mut bytes = [0; Self::PREFIX];
        bytes[0..4].copy_from_slice(&topic.to_be_bytes());
        bytes[4..8].copy_from_slice(&partition.to_be_bytes());
        bytes[8..16].copy_from_slice(&base.max(0).to_be_bytes());
        bytes
    }

    /// What the block takes of its partition's size. Units: bytes.
    pub(super) fn size_bytes(&self) -> u64 {
        Self::LENGTH as u64 + u64::from(self.length)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH {
            return None;
        }
        let u32_at = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let i64_at = |at: usize| Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            topic: u32_at(0)?,
            partition: u32_at(4)?,
            base: i64_at(8)?,
            last: i64_at(16)?,
            newest: i64_at(24)?,
            length: u32_at(32)?,
        })
    }
}
