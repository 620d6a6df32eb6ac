//! Columns as small whole numbers.
//!
//! Each column is cut into at most 255 bins that keep the order of its values; bin 0 is for missing values, which
//! count as −∞: below every number, so that a split can set them apart. Trees are then grown on bytes. Bins hold about
//! equally many rows, except near both ends of a column, where they shrink to single values: strange rows lie there.
//!
//! ```text
//! rows per bin   1 1 1 2 3 … share share share share … 3 2 1 1 1
//! ```

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::matrix::Matrix;
use crate::trees::parallel::parallel;

/// Most bins of a column, with the one for missing values: a bin is a byte.
pub(crate) const BINS_MAX: usize = 256;
/// Most places between bins of numbers.
const CUTS_MAX: usize = BINS_MAX - 2;
/// Most rows that decide where bins end; of more rows, evenly spaced ones are looked at.
const ROWS_LOOKED_AT_MAX: usize = 1 << 21;
/// Columns gathered in one pass over the rows: two of them share a cache line at least.
const COLUMNS_PER_JOB: usize = 8;

/// Rows whose columns are cut into bins. Shape: n × d, column by column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BinnedMatrix {
    rows: usize,
    bins: Vec<u8>,
    /// For each column, the greatest value of each bin but the last, ascending.
    cuts: Vec<Vec<f32>>,
}

/// A value and how many rows have it.
#[derive(Clone, Copy)]
struct Run {
    value: f32,
    rows: usize,
}

impl BinnedMatrix {
    /// Cuts the columns of `rows` into bins. The result is the same for any number of threads.
    pub(crate) fn new(rows: &Matrix, threads: usize) -> Self {
        let (count, width) = (rows.rows(), rows.width());
        let mut bins = vec![0; count * width];
        let jobs = bins.chunks_mut((count * COLUMNS_PER_JOB).max(1)).enumerate().collect();
        let cuts = parallel(threads, jobs, |(group, bins): (usize, &mut [u8])| {
            let first = group * COLUMNS_PER_JOB;
            let columns = gather(rows, first, COLUMNS_PER_JOB.min(width - first));
            let cut_column = |(values, bins): (&Vec<f32>, &mut [u8])| {
                let cuts = cuts(values);
                assign(values, &cuts, bins);
                cuts
            };
            columns.iter().zip(bins.chunks_mut(count)).map(cut_column).collect::<Vec<_>>()
        });
        Self { rows: count, bins, cuts: cuts.into_iter().flatten().collect() }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.cuts.len()
    }

    /// Each row's bin of a column.
    pub(crate) fn column(&self, column: usize) -> &[u8] {
        &self.bins[column * self.rows..][..self.rows]
    }

    /// Number of bins of a column, with the one for missing values.
    pub(crate) fn bins(&self, column: usize) -> usize {
        self.cuts[column].len() + 2
    }

    /// The greatest value of a bin, which is not the column's last.
    pub(crate) fn upper(&self, column: usize, bin: u8) -> f32 {
        match bin {
            0 => f32::NEG_INFINITY,
            _ => self.cuts[column][usize::from(bin) - 1],
        }
    }

    /// Appends `count` synthetic rows: each value is drawn from those of its column, independently of the others.
    /// Source: Shi, Horvath 2006, section 2 ("Addcl1").
    pub(crate) fn with_independent_rows(&self, count: usize, seed: u64, threads: usize) -> Self {
        let rows = self.rows + count;
        let mut bins = vec![0; rows * self.width()];
        let jobs = bins.chunks_mut(rows.max(1)).enumerate().collect();
        parallel(threads, jobs, |(column, bins): (usize, &mut [u8])| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(column as u64);
            let (real, synthetic) = bins.split_at_mut(self.rows);
            real.copy_from_slice(self.column(column));
            synthetic.iter_mut().for_each(|bin| *bin = real[rng.random_range(0..real.len())]);
        });
        Self { rows, bins, cuts: self.cuts.clone() }
    }
}

/// Values of some columns, one vector each; −∞ where one is missing.
fn gather(rows: &Matrix, first: usize, count: usize) -> Vec<Vec<f32>> {
    let mut columns = vec![Vec::with_capacity(rows.rows()); count];
    for row in rows.iter() {
        for (column, value) in columns.iter_mut().zip(&row[first..first + count]) {
            column.push(if value.is_nan() { f32::NEG_INFINITY } else { *value });
        }
    }
    columns
}

/// Writes the bin of each value: 0 for −∞, else 1 plus the number of cuts below the value. The search is over an array
/// of fixed size, without a branch that could be guessed wrong.
fn assign(values: &[f32], cuts: &[f32], bins: &mut [u8]) {
    let mut padded = [f32::INFINITY; BINS_MAX];
    padded[..cuts.len()].copy_from_slice(cuts);
    for (value, bin) in values.iter().zip(bins) {
        let mut below = 0_usize;
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            below += step * usize::from(padded[(below + step - 1) & (BINS_MAX - 1)] < *value);
        }
        *bin = if *value == f32::NEG_INFINITY { 0 } else { below as u8 + 1 };
    }
}

/// Where the bins of a column end: halfway between the last value of a bin and the first of the next.
fn cuts(values: &[f32]) -> Vec<f32> {
    let runs = runs(values);
    let total = runs.iter().map(|run| run.rows).sum();
    let ends = match runs.len() <= CUTS_MAX + 1 {
        true => (0..runs.len().saturating_sub(1)).collect(),
        false => ends(&runs, smallest_share(&runs, total), total),
    };
    ends.into_iter().map(|end| halfway(runs[end].value, runs[end + 1].value)).collect()
}

/// The different values, ascending.
fn runs(values: &[f32]) -> Vec<Run> {
    let step = values.len().div_ceil(ROWS_LOOKED_AT_MAX).max(1);
    let looked_at = values.iter().step_by(step).copied();
    let mut sorted: Vec<f32> = looked_at.filter(|value| *value > f32::NEG_INFINITY).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|run| Run { value: run[0].min(f32::MAX), rows: run.len() }).collect()
}

/// Fewest rows of a bin in the middle for which the bins are not too many.
fn smallest_share(runs: &[Run], total: usize) -> usize {
    let (mut too_small, mut enough) = (0, total);
    while enough - too_small > 1 {
        let middle = too_small.midpoint(enough);
        match ends(runs, middle, total).len() <= CUTS_MAX {
            true => enough = middle,
            false => too_small = middle,
        }
    }
    enough
}

/// Places of the runs that are the last of their bin. A bin takes runs until it has `share` rows, or half as many as
/// lie before or beyond it; a value that has as many rows by itself gets a bin of its own.
fn ends(runs: &[Run], share: usize, total: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let (mut before, mut held) = (0, 0);
    for (place, pair) in runs.windows(2).enumerate() {
        held += pair[0].rows;
        let beyond = total - before - held;
        let enough = share.min(before.div_ceil(2)).min(beyond.div_ceil(2)).max(1);
        if held >= enough || pair[1].rows >= share {
            ends.push(place);
            before += held;
            held = 0;
        }
    }
    ends
}

/// A value in `low..high`, in the middle if there is one: on a cut counts as below it.
fn halfway(low: f32, high: f32) -> f32 {
    let middle = f64::from(low).midpoint(f64::from(high)) as f32;
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng;

    use super::*;

    fn column(values: &[f32]) -> Matrix {
        Matrix::from_values(1, values.to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn bins_keep_the_order_of_values_and_cuts_agree_with_bins(values in prop::collection::vec(
            prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), -9_f32..9.0, any::<f32>()], 1..900,
        )) {
            let binned = BinnedMatrix::new(&column(&values), 1);
            let bins = binned.column(0);
            for (value, bin) in values.iter().zip(bins) {
                let missing = value.is_nan() || *value == f32::NEG_INFINITY;
                prop_assert_eq!(missing, *bin == 0);
                for upper in 0..(binned.bins(0) - 1) as u8 {
                    prop_assert_eq!(*bin <= upper, missing || *value <= binned.upper(0, upper), "{} {}", value, upper);
                }
            }
        }
    }

    #[test]
    fn few_different_values_get_a_bin_each() {
        let values: Vec<f32> = (0..2550).map(|row| (row % 255) as f32).collect();
        let binned = BinnedMatrix::new(&column(&values), 1);
        assert_eq!(binned.bins(0), BINS_MAX);
        assert!(values.iter().zip(binned.column(0)).all(|(value, bin)| *bin == *value as u8 + 1));
    }

    #[test]
    fn bins_are_fine_at_both_ends_and_equal_in_the_middle() {
        let values: Vec<f32> = (0..100_000).map(|row| row as f32).collect();
        let binned = BinnedMatrix::new(&column(&values), 1);
        let mut rows = vec![0; binned.bins(0)];
        binned.column(0).iter().for_each(|bin| rows[usize::from(*bin)] += 1);
        assert_eq!((rows[0], rows[1], rows[2]), (0, 1, 1));
        assert_eq!(rows.last(), Some(&1));
        let most = *rows.iter().max().unwrap();
        assert!((400..550).contains(&most) && rows.iter().filter(|count| **count == most).count() > 180, "{rows:?}");
    }

    #[test]
    fn a_frequent_value_has_its_own_bin() {
        let values: Vec<f32> = (0..50_000).map(|row| if row % 2 == 0 { 7.5 } else { row as f32 / 1000.0 }).collect();
        let binned = BinnedMatrix::new(&column(&values), 1);
        let own = binned.column(0)[0];
        let sharing = values.iter().zip(binned.column(0)).filter(|(value, bin)| **value != 7.5 && **bin == own).count();
        assert!(sharing < 150, "{sharing} rows share it");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bins() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let values = (0..19 * 700).map(|_| rng.random_range(-5.0_f32..5.0)).collect();
        let rows = Matrix::from_values(19, values).unwrap();
        let one = BinnedMatrix::new(&rows, 1);
        assert_eq!((one.rows(), one.width()), (700, 19));
        for threads in [2, 4] {
            assert_eq!(BinnedMatrix::new(&rows, threads), one);
            assert_eq!(one.with_independent_rows(90, 7, threads), one.with_independent_rows(90, 7, 1));
        }
    }

    #[test]
    fn synthetic_rows_keep_each_column_and_break_what_ties_them() {
        let rows: Vec<[f32; 2]> = (0..2000).map(|row| [(row % 10) as f32, (row % 10) as f32]).collect();
        let binned = BinnedMatrix::new(&Matrix::from_rows(&rows).unwrap(), 1).with_independent_rows(2000, 3, 1);
        let (left, right) = (&binned.column(0)[2000..], &binned.column(1)[2000..]);
        for bin in 1..=10 {
            let count = left.iter().filter(|other| **other == bin).count();
            assert!((140..260).contains(&count), "bin {bin}: {count}");
        }
        let same = left.iter().zip(right).filter(|(left, right)| left == right).count();
        assert!((140..260).contains(&same), "{same}");
    }
}
