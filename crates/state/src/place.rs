use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::StateError;

/// Writes a file's bytes, once.
pub type Writing<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// Where snapshots lie: files by name, in one folder or under one prefix. A file appears whole or not at all. Names are
/// ASCII without separators.
pub trait SnapshotPlace: Send + Sync + fmt::Debug {
    /// Names of all files that begin with `prefix`, in any order; also what writers that died have left, if it has a
    /// name of its own.
    /// Errors: `Storage`.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError>;

    /// A file's bytes, from the first.
    /// Errors: `Missing`, `Storage`.
    fn get(&self, name: &str) -> Result<Box<dyn Read + Send>, StateError>;

    /// Makes a file of what `write` writes, durably, in place of one that may be there. If it fails, nothing is left
    /// that [`SnapshotPlace::list`] would show under this name.
    /// Errors: `Storage`; those that `write` has wrapped.
    fn put(&self, name: &str, write: Writing<'_>) -> Result<(), StateError>;

    /// Removes a file; that it is gone already is no fault.
    /// Errors: `Storage`.
    fn delete(&self, name: &str) -> Result<(), StateError>;

    /// Where this is, for people.
    fn describe(&self) -> String;
}

/// Ending of a file that is being written, or whose writer died.
pub(crate) const UNFINISHED: &str = ".unfinished";
/// Written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A folder of this machine, or one that it has mounted.
#[derive(Clone, Debug)]
pub struct LocalFolder {
    folder: PathBuf,
}

impl LocalFolder {
    /// Opens a folder, made if it is not there.
    /// Errors: `Storage`.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder = folder.into();
        let fault = |e| StateError::storage("create the state folder", folder.display().to_string(), e);
        fs::create_dir_all(&folder).map_err(fault)?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn storage(&self, act: &'static str, path: &Path, source: io::Error) -> StateError {
        StateError::storage(act, path.display().to_string(), source)
    }

    /// Makes a rename durable. Elsewhere than on Unix a folder cannot be opened, and the rename is synced with it.
    fn sync_folder(&self) -> Result<(), StateError> {
        if cfg!(not(unix)) {
            return Ok(());
        }
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| self.storage("sync the state folder", &self.folder, e))
    }
}

impl SnapshotPlace for LocalFolder {
    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        let fault = |e| self.storage("list snapshots in", &self.folder, e);
        let entries = fs::read_dir(&self.folder).map_err(fault)?.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with(prefix)).collect())
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read + Send>, StateError> {
        let path = self.folder.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                Err(StateError::Missing { name: name.to_owned(), place: self.describe() })
            }
            Err(fault) => Err(self.storage("read snapshot", &path, fault)),
        }
    }

    /// Written under a temporary name, synced, renamed, and the folder synced.
    fn put(&self, name: &str, write: Writing<'_>) -> Result<(), StateError> {
        let path = self.folder.join(name);
        // With the process in its name, a former owner of the partition that is not dead yet writes another file.
        let unfinished = self.folder.join(format!("{name}.{}{UNFINISHED}", std::process::id()));
        let written = write_synced(&unfinished, write).and_then(|()| fs::rename(&unfinished, &path));
        if let Err(fault) = written {
            // What cannot be removed now is removed when old snapshots are.
            let _ = fs::remove_file(&unfinished);
            return Err(self.storage("write snapshot", &path, fault));
        }
        self.sync_folder()
    }

    fn delete(&self, name: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                Err(self.storage("remove old snapshot", &path, fault))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.folder.display().to_string()
    }
}

fn write_synced(path: &Path, write: Writing<'_>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
