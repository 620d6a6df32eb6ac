use std::fmt;
use std::path::Path;

use lapwing_detect::DetectError;
use thiserror::Error;

/// Why nothing could be evaluated or tuned; each variant names what the caller does next.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// A file is not there or cannot be opened: correct the path.
    #[error("{0}")]
    NoFile(String),
    /// The data cannot be used as they are: mend the file.
    #[error("{0}")]
    Data(String),
    /// What was asked for does not fit the data or contradicts itself: correct the command line.
    #[error("{0}")]
    Setting(String),
    /// The detectors refuse the rows or their options.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A file could not be written: make room, or name another place.
    #[error("{0}")]
    Write(String),
    /// A person asked to stop.
    #[error("interrupted; what the journal holds is kept")]
    Interrupted,
}

impl EvaluateError {
    pub(crate) fn data(path: &Path, text: impl fmt::Display) -> Self {
        Self::Data(format!("read {}: {text}", path.display()))
    }

    pub(crate) fn setting(text: impl fmt::Display) -> Self {
        Self::Setting(text.to_string())
    }

    pub(crate) fn write(path: &Path, error: impl fmt::Display) -> Self {
        Self::Write(format!("write {}: {error}", path.display()))
    }
}

/// What to say of a name that is not there: the nearest one if it is near, and all of them.
pub(crate) fn unknown_name(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
    let near = nearest.filter(|(distance, _)| *distance <= 2.max(name.chars().count() / 3));
    let proposal = near.map_or(String::new(), |(_, other)| format!("did you mean `{other}`? "));
    format!("{proposal}there are {}", quoted(known))
}

/// Names between backticks, the first forty of them.
pub(crate) fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 40;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}
