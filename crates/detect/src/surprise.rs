//! How unlikely all the surprises of a row are together. Its inputs are features of the kind `surprise`: bits, each
//! −log₂ of the share of an entity's own past that lies as far out. They are probabilities already, told entity by
//! entity, so nothing is learned here.
//!
//! The sum of d surprisals of independent causes has a gamma law of shape d (Fisher's way to combine tests); its tail is
//! the score. Surprises of one event depend on each other, so what is strange is somewhat stranger here than it is; as the
//! only detector of an ensemble it is believed as it stands, beside others its scores are calibrated as theirs are.
//! Source: Fisher 1932, "Statistical Methods for Research Workers", section 21.1.

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;

/// Most surprises that are taken together: the law's sum of that many terms stays exact.
pub const WIDTH_MAX: usize = 64;
/// The most bits a surprise counts for.
const BITS_MAX: f64 = 1000.0;

/// Fisher's combination of the surprises of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surprise {
    width: u32,
}

impl Surprise {
    /// Takes so many surprises together. Errors: `Setting` without any, or beyond [`WIDTH_MAX`].
    pub fn new(width: usize) -> Result<Self, DetectError> {
        match (1..=WIDTH_MAX).contains(&width) {
            true => Ok(Self { width: width as u32 }),
            false => Err(DetectError::Setting(format!(
                "surprise: {width} inputs; 1 to {WIDTH_MAX} features of the kind `surprise` are possible"
            ))),
        }
    }

    /// Refuses a width that could not be applied; the text says so.
    pub(crate) fn check(&self) -> Result<(), String> {
        Self::new(self.width()).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Returns −ln of the probability that surprises sum to as much. A missing one does not count, a negative one is 0.
    /// Shape: `rows` is n × d, the result has n values from 0. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "sum surprises", expected, found });
        }
        let nats = |row: &[f32]| {
            let present = row.iter().filter(|bits| !bits.is_nan());
            let (count, sum) = present.fold((0, 0.0), |(count, sum), bits| (count + 1, sum + nats(*bits)));
            gamma_surprisal(count, sum)
        };
        Ok(rows.iter().map(nats).collect())
    }

    /// Adds to each column its surprise; the parts sum to the sum whose tail is the score. Units: nats.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        for (credit, bits) in credit.iter_mut().zip(row) {
            *credit += if bits.is_nan() { 0.0 } else { nats(*bits) };
        }
    }
}

fn nats(bits: f32) -> f64 {
    f64::from(bits).clamp(0.0, BITS_MAX) * std::f64::consts::LN_2
}

/// −ln Q(d, s), the tail of a gamma law of whole shape: s − ln Σ_{k<d} s^k / k!.
fn gamma_surprisal(shape: usize, sum: f64) -> f64 {
    let (mut term, mut total) = (1.0, 0.0);
    for k in 0..shape {
        total += term;
        term *= sum / (k + 1) as f64;
    }
    if shape == 0 { 0.0 } else { (sum - f64::ln(total)).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_surprise_is_believed_as_it_is() {
        let scores =
            Surprise::new(1).unwrap().score(&Matrix::from_rows(&[[0.0], [10.0], [f32::NAN]]).unwrap()).unwrap();
        assert!((scores[1] - 10.0 * std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!((scores[0], scores[2]), (0.0, 0.0));
    }

    #[test]
    fn the_tail_of_a_sum_is_that_of_independent_surprises() {
        // Q(2, s) = e^-s (1 + s).
        let sum = 6.0 * std::f64::consts::LN_2;
        let scores = Surprise::new(2).unwrap().score(&Matrix::from_rows(&[[2.0, 4.0]]).unwrap()).unwrap();
        assert!((scores[0] - (sum - (1.0 + sum).ln())).abs() < 1e-12);
    }

    #[test]
    fn credits_sum_to_the_surprises_and_nothing_overflows() {
        let detector = Surprise::new(WIDTH_MAX).unwrap();
        let row = vec![f32::INFINITY; WIDTH_MAX];
        let score = detector.score(&Matrix::from_rows(std::slice::from_ref(&row)).unwrap()).unwrap()[0];
        assert!(score.is_finite() && score > 1000.0);
        let mut credit = vec![0.0; WIDTH_MAX];
        detector.attribute(&row, &mut credit);
        assert!((credit.iter().sum::<f64>() - WIDTH_MAX as f64 * BITS_MAX * std::f64::consts::LN_2).abs() < 1e-6);
        assert!(Surprise::new(0).is_err() && Surprise::new(WIDTH_MAX + 1).is_err());
    }
}
