//! Robust z-score: how far each column lies from its median, in units that outliers in training cannot stretch.

use serde::{Deserialize, Serialize};

use crate::column_measure::{ColumnMeasure, attribute};
use crate::error::DetectError;
use crate::input_rule::{ColumnRule, Margin};
use crate::matrix::Matrix;
use crate::quantiles::centre_and_scale;

/// Largest |z| that the strangest column counts for in format 1; all that is farther is alike.
const Z_MAX_1: f32 = 50.0;

/// Medians, scales and tails of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustZscore {
    medians: Vec<f32>,
    scales: Vec<f32>,
    /// One per column.
    margins: Vec<Margin>,
    /// How the strangest column is told.
    measure: ColumnMeasure,
}

/// Both raw scores of a batch. Shape: n values each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zscores {
    /// Mean of |z| over the columns, each at most 50: many columns a little strange.
    pub mean: Vec<f64>,
    /// Largest surprisal of a column's |z|, without bound: one column very strange.
    pub max: Vec<f64>,
}

impl RobustZscore {
    /// Learns median, scale and tail of each column, missing values left out. `rules` has one rule per column, or none at all.
    /// Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, rules: &[ColumnRule]) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit robust z-score", needed: 1, found: 0 });
        }
        let (medians, scales): (Vec<f32>, Vec<f32>) =
            (0..rows.width()).map(|column| centre_and_scale(rows.present(column))).unzip();
        let rule = |column: usize| rules.get(column).copied().unwrap_or_default();
        let margins: Vec<Margin> =
            medians.iter().enumerate().map(|(column, median)| rule(column).margin(*median)).collect();
        let measure =
            ColumnMeasure::fit(rows, |column, value| z(value, medians[column], scales[column], margins[column]));
        Ok(Self { medians, scales, margins, measure })
    }

    /// The detector that an artefact of format 1 holds.
    pub(crate) fn of_format_1(medians: Vec<f32>, scales: Vec<f32>) -> Self {
        let margins = vec![Margin::NONE; medians.len()];
        Self::of_format_2(medians, scales, margins, Z_MAX_1)
    }

    /// The detector that an artefact of format 2 holds.
    pub(crate) fn of_format_2(medians: Vec<f32>, scales: Vec<f32>, margins: Vec<Margin>, max_of_one: f32) -> Self {
        Self { medians, scales, margins, measure: ColumnMeasure::Distance { max_of_one } }
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let columns = self.medians.len();
        if columns == 0 || columns != self.scales.len() || columns != self.margins.len() {
            return Err(format!("{columns} medians, {} scales, {} margins", self.scales.len(), self.margins.len()));
        }
        if !self.margins.iter().all(|margin| margin.is_usable()) {
            return Err("a margin is not a usable number".to_owned());
        }
        self.measure.check(columns)?;
        let scales = self.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0);
        match scales && self.medians.iter().all(|median| median.is_finite()) {
            true => Ok(()),
            false => Err("a median or a scale is not a usable number".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.medians.len()
    }

    /// Returns mean |z| and largest surprisal of each row's columns; a missing value counts as 0.
    /// Shape: `rows` is n × d; results have n values from 0. Units: scales, nats. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Zscores, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score robust z", expected, found });
        }
        let (mean, max) = rows.iter().map(|row| self.measure.mean_and_max(self.z(row))).unzip();
        Ok(Zscores { mean, max })
    }

    /// |z| of each column of a row; finite.
    fn z(&self, row: &[f32]) -> impl ExactSizeIterator<Item = f32> {
        let columns = row.iter().zip(&self.medians).zip(&self.scales).zip(&self.margins);
        columns.map(|(((value, median), scale), margin)| z(*value, *median, *scale, *margin))
    }

    /// Adds to each column its part of the row's mean |z|; the parts sum to that mean.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        attribute(self.z(row), credit);
    }
}

/// |z| of a value; 0 if it is missing, or if its rule does not count it. Finite.
fn z(value: f32, median: f32, scale: f32, margin: Margin) -> f32 {
    let z = ((value - median).abs() / scale).min(f32::MAX);
    if margin.counts(value - median) { z } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input_rule::{Direction, MinimumEffect};

    fn column(values: &[f32]) -> RobustZscore {
        RobustZscore::fit(&Matrix::from_values(1, values.to_vec()).unwrap(), &[]).unwrap()
    }

    fn z(detector: &RobustZscore, value: f32) -> f64 {
        f64::from(detector.z(&[value]).next().unwrap())
    }

    #[test]
    fn distance_from_the_median_is_measured_in_scaled_mads() {
        let detector = column(&[1.0, 2.0, 3.0, 4.0, 1000.0]);
        assert!((z(&detector, 3.0 + 1.4826 * 2.0) - 2.0).abs() < 1e-6);
        assert_eq!((z(&detector, 3.0), z(&detector, f32::NAN)), (0.0, 0.0));
        assert!(z(&detector, f32::MAX) > z(&detector, 1e30) && z(&detector, f32::MAX).is_finite());
    }

    #[test]
    fn a_column_with_a_majority_value_falls_back_to_wider_measures() {
        let quartiles = column(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.349, 1.349, 1.349]);
        assert!((z(&quartiles, 2.0) - 2.0).abs() < 1e-6);
        let mut rare = vec![0.0; 99];
        rare.push(1.0);
        let deviation = (0.01_f64 * 0.99).sqrt();
        assert!((z(&column(&rare), 1.0) - 1.0 / deviation).abs() < 1e-4);
    }

    #[test]
    fn leaving_a_constant_is_strange_in_proportion_to_how_long_it_lasted() {
        assert!((z(&column(&[7.0; 100]), 8.0) - 10.0).abs() < 1e-5);
        assert!((z(&column(&[7.0; 10_000]), 8.0) - 100.0).abs() < 1e-3);
        assert!(z(&column(&[7.0; 100]), 7.000_001) < 1e-4);
        assert_eq!(z(&column(&[7.0; 100]), 7.0), 0.0);
        assert!(z(&column(&[f32::NAN; 4]), 3.0).is_finite());
    }

    #[test]
    fn the_mean_measures_distance_and_the_maximum_how_rare_it_is_in_its_column() {
        let rows: Vec<[f32; 2]> = (0..999).map(|row| [row as f32, if row % 100 == 99 { 5.0 } else { 0.0 }]).collect();
        let detector = RobustZscore::fit(&Matrix::from_rows(&rows).unwrap(), &[]).unwrap();
        let asked = Matrix::from_rows(&[[0.0, 0.0], [499.0, 5.0], [5e4, 0.0], [5e9, 0.0]]).unwrap();
        let score = detector.score(&asked).unwrap();
        // Nine rows of a thousand hold the rare value; the ends of the other column are its farthest.
        assert!((score.max[1] - (1000.0 / 9.0_f64).ln()).abs() < 1e-5 && score.max[0] > 3.0, "{score:?}");
        let deviation = (9.0_f64 * 990.0).sqrt() / 999.0;
        assert!((score.mean[1] - 5.0 / (5.0 * deviation) / 2.0).abs() < 1e-4, "{score:?}");
        assert!(score.max[2..].is_sorted_by(|a, b| a < b) && score.max[2] > score.max[0]);
        assert_eq!(score.mean[2..], [25.0, 25.0]);
    }

    #[test]
    fn the_bound_of_format_1_holds_for_what_was_learned_in_it() {
        let detector = RobustZscore::of_format_1(vec![0.0, 0.0], vec![1.0, 1.0]);
        let score = detector.score(&Matrix::from_rows(&[[1e6, 0.0], [1e7, 0.0], [7.0, 1.0]]).unwrap()).unwrap();
        assert_eq!((score.mean, score.max), (vec![25.0, 25.0, 4.0], vec![50.0, 50.0, 7.0]));
    }

    #[test]
    fn a_rule_takes_out_one_side_and_small_effects() {
        let rule = ColumnRule { direction: Direction::Down, minimum_effect: MinimumEffect::Relative(0.5) };
        let rows = Matrix::from_values(1, vec![99.0, 100.0, 101.0]).unwrap();
        let detector = RobustZscore::fit(&rows, &[rule]).unwrap();
        assert_eq!((z(&detector, 900.0), z(&detector, 51.0)), (0.0, 0.0));
        assert!(z(&detector, 49.0) > 30.0);
    }

    #[test]
    fn attributions_sum_to_the_mean() {
        let detector =
            RobustZscore::fit(&Matrix::from_rows(&[[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]]).unwrap(), &[]).unwrap();
        let row = [9.0, f32::NAN];
        let mut credit = [0.0; 2];
        detector.attribute(&row, &mut credit);
        let score = detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap();
        assert!((credit.iter().sum::<f64>() - score.mean[0]).abs() < 1e-6);
        assert_eq!(credit[1], 0.0);
    }
}
