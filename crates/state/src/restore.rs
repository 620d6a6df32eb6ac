use lapwing_vocabulary::Offset;
use tracing::warn;

use crate::error::StateError;
use crate::recover::{Recovery, candidates, decide};
use crate::snapshot::{Identity, Snapshot, decode};
use crate::store::SnapshotStore;

/// Where to start again, and the memory to start with.
#[derive(Debug)]
pub struct Restored {
    /// Where to start.
    pub recovery: Recovery,
    /// The snapshot of `recovery.snapshot`.
    pub snapshot: Option<Snapshot>,
    /// Newer snapshots that were tried before it, and why each was refused.
    pub refused: Vec<(Offset, StateError)>,
}

/// Loads the newest snapshot at or before the committed position that can be read, going back one by one past those
/// that are torn, damaged, missing or of other features, and decides where to start.
/// Errors: `Storage`: a disk or permission fault concerns all of them, and is for a person to mend.
pub fn restore(
    store: &SnapshotStore,
    identity: &Identity,
    committed: Option<Offset>,
    earliest: Offset,
) -> Result<Restored, StateError> {
    let mut refused = Vec::new();
    for offset in candidates(&store.list(identity.partition)?, committed) {
        match load(store, identity, offset) {
            Ok(snapshot) => {
                let recovery = decide(&[offset], committed, earliest);
                return Ok(Restored { recovery, snapshot: Some(snapshot), refused });
            }
            Err(fault @ StateError::Storage { .. }) => return Err(fault),
            Err(fault) => {
                warn!(partition = identity.partition, offset, %fault, "snapshot refused");
                refused.push((offset, fault));
            }
        }
    }
    Ok(Restored { recovery: decide(&[], committed, earliest), snapshot: None, refused })
}

fn load(store: &SnapshotStore, identity: &Identity, offset: Offset) -> Result<Snapshot, StateError> {
    let snapshot = decode(store.read(identity.partition, offset)?, identity)?;
    let found = snapshot.header().offset;
    if found == offset {
        return Ok(snapshot);
    }
    Err(StateError::malformed("snapshot", format!("the file's name says offset {offset}, its header {found}")))
}
