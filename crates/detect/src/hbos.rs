//! Histogram-based outlier score: how thinly the training values lie where each column's value lies, columns taken as
//! independent.
//!
//! Each column has a histogram whose highest bar is 1; a row's score is the sum over columns of −ln of the bar its value
//! falls into. A value where no bar stands counts as if half a training row lay there. A missing value counts as the
//! highest bar, so what is missing never looks strange by itself.
//! Source: Goldstein, Dengel 2012, "Histogram-based Outlier Score (HBOS)", KI 2012.

use serde::{Deserialize, Serialize};

use crate::column_table::{ColumnTable, KNOTS_MAX};
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};

/// Bars unless said otherwise; few rows get fewer, about the square root of their number, as the source has it.
pub const BINS_DEFAULT: usize = 64;

/// How the histograms are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HbosOptions {
    /// Most bars of a column.
    pub bins: usize,
    /// Bars of equal numbers of rows instead of equal width: for columns with long tails.
    pub dynamic: bool,
}

impl HbosOptions {
    /// Bars of equal width.
    pub const DEFAULT: Self = Self { bins: BINS_DEFAULT, dynamic: false };
}

impl Options for HbosOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![("bins", Slot::Whole(&mut self.bins, 2..=KNOTS_MAX - 1)), ("dynamic", Slot::Flag(&mut self.dynamic))]
    }
}

/// A histogram per column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hbos {
    /// A knot is where a bar begins, its value −ln of the bar's height; the last knot is where no bar stands any more.
    columns: Vec<ColumnTable>,
    /// What a value outside all bars counts for.
    outside: f32,
}

impl Hbos {
    /// Counts the values of each column, missing ones left out. Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, options: &HbosOptions) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit histograms", needed: 1, found: 0 });
        }
        let outside = (2.0 * rows.rows() as f64).ln() as f32;
        let histogram = |column: usize| {
            let mut values = rows.present(column);
            values.sort_unstable_by(f32::total_cmp);
            histogram(&values, options, outside)
        };
        Ok(Self { columns: (0..rows.width()).map(histogram).collect(), outside })
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.columns.is_empty() || !self.outside.is_finite() {
            return Err("histograms of no column, or without a floor".to_owned());
        }
        self.columns.iter().try_for_each(ColumnTable::check)
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns how thinly the training rows lie around each row. Shape: `rows` is n × d; result has n values from 0.
    /// Units: nats. Errors: `WidthMismatch`. Source: Goldstein, Dengel 2012, section 3.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score histograms", expected, found });
        }
        Ok(rows.iter().map(|row| f64::from(self.parts(row).sum::<f32>())).collect())
    }

    /// Adds to each column its part of the row's score; the parts sum to that score.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        for (credit, part) in credit.iter_mut().zip(self.parts(row)) {
            *credit += f64::from(part);
        }
    }

    fn parts(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.columns).map(|(value, table)| match value.is_nan() {
            true => 0.0,
            false => table.step(*value).unwrap_or(self.outside),
        })
    }
}

/// The histogram of sorted values, as −ln of heights; none of it exceeds `outside`.
fn histogram(sorted: &[f32], options: &HbosOptions, outside: f32) -> ColumnTable {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return ColumnTable::new(vec![(0.0, 0.0)]);
    };
    let bins = options.bins.min((sorted.len() as f64).sqrt().ceil() as usize).max(2);
    let mut edges = match options.dynamic {
        true => (0..bins).map(|bin| sorted[bin * sorted.len() / bins]).collect::<Vec<_>>(),
        false => {
            let (low, high) = (f64::from(*first), f64::from(*last));
            (0..bins).map(|bin| (low + (high - low) * bin as f64 / bins as f64) as f32).collect()
        }
    };
    edges.push(last.next_up());
    edges.retain(|edge| edge.is_finite());
    edges.dedup();
    let bars: Vec<(f32, f64)> =
        edges.windows(2).map(|pair| (pair[0], bar(sorted, pair[0], pair[1], options))).collect();
    let highest = bars.iter().map(|(_, height)| *height).fold(0.0, f64::max);
    let surprise = |height: f64| match height > 0.0 {
        true => ((highest / height).ln() as f32).clamp(0.0, outside),
        false => outside,
    };
    let mut entries: Vec<(f32, f32)> = bars.iter().map(|(edge, height)| (*edge, surprise(*height))).collect();
    entries.extend(edges.last().map(|end| (*end, outside)));
    ColumnTable::new(entries)
}

/// Height of the bar from `low` up to but not including `high`: rows, or with bars of unequal width rows per width. A
/// width below that of single precision is taken as that, so that one value held by many rows has a finite bar.
fn bar(sorted: &[f32], low: f32, high: f32, options: &HbosOptions) -> f64 {
    let rows = sorted.partition_point(|value| *value < high) - sorted.partition_point(|value| *value < low);
    match options.dynamic {
        true => rows as f64 / (f64::from(high) - f64::from(low)).max(f64::from(f32::MIN_POSITIVE)),
        false => rows as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_column(values: &[f32], dynamic: bool) -> Hbos {
        let options = HbosOptions { dynamic, ..HbosOptions::DEFAULT };
        Hbos::fit(&Matrix::from_values(1, values.to_vec()).unwrap(), &options).unwrap()
    }

    fn score(detector: &Hbos, value: f32) -> f64 {
        detector.score(&Matrix::from_values(1, vec![value]).unwrap()).unwrap()[0]
    }

    /// The slow, obvious twin, for bars of equal width.
    fn plainly(values: &[f32], value: f32) -> f64 {
        let bins = (values.len() as f64).sqrt().ceil();
        let (low, high) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(f64::from(*value)), high.max(f64::from(*value))));
        let place = |value: f32| ((f64::from(value) - low) / (high - low) * bins).floor().min(bins - 1.0);
        let mut counts = vec![0.0_f64; bins as usize];
        values.iter().for_each(|value| counts[place(*value) as usize] += 1.0);
        let highest = counts.iter().copied().fold(0.0, f64::max);
        let inside = f64::from(value) >= low && f64::from(value) <= high;
        let height = if inside { counts[place(value) as usize] } else { 0.0 };
        let floor = (2.0 * values.len() as f64).ln();
        if height > 0.0 { (highest / height).ln().min(floor) } else { floor }
    }

    #[test]
    fn bars_of_equal_width_agree_with_counting_plainly() {
        let values: Vec<f32> = (0..400).map(|n| ((n * n) % 397) as f32 * 0.37 + (n % 7) as f32).collect();
        let detector = one_column(&values, false);
        assert_eq!(detector.check(), Ok(()));
        for step in -50..700 {
            let value = step as f32 * 0.25 + 0.1;
            assert!((score(&detector, value) - plainly(&values, value)).abs() < 1e-5, "at {value}");
        }
    }

    #[test]
    fn thin_places_are_stranger_than_dense_ones_with_either_kind_of_bars() {
        let mut values: Vec<f32> = (0..1000).map(|n| n as f32 / 1000.0).collect();
        values.extend((0..50).map(|n| 1.0 + n as f32));
        for dynamic in [false, true] {
            let detector = one_column(&values, dynamic);
            assert!(score(&detector, 0.5) < 0.5 && score(&detector, 20.0) > 2.0, "dynamic: {dynamic}");
            assert_eq!(score(&detector, 1e9), f64::from((2.0 * 1050.0_f64).ln() as f32));
            assert_eq!(score(&detector, f32::NAN), 0.0);
        }
    }

    #[test]
    fn constant_missing_and_huge_columns_score_finitely() {
        for values in [vec![7.0; 100], vec![f32::NAN; 50], vec![f32::MIN, 0.0, f32::MAX], vec![0.0, f32::MIN_POSITIVE]]
        {
            for dynamic in [false, true] {
                let detector = one_column(&values, dynamic);
                assert_eq!(detector.check(), Ok(()), "{values:?}");
                for value in [7.0, 8.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                    assert!(score(&detector, value).is_finite());
                }
            }
        }
        assert!(score(&one_column(&[7.0; 100], false), 8.0) > score(&one_column(&[7.0; 100], false), 7.0));
    }

    #[test]
    fn attributions_sum_to_the_score() {
        let rows: Vec<[f32; 2]> = (0..100).map(|n| [n as f32, (n * n) as f32]).collect();
        let detector = Hbos::fit(&Matrix::from_rows(&rows).unwrap(), &HbosOptions::DEFAULT).unwrap();
        for row in [[3.0, 9.0], [500.0, f32::NAN], [50.0, 5000.0]] {
            let mut credit = [0.0; 2];
            detector.attribute(&row, &mut credit);
            let score = detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0];
            assert!((credit.iter().sum::<f64>() - score).abs() < 1e-5);
        }
    }
}
