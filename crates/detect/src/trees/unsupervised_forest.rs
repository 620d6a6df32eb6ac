//! Unsupervised forest: a random forest that tells the rows from synthetic ones, whose columns have the same values
//! but do not depend on each other. What it takes for synthetic breaks a rule that the columns keep together, though
//! each value by itself may be usual.
//!
//! Source: Shi, Horvath 2006 ("Unsupervised learning with random forest predictors").

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot, check};
use crate::training::TrainingSet;
use crate::trees::binning::BinnedMatrix;
use crate::trees::linked::LinkedTrees;
use crate::trees::random_forest::{
    LEAF_ROWS_MAX, LEAVES_MAX, RandomForest, RandomForestOptions, TREES_MAX, check_size,
};

/// How an unsupervised forest is grown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnsupervisedForestOptions {
    /// Number of trees.
    pub trees: usize,
    /// Synthetic rows for each row.
    pub fraction: f64,
    /// Rows drawn for each tree, as a share of all.
    pub sample_fraction: f64,
    /// Fewest rows in a leaf: a leaf around a single row would say of every training row that it is real.
    pub leaf_rows_min: usize,
    /// Most leaves of a tree; those that explain most are kept.
    pub leaves_max: usize,
}

impl Default for UnsupervisedForestOptions {
    fn default() -> Self {
        Self { trees: 100, fraction: 1.0, sample_fraction: 0.25, leaf_rows_min: 5, leaves_max: 2048 }
    }
}

impl Options for UnsupervisedForestOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("trees", Slot::Whole(&mut self.trees, 1..=TREES_MAX)),
            ("fraction", Slot::Number(&mut self.fraction, 0.01..=10.0)),
            ("sample_fraction", Slot::Number(&mut self.sample_fraction, 0.001..=1.0)),
            ("leaf_rows_min", Slot::Whole(&mut self.leaf_rows_min, 1..=LEAF_ROWS_MAX)),
            ("leaves_max", Slot::Whole(&mut self.leaves_max, 2..=LEAVES_MAX)),
        ]
    }
}

/// A trained unsupervised forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnsupervisedForest {
    /// Synthetic rows are its anomalies.
    forest: RandomForest,
}

impl UnsupervisedForest {
    /// Grows a forest on the rows; labels are not looked at. The same rows and seed give the same forest for any
    /// number of threads. Errors: `TooFewRows` below 2, `Setting` if an option is out of range or there are too many rows or columns.
    pub fn fit(set: &TrainingSet<'_>, options: &UnsupervisedForestOptions, seed: u64) -> Result<Self, DetectError> {
        check("unsupervised forest", *options)?;
        let real = set.rows.rows();
        if real < 2 {
            return Err(DetectError::TooFewRows { act: "fit unsupervised forest", needed: 2, found: real });
        }
        let synthetic = (real as f64 * options.fraction).ceil() as usize;
        check_size("unsupervised forest", real + synthetic, set.rows.width())?;
        let binned = BinnedMatrix::new(set.rows, set.threads).with_independent_rows(synthetic, seed, set.threads);
        let is_synthetic: Vec<bool> = (0..binned.rows()).map(|row| row >= real).collect();
        // Both kinds weigh the same, so that one half means "cannot tell" whatever the fraction is.
        let weights = [real, synthetic].map(|rows| binned.rows() as f64 / (2.0 * rows as f64));
        let options = RandomForestOptions {
            trees: options.trees,
            sample_fraction: options.sample_fraction,
            leaf_rows_min: options.leaf_rows_min,
            leaves_max: options.leaves_max,
            ..RandomForestOptions::default()
        };
        let forest = RandomForest::grow(&binned, &is_synthetic, weights, &options, set.threads, seed)?;
        Ok(Self { forest })
    }

    /// Refuses a forest that could not be scored; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.forest.check()
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.forest.width()
    }

    /// The trees, as they are scored.
    pub fn trees(&self) -> &LinkedTrees {
        self.forest.trees()
    }

    /// Returns the probability that each row is synthetic.
    /// Shape: `rows` is n × d in the model's column order; result has n values in 0..=1. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        self.forest.score(rows)
    }

    /// Adds to each column how far its splits moved the probability, as [`RandomForest::attribute`].
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        self.forest.attribute(row, credit);
    }

    /// The mean score of the rows that the trees were grown on, synthetic ones included.
    pub fn expected(&self) -> f64 {
        self.forest.expected()
    }
}
