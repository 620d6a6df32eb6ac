use std::path::Path;

use fjall::{Error, LsmError};
use lapwing_vocabulary::PortError;

use crate::owner::io_fault;

/// What the operator does when another process has the folder.
pub(super) const OCCUPIED_REMEDY: &str =
    "the embedded log serves one process at a time; stop that one first, or use Kafka ([connect.kafka]) for several";

/// Says what a failure of the store means for the caller.
pub(super) fn fault(folder: &Path, what: &str, error: &Error) -> PortError {
    let place = folder.display();
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => io_fault(&format!("{what} in {place}"), error),
        Error::Poisoned => PortError::Storage(format!(
            // The write that failed may have been one of the store's own threads: nobody else has told of it then.
            "{what} in {place}: an earlier write failed, the disk is full or fails, and the log takes no more: free some \
             space on that disk and start again"
        )),
        Error::Locked => PortError::Operator(format!("{what} in {place}: the folder is in use: {OCCUPIED_REMEDY}")),
        Error::InvalidVersion(version) => PortError::Operator(format!(
            "{what} in {place}: the store has format {version:?}, which this version does not read: use another folder"
        )),
        error => PortError::Corrupt(format!(
            "{what} in {place}: {error}: restore the folder from a copy, or start with an empty one"
        )),
    }
}
