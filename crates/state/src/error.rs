use std::io;

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
    /// The file is not there (any more): list again.
    #[error("read snapshot {name}: there is no such file in {place}; list again")]
    Missing {
        /// Name of the file.
        name: String,
        /// The place searched.
        place: String,
    },
    /// A snapshot of changes whose predecessor is gone or another: take an older one.
    #[error("read snapshot: it continues a chain whose link {link} {fault}; use an older snapshot")]
    Broken {
        /// Number of the link in its chain, 0 for the full snapshot.
        link: u16,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// No slot is left: raise the number of partitions, or let entities expire.
    #[error("remember an entity: all {most} slots are taken; let entities expire, or use more partitions")]
    Full {
        /// Slots there are.
        most: u32,
    },
    /// The disk, the network or its permissions: ask the operator, then try again.
    #[error("{act} {place}: {source}; {remedy}")]
    Storage {
        /// What was tried.
        act: &'static str,
        /// On what.
        place: String,
        /// What the system said.
        source: io::Error,
        /// What helps.
        remedy: &'static str,
    },
}

impl StateError {
    /// Wraps what the system said with the act, the place and what helps. A fault of this crate that came through a
    /// reader or a writer comes out as it was.
    pub fn storage(act: &'static str, place: impl Into<String>, source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(fault) => fault,
            Err(source) => Self::Storage { act, place: place.into(), remedy: remedy(source.kind()), source },
        }
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
