use std::path::PathBuf;

use lapwing_vocabulary::PortError;
use thiserror::Error;

/// Why events could not be produced.
#[derive(Debug, Error)]
pub enum ProduceError {
    /// An option makes no sense: change it.
    #[error("{option}: {problem}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// The file cannot be opened: mend the path or its permissions.
    #[error("open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file stops being readable, or is not compressed as its name says.
    #[error("read {} after line {line}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Last line that was read.
        line: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not of the declared format: mend it, choose another format, or let such lines be skipped.
    #[error("replay {}:{line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// What goes aside cannot be written: mend the place it goes to.
    #[error("write {what}: {source}")]
    Write {
        /// What it is.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The topic refused the events; the text names the place.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Refuses the first of a list of options that is wrong: whether it is, its name, and what would be right.
pub(crate) fn refuse_first(
    faults: impl IntoIterator<Item = (bool, &'static str, &'static str)>,
) -> Result<(), ProduceError> {
    match faults.into_iter().find(|(is_wrong, ..)| *is_wrong) {
        Some((_, option, remedy)) => Err(ProduceError::Option { option, problem: remedy.to_owned() }),
        None => Ok(()),
    }
}
