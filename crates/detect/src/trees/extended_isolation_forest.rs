//! Extended isolation forest: as the isolation forest, but cuts are oblique. Cuts along single columns see a pattern
//! of bands where rows of two clusters have columns in common; oblique ones do not, and they see rows that are strange
//! only in how their columns go together.
//!
//! A cut is a random direction and a random point of the box that holds the node's rows: a row goes left if its
//! projection is not above the point's. Directions are drawn after that box is scaled to equal sides, so that units of
//! columns do not matter. How many columns a direction has is an option: 1 + `extension`.
//!
//! ```text
//! one tree of depth k, nodes numbered as in the padded layout of the tree scorer
//! cuts     [ unused | 1 | 2 3 | … 2^k − 1 ]   2^k × terms: column, weight
//! offsets  [ unused | 1 | 2 3 | … 2^k − 1 ]   right if the sum of weight × value is above
//! leaves   [ node 2^k | … ]                   2^k path lengths
//! ```
//!
//! Values are taken relative to the training median of their column, so that large ones lose no digits; a missing value
//! counts as the median.
//!
//! Source: Hariri, Carrasco Kind, Brunner 2019 ("Extended isolation forest").

use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::isolation_forest::{SAMPLES_DEFAULT, SAMPLES_MAX, TREES_DEFAULT, TREES_MAX, mean_path_length};
use crate::matrix::Matrix;
use crate::options::{Options, Slot, check};
use crate::quantiles::medians;
use crate::training::TrainingSet;
use crate::tree_scorer::{DEPTH_MAX, LANES, WIDTH_MAX};
use crate::trees::parallel::parallel;

/// Largest extension: 32 columns in a cut mix as much as a score of them can tell.
pub const EXTENSION_MAX: usize = 31;
/// Values beyond count as this far from the median: sums of a cut stay finite.
const VALUE_MAX: f32 = 1e30;
/// Rows that go through a tree before the next tree is touched.
const ROWS_PER_BLOCK: usize = 64;

/// How large an extended isolation forest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExtendedIsolationForestOptions {
    /// Number of trees.
    pub trees: usize,
    /// Rows each tree sees.
    pub samples: usize,
    /// Columns of a cut besides the first; 0 is the isolation forest.
    pub extension: usize,
}

impl Default for ExtendedIsolationForestOptions {
    /// Trees and rows as published; three columns to a cut, as in Cortes 2019 ("Distance approximation using isolation
    /// forests"), since cuts through all columns of a wide row blur what is strange in one of them.
    fn default() -> Self {
        Self { trees: TREES_DEFAULT, samples: SAMPLES_DEFAULT, extension: 2 }
    }
}

impl Options for ExtendedIsolationForestOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("trees", Slot::Whole(&mut self.trees, 1..=TREES_MAX)),
            ("samples", Slot::Whole(&mut self.samples, 2..=SAMPLES_MAX)),
            ("extension", Slot::Whole(&mut self.extension, 0..=EXTENSION_MAX)),
        ]
    }
}

/// One column's part of a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Part {
    column: u32,
    weight: f32,
}

/// A trained extended isolation forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtendedIsolationForest {
    samples: u32,
    depth: u32,
    /// Columns of a cut.
    terms: u32,
    medians: Vec<f32>,
    parts: Vec<Part>,
    offsets: Vec<f32>,
    leaves: Vec<f32>,
    /// Expected path length of a training row that has come to a node.
    expected: Vec<f32>,
}

/// One tree, padded.
struct Padded {
    parts: Vec<Part>,
    offsets: Vec<f32>,
    leaves: Vec<f32>,
    expected: Vec<f32>,
}

impl ExtendedIsolationForest {
    /// Grows the trees, each on rows drawn without repetition (all rows if there are fewer). The same rows and seed
    /// give the same forest for any number of threads; tree i does not depend on how many trees there are.
    /// Errors: `TooFewRows` below 2, `Setting` if an option is out of range or there are too many columns.
    pub fn fit(
        set: &TrainingSet<'_>,
        options: &ExtendedIsolationForestOptions,
        seed: u64,
    ) -> Result<Self, DetectError> {
        check("extended isolation forest", *options)?;
        let (count, width) = (set.rows.rows(), set.rows.width());
        if count < 2 {
            return Err(DetectError::TooFewRows { act: "fit extended isolation forest", needed: 2, found: count });
        }
        let medians = medians(set.rows);
        let samples = options.samples.min(count);
        let depth = samples.next_power_of_two().ilog2().max(1);
        let terms = (options.extension + 1).min(width);
        let grown = parallel(set.threads, (0..options.trees as u64).collect(), |index| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(index);
            let drawn = sample(&mut rng, count, samples).into_vec();
            let mut rows = set.rows.take(&drawn);
            rows.values_mut().chunks_exact_mut(width).for_each(|row| centre(row, &medians));
            Grower::grow(&rows, depth, terms, rng)
        });
        let (samples, terms) = (samples as u32, terms as u32);
        let forest = Self {
            samples,
            depth,
            terms,
            medians,
            parts: grown.iter().flat_map(|tree| tree.parts.iter().copied()).collect(),
            offsets: grown.iter().flat_map(|tree| tree.offsets.iter().copied()).collect(),
            leaves: grown.iter().flat_map(|tree| tree.leaves.iter().copied()).collect(),
            expected: grown.iter().flat_map(|tree| tree.expected.iter().copied()).collect(),
        };
        forest.check().map_err(DetectError::Setting)?;
        Ok(forest)
    }

    /// Refuses a forest that could not be scored; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (width, terms) = (self.medians.len(), self.terms as usize);
        if !(1..=WIDTH_MAX).contains(&width) {
            return Err(format!("extended isolation forest: {width} columns, 1 to {WIDTH_MAX} are possible"));
        }
        if !(1..=DEPTH_MAX).contains(&self.depth) || !(1..=EXTENSION_MAX + 1).contains(&terms) {
            return Err(format!("extended isolation forest: {} levels, {terms} columns to a cut", self.depth));
        }
        let (size, trees) = (1_usize << self.depth, self.trees());
        if !(1..=TREES_MAX).contains(&trees) || !(2..=SAMPLES_MAX).contains(&(self.samples as usize)) {
            return Err(format!("extended isolation forest: {trees} trees on {} rows each", self.samples));
        }
        let sizes = [self.parts.len() / terms, self.offsets.len(), self.leaves.len(), self.expected.len()];
        if sizes != [trees * size; 4] || self.parts.len() != trees * size * terms {
            return Err(format!("extended isolation forest: {sizes:?} do not make trees of {size}"));
        }
        if let Some(part) = self.parts.iter().find(|part| part.column as usize >= width) {
            return Err(format!("extended isolation forest: a cut of column {}, there are {width}", part.column));
        }
        let numbers = [&self.medians, &self.offsets, &self.leaves, &self.expected].into_iter().flatten();
        match numbers.chain(self.parts.iter().map(|part| &part.weight)).all(|value| value.is_finite()) {
            true => Ok(()),
            false => Err("extended isolation forest: a number is not finite".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.medians.len()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.offsets.len() >> self.depth
    }

    /// Returns how easily the forest isolates each row, as [`crate::IsolationForest::score`].
    /// Shape: `rows` is n × d in the model's column order; result has n values in 0..1. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score extended isolation forest", expected, found });
        }
        let mut scores = vec![0.0; rows.rows()];
        match self.width() {
            0..=16 => self.add_blocks::<16>(rows, &mut scores),
            17..=64 => self.add_blocks::<64>(rows, &mut scores),
            65..=256 => self.add_blocks::<256>(rows, &mut scores),
            _ => self.add_blocks::<WIDTH_MAX>(rows, &mut scores),
        }
        let scale = -1.0 / (self.trees() as f64 * mean_path_length(self.samples as usize));
        scores.iter_mut().for_each(|score| *score = (*score * scale).exp2());
        Ok(scores)
    }

    fn add_blocks<const W: usize>(&self, rows: &Matrix, sums: &mut [f64]) {
        let most = rows.rows().next_multiple_of(LANES);
        let mut block = vec![[0.0_f32; W]; ROWS_PER_BLOCK.min(most)];
        for (index, sums) in sums.chunks_mut(ROWS_PER_BLOCK).enumerate() {
            for (offset, values) in block.iter_mut().enumerate().take(sums.len()) {
                let values = &mut values[..self.width()];
                values.copy_from_slice(rows.row(index * ROWS_PER_BLOCK + offset));
                centre(values, &self.medians);
            }
            let mut padded = [0.0; ROWS_PER_BLOCK];
            let walked = sums.len().next_multiple_of(LANES);
            let groups = block[..walked].as_chunks::<LANES>().0.iter().zip(padded.as_chunks_mut::<LANES>().0);
            // The usual number of columns to a cut has a walk compiled for it.
            match self.terms {
                3 => self.add_groups::<3, W>(groups),
                _ => self.add_groups::<0, W>(groups),
            }
            sums.copy_from_slice(&padded[..sums.len()]);
        }
    }

    /// Adds the leaves that groups of rows fall into. `TERMS` is the number of columns to a cut, 0 if it is not known
    /// beforehand.
    fn add_groups<'a, const TERMS: usize, const W: usize>(
        &self,
        groups: impl Iterator<Item = (&'a [[f32; W]; LANES], &'a mut [f64; LANES])>,
    ) {
        let terms = if TERMS == 0 { self.terms as usize } else { TERMS };
        let size = 1 << self.depth;
        let mut groups: Vec<_> = groups.collect();
        let trees = self.parts.chunks_exact(size * terms).zip(self.offsets.chunks_exact(size));
        for ((parts, offsets), leaves) in trees.zip(self.leaves.chunks_exact(size)) {
            for (rows, sums) in &mut groups {
                let mut at = [1_usize; LANES];
                for _ in 0..self.depth {
                    for lane in 0..LANES {
                        let node = at[lane] & (size - 1);
                        let cut = &parts[node * terms..][..terms];
                        let values = cut.iter().map(|part| part.weight * rows[lane][part.column as usize & (W - 1)]);
                        at[lane] = 2 * at[lane] + usize::from(values.sum::<f32>() > offsets[node]);
                    }
                }
                for lane in 0..LANES {
                    sums[lane] += f64::from(leaves[at[lane] & (size - 1)]);
                }
            }
        }
    }

    /// Adds to each column what it did to isolate the row, in splits saved: the drop of the expected path length at
    /// each cut is divided among its columns by how far each moves the row from the median along the cut. The credits
    /// sum to [`ExtendedIsolationForest::expected_path_length`] less the row's mean path length.
    /// Shape: `row` and `credit` have d values. Source: the decomposition along the path of Saabas 2014.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let mut values = row.to_vec();
        centre(&mut values, &self.medians);
        let (size, terms) = (1_usize << self.depth, self.terms as usize);
        let share = 1.0 / self.trees() as f64;
        for tree in 0..self.trees() {
            let mut at = 1;
            while at < size {
                let place = tree * size + at;
                let cut = &self.parts[place * terms..][..terms];
                let moved = |part: &Part| part.weight * values[part.column as usize];
                let next = 2 * at + usize::from(cut.iter().map(moved).sum::<f32>() > self.offsets[place]);
                let after = match next < size {
                    true => self.expected[tree * size + next],
                    false => self.leaves[tree * size + next - size],
                };
                let drop = (f64::from(self.expected[place]) - f64::from(after)) * share;
                divide(drop, cut, moved, credit);
                at = next;
            }
        }
    }

    /// Mean, over trees, of the path length expected at the root.
    pub fn expected_path_length(&self) -> f64 {
        let roots = self.expected.chunks_exact(1 << self.depth).map(|tree| f64::from(tree[1]));
        roots.sum::<f64>() / self.trees() as f64
    }
}

/// Adds to the columns of a cut their shares of `drop`; equal ones if no column moves the row.
fn divide(drop: f64, cut: &[Part], moved: impl Fn(&Part) -> f32, credit: &mut [f64]) {
    let total: f64 = cut.iter().map(|part| f64::from(moved(part).abs())).sum();
    for part in cut {
        let share = if total > 0.0 { f64::from(moved(part).abs()) / total } else { 1.0 / cut.len() as f64 };
        credit[part.column as usize] += drop * share;
    }
}

/// Values relative to the medians; a missing one is 0.
fn centre(row: &mut [f32], medians: &[f32]) {
    for (value, median) in row.iter_mut().zip(medians) {
        *value = if value.is_nan() { 0.0 } else { (*value - median).clamp(-VALUE_MAX, VALUE_MAX) };
    }
}

struct Grower<'a> {
    rows: &'a Matrix,
    terms: usize,
    rng: ChaCha8Rng,
    tree: Padded,
}

impl<'a> Grower<'a> {
    fn grow(rows: &'a Matrix, depth: u32, terms: usize, rng: ChaCha8Rng) -> Padded {
        let size = 1_usize << depth;
        let tree = Padded {
            parts: vec![Part::default(); size * terms],
            offsets: vec![0.0; size],
            leaves: vec![0.0; size],
            expected: vec![0.0; size],
        };
        let mut grower = Self { rows, terms, rng, tree };
        grower.split(&mut (0..rows.rows()).collect::<Vec<_>>(), 1, 0);
        grower.tree
    }

    /// Grows the subtree of the rows in `order` at node `at`; returns its expected path length.
    fn split(&mut self, order: &mut [usize], at: usize, height: u32) -> f64 {
        let size = self.tree.offsets.len();
        if order.len() < 2 || at >= size {
            return self.leaf(at, f64::from(height) + mean_path_length(order.len()));
        }
        let Some((parts, offset, middle)) = self.draw_cut(order) else {
            return self.leaf(at, f64::from(height) + mean_path_length(order.len()));
        };
        self.tree.parts[at * self.terms..][..parts.len()].copy_from_slice(&parts);
        self.tree.offsets[at] = offset;
        let rows = order.len() as f64;
        let (low, high) = order.split_at_mut(middle);
        let (low_rows, high_rows) = (low.len() as f64, high.len() as f64);
        let below =
            self.split(low, 2 * at, height + 1) * low_rows + self.split(high, 2 * at + 1, height + 1) * high_rows;
        self.tree.expected[at] = (below / rows) as f32;
        below / rows
    }

    /// Writes a path length to all that lies below a node.
    fn leaf(&mut self, at: usize, path_length: f64) -> f64 {
        let size = self.tree.offsets.len();
        let span = size >> at.ilog2();
        let first = at * span - size;
        self.tree.leaves[first..first + span].fill(path_length as f32);
        let mut nodes = at..at + 1;
        while nodes.start < size {
            self.tree.expected[nodes.clone()].fill(path_length as f32);
            nodes = 2 * nodes.start..2 * nodes.end;
        }
        path_length
    }

    /// Draws a cut through the box of the rows, and moves the rows on its left to the front: parts, offset, number of
    /// rows on the left. A cut that leaves one side empty is returned too, as published; `None` if no column varies.
    fn draw_cut(&mut self, order: &mut [usize]) -> Option<(Vec<Part>, f32, usize)> {
        let ranges = self.ranges(order);
        let varying: Vec<usize> = (0..ranges.len()).filter(|column| ranges[*column].0 < ranges[*column].1).collect();
        if varying.is_empty() {
            return None;
        }
        let chosen = sample(&mut self.rng, varying.len(), self.terms.min(varying.len()));
        let mut parts = Vec::with_capacity(self.terms);
        let mut offset = 0.0;
        for place in chosen {
            let column = varying[place];
            let (low, high) = ranges[column];
            let spread = f64::from(high) - f64::from(low);
            // Kept within what a single-precision number can hold.
            let weight = (self.bell() / spread).clamp(-1e30, 1e30) as f32;
            let point = f64::from(low) + spread * self.rng.random::<f64>();
            offset += f64::from(weight) * point;
            parts.push(Part { column: column as u32, weight });
        }
        let offset = offset.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        let mut middle = 0;
        for at in 0..order.len() {
            let row = self.rows.row(order[at]);
            let projection: f32 = parts.iter().map(|part| part.weight * row[part.column as usize]).sum();
            if projection <= offset {
                order.swap(at, middle);
                middle += 1;
            }
        }
        Some((parts, offset, middle))
    }

    /// Least and greatest value of each column among the rows.
    fn ranges(&self, order: &[usize]) -> Vec<(f32, f32)> {
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); self.rows.width()];
        for row in order {
            for (range, value) in ranges.iter_mut().zip(self.rows.row(*row)) {
                *range = (range.0.min(*value), range.1.max(*value));
            }
        }
        ranges
    }

    /// A number from the standard normal distribution. Source: Box, Muller 1958.
    fn bell(&mut self) -> f64 {
        let (radius, angle): (f64, f64) = (self.rng.random(), self.rng.random());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}
