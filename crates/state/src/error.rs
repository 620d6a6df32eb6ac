use std::io;
use std::path::{Path, PathBuf};

use lapwing_vocabulary::{Offset, Partition};
use thiserror::Error;

/// Why stored bytes were refused, or could not be stored. A refused snapshot is no loss: an older one and a longer
/// replay, or replay alone, give the same memory.
#[derive(Debug, Error)]
pub enum StateError {
    /// The bytes are something else.
    #[error("read snapshot: this is not a Lapwing snapshot; remove the file from the state location")]
    NotASnapshot,
    /// Written by a newer Lapwing: start that one, or let this one replay.
    #[error("read snapshot: format version {found}, but this Lapwing reads up to {known}; start the newer Lapwing")]
    Newer {
        /// Version in the file.
        found: u16,
        /// Newest version that can be read.
        known: u16,
    },
    /// Shorter or longer than it says: take an older one.
    #[error("read snapshot: {found} bytes where it says {expected}; it was not written to its end, use an older one")]
    Torn {
        /// Bytes expected.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// The checksum differs: take an older one and check the disk.
    #[error("read snapshot: checksum {found:08x} where it says {expected:08x}; use an older one and check the disk")]
    Checksum {
        /// Checksum stored.
        expected: u32,
        /// Checksum of the bytes there.
        found: u32,
    },
    /// The bytes do not follow the format although their checksum is right: take an older one, and report it.
    #[error("read {what}: {fault}; use an older snapshot and report this fault")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// The snapshot of another pipeline, topic or partition: point `state` elsewhere.
    #[error("read snapshot: it is of {found}, not of {expected}; give each pipeline a state location of its own")]
    Other {
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The features have changed since: replay.
    #[error("read snapshot: made for other features (digest {found}, now {expected}); the memory is rebuilt by replay")]
    OtherFeatures {
        /// Digest expected.
        expected: String,
        /// Digest found.
        found: String,
    },
    /// A name or a list does not fit the format: shorten it.
    #[error("write snapshot: {what} has {length} bytes or entries, at most {longest} fit; shorten it")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The most that fits.
        longest: usize,
    },
    /// The snapshot is not there (any more): list again.
    #[error("read snapshot of partition {partition} at offset {offset}: no such file in {}", folder.display())]
    Missing {
        /// The partition.
        partition: Partition,
        /// The offset.
        offset: Offset,
        /// The folder searched.
        folder: PathBuf,
    },
    /// The disk or its permissions: ask the operator, then try again.
    #[error("{act} {}: {source}; {remedy}", path.display())]
    Storage {
        /// What was tried.
        act: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What helps.
        remedy: &'static str,
    },
}

impl StateError {
    /// Wraps what the system said with the act, the place and what helps.
    pub(crate) fn storage(act: &'static str, path: &Path, source: io::Error) -> Self {
        let remedy = remedy(source.kind());
        Self::Storage { act, path: path.to_owned(), source, remedy }
    }

    pub(crate) fn malformed(what: &'static str, fault: impl Into<String>) -> Self {
        Self::Malformed { what, fault: fault.into() }
    }
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on this disk, or point `state` to a larger one"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs Lapwing read and write this folder",
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable, or point `state` elsewhere",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "a file is in the way: move it elsewhere",
        io::ErrorKind::NotFound => "another process may be using the same state location: give each its own",
        _ => "check the disk, or point `state` elsewhere",
    }
}
