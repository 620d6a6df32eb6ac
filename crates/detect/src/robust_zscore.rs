//! Robust z-score: how far each column lies from its median, in units that outliers in training cannot stretch.

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::quantiles::quantile;

/// No column counts for more: one broken value must not outshine all others in the mean.
pub const Z_MAX: f32 = 50.0;
/// MAD × this estimates the standard deviation of normal data. Source: Rousseeuw, Croux 1993, section 1.
const MAD_TO_DEVIATION: f32 = 1.4826;
/// Interquartile range ÷ this estimates the standard deviation of normal data (2 × the normal quantile of 0.75).
const IQR_PER_DEVIATION: f32 = 1.349;

/// Medians and scales of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustZscore {
    medians: Vec<f32>,
    scales: Vec<f32>,
}

/// Both raw scores of a batch. Shape: n values each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zscores {
    /// Mean of |z| over the columns: many columns a little strange.
    pub mean: Vec<f64>,
    /// Largest |z| of any column: one column very strange.
    pub max: Vec<f64>,
}

impl RobustZscore {
    /// Learns median and scale of each column, missing values left out. Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit robust z-score", needed: 1, found: 0 });
        }
        let (medians, scales) = (0..rows.width()).map(|column| centre_and_scale(rows.present(column))).unzip();
        Ok(Self { medians, scales })
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.medians.is_empty() || self.medians.len() != self.scales.len() {
            return Err(format!("{} medians for {} scales", self.medians.len(), self.scales.len()));
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
    /// Shape: `rows` is n × d; results have n values in 0..=[`Z_MAX`]. Units: scales. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Zscores, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score robust z", expected, found });
        }
        let (mean, max) = rows.iter().map(|row| self.score_row(row)).unzip();
        Ok(Zscores { mean, max })
    }

    fn score_row(&self, row: &[f32]) -> (f64, f64) {
        let (sum, max) = self.z(row).fold((0.0_f32, 0.0_f32), |(sum, max), z| (sum + z, if z > max { z } else { max }));
        (f64::from(sum) / row.len() as f64, f64::from(max))
    }

    /// |z| of each column of a row.
    fn z(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.medians).zip(&self.scales).map(|((value, median), scale)| {
            let z = (value - median).abs() / scale;
            let z = if z < Z_MAX { z } else { Z_MAX };
            if value.is_nan() { 0.0 } else { z }
        })
    }

    /// Adds to each column its part of the row's mean |z|; the parts sum to that mean.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let columns = row.len() as f64;
        for (credit, z) in credit.iter_mut().zip(self.z(row)) {
            *credit += f64::from(z) / columns;
        }
    }
}

/// Returns median and scale. Where more than half of the values are equal, the MAD is 0 and says nothing; the
/// interquartile range is asked next, then the standard deviation. A column that never varied is taken as if one of
/// its n values had differed by 1, so its deviation is √(1/n): a unit step away from a long constant past is very
/// strange, from a short one less so, and rounding noise is not strange at all.
pub(crate) fn centre_and_scale(mut values: Vec<f32>) -> (f32, f32) {
    let median = quantile(&mut values, 0.5);
    let spread = quantile(&mut values, 0.75) / IQR_PER_DEVIATION - quantile(&mut values, 0.25) / IQR_PER_DEVIATION;
    let deviation = standard_deviation(&values);
    let rows = values.len().max(1) as f32;
    let mut distances = values;
    distances.iter_mut().for_each(|value| *value = (*value - median).abs());
    let mad = quantile(&mut distances, 0.5) * MAD_TO_DEVIATION;
    let scale = [mad, spread, deviation].into_iter().find(|scale| usable(*scale));
    (median, scale.unwrap_or(rows.recip().sqrt()))
}

/// Subnormal scales are rounding noise, infinite ones are overflow.
fn usable(scale: f32) -> bool {
    scale.is_normal() && scale > 0.0
}

fn standard_deviation(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
    (squares / count).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f32]) -> RobustZscore {
        RobustZscore::fit(&Matrix::from_values(1, values.to_vec()).unwrap()).unwrap()
    }

    fn z(detector: &RobustZscore, value: f32) -> f64 {
        detector.score(&Matrix::from_values(1, vec![value]).unwrap()).unwrap().max[0]
    }

    #[test]
    fn distance_from_the_median_is_measured_in_scaled_mads() {
        let detector = column(&[1.0, 2.0, 3.0, 4.0, 1000.0]);
        assert!((z(&detector, 3.0 + 1.4826 * 2.0) - 2.0).abs() < 1e-6);
        assert_eq!((z(&detector, 3.0), z(&detector, f32::NAN)), (0.0, 0.0));
        assert_eq!((z(&detector, f32::MAX), z(&detector, f32::MIN)), (50.0, 50.0));
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
        assert_eq!(z(&column(&[7.0; 10_000]), 8.0), 50.0);
        assert!(z(&column(&[7.0; 100]), 7.000_001) < 1e-4);
        assert_eq!(z(&column(&[7.0; 100]), 7.0), 0.0);
        assert!(z(&column(&[f32::NAN; 4]), 3.0).is_finite());
    }

    #[test]
    fn attributions_sum_to_the_mean() {
        let detector = RobustZscore::fit(&Matrix::from_rows(&[[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]]).unwrap()).unwrap();
        let row = [9.0, f32::NAN];
        let mut credit = [0.0; 2];
        detector.attribute(&row, &mut credit);
        let score = detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap();
        assert!((credit.iter().sum::<f64>() - score.mean[0]).abs() < 1e-6);
        assert_eq!(credit[1], 0.0);
    }
}
