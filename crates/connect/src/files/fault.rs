use std::io;

use lapwing_vocabulary::{Offset, PortError};
use thiserror::Error;

use crate::owner::io_fault;

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is not there, or not for this user.
    #[error("open {path}: {source}: check the path and the right to read it")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed.
    #[error("read {path} after record {records}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Records read before.
        records: Offset,
        /// What the system said.
        source: io::Error,
    },
    /// A compressed file ends early or does not decompress.
    #[error("decompress {path} after record {records}: {source}: the file is damaged or incomplete; get a whole copy")]
    Damaged {
        /// The file.
        path: String,
        /// Records read before.
        records: Offset,
        /// What the decompressor said.
        source: io::Error,
    },
    /// A followed file was cut or replaced, so that record numbers no longer mean what they did.
    #[error(
        "follow {path}: the file was {change} after record {records}: start again with an empty output folder to read the \
         new one, or append to files instead of rotating them"
    )]
    Changed {
        /// The file.
        path: String,
        /// What happened to it.
        change: &'static str,
        /// Records read before.
        records: Offset,
    },
    /// A compressed file has no end that could grow.
    #[error("follow {path}: a compressed file cannot be followed: read it without `follow`")]
    NotFollowable {
        /// The file.
        path: String,
    },
    /// More was consumed from a file than it holds.
    #[error(
        "resume {path} at record {wanted}: the file has only {records} records: it was replaced since; use an empty \
         output folder to read it from its beginning"
    )]
    Shorter {
        /// The file.
        path: String,
        /// First record not yet consumed.
        wanted: Offset,
        /// Records there are.
        records: Offset,
    },
    /// Standard input has been read already.
    #[error("standard input cannot be read again from record {wanted}: give a file to be able to resume")]
    StandardInput {
        /// First record not yet consumed.
        wanted: Offset,
    },
}

impl From<FileError> for PortError {
    fn from(error: FileError) -> Self {
        let text = error.to_string();
        match error {
            FileError::Read { path, records, source } => {
                io_fault(&format!("read {path} after record {records}"), &source)
            }
            FileError::Damaged { .. } => Self::Corrupt(text),
            FileError::Open { .. }
            | FileError::Changed { .. }
            | FileError::NotFollowable { .. }
            | FileError::Shorter { .. }
            | FileError::StandardInput { .. } => Self::Operator(text),
        }
    }
}
