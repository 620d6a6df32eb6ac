use serde::{Deserialize, Serialize};

use crate::matrix::Matrix;
use crate::quantiles::centre_and_scale;

/// Farthest from the median that a network is told of: beyond it a value is merely far, and one broken value must not
/// rule the mean of squares. Units: robust deviations.
pub const FAR: f32 = 5.0;

/// Medians and robust deviations of columns, learned in training and kept with the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    medians: Vec<f32>,
    deviations: Vec<f32>,
}

impl Scaling {
    /// Learns them; what is missing or infinite is left out.
    pub fn fit(rows: &Matrix) -> Self {
        let column = |place: usize| {
            let mut values = rows.present(place);
            values.retain(|value| value.is_finite());
            centre_and_scale(values)
        };
        let (medians, deviations) = (0..rows.width()).map(column).unzip();
        Self { medians, deviations }
    }

    /// Refuses a scaling that could not be applied; the text says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.medians.len() != self.deviations.len() {
            return Err(format!("{} medians for {} deviations", self.medians.len(), self.deviations.len()));
        }
        let deviations = self.deviations.iter().all(|deviation| deviation.is_normal() && *deviation > 0.0);
        match deviations && self.medians.iter().all(|median| median.is_finite()) {
            true => Ok(()),
            false => Err("a median or a deviation is not a usable number".to_owned()),
        }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.medians.len()
    }

    /// Writes how many deviations each value lies from its median, at most [`FAR`]; what is missing stays so.
    /// Shape: `row` and `scaled` have d values.
    pub fn apply(&self, row: &[f32], scaled: &mut [f32]) {
        let columns = row.iter().zip(&self.medians).zip(&self.deviations);
        for (scaled, ((value, median), deviation)) in scaled.iter_mut().zip(columns) {
            *scaled = ((value - median) / deviation).clamp(-FAR, FAR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_out_in_deviations_and_within_bounds() {
        let rows = Matrix::from_rows(&[[1.0, 7.0, f32::NAN], [2.0, 7.0, f32::INFINITY], [3.0, 7.0, f32::NAN]]).unwrap();
        let scaling = Scaling::fit(&rows);
        assert_eq!(scaling.check(), Ok(()));
        let mut scaled = [0.0; 3];
        scaling.apply(&[2.0 + 1.4826, f32::MAX, f32::NEG_INFINITY], &mut scaled);
        assert_eq!(scaled, [1.0, FAR, -FAR]);
        scaling.apply(&[f32::NAN, 7.0, f32::NAN], &mut scaled);
        assert!(scaled[0].is_nan() && scaled[1] == 0.0 && scaled[2].is_nan());
    }
}
