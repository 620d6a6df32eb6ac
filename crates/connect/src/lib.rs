//! Everything that dials out: Apache Kafka, the embedded log, files, object stores.

/// A folder that one process uses at a time.
mod owner;
/// What a topic may be called.
mod topic_name;
/// Which partition a record goes to, the same for every transport.
pub mod partitioner;
/// The embedded log: topics on this machine's disk, nothing to install.
pub mod embedded;
/// Files and standard input as a source, JSON-lines files and standard output as a sink.
pub mod files;
/// Apache Kafka: transport, producer, topics.
pub mod kafka;
/// Snapshots in an object store.
#[cfg(feature = "object-store")]
pub mod object_store;
/// Test support: what every transport must do, as one set of functions.
pub mod suite;
