//! Principal components: how far a row leaves the flat on which the training rows lie.
//!
//! Columns are scaled robustly and clipped, so neither units nor single huge values turn the flat. Mean and covariance
//! are those of the most central rows, found in a few concentration steps, so that the anomalies among the training
//! rows do not pull the flat towards themselves. A row is projected onto the minor components (what is left after the
//! major ones have explained their share of the variance), or onto all of them, each divided by its deviation, which
//! makes the score a squared Mahalanobis distance.
//!
//! On columns that a `sequence` feature gives (the last n values of an entity) this is windowed PCA: a stretch of a
//! series is strange when the usual shapes cannot be added up to it.
//! Source: Shyu, Chen, Sarinnapakorn, Chang 2003, "A Novel Anomaly Detection Scheme Based on Principal Component
//! Classifier"; the steps: Rousseeuw, Van Driessen 1999, "A Fast Algorithm for the Minimum Covariance Determinant
//! Estimator".

use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};
use crate::quantiles::centre_and_scale;

/// Most columns: the eigenvectors of 512 take a second to find, and the work grows with the cube.
pub const WIDTH_MAX: usize = 512;
/// Scaled values count for no more, so that one column cannot fill the covariance. Units: robust deviations.
const VALUE_MAX: f32 = 10.0;
/// Share of the rows, the most central ones, that covariances are learned from.
const CENTRAL_SHARE: f64 = 0.75;
/// Passes over the rows: the first on all rows, the others on the central ones of the pass before; more change little.
const STEPS: usize = 3;
/// Variances are at least this share of the largest: below it they are rounding noise.
const VARIANCE_MIN: f64 = 1e-3;
/// No part of a direction is larger, so that no squared length overflows; the least deviation is its inverse.
const DIRECTION_MAX: f32 = 1e6;
/// Most rows learned from; beyond it, covariances no longer change noticeably. Every k-th row is taken.
const ROWS_MAX: usize = 100_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcaOptions {
    /// Share of the variance that the major components explain; the others are measured. Without effect if `weighted`.
    pub variance: f64,
    /// Measure all components, each in units of its own deviation.
    pub weighted: bool,
}

impl PcaOptions {
    /// Reconstruction error after the components that explain 90 % of the variance.
    pub const DEFAULT: Self = Self { variance: 0.9, weighted: false };
}

impl Options for PcaOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![("variance", Slot::Number(&mut self.variance, 0.0..=1.0)), ("weighted", Slot::Flag(&mut self.weighted))]
    }
}

/// Directions in which a row must not move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    medians: Vec<f32>,
    scales: Vec<f32>,
    /// Mean of the scaled central rows.
    centre: Vec<f32>,
    /// k × d, laid column by column: the k parts of the first column, then those of the second.
    directions: Vec<f32>,
}

/// Mean and covariance of scaled rows. Shape: d and d × d.
struct Moments {
    mean: Vec<f64>,
    covariance: DMatrix<f64>,
}

impl Pca {
    /// Learns the flat; a missing value lies at its column's median. The same rows give the same flat.
    /// Errors: `TooFewRows` below 2, `Setting` with more than [`WIDTH_MAX`] columns.
    pub fn fit(rows: &Matrix, options: &PcaOptions) -> Result<Self, DetectError> {
        if rows.rows() < 2 {
            return Err(DetectError::TooFewRows { act: "fit principal components", needed: 2, found: rows.rows() });
        }
        let width = rows.width();
        if width > WIDTH_MAX {
            let text = format!("pca: {width} columns, up to {WIDTH_MAX} are possible; name fewer `inputs`");
            return Err(DetectError::Setting(text));
        }
        let (medians, scales): (Vec<f32>, Vec<f32>) =
            (0..width).map(|column| centre_and_scale(rows.present(column))).unzip();
        let mut pca = Self { medians, scales, centre: vec![0.0; width], directions: Vec::new() };
        let stride = rows.rows().div_ceil(ROWS_MAX);
        let scaled: Vec<Vec<f32>> = rows.iter().step_by(stride).map(|row| pca.scaled(row).collect()).collect();
        let mut central: Vec<usize> = (0..scaled.len()).collect();
        for step in 1..=STEPS {
            let moments = Moments::of(&scaled, &central);
            pca.centre = moments.mean.iter().map(|mean| *mean as f32).collect();
            let weighted = options.weighted || step < STEPS;
            pca.directions = directions(moments.covariance, weighted, options.variance);
            central = pca.most_central(&scaled);
        }
        Ok(pca)
    }

    /// The rows that lie nearest, in their order.
    fn most_central(&self, scaled: &[Vec<f32>]) -> Vec<usize> {
        let mut projected = vec![0.0; self.components()];
        let distances = scaled.iter().map(|row| self.distance(row.iter().copied(), &mut projected));
        let mut order: Vec<(f32, usize)> = distances.zip(0..).collect();
        let kept = ((order.len() as f64 * CENTRAL_SHARE).ceil() as usize).clamp(1, order.len());
        order.select_nth_unstable_by(kept - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut central: Vec<usize> = order[..kept].iter().map(|(_, row)| *row).collect();
        central.sort_unstable();
        central
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let width = self.medians.len();
        let columns = [self.scales.len(), self.centre.len()];
        if !(1..=WIDTH_MAX).contains(&width) || columns != [width; 2] {
            return Err(format!("principal components of {width} columns with {columns:?} scales and centres"));
        }
        if !self.directions.len().is_multiple_of(width) || self.components() > width {
            return Err(format!("{} numbers are no directions in {width} columns", self.directions.len()));
        }
        let finite = [&self.medians, &self.scales, &self.centre].into_iter().flatten().all(|value| value.is_finite());
        let bounded = self.directions.iter().all(|part| part.abs() <= DIRECTION_MAX);
        match finite && bounded && self.scales.iter().all(|scale| *scale > 0.0) {
            true => Ok(()),
            false => Err("a principal component is not made of usable numbers".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.medians.len()
    }

    /// Number of components measured.
    pub fn components(&self) -> usize {
        self.directions.len() / self.width()
    }

    /// Returns how far each row leaves the flat. Shape: `rows` is n × d; result has n values from 0.
    /// Units: squared robust deviations, or squared deviations of the components. Errors: `WidthMismatch`.
    /// Source: Shyu et al. 2003, section 3.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score principal components", expected, found });
        }
        let mut projected = vec![0.0; self.components()];
        Ok(rows.iter().map(|row| f64::from(self.distance(self.scaled(row), &mut projected))).collect())
    }

    /// Adds to each column its part of the row's score: its distance from the centre times the slope of the score
    /// there, halved. The parts sum to the score; a negative one belongs to a column that makes up for others.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let mut projected = vec![0.0; self.components()];
        self.distance(self.scaled(row), &mut projected);
        let offsets = self.scaled(row).zip(&self.centre).map(|(value, centre)| value - centre);
        let parts = self.directions.chunks_exact(self.components().max(1));
        for ((credit, offset), parts) in credit.iter_mut().zip(offsets).zip(parts) {
            let slope: f32 = parts.iter().zip(&projected).map(|(part, projected)| part * projected).sum();
            *credit += f64::from(offset * slope);
        }
    }

    fn scaled(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        row.iter().zip(&self.medians).zip(&self.scales).map(|((value, median), scale)| match value.is_nan() {
            true => 0.0,
            false => ((value - median) / scale).clamp(-VALUE_MAX, VALUE_MAX),
        })
    }

    /// Squared length of the projection, which is left in `projected`. Column by column, so that the sums of all
    /// components grow side by side, in one order whatever the batch.
    fn distance(&self, scaled: impl Iterator<Item = f32>, projected: &mut [f32]) -> f32 {
        projected.fill(0.0);
        let parts = self.directions.chunks_exact(projected.len().max(1));
        for ((value, centre), parts) in scaled.zip(&self.centre).zip(parts) {
            let offset = value - centre;
            for (sum, part) in projected.iter_mut().zip(parts) {
                *sum += offset * part;
            }
        }
        projected.iter().map(|part| part * part).sum()
    }
}

impl Moments {
    /// Of the rows named, of which there is at least one.
    fn of(rows: &[Vec<f32>], named: &[usize]) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let count = named.len().max(1) as f64;
        let mut mean = vec![0.0; width];
        for row in named {
            mean.iter_mut().zip(&rows[*row]).for_each(|(mean, value)| *mean += f64::from(*value) / count);
        }
        let mut covariance = DMatrix::zeros(width, width);
        let mut offsets = vec![0.0; width];
        for row in named {
            for ((offset, value), mean) in offsets.iter_mut().zip(&rows[*row]).zip(&mean) {
                *offset = f64::from(*value) - mean;
            }
            for (column, offset) in offsets.iter().enumerate() {
                let mut below = covariance.column_mut(column);
                for (cell, other) in below.as_mut_slice()[column..].iter_mut().zip(&offsets[column..]) {
                    *cell += offset * other / count;
                }
            }
        }
        covariance.fill_upper_triangle_with_lower_triangle();
        Self { mean, covariance }
    }
}

/// The directions measured, laid column by column: all, divided by their deviations, or those that are left when the
/// major ones have explained `variance`; at least one. A covariance of 0 measures plain distances.
fn directions(covariance: DMatrix<f64>, weighted: bool, variance: f64) -> Vec<f32> {
    let width = covariance.nrows();
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let largest = eigen.eigenvalues[order[0]].max(f64::from(f32::MIN_POSITIVE));
    let least = (largest * VARIANCE_MIN).max(f64::from(DIRECTION_MAX).powi(-2));
    let total: f64 = eigen.eigenvalues.iter().map(|value| value.max(0.0)).sum();
    let mut explained = 0.0;
    let mut major = 0;
    while !weighted && major + 1 < width && explained < variance * total {
        explained += eigen.eigenvalues[order[major]].max(0.0);
        major += 1;
    }
    let measured = &order[major..];
    let weight = |component: usize| match weighted {
        true => eigen.eigenvalues[component].max(least).sqrt().recip(),
        false => 1.0,
    };
    let part = |column: usize, component: usize| (eigen.eigenvectors[(column, component)] * weight(component)) as f32;
    (0..width).flat_map(|column| measured.iter().map(move |component| part(column, *component))).collect()
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const WEIGHTED: PcaOptions = PcaOptions { variance: 0.9, weighted: true };

    /// Rows on a line through space, with a little noise off it.
    fn line(count: usize, noise: f32) -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut row = || {
            let (along, mut off) = (rng.random_range(-1.0..1.0_f32), || noise * rng.random_range(-1.0..1.0_f32));
            [along + off(), 2.0 * along + off(), -along + off()]
        };
        Matrix::from_rows(&(0..count).map(|_| row()).collect::<Vec<_>>()).unwrap()
    }

    fn score(pca: &Pca, row: [f32; 3]) -> f64 {
        pca.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0]
    }

    #[test]
    fn a_row_off_the_flat_is_stranger_than_one_far_along_it() {
        for options in [PcaOptions::DEFAULT, WEIGHTED] {
            let pca = Pca::fit(&line(500, 0.02), &options).unwrap();
            assert_eq!(pca.check(), Ok(()));
            assert!(score(&pca, [1.0, -2.0, -1.0]) > 20.0 * score(&pca, [1.0, 2.0, -1.0]), "{options:?}");
            assert!(score(&pca, [f32::NAN; 3]) < score(&pca, [1.0, -2.0, -1.0]));
        }
    }

    #[test]
    fn without_correlation_the_weighted_score_is_the_sum_of_squared_deviations() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut bell = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
        let rows: Vec<[f32; 2]> = (0..20_000).map(|_| [bell(), 100.0 * bell()]).collect();
        let pca = Pca::fit(&Matrix::from_rows(&rows).unwrap(), &WEIGHTED).unwrap();
        let scores = pca.score(&Matrix::from_rows(&[[3.0, 0.0], [0.0, 300.0], [3.0, 300.0]]).unwrap()).unwrap();
        assert!((scores[0] / scores[1] - 1.0).abs() < 0.1, "{scores:?}");
        assert!((scores[2] / (scores[0] + scores[1]) - 1.0).abs() < 0.1, "{scores:?}");
    }

    #[test]
    fn anomalies_among_the_training_rows_do_not_bend_the_flat() {
        let clean = line(400, 0.02);
        let mut values = clean.values().to_vec();
        (0..40).for_each(|_| values.extend([1.0, -2.0, -1.0]));
        let (clean, soiled) = (clean, Matrix::from_values(3, values).unwrap());
        let [clean, soiled] = [clean, soiled].map(|rows| Pca::fit(&rows, &WEIGHTED).unwrap());
        let [clean, soiled] = [clean, soiled].map(|pca| score(&pca, [1.0, -2.0, -1.0]));
        assert!(soiled > 0.3 * clean, "{soiled} is much less than {clean}");
    }

    #[test]
    fn constant_missing_and_huge_columns_score_finitely() {
        let rows: Vec<[f32; 3]> = (0..50).map(|n| [7.0, f32::NAN, if n == 0 { f32::MAX } else { n as f32 }]).collect();
        for rows in [rows, vec![[0.0; 3]; 20], vec![[f32::MIN; 3], [f32::MAX; 3]]] {
            for options in [PcaOptions::DEFAULT, WEIGHTED, PcaOptions { variance: 1.0, weighted: false }] {
                let pca = Pca::fit(&Matrix::from_rows(&rows).unwrap(), &options).unwrap();
                assert_eq!(pca.check(), Ok(()), "{options:?} {pca:?}");
                for row in [[8.0, 1.0, 2.0], [f32::INFINITY, f32::NEG_INFINITY, f32::NAN]] {
                    assert!(score(&pca, row).is_finite());
                }
            }
        }
        let wide = Matrix::missing(2, WIDTH_MAX + 1);
        assert!(matches!(Pca::fit(&wide, &WEIGHTED), Err(DetectError::Setting(text)) if text.contains("513 columns")));
    }

    #[test]
    fn attributions_sum_to_the_score() {
        for options in [PcaOptions::DEFAULT, WEIGHTED] {
            let pca = Pca::fit(&line(300, 0.1), &options).unwrap();
            for row in [[1.0, -2.0, -1.0], [9.0, f32::NAN, 0.0], [0.1, 0.2, -0.1]] {
                let mut credit = [0.0; 3];
                pca.attribute(&row, &mut credit);
                let score = score(&pca, row);
                assert!((credit.iter().sum::<f64>() - score).abs() < 1e-3 * score.max(1.0), "{credit:?} for {score}");
            }
        }
    }

    /// A sine of changing phase, seen through a window of 16 values as a `sequence` feature gives them.
    #[test]
    fn on_a_sequence_a_broken_shape_is_strange() {
        let window = |start: f32| std::array::from_fn::<f32, 16, _>(|n| ((start + n as f32) * 0.7).sin());
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut shape = || window(rng.random_range(0.0..100.0)).map(|value| value + rng.random_range(-0.05..0.05));
        let rows: Vec<[f32; 16]> = (0..1000).map(|_| shape()).collect();
        let pca = Pca::fit(&Matrix::from_rows(&rows).unwrap(), &PcaOptions::DEFAULT).unwrap();
        let mut broken = window(3.0);
        broken[7] = -broken[7];
        let scores = pca.score(&Matrix::from_rows(&[window(3.0), broken]).unwrap()).unwrap();
        assert!(scores[1] > 20.0 * scores[0], "{scores:?}");
    }
}
