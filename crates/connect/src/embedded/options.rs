use std::collections::BTreeMap;

use lapwing_vocabulary::port::TopicLayout;

/// What the caller decides about a log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Whether a commit and a flush wait until the disk has the data. Without it a killed process loses nothing, but a
    /// power failure can lose the last seconds (as a whole, outputs together with positions).
    pub sync: bool,
    /// Whether stored blocks are compressed (LZ4).
    pub compress: bool,
    /// Layouts of topics that an append may have to create, by name.
    pub layouts: BTreeMap<String, TopicLayout>,
    /// Layout of every other topic that an append has to create.
    pub layout: TopicLayout,
    /// A block is closed when it reaches this size. Units: bytes.
    pub block_bytes_max: usize,
    /// A partition that keeps only the last record per key is rewritten once this much was appended, and at least as
    /// much as remained the last time. Units: bytes.
    pub compact_after_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            sync: true,
            compress: true,
            layouts: BTreeMap::new(),
            layout: TopicLayout {
                partitions: 1,
                replication: None,
                retention_micros: None,
                retention_bytes: None,
                compact: false,
            },
            // Large enough to hide the cost of a store entry, small enough to read one for a single record.
            block_bytes_max: 256 << 10,
            compact_after_bytes: 1 << 20,
        }
    }
}

impl LogOptions {
    pub(super) fn layout_of(&self, topic: &str) -> &TopicLayout {
        self.layouts.get(topic).unwrap_or(&self.layout)
    }
}
