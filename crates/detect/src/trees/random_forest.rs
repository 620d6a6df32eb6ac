//! Random forest: many deep trees, each grown on rows drawn with repetition and splitting on columns drawn anew in
//! every node; a row's score is the mean share of anomalies in the leaves it falls into.
//!
//! Rows are drawn within each kind, so that no tree is without anomalies when there are three of them.
//! Source: Breiman 2001 ("Random forests").

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot, check};
use crate::training::TrainingSet;
use crate::tree_scorer::WIDTH_MAX;
use crate::trees::binning::BinnedMatrix;
use crate::trees::grower::{Columns, GrownTree, Growth, grow};
use crate::trees::histogram::{ROWS_MAX, Rule, Scale, Term};
use crate::trees::labelled::Labelled;
use crate::trees::linked::{DEPTH_MAX, LinkedTrees};
use crate::trees::parallel::parallel;

/// Most trees: probabilities barely change after a few hundred.
pub const TREES_MAX: usize = 10_000;
/// Most leaves of a tree: a hundred trees of so many still fit an artefact.
pub const LEAVES_MAX: usize = 1 << 16;
/// Largest number of rows that a leaf can be asked to have.
pub const LEAF_ROWS_MAX: usize = 100_000;
/// Rows of the scarcer kind per row that a leaf has at least, if its size follows from them.
const SCARCE_ROWS_PER_LEAF_ROW: usize = 2_000;
/// Largest leaf that follows from the number of rows.
const LEAF_ROWS_FROM_DATA_MAX: usize = 5;

/// How a random forest is grown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomForestOptions {
    /// Number of trees.
    pub trees: usize,
    /// Rows drawn for each tree, as a share of the rows of each kind.
    pub sample_fraction: f64,
    /// Columns drawn for each node; 0 for the square root of their number.
    pub split_columns: usize,
    /// Fewest rows in a leaf; 0 lets it follow from the number of rows of the scarcer kind.
    pub leaf_rows_min: usize,
    /// Most leaves of a tree; those that explain most are kept.
    pub leaves_max: usize,
    /// Whether anomalies together weigh as much as normal rows together.
    pub balanced: bool,
}

impl Default for RandomForestOptions {
    /// As Breiman's, with as many leaves as hold what a hundred trees can keep. Kinds are not balanced: trees grow until
    /// leaves are of one kind, whatever rows weigh, and heavy anomalies would only make the last leaves rash.
    fn default() -> Self {
        Self { trees: 100, sample_fraction: 1.0, split_columns: 0, leaf_rows_min: 0, leaves_max: 8192, balanced: false }
    }
}

impl Options for RandomForestOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("trees", Slot::Whole(&mut self.trees, 1..=TREES_MAX)),
            ("sample_fraction", Slot::Number(&mut self.sample_fraction, 0.001..=1.0)),
            ("split_columns", Slot::Whole(&mut self.split_columns, 0..=WIDTH_MAX)),
            ("leaf_rows_min", Slot::Whole(&mut self.leaf_rows_min, 0..=LEAF_ROWS_MAX)),
            ("leaves_max", Slot::Whole(&mut self.leaves_max, 2..=LEAVES_MAX)),
            ("balanced", Slot::Flag(&mut self.balanced)),
        ]
    }
}

/// A trained random forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomForest {
    /// Every node's value is the share of anomalies.
    trees: LinkedTrees,
}

impl RandomForest {
    /// Grows a forest on the labelled rows. The same rows, labels and seed give the same forest for any number of
    /// threads; tree i does not depend on how many trees there are. Errors: `Setting` if an option is out of range, a kind of row is missing or
    /// there are too many rows or columns.
    pub fn fit(set: &TrainingSet<'_>, options: &RandomForestOptions, seed: u64) -> Result<Self, DetectError> {
        check("random forest", *options)?;
        let labelled = Labelled::of("random forest", set)?;
        check_size("random forest", labelled.rows.rows(), labelled.rows.width())?;
        let leaf_rows_min = match options.leaf_rows_min {
            0 => (labelled.scarcer() / SCARCE_ROWS_PER_LEAF_ROW).clamp(1, LEAF_ROWS_FROM_DATA_MAX),
            rows => rows,
        };
        let options = RandomForestOptions { leaf_rows_min, ..*options };
        let binned = BinnedMatrix::new(&labelled.rows, set.threads);
        let weights = labelled.weights(options.balanced);
        Self::grow(&binned, &labelled.anomalous, weights, &options, set.threads, seed)
    }

    /// Grows a forest on binned rows of both kinds; `leaf_rows_min` is given.
    pub(crate) fn grow(
        binned: &BinnedMatrix,
        anomalous: &[bool],
        weights: [f64; 2],
        options: &RandomForestOptions,
        threads: usize,
        seed: u64,
    ) -> Result<Self, DetectError> {
        let kinds = [false, true].map(|kind| {
            (0..anomalous.len() as u32).filter(|row| anomalous[*row as usize] == kind).collect::<Vec<u32>>()
        });
        let split_columns = match options.split_columns {
            0 => (binned.width() as f64).sqrt().round() as usize,
            columns => columns,
        };
        let trees = parallel(threads, (0..options.trees as u64).collect(), |index| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(index);
            let drawn = draw(&kinds, anomalous.len(), options.sample_fraction, &mut rng);
            let worth = |row: usize, times: u16| f64::from(times) * weights[usize::from(anomalous[row])];
            let target = |row: usize, times: u16| if anomalous[row] { worth(row, times) } else { 0.0 };
            let present =
                || drawn.iter().enumerate().filter(|(_, times)| **times > 0).map(|(row, times)| (row, *times));
            let scale = Scale::of(present().map(|(row, times)| (target(row, times), worth(row, times))));
            let rows = present().map(|(row, _)| row as u32).collect();
            let terms: Vec<Term> =
                present().map(|(row, times)| scale.term(target(row, times), worth(row, times))).collect();
            let rule = Rule { scale, leaf_rows_min: options.leaf_rows_min as u64, l2: 0.0 };
            let columns = Columns::Drawn(split_columns);
            let growth = Growth { rule, leaves_max: options.leaves_max, depth_max: DEPTH_MAX, columns, threads: 1 };
            let tree = grow(binned, &growth, rows, terms, &mut rng);
            tree.valued(binned, |leaf| {
                share(&tree, leaf.rows.clone(), |row| (target(row, drawn[row]), worth(row, drawn[row])))
            })
        });
        Ok(Self { trees: LinkedTrees::new(binned.width(), &trees)? })
    }

    /// Refuses a forest that could not be scored; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (1..=TREES_MAX).contains(&self.trees.trees()) {
            true => self.trees.check(),
            false => Err(format!("a forest of {} trees", self.trees.trees())),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.trees.width()
    }

    /// The trees, as they are scored.
    pub fn trees(&self) -> &LinkedTrees {
        &self.trees
    }

    /// Returns the probability that each row is an anomaly, as the trees see it on average.
    /// Shape: `rows` is n × d in the model's column order; result has n values in 0..=1. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        let mut scores = self.trees.sum(rows)?;
        scores.iter_mut().for_each(|score| *score /= self.trees.trees() as f64);
        Ok(scores)
    }

    /// Adds to each column how far its splits moved the probability; the credits sum to the score less
    /// [`RandomForest::expected`]. Shape: `row` and `credit` have d values. Source: Saabas 2014.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        self.trees.attribute(row, 1.0 / self.trees.trees() as f64, credit);
    }

    /// The mean score of the rows that the trees were grown on.
    pub fn expected(&self) -> f64 {
        self.trees.expected() / self.trees.trees() as f64
    }
}

/// Refuses more rows or columns than trees can be grown on.
pub(crate) fn check_size(method: &str, rows: usize, width: usize) -> Result<(), DetectError> {
    if width == 0 || width > WIDTH_MAX {
        let text = format!("fit {method}: {width} columns, 1 to {WIDTH_MAX} are possible; name fewer inputs");
        return Err(DetectError::Setting(text));
    }
    match rows <= ROWS_MAX {
        true => Ok(()),
        false => Err(DetectError::Setting(format!("fit {method}: {rows} rows, {ROWS_MAX} are possible; draw fewer"))),
    }
}

/// How often each row is drawn: with repetition, a share of the rows of each kind.
fn draw(kinds: &[Vec<u32>; 2], rows: usize, fraction: f64, rng: &mut ChaCha8Rng) -> Vec<u16> {
    let mut times = vec![0_u16; rows];
    for kind in kinds {
        for _ in 0..(kind.len() as f64 * fraction).ceil() as usize {
            let row = kind[rng.random_range(0..kind.len())] as usize;
            times[row] = times[row].saturating_add(1);
        }
    }
    times
}

/// The share of anomalies in the weight of a leaf's rows.
fn share(tree: &GrownTree, places: std::ops::Range<usize>, worth: impl Fn(usize) -> (f64, f64)) -> f32 {
    let rows = tree.order[places].iter().map(|row| worth(*row as usize));
    let (anomalies, all) = rows.fold((0.0, 0.0), |sums, row| (sums.0 + row.0, sums.1 + row.1));
    (anomalies / all) as f32
}
