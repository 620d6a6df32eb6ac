//! The memory of a partition: entities, and snapshots that survive the process.

/// Why stored bytes were refused, or could not be stored.
pub mod error;
/// A growing list of bits.
mod bits;
/// The key of every slot, short ones without memory of their own.
mod keys;
/// The file for chunks that do not fit the budget.
mod spill;
/// Words in chunks that a snapshot shares until they change.
mod chunks;
/// Reading numbers, texts and byte strings from bytes that may be anything.
mod bytes;
/// Sections as compressed blocks.
mod blocks;
/// A table as it was at a moment, and its bytes.
pub mod frozen;
/// The words of every entity, found by its key.
pub mod entities;
/// Takes up the bytes of a table.
mod thaw;
/// Chains of a full snapshot and changes: what to write next, what may go.
pub mod chain;
/// One partition's memory as a file: format, version, checksum.
pub mod snapshot;
/// Snapshots of format version 1, to be read only.
mod format1;
/// Reads snapshots of every version, and refuses those that are not whole.
mod read;
/// Where snapshots lie: files that appear whole or not at all.
pub mod place;
/// Snapshots by partition in such a place.
pub mod store;
/// Writes snapshots beside the stream.
pub mod snapshotter;
/// Where to start again after a stop: a pure decision.
pub mod recover;
/// Acts on that decision: the newest snapshot that can be read.
pub mod restore;

pub use chain::{Chain, Link, Plan, Written, plan_snapshot};
pub use entities::EntityTable;
pub use error::StateError;
pub use frozen::{FrozenTable, Kind};
pub use place::{LocalFolder, SnapshotPlace};
pub use recover::{Candidate, Recovery, Warning, candidates, decide, retention_risk};
pub use restore::{Features, Restored, restore};
pub use snapshot::{Header, Identity, MakeTable, Snapshot, SnapshotParts};
pub use snapshotter::{Done, Snapshotter};
pub use store::SnapshotStore;
