//! The embedded log: topics on this machine's disk, for one process, with nothing to install.
//!
//! Records lie in blocks, not one by one: a block is one entry of an ordered store, so that its cost is shared by
//! hundreds of records. Every append is one atomic batch of that store: blocks, the new ends of the partitions and, for
//! an epoch, the consumed positions. Appends are serialised; readers see an append once its batch is written, and only
//! then are waiting polls woken.
//!
//! When the disk fails in the middle of a batch, the log refuses all further work until it is opened anew. It then
//! holds the batch either entirely or not at all, positions included, so that nothing is lost or doubled.

/// What the caller decides about a log.
mod options;
/// What an error of the store means, and what the caller does next.
mod fault;
/// Block format 1: records as bytes and back.
mod block;
/// The key of a block, which says all that is needed to skip or drop it.
mod block_key;
/// Topics, heads and positions as stored.
mod catalog;
/// The ordered store underneath.
mod store;
/// What is known of every topic, and who is told when it grows.
mod published;
/// Which records are too old, or too many.
mod retention;
/// Only the last record per key.
mod compaction;
/// One append: records to blocks, and one atomic batch.
mod append;
/// Reading a partition from an offset on.
mod cursor;
/// What all handles share, and how appends go through it.
mod shared;
/// One worker's share of a topic as a [`Transport`](lapwing_vocabulary::Transport).
mod transport;
/// Appending outside any epoch.
mod producer;
/// Making, describing and reading topics.
mod topics;
/// The log itself: a handle that opens all of these.
mod log;

pub use log::EmbeddedLog;
pub use options::LogOptions;
pub use producer::EmbeddedProducer;
pub use topics::EmbeddedTopics;
pub use transport::EmbeddedTransport;
