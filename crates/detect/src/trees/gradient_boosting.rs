//! Gradient boosting: small trees, each grown on what the ones before got wrong; a row's score is the log odds of
//! being an anomaly.
//!
//! Trees grow leaf by leaf on histograms, with first and second derivatives of the logistic loss. How many rows a leaf
//! has at least follows from the number of labelled anomalies; with the usual twenty, a handful of them would never be
//! told from the rest. If there are enough of both kinds, some rows are held back, and growing stops when their loss
//! no longer falls.
//!
//! Sources: Friedman 2001; Chen, Guestrin 2016 (second order, L2); Ke et al. 2017 (leaf by leaf, histograms); King, Zeng 2001
//! (log odds of rows that were weighed).

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot, check};
use crate::training::TrainingSet;
use crate::tree_scorer::TreeNode;
use crate::trees::binning::BinnedMatrix;
use crate::trees::grower::{Columns, GrownTree, Growth, grow};
use crate::trees::histogram::{Rule, Scale, Term};
use crate::trees::labelled::Labelled;
use crate::trees::linked::{DEPTH_MAX, LinkedTrees};
use crate::trees::parallel::parallel;
use crate::trees::random_forest::{LEAF_ROWS_MAX, check_size};

/// Most trees.
pub const ROUNDS_MAX: usize = 10_000;
/// Most leaves of a tree: each keeps a histogram while the tree grows.
pub const LEAVES_MAX: usize = 512;
/// Fewest rows of the scarcer kind that are held back; with fewer, their loss is chance and all rows are learned from.
const HELD_BACK_MIN: usize = 10;
/// Rows of the scarcer kind per row that a leaf has at least, if its size follows from them.
const SCARCE_ROWS_PER_LEAF_ROW: usize = 20;
/// Largest leaf that follows from the number of rows. Source: the default of LightGBM.
const LEAF_ROWS_FROM_DATA_MAX: usize = 20;
/// Longest step of one tree; a leaf without resistance would leap. Units: log odds.
const STEP_MAX: f64 = 10.0;
/// Rows whose derivatives one thread takes at a time.
const ROWS_PER_JOB: usize = 1 << 15;

/// How trees are boosted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientBoostingOptions {
    /// Most trees.
    pub rounds: usize,
    /// Share of each tree's answer that is added.
    pub learning_rate: f64,
    /// Most leaves of a tree.
    pub leaves_max: usize,
    /// Fewest rows in a leaf; 0 lets it follow from the number of rows of the scarcer kind.
    pub leaf_rows_min: usize,
    /// Draws leaves towards zero.
    pub l2: f64,
    /// Share of rows each tree sees.
    pub sample_fraction: f64,
    /// Share of columns each tree sees.
    pub column_fraction: f64,
    /// Share of rows held back to see when to stop; 0 for none.
    pub held_back: f64,
    /// Trees without a lower loss of the rows held back, after which growing stops.
    pub patience: usize,
    /// Whether anomalies together weigh as much as normal rows together.
    pub balanced: bool,
}

impl Default for GradientBoostingOptions {
    /// The usual sizes, but each tree sees half of the columns: anomalies of a kind that no label names are found more
    /// surely when no few columns decide everything. No rows are held back: a hundred small steps hardly overfit, and
    /// labelled anomalies are too few to spare any. Both kinds weigh the same, or L2 would hold back the steps of leaves
    /// that hold three anomalies.
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            leaves_max: 31,
            leaf_rows_min: 0,
            l2: 1.0,
            sample_fraction: 1.0,
            column_fraction: 0.5,
            held_back: 0.0,
            patience: 20,
            balanced: true,
        }
    }
}

impl Options for GradientBoostingOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("rounds", Slot::Whole(&mut self.rounds, 1..=ROUNDS_MAX)),
            ("learning_rate", Slot::Number(&mut self.learning_rate, 0.001..=1.0)),
            ("leaves_max", Slot::Whole(&mut self.leaves_max, 2..=LEAVES_MAX)),
            ("leaf_rows_min", Slot::Whole(&mut self.leaf_rows_min, 0..=LEAF_ROWS_MAX)),
            ("l2", Slot::Number(&mut self.l2, 0.0..=1e6)),
            ("sample_fraction", Slot::Number(&mut self.sample_fraction, 0.001..=1.0)),
            ("column_fraction", Slot::Number(&mut self.column_fraction, 0.001..=1.0)),
            ("held_back", Slot::Number(&mut self.held_back, 0.0..=0.5)),
            ("patience", Slot::Whole(&mut self.patience, 1..=ROUNDS_MAX)),
            ("balanced", Slot::Flag(&mut self.balanced)),
        ]
    }
}

/// Boosted trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradientBoosting {
    /// Log odds before any tree.
    base: f64,
    trees: LinkedTrees,
}

/// Training under way.
struct Boosting<'a> {
    binned: &'a BinnedMatrix,
    anomalous: &'a [bool],
    weights: [f64; 2],
    options: &'a GradientBoostingOptions,
    leaf_rows_min: u64,
    threads: usize,
    /// Rows that trees are grown on, and rows that say when to stop; both ascending.
    learned: Vec<u32>,
    held_back: Vec<u32>,
    /// Each row's log odds so far.
    margins: Vec<f64>,
    rng: ChaCha8Rng,
}

/// First and second derivative of a row's weighted logistic loss by its margin.
#[derive(Clone, Copy)]
struct Derivatives {
    first: f32,
    second: f32,
}

impl Derivatives {
    fn of(margin: f64, anomalous: bool, weights: [f64; 2]) -> Self {
        let probability = 1.0 / (1.0 + (-margin).exp());
        let weight = weights[usize::from(anomalous)];
        let first = probability - f64::from(u8::from(anomalous));
        Self { first: (weight * first) as f32, second: (weight * probability * (1.0 - probability)) as f32 }
    }
}

/// A tree as the scorer takes it.
type Valued = (Vec<TreeNode>, Vec<f32>);

impl GradientBoosting {
    /// Boosts trees on the labelled rows. The same rows, labels and seed give the same trees for any number of
    /// threads. Errors: `Setting` if an option is out of range, a kind of row is missing, or there are too many rows or
    /// columns.
    pub fn fit(set: &TrainingSet<'_>, options: &GradientBoostingOptions, seed: u64) -> Result<Self, DetectError> {
        check("gradient boosting", *options)?;
        let labelled = Labelled::of("gradient boosting", set)?;
        check_size("gradient boosting", labelled.rows.rows(), labelled.rows.width())?;
        let leaf_rows_min = match options.leaf_rows_min {
            0 => (labelled.scarcer() / SCARCE_ROWS_PER_LEAF_ROW).clamp(1, LEAF_ROWS_FROM_DATA_MAX),
            rows => rows,
        };
        let weights = labelled.weights(options.balanced);
        let [normal, anomalies] = labelled.counts();
        let base = (anomalies as f64 * weights[1]).ln() - (normal as f64 * weights[0]).ln();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (learned, held_back) = hold_back(&labelled, options.held_back, &mut rng);
        let binned = BinnedMatrix::new(&labelled.rows, set.threads);
        let boosting = Boosting {
            binned: &binned,
            anomalous: &labelled.anomalous,
            weights,
            options,
            leaf_rows_min: leaf_rows_min as u64,
            threads: set.threads,
            learned,
            held_back,
            margins: vec![base; labelled.anomalous.len()],
            rng,
        };
        let trees = boosting.run();
        // Rows that weigh more than they are raise the odds everywhere by as much; without it they are those of the rows.
        let raised = weights[1].ln() - weights[0].ln();
        Ok(Self { base: base - raised, trees: LinkedTrees::new(binned.width(), &trees)? })
    }

    /// Refuses trees that could not be scored; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.base.is_finite() || self.trees.trees() > ROUNDS_MAX {
            return Err(format!("{} boosted trees that begin at {}", self.trees.trees(), self.base));
        }
        self.trees.check()
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.trees.width()
    }

    /// The trees, as they are scored.
    pub fn trees(&self) -> &LinkedTrees {
        &self.trees
    }

    /// Returns the log odds that each row is an anomaly, among rows mixed as those learned from, whatever they weighed.
    /// Shape: `rows` is n × d in the model's column order; result has n values. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        let mut scores = self.trees.sum(rows)?;
        scores.iter_mut().for_each(|score| *score += self.base);
        Ok(scores)
    }

    /// Adds to each column how far its splits moved the log odds; the credits sum to the score less
    /// [`GradientBoosting::expected`]. Shape: `row` and `credit` have d values. Source: Saabas 2014.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        self.trees.attribute(row, 1.0, credit);
    }

    /// The mean score of the rows that the trees were grown on.
    pub fn expected(&self) -> f64 {
        self.base + self.trees.expected()
    }
}

impl Boosting<'_> {
    fn run(mut self) -> Vec<Valued> {
        let mut trees: Vec<Valued> = Vec::new();
        let (mut best, mut best_loss) = (0, self.loss());
        while trees.len() < self.options.rounds && trees.len() < best + self.options.patience {
            let Some(tree) = self.round() else { break };
            trees.push(tree);
            let loss = self.loss();
            // Without rows held back every loss is 0, and every tree is kept.
            if loss < best_loss || self.held_back.is_empty() {
                (best, best_loss) = (trees.len(), loss);
            }
        }
        trees.truncate(best);
        trees
    }

    /// Grows one more tree and adds its answers to the margins; `None` if no cut helps.
    fn round(&mut self) -> Option<Valued> {
        let rows = draw_share(&self.learned, self.options.sample_fraction, &mut self.rng);
        let all: Vec<usize> = (0..self.binned.width()).collect();
        let columns = draw_share(&all, self.options.column_fraction, &mut self.rng);
        let derivatives = self.derivatives();
        let of_rows = || rows.iter().map(|row| derivatives[*row as usize]);
        // A row pulls against its first derivative.
        let scale = Scale::of(of_rows().map(|row| (-f64::from(row.first), f64::from(row.second))));
        let terms: Vec<Term> = of_rows().map(|row| scale.term(-f64::from(row.first), f64::from(row.second))).collect();
        let rule = Rule { scale, leaf_rows_min: self.leaf_rows_min, l2: self.options.l2 };
        let (leaves_max, threads) = (self.options.leaves_max, self.threads);
        let growth = Growth { rule, leaves_max, depth_max: DEPTH_MAX, columns: Columns::Given(columns), threads };
        let tree = grow(self.binned, &growth, rows, terms, &mut self.rng);
        tree.nodes[0].split?;
        let valued = tree.valued(self.binned, |leaf| {
            self.leaf_value(tree.order[leaf.rows.clone()].iter().map(|row| derivatives[*row as usize]))
        });
        self.add(&tree, &valued.1);
        Some(valued)
    }

    /// Derivatives of the loss of every row.
    fn derivatives(&self) -> Vec<Derivatives> {
        let jobs = self.margins.chunks(ROWS_PER_JOB).zip(self.anomalous.chunks(ROWS_PER_JOB)).collect();
        let parts = parallel(self.threads, jobs, |(margins, anomalous): (&[f64], &[bool])| {
            let rows = margins.iter().zip(anomalous);
            rows.map(|(margin, anomalous)| Derivatives::of(*margin, *anomalous, self.weights)).collect::<Vec<_>>()
        });
        parts.concat()
    }

    /// The Newton step, summed from the derivatives themselves. Source: Chen, Guestrin 2016, eq. 5.
    fn leaf_value(&self, rows: impl Iterator<Item = Derivatives>) -> f32 {
        let sum = |sums: (f64, f64), row: Derivatives| (sums.0 + f64::from(row.first), sums.1 + f64::from(row.second));
        let (first, second) = rows.fold((0.0, 0.0), sum);
        let resistance = (second + self.options.l2).max(f64::MIN_POSITIVE.sqrt());
        (-first / resistance * self.options.learning_rate).clamp(-STEP_MAX, STEP_MAX) as f32
    }

    /// Adds the leaves to the margins of all rows, of those that the tree has not seen, too.
    fn add(&mut self, tree: &GrownTree, values: &[f32]) {
        for (node, value) in tree.nodes.iter().zip(values).filter(|(node, _)| node.split.is_none()) {
            for row in &tree.order[node.rows.clone()] {
                self.margins[*row as usize] += f64::from(*value);
            }
        }
        let unseen: Vec<u32> = match tree.order.len() == self.learned.len() {
            true => self.held_back.clone(),
            false => {
                let mut seen = vec![false; self.margins.len()];
                tree.order.iter().for_each(|row| seen[*row as usize] = true);
                (0..seen.len() as u32).filter(|row| !seen[*row as usize]).collect()
            }
        };
        for row in unseen {
            self.margins[row as usize] += f64::from(values[tree.leaf(self.binned, row as usize)]);
        }
    }

    /// Weighted logistic loss of the rows held back.
    fn loss(&self) -> f64 {
        let loss = |row: &u32| {
            let anomalous = self.anomalous[*row as usize];
            let towards_wrong = self.margins[*row as usize] * if anomalous { -1.0 } else { 1.0 };
            // ln(1 + e^x) without overflow.
            self.weights[usize::from(anomalous)] * (towards_wrong.max(0.0) + (-towards_wrong.abs()).exp().ln_1p())
        };
        self.held_back.iter().map(loss).sum()
    }
}

/// Splits the rows into those to learn from and those held back, the same share of either kind.
fn hold_back(labelled: &Labelled<'_>, fraction: f64, rng: &mut ChaCha8Rng) -> (Vec<u32>, Vec<u32>) {
    let rows = labelled.anomalous.len() as u32;
    let counts = labelled.counts().map(|count| (count as f64 * fraction) as usize);
    if counts[0].min(counts[1]) < HELD_BACK_MIN {
        return ((0..rows).collect(), Vec::new());
    }
    let mut held = vec![false; rows as usize];
    for (kind, count) in [false, true].into_iter().zip(counts) {
        let mut of_kind: Vec<u32> = (0..rows).filter(|row| labelled.anomalous[*row as usize] == kind).collect();
        let (drawn, _) = of_kind.partial_shuffle(rng, count);
        drawn.iter().for_each(|row| held[*row as usize] = true);
    }
    (0..rows).partition(|row| !held[*row as usize])
}

/// About a share of the items, in their order; at least one, and all without a draw if the share is 1.
fn draw_share<T: Copy>(items: &[T], fraction: f64, rng: &mut ChaCha8Rng) -> Vec<T> {
    if fraction >= 1.0 {
        return items.to_vec();
    }
    let count = ((items.len() as f64 * fraction).round() as usize).clamp(1, items.len());
    let mut wanted = count;
    let mut drawn = Vec::with_capacity(count);
    for (place, item) in items.iter().enumerate() {
        // Of the places left, each is as likely to be among those wanted.
        if rng.random_range(0..items.len() - place) < wanted {
            drawn.push(*item);
            wanted -= 1;
        }
    }
    drawn
}
