use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lapwing_vocabulary::port::TopicLayout;
use lapwing_vocabulary::{Offset, OutputRecord, Partition, PortError};
use tracing::{error, info};

use super::append::{Draft, Keyless, check_layout, check_positions};
use super::catalog::{Head, Topic};
use super::compaction;
use super::fault::OCCUPIED_REMEDY;
use super::options::LogOptions;
use super::published::Published;
use super::store::Store;
use crate::owner::FolderOwner;
use crate::topic_name;

/// What all handles share.
pub(super) struct Shared {
    // Given.
    pub(super) options: LogOptions,
    // Changing.
    pub(super) store: Store,
    /// Held during an append; offsets are given out under it.
    appending: Mutex<()>,
    published: Mutex<Published>,
    /// Told whenever `published` changes.
    pub(super) grown: Condvar,
    /// Released after everything above is closed.
    _owner: FolderOwner,
}

/// Who consumes a topic, and how far.
pub(super) struct Consumer<'a> {
    pub(super) topic: &'a Topic,
    pub(super) group: &'a Arc<str>,
    pub(super) claim: u64,
    pub(super) partitions: &'a [Partition],
    pub(super) positions: Vec<(Partition, Offset)>,
}

impl Shared {
    pub(super) fn open(folder: &Path, options: LogOptions) -> Result<Self, PortError> {
        let owner = FolderOwner::claim(folder, OCCUPIED_REMEDY)?;
        let store = Store::open(folder, &options)?;
        let mut published = Published::default();
        for topic in store.topics()? {
            let heads: Result<_, _> =
                (0..topic.layout.partitions).map(|partition| store.head(&topic, partition)).collect();
            published.insert(Arc::new(topic), heads?);
        }
        let topics = published.names().count();
        info!(folder = %folder.display(), topics, "opened the embedded log");
        Ok(Self {
            options,
            store,
            appending: Mutex::new(()),
            published: Mutex::new(published),
            grown: Condvar::new(),
            _owner: owner,
        })
    }

    /// Locks what readers see. It stays whole even if a thread panicked while holding it.
    pub(super) fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn appending(&self) -> MutexGuard<'_, ()> {
        self.appending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends records outside any epoch; they are visible at once.
    pub(super) fn append(&self, records: &[OutputRecord], keyless: &mut Keyless) -> Result<(), PortError> {
        if records.is_empty() {
            return Ok(());
        }
        let _appending = self.appending();
        let mut draft = self.draft(records, keyless)?;
        let mut batch = self.store.batch();
        draft.write(&self.store, &mut batch)?;
        batch.commit("append to the embedded log", false)?;
        self.publish(draft);
        Ok(())
    }

    /// Commits an epoch in one batch.
    pub(super) fn commit(&self, outputs: &[OutputRecord], consumers: &[Consumer<'_>]) -> Result<(), PortError> {
        consumers.iter().try_for_each(|consumer| check_positions(consumer.topic, &consumer.positions))?;
        let _appending = self.appending();
        consumers.iter().try_for_each(|consumer| self.check_claim(consumer))?;
        let moved = consumers.iter().find_map(|consumer| Some(consumer.positions.first()?.0));
        let held = consumers.iter().find_map(|consumer| consumer.partitions.first().copied());
        let mut keyless = Keyless::WithSource(moved.or(held).unwrap_or(0));
        let mut draft = self.draft(outputs, &mut keyless)?;
        let mut batch = self.store.batch();
        draft.write(&self.store, &mut batch)?;
        for consumer in consumers {
            for (partition, offset) in &consumer.positions {
                batch.put_position(consumer.topic, *partition, consumer.group, *offset);
            }
        }
        batch.commit("commit an epoch to the embedded log", true)?;
        self.publish(draft);
        Ok(())
    }

    fn check_claim(&self, consumer: &Consumer<'_>) -> Result<(), PortError> {
        let published = self.published();
        let Consumer { topic, group, claim, partitions, positions } = consumer;
        let concerned = positions.iter().map(|(partition, _)| partition).chain(*partitions);
        for partition in concerned {
            if !published.holds(group, topic.id, *partition, *claim) {
                return Err(PortError::Restart(format!(
                    "epoch not committed: {}[{partition}] of group `{group}` belongs to another worker",
                    topic.name
                )));
            }
        }
        Ok(())
    }

    fn draft(&self, records: &[OutputRecord], keyless: &mut Keyless) -> Result<Draft, PortError> {
        let mut draft = Draft::default();
        for record in records {
            if !draft.select(&record.topic) {
                draft.include(&record.topic, &self.published(), self.options.layout_of(&record.topic))?;
            }
            draft.push(record, keyless, self.options.block_bytes_max)?;
        }
        Ok(draft)
    }

    /// Shows readers what an append has written, and then keeps compacted topics small.
    fn publish(&self, draft: Draft) {
        let topics = draft.into_topics();
        let mut due = Vec::new();
        let mut published = self.published();
        for draft in topics {
            if draft.created {
                info!(topic = %draft.topic.name, partitions = draft.topic.layout.partitions, "created a topic");
            }
            for (partition, head) in draft.heads.iter().enumerate() {
                if compaction::is_due(head, &draft.topic, self.options.compact_after_bytes) {
                    due.push((draft.topic.clone(), partition as Partition, *head));
                }
            }
            published.insert(draft.topic, draft.heads);
        }
        self.grown.notify_all();
        drop(published);
        for (topic, partition, head) in due {
            self.compact(&topic, partition, head);
        }
    }

    /// Rewrites a partition. What was appended is committed by now, so a failure here is no failure of the append; a
    /// store that is broken says so at the next one.
    fn compact(&self, topic: &Topic, partition: Partition, head: Head) {
        match compaction::compact(&self.store, topic, partition, head, self.options.block_bytes_max) {
            Ok(head) => self.published().set_head(&topic.name, partition, head),
            Err(error) => error!(topic = %topic.name, partition, %error, "could not compact a partition"),
        }
    }

    /// Creates a topic; `false` if it exists.
    pub(super) fn create(&self, name: &str, layout: &TopicLayout) -> Result<bool, PortError> {
        topic_name::check(name)?;
        check_layout(name, layout)?;
        let _appending = self.appending();
        if self.published().get(name).is_some() {
            return Ok(false);
        }
        let mut draft = Draft::default();
        draft.include(name, &self.published(), layout)?;
        let mut batch = self.store.batch();
        draft.write(&self.store, &mut batch)?;
        batch.commit("create a topic of the embedded log", true)?;
        self.publish(draft);
        Ok(true)
    }
}
