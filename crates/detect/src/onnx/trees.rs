use serde::{Deserialize, Serialize};

use super::formula::Formula;
use super::probe::Probe;
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::tree_scorer::{TreeNode, TreeScorer};

/// Most rows that tell how often each node is passed; more would not change the explanation.
const EXPECTED_ROWS_MAX: usize = 10_000;
/// Rows prepared at a time, so that memory does not grow with the batch.
const CHUNK_ROWS: usize = 1024;

/// A node of a tree as explanations walk it. Node 0 is the root; a leaf's children are 0, others come after their
/// parent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PathNode {
    probe: u32,
    threshold: f32,
    left: u32,
    right: u32,
    /// Mean of the leaves that training rows passing here came to; a leaf's own value.
    expected: f32,
}

impl PathNode {
    pub(super) fn leaf(value: f32) -> Self {
        Self { probe: 0, threshold: 0.0, left: 0, right: 0, expected: value }
    }

    pub(super) fn split(probe: u32, threshold: f32, left: usize, right: usize) -> Self {
        Self { probe, threshold, left: left as u32, right: right as u32, expected: 0.0 }
    }

    fn is_leaf(&self) -> bool {
        self.left == 0
    }

    /// The child that a row goes to; `None` from a leaf.
    fn next(&self, probes: &[f32]) -> Option<usize> {
        let goes_left = probes[self.probe as usize] <= self.threshold;
        (!self.is_leaf()).then_some(if goes_left { self.left } else { self.right } as usize)
    }
}

/// A sum over trees before it is laid out.
pub(super) struct MarginLayout {
    pub(super) bias: f64,
    /// Levels of the deepest tree.
    pub(super) levels: u32,
    pub(super) paths: Vec<Vec<PathNode>>,
}

/// A sum over trees, and a constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Margin {
    bias: f64,
    scorer: TreeScorer,
    paths: Vec<Vec<PathNode>>,
}

impl Margin {
    fn lay_out(layout: MarginLayout, probes: usize) -> Result<Self, String> {
        let node = |node: &PathNode| match node.is_leaf() {
            true => TreeNode::Leaf(node.expected),
            false => TreeNode::Split {
                feature: node.probe as usize,
                threshold: node.threshold,
                left: node.left as usize,
                right: node.right as usize,
            },
        };
        let trees: Vec<Vec<TreeNode>> = layout.paths.iter().map(|path| path.iter().map(node).collect()).collect();
        // Probes are never missing, so what stands in for missing ones is not used.
        let scorer = TreeScorer::new(&trees, layout.levels, vec![0.0; probes]).map_err(|error| error.to_string())?;
        Ok(Self { bias: layout.bias, scorer, paths: layout.paths })
    }

    /// What the sum is expected to be before anything is known of a row.
    fn expected(&self) -> f64 {
        self.bias + self.paths.iter().map(|path| f64::from(path[0].expected)).sum::<f64>()
    }

    /// The sum for one row of probes, added in the order of the scorer.
    fn walk(&self, probes: &[f32]) -> f64 {
        let mut sum = 0.0;
        for path in &self.paths {
            let mut at = 0;
            while let Some(next) = path[at].next(probes) {
                at = next;
            }
            sum += f64::from(path[at].expected);
        }
        sum + self.bias
    }

    /// Calls `visit(probe, change)` for each step of a row, with what the step changes in the expected sum.
    fn trace(&self, probes: &[f32], mut visit: impl FnMut(usize, f64)) {
        for path in &self.paths {
            let mut at = 0;
            while let Some(next) = path[at].next(probes) {
                visit(path[at].probe as usize, f64::from(path[next].expected) - f64::from(path[at].expected));
                at = next;
            }
        }
    }

    fn check(&self, probes: usize) -> Result<(), String> {
        self.scorer.check()?;
        if self.scorer.width() != probes || self.scorer.trees() != self.paths.len() || !self.bias.is_finite() {
            return Err(format!("{} trees do not fit the layout of {}", self.paths.len(), self.scorer.trees()));
        }
        let walkable = |(place, node, count): (usize, &PathNode, usize)| {
            let child = |child: u32| (child as usize) > place && (child as usize) < count;
            let leads_on = node.is_leaf() || (child(node.left) && child(node.right));
            leads_on && (node.probe as usize) < probes && node.expected.is_finite()
        };
        let fits = |path: &Vec<PathNode>| {
            !path.is_empty() && path.iter().enumerate().all(|(place, node)| walkable((place, node, path.len())))
        };
        match self.paths.iter().all(fits) {
            true => Ok(()),
            false => Err("a tree leads to a node that does not come after it".to_owned()),
        }
    }
}

/// Tree ensembles of an ONNX model, and how its score follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OnnxTrees {
    width: u32,
    probes: Vec<Probe>,
    margins: Vec<Margin>,
    formula: Formula,
    /// Whether lower values of the model are stranger.
    negate: bool,
}

impl OnnxTrees {
    pub(super) fn lay_out(
        width: usize,
        probes: Vec<Probe>,
        layouts: Vec<MarginLayout>,
        formula: Formula,
        negate: bool,
    ) -> Result<Self, String> {
        let margins = layouts.into_iter().map(|layout| Margin::lay_out(layout, probes.len()));
        let trees = Self { width: width as u32, margins: margins.collect::<Result<_, _>>()?, probes, formula, negate };
        trees.check()?;
        Ok(trees)
    }

    pub(super) fn width(&self) -> usize {
        self.width as usize
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.width == 0 || self.probes.iter().any(|probe| probe.column.source >= self.width) {
            return Err(format!("trees compare a column beyond the {} of a row", self.width));
        }
        self.margins.iter().try_for_each(|margin| margin.check(self.probes.len()))?;
        self.formula.check(self.margins.len())
    }

    /// Learns from rows how often each node is passed, which explanations need and files do not tell.
    pub(super) fn expect(&mut self, rows: &Matrix) {
        let stride = rows.rows().div_ceil(EXPECTED_ROWS_MAX).max(1);
        let passed: Vec<Vec<f32>> =
            (0..rows.rows()).step_by(stride).map(|row| self.probe_values(rows.row(row))).collect();
        for path in self.margins.iter_mut().flat_map(|margin| &mut margin.paths) {
            let mut counts = vec![0_u32; path.len()];
            for probes in &passed {
                let mut at = 0;
                counts[at] += 1;
                while let Some(next) = path[at].next(probes) {
                    at = next;
                    counts[at] += 1;
                }
            }
            for place in (0..path.len()).rev().filter(|place| !path[*place].is_leaf()).collect::<Vec<_>>() {
                path[place].expected = mean_below(path, &counts, place);
            }
        }
    }

    /// Raw scores. Shape: `rows` is n × d, the result has n values.
    pub(super) fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score ONNX trees", expected, found });
        }
        let (mut scores, mut scratch) = (Vec::with_capacity(rows.rows()), Vec::new());
        for start in (0..rows.rows()).step_by(CHUNK_ROWS) {
            let end = (start + CHUNK_ROWS).min(rows.rows());
            let mut values = Vec::with_capacity((end - start) * self.probes.len());
            for row in (start..end).map(|row| rows.row(row)) {
                values.extend(self.probes.iter().map(|probe| probe.value(row)));
            }
            let probes = Matrix::from_values(self.probes.len(), values)?;
            let sums: Vec<Vec<f64>> =
                self.margins.iter().map(|margin| margin.scorer.sum(&probes)).collect::<Result<_, _>>()?;
            scores.extend((0..end - start).map(|row| {
                let margin = |index: usize| sums[index][row] + self.margins[index].bias;
                self.signed(self.formula.score(margin, &mut scratch))
            }));
        }
        Ok(scores)
    }

    /// Adds to each column what it did to the score. Each sum's steps are credited along the trees' paths, in units of
    /// the score: by how much the score changes when the sum goes from what is expected to what it is. With one sum,
    /// the credits add up to the row's score less the score at the expected sum.
    /// Source: the decomposition along the decision path of Saabas 2014 ("Interpreting random forests").
    pub(super) fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let probes = self.probe_values(row);
        let margins: Vec<f64> = self.margins.iter().map(|margin| margin.walk(&probes)).collect();
        let mut scratch = Vec::new();
        for (index, margin) in self.margins.iter().enumerate() {
            let mut score_at = |value: f64| {
                let others = |other: usize| if other == index { value } else { margins[other] };
                self.signed(self.formula.score(others, &mut scratch))
            };
            let slope = secant(&mut score_at, margins[index], margin.expected());
            margin.trace(&probes, |probe, change| {
                credit[self.probes[probe].column.source as usize] += change * slope;
            });
        }
    }

    fn probe_values(&self, row: &[f32]) -> Vec<f32> {
        self.probes.iter().map(|probe| probe.value(row)).collect()
    }

    fn signed(&self, score: f64) -> f64 {
        if self.negate { -score } else { score }
    }
}

/// How much a function changes from one place to another, per unit; where both are one, how steep it is there.
fn secant(function: &mut impl FnMut(f64) -> f64, to: f64, from: f64) -> f64 {
    let (to, from) = match (to - from).abs() > 1e-9 * to.abs().max(1.0) {
        true => (to, from),
        false => (to + 1e-4 * to.abs().max(1.0), to - 1e-4 * to.abs().max(1.0)),
    };
    let slope = (function(to) - function(from)) / (to - from);
    if slope.is_finite() { slope } else { 0.0 }
}

/// Mean of a split's children by how many rows came to them; plain where none did.
fn mean_below(path: &[PathNode], counts: &[u32], place: usize) -> f32 {
    let (left, right) = (path[place].left as usize, path[place].right as usize);
    let (mut low, mut high) = (f64::from(counts[left]), f64::from(counts[right]));
    if low + high == 0.0 {
        (low, high) = (1.0, 1.0);
    }
    let mean = (f64::from(path[left].expected) * low + f64::from(path[right].expected) * high) / (low + high);
    mean as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{OnnxModel, OnnxOptions};

    fn read(bytes: &[u8], rows: &Matrix) -> OnnxTrees {
        match OnnxModel::read(bytes, &OnnxOptions::default(), rows).unwrap() {
            OnnxModel::Trees(trees) => trees,
            OnnxModel::Network(_) => panic!("the model has trees"),
        }
    }

    fn rows() -> Matrix {
        let lines = include_str!("../../tests/onnx/rows.txt").lines();
        let row = |line: &str| line.split(' ').map(|value| value.parse().unwrap()).collect::<Vec<f32>>();
        Matrix::from_rows(&lines.map(row).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn credits_add_up_to_the_score_less_what_is_expected() {
        let rows = rows();
        for bytes in [
            &include_bytes!("../../tests/onnx/sk_boosting.onnx")[..],
            include_bytes!("../../tests/onnx/sk_isolation.onnx"),
            include_bytes!("../../tests/onnx/lgb_missing.onnx"),
            include_bytes!("../../tests/onnx/made_all_modes.onnx"),
        ] {
            let trees = read(bytes, &rows);
            assert_eq!(trees.margins.len(), 1);
            let expected = trees.formula.score(|_| trees.margins[0].expected(), &mut Vec::new());
            for (row, score) in rows.iter().zip(trees.score(&rows).unwrap()) {
                let mut credit = [0.0; 4];
                trees.attribute(row, &mut credit);
                let sum: f64 = credit.iter().sum();
                assert!((sum - (score - expected)).abs() < 1e-5, "{sum} of {score} over {expected}");
            }
        }
    }

    #[test]
    fn the_paths_that_explain_lead_to_the_leaves_that_are_summed() {
        let rows = rows();
        let trees = read(include_bytes!("../../tests/onnx/lgb_categories.onnx"), &rows);
        let probes = Matrix::from_rows(&rows.iter().map(|row| trees.probe_values(row)).collect::<Vec<_>>()).unwrap();
        let sums = trees.margins[0].scorer.sum(&probes).unwrap();
        for (probes, sum) in probes.iter().zip(sums) {
            assert_eq!(trees.margins[0].walk(probes), sum + trees.margins[0].bias);
        }
    }

    #[test]
    fn paths_in_circles_and_beyond_the_tree_do_not_pass() {
        let good = read(include_bytes!("../../tests/onnx/made_leq.onnx"), &rows());
        assert_eq!(good.check(), Ok(()));
        let damages: [fn(&mut PathNode); 4] = [
            |node| node.right = 0,
            |node| node.left = u32::MAX,
            |node| node.probe = u32::MAX,
            |node| node.expected = f32::NAN,
        ];
        for damage in damages {
            let mut bad = good.clone();
            damage(&mut bad.margins[0].paths[0][0]);
            assert!(bad.check().is_err());
        }
    }
}
