use std::fmt;

use thiserror::Error;

/// Why a model could not be trained, read or applied; each variant names what the caller does next.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DetectError {
    /// The batch does not have the columns the model reads: mend the query or train anew.
    #[error("encode model columns: {0}")]
    Columns(ColumnFaults),
    /// The matrix has another width than the model: it was encoded for another model.
    #[error(
        "{act}: the rows have {found} columns, the model reads {expected}; encode them with the model's own columns"
    )]
    WidthMismatch {
        /// What was being done.
        act: &'static str,
        /// Columns the model reads.
        expected: usize,
        /// Columns of the matrix.
        found: usize,
    },
    /// There is nothing to learn from: hand in more rows.
    #[error("{act}: {found} rows, at least {needed} are needed")]
    TooFewRows {
        /// What was being done.
        act: &'static str,
        /// Fewest rows that will do.
        needed: usize,
        /// Rows handed in.
        found: usize,
    },
    /// A setting is outside its range: correct the pipeline file.
    #[error("{0}")]
    Setting(String),
    /// The bytes are not an artefact, or are damaged: fetch the artefact again, or train anew.
    #[error("read model artefact: {0}")]
    Artefact(String),
    /// The artefact was written by a newer version: upgrade this binary.
    #[error(
        "read model artefact: format {found} is newer than {supported}, the newest this version reads; upgrade, or train with this version"
    )]
    NewerFormat {
        /// Format of the file.
        found: u32,
        /// Newest format this version reads.
        supported: u32,
    },
}

/// How a batch differs from what a model reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnFaults {
    /// Columns the batch does not have.
    pub missing: Vec<String>,
    /// Columns of a type that cannot be read as the model needs it.
    pub wrong_type: Vec<WrongType>,
    /// Columns the batch does have; shown only where one is missing.
    pub present: Vec<String>,
}

/// A column whose type does not fit its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Name of the column.
    pub column: String,
    /// What the model reads: `a number` or `a category`.
    pub expected: &'static str,
    /// Type of the column in the batch.
    pub found: String,
}

impl ColumnFaults {
    /// Whether the batch fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.wrong_type.is_empty()
    }
}

impl fmt::Display for ColumnFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing {} (the batch has {})", quoted(&self.missing), quoted(&self.present)));
        }
        for wrong in &self.wrong_type {
            parts.push(format!("`{}` is {}, the model reads {}", wrong.column, wrong.found, wrong.expected));
        }
        f.write_str(&parts.join("; "))
    }
}

fn quoted(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
