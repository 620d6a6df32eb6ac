//! The memory of a partition: entities, and snapshots that survive the process.

/// Why stored bytes were refused, or could not be stored.
pub mod error;
/// Reading numbers, texts and byte strings from bytes that may be anything.
mod bytes;
/// The words of every entity, found by its key.
pub mod entities;
/// One partition's memory as bytes: format, version, checksum.
pub mod snapshot;
/// Snapshots in a folder: written whole or not at all.
pub mod store;
/// Where to start again after a stop: a pure decision.
pub mod recover;
/// Acts on that decision: the newest snapshot that can be read.
pub mod restore;

pub use entities::EntityTable;
pub use error::StateError;
pub use recover::{Recovery, Warning, candidates, decide};
pub use restore::{Restored, restore};
pub use snapshot::{Header, Identity, Snapshot};
pub use store::SnapshotStore;
