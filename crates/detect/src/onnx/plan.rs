//! From tree ensembles to what is scored: probes, trees of `≤` splits, sums over trees, and a formula over the sums.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use super::ensemble::{EnsembleNode, EnsembleTree, Mode, PostTransform, TREES_MAX, TreeEnsemble};
use super::formula::{Binary, Formula, STEPS_MAX, Step, Unary};
use super::probe::{Column, Probe, Reads};
use super::trees::{MarginLayout, OnnxTrees, PathNode};
use crate::tree_scorer::WIDTH_MAX;

/// Deepest tree that is read: deeper ones hold rows by heart.
const LEVELS_MAX: u32 = 64;
/// Most nodes of all trees, where nodes that several splits lead to are copied.
const NODES_MAX: usize = 4_000_000;
/// Most leaf values, terms, columns and values of constants kept while a file is read.
const KEPT_MAX: usize = 16_000_000;

/// A tree of `≤` splits on probes. Node 0 is the root, children come after their parents.
#[derive(Debug)]
pub(super) struct SplitTree {
    pub(super) nodes: Vec<SplitNode>,
    pub(super) levels: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum SplitNode {
    /// Rows whose probe is at most the threshold go left.
    Split { probe: u32, threshold: f32, left: usize, right: usize },
    /// Number of the leaf in its tree.
    Leaf(usize),
}

/// A sum over trees, and a constant.
#[derive(Clone, Debug, Default)]
struct Sum {
    /// A tree, and the value of each of its leaves.
    terms: Vec<(usize, Rc<Vec<f64>>)>,
    bias: f64,
}

/// What becomes of one row: either a function of the leaf it falls into in one tree, or a column of scores for each
/// output.
#[derive(Clone, Debug)]
pub(super) enum TreeValue {
    Leaves { tree: usize, values: Rc<Vec<f64>> },
    Scores(Vec<u32>),
}

/// Where a split sends rows.
enum Route {
    Always(bool),
    At { probe: u32, threshold: f32, true_is_left: bool },
}

/// What a node comes to, once comparisons that send all rows one way are left out. Children are places in the ensemble.
enum First {
    Leaf(usize),
    Split { probe: u32, threshold: f32, low: usize, high: usize },
}

/// Collects what the nodes of a graph ask for.
#[derive(Default)]
pub(super) struct Plan {
    probes: Vec<Probe>,
    places: HashMap<Vec<u8>, u32>,
    trees: Vec<SplitTree>,
    sums: Vec<Sum>,
    steps: Vec<Step>,
    kept: usize,
    visited: usize,
}

impl Plan {
    /// Counts what is kept until the file is read, so that a small file cannot ask for much memory.
    pub(super) fn keep(&mut self, values: usize) -> Result<(), String> {
        self.kept = self.kept.saturating_add(values);
        match self.kept <= KEPT_MAX {
            true => Ok(()),
            false => Err(format!("reading the model takes more than {KEPT_MAX} leaf values, columns and constants")),
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<u32, String> {
        if self.steps.len() == STEPS_MAX {
            return Err(format!("the score takes more than {STEPS_MAX} steps"));
        }
        self.steps.push(step);
        Ok((self.steps.len() - 1) as u32)
    }

    pub(super) fn constant(&mut self, value: f64) -> Result<u32, String> {
        self.step(Step::Constant(value))
    }

    fn sum(&mut self, sum: Sum) -> Result<u32, String> {
        self.keep(sum.terms.len())?;
        self.sums.push(sum);
        self.step(Step::Margin((self.sums.len() - 1) as u32))
    }

    /// A column of scores that holds a function of one tree's leaf.
    pub(super) fn column_of(&mut self, value: &TreeValue) -> Result<Vec<u32>, String> {
        match value {
            TreeValue::Scores(columns) => Ok(columns.clone()),
            TreeValue::Leaves { tree, values } => {
                Ok(vec![self.sum(Sum { terms: vec![(*tree, Rc::clone(values))], bias: 0.0 })?])
            }
        }
    }

    /// Adds two columns; sums over trees become one sum.
    pub(super) fn add(&mut self, a: u32, b: u32) -> Result<u32, String> {
        match (self.steps[a as usize], self.steps[b as usize]) {
            (Step::Margin(a), Step::Margin(b)) => {
                let (mut sum, other) = (self.sums[a as usize].clone(), self.sums[b as usize].clone());
                sum.terms.extend(other.terms);
                sum.bias += other.bias;
                self.sum(sum)
            }
            _ => self.step(Step::Binary(Binary::Add, a, b)),
        }
    }

    /// Reads an ensemble over the given columns. Its value has one column per output.
    pub(super) fn ensemble(&mut self, ensemble: &TreeEnsemble, columns: &[Column]) -> Result<TreeValue, String> {
        let mut sums = vec![Sum::default(); ensemble.targets];
        let scale = if ensemble.averaged { 1.0 / ensemble.trees.len() as f64 } else { 1.0 };
        for tree in &ensemble.trees {
            let (split, leaves) = self.split_tree(tree, columns)?;
            let mut values: HashMap<usize, Vec<f64>> = HashMap::new();
            for (leaf, source) in leaves.iter().enumerate() {
                let EnsembleNode::Leaf { weights } = &tree.nodes[*source] else { continue };
                for (target, weight) in weights {
                    let values = match values.entry(*target) {
                        Entry::Occupied(values) => values.into_mut(),
                        Entry::Vacant(place) => {
                            self.keep(leaves.len())?;
                            place.insert(vec![0.0; leaves.len()])
                        }
                    };
                    values[leaf] += weight * scale;
                }
            }
            self.trees.push(split);
            let tree = self.trees.len() - 1;
            for (target, values) in values {
                sums[target].terms.push((tree, Rc::new(values)));
            }
        }
        match ensemble.is_classifier {
            true => self.classes(ensemble, sums),
            false => self.targets(ensemble, sums),
        }
    }

    /// Scores per output. Of a single one no transform is asked for in earnest: the logistic one would keep the order,
    /// softmax would give 1 always; onnxruntime passes over both.
    fn targets(&mut self, ensemble: &TreeEnsemble, mut sums: Vec<Sum>) -> Result<TreeValue, String> {
        for (sum, base) in sums.iter_mut().zip(&ensemble.base) {
            sum.bias = *base;
        }
        if let [Sum { terms, bias }] = &sums[..]
            && let [(tree, values)] = &terms[..]
        {
            let values = Rc::new(values.iter().map(|value| value + bias).collect());
            return Ok(TreeValue::Leaves { tree: *tree, values });
        }
        let columns = sums.into_iter().map(|sum| self.sum(sum)).collect::<Result<Vec<u32>, _>>()?;
        match columns.len() {
            1 => Ok(TreeValue::Scores(columns)),
            _ => self.post(ensemble.post, columns),
        }
    }

    /// Scores per class. Of two classes, often only the first is given weights, and they speak for the second: as its
    /// log odds if the transform is the logistic one; else as its probability if all weights are positive, or as they are. The standard leaves this open; it is what
    /// onnxruntime does, and what converters count on.
    fn classes(&mut self, ensemble: &TreeEnsemble, mut sums: Vec<Sum>) -> Result<TreeValue, String> {
        if sums.len() == 2 && ensemble.base.len() == 2 {
            let text = "it has two base values for two classes, which every runtime understands otherwise; save one";
            return Err(text.to_owned());
        }
        let one_speaks = sums.len() == 2 && sums[1].terms.is_empty();
        for (sum, base) in sums.iter_mut().zip(&ensemble.base) {
            sum.bias = *base;
        }
        if !one_speaks {
            let columns = sums.into_iter().map(|sum| self.sum(sum)).collect::<Result<Vec<u32>, _>>()?;
            return self.post(ensemble.post, columns);
        }
        let positive = sums[0].terms.iter().all(|(_, values)| values.iter().all(|value| *value >= 0.0));
        let sum = self.sum(sums.swap_remove(0))?;
        if positive && ensemble.post != PostTransform::Logistic {
            let one = self.constant(1.0)?;
            return Ok(TreeValue::Scores(vec![self.step(Step::Binary(Binary::Subtract, one, sum))?, sum]));
        }
        let both = vec![self.step(Step::Unary(Unary::Negate, sum))?, sum];
        match ensemble.post {
            PostTransform::Logistic => self.post(PostTransform::Logistic, both),
            PostTransform::None | PostTransform::Softmax => Ok(TreeValue::Scores(both)),
        }
    }

    fn post(&mut self, post: PostTransform, columns: Vec<u32>) -> Result<TreeValue, String> {
        let columns = match post {
            PostTransform::None => columns,
            PostTransform::Logistic => columns
                .iter()
                .map(|column| self.step(Step::Unary(Unary::Logistic, *column)))
                .collect::<Result<_, _>>()?,
            PostTransform::Softmax => self.softmax(&columns)?,
        };
        Ok(TreeValue::Scores(columns))
    }

    /// Exponentials divided by their sum; the largest is taken off first, so that none overflows.
    pub(super) fn softmax(&mut self, columns: &[u32]) -> Result<Vec<u32>, String> {
        let largest = self.fold(Binary::Maximum, columns)?;
        let mut powers = Vec::with_capacity(columns.len());
        for column in columns {
            let below = self.step(Step::Binary(Binary::Subtract, *column, largest))?;
            powers.push(self.step(Step::Unary(Unary::Exponential, below))?);
        }
        let total = self.fold(Binary::Add, &powers)?;
        powers.into_iter().map(|power| self.step(Step::Binary(Binary::Divide, power, total))).collect()
    }

    /// Joins all columns into one, from the first to the last.
    pub(super) fn fold(&mut self, binary: Binary, columns: &[u32]) -> Result<u32, String> {
        let (first, rest) = columns.split_first().ok_or("it has no column")?;
        rest.iter().try_fold(*first, |joined, column| self.step(Step::Binary(binary, joined, *column)))
    }

    /// Turns a tree's comparisons into `≤`. Also gives, for each leaf, its place in `tree`.
    fn split_tree(&mut self, tree: &EnsembleTree, columns: &[Column]) -> Result<(SplitTree, Vec<usize>), String> {
        let (mut nodes, mut leaves) = (vec![SplitNode::Leaf(0)], Vec::new());
        let mut levels = 0;
        let mut open = vec![(0, tree.root, 0_u32)];
        while let Some((place, source, level)) = open.pop() {
            if level > LEVELS_MAX {
                return Err(format!("a tree has more than {LEVELS_MAX} levels, or runs in circles"));
            }
            levels = levels.max(level);
            nodes[place] = match self.first_split(tree, source, columns)? {
                First::Leaf(source) => {
                    leaves.push(source);
                    SplitNode::Leaf(leaves.len() - 1)
                }
                First::Split { probe, threshold, low, high } => {
                    let (left, right) = (nodes.len(), nodes.len() + 1);
                    nodes.extend([SplitNode::Leaf(0); 2]);
                    open.extend([(right, high, level + 1), (left, low, level + 1)]);
                    SplitNode::Split { probe, threshold, left, right }
                }
            };
        }
        Ok((SplitTree { nodes, levels }, leaves))
    }

    fn visit(&mut self) -> Result<(), String> {
        self.visited += 1;
        match self.visited <= NODES_MAX {
            true => Ok(()),
            false => {
                Err(format!("its trees have more than {NODES_MAX} nodes, shared ones counted by how they are reached"))
            }
        }
    }

    /// The leaf, or the first split that does not send all rows one way, at or below a node.
    fn first_split(&mut self, tree: &EnsembleTree, mut source: usize, columns: &[Column]) -> Result<First, String> {
        for _ in 0..=tree.nodes.len() {
            self.visit()?;
            let EnsembleNode::Split { feature, mode, threshold, missing_is_true, when_true, when_false } =
                &tree.nodes[source]
            else {
                return Ok(First::Leaf(source));
            };
            let column = columns
                .get(*feature)
                .ok_or_else(|| format!("a tree splits on column {feature}, it is given {}", columns.len()))?;
            let mut when_false = *when_false;
            let route = match mode {
                Mode::Equal => self.one_of(column, tree, source, &mut when_false)?,
                _ => self.route(column, *mode, *threshold, *missing_is_true)?,
            };
            match route {
                Route::Always(holds) => source = if holds { *when_true } else { when_false },
                Route::At { probe, threshold, true_is_left } => {
                    let (low, high) = if true_is_left { (*when_true, when_false) } else { (when_false, *when_true) };
                    return Ok(First::Split { probe, threshold, low, high });
                }
            }
        }
        Err("a tree runs in circles".to_owned())
    }

    /// Converters write "is one of these categories" as a chain of nodes, each comparing with one category and leading
    /// to the next. The chain becomes one split; `when_false` moves behind it.
    fn one_of(
        &mut self,
        column: &Column,
        tree: &EnsembleTree,
        first: usize,
        when_false: &mut usize,
    ) -> Result<Route, String> {
        let (mut numbers, mut missing, mut at) = (Vec::new(), false, first);
        let EnsembleNode::Split { feature, when_true, .. } = &tree.nodes[first] else {
            return Err("a leaf has no comparison".to_owned());
        };
        for _ in 0..tree.nodes.len() {
            let EnsembleNode::Split {
                feature: other,
                mode: Mode::Equal,
                threshold,
                missing_is_true,
                when_true: to,
                when_false: next,
            } = &tree.nodes[at]
            else {
                break;
            };
            if (other, to) != (feature, when_true) {
                break;
            }
            self.visit()?;
            refuse_nan(*threshold)?;
            // What single precision cannot hold, no value equals.
            if f64::from(*threshold as f32) == *threshold {
                numbers.push(*threshold as f32 + 0.0);
            }
            missing |= *missing_is_true;
            (at, *when_false) = (*next, *next);
        }
        self.membership(column, numbers, missing, true)
    }

    fn route(&mut self, column: &Column, mode: Mode, threshold: f64, missing_is_true: bool) -> Result<Route, String> {
        refuse_nan(threshold)?;
        let (bound, low_is_true) = match mode {
            Mode::AtMost => (largest_single(threshold, true), true),
            Mode::Above => (largest_single(threshold, true), false),
            Mode::Below => (largest_single(threshold, false), true),
            Mode::AtLeast => (largest_single(threshold, false), false),
            Mode::Equal | Mode::NotEqual => {
                let numbers = Some(threshold as f32 + 0.0).filter(|number| f64::from(*number) == threshold);
                // A missing value differs from every number.
                let missing = missing_is_true || mode == Mode::NotEqual;
                return self.membership(column, numbers.into_iter().collect(), missing, mode == Mode::Equal);
            }
        };
        // What present values do that no threshold tells apart.
        let (present, missing) = match bound {
            None => (!low_is_true, missing_is_true),
            Some(f32::INFINITY) => (low_is_true, missing_is_true),
            Some(threshold) => {
                let reads = if missing_is_true == low_is_true { Reads::MissingLow } else { Reads::MissingHigh };
                return Ok(Route::At { probe: self.probe(column, reads)?, threshold, true_is_left: low_is_true });
            }
        };
        self.by_presence(column, present, missing)
    }

    /// The comparison holds for these numbers if `holds`, else for all others; and for missing values if `missing`.
    fn membership(
        &mut self,
        column: &Column,
        mut numbers: Vec<f32>,
        missing: bool,
        holds: bool,
    ) -> Result<Route, String> {
        if numbers.is_empty() {
            return self.by_presence(column, !holds, missing);
        }
        numbers.sort_unstable_by(f32::total_cmp);
        numbers.dedup();
        let reads = Reads::OneOf { numbers, missing: missing == holds };
        Ok(Route::At { probe: self.probe(column, reads)?, threshold: 0.5, true_is_left: !holds })
    }

    /// All present values go one way, missing ones perhaps another.
    fn by_presence(&mut self, column: &Column, present: bool, missing: bool) -> Result<Route, String> {
        if present == missing {
            return Ok(Route::Always(present));
        }
        Ok(Route::At { probe: self.probe(column, Reads::IsMissing)?, threshold: 0.5, true_is_left: present })
    }

    fn probe(&mut self, column: &Column, reads: Reads) -> Result<u32, String> {
        let probe = Probe { column: column.clone(), reads };
        let key = postcard::to_stdvec(&probe).map_err(|error| format!("a column cannot be kept: {error}"))?;
        let next = self.probes.len();
        if let Some(known) = self.places.get(&key) {
            return Ok(*known);
        }
        if next == WIDTH_MAX {
            return Err(format!("trees compare more than {WIDTH_MAX} different things"));
        }
        self.probes.push(probe);
        self.places.insert(key, next as u32);
        Ok(next as u32)
    }

    /// Lays out what the score in `column` needs.
    pub(super) fn finish(mut self, column: u32, width: usize, negate: bool) -> Result<OnnxTrees, String> {
        let (formula, margins) = Formula::reaching(&self.steps, column);
        let trees: usize = margins.iter().map(|margin| self.sums[*margin as usize].terms.len()).sum();
        if trees == 0 {
            return Err("its score does not depend on any tree".to_owned());
        }
        if trees > TREES_MAX {
            return Err(format!("its score takes {trees} trees, {TREES_MAX} are possible"));
        }
        // A tree may be summed many times, and is laid out each time.
        let terms = margins.iter().flat_map(|margin| &self.sums[*margin as usize].terms);
        let nodes: usize = terms.map(|(tree, _)| self.trees[*tree].nodes.len()).sum();
        if nodes > NODES_MAX {
            return Err(format!("its score takes trees of {nodes} nodes together, {NODES_MAX} are possible"));
        }
        if self.probes.is_empty() {
            self.probes.push(Probe { column: Column::plain(0), reads: Reads::MissingLow });
        }
        let layouts = margins.iter().map(|margin| self.layout(&self.sums[*margin as usize])).collect();
        OnnxTrees::lay_out(width, self.probes, layouts, formula, negate)
    }

    fn layout(&self, sum: &Sum) -> MarginLayout {
        let levels = sum.terms.iter().map(|(tree, _)| self.trees[*tree].levels).max().unwrap_or(0);
        let path = |(tree, values): &(usize, Rc<Vec<f64>>)| {
            let nodes = self.trees[*tree].nodes.iter();
            nodes
                .map(|node| match *node {
                    SplitNode::Leaf(leaf) => PathNode::leaf(values[leaf] as f32),
                    SplitNode::Split { probe, threshold, left, right } => {
                        PathNode::split(probe, threshold, left, right)
                    }
                })
                .collect()
        };
        MarginLayout { bias: sum.bias, levels, paths: sum.terms.iter().map(path).collect() }
    }
}

fn refuse_nan(threshold: f64) -> Result<(), String> {
    if threshold.is_nan() { Err("a threshold is not a number".to_owned()) } else { Ok(()) }
}

/// The largest single-precision number that is at most `bound`, or below it if `itself` is false; `None` if none is.
fn largest_single(bound: f64, itself: bool) -> Option<f32> {
    let near = bound as f32;
    let fits = |value: f32| f64::from(value) < bound || (itself && f64::from(value) == bound);
    [near, near.next_down()].into_iter().find(|value| fits(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact_in_single_precision() {
        assert_eq!(largest_single(1.0, true), Some(1.0));
        assert_eq!(largest_single(1.0, false), Some(1.0_f32.next_down()));
        assert_eq!(largest_single(0.1, true), Some(0.1_f32.next_down()));
        assert_eq!(largest_single(-0.1, true), Some(-0.1));
        assert_eq!(largest_single(0.0, false), Some(-f32::from_bits(1)));
        assert_eq!(largest_single(f64::INFINITY, true), Some(f32::INFINITY));
        assert_eq!(largest_single(f64::INFINITY, false), Some(f32::MAX));
        assert_eq!(largest_single(1e300, true), Some(f32::MAX));
        assert_eq!(largest_single(-1e300, true), Some(f32::NEG_INFINITY));
        assert_eq!(largest_single(f64::NEG_INFINITY, false), None);
    }
}
