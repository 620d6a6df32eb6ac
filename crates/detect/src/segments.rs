//! Calibration per segment: what is rare among laptops may be usual among servers.
//!
//! A segment is a value of one categorical column. Detectors are the same for all; how rare a score is, is asked among
//! the rows of the same segment. A segment with few rows, and rows without a value, are asked among all rows.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::columns::{Encoding, ModelColumns};
use crate::matrix::Matrix;

/// Which encoded columns tell a row's segment: one column per segment, 1 where the row belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segments {
    first: usize,
    count: usize,
}

/// A calibration for all rows, and one for each segment with rows enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segmented {
    whole: Calibration,
    parts: Vec<Option<Calibration>>,
}

impl Segments {
    /// Finds the columns that tell the segments. The text says why they cannot.
    pub(crate) fn of(columns: &ModelColumns, name: &str) -> Result<Self, String> {
        let inputs = columns.inputs();
        let Some(input) = inputs.iter().find(|input| input.column == name) else {
            let known: Vec<&str> = inputs.iter().map(|input| input.column.as_str()).collect();
            return Err(format!(
                "calibrate by `{name}`: the model has no such column; it has `{}`",
                known.join("`, `")
            ));
        };
        if input.encoding != Encoding::OneHot {
            return Err(format!("calibrate by `{name}`: its values are not told apart; encode it as one_hot"));
        }
        let places = columns.places(name);
        Ok(Self { first: places[0], count: places.len() })
    }

    /// Refuses columns beyond the last; the text says so.
    pub(crate) fn check(self, width: usize) -> Result<(), String> {
        match self.count >= 1 && self.first.checked_add(self.count).is_some_and(|end| end <= width) {
            true => Ok(()),
            false => Err(format!("segments in {} columns from {} of {width}", self.count, self.first)),
        }
    }

    /// Number of segments.
    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// Each row's segment.
    pub(crate) fn of_rows(self, rows: &Matrix) -> Vec<Option<usize>> {
        let of_row = |row: &[f32]| row[self.first..][..self.count].iter().position(|cell| *cell == 1.0);
        rows.iter().map(of_row).collect()
    }
}

impl Segmented {
    /// One calibration for all rows.
    pub(crate) fn whole(whole: Calibration) -> Self {
        Self { whole, parts: Vec::new() }
    }

    /// Calibrates scores, one per row; `of_rows` has each row's segment, or nothing. Segments with fewer than
    /// `rows_min` scores get no calibration of their own.
    pub(crate) fn fit(
        scores: &[f64],
        of_rows: &[Option<usize>],
        segments: usize,
        rows_min: usize,
        calibrate: impl Fn(&[f64]) -> Calibration,
    ) -> Self {
        let mut own: Vec<Vec<f64>> = vec![Vec::new(); segments];
        for (score, segment) in scores.iter().zip(of_rows) {
            if let Some(segment) = segment {
                own[*segment].push(*score);
            }
        }
        let part = |scores: &Vec<f64>| (scores.len() >= rows_min).then(|| calibrate(scores));
        Self { whole: calibrate(scores), parts: own.iter().map(part).collect() }
    }

    /// The calibration of a segment.
    pub(crate) fn of(&self, segment: Option<usize>) -> &Calibration {
        let part = segment.and_then(|segment| self.parts.get(segment));
        part.and_then(Option::as_ref).unwrap_or(&self.whole)
    }

    /// Surprisal of each score in its row's segment; `of_rows` is as long as the scores, or empty.
    pub(crate) fn surprisals(&self, scores: &[f64], of_rows: &[Option<usize>]) -> Vec<f64> {
        let segment = |row: usize| of_rows.get(row).copied().flatten();
        scores.iter().enumerate().map(|(row, score)| self.of(segment(row)).surprisal(*score)).collect()
    }

    /// Refuses what could not be looked up; the text says what is wrong.
    pub(crate) fn check(&self, segments: Option<Segments>) -> Result<(), String> {
        let expected = segments.map_or(0, Segments::count);
        if !self.parts.is_empty() && self.parts.len() != expected {
            return Err(format!("{} calibrations for {expected} segments", self.parts.len()));
        }
        self.parts.iter().flatten().chain([&self.whole]).try_for_each(Calibration::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_with_rows_enough_has_its_own_calibration_and_the_others_share_one() {
        let scores: Vec<f64> = (0..90).map(|n| f64::from(n % 30) + if n < 60 { 0.0 } else { 100.0 }).collect();
        let of_rows: Vec<Option<usize>> = (0..90).map(|n| Some(if n < 60 { 0 } else { 1 })).collect();
        let segmented = Segmented::fit(&scores, &of_rows, 3, 40, Calibration::exact);
        assert_eq!(segmented.of(Some(0)), &Calibration::exact(&scores[..60]));
        for few in [Some(1), Some(2), Some(9), None] {
            assert_eq!(segmented.of(few), &Calibration::exact(&scores));
        }
        assert!(segmented.surprisals(&[50.0], &[Some(0)])[0] > segmented.surprisals(&[50.0], &[])[0]);
    }

    #[test]
    fn only_a_one_hot_column_tells_segments() {
        let columns = ModelColumns::numeric(&["a", "b"]).unwrap();
        assert!(Segments::of(&columns, "c").unwrap_err().contains("it has `a`, `b`"));
        assert!(Segments::of(&columns, "b").unwrap_err().contains("one_hot"));
        for (first, count) in [(0, 0), (1, 2), (usize::MAX, 2)] {
            assert!(Segments { first, count }.check(2).is_err());
        }
        let rows = Matrix::from_rows(&[[1.0, 0.0], [0.0, 1.0], [f32::NAN, f32::NAN]]).unwrap();
        assert_eq!(Segments { first: 0, count: 2 }.of_rows(&rows), [Some(0), Some(1), None]);
    }
}
