use std::fmt;

use crate::error::DetectError;
use crate::matrix::Matrix;

/// What is known of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Label {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// Nothing strange.
    Normal,
    /// What should be found.
    Anomaly,
}

/// Rows to learn from, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// n × d, as the model's columns encode them.
    pub rows: &'a Matrix,
    /// One per row, or none at all if nothing is known of any.
    pub labels: &'a [Label],
    /// What lies outside this crate.
    pub outside: &'a dyn Outside,
    /// Threads that training may use, at least 1; they change its time, never its result.
    pub threads: usize,
}

/// What training needs from outside: this crate does no IO.
pub trait Outside: fmt::Debug {
    /// The bytes of a model file. Errors: `Setting` with the place and the reason.
    fn file(&self, path: &str) -> Result<Vec<u8>, DetectError>;
}

/// Nothing lies outside.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Outside for Nothing {
    fn file(&self, path: &str) -> Result<Vec<u8>, DetectError> {
        Err(DetectError::Setting(format!("read model file {path}: no files can be read here")))
    }
}

impl<'a> TrainingSet<'a> {
    /// Rows of which nothing is known, for one thread.
    pub fn unlabelled(rows: &'a Matrix) -> Self {
        Self { rows, labels: &[], outside: &Nothing, threads: 1 }
    }

    /// What is known of a row.
    pub fn label(&self, row: usize) -> Label {
        self.labels.get(row).copied().unwrap_or_default()
    }
}
