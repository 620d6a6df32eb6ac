use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lapwing_vocabulary::{Offset, Partition};

use crate::error::StateError;

/// Ending of a finished snapshot.
const SUFFIX: &str = ".snapshot";
/// Ending of one that is being written, or whose writer died.
const UNFINISHED: &str = ".unfinished";

/// Snapshots in a local folder, one file each:
/// `partition-00003-offset-0000000000000008812.snapshot`, zero-padded so that names sort as offsets do.
/// A file appears whole or not at all.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    folder: PathBuf,
}

impl SnapshotStore {
    /// Opens a folder, made if it is not there.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|e| StateError::storage("create the state folder", &folder, e))?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a snapshot durable: written under a temporary name, synced, renamed, and the folder synced. On error
    /// nothing is left behind that [`SnapshotStore::list`] would show.
    pub fn write(&self, partition: Partition, offset: Offset, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path(partition, offset);
        // With the process in its name, a former owner of the partition that is not dead yet writes another file.
        let unfinished = path.with_extension(format!("{}{UNFINISHED}", std::process::id()));
        let written = write_synced(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
        if let Err(fault) = written {
            // What cannot be removed now is removed by `clean`.
            let _ = fs::remove_file(&unfinished);
            return Err(StateError::storage("write snapshot", &path, fault));
        }
        self.sync_folder()
    }

    /// Offsets of a partition's snapshots, ascending.
    pub fn list(&self, partition: Partition) -> Result<Vec<Offset>, StateError> {
        let names = self.names()?;
        let mut offsets: Vec<Offset> = names.iter().filter_map(|name| offset_in(name, partition)).collect();
        offsets.sort_unstable();
        Ok(offsets)
    }

    /// Reads a snapshot's bytes.
    /// Errors: `Missing`, `Storage`.
    pub fn read(&self, partition: Partition, offset: Offset) -> Result<Vec<u8>, StateError> {
        let path = self.path(partition, offset);
        fs::read(&path).map_err(|fault| match fault.kind() {
            io::ErrorKind::NotFound => StateError::Missing { partition, offset, folder: self.folder.clone() },
            _ => StateError::storage("read snapshot", &path, fault),
        })
    }

    /// Removes all but the newest `keep` snapshots of a partition (at least one stays), and what writers that died
    /// have left of it. Only the partition's owner may call it. Returns the number of snapshots removed.
    pub fn clean(&self, partition: Partition, keep: usize) -> Result<usize, StateError> {
        let prefix = prefix(partition);
        for name in self.names()?.iter().filter(|name| name.starts_with(&prefix) && name.ends_with(UNFINISHED)) {
            self.remove(&self.folder.join(name))?;
        }
        let offsets = self.list(partition)?;
        let old = &offsets[..offsets.len().saturating_sub(keep.max(1))];
        for offset in old {
            self.remove(&self.path(partition, *offset))?;
        }
        Ok(old.len())
    }

    fn path(&self, partition: Partition, offset: Offset) -> PathBuf {
        self.folder.join(format!("{}{offset:019}{SUFFIX}", prefix(partition)))
    }

    /// Names of all files that could be ours.
    fn names(&self) -> Result<Vec<String>, StateError> {
        let fault = |e| StateError::storage("list snapshots in", &self.folder, e);
        let entries = fs::read_dir(&self.folder).map_err(fault)?.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Removes a file; that it is gone already is no fault.
    fn remove(&self, path: &Path) -> Result<(), StateError> {
        match fs::remove_file(path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                Err(StateError::storage("remove old snapshot", path, fault))
            }
            _ => Ok(()),
        }
    }

    /// Makes a rename durable. Elsewhere than on Unix a folder cannot be opened, and the rename is synced with it.
    fn sync_folder(&self) -> Result<(), StateError> {
        if cfg!(not(unix)) {
            return Ok(());
        }
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| StateError::storage("sync the state folder", &self.folder, e))
    }
}

fn prefix(partition: Partition) -> String {
    format!("partition-{partition:05}-offset-")
}

/// The offset in a file's name, if it is a finished snapshot of the partition.
fn offset_in(name: &str, partition: Partition) -> Option<Offset> {
    let digits = name.strip_prefix(&prefix(partition))?.strip_suffix(SUFFIX)?;
    if digits.len() != 19 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
