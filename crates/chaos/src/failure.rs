use std::io;

use lapwing_produce::ProduceError;
use lapwing_vocabulary::PortError;
use thiserror::Error;

/// Why the campaign could not go on. What Lapwing itself does wrong is not here but in the verdict, except where nothing
/// can be judged any more.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The broker does not answer, or refuses.
    #[error("{0}")]
    Port(#[from] PortError),
    /// The scenario cannot be produced.
    #[error("{0}")]
    Produce(#[from] ProduceError),
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// The act and the thing.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A command that had to succeed did not.
    #[error("{command} ended with {code}:\n{said}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        code: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// The run came to no end in time.
    #[error("waited {seconds} s in vain: {what}; the logs are in the folder of the run")]
    Stuck {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// The reader or the feed has ended early; its own failure says why.
    #[error("the reader or the feed has ended early")]
    Interrupted,
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A thread of the campaign panicked.
    #[error("the {0} panicked: a fault of this program")]
    Panicked(&'static str),
}

impl Failure {
    /// Names the act and the thing of a system's error.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
