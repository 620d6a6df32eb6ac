use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use lapwing_vocabulary::PortError;

/// File that the process which uses a folder keeps locked; it holds the number of that process.
const OWNER_FILE: &str = "owner";

/// Keeps other processes out of a folder until it is dropped. The operating system frees the lock of a killed process.
#[derive(Debug)]
pub(crate) struct FolderOwner {
    _locked: File,
}

impl FolderOwner {
    /// Makes the folder if need be and takes it; `remedy` ends the text of the refusal.
    pub(crate) fn claim(folder: &Path, remedy: &str) -> Result<Self, PortError> {
        let fault = |error| io_fault(&format!("open the folder {}", folder.display()), &error);
        std::fs::create_dir_all(folder).map_err(fault)?;
        let path = folder.join(OWNER_FILE);
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(occupied(folder, &mut file, remedy)),
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        file.set_len(0).map_err(fault)?;
        write!(file, "{}", std::process::id()).map_err(fault)?;
        Ok(Self { _locked: file })
    }
}

fn occupied(folder: &Path, file: &mut File, remedy: &str) -> PortError {
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut holder));
    let holder = match read {
        Ok(_) if !holder.is_empty() => format!("process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    PortError::Operator(format!("the folder {} is in use by {holder}: {remedy}", folder.display()))
}

/// What a failed file operation means for the caller.
pub(crate) fn io_fault(what: &str, error: &std::io::Error) -> PortError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            PortError::Storage(format!("{what}: {error}: free some space on that disk and start again"))
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            PortError::Operator(format!("{what}: {error}: give this user the right to read and write there"))
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            PortError::Operator(format!("{what}: {error}: check the path"))
        }
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::InvalidInput => {
            PortError::Corrupt(format!("{what}: {error}"))
        }
        _ => PortError::Storage(format!("{what}: {error}")),
    }
}
