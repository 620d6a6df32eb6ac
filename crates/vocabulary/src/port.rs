use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::position::{Offset, Partition};
use crate::records::{Header, Records};

/// A record on its way out, part of an [`Epoch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// Topic it goes to.
    pub topic: Arc<str>,
    /// Partition it goes to; `None` lets the key decide. One that the topic does not have is an error for the operator.
    /// Files have none: there a record goes to its topic's file whatever this says.
    pub partition: Option<Partition>,
    /// Key; decides the partition where `partition` is left open. The transport's own rule hashes it.
    pub key: Option<Vec<u8>>,
    /// Value bytes.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<Header>,
    /// Append time. Units: microseconds since the epoch.
    pub timestamp: i64,
}

/// What is committed together, all or none: outputs, and for each partition the offset after the last consumed record.
#[derive(Clone, Debug, Default)]
pub struct Epoch {
    /// Records to append, in order.
    pub outputs: Vec<OutputRecord>,
    /// First offset not yet consumed, per partition of the source topic.
    pub positions: Vec<(Partition, Offset)>,
}

impl Epoch {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.positions.is_empty()
    }
}

/// One answer of [`Transport::poll`].
#[derive(Debug)]
pub enum Polled {
    /// Partitions now belong to this worker. Nothing of them is delivered until [`Transport::resume`] names the
    /// offset to start from.
    Assigned(Vec<Assignment>),
    /// Partitions are about to move elsewhere. The worker commits what it has and then calls [`Transport::release`].
    Revoked(Vec<Partition>),
    /// Partitions are gone already (session expired, fenced): what was not committed will be processed by another
    /// worker, so the local work on them must be thrown away.
    Lost(Vec<Partition>),
    /// Records of one partition, in order.
    Records(Records),
    /// Nothing arrived within the wait.
    Idle,
    /// A finite source has been read to its end on every partition of this worker.
    End,
}

/// A partition given to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: Partition,
    /// First offset not yet consumed by this group; `None` if it never committed.
    pub committed: Option<Offset>,
    /// First offset that still exists.
    pub earliest: Offset,
}

/// How far a worker has to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records between the next one to deliver and the end of the log, over the worker's partitions.
    pub records: u64,
}

/// What a reader of the outputs may see after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processing {
    /// Every output once: outputs and positions are committed together.
    #[default]
    ExactlyOnce,
    /// Every output at least once: outputs are durable before positions are, so the outputs of an epoch whose positions
    /// were not committed come again. None is lost.
    AtLeastOnce,
}

/// What a worker asks of a transport. One value per worker; not shared.
///
/// The contract, tested by one suite for every implementation: records of a partition come in order, without gap or
/// repeat after [`Transport::resume`]; an epoch becomes visible to readers entirely or not at all; positions are
/// those of the last committed epoch after any crash.
///
/// A transport may read several topics as one. It then names partitions by [`lane`](crate::position::lane), here and in
/// [`Records::partition`], and one epoch commits positions of all of them.
///
/// With [`Processing::AtLeastOnce`], which only Kafka has, the second part is weaker: outputs are visible one by one and
/// before their positions are committed, so after a crash, a [`PortError::Restart`] or any other failed commit the
/// outputs of that one epoch may be there, and are there again when its records have been processed again. Positions
/// are still never ahead of outputs, so none is lost. The embedded log and files are exactly once in any case: their
/// one atomic write costs the same either way.
pub trait Transport: Send {
    /// Waits up to `wait` and returns at most `records_max` records of one partition, or a change of assignment.
    fn poll(&mut self, records_max: usize, wait: Duration) -> Result<Polled, PortError>;

    /// Starts, or restarts, delivery of an assigned partition at `offset`.
    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError>;

    /// Gives revoked partitions back, after their last commit.
    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError>;

    /// Makes an epoch durable and visible, all or none. After `Err` nothing of it is visible, except with
    /// [`Processing::AtLeastOnce`], where some or all of its outputs may be.
    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError>;

    /// Records not yet delivered to this worker.
    fn backlog(&mut self) -> Result<Backlog, PortError>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn poll(&mut self, records_max: usize, wait: Duration) -> Result<Polled, PortError> {
        (**self).poll(records_max, wait)
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        (**self).resume(partition, offset)
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        (**self).release(partitions)
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        (**self).commit(epoch)
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        (**self).backlog()
    }
}

/// Why a transport could not do its work; each variant names what the caller does next.
#[derive(Debug, Error)]
pub enum PortError {
    /// The epoch was not committed and its partitions may belong to another worker: throw local work away, and poll
    /// for a new assignment.
    #[error("{0}")]
    Restart(String),
    /// The setting, topic, file or permission must be mended by a person; the text names the place and the remedy.
    #[error("{0}")]
    Operator(String),
    /// The server could not be reached within the stated time.
    #[error("{0}")]
    Unreachable(String),
    /// Stored bytes do not read back as they were written; the text names the file and the place.
    #[error("{0}")]
    Corrupt(String),
    /// The disk is full or fails; nothing of the epoch is visible.
    #[error("{0}")]
    Storage(String),
}

/// Appends records outside any epoch: how events are produced.
pub trait Producer: Send {
    /// Appends records in order; they are durable after [`Producer::flush`].
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError>;

    /// Waits until everything appended is durable.
    fn flush(&mut self) -> Result<(), PortError>;
}

/// How a topic is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicLayout {
    /// Number of partitions, at least 1.
    pub partitions: i32,
    /// Copies of each partition (Kafka only); `None` is the broker's default.
    pub replication: Option<i16>,
    /// Records older than this are dropped. Units: microseconds; `None` keeps them for ever.
    pub retention_micros: Option<i64>,
    /// The oldest records are dropped when a partition is larger. Units: bytes; `None` is unbounded.
    pub retention_bytes: Option<i64>,
    /// Whether only the last record per key is kept.
    pub compact: bool,
}

/// What exists of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// Name.
    pub name: String,
    /// Per partition: first offset that exists, and the offset after the last record.
    pub partitions: Vec<(Offset, Offset)>,
    /// Settings that are known, as name and value, for people to read.
    pub settings: Vec<(String, String)>,
}

/// Makes and describes topics, and reads them from outside any group.
pub trait Topics: Send {
    /// Creates a topic; `Ok(false)` if it exists already (its layout is left alone).
    fn create(&mut self, name: &str, layout: &TopicLayout) -> Result<bool, PortError>;

    /// Describes a topic; `None` if it does not exist.
    fn describe(&mut self, name: &str) -> Result<Option<TopicState>, PortError>;

    /// Names of all topics, sorted.
    fn list(&mut self) -> Result<Vec<String>, PortError>;

    /// Waits until everything that was appended to a partition before this call is decided: committed, so that
    /// [`Topics::read`] shows it, or aborted. The wait is bounded; `Unreachable` if it was not long enough.
    fn settle(&mut self, name: &str, partition: Partition) -> Result<(), PortError>;

    /// Reads committed records of one partition from `offset` on, at most `records_max`; empty at the end.
    fn read(
        &mut self,
        name: &str,
        partition: Partition,
        offset: Offset,
        records_max: usize,
    ) -> Result<Records, PortError>;
}
