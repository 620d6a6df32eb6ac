//! Grows one tree on binned rows; forests and boosting differ only in what rows bring and in what a tree may become.
//!
//! The node whose best cut explains most is cut next, so a limit on leaves keeps the cuts that matter. A node is a
//! range of the rows' order; cutting it moves the rows of its left child before those of its right one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::tree_scorer::TreeNode;
use crate::trees::binning::{BINS_MAX, BinnedMatrix};
use crate::trees::histogram::{Cut, Histogram, Rule, Sums, Term, accumulate, scan};
use crate::trees::parallel::parallel;

/// Bins counted below which another thread costs more than it saves: starting one takes about as long.
const BINS_PER_THREAD_MIN: usize = 1 << 16;

/// Columns counted in one pass over a node's rows: their histograms share the first-level cache with the rows.
const COLUMNS_PER_PASS: usize = 4;

/// A histogram of no rows.
const EMPTY: Histogram = [Sums::EMPTY; BINS_MAX];

/// What a tree may become.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growth {
    pub(crate) rule: Rule,
    pub(crate) leaves_max: usize,
    pub(crate) depth_max: usize,
    pub(crate) columns: Columns,
    /// Threads that share the columns of a node.
    pub(crate) threads: usize,
}

/// Which columns may be cut.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Columns {
    /// Each node looks at this many, drawn from those that vary in it. Source: Breiman 2001.
    Drawn(usize),
    /// All nodes look at these.
    Given(Vec<usize>),
}

/// A grown tree. Node 0 is the root, children come after their parent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GrownTree {
    pub(crate) nodes: Vec<GrownNode>,
    /// The rows it was grown on, so that each node's are neighbours.
    pub(crate) order: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GrownNode {
    /// Its rows' places in the order.
    pub(crate) rows: Range<usize>,
    pub(crate) split: Option<Split>,
}

/// Rows whose bin of `column` is at most `bin` go to node `left`, the others to the node after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Split {
    pub(crate) column: usize,
    pub(crate) bin: u8,
    pub(crate) left: usize,
}

impl GrownTree {
    /// The leaf a row comes to.
    pub(crate) fn leaf(&self, binned: &BinnedMatrix, row: usize) -> usize {
        let mut at = 0;
        while let Some(split) = self.nodes[at].split {
            at = split.left + usize::from(binned.column(split.column)[row] > split.bin);
        }
        at
    }

    /// The nodes as the scorer takes them, and a value for each: a leaf's is `leaf_value` of its node, an inner
    /// node's the mean over the rows that came to it.
    pub(crate) fn valued(
        &self,
        binned: &BinnedMatrix,
        leaf_value: impl Fn(&GrownNode) -> f32,
    ) -> (Vec<TreeNode>, Vec<f32>) {
        let mut values = vec![0.0_f32; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate().rev() {
            values[place] = match node.split {
                None => leaf_value(node),
                Some(split) => {
                    let part = |child: usize| f64::from(values[child]) * self.nodes[child].rows.len() as f64;
                    ((part(split.left) + part(split.left + 1)) / node.rows.len() as f64) as f32
                }
            };
        }
        let node = |(node, value): (&GrownNode, &f32)| match node.split {
            None => TreeNode::Leaf(*value),
            Some(Split { column, bin, left }) => {
                let threshold = binned.upper(column, bin);
                TreeNode::Split { feature: column, threshold, left, right: left + 1 }
            }
        };
        (self.nodes.iter().zip(&values).map(node).collect(), values)
    }
}

/// A column and its best cut.
type ColumnCut = (usize, Cut);

/// A leaf that can be cut.
struct Candidate {
    node: usize,
    depth: usize,
    sums: Sums,
    column: usize,
    cut: Cut,
    /// With drawn columns, those that may still vary.
    varying: Vec<u32>,
    /// With given columns, their histograms.
    histograms: Vec<Histogram>,
}

impl Ord for Candidate {
    /// By gain; of equal ones the older node is greater.
    fn cmp(&self, other: &Self) -> Ordering {
        self.cut.gain.total_cmp(&other.cut.gain).then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// A node before it is known whether it can be cut.
#[derive(Clone, Copy)]
struct Fresh {
    node: usize,
    depth: usize,
    sums: Sums,
}

struct Grower<'a> {
    binned: &'a BinnedMatrix,
    growth: &'a Growth,
    tree: GrownTree,
    terms: Vec<Term>,
    rng: &'a mut ChaCha8Rng,
    frontier: BinaryHeap<Candidate>,
    /// Rows that go right while a node is cut.
    aside: Vec<(u32, Term)>,
}

/// Grows a tree on `rows`, each with its term.
pub(crate) fn grow(
    binned: &BinnedMatrix,
    growth: &Growth,
    rows: Vec<u32>,
    terms: Vec<Term>,
    rng: &mut ChaCha8Rng,
) -> GrownTree {
    let root = Fresh { node: 0, depth: 0, sums: Sums::of(&terms) };
    let nodes = vec![GrownNode { rows: 0..rows.len(), split: None }];
    let tree = GrownTree { nodes, order: rows };
    let mut grower = Grower { binned, growth, tree, terms, rng, frontier: BinaryHeap::new(), aside: Vec::new() };
    grower.plant(root);
    let mut leaves = 1;
    while leaves < growth.leaves_max
        && let Some(candidate) = grower.frontier.pop()
    {
        leaves += 1;
        grower.cut(candidate, leaves < growth.leaves_max);
    }
    grower.tree
}

impl Grower<'_> {
    fn plant(&mut self, root: Fresh) {
        match &self.growth.columns {
            Columns::Drawn(count) => self.consider(root, *count, (0..self.binned.width() as u32).collect()),
            Columns::Given(columns) => {
                let mut histograms = vec![EMPTY; columns.len()];
                let (best, _) = self.count(columns, root, &mut histograms, None);
                self.offer(root, best, Vec::new(), histograms);
            }
        }
    }

    /// Whether it is worth looking for a cut.
    fn may_be_cut(&self, fresh: Fresh) -> bool {
        fresh.depth < self.growth.depth_max && fresh.sums.rows() >= 2 * self.growth.rule.leaf_rows_min
    }

    fn offer(&mut self, fresh: Fresh, best: Option<ColumnCut>, varying: Vec<u32>, histograms: Vec<Histogram>) {
        let Fresh { node, depth, sums } = fresh;
        if let Some((column, cut)) = best.filter(|_| self.may_be_cut(fresh)) {
            self.frontier.push(Candidate { node, depth, sums, column, cut, varying, histograms });
        }
    }

    /// Cuts a leaf in two, which are looked at in their turn if there may be `more` leaves.
    fn cut(&mut self, candidate: Candidate, more: bool) {
        let Candidate { node, depth, sums, column, cut, varying, histograms } = candidate;
        let rows = self.tree.nodes[node].rows.clone();
        let middle = self.partition(rows.clone(), column, cut.bin);
        let left = self.tree.nodes.len();
        self.tree.nodes[node].split = Some(Split { column, bin: cut.bin, left });
        self.tree.nodes.push(GrownNode { rows: rows.start..middle, split: None });
        self.tree.nodes.push(GrownNode { rows: middle..rows.end, split: None });
        let low = Fresh { node: left, depth: depth + 1, sums: cut.left };
        let high = Fresh { node: left + 1, depth: depth + 1, sums: sums - cut.left };
        match &self.growth.columns {
            _ if !more => {}
            Columns::Drawn(count) => {
                self.consider(low, *count, varying.clone());
                self.consider(high, *count, varying);
            }
            Columns::Given(columns) => self.share(columns, low, high, histograms),
        }
    }

    /// Moves the rows that go right behind the others, both in their order; returns where they begin.
    fn partition(&mut self, range: Range<usize>, column: usize, bin: u8) -> usize {
        let bins = self.binned.column(column);
        let (rows, terms) = (&mut self.tree.order[range.clone()], &mut self.terms[range.clone()]);
        self.aside.clear();
        let mut left = 0;
        for at in 0..rows.len() {
            let (row, term) = (rows[at], terms[at]);
            if bins[row as usize] <= bin {
                (rows[left], terms[left]) = (row, term);
                left += 1;
            } else {
                self.aside.push((row, term));
            }
        }
        for ((row, term), aside) in rows[left..].iter_mut().zip(&mut terms[left..]).zip(&self.aside) {
            (*row, *term) = *aside;
        }
        range.start + left
    }

    /// Looks for the best cut among `count` columns that vary, drawn from those that may. Columns found constant move
    /// to the end and are dropped: they are constant further down, too.
    fn consider(&mut self, fresh: Fresh, count: usize, mut varying: Vec<u32>) {
        if !self.may_be_cut(fresh) || fresh.sums.is_pure() {
            return;
        }
        let range = self.tree.nodes[fresh.node].rows.clone();
        let (rows, terms) = (&self.tree.order[range.clone()], &self.terms[range]);
        let mut histogram = [EMPTY];
        let mut best: Option<ColumnCut> = None;
        let mut seen = 0;
        // Columns looked at stand at the front.
        while seen < count && seen < varying.len() {
            let drawn = self.rng.random_range(seen..varying.len());
            let column = varying[drawn] as usize;
            let bins = self.binned.bins(column);
            histogram[0][..bins].fill(Sums::EMPTY);
            accumulate([self.binned.column(column)], rows, terms, &mut histogram);
            let found = scan(&histogram[0][..bins], fresh.sums, &self.growth.rule);
            if !found.varies {
                varying.swap_remove(drawn);
                continue;
            }
            varying.swap(drawn, seen);
            seen += 1;
            best = better(best, found.best.map(|cut| (column, cut)));
        }
        self.offer(fresh, best, varying, Vec::new());
    }

    /// Counts the smaller child and subtracts it from the parent, which leaves the larger one.
    fn share(&mut self, columns: &[usize], low: Fresh, high: Fresh, mut parents: Vec<Histogram>) {
        if !self.may_be_cut(low) && !self.may_be_cut(high) {
            return;
        }
        let (small, large) = if low.sums.rows() <= high.sums.rows() { (low, high) } else { (high, low) };
        let mut histograms = vec![EMPTY; parents.len()];
        let (best, best_of_large) = self.count(columns, small, &mut histograms, Some((large, &mut parents)));
        self.offer(small, best, Vec::new(), histograms);
        self.offer(large, best_of_large, Vec::new(), parents);
    }

    /// Fills a node's histograms and finds its best cut; those of `other`, which hold the parent's, become its own.
    fn count(
        &self,
        columns: &[usize],
        fresh: Fresh,
        histograms: &mut [Histogram],
        other: Option<(Fresh, &mut [Histogram])>,
    ) -> (Option<ColumnCut>, Option<ColumnCut>) {
        let range = self.tree.nodes[fresh.node].rows.clone();
        let (rows, terms) = (&self.tree.order[range.clone()], &self.terms[range]);
        let threads = (rows.len() * columns.len() / BINS_PER_THREAD_MIN).clamp(1, self.growth.threads.max(1));
        let share = columns.len().div_ceil(threads).next_multiple_of(COLUMNS_PER_PASS);
        let (sibling, others) = other.map_or((None, None), |(fresh, other)| (Some(fresh.sums), Some(other)));
        let mut others = others.into_iter().flat_map(|other| other.chunks_mut(share));
        let jobs: Vec<_> = columns
            .chunks(share)
            .zip(histograms.chunks_mut(share))
            .map(|(columns, own)| (columns, own, others.next().unwrap_or_default()))
            .collect();
        let found =
            parallel(threads, jobs, |(columns, own, others): (&[usize], &mut [Histogram], &mut [Histogram])| {
                self.accumulate(columns, rows, terms, own);
                for (own, other) in own.iter().zip(others.iter_mut()) {
                    other.iter_mut().zip(own).for_each(|(other, own)| *other = *other - *own);
                }
                (self.best(columns, fresh.sums, own), sibling.and_then(|sums| self.best(columns, sums, others)))
            });
        found.into_iter().fold((None, None), |best, part| (better(best.0, part.0), better(best.1, part.1)))
    }

    /// Adds the rows to the histograms of the columns, a few columns at a time.
    fn accumulate(&self, columns: &[usize], rows: &[u32], terms: &[Term], histograms: &mut [Histogram]) {
        let (groups, rest) = columns.as_chunks::<COLUMNS_PER_PASS>();
        let (group_histograms, rest_histograms) = histograms.as_chunks_mut::<COLUMNS_PER_PASS>();
        for (columns, histograms) in groups.iter().zip(group_histograms) {
            accumulate(columns.map(|column| self.binned.column(column)), rows, terms, histograms);
        }
        for (column, histogram) in rest.iter().zip(rest_histograms) {
            accumulate([self.binned.column(*column)], rows, terms, std::array::from_mut(histogram));
        }
    }

    fn best(&self, columns: &[usize], sums: Sums, histograms: &[Histogram]) -> Option<ColumnCut> {
        let cuts = columns.iter().zip(histograms).map(|(column, histogram)| {
            let found = scan(&histogram[..self.binned.bins(*column)], sums, &self.growth.rule);
            found.best.map(|cut| (*column, cut))
        });
        cuts.fold(None, better)
    }
}

/// The cut that explains more; the first of equal ones.
fn better(one: Option<ColumnCut>, other: Option<ColumnCut>) -> Option<ColumnCut> {
    match (&one, &other) {
        (Some((_, first)), Some((_, second))) if second.gain > first.gain => other,
        (None, _) => other,
        _ => one,
    }
}

#[cfg(test)]
mod tests;
