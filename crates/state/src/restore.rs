use lapwing_vocabulary::{Offset, Partition};
use tracing::warn;

use crate::chain::{Link, Plan};
use crate::error::StateError;
use crate::read::{Opened, open, verify};
use crate::recover::{Candidate, Recovery, candidates, decide};
use crate::snapshot::{Identity, MakeTable, Snapshot};
use crate::store::{SnapshotStore, name_of};

/// Where to start again, and the memory to start with.
#[derive(Debug)]
pub struct Restored {
    /// Where to start.
    pub recovery: Recovery,
    /// The memory at `recovery.snapshot`.
    pub snapshot: Option<Snapshot>,
    /// Newer snapshots that were tried before it, and why each was refused.
    pub refused: Vec<(Link, StateError)>,
}

/// Which features a snapshot may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// Those of the identity.
    Same,
    /// Any: the caller looks at digest and layout in the header, and carries over what it can.
    Any,
}

/// Loads the newest snapshot at or before the committed position that can be read, going back one by one past those
/// that are torn, damaged, missing, of other features, or whose chain is, and decides where to start.
/// Errors: `Storage`: a disk or permission fault concerns all of them, and is for a person to mend.
pub fn restore(
    store: &SnapshotStore,
    identity: &Identity,
    features: Features,
    committed: Option<Offset>,
    earliest: Offset,
    make: &mut MakeTable<'_>,
) -> Result<Restored, StateError> {
    let mut refused: Vec<(Link, StateError)> = Vec::new();
    let mut bad: Option<Link> = None;
    for Candidate { newest, chain } in candidates(&store.list(identity.partition)?, committed) {
        // What continues a link that does not read back does not either.
        let broken = bad.filter(|bad| bad.base == newest.base && bad.link <= newest.link);
        let read = match (broken, chain) {
            (Some(bad), _) => Err((bad, StateError::Broken { link: bad.link, fault: "does not read back" })),
            (None, Err(link)) => Err((newest, StateError::Broken { link, fault: "is missing" })),
            (None, Ok(chain)) => read_chain(store, identity, features, &chain, make),
        };
        match read {
            Ok(snapshot) => {
                let recovery = decide(&[newest.offset], committed, earliest);
                return Ok(Restored { recovery, snapshot: Some(snapshot), refused });
            }
            Err((_, fault @ StateError::Storage { .. })) => return Err(fault),
            Err((link, fault)) => {
                let file = name_of(identity.partition, newest);
                warn!(partition = identity.partition, file, link = link.link, %fault, "snapshot refused");
                refused.push((newest, fault));
                bad = Some(link);
            }
        }
    }
    Ok(Restored { recovery: decide(&[], committed, earliest), snapshot: None, refused })
}

/// Reads a chain, its full snapshot first. `Err` names the link at fault. Everything is found whole before anything is
/// taken up.
fn read_chain(
    store: &SnapshotStore,
    identity: &Identity,
    features: Features,
    chain: &[Link],
    make: &mut MakeTable<'_>,
) -> Result<Snapshot, (Link, StateError)> {
    let partition = identity.partition;
    let mut opened = Vec::new();
    let (mut previous, mut digest) = (0, None);
    for link in chain {
        let fault = |fault| (*link, fault);
        let name = name_of(partition, *link);
        let written = verify(&name, store.read(partition, *link).map_err(fault)?).map_err(fault)?;
        let file = open_link(store, partition, *link).map_err(fault)?;
        check(&file, identity, features, previous, &mut digest).map_err(fault)?;
        previous = written.checksum;
        opened.push((*link, file));
    }
    let mut snapshot = None;
    for (link, file) in opened {
        snapshot = Some(file.read(snapshot, make).map_err(|fault| (link, fault))?);
    }
    Ok(snapshot.expect("a chain has a link at least"))
}

/// Opens a file and checks that it is what its name says.
fn open_link(store: &SnapshotStore, partition: Partition, link: Link) -> Result<Opened, StateError> {
    let opened = open(&name_of(partition, link), store.read(partition, link)?)?;
    let found = Link::planned(opened.header.plan, opened.header.offset);
    if found == link {
        return Ok(opened);
    }
    Err(StateError::malformed("snapshot", format!("the file's name says {link:?}, its header {found:?}")))
}

/// Checks whose memory it is, and that it continues the link before.
fn check(
    opened: &Opened,
    identity: &Identity,
    features: Features,
    previous: u32,
    digest: &mut Option<String>,
) -> Result<(), StateError> {
    let found = &opened.header.identity;
    identity.check_place(found)?;
    if features == Features::Same {
        identity.check_features(found)?;
    }
    if digest.get_or_insert_with(|| found.graph_digest.clone()) != &found.graph_digest {
        return Err(StateError::malformed("snapshot", "it continues a chain of other features"));
    }
    match opened.header.plan {
        Plan::Delta { previous: expected, link, .. } if expected != previous => {
            Err(StateError::Broken { link: link - 1, fault: "is another than it was made for" })
        }
        _ => Ok(()),
    }
}
