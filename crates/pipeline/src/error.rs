use lapwing_detect::DetectError;
use lapwing_sql::SqlError;
use lapwing_state::StateError;
use lapwing_vocabulary::{Partition, PortError};
use thiserror::Error;

/// Why a pipeline could not be planned, or stopped running. Each variant has its own exit code, see [`RunError::exit_code`].
#[derive(Debug, Error)]
pub enum RunError {
    /// The pipeline file asks for something that cannot be had; every fault is listed.
    #[error("{}", .0.join("\n"))]
    Plan(Vec<String>),
    /// A transport failed; its text names the place and the remedy.
    #[error(transparent)]
    Port(#[from] PortError),
    /// State could not be written or read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A stage failed on a batch that had passed every check before: nothing of the batch was committed.
    #[error("{stage} partition {partition}: {text}")]
    Stage {
        /// The stage.
        stage: &'static str,
        /// The partition.
        partition: Partition,
        /// What happened.
        text: String,
    },
    /// The model does not fit the rows of this pipeline.
    #[error(
        "score with model {model}: {error}\nhint: train it again with `lapwing train`, or point `model` at a version trained with this pipeline file"
    )]
    Score {
        /// The model, as `name@version`.
        model: String,
        /// What differs.
        error: DetectError,
    },
    /// A thread of the pipeline panicked; its epoch was not committed.
    #[error("worker {0} panicked: this is a fault of Lapwing; nothing uncommitted became visible")]
    Panicked(usize),
}

impl RunError {
    pub(crate) fn enrich(partition: Partition, error: SqlError) -> Self {
        Self::Stage { stage: "enrich", partition, text: error.to_string() }
    }

    pub(crate) fn score(model: String, error: DetectError) -> Self {
        Self::Score { model, error }
    }

    /// Exit code of a process that stops for this reason, after BSD's sysexits.h: 65 data, 69 unavailable, 70 internal,
    /// 74 input/output, 78 configuration.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Plan(_) | Self::Score { .. } | Self::Port(PortError::Operator(_)) => 78,
            Self::Port(PortError::Unreachable(_) | PortError::Restart(_)) => 69,
            Self::Port(PortError::Corrupt(_)) => 65,
            Self::Port(PortError::Storage(_)) | Self::State(_) => 74,
            Self::Stage { .. } | Self::Panicked(_) => 70,
        }
    }
}
