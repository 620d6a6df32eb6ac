use lapwing_vocabulary::Contribution;

use crate::ensemble::Ensemble;
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::member::Credits;

/// Most inputs named for a row: what a person reads at a glance.
pub const CONTRIBUTIONS_MAX: usize = 5;

impl Ensemble {
    /// Returns the inputs that had most to do with a row's score, largest first, at most [`CONTRIBUTIONS_MAX`].
    ///
    /// Each member divides its own score among its columns (robust z by distance, forest along its paths); what made
    /// the row look more usual is left out. Members are averaged with their parts of the summed surprisal as weights,
    /// so the member that raised the alert has the say. Shares are of all columns, also of those not returned. What was
    /// expected is the column's median, or what the member that gives the column most expected in this very row.
    /// Shape: `row` has d values. Errors: `WidthMismatch`.
    pub fn explain(&self, row: &[f32]) -> Result<Vec<Contribution>, DetectError> {
        let Credits { sum: shares, expected, .. } = self.credits(row)?;
        let mut order: Vec<usize> = (0..row.len()).filter(|place| shares[*place] > 0.0).collect();
        order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
        order.truncate(CONTRIBUTIONS_MAX);
        let contribution = |place: usize| Contribution {
            input: self.columns.name(place).unwrap_or_default(),
            share: shares[place],
            actual: (!row[place].is_nan()).then(|| f64::from(row[place])),
            expected: f64::from(expected[place]),
        };
        Ok(order.into_iter().map(contribution).collect())
    }

    /// Each column's share; they sum to 1, or are all 0 if no column stands out.
    fn credits(&self, row: &[f32]) -> Result<Credits, DetectError> {
        let weights = self.weights(&Matrix::from_values(row.len(), row.to_vec())?)?;
        let mut credits = Credits::new(&self.medians);
        for (member, weight) in self.members.iter().zip(weights) {
            member.attribute(row, weight, &mut credits);
        }
        let total: f64 = credits.sum.iter().sum();
        if total > 0.0 {
            credits.sum.iter_mut().for_each(|part| *part /= total);
        }
        Ok(credits)
    }

    /// The members' parts at one row; equal if nobody is surprised.
    fn weights(&self, row: &Matrix) -> Result<Vec<f64>, DetectError> {
        let parts = self.parts(row)?;
        match parts.iter().any(|part| *part > 0.0) {
            true => Ok(parts),
            false => Ok(vec![1.0; parts.len()]),
        }
    }
}
