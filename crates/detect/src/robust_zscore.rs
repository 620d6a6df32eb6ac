//! Robust z-score: how far each column lies from its median, in units that outliers in training cannot stretch.

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::input_rule::{ColumnRule, Margin};
use crate::matrix::Matrix;
use crate::quantiles::centre_and_scale;

/// No column counts for more: one broken value must not outshine all others in the mean.
pub const Z_MAX: f32 = 50.0;
/// Medians and scales of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustZscore {
    medians: Vec<f32>,
    scales: Vec<f32>,
    /// One per column.
    margins: Vec<Margin>,
    /// Largest |z| that the strangest column counts for; format 1 stopped at [`Z_MAX`], where all that is far is alike.
    max_of_one: f32,
}

/// Both raw scores of a batch. Shape: n values each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zscores {
    /// Mean of |z| over the columns: many columns a little strange.
    pub mean: Vec<f64>,
    /// Largest |z| of any column, without bound: one column very strange.
    pub max: Vec<f64>,
}

impl RobustZscore {
    /// Learns median and scale of each column, missing values left out. `rules` has one rule per column, or none at all.
    /// Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, rules: &[ColumnRule]) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit robust z-score", needed: 1, found: 0 });
        }
        let (medians, scales): (Vec<f32>, Vec<f32>) =
            (0..rows.width()).map(|column| centre_and_scale(rows.present(column))).unzip();
        let rule = |column: usize| rules.get(column).copied().unwrap_or_default();
        let margins = medians.iter().enumerate().map(|(column, median)| rule(column).margin(*median)).collect();
        Ok(Self { medians, scales, margins, max_of_one: f32::MAX })
    }

    /// The detector that an artefact of format 1 holds.
    pub(crate) fn of_format_1(medians: Vec<f32>, scales: Vec<f32>) -> Self {
        let margins = vec![Margin::NONE; medians.len()];
        Self { medians, scales, margins, max_of_one: Z_MAX }
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let columns = self.medians.len();
        if columns == 0 || columns != self.scales.len() || columns != self.margins.len() {
            return Err(format!("{columns} medians, {} scales, {} margins", self.scales.len(), self.margins.len()));
        }
        if !(self.max_of_one >= Z_MAX && self.margins.iter().all(|margin| margin.is_usable())) {
            return Err("a margin or a bound is not a usable number".to_owned());
        }
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

    /// Returns mean and largest |z| of each row; a missing value counts as 0.
    /// Shape: `rows` is n × d; results have n values from 0. Units: scales. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Zscores, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score robust z", expected, found });
        }
        let (mean, max) = rows.iter().map(|row| self.score_row(row)).unzip();
        Ok(Zscores { mean, max })
    }

    fn score_row(&self, row: &[f32]) -> (f64, f64) {
        let (sum, max) = self.z(row).fold((0.0_f32, 0.0_f32), |(sum, max), z| {
            (sum + if z < Z_MAX { z } else { Z_MAX }, if z > max { z } else { max })
        });
        (f64::from(sum) / row.len() as f64, f64::from(max.min(self.max_of_one)))
    }

    /// |z| of each column of a row; finite.
    fn z(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.medians).zip(&self.scales).zip(&self.margins).map(|(((value, median), scale), margin)| {
            let z = ((value - median).abs() / scale).min(f32::MAX);
            if margin.counts(value - median) { z } else { 0.0 }
        })
    }

    /// Adds to each column its part of the row's mean |z|; the parts sum to that mean.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let columns = row.len() as f64;
        for (credit, z) in credit.iter_mut().zip(self.z(row)) {
            *credit += f64::from(z.min(Z_MAX)) / columns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input_rule::{Direction, MinimumEffect};

    fn column(values: &[f32]) -> RobustZscore {
        RobustZscore::fit(&Matrix::from_values(1, values.to_vec()).unwrap(), &[]).unwrap()
    }

    fn z(detector: &RobustZscore, value: f32) -> f64 {
        detector.score(&Matrix::from_values(1, vec![value]).unwrap()).unwrap().max[0]
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
    fn one_column_counts_for_fifty_in_the_mean_and_has_no_bound_alone() {
        let rows = Matrix::from_rows(&[[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]]).unwrap();
        let detector = RobustZscore::fit(&rows, &[]).unwrap();
        let score = detector.score(&Matrix::from_rows(&[[1e6, 7.0], [1e7, 7.0]]).unwrap()).unwrap();
        assert_eq!(score.mean, [25.0, 25.0]);
        assert!(score.max[1] > score.max[0]);
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
