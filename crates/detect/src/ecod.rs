//! Empirical tails of the columns: how few training rows lie as far out in each column, columns taken as independent.
//!
//! For each column there are two tables of −ln of a tail, one for values at most as high and one for values at least as
//! high. Three sums over the columns are made (all left tails, all right tails, and for each column the tail on the side
//! to which it is skewed) and the largest is the score. Beyond the outermost training value a tail goes on as that of a
//! Pareto law does, so rows far out stay ranked. A missing value adds nothing.
//! Source: Li, Zhao, Hu, Botta, Ionescu, Chen 2022, "ECOD: Unsupervised Outlier Detection Using Empirical Cumulative
//! Distribution Functions", algorithm 1.

use serde::{Deserialize, Serialize};

use crate::column_table::ColumnTable;
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};
use crate::quantiles::centre_and_scale;

/// Knots of a tail's table, spaced evenly in −ln of the tail.
const KNOTS: usize = 48;

/// Which tails are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EcodOptions {
    /// As published: the side of a column follows from its skewness. Otherwise the rarer side of each value counts.
    pub skewness: bool,
}

impl EcodOptions {
    /// As published.
    pub const PUBLISHED: Self = Self { skewness: true };
}

impl Options for EcodOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![("skewness", Slot::Flag(&mut self.skewness))]
    }
}

/// The empirical tails of each column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ecod {
    columns: Vec<Tails>,
    skewness: bool,
}

/// Both tails of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tails {
    /// −ln of the share of rows at most as high, falling.
    left: ColumnTable,
    /// −ln of the share of rows at least as high, rising.
    right: ColumnTable,
    /// Unit of distance beyond the outermost values.
    scale: f32,
    /// Whether the longer tail is the left one.
    skewed_left: bool,
}

/// The sums that compete to be the score.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    left: f32,
    right: f32,
    chosen: f32,
}

/// Which sum is the score.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Left,
    Right,
    Chosen,
}

impl Ecod {
    /// Learns the tails of each column, missing values left out. Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, options: &EcodOptions) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit empirical tails", needed: 1, found: 0 });
        }
        let columns = (0..rows.width()).map(|column| Tails::of(rows.present(column))).collect();
        Ok(Self { columns, skewness: options.skewness })
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.columns.is_empty() {
            return Err("empirical tails of no column".to_owned());
        }
        self.columns.iter().try_for_each(Tails::check)
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns how far out in its columns each row lies. Shape: `rows` is n × d; result has n values from 0.
    /// Units: nats. Errors: `WidthMismatch`. Source: Li et al. 2022, algorithm 1.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score empirical tails", expected, found });
        }
        let score = |row: &[f32]| {
            let sums = self.sums(row);
            f64::from(sums.of(sums.largest()))
        };
        Ok(rows.iter().map(score).collect())
    }

    /// Adds to each column its part of the row's score; the parts sum to that score.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let side = self.sums(row).largest();
        for ((credit, value), tails) in credit.iter_mut().zip(row).zip(&self.columns) {
            *credit += f64::from(self.parts(tails, *value).of(side));
        }
    }

    fn sums(&self, row: &[f32]) -> Sums {
        row.iter().zip(&self.columns).fold(Sums::default(), |sums, (value, tails)| {
            let parts = self.parts(tails, *value);
            Sums { left: sums.left + parts.left, right: sums.right + parts.right, chosen: sums.chosen + parts.chosen }
        })
    }

    fn parts(&self, tails: &Tails, value: f32) -> Sums {
        if value.is_nan() {
            return Sums::default();
        }
        let (left, right) = (tails.left(value), tails.right(value));
        let chosen = match (self.skewness, tails.skewed_left) {
            (false, _) => left.max(right),
            (true, true) => left,
            (true, false) => right,
        };
        Sums { left, right, chosen }
    }
}

impl Sums {
    fn of(self, side: Side) -> f32 {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
            Side::Chosen => self.chosen,
        }
    }

    fn largest(self) -> Side {
        match (self.chosen >= self.left && self.chosen >= self.right, self.left >= self.right) {
            (true, _) => Side::Chosen,
            (false, true) => Side::Left,
            (false, false) => Side::Right,
        }
    }
}

impl Tails {
    fn of(mut values: Vec<f32>) -> Self {
        values.sort_unstable_by(f32::total_cmp);
        let skewed_left = third_moment(&values) < 0.0;
        let right = tail(&values);
        let mirrored: Vec<f32> = values.iter().rev().map(|value| -value).collect();
        let left = tail(&mirrored);
        let (_, scale) = centre_and_scale(values);
        let left = left.into_iter().rev().map(|(value, surprise)| (-value, surprise)).collect();
        Self { left: ColumnTable::new(left), right: ColumnTable::new(right), scale, skewed_left }
    }

    fn check(&self) -> Result<(), String> {
        self.left.check()?;
        self.right.check()?;
        match self.scale.is_finite() && self.scale > 0.0 {
            true => Ok(()),
            false => Err("a tail's scale is not a usable number".to_owned()),
        }
    }

    fn right(&self, value: f32) -> f32 {
        let (first, last) = self.right.ends();
        match value {
            value if value > last => self.right.end_values().1 + self.beyond(value - last),
            value if value < first => 0.0,
            value => self.right.line(value),
        }
    }

    fn left(&self, value: f32) -> f32 {
        let (first, last) = self.left.ends();
        match value {
            value if value < first => self.left.end_values().0 + self.beyond(first - value),
            value if value > last => 0.0,
            value => self.left.line(value),
        }
    }

    /// −ln of a Pareto tail of index 1: no law with a mean has a heavier one, so nothing beyond is overrated. Finite.
    fn beyond(&self, distance: f32) -> f32 {
        (distance / self.scale).min(f32::MAX).ln_1p()
    }
}

/// Values from the lowest to the highest with −ln of the share of rows at least as high, the ranks in geometric steps.
/// The highest of n has a tail of 1 / n. Without values everything is usual.
fn tail(sorted: &[f32]) -> Vec<(f32, f32)> {
    let count = sorted.len();
    let step = ((count.max(2) as f64).ln() / (KNOTS - 1) as f64).exp();
    let mut entries: Vec<(f32, f32)> = Vec::new();
    let mut rank = count;
    while rank > 0 {
        let value = sorted[count - rank];
        if entries.last().is_none_or(|(last, _)| *last < value) {
            let at_least = count - sorted.partition_point(|other| *other < value);
            entries.push((value, (count as f64 / at_least as f64).ln() as f32));
        }
        rank = if rank == 1 { 0 } else { ((rank as f64 / step) as usize).clamp(1, rank - 1) };
    }
    if entries.is_empty() {
        entries.push((0.0, 0.0));
    }
    entries
}

/// Sign and rough size of the skewness; the divisor does not matter.
fn third_moment(values: &[f32]) -> f64 {
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| (f64::from(*value) - mean).powi(3)).sum()
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn rows(count: usize) -> Vec<[f32; 3]> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut cell = |power: i32| rng.random::<f32>().powi(power);
        (0..count).map(|_| [cell(1), cell(3), -cell(3)]).collect()
    }

    /// The slow, obvious twin: shares counted anew for every value.
    fn plainly(rows: &[[f32; 3]], row: &[f32; 3], skewness: bool) -> f64 {
        let count = rows.len() as f64;
        let mut sums = [0.0_f64; 3];
        for (column, value) in row.iter().enumerate() {
            let values: Vec<f32> = rows.iter().map(|row| row[column]).collect();
            let share = |holds: &dyn Fn(f32) -> bool| {
                -(values.iter().filter(|value| holds(**value)).count() as f64 / count).ln()
            };
            let (left, right) = (share(&|other| other <= *value), share(&|other| other >= *value));
            let side = if third_moment(&values) < 0.0 { left } else { right };
            let chosen = if skewness { side } else { left.max(right) };
            sums.iter_mut().zip([left, right, chosen]).for_each(|(sum, part)| *sum += part);
        }
        sums.into_iter().fold(0.0, f64::max)
    }

    #[test]
    fn the_tables_agree_with_counting_plainly() {
        let rows = rows(2000);
        for skewness in [true, false] {
            let detector = Ecod::fit(&Matrix::from_rows(&rows).unwrap(), &EcodOptions { skewness }).unwrap();
            assert_eq!(detector.check(), Ok(()));
            let scores = detector.score(&Matrix::from_rows(&rows).unwrap()).unwrap();
            for (row, score) in rows.iter().zip(scores) {
                let plain = plainly(&rows, row, skewness);
                assert!((score - plain).abs() < 0.02 * plain + 0.06, "{score} is not {plain} for {row:?}");
            }
        }
    }

    #[test]
    fn beyond_the_training_values_farther_is_stranger_on_both_sides() {
        let detector = Ecod::fit(&Matrix::from_rows(&rows(500)).unwrap(), &EcodOptions::PUBLISHED).unwrap();
        for sign in [1.0, -1.0] {
            let row = |size: f32| [0.5, sign * size, 0.0];
            let sizes = [1.1, 2.0, 10.0, 1e6, 1e30, f32::MAX];
            let scores = detector.score(&Matrix::from_rows(&sizes.map(row)).unwrap()).unwrap();
            assert!(scores.is_sorted_by(|a, b| a < b) && scores.iter().all(|score| score.is_finite()), "{scores:?}");
        }
    }

    #[test]
    fn constant_missing_and_huge_columns_score_finitely() {
        for values in [vec![7.0; 100], vec![f32::NAN; 50], vec![f32::MIN, 0.0, f32::MAX], vec![1.0]] {
            let detector = Ecod::fit(&Matrix::from_values(1, values).unwrap(), &EcodOptions::PUBLISHED).unwrap();
            assert_eq!(detector.check(), Ok(()));
            let asked = [7.0, 8.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
            let scores = detector.score(&Matrix::from_values(1, asked.to_vec()).unwrap()).unwrap();
            assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
            assert_eq!(scores[5], 0.0);
        }
    }

    #[test]
    fn attributions_sum_to_the_score() {
        let rows = rows(300);
        let detector = Ecod::fit(&Matrix::from_rows(&rows).unwrap(), &EcodOptions::PUBLISHED).unwrap();
        for row in rows.iter().chain([&[9.0, -9.0, f32::NAN], &[-1.0, -1.0, -5.0]]) {
            let mut credit = [0.0; 3];
            detector.attribute(row, &mut credit);
            let score = detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0];
            assert!((credit.iter().sum::<f64>() - score).abs() < 1e-5);
        }
    }
}
