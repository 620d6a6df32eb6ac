//! Isolation forest: strange rows are few and different, so random splits isolate them after few steps.
//!
//! Each tree sees a small sample of the rows and splits it at random until every row is alone or the height limit is
//! reached. A row's score follows from the mean number of splits until it is isolated. A missing value counts as the
//! training median of its column, in training and in scoring, so what is missing never looks strange by itself.

use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};
use crate::quantiles::medians;
use crate::tree_scorer::{DEPTH_MAX, TreeNode, TreeScorer};

/// Trees of a forest unless said otherwise. Source: Liu, Ting, Zhou 2008, section 4.
pub const TREES_DEFAULT: usize = 100;
/// Rows each tree sees unless said otherwise. Source: Liu, Ting, Zhou 2008, section 4.
pub const SAMPLES_DEFAULT: usize = 256;
/// Most trees of a forest: path lengths barely change after a hundred.
pub const TREES_MAX: usize = 10_000;
/// Most rows each tree sees: their height limit must not exceed what the scorer walks.
pub const SAMPLES_MAX: usize = 1 << DEPTH_MAX;

const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// How large a forest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IsolationForestOptions {
    /// Number of trees.
    pub trees: usize,
    /// Rows each tree sees.
    pub samples: usize,
}

impl IsolationForestOptions {
    /// The published size.
    pub const PUBLISHED: Self = Self { trees: TREES_DEFAULT, samples: SAMPLES_DEFAULT };
}

impl Options for IsolationForestOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("trees", Slot::Whole(&mut self.trees, 1..=TREES_MAX)),
            ("samples", Slot::Whole(&mut self.samples, 2..=SAMPLES_MAX)),
        ]
    }
}

/// A trained isolation forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsolationForest {
    samples: u32,
    /// Leaves hold path lengths.
    scorer: TreeScorer,
    /// Expected path length of a training row that has come to a node; laid out as the scorer's nodes are.
    expected: Vec<f32>,
}

/// Returns the mean path length of an unsuccessful search in a binary search tree of `size` keys.
/// Source: Liu, Ting, Zhou 2008, eq. 1, with the harmonic number as ln(i) + γ, and 1 for two keys.
pub fn mean_path_length(size: usize) -> f64 {
    match size {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let below = (size - 1) as f64;
            2.0 * (below.ln() + EULER_GAMMA) - 2.0 * below / size as f64
        }
    }
}

impl IsolationForest {
    /// Grows `trees` trees, each on `samples` rows drawn without repetition (all rows if there are fewer). The same
    /// rows and seed give the same forest; tree i does not depend on how many trees there are.
    /// Errors: `TooFewRows` below 2, `Setting` if a number is out of range.
    pub fn fit(rows: &Matrix, trees: usize, samples: usize, seed: u64) -> Result<Self, DetectError> {
        check_settings(trees, samples)?;
        if rows.rows() < 2 {
            return Err(DetectError::TooFewRows { act: "fit isolation forest", needed: 2, found: rows.rows() });
        }
        let fill = medians(rows);
        let samples = samples.min(rows.rows());
        let height_max = samples.next_power_of_two().ilog2();
        let grown: Vec<GrownTree> = (0..trees)
            .map(|index| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                GrownTree::grow(&draw(rows, samples, &fill, &mut rng), height_max, rng)
            })
            .collect();
        let nodes: Vec<Vec<TreeNode>> = grown.iter().map(|tree| tree.nodes.clone()).collect();
        let scorer = TreeScorer::new(&nodes, height_max, fill)?;
        let expected = grown.iter().flat_map(|tree| tree.expected(scorer.depth())).collect();
        Ok(Self { samples: samples as u32, scorer, expected })
    }

    /// Refuses a forest that could not be scored; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.scorer.check()?;
        let trees = self.scorer.trees();
        if !(1..=TREES_MAX).contains(&trees) || !(2..=SAMPLES_MAX).contains(&(self.samples as usize)) {
            return Err(format!("a forest of {trees} trees on {} rows each", self.samples));
        }
        if self.expected.len() != trees << self.scorer.depth() || self.expected.iter().any(|value| !value.is_finite()) {
            return Err(format!("{} expected path lengths do not fit {trees} trees", self.expected.len()));
        }
        Ok(())
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.scorer.width()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.scorer.trees()
    }

    /// Returns how easily the forest isolates each row.
    /// Shape: `rows` is n × d in the model's column order; result has n values in 0..1.
    /// Units: none. Errors: `WidthMismatch`.
    /// Source: Liu, Ting, Zhou 2008, eq. 2.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        let mut scores = self.scorer.sum(rows)?;
        let scale = -1.0 / (self.trees() as f64 * mean_path_length(self.samples as usize));
        for score in &mut scores {
            *score = (*score * scale).exp2();
        }
        Ok(scores)
    }

    /// Adds to each column what it did to isolate the row, in splits saved: along each tree's path, a split's column
    /// is credited with the drop of the expected path length from parent to child. The credits sum to the
    /// difference between the mean expected path length at the roots and the row's mean path length; a negative one
    /// made the row look more usual. Shape: `row` and `credit` have d values.
    /// Source: the decomposition along the decision path of Saabas 2014 ("Interpreting random forests"), on path
    /// lengths.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let share = 1.0 / self.trees() as f64;
        let size = 1_usize << self.scorer.depth();
        self.scorer.trace(row, |tree, node, feature, child| {
            let parent = self.expected[tree * size + node];
            let after = match child < size {
                true => self.expected[tree * size + child],
                false => self.scorer.leaf(tree, child),
            };
            credit[feature] += f64::from(parent - after) * share;
        });
    }

    /// Mean, over trees, of the path length expected at the root.
    pub fn expected_path_length(&self) -> f64 {
        let roots = self.expected.chunks_exact(1 << self.scorer.depth()).map(|tree| f64::from(tree[1]));
        roots.sum::<f64>() / self.trees() as f64
    }
}

pub(crate) fn check_settings(trees: usize, samples: usize) -> Result<(), DetectError> {
    if !(1..=TREES_MAX).contains(&trees) {
        return Err(DetectError::Setting(format!(
            "isolation forest: `trees` is {trees}, 1 to {TREES_MAX} are possible"
        )));
    }
    if !(2..=SAMPLES_MAX).contains(&samples) {
        let text = format!("isolation forest: `samples` is {samples}, 2 to {SAMPLES_MAX} are possible");
        return Err(DetectError::Setting(text));
    }
    Ok(())
}

/// Draws rows without repetition, missing values filled in.
fn draw(rows: &Matrix, samples: usize, fill: &[f32], rng: &mut ChaCha8Rng) -> Matrix {
    let drawn = sample(rng, rows.rows(), samples).into_vec();
    let mut matrix = rows.take(&drawn);
    for row in matrix.values_mut().chunks_exact_mut(fill.len()) {
        for (value, fill) in row.iter_mut().zip(fill) {
            if value.is_nan() {
                *value = *fill;
            }
        }
    }
    matrix
}

/// One tree, and how many of its rows came to each node.
struct GrownTree {
    nodes: Vec<TreeNode>,
    sizes: Vec<usize>,
}

impl GrownTree {
    fn grow(rows: &Matrix, height_max: u32, rng: ChaCha8Rng) -> Self {
        let mut order: Vec<usize> = (0..rows.rows()).collect();
        let mut columns: Vec<usize> = (0..rows.width()).collect();
        let mut grower = Grower { rows, rng, tree: Self { nodes: Vec::new(), sizes: Vec::new() } };
        grower.split(&mut order, &mut columns, 0, height_max);
        grower.tree
    }

    /// Expected path length at each inner node of the padded tree; beneath a leaf, the leaf's own.
    fn expected(&self, depth: u32) -> Vec<f32> {
        let mut expected = vec![0.0; 1 << depth];
        self.fill_expected(0, 1, &mut expected);
        expected
    }

    fn fill_expected(&self, from: usize, to: usize, expected: &mut [f32]) -> f64 {
        match &self.nodes[from] {
            TreeNode::Leaf(value) => {
                fill_below(to, *value, expected);
                f64::from(*value)
            }
            TreeNode::Split { left, right, .. } => {
                let below = self.fill_expected(*left, 2 * to, expected) * self.sizes[*left] as f64
                    + self.fill_expected(*right, 2 * to + 1, expected) * self.sizes[*right] as f64;
                let mean = below / self.sizes[from] as f64;
                expected[to] = mean as f32;
                mean
            }
        }
    }
}

fn fill_below(node: usize, value: f32, expected: &mut [f32]) {
    if node < expected.len() {
        expected[node] = value;
        fill_below(2 * node, value, expected);
        fill_below(2 * node + 1, value, expected);
    }
}

struct Grower<'a> {
    rows: &'a Matrix,
    rng: ChaCha8Rng,
    tree: GrownTree,
}

impl Grower<'_> {
    /// Grows the subtree of the rows in `order`; returns its index. `columns` are those that may still vary.
    fn split(&mut self, order: &mut [usize], columns: &mut [usize], height: u32, height_max: u32) -> usize {
        let index = self.tree.nodes.len();
        let path_length = f64::from(height) + mean_path_length(order.len());
        self.tree.nodes.push(TreeNode::Leaf(path_length as f32));
        self.tree.sizes.push(order.len());
        if order.len() < 2 || height == height_max {
            return index;
        }
        let Some((feature, threshold, varying)) = self.draw_split(order, columns) else { return index };
        let middle = partition(order, |row| self.rows.row(row)[feature] <= threshold);
        let (low, high) = order.split_at_mut(middle);
        let left = self.split(low, &mut columns[..varying], height + 1, height_max);
        let right = self.split(high, &mut columns[..varying], height + 1, height_max);
        self.tree.nodes[index] = TreeNode::Split { feature, threshold, left, right };
        index
    }

    /// Draws a column that varies among the rows, and a threshold between its least and its greatest value. Columns
    /// found constant move behind the others: they are constant further down, too. `None` if all are.
    fn draw_split(&mut self, order: &[usize], columns: &mut [usize]) -> Option<(usize, f32, usize)> {
        let mut varying = columns.len();
        while varying > 0 {
            let drawn = self.rng.random_range(0..varying);
            let feature = columns[drawn];
            let (low, high) = self.range(order, feature);
            if low < high {
                return Some((feature, self.draw_threshold(low, high), varying));
            }
            varying -= 1;
            columns.swap(drawn, varying);
        }
        None
    }

    fn range(&self, order: &[usize], feature: usize) -> (f32, f32) {
        let values = order.iter().map(|row| self.rows.row(*row)[feature]);
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    }

    /// Drawn in double precision: the difference of two large values can exceed the single one. Below `high`, so
    /// that both sides get a row.
    fn draw_threshold(&mut self, low: f32, high: f32) -> f32 {
        let share: f64 = self.rng.random();
        let drawn = (f64::from(low) + (f64::from(high) - f64::from(low)) * share) as f32;
        if drawn < high { drawn } else { low }
    }
}

/// Moves the rows for which `left` holds to the front; returns how many they are.
fn partition(order: &mut [usize], left: impl Fn(usize) -> bool) -> usize {
    let mut middle = 0;
    for at in 0..order.len() {
        if left(order[at]) {
            order.swap(at, middle);
            middle += 1;
        }
    }
    middle
}
