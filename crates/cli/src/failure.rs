use std::fmt;

use lapwing_connect::files::FileError;
use lapwing_evaluate::EvaluateError;
use lapwing_models::ModelError;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::settings::Faults;
use lapwing_produce::ProduceError;
use lapwing_server::ServerError;
use lapwing_vocabulary::PortError;

/// Why a command failed, and the exit code that says so. The codes follow BSD's sysexits.h and are listed in
/// `docs/operations.md`.
#[derive(Debug)]
pub struct Failure {
    /// 64 usage, 65 data, 66 no input, 69 unavailable, 70 internal, 74 input/output, 78 configuration.
    pub code: u8,
    /// What happened, where, and the remedy.
    pub text: String,
}

/// A contradiction in the command line.
pub const USAGE: u8 = 64;
/// Input data that cannot be used.
pub const DATA: u8 = 65;
/// A file that is not there.
pub const NO_INPUT: u8 = 66;
/// A fault of the program itself.
pub const INTERNAL: u8 = 70;
/// Writing or reading failed.
pub const IO: u8 = 74;
/// The pipeline file, or what it asks for, must be mended.
pub const CONFIGURATION: u8 = 78;

impl Failure {
    /// A failure with its exit code.
    pub fn new(code: u8, text: impl fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        RunError::from(error).into()
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::new(CONFIGURATION, faults)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let code = match error {
            ModelError::Io { .. } => IO,
            ModelError::Artefact { .. } | ModelError::NoRows(_) | ModelError::Fit(_) => DATA,
            ModelError::Unknown { .. } | ModelError::Filter(_) | ModelError::Label(_) => CONFIGURATION,
        };
        Self::new(code, error)
    }
}

impl From<ProduceError> for Failure {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::Port(error) => error.into(),
            error @ ProduceError::Write { .. } => Self::new(IO, error),
            error => Self::new(DATA, error),
        }
    }
}

impl From<EvaluateError> for Failure {
    fn from(error: EvaluateError) -> Self {
        let code = match error {
            EvaluateError::NoFile(_) => NO_INPUT,
            EvaluateError::Data(_) | EvaluateError::Detect(_) | EvaluateError::Interrupted => DATA,
            EvaluateError::Setting(_) => USAGE,
            EvaluateError::Write(_) => IO,
        };
        Self::new(code, error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::new(NO_INPUT, error)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::new(CONFIGURATION, error)
    }
}
