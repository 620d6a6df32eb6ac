use std::borrow::Cow;
use std::fmt;

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::networks::{Autoencoder, AutoencoderOptions, Transformer, TransformerOptions};

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

/// What training needs from outside: this crate does no IO, and knows no derivatives.
pub trait Outside: fmt::Debug {
    /// The bytes of a model file. Errors: `Setting` with the place and the reason.
    fn file(&self, path: &str) -> Result<Vec<u8>, DetectError> {
        Err(DetectError::Setting(format!("read model file {path}: no files can be read here")))
    }

    /// Trains an autoencoder on rows that are not known to be anomalies. Shape: `rows` is n × d, the result reads d
    /// columns. The same rows and seed give the same weights. Errors: `TooFewRows`, `Setting`.
    fn autoencoder(&self, _: &Matrix, _: &AutoencoderOptions, _seed: u64) -> Result<Autoencoder, DetectError> {
        Err(no_networks("autoencoder"))
    }

    /// Trains a transformer; otherwise as [`Outside::autoencoder`]. Shape: as [`Transformer::score`] reads rows.
    fn transformer(&self, _: &Matrix, _: &TransformerOptions, _seed: u64) -> Result<Transformer, DetectError> {
        Err(no_networks("transformer"))
    }
}

/// Nothing lies outside.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Outside for Nothing {}

fn no_networks(method: &str) -> DetectError {
    DetectError::Setting(format!("train {method}: no neural networks can be trained here; choose another method"))
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

    /// The rows that are not known to be anomalies: what a network learns, it takes for usual.
    pub fn not_anomalous(&self) -> Cow<'a, Matrix> {
        let kept: Vec<usize> = (0..self.rows.rows()).filter(|row| self.label(*row) != Label::Anomaly).collect();
        if kept.len() == self.rows.rows() { Cow::Borrowed(self.rows) } else { Cow::Owned(self.rows.take(&kept)) }
    }
}
