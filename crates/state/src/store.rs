use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use lapwing_vocabulary::{Offset, Partition};

use crate::chain::{Link, Plan, Written, obsolete};
use crate::error::StateError;
use crate::place::{LocalFolder, SnapshotPlace, UNFINISHED};
use crate::snapshot::{SnapshotParts, write_snapshot};

/// Ending of a full snapshot.
const FULL: &str = ".snapshot";
/// Ending of a snapshot of changes.
const DELTA: &str = ".delta";

/// Snapshots in a place, one file each:
/// `partition-00003-offset-0000000000000008812.snapshot` a full one, and
/// `partition-00003-offset-0000000000000009000-base-0000000000000008812-link-00001.delta` the changes from there to
/// offset 9000; zero-padded so that names sort as offsets do.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    place: Arc<dyn SnapshotPlace>,
}

impl SnapshotStore {
    /// Snapshots in `place`.
    pub fn new(place: Arc<dyn SnapshotPlace>) -> Self {
        Self { place }
    }

    /// Snapshots in a local folder, made if it is not there.
    /// Errors: `Storage`.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        Ok(Self::new(Arc::new(LocalFolder::open(folder)?)))
    }

    /// The place, for people.
    pub fn describe(&self) -> String {
        self.place.describe()
    }

    /// Writes a snapshot durably. A full one takes the place of one at the same offset, and of what continued that.
    /// Errors: `Storage`, `TooLong`.
    pub fn write(&self, plan: Plan, parts: SnapshotParts) -> Result<Written, StateError> {
        let (partition, link) = (parts.identity.partition, Link::planned(plan, parts.offset));
        if plan == Plan::Full {
            let stale = self.list(partition)?.into_iter().filter(|old| old.base == link.base && old.link > 0);
            for old in stale.rev() {
                self.place.delete(&name_of(partition, old))?;
            }
        }
        let mut written = Written { bytes: 0, checksum: 0 };
        let write = |out: &mut dyn std::io::Write| {
            written = write_snapshot(out, plan, parts)?;
            Ok(())
        };
        self.place.put(&name_of(partition, link), Box::new(write))?;
        Ok(written)
    }

    /// A partition's snapshots, oldest first.
    /// Errors: `Storage`.
    pub fn list(&self, partition: Partition) -> Result<Vec<Link>, StateError> {
        let names = self.place.list(&prefix(partition))?;
        let mut links: Vec<Link> = names.iter().filter_map(|name| link_in(name, partition)).collect();
        links.sort_unstable();
        Ok(links)
    }

    /// Opens a snapshot's bytes.
    /// Errors: `Missing`, `Storage`.
    pub fn read(&self, partition: Partition, link: Link) -> Result<Box<dyn Read + Send>, StateError> {
        self.place.get(&name_of(partition, link))
    }

    /// Removes a partition's snapshots that are no longer needed when `current` is written, and what writers that died
    /// have left of it. Only the partition's owner may call it. Returns the number of snapshots removed.
    /// Errors: `Storage`.
    pub fn clean(&self, partition: Partition, current: Link) -> Result<usize, StateError> {
        for name in self.place.list(&prefix(partition))?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.place.delete(name)?;
        }
        let old = obsolete(&self.list(partition)?, current);
        for link in &old {
            self.place.delete(&name_of(partition, *link))?;
        }
        Ok(old.len())
    }
}

fn prefix(partition: Partition) -> String {
    format!("partition-{partition:05}-offset-")
}

/// Name of a snapshot's file.
pub(crate) fn name_of(partition: Partition, link: Link) -> String {
    let Link { offset, base, link } = link;
    let prefix = prefix(partition);
    match link {
        0 => format!("{prefix}{offset:019}{FULL}"),
        _ => format!("{prefix}{offset:019}-base-{base:019}-link-{link:05}{DELTA}"),
    }
}

/// What a file's name tells, if it is a finished snapshot of the partition.
fn link_in(name: &str, partition: Partition) -> Option<Link> {
    let rest = name.strip_prefix(&prefix(partition))?;
    if let Some(offset) = rest.strip_suffix(FULL) {
        return Some(Link::full(number(offset, 19)?));
    }
    let (offset, rest) = rest.strip_suffix(DELTA)?.split_once("-base-")?;
    let (base, link) = rest.split_once("-link-")?;
    let (offset, base): (Offset, Offset) = (number(offset, 19)?, number(base, 19)?);
    let link = u16::try_from(number(link, 5)?).ok().filter(|link| *link > 0)?;
    Some(Link { offset, base, link })
}

fn number(digits: &str, length: usize) -> Option<i64> {
    if digits.len() != length || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
