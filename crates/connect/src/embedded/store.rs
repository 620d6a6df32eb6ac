use std::path::{Path, PathBuf};

use fjall::config::CompressionPolicy;
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, OwnedWriteBatch, PersistMode,
    Readable, Slice,
};
use lapwing_vocabulary::{Offset, Partition, PortError};

use super::block_key::BlockKey;
use super::catalog::{self, Head, Topic};
use super::fault::fault;
use super::options::LogOptions;

/// Folder of the ordered store within the log's folder.
const STORE_FOLDER: &str = "store";
/// Memory that collects writes before they go to a table. Units: bytes.
const MEMTABLE_BYTES: u64 = 32 << 20;
/// Journals beyond this size are retired by writing their tables. It bounds the time of a restart, too. Units: bytes.
const JOURNAL_BYTES: u64 = 256 << 20;
/// Blocks read back are kept in memory up to this size. Units: bytes.
const CACHE_BYTES: u64 = 32 << 20;

/// The ordered store: blocks in one keyspace, everything small in another.
pub(super) struct Store {
    folder: PathBuf,
    meta: Keyspace,
    blocks: Keyspace,
    database: Database,
    commit_mode: PersistMode,
}

impl Store {
    pub(super) fn open(folder: &Path, options: &LogOptions) -> Result<Self, PortError> {
        let map = |error| fault(folder, "open the embedded log", &error);
        let database = Database::builder(folder.join(STORE_FOLDER))
            .max_journaling_size(JOURNAL_BYTES)
            .cache_size(CACHE_BYTES)
            .worker_threads(2)
            .journal_compression(CompressionType::None)
            .manual_journal_persist(true)
            .open()
            .map_err(map)?;
        let meta = database.keyspace("meta", || plain(CompressionType::None)).map_err(map)?;
        let compression = if options.compress { CompressionType::Lz4 } else { CompressionType::None };
        // Values apart from keys: merging tables then moves keys only, and dropped blocks free whole files.
        let separated = KvSeparationOptions::default().compression(compression);
        let blocks =
            database.keyspace("blocks", || plain(compression).with_kv_separation(Some(separated))).map_err(map)?;
        let commit_mode = if options.sync { PersistMode::SyncData } else { PersistMode::Buffer };
        Ok(Self { folder: folder.to_owned(), meta, blocks, database, commit_mode })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn fault(&self, what: &str, error: &fjall::Error) -> PortError {
        fault(&self.folder, what, error)
    }

    /// Begins a batch, which becomes visible as a whole or not at all.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { store: self, writes: self.database.batch() }
    }

    /// Waits until everything written is durable, as far as the log was asked to be.
    pub(super) fn sync(&self) -> Result<(), PortError> {
        self.database.persist(self.commit_mode).map_err(|error| self.fault("flush the embedded log", &error))
    }

    /// Every topic, in the order of names.
    pub(super) fn topics(&self) -> Result<Vec<Topic>, PortError> {
        let mut topics = Vec::new();
        for guard in self.meta.prefix(catalog::TOPIC_KEYS) {
            let (key, value) = guard.into_inner().map_err(|error| self.fault("read the list of topics", &error))?;
            topics.push(catalog::decode_topic(&key, &value).ok_or_else(|| self.unreadable("a topic record"))?);
        }
        Ok(topics)
    }

    pub(super) fn head(&self, topic: &Topic, partition: Partition) -> Result<Head, PortError> {
        let what = format!("the head of {}[{partition}]", topic.name);
        match self.get(&catalog::head_key(topic.id, partition as u32), &what)? {
            None => Ok(Head::default()),
            Some(value) => catalog::decode_head(&value).ok_or_else(|| self.unreadable(&what)),
        }
    }

    pub(super) fn position(
        &self,
        topic: &Topic,
        partition: Partition,
        group: &str,
    ) -> Result<Option<Offset>, PortError> {
        let what = format!("the position of group `{group}` in {}[{partition}]", topic.name);
        match self.get(&catalog::position_key(topic.id, partition as u32, group), &what)? {
            None => Ok(None),
            Some(value) => catalog::decode_position(&value).map(Some).ok_or_else(|| self.unreadable(&what)),
        }
    }

    fn get(&self, key: &[u8], what: &str) -> Result<Option<Slice>, PortError> {
        self.meta.get(key).map_err(|error| self.fault(&format!("read {what}"), &error))
    }

    pub(super) fn unreadable(&self, what: &str) -> PortError {
        PortError::Corrupt(format!(
            "read {what} of the log in {}: the bytes are of no known format: restore the folder from a copy",
            self.folder.display()
        ))
    }

    /// The blocks of a partition as they are now, from the one that holds `from`, or the first one after it, up to those
    /// that begin before `until`. With `at_boundary`, `from` is known to be no block's middle.
    pub(super) fn blocks(
        &self,
        topic: &Topic,
        partition: Partition,
        from: Offset,
        until: Offset,
        at_boundary: bool,
    ) -> Result<Blocks<'_>, PortError> {
        // One view for both look-ups: a compaction in between would hide records.
        let view = self.database.snapshot();
        let seek = |base| BlockKey::seek(topic.id, partition as u32, base);
        let mut start = from;
        let before = if at_boundary { None } else { view.range(&self.blocks, seek(0)..seek(from + 1)).next_back() };
        if let Some(guard) = before {
            let bytes = guard.key().map_err(|error| self.fault("look up a block", &error))?;
            let key = BlockKey::decode(&bytes).ok_or_else(|| self.unreadable("a block key"))?;
            if key.last >= from {
                start = key.base;
            }
        }
        Ok(Blocks { store: self, iter: view.range(&self.blocks, seek(start)..seek(until)) })
    }
}

fn plain(compression: CompressionType) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_compression_policy(CompressionPolicy::all(compression))
        .manual_journal_persist(true)
}

/// Blocks of a partition in order.
pub(super) struct Blocks<'a> {
    store: &'a Store,
    iter: fjall::Iter,
}

impl Blocks<'_> {
    /// The next key, without fetching its block.
    pub(super) fn next_key(&mut self) -> Result<Option<BlockKey>, PortError> {
        Ok(self.next_if(|_| false)?.map(|(key, _)| key))
    }

    /// The next key, and its block if `wanted` says so.
    pub(super) fn next_if(
        &mut self,
        wanted: impl Fn(&BlockKey) -> bool,
    ) -> Result<Option<(BlockKey, Option<Slice>)>, PortError> {
        let Some(guard) = self.iter.next() else { return Ok(None) };
        let chosen = |key: &Slice| BlockKey::decode(key).is_some_and(|key| wanted(&key));
        let (key, value) = guard.into_inner_if(chosen).map_err(|error| self.store.fault("read a block", &error))?;
        let key = BlockKey::decode(&key).ok_or_else(|| self.store.unreadable("a block key"))?;
        Ok(Some((key, value)))
    }
}

/// Writes that become visible together.
pub(super) struct Batch<'a> {
    store: &'a Store,
    writes: OwnedWriteBatch,
}

impl Batch<'_> {
    pub(super) fn put_block(&mut self, key: &BlockKey, block: Vec<u8>) {
        self.writes.insert(&self.store.blocks, key.encode(), block);
    }

    pub(super) fn drop_block(&mut self, key: &BlockKey) {
        self.writes.remove(&self.store.blocks, key.encode());
    }

    pub(super) fn put_topic(&mut self, topic: &Topic) {
        self.writes.insert(&self.store.meta, catalog::topic_key(&topic.name), catalog::encode_topic(topic));
    }

    pub(super) fn put_head(&mut self, topic: &Topic, partition: u32, head: &Head) {
        self.writes.insert(&self.store.meta, catalog::head_key(topic.id, partition), catalog::encode_head(head));
    }

    pub(super) fn put_position(&mut self, topic: &Topic, partition: Partition, group: &str, offset: Offset) {
        let key = catalog::position_key(topic.id, partition as u32, group);
        self.writes.insert(&self.store.meta, key, catalog::encode_position(offset));
    }

    /// Writes the batch. With `durable` it is on disk afterwards, as far as the log was asked to be.
    pub(super) fn commit(self, what: &str, durable: bool) -> Result<(), PortError> {
        let mode = if durable { self.store.commit_mode } else { PersistMode::Buffer };
        let store = self.store;
        self.writes.durability(Some(mode)).commit().map_err(|error| store.fault(what, &error))
    }
}
