//! The disk that all processes share. Snapshots go through the real store into a folder that lies in memory where the
//! system has one; what goes wrong with it happens to the files between two steps of the workers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_state::{Features, Kind, Plan as SnapshotPlan, SnapshotParts, SnapshotStore, StateError, restore};
use lapwing_vocabulary::Offset;
use tempfile::TempDir;

use crate::chance::Chance;

/// A file system in memory, where thousands of syncs cost nothing.
const IN_MEMORY: &str = "/dev/shm";
const SNAPSHOTS: &str = "snapshots";
const AWAY: &str = "snapshots.away";
const COPIES: &str = "tables";
/// Endings of finished snapshots: full ones, and those of changes.
const SUFFIXES: [&str; 2] = ["snapshot", "delta"];
/// The partition whose snapshots are antedated.
const ANTEDATED: &str = "partition-00000-";

/// A folder that goes with the value.
pub fn folder() -> io::Result<TempDir> {
    let memory = Path::new(IN_MEMORY);
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// The disk of a story.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
    away: bool,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> io::Result<Self> {
        Ok(Self { folder: folder()?, away: false })
    }

    /// The store of a process.
    pub fn store(&self) -> Result<Arc<SnapshotStore>, StateError> {
        SnapshotStore::open(self.path(SNAPSHOTS)).map(Arc::new)
    }

    /// Where copies of reference tables are kept.
    pub fn table_copies(&self) -> PathBuf {
        self.path(COPIES)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where this disk lies, as errors tell it.
    pub fn place(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Whether nothing can be read or written.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// From now on nothing can be read or written.
    pub fn leave(&mut self) -> io::Result<()> {
        if !self.away && self.path(SNAPSHOTS).is_dir() {
            fs::rename(self.path(SNAPSHOTS), self.path(AWAY))?;
            self.away = true;
        }
        Ok(())
    }

    /// The disk is back, with everything on it.
    pub fn come_back(&mut self) -> io::Result<()> {
        if self.away {
            fs::rename(self.path(AWAY), self.path(SNAPSHOTS))?;
            self.away = false;
        }
        Ok(())
    }

    /// Finished snapshots, in the order of their names.
    fn snapshots(&self) -> io::Result<Vec<PathBuf>> {
        let folder = self.path(if self.away { AWAY } else { SNAPSHOTS });
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        let finished =
            |path: &PathBuf| SUFFIXES.iter().any(|ending| path.extension().is_some_and(|own| own == *ending));
        let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(finished).collect();
        files.sort();
        Ok(files)
    }

    /// Damages a snapshot, if there is one; says what was done to which.
    pub fn damage(&mut self, chance: &mut Chance) -> io::Result<Option<String>> {
        let files = self.snapshots()?;
        let Some(file) = chance.pick(&files) else { return Ok(None) };
        let mut bytes = fs::read(file)?;
        let at = chance.below(bytes.len() as u64) as usize;
        let done = match chance.below(4) {
            0 => {
                fs::write(file, &bytes[..at])?;
                "is cut short"
            }
            1 if !bytes.is_empty() => {
                bytes[at] ^= 1 << chance.below(8);
                fs::write(file, &bytes)?;
                "gets a flipped bit"
            }
            2 => {
                fs::remove_file(file)?;
                "vanishes"
            }
            _ => {
                fs::write(file.with_extension("7.unfinished"), &bytes[..at])?;
                "has a half-written one beside it"
            }
        };
        Ok(Some(format!("{} {done}", name(file))))
    }

    /// Lets the newest snapshot of partition 0 say that it is older than it is:
    /// [`crate::flaw::Flaw::SnapshotFromTheFuture`].
    pub fn antedate(&mut self, plan: &Plan, by: Offset) -> Result<Option<String>, StateError> {
        if self.away {
            return Ok(None);
        }
        let (store, identity) = (self.store()?, plan.identity(0));
        let mut make = |_: &_, name: &str, words: usize| plan.empty_table(name, words);
        let newest = restore(&store, &identity, Features::Same, Some(Offset::MAX), 0, &mut make)?.snapshot;
        let Some(snapshot) = newest else { return Ok(None) };
        let (before, offset) = (snapshot.header.offset, snapshot.header.offset - by);
        let freeze = |(name, mut table): (String, lapwing_state::EntityTable)| (name, table.freeze(Kind::Full));
        let tables = snapshot.tables.into_iter().map(freeze).collect();
        let fault = |error| StateError::storage("remove a snapshot from", self.place(), error);
        for file in self.snapshots().map_err(fault)?.iter().filter(|file| name(file).starts_with(ANTEDATED)) {
            fs::remove_file(file).map_err(fault)?;
        }
        store.write(SnapshotPlan::Full, SnapshotParts { identity, offset, tables, sections: snapshot.sections })?;
        Ok(Some(format!("the newest snapshot says {offset} instead of {before}")))
    }
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
