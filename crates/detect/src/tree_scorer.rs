//! One scorer for every kind of tree ensemble.
//!
//! Walking a tree is a chain of loads, each waiting for the one before; a core spends most of such a walk idle. So all
//! trees are padded to complete ones of equal depth (no branch asks "is this a leaf?"), eight rows walk one tree at a
//! time (their loads overlap), and a block of rows goes through a tree before the next tree is touched (tree and rows
//! stay in the first-level cache).
//!
//! Layout of one tree of depth k, nodes numbered from 1 at the root, children of i at 2i (value ≤ threshold) and 2i+1:
//!
//! ```text
//! nodes   [ unused | 1 | 2 3 | 4 5 6 7 | … 2^k − 1 ]     2^k entries of 8 bytes: threshold key, feature
//! leaves  [ node 2^k | … | node 2^(k+1) − 1 ]            2^k entries of 4 bytes
//! ```
//!
//! Values and thresholds are compared as unsigned keys in the order of the numbers (`key`): comparing integers
//! takes one cycle where floats take four. Trees deeper than `DEPTH_MAX` would be mostly padding; they have the layout
//! of [`crate::trees::linked`], behind the same blocks of rows (`sum`).

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;

/// Depths to which trees are padded, each with a walk compiled for it: arrays of known size need no bounds checks.
/// 6 serves boosting, 8 the published isolation forest.
const DEPTHS: [u32; 3] = [6, 8, DEPTH_MAX];
/// Deepest tree that is padded; 2^9 nodes and leaves take 6 KiB, so a tree and a block of rows share a 32 KiB cache.
pub const DEPTH_MAX: u32 = 9;
/// Widest row the scorer takes: a row of keys is one array of fixed size.
pub const WIDTH_MAX: usize = 1024;
/// Rows that walk a tree together: four leave the core idle, sixteen no longer fit its registers (measured).
pub(crate) const LANES: usize = 8;

/// A split: values above `threshold` go right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    threshold: u32,
    feature: u32,
}

/// A tree ensemble laid out for speed: for each row, the sum of the leaves it falls into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreeScorer {
    depth: u32,
    fill: Vec<f32>,
    nodes: Vec<Node>,
    leaves: Vec<f32>,
}

/// One tree before padding, as trainers grow it: node 0 is the root.
#[derive(Clone, Debug, PartialEq)]
pub enum TreeNode {
    /// Rows whose `feature` is above `threshold` go to node `right`, the others to node `left`.
    Split {
        /// Column that is compared.
        feature: usize,
        /// Largest value that goes left.
        threshold: f32,
        /// Index of the left child in its tree.
        left: usize,
        /// Index of the right child in its tree.
        right: usize,
    },
    /// Rows that arrive here get this value.
    Leaf(f32),
}

/// Returns the key of a value: keys are ordered as the numbers are. Both zeros have one key.
pub(crate) fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    bits ^ (((bits as i32) >> 31) as u32 | 0x8000_0000)
}

/// Trees laid out in one way or another.
pub(crate) trait Layout {
    /// Size of a block of rows that goes through a tree before the next tree is touched. Units: bytes.
    const BLOCK_BYTES: usize;

    /// Number of columns of a row, at most [`WIDTH_MAX`].
    fn width(&self) -> usize;

    /// Writes the key of each value of a row. Shape: `row` has the width's values, `keys` at least as many.
    fn fill_keys(&self, row: &[f32], keys: &mut [u32]);

    /// Adds to each sum the leaves that its row falls into, tree after tree. Shape: a sum per row; a multiple of
    /// [`LANES`] rows.
    fn add_block<const W: usize>(&self, keys: &[[u32; W]], sums: &mut [f64]);
}

/// Returns for each row the sum of the leaves it falls into; the order of additions, and so each bit of the sum, does
/// not depend on the other rows. Shape: `rows` is n × d, the result has n values. Errors: `WidthMismatch`.
pub(crate) fn sum<L: Layout>(layout: &L, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
    if rows.width() != layout.width() {
        let (expected, found) = (layout.width(), rows.width());
        return Err(DetectError::WidthMismatch { act: "score trees", expected, found });
    }
    let mut sums = vec![0.0; rows.rows()];
    match layout.width() {
        0..=16 => add_blocks::<16, L>(layout, rows, &mut sums),
        17..=64 => add_blocks::<64, L>(layout, rows, &mut sums),
        65..=256 => add_blocks::<256, L>(layout, rows, &mut sums),
        _ => add_blocks::<WIDTH_MAX, L>(layout, rows, &mut sums),
    }
    Ok(sums)
}

fn add_blocks<const W: usize, L: Layout>(layout: &L, rows: &Matrix, sums: &mut [f64]) {
    let most = rows.rows().next_multiple_of(LANES).max(LANES);
    let block = (L::BLOCK_BYTES / size_of::<[u32; W]>()).clamp(LANES, most);
    let mut keys = vec![[0_u32; W]; block];
    let mut padded = vec![0.0; block];
    for (index, sums) in sums.chunks_mut(block).enumerate() {
        for (offset, row) in keys.iter_mut().enumerate().take(sums.len()) {
            layout.fill_keys(rows.row(index * block + offset), row);
        }
        let walked = sums.len().next_multiple_of(LANES);
        padded.fill(0.0);
        layout.add_block(&keys[..walked], &mut padded[..walked]);
        sums.copy_from_slice(&padded[..sums.len()]);
    }
}

impl Layout for TreeScorer {
    /// Half of a 32 KiB first-level cache.
    const BLOCK_BYTES: usize = 16 * 1024;

    fn width(&self) -> usize {
        self.fill.len()
    }

    fn fill_keys(&self, row: &[f32], keys: &mut [u32]) {
        for ((&value, &fill), out) in row.iter().zip(&self.fill).zip(keys) {
            *out = key(if value.is_nan() { fill } else { value });
        }
    }

    fn add_block<const W: usize>(&self, keys: &[[u32; W]], sums: &mut [f64]) {
        match self.depth {
            6 => add_trees::<64, W>(&self.nodes, &self.leaves, keys, sums),
            8 => add_trees::<256, W>(&self.nodes, &self.leaves, keys, sums),
            _ => add_trees::<512, W>(&self.nodes, &self.leaves, keys, sums),
        }
    }
}

/// The number of a key.
fn number(key: u32) -> f32 {
    f32::from_bits(key ^ (((!key as i32) >> 31) as u32 | 0x8000_0000))
}

impl TreeScorer {
    /// Pads trees of at most `depth` levels to complete ones. `fill` has, for each column, the value that stands in
    /// for a missing one. Errors: `Setting` if there are too many columns, a tree is deeper, or a child does not
    /// exist.
    pub fn new(trees: &[Vec<TreeNode>], depth: u32, fill: Vec<f32>) -> Result<Self, DetectError> {
        let Some(depth) = DEPTHS.into_iter().find(|padded| *padded >= depth) else {
            let text = format!("lay out trees: {depth} levels are too many, up to {DEPTH_MAX} can be scored");
            return Err(DetectError::Setting(text));
        };
        let size = 1_usize << depth;
        let (nodes, leaves) = (vec![Node::default(); trees.len() * size], vec![0.0; trees.len() * size]);
        let mut scorer = Self { depth, fill, nodes, leaves };
        for (index, tree) in trees.iter().enumerate() {
            scorer.place(index * size, tree, 0, 1).map_err(DetectError::Setting)?;
        }
        scorer.check().map_err(DetectError::Setting)?;
        Ok(scorer)
    }

    /// Copies node `from` of a tree, and what hangs below it, to node `to` of the padded tree that starts at `base`.
    fn place(&mut self, base: usize, tree: &[TreeNode], from: usize, to: usize) -> Result<(), String> {
        let size = 1_usize << self.depth;
        match tree.get(from) {
            Some(TreeNode::Leaf(value)) => {
                let span = size >> to.ilog2();
                let first = to * span - size;
                self.leaves[base + first..base + first + span].fill(*value);
                Ok(())
            }
            Some(TreeNode::Split { feature, threshold, left, right }) if to < size => {
                self.nodes[base + to] = Node { threshold: key(*threshold), feature: *feature as u32 };
                self.place(base, tree, *left, 2 * to)?;
                self.place(base, tree, *right, 2 * to + 1)
            }
            Some(TreeNode::Split { .. }) => Err(format!("lay out trees: a tree is deeper than {}", self.depth)),
            None => Err(format!("lay out trees: node {from} does not exist, the tree has {}", tree.len())),
        }
    }

    /// Refuses a layout that could not be walked; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let width = self.fill.len();
        if !DEPTHS.contains(&self.depth) {
            return Err(format!("trees are padded to {} levels, not to one of {DEPTHS:?}", self.depth));
        }
        if !(1..=WIDTH_MAX).contains(&width) {
            return Err(format!("trees read {width} columns, 1 to {WIDTH_MAX} can be scored"));
        }
        let size = 1_usize << self.depth;
        if !self.nodes.len().is_multiple_of(size) || self.nodes.len() != self.leaves.len() {
            let (nodes, leaves) = (self.nodes.len(), self.leaves.len());
            return Err(format!("{nodes} nodes and {leaves} leaves do not make trees of {size}"));
        }
        if let Some(node) = self.nodes.iter().find(|node| node.feature as usize >= width) {
            return Err(format!("a tree splits on column {}, there are {width}", node.feature));
        }
        match self.leaves.iter().chain(&self.fill).all(|value| value.is_finite()) {
            true => Ok(()),
            false => Err("a leaf or a stand-in for missing values is not finite".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.fill.len()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.nodes.len() >> self.depth
    }

    /// Levels of splits in each padded tree.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Returns for each row the sum of the leaves it falls into, added tree after tree; the order of additions, and so
    /// each bit of the sum, does not depend on the other rows.
    /// Shape: `rows` is n × [`TreeScorer::width`], the result has n values. Errors: `WidthMismatch`.
    pub fn sum(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        sum(self, rows)
    }

    /// What stands in for a missing value of each column.
    pub(crate) fn fill(&self) -> &[f32] {
        &self.fill
    }

    /// A tree as trainers grow it, padding included.
    pub(crate) fn tree(&self, tree: usize) -> Vec<TreeNode> {
        let size = 1_usize << self.depth;
        let split = |(at, node): (usize, &Node)| TreeNode::Split {
            feature: node.feature as usize,
            threshold: number(node.threshold),
            left: 2 * at - 1,
            right: 2 * at,
        };
        let splits = self.nodes[tree * size..][..size].iter().enumerate().skip(1).map(split);
        splits.chain((0..size).map(|leaf| TreeNode::Leaf(self.leaf(tree, leaf)))).collect()
    }

    /// Value of leaf `node`, numbered as in the layout.
    pub(crate) fn leaf(&self, tree: usize, node: usize) -> f32 {
        let size = 1_usize << self.depth;
        self.leaves[tree * size + (node & (size - 1))]
    }

    /// Calls `visit(tree, node, feature, child)` for every step that a row takes, from the root down, tree by tree;
    /// nodes are numbered as in the layout, and a child ≥ 2^depth is a leaf.
    pub(crate) fn trace(&self, row: &[f32], mut visit: impl FnMut(usize, usize, usize, usize)) {
        let mut keys = vec![0_u32; self.width()];
        self.fill_keys(row, &mut keys);
        let size = 1_usize << self.depth;
        for (tree, nodes) in self.nodes.chunks_exact(size).enumerate() {
            let mut at = 1;
            while at < size {
                let feature = nodes[at].feature as usize;
                let child = 2 * at + usize::from(keys[feature] > nodes[at].threshold);
                visit(tree, at, feature, child);
                at = child;
            }
        }
    }
}

/// Adds, for trees of N nodes, the leaves that the rows of a block fall into. Never inlined, so that each of the walk's
/// cursors gets a register: with arrays of known size in a function of its own, half as many rows again are scored per
/// second as by the same loop over slices within its caller (measured).
#[inline(never)]
fn add_trees<const N: usize, const W: usize>(nodes: &[Node], leaves: &[f32], keys: &[[u32; W]], sums: &mut [f64]) {
    let (groups, _) = keys.as_chunks::<LANES>();
    let (group_sums, _) = sums.as_chunks_mut::<LANES>();
    for (nodes, leaves) in nodes.as_chunks::<N>().0.iter().zip(leaves.as_chunks::<N>().0) {
        for (rows, sums) in groups.iter().zip(group_sums.iter_mut()) {
            let reached = walk(nodes, rows);
            for lane in 0..LANES {
                sums[lane] += f64::from(leaves[reached[lane] as usize & (N - 1)]);
            }
        }
    }
}

/// Returns the leaf, numbered as in the layout, that each row reaches. The first step is apart because its node is the
/// same for all rows; the masks change no value, they spare the bounds checks.
#[inline(always)]
fn walk<const N: usize, const W: usize>(nodes: &[Node; N], rows: &[[u32; W]; LANES]) -> [u32; LANES] {
    let root = &nodes[1];
    let mut at: [u32; LANES] =
        std::array::from_fn(|lane| 2 + u32::from(rows[lane][root.feature as usize & (W - 1)] > root.threshold));
    for _ in 1..N.ilog2() {
        for lane in 0..LANES {
            let node = &nodes[at[lane] as usize & (N - 1)];
            let value = rows[lane][node.feature as usize & (W - 1)];
            at[lane] = at[lane] + at[lane] + u32::from(value > node.threshold);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A tree grown at random, with values and thresholds from a small grid so that equal ones are met.
    fn tree(rng: &mut ChaCha8Rng, width: usize, depth: u32, nodes: &mut Vec<TreeNode>) -> usize {
        let index = nodes.len();
        nodes.push(TreeNode::Leaf(rng.random_range(-4.0..4.0)));
        if depth > 0 && rng.random_range(0..4) > 0 {
            let (feature, threshold) = (rng.random_range(0..width), rng.random_range(-3..=3) as f32);
            let left = tree(rng, width, depth - 1, nodes);
            let right = tree(rng, width, depth - 1, nodes);
            nodes[index] = TreeNode::Split { feature, threshold, left, right };
        }
        index
    }

    /// The slow, obvious twin.
    fn walk_plainly(tree: &[TreeNode], row: &[f32], fill: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match &tree[at] {
                TreeNode::Leaf(value) => return *value,
                TreeNode::Split { feature, threshold, left, right } => {
                    let value = if row[*feature].is_nan() { fill[*feature] } else { row[*feature] };
                    at = if value > *threshold { *right } else { *left };
                }
            }
        }
    }

    fn row(rng: &mut ChaCha8Rng, width: usize) -> Vec<f32> {
        let odd = [f32::NAN, f32::MAX, f32::MIN, -0.0, f32::MIN_POSITIVE];
        (0..width)
            .map(|_| match rng.random_range(0..12) {
                n @ 0..5 => odd[n],
                _ => rng.random_range(-4..=4) as f32,
            })
            .collect()
    }

    #[test]
    fn the_padded_trees_agree_with_walking_each_tree_plainly() {
        for (seed, width, depth) in [(1, 1, 1), (2, 5, 4), (3, 38, 8), (4, 100, 9), (5, 300, 6)] {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let trees: Vec<Vec<TreeNode>> = (0..20)
                .map(|_| {
                    let mut nodes = Vec::new();
                    tree(&mut rng, width, depth, &mut nodes);
                    nodes
                })
                .collect();
            let fill: Vec<f32> = (0..width).map(|_| rng.random_range(-3..=3) as f32).collect();
            let scorer = TreeScorer::new(&trees, depth, fill.clone()).unwrap();
            let rows: Vec<Vec<f32>> = (0..307).map(|_| row(&mut rng, width)).collect();
            let sums = scorer.sum(&Matrix::from_rows(&rows).unwrap()).unwrap();
            for (row, sum) in rows.iter().zip(sums) {
                let plain = trees.iter().fold(0.0, |sum, tree| sum + f64::from(walk_plainly(tree, row, &fill)));
                assert_eq!(sum, plain, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_tree_that_does_not_fit_is_refused() {
        let split = |left, right| TreeNode::Split { feature: 0, threshold: 0.0, left, right };
        let deep = vec![split(1, 0), TreeNode::Leaf(0.0)];
        let dangling = vec![split(1, 7), TreeNode::Leaf(0.0)];
        let wide = vec![TreeNode::Split { feature: 1, threshold: 0.0, left: 1, right: 1 }, TreeNode::Leaf(0.0)];
        for (tree, text) in [(deep, "deeper than 6"), (dangling, "node 7"), (wide, "column 1")] {
            let error = TreeScorer::new(&[tree], 1, vec![0.0]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        for (depth, width) in [(10, 1), (1, 0), (1, 1025)] {
            let refused = TreeScorer::new(&[], depth, vec![0.0; width]);
            assert!(matches!(refused, Err(DetectError::Setting(_))), "depth {depth}, width {width}");
        }
    }
}
