//! Distance of a vector of counts from the nearest one of training: a session that wrote other lines, more of them or
//! fewer than any usual session is strange.
//!
//! Sessions of one program repeat themselves, so the distinct vectors of training are few; they are kept with how often
//! each was met.
//!
//! ```text
//! w_j     = 1 + ln((1 + n) / (1 + rows in which column j is not 0))     one line of what every row has weighs 1
//! d(x, v) = Σ w_j |√x_j − √v_j|                                         nats
//! e(x)    = min over v of d(x, v) + rarity · ln(n / rows that are v)
//! raw     = e(x) if it exceeds the minimum effect, else 0
//! ```
//!
//! - Weights are 1 + idf, as text retrieval smooths them. Pure idf makes what every session has weightless, and one that
//!   ends too early then looks like the usual ones.
//! - Roots make the spread of counts the same at any height (Anscombe 1948): the eighth line of a kind says less than
//!   the first.
//! - The sum is not divided by its largest possible value: one line that no session ever had is as strange in a long
//!   session as in a short one.
//! - Rarity tells vectors met once from those met always; otherwise one odd row learned from hides all like it.
//! - What differs by less than the minimum effect is no finding, even where every row held out was met before: rows held
//!   out come from the same days as those learned from, and the next day mixes the same lines a little differently.
//!
//! Source: Landauer, Skopik, Wurzenberger 2023, "A critical review of common log data sets used for evaluation of
//! sequence-based anomaly detection techniques": nearest count vector by idf-weighted L1 distance. Roots, the 1, rarity
//! and minimum effect are additions.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};

/// Most vectors that can be kept.
const VECTORS_MAX: usize = 65_536;

/// Which vectors are kept, and which distances count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountDistanceOptions {
    /// Most distinct vectors kept, the most frequent ones.
    pub vectors_max: usize,
    /// How far away a vector is taken to be for each nat of its rarity.
    pub rarity: f64,
    /// Least distance that counts. Units: nats.
    pub minimum_effect: f64,
}

impl CountDistanceOptions {
    /// Programs write some hundreds of kinds of sessions. A minimum of 4.5 is what one line weighs that one session in
    /// thirty has: what rarer lines than that do not make up is daily variety. Even a vector met once among a million
    /// rows is nearer. Chosen on the first 60 % of the blocks of HDFS_v1, each part measured by what came before it.
    pub const DEFAULT: Self = Self { vectors_max: 4096, rarity: 0.1, minimum_effect: 4.5 };
}

impl Options for CountDistanceOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("vectors_max", Slot::Whole(&mut self.vectors_max, 1..=VECTORS_MAX)),
            ("rarity", Slot::Number(&mut self.rarity, 0.0..=1.0)),
            ("minimum_effect", Slot::Number(&mut self.minimum_effect, 0.0..=1000.0)),
        ]
    }
}

/// The vectors met in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountDistance {
    /// One per column, from 1.
    weights: Vec<f32>,
    /// Roots of counts, vector after vector, the most frequent first.
    vectors: Vec<f32>,
    /// How far away each vector is taken to be because it is rare; rising.
    rarities: Vec<f32>,
    minimum_effect: f64,
    /// Distinct vectors that were not kept.
    left_out: u64,
}

impl CountDistance {
    /// Keeps the distinct vectors of the rows; of equally frequent ones the smaller, first column first. A missing count
    /// is 0. Errors: `TooFewRows` without rows.
    pub fn fit(rows: &Matrix, options: &CountDistanceOptions) -> Result<Self, DetectError> {
        if rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "learn counts", needed: 1, found: 0 });
        }
        let mut present = vec![0_u64; rows.width()];
        let mut met: HashMap<Vec<u32>, u64, FixedState> = HashMap::default();
        for row in rows.iter() {
            let bits: Vec<u32> = row.iter().map(|value| root(*value).to_bits()).collect();
            present.iter_mut().zip(&bits).for_each(|(present, bits)| *present += u64::from(*bits != 0));
            *met.entry(bits).or_default() += 1;
        }
        let mut met: Vec<(Vec<f32>, u64)> =
            met.into_iter().map(|(bits, times)| (bits.into_iter().map(f32::from_bits).collect(), times)).collect();
        let by_value = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        met.sort_unstable_by(|a, b| {
            b.1.cmp(&a.1).then_with(|| by_value(&a.0, &b.0).unwrap_or(std::cmp::Ordering::Equal))
        });
        let left_out = met.len().saturating_sub(options.vectors_max);
        met.truncate(options.vectors_max);
        let all = rows.rows() as f64;
        let weight = |present: &u64| (1.0 + ((1.0 + all) / (1.0 + *present as f64)).ln()) as f32;
        Ok(Self {
            weights: present.iter().map(weight).collect(),
            rarities: met.iter().map(|(_, times)| (options.rarity * (all / *times as f64).ln()) as f32).collect(),
            vectors: met.into_iter().flat_map(|(vector, _)| vector).collect(),
            minimum_effect: options.minimum_effect,
            left_out: left_out as u64,
        })
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (width, vectors) = (self.weights.len(), self.rarities.len());
        if width == 0 || !(1..=VECTORS_MAX).contains(&vectors) || self.vectors.len() != vectors * width {
            return Err(format!("{} counts do not make 1 to {VECTORS_MAX} vectors of {width}", self.vectors.len()));
        }
        if self.weights.iter().any(|weight| !weight.is_finite() || *weight < 1.0) {
            return Err("a weight of a count is not a number from 1".to_owned());
        }
        if self.vectors.iter().any(|value| !value.is_finite()) {
            return Err("a count is not a number".to_owned());
        }
        if !(0.0..=1000.0).contains(&self.minimum_effect) {
            return Err(format!("a minimum effect of {}", self.minimum_effect));
        }
        match self.rarities.is_sorted() && self.rarities.iter().all(|cost| cost.is_finite() && *cost >= 0.0) {
            true => Ok(()),
            false => Err("the rarities of vectors do not rise from 0".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.weights.len()
    }

    /// Number of distinct vectors of training that were not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns how far each row is from the nearest vector of training, that vector's rarity included; 0 below the
    /// minimum effect. Shape: `rows` is n × d; result has n values from 0. Units: nats. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score counts", expected, found });
        }
        let effect = |row: &[f32]| self.nearest(&roots(row)).1;
        let counted = |effect: f64| if effect > self.minimum_effect { effect } else { 0.0 };
        Ok(rows.iter().map(|row| counted(effect(row))).collect())
    }

    /// Adds to each column its part of the distance from the nearest vector; the parts sum to it. Returns that vector.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) -> Vec<f32> {
        let row = roots(row);
        let nearest = self.vector(self.nearest(&row).0);
        credit.iter_mut().zip(self.parts(&row, nearest)).for_each(|(credit, part)| *credit += part);
        nearest.iter().map(|root| root.signum() * root * root).collect()
    }

    fn vector(&self, index: usize) -> &[f32] {
        &self.vectors[index * self.width()..][..self.width()]
    }

    /// The nearest vector and how far it is. Rarities rise, so the search ends where they alone exceed the best.
    fn nearest(&self, row: &[f32]) -> (usize, f64) {
        let (mut nearest, mut least) = (0, f64::INFINITY);
        for (index, rarity) in self.rarities.iter().enumerate() {
            let rarity = f64::from(*rarity);
            if rarity >= least {
                break;
            }
            let distance = rarity + self.parts(row, self.vector(index)).sum::<f64>();
            if distance < least {
                (nearest, least) = (index, distance);
            }
        }
        (nearest, least)
    }

    fn parts(&self, row: &[f32], vector: &[f32]) -> impl Iterator<Item = f64> {
        let columns = self.weights.iter().zip(row.iter().zip(vector));
        columns.map(|(weight, (a, b))| f64::from(*weight) * (f64::from(*a) - f64::from(*b)).abs())
    }
}

/// Root of a count; no line was counted where it is missing. Both zeros are one, and what is no count keeps its sign.
fn root(value: f32) -> f32 {
    if value.is_finite() { value.abs().sqrt().copysign(value) + 0.0 } else { 0.0 }
}

fn roots(row: &[f32]) -> Vec<f32> {
    row.iter().map(|value| root(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: CountDistanceOptions =
        CountDistanceOptions { rarity: 0.0, minimum_effect: 0.0, ..CountDistanceOptions::DEFAULT };

    /// Ninety-nine sessions of one kind, of which every third has a second column, and one of another kind.
    fn sessions() -> Matrix {
        let kind =
            |n: usize| if n == 50 { [1.0, 4.0, 9.0] } else { [4.0, if n.is_multiple_of(3) { 1.0 } else { 0.0 }, 0.0] };
        Matrix::from_rows(&(0..100).map(kind).collect::<Vec<_>>()).unwrap()
    }

    fn fit(options: &CountDistanceOptions) -> CountDistance {
        let detector = CountDistance::fit(&sessions(), options).unwrap();
        assert_eq!(detector.check(), Ok(()));
        detector
    }

    fn score(detector: &CountDistance, row: [f32; 3]) -> f64 {
        detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0]
    }

    /// The slow, obvious twin.
    fn plainly(row: [f32; 3], options: &CountDistanceOptions) -> f64 {
        let rows = sessions();
        let present = |column: usize| rows.iter().filter(|row| row[column] != 0.0).count() as f64;
        let distance = |other: &[f32]| {
            let met = rows.iter().filter(|row| *row == other).count() as f64;
            let columns = (0..3).map(|column| {
                let weight = 1.0 + (101.0 / (1.0 + present(column))).ln();
                weight * f64::from(row[column].sqrt() - other[column].sqrt()).abs()
            });
            columns.sum::<f64>() + options.rarity * (100.0 / met).ln()
        };
        let nearest = rows.iter().map(distance).fold(f64::INFINITY, f64::min);
        if nearest > options.minimum_effect { nearest } else { 0.0 }
    }

    #[test]
    fn scores_are_those_of_measuring_every_session() {
        for options in [EVERYTHING, CountDistanceOptions::DEFAULT] {
            let detector = fit(&options);
            for row in [[4.0, 0.0, 0.0], [4.0, 1.0, 0.0], [1.0, 4.0, 9.0], [0.0; 3], [4.0, 0.0, 1.0], [90.0, 2.0, 7.0]]
            {
                let (seen, expected) = (score(&detector, row), plainly(row, &options));
                assert!((seen - expected).abs() < 1e-5, "{row:?}: {seen}, not {expected}");
            }
        }
    }

    #[test]
    fn a_line_no_session_had_counts_and_one_more_of_a_usual_kind_does_not() {
        let detector = fit(&CountDistanceOptions::DEFAULT);
        assert_eq!(score(&detector, [5.0, 0.0, 0.0]), 0.0);
        assert_eq!(score(&detector, [4.0, f32::NAN, f32::NAN]), 0.0);
        assert!(score(&detector, [4.0, 0.0, 1.0]) > 4.5);
        let shorter = score(&fit(&EVERYTHING), [1.0, 0.0, 0.0]);
        assert!(shorter > 0.9, "what every session has is missing: {shorter}");
    }

    #[test]
    fn of_too_many_vectors_the_most_frequent_are_kept() {
        let detector = fit(&CountDistanceOptions { vectors_max: 2, ..EVERYTHING });
        assert_eq!(detector.left_out(), 1);
        assert_eq!(score(&detector, [4.0, 1.0, 0.0]), 0.0);
        assert!(score(&detector, [1.0, 4.0, 9.0]) > 5.0);
    }

    #[test]
    fn the_explanation_names_what_is_too_many_and_too_few() {
        let detector = fit(&EVERYTHING);
        let mut credit = [0.0; 3];
        let nearest = detector.attribute(&[1.0, 0.0, 1.0], &mut credit);
        assert_eq!(nearest, [4.0, 0.0, 0.0]);
        assert!(credit[0] > 0.0 && credit[1] == 0.0 && credit[2] > credit[0], "{credit:?}");
        assert!((credit.iter().sum::<f64>() - score(&detector, [1.0, 0.0, 1.0])).abs() < 1e-9);
    }

    #[test]
    fn what_are_no_counts_still_scores_finitely() {
        let rows = Matrix::from_rows(&[[f32::MAX, -1.0, f32::NAN], [-0.0, 0.5, f32::MIN]]).unwrap();
        let detector = CountDistance::fit(&rows, &EVERYTHING).unwrap();
        assert_eq!(detector.check(), Ok(()));
        for row in [[f32::INFINITY; 3], [f32::NAN; 3], [f32::MAX; 3], [f32::MIN; 3]] {
            assert!(score(&detector, row).is_finite());
        }
        let none = CountDistance::fit(&Matrix::missing(0, 3), &EVERYTHING);
        assert!(matches!(none, Err(DetectError::TooFewRows { needed: 1, found: 0, .. })));
    }
}
