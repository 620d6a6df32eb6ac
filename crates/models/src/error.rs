use std::path::{Path, PathBuf};

use lapwing_detect::DetectError;
use thiserror::Error;

/// What can go wrong with models.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file of the registry cannot be read or written.
    #[error("{act} {}: {error}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// A model file is damaged, too new, or not a model.
    #[error("read model {}: {error}\nhint: train again, or point the alias at another version", path.display())]
    Artefact {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: DetectError,
    },
    /// An alias or version that does not exist.
    #[error("no model `{wanted}` in {}: {known}\nhint: `lapwing train PIPELINE` makes one", folder.display())]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where.
        folder: PathBuf,
        /// What there is.
        known: String,
    },
    /// There is nothing to fit a model to.
    #[error("train: no rows{0}\nhint: check the topic with `lapwing topics describe`, and `where` in [train]")]
    NoRows(String),
    /// The detectors cannot be fitted to these rows.
    #[error("train: {0}")]
    Fit(#[from] DetectError),
    /// The column of labels cannot be read as text.
    #[error("train: label: {0}")]
    Label(String),
    /// A filter over rows failed.
    #[error("train: where: {0}")]
    Filter(String),
}

impl ModelError {
    pub(crate) fn io(act: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::Io { act, path: path.to_owned(), error }
    }
}
