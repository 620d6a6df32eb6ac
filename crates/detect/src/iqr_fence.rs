//! Interquartile fences: how far each column lies outside the box that holds the middle half of the training values.
//!
//! Unlike a distance from the median it is measured from the nearer quartile, so a skewed column has room on its long
//! side. Tukey drew the fence at 1.5 boxes; here the distance itself is the score, and calibration draws the line.
//! Source: Tukey 1977, "Exploratory Data Analysis", section 2D.

use serde::{Deserialize, Serialize};

use crate::column_measure::{ColumnMeasure, attribute};
use crate::error::DetectError;
use crate::input_rule::{ColumnRule, Margin};
use crate::matrix::Matrix;
use crate::quantiles::{IQR_PER_DEVIATION, quantile, standard_deviation, usable};

/// The boxes of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IqrFence {
    boxes: Vec<QuartileBox>,
    /// How the strangest column is told.
    measure: ColumnMeasure,
}

/// Where the middle half of a column's values lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QuartileBox {
    low: f32,
    high: f32,
    /// Height of the box ÷ 1.349: the standard deviation, if the column is normal.
    deviation: f32,
    median: f32,
    margin: Margin,
}

/// Both raw scores of a batch. Shape: n values each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FenceDistances {
    /// Mean distance over the columns, each at most 50.
    pub mean: Vec<f64>,
    /// Largest surprisal of any column, without bound.
    pub max: Vec<f64>,
}

impl IqrFence {
    /// Learns quartiles and tail of each column, missing values left out. `rules` has one rule per column, or none at all.
    /// Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, rules: &[ColumnRule]) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit interquartile fence", needed: 1, found: 0 });
        }
        let rule = |column: usize| rules.get(column).copied().unwrap_or_default();
        let boxes: Vec<QuartileBox> =
            (0..rows.width()).map(|column| QuartileBox::of(rows.present(column), rule(column))).collect();
        let measure = ColumnMeasure::fit(rows, |column, value| boxes[column].distance(value));
        Ok(Self { boxes, measure })
    }

    /// The detector that an artefact of format 2 holds.
    pub(crate) fn of_format_2(boxes: Vec<QuartileBox>) -> Self {
        Self { boxes, measure: ColumnMeasure::Distance { max_of_one: f32::MAX } }
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.boxes.is_empty() {
            return Err("a fence of no column".to_owned());
        }
        match self.boxes.iter().all(QuartileBox::is_usable) {
            true => self.measure.check(self.boxes.len()),
            false => Err("a fence is not made of usable numbers".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.boxes.len()
    }

    /// Returns mean distance outside the boxes and largest surprisal of a column; a missing value counts as 0.
    /// Shape: `rows` is n × d; results have n values from 0. Units: deviations, nats. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<FenceDistances, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score interquartile fence", expected, found });
        }
        let (mean, max) = rows.iter().map(|row| self.measure.mean_and_max(self.distances(row))).unzip();
        Ok(FenceDistances { mean, max })
    }

    fn distances(&self, row: &[f32]) -> impl ExactSizeIterator<Item = f32> {
        row.iter().zip(&self.boxes).map(|(value, fence)| fence.distance(*value))
    }

    /// Adds to each column its part of the row's mean distance; the parts sum to that mean.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        attribute(self.distances(row), credit);
    }
}

impl QuartileBox {
    /// A box without height says nothing of distances: the standard deviation stands in, and for a column that never
    /// varied √(1/n), as for the robust z-score.
    fn of(mut values: Vec<f32>, rule: ColumnRule) -> Self {
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&mut values, share));
        let by_box = high / IQR_PER_DEVIATION - low / IQR_PER_DEVIATION;
        let never_varied = (values.len().max(1) as f32).recip().sqrt();
        let deviation = [by_box, standard_deviation(&values)].into_iter().find(|deviation| usable(*deviation));
        Self { low, high, deviation: deviation.unwrap_or(never_varied), median, margin: rule.margin(median) }
    }

    /// How far a value lies outside the box; 0 inside, if missing, or if its rule does not count it. Finite.
    fn distance(&self, value: f32) -> f32 {
        let outside = (value - self.high).max(self.low - value).max(0.0);
        let distance = (outside / self.deviation).min(f32::MAX);
        if self.margin.counts(value - self.median) { distance } else { 0.0 }
    }

    fn is_usable(&self) -> bool {
        let places = [self.low, self.median, self.high];
        let ordered = places.is_sorted() && places.iter().all(|place| place.is_finite());
        ordered && self.deviation.is_finite() && self.deviation > 0.0 && self.margin.is_usable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input_rule::{Direction, MinimumEffect};

    fn fence(values: &[f32], rules: &[ColumnRule]) -> IqrFence {
        IqrFence::fit(&Matrix::from_values(1, values.to_vec()).unwrap(), rules).unwrap()
    }

    fn distance(detector: &IqrFence, value: f32) -> f64 {
        f64::from(detector.distances(&[value]).next().unwrap())
    }

    #[test]
    fn distance_is_measured_from_the_nearer_quartile_in_boxes() {
        let detector = fence(&[0.0, 1.0, 2.0, 5.0, 100.0], &[]);
        let deviation = 4.0 / 1.349;
        assert!((distance(&detector, 5.0 + 3.0 * deviation) - 3.0).abs() < 1e-5);
        assert!((distance(&detector, 1.0 - 2.0 * deviation) - 2.0).abs() < 1e-5);
        assert_eq!((distance(&detector, 4.9), distance(&detector, f32::NAN)), (0.0, 0.0));
        assert!(distance(&detector, 2e30) > distance(&detector, 1e30));
        assert_eq!(distance(&detector, f32::INFINITY), f64::from(f32::MAX));
        assert_eq!(detector.check(), Ok(()));
    }

    #[test]
    fn constant_missing_and_infinite_columns_give_finite_distances() {
        for values in [vec![7.0; 100], vec![f32::NAN; 100], vec![f32::MAX, f32::MIN, 0.0, 1.0]] {
            let detector = fence(&values, &[]);
            assert_eq!(detector.check(), Ok(()), "{values:?}");
            for value in [8.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                assert!(distance(&detector, value).is_finite());
            }
        }
        assert!((distance(&fence(&[7.0; 100], &[]), 8.0) - 10.0).abs() < 1e-4);
    }

    #[test]
    fn a_rule_takes_out_one_side_and_small_effects() {
        let rule = ColumnRule { direction: Direction::Up, minimum_effect: MinimumEffect::Absolute(50.0) };
        let detector = fence(&[0.0, 1.0, 2.0, 3.0, 4.0], &[rule]);
        assert_eq!((distance(&detector, -500.0), distance(&detector, 51.0)), (0.0, 0.0));
        assert!(distance(&detector, 52.0) > 20.0);
    }

    #[test]
    fn attributions_sum_to_the_mean() {
        let rows = Matrix::from_rows(&[[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]]).unwrap();
        let detector = IqrFence::fit(&rows, &[]).unwrap();
        for row in [[9.0, f32::NAN], [-90.0, 1e9], [2.0, 7.0]] {
            let mut credit = [0.0; 2];
            detector.attribute(&row, &mut credit);
            let score = detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap();
            assert!((credit.iter().sum::<f64>() - score.mean[0]).abs() < 1e-5);
        }
    }
}
