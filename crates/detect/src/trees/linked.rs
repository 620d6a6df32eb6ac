//! The second layout of trees, for those too deep to be padded: nodes that say where their children are.
//!
//! ```text
//! node    threshold key, feature, left child, value        16 bytes; the right child is the one after the left
//! leaf    a node that is its own left child and that no value exceeds, so that walking on stays there
//! tree    its nodes level by level: a child comes after its parent, so every walk ends
//! ```
//!
//! Eight rows walk a tree together until none of them moves. Every node has a value, so that a row's path can be
//! explained: an inner node's is the mean of what lies below it.
//!
//! A missing value counts as −∞.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::tree_scorer::{LANES, Layout, TreeNode, WIDTH_MAX, key, sum};

/// Deepest tree that is taken: a hostile artefact must not make a walk endless.
pub const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    threshold: u32,
    feature: u32,
    /// Counted from the first node of all trees.
    left: u32,
    value: f32,
}

/// A tree ensemble in which depth costs only what is walked: for each row, the sum of the leaves it falls into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkedTrees {
    width: u32,
    nodes: Vec<Node>,
    /// First node of each tree.
    roots: Vec<u32>,
}

impl LinkedTrees {
    /// Lays out trees on rows of `width` columns, each with a value per node; a leaf's is taken from the node itself.
    /// Errors: `Setting` if there are too many columns, a tree is too deep, or a child does not exist.
    pub fn new(width: usize, trees: &[(Vec<TreeNode>, Vec<f32>)]) -> Result<Self, DetectError> {
        let mut linked = Self { width: width as u32, nodes: Vec::new(), roots: Vec::with_capacity(trees.len()) };
        for (nodes, values) in trees {
            linked.push(nodes, values).map_err(DetectError::Setting)?;
        }
        linked.check().map_err(DetectError::Setting)?;
        Ok(linked)
    }

    /// Appends a tree level by level. A tree with a circle never ends; one that has more places than nodes has one.
    fn push(&mut self, tree: &[TreeNode], values: &[f32]) -> Result<(), String> {
        let root = self.nodes.len();
        self.roots.push(root as u32);
        let mut queue = VecDeque::from([0]);
        let mut placed = 1;
        while let Some(from) = queue.pop_front() {
            let at = self.nodes.len();
            match (tree.get(from), values.get(from)) {
                (Some(TreeNode::Leaf(value)), _) => {
                    self.nodes.push(Node { threshold: u32::MAX, feature: 0, left: at as u32, value: *value });
                }
                (Some(TreeNode::Split { feature, threshold, left, right }), Some(value)) => {
                    let child = (root + placed) as u32;
                    let (threshold, feature) = (key(*threshold), *feature as u32);
                    self.nodes.push(Node { threshold, feature, left: child, value: *value });
                    queue.extend([*left, *right]);
                    placed += 2;
                }
                _ => return Err(format!("lay out trees: node {from} does not exist, the tree has {}", tree.len())),
            }
            if placed > tree.len() {
                return Err("lay out trees: a node is the child of two others".to_owned());
            }
        }
        Ok(())
    }

    /// Refuses trees that could not be walked; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=WIDTH_MAX).contains(&(self.width as usize)) {
            return Err(format!("trees read {} columns, 1 to {WIDTH_MAX} can be scored", self.width));
        }
        if u32::try_from(self.nodes.len()).is_err() || self.roots.first().is_some_and(|root| *root != 0) {
            return Err(format!("{} nodes do not make trees that begin at {:?}", self.nodes.len(), self.roots.first()));
        }
        if self.roots.is_empty() != self.nodes.is_empty() {
            return Err(format!("{} trees of {} nodes", self.roots.len(), self.nodes.len()));
        }
        let ends = self.roots.iter().skip(1).copied().chain([self.nodes.len() as u32]);
        self.roots.iter().zip(ends).try_for_each(|(root, end)| self.check_tree(*root as usize, end as usize))
    }

    fn check_tree(&self, root: usize, end: usize) -> Result<(), String> {
        let Some(nodes) = self.nodes.get(root..end).filter(|nodes| !nodes.is_empty()) else {
            return Err(format!("a tree reaches from node {root} to {end} of {}", self.nodes.len()));
        };
        let mut depths = vec![0_usize; nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            let (at, left) = (root + place, node.left as usize);
            if !node.value.is_finite() {
                return Err(format!("the value of node {at} is not finite"));
            }
            if node.feature >= self.width {
                return Err(format!("node {at} splits on column {}, there are {}", node.feature, self.width));
            }
            let is_leaf = left == at && node.threshold == u32::MAX;
            if is_leaf {
                continue;
            }
            if left <= at || left + 1 >= end || depths[place] == DEPTH_MAX {
                let depth = depths[place];
                return Err(format!("node {at}, {depth} levels deep, has child {left}; its tree ends before {end}"));
            }
            for child in [left - root, left - root + 1] {
                depths[child] = depths[child].max(depths[place] + 1);
            }
        }
        Ok(())
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Number of nodes of all trees.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Returns for each row the sum of the leaves it falls into, added tree after tree; the same bits whatever the
    /// other rows are. Shape: `rows` is n × [`LinkedTrees::width`], the result has n values. Errors: `WidthMismatch`.
    pub fn sum(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        sum(self, rows)
    }

    /// Sum of the roots' values: what a row brings on average.
    pub fn expected(&self) -> f64 {
        self.roots.iter().map(|root| f64::from(self.nodes[*root as usize].value)).sum()
    }

    /// Adds to each column `share` times what its splits did along the row's paths: the change of value from parent
    /// to child. With a share of 1 the credits sum to the row's sum less [`LinkedTrees::expected`].
    /// Shape: `row` and `credit` have the width's values. Source: Saabas 2014 ("Interpreting random forests").
    pub fn attribute(&self, row: &[f32], share: f64, credit: &mut [f64]) {
        let mut keys = vec![0_u32; self.width()];
        self.fill_keys(row, &mut keys);
        // Several trees at a time: a step waits for memory, and the others' steps go on.
        for roots in self.roots.chunks(LANES) {
            let mut places = [0; LANES];
            let places = &mut places[..roots.len()];
            places.copy_from_slice(roots);
            let mut moved = 1;
            while moved != 0 {
                moved = 0;
                for at in places.iter_mut() {
                    let node = &self.nodes[*at as usize];
                    let next = node.step(&keys);
                    // Nothing changes where a leaf stays.
                    let change = f64::from(self.nodes[next as usize].value) - f64::from(node.value);
                    credit[node.feature as usize] += share * change;
                    moved |= next ^ *at;
                    *at = next;
                }
            }
        }
    }
}

impl Node {
    /// Where a row goes from here: to itself from a leaf.
    #[inline(always)]
    fn step(&self, keys: &[u32]) -> u32 {
        self.left + u32::from(keys[self.feature as usize] > self.threshold)
    }
}

impl Layout for LinkedTrees {
    /// Trees do not fit the first-level cache; more rows per block load each tree less often.
    const BLOCK_BYTES: usize = 128 * 1024;

    fn width(&self) -> usize {
        self.width as usize
    }

    fn fill_keys(&self, row: &[f32], keys: &mut [u32]) {
        for (value, out) in row.iter().zip(keys) {
            *out = key(if value.is_nan() { f32::NEG_INFINITY } else { *value });
        }
    }

    fn add_block<const W: usize>(&self, keys: &[[u32; W]], sums: &mut [f64]) {
        let (groups, _) = keys.as_chunks::<LANES>();
        let (group_sums, _) = sums.as_chunks_mut::<LANES>();
        let ends = self.roots.iter().skip(1).map(|root| *root as usize).chain([self.nodes.len()]);
        for (root, end) in self.roots.iter().zip(ends) {
            add_tree(&self.nodes[..end], *root, groups, group_sums);
        }
    }
}

/// Adds one tree's leaves. Never inlined, so that each of the walk's cursors gets a register.
#[inline(never)]
fn add_tree<const W: usize>(nodes: &[Node], root: u32, groups: &[[[u32; W]; LANES]], sums: &mut [[f64; LANES]]) {
    for (rows, sums) in groups.iter().zip(sums) {
        let mut at = [root; LANES];
        loop {
            let mut moved = 0;
            for lane in 0..LANES {
                let node = &nodes[at[lane] as usize];
                let value = rows[lane][node.feature as usize & (W - 1)];
                let next = node.left + u32::from(value > node.threshold);
                moved |= next ^ at[lane];
                at[lane] = next;
            }
            if moved == 0 {
                break;
            }
        }
        for lane in 0..LANES {
            sums[lane] += f64::from(nodes[at[lane] as usize].value);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    type Tree = (Vec<TreeNode>, Vec<f32>);

    /// A tree of random shape; values and thresholds from a small grid, so that equal ones are met.
    fn tree(rng: &mut ChaCha8Rng, width: usize, depth: usize, tree: &mut Tree) -> usize {
        let index = tree.0.len();
        let value = rng.random_range(-4.0..4.0);
        tree.0.push(TreeNode::Leaf(value));
        tree.1.push(value);
        if depth > 0 && rng.random_range(0..5) > 0 {
            let threshold = [f32::NEG_INFINITY, rng.random_range(-3..=3) as f32][usize::from(rng.random_bool(0.9))];
            let feature = rng.random_range(0..width);
            let left = self::tree(rng, width, depth - 1, tree);
            // A chain on one side, so that trees are deep without being large.
            let right = self::tree(rng, width, depth.min(3) - 1, tree);
            tree.0[index] = TreeNode::Split { feature, threshold, left, right };
        }
        index
    }

    fn trees(seed: u64, width: usize, depth: usize) -> Vec<Tree> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let grow = |_| {
            let mut grown = (Vec::new(), Vec::new());
            tree(&mut rng, width, depth, &mut grown);
            grown
        };
        (0..25).map(grow).collect()
    }

    /// The slow, obvious twin.
    fn walk_plainly(tree: &[TreeNode], row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match &tree[at] {
                TreeNode::Leaf(value) => return *value,
                TreeNode::Split { feature, threshold, left, right } => {
                    let value = if row[*feature].is_nan() { f32::NEG_INFINITY } else { row[*feature] };
                    at = if value > *threshold { *right } else { *left };
                }
            }
        }
    }

    fn rows(seed: u64, width: usize) -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN, -0.0];
        let values = (0..307 * width).map(|_| match rng.random_range(0..15) {
            n @ 0..5 => odd[n],
            _ => rng.random_range(-4..=4) as f32,
        });
        Matrix::from_values(width, values.collect()).unwrap()
    }

    #[test]
    fn linked_trees_agree_with_walking_each_tree_plainly() {
        for (seed, width, depth) in [(1, 1, 0), (2, 5, 12), (3, 38, 30), (4, 100, 9), (5, 300, DEPTH_MAX)] {
            let trees = trees(seed, width, depth);
            let linked = LinkedTrees::new(width, &trees).unwrap();
            let rows = rows(seed, width);
            let sums = linked.sum(&rows).unwrap();
            for (row, sum) in rows.iter().zip(sums) {
                let plain = trees.iter().fold(0.0, |sum, (tree, _)| sum + f64::from(walk_plainly(tree, row)));
                assert_eq!(sum, plain, "seed {seed}");
                let mut credit = vec![0.0; width];
                linked.attribute(row, 1.0, &mut credit);
                assert!((credit.iter().sum::<f64>() + linked.expected() - sum).abs() < 1e-9, "seed {seed}");
            }
        }
    }

    #[test]
    fn trees_that_do_not_fit_are_refused() {
        let split = |feature, left, right| TreeNode::Split { feature, threshold: 0.0, left, right };
        let refused = |width, nodes: Vec<TreeNode>| {
            let values = vec![0.0; nodes.len()];
            LinkedTrees::new(width, &[(nodes, values)]).unwrap_err().to_string()
        };
        let leaf = || TreeNode::Leaf(0.0);
        assert!(refused(1, vec![split(0, 1, 0), leaf()]).contains("child of two"));
        assert!(refused(1, vec![split(0, 1, 7), leaf(), leaf()]).contains("node 7"));
        assert!(refused(1, vec![split(1, 1, 2), leaf(), leaf()]).contains("column 1"));
        assert!(refused(1, vec![TreeNode::Leaf(f32::NAN)]).contains("not finite"));
        for width in [0, WIDTH_MAX + 1] {
            assert!(refused(width, vec![leaf()]).contains("columns"), "{width}");
        }
        let chain = |depth: usize| {
            let mut nodes: Vec<TreeNode> =
                (0..depth).flat_map(|level| [split(0, 2 * level + 1, 2 * level + 2), leaf()]).collect();
            // Each split's left child is the leaf behind it, its right child the next split.
            nodes.push(leaf());
            nodes
        };
        assert!(LinkedTrees::new(1, &[(chain(DEPTH_MAX), vec![0.0; 2 * DEPTH_MAX + 1])]).is_ok());
        assert!(refused(1, chain(DEPTH_MAX + 1)).contains("levels deep"));
    }

    #[test]
    fn hostile_trees_are_refused() {
        let good = LinkedTrees::new(3, &trees(7, 3, 6)).unwrap();
        assert_eq!(good.check(), Ok(()));
        let refused = |spoil: &dyn Fn(&mut LinkedTrees)| {
            let mut bad = good.clone();
            spoil(&mut bad);
            bad.check().is_err()
        };
        let inner = (0..good.nodes.len()).find(|at| good.nodes[*at].left != *at as u32).unwrap();
        assert!(refused(&|bad| bad.nodes[inner].left = inner as u32), "a circle");
        assert!(refused(&|bad| bad.nodes[inner].left = 0), "back to the root");
        assert!(refused(&|bad| bad.nodes[inner].left = u32::MAX), "beyond the end");
        assert!(refused(&|bad| bad.nodes[inner].left = bad.roots[9]), "into another tree");
        assert!(refused(&|bad| bad.nodes[inner].value = f32::INFINITY), "an infinite value");
        assert!(refused(&|bad| bad.nodes[inner].feature = 3), "a column too many");
        assert!(refused(&|bad| bad.roots[0] = 1), "nodes before the first tree");
        assert!(refused(&|bad| bad.roots[1] = bad.roots[2]), "an empty tree");
        assert!(refused(&|bad| bad.roots.swap(3, 4)), "trees out of order");
        assert!(refused(&|bad| bad.roots.clear()), "no tree");
        assert!(refused(&|bad| bad.width = 0), "no column");
    }
}
