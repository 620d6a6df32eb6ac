//! From distances of single columns to what a row's columns say together.
//!
//! Two questions, two measures. How far off is the row in all? Its mean distance tells, each column's part bounded, or
//! one broken value would outshine all others. Which column is strangest? There distances mean little: in a column of
//! sizes with a heavy tail, normal rows lie a thousand deviations off, in a rate between 0 and 1 no row can, and the
//! largest distance is told by the heaviest columns alone. So each column has a table of how rare its distances were
//! among the rows learned from, as surprisals, −ln of the share of rows at least as far off, which are alike in all
//! columns, and the largest surprisal is taken (Tippett's way to combine tests).
//!
//! Ranks say nothing of rows farther than all others, and too little where anomalies are among the rows learned from:
//! they hold the highest ranks themselves. So the farthest fifth follows a law, as in smooth calibration. Where too few
//! rows are off for one, surprisals grow beyond the farthest like Cantelli's bound, 1 / (1 + d²), the strictest that
//! holds for every law with a variance. For columns in which no row was off, all of them are asked
//! together: leaving one row out, those in which it alone was off would have seemed as constant, so their number tells
//! how often a constant breaks. Sixty constants of which none ever broke are worth more than one.
//!
//! Sources: Tippett 1931, "The Methods of Statistics", for the largest of several; Cantelli 1928, "Sui confini della
//! probabilità", for the bound; Good 1953, "The population frequencies of species and the estimation of population
//! parameters", for what was seen once telling of what was never seen.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::column_table::ColumnTable;
use crate::matrix::Matrix;

/// Steps of a table, even in surprisal: at most one in five for a million rows.
const KNOTS: usize = 64;
/// No column counts for more in the mean. Units: deviations.
pub(crate) const DISTANCE_MAX: f32 = 50.0;
/// Columns in which one row was off are taken for this many more of them, so that none still leaves a chance.
const UNSEEN_BREAKS: f64 = 0.5;
/// No surprisal grows faster beyond the table than this many times Cantelli's; what is learned is below 4.
const GROWTH_MAX: f32 = 100.0;

/// How the strangest column is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ColumnMeasure {
    /// By the largest distance, at most `max_of_one`: what formats 1 and 2 have.
    Distance { max_of_one: f32 },
    /// By the largest surprisal.
    Surprisal(Vec<ColumnTail>),
}

/// How rare a distance is in its column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ColumnTail {
    /// Rows enough are off to tell a law.
    Law(Calibration),
    /// Few are.
    Few(FewOff),
}

/// How rare a distance is in a column in which few rows are off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FewOff {
    /// Surprisals at distances, both from 0 on.
    table: ColumnTable,
    /// What the excess over the last distance is measured in.
    unit: f32,
    /// Times how much it grows like Cantelli's bound.
    growth: f32,
}

impl ColumnMeasure {
    /// Learns how rare the distances are of each column of the rows. `distance` is that of a value in a column, from 0;
    /// it is 0 for missing ones.
    pub(crate) fn fit(rows: &Matrix, distance: impl Fn(usize, f32) -> f32) -> Self {
        let of_column = |column: usize| {
            let mut distances: Vec<f32> =
                rows.present(column).into_iter().map(|value| distance(column, value)).collect();
            distances.sort_unstable_by(f32::total_cmp);
            distances
        };
        let mut never_off = Vec::new();
        let mut once_off = 0;
        let mut tails = Vec::with_capacity(rows.width());
        for column in 0..rows.width() {
            let distances = of_column(column);
            match distances.len() - distances.partition_point(|distance| *distance <= 0.0) {
                0 => never_off.push(column),
                1 => once_off += 1,
                _ => {}
            }
            tails.push(ColumnTail::of(&distances));
        }
        let growth = break_growth(never_off.len(), once_off, rows.rows());
        never_off.into_iter().for_each(|column| tails[column] = ColumnTail::Few(FewOff { growth, ..FewOff::of(&[]) }));
        Self::Surprisal(tails)
    }

    /// Refuses what could not be applied to rows of `width` columns; the text says what is wrong.
    pub(crate) fn check(&self, width: usize) -> Result<(), String> {
        match self {
            Self::Distance { max_of_one } if *max_of_one >= DISTANCE_MAX => Ok(()),
            Self::Distance { max_of_one } => Err(format!("the largest distance is at most {max_of_one}")),
            Self::Surprisal(tails) if tails.len() != width => {
                Err(format!("tails of {} columns for {width}", tails.len()))
            }
            Self::Surprisal(tails) => tails.iter().try_for_each(ColumnTail::check),
        }
    }

    /// Mean distance of a row, each at most [`DISTANCE_MAX`], and what its strangest column says; one distance per
    /// column. Finite, from 0.
    pub(crate) fn mean_and_max(&self, distances: impl ExactSizeIterator<Item = f32>) -> (f64, f64) {
        let columns = distances.len() as f64;
        let (sum, max) = match self {
            Self::Distance { max_of_one } => {
                let (sum, max) = distances
                    .fold((0.0_f32, 0.0_f32), |(sum, max), distance| (sum + bounded(distance), max.max(distance)));
                (sum, max.min(*max_of_one))
            }
            Self::Surprisal(tails) => distances.zip(tails).fold((0.0_f32, 0.0_f32), |(sum, max), (distance, tail)| {
                (sum + bounded(distance), max.max(tail.surprisal(distance)))
            }),
        };
        (f64::from(sum) / columns, f64::from(max))
    }
}

/// Adds to each column its part of the mean distance; the parts sum to it. Shape: `credit` has one value per distance.
pub(crate) fn attribute(distances: impl ExactSizeIterator<Item = f32>, credit: &mut [f64]) {
    let columns = distances.len() as f64;
    for (credit, distance) in credit.iter_mut().zip(distances) {
        *credit += f64::from(bounded(distance)) / columns;
    }
}

/// A distance as it counts in the mean.
fn bounded(distance: f32) -> f32 {
    if distance < DISTANCE_MAX { distance } else { DISTANCE_MAX }
}

/// Growth that gives a unit step off a constant of n rows, which is √n deviations, the surprisal that all columns that
/// never or once changed tell together.
fn break_growth(never_off: usize, once_off: usize, rows: usize) -> f32 {
    let tried = (never_off + once_off) as f64 * (rows + 1) as f64;
    let broken = once_off as f64 + UNSEEN_BREAKS;
    ((tried / broken).ln() / ((rows + 1) as f64).ln()).max(0.0) as f32
}

impl ColumnTail {
    /// Of distances in rising order.
    fn of(rising: &[f32]) -> Self {
        let distances: Vec<f64> = rising.iter().map(|distance| f64::from(*distance)).collect();
        Calibration::with_law(&distances).map_or_else(|| Self::Few(FewOff::of(rising)), Self::Law)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Law(calibration) => calibration.check(),
            Self::Few(few) => few.check(),
        }
    }

    /// −ln of the share of rows at least as far off; rises with the distance. Finite.
    fn surprisal(&self, distance: f32) -> f32 {
        match self {
            _ if distance <= 0.0 => 0.0,
            Self::Law(calibration) => calibration.surprisal(f64::from(distance)) as f32,
            Self::Few(few) => few.surprisal(distance),
        }
    }
}

impl FewOff {
    /// Of distances in rising order. The k-th largest of n has a tail of k / (n + 1).
    fn of(rising: &[f32]) -> Self {
        let count = rising.len();
        let usual = rising.partition_point(|distance| *distance <= 0.0);
        let mut entries = vec![(0.0, 0.0)];
        let step = ((count.max(2) as f64).ln() / (KNOTS - 2) as f64).exp();
        let mut rank = count - usual;
        while rank > 0 {
            let distance = rising[count - rank];
            if entries.last().is_none_or(|(last, _)| *last < distance) {
                let at_least = count - rising.partition_point(|other| *other < distance);
                entries.push((distance, ((count + 1) as f64 / at_least as f64).ln() as f32));
            }
            rank = if rank == 1 { 0 } else { ((rank as f64 / step) as usize).clamp(1, rank - 1) };
        }
        let off = &rising[usual..];
        let mean = off.iter().map(|distance| f64::from(*distance) / off.len() as f64).sum::<f64>() as f32;
        let unit = if mean.is_normal() { mean } else { 1.0 };
        Self { table: ColumnTable::new(entries), unit, growth: 1.0 }
    }

    fn check(&self) -> Result<(), String> {
        self.table.check()?;
        let from_zero = self.table.ends().0 == 0.0 && self.table.rises_from_zero();
        let usable = self.unit.is_normal() && self.unit > 0.0 && (0.0..=GROWTH_MAX).contains(&self.growth);
        match from_zero && usable {
            true => Ok(()),
            false => Err("a column's tail is not made of usable numbers".to_owned()),
        }
    }

    /// −ln of the share of rows at least as far off, for a distance above 0.
    fn surprisal(&self, distance: f32) -> f32 {
        let excess = f64::from(distance) - f64::from(self.table.ends().1);
        if excess <= 0.0 {
            return self.table.line(distance);
        }
        let beyond = (excess / f64::from(self.unit)).powi(2).ln_1p();
        self.table.end_values().1 + self.growth * beyond as f32
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Columns of distances.
    fn fit(columns: &[Vec<f32>]) -> ColumnMeasure {
        let row = |row: usize| columns.iter().map(|column| column[row]).collect::<Vec<f32>>();
        let rows: Vec<Vec<f32>> = (0..columns[0].len()).map(row).collect();
        let measure = ColumnMeasure::fit(&Matrix::from_rows(&rows).unwrap(), |_, value| value);
        assert_eq!(measure.check(columns.len()), Ok(()));
        measure
    }

    fn largest(measure: &ColumnMeasure, distances: &[f32]) -> f64 {
        measure.mean_and_max(distances.iter().copied()).1
    }

    /// Exponential distances: a distance is its own surprisal.
    fn exponential(count: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..count).map(|_| -(1.0 - rng.random::<f32>()).ln()).collect()
    }

    #[test]
    fn surprisals_agree_with_the_law_that_the_distances_follow() {
        let measure = fit(&[exponential(50_000)]);
        for (distance, tolerance) in [(0.01, 0.02), (0.1, 0.02), (1.0, 0.03), (3.0, 0.15), (7.0, 1.0)] {
            let seen = largest(&measure, &[distance]);
            assert!((seen - f64::from(distance)).abs() < tolerance, "{distance} is {seen}");
        }
    }

    #[test]
    fn columns_are_alike_whatever_their_tails() {
        let light = exponential(20_000);
        let heavy: Vec<f32> = light.iter().map(|distance| (3.0 * distance).exp_m1()).collect();
        let measure = fit(&[light, heavy]);
        for distance in [0.5_f32, 2.0, 6.0] {
            let (one, other) =
                (largest(&measure, &[distance, 0.0]), largest(&measure, &[0.0, (3.0 * distance).exp_m1()]));
            assert!((one - other).abs() < 0.15 * one, "{one} and {other} at {distance}");
        }
    }

    #[test]
    fn farther_is_stranger_without_end_and_nothing_is_not_a_number() {
        let rare = (0..1000).map(|row| if row < 3 { 40.0 } else { 0.0 }).collect();
        for column in [exponential(1000), vec![0.0; 1000], vec![f32::NAN; 1000], rare, vec![f32::MAX; 1000]] {
            let measure = fit(&[column]);
            let distances = [0.0, 1.0, 50.0, 1e4, 1e12, 1e30, f32::MAX];
            let seen = distances.map(|distance| largest(&measure, &[distance]));
            assert!(seen.is_sorted_by(|a, b| a < b) && seen.iter().all(|value| value.is_finite()), "{seen:?}");
        }
    }

    #[test]
    fn a_broken_constant_is_stranger_the_more_constants_never_broke() {
        let rows = 900;
        let constant = || vec![0.0; rows];
        let once = || (0..rows).map(|row| if row == 5 { 30.0 } else { 0.0 }).collect::<Vec<f32>>();
        let step = |columns: &[Vec<f32>]| {
            let mut asked = vec![0.0; columns.len()];
            asked[0] = 30.0;
            largest(&fit(columns), &asked)
        };
        let alone = step(&[constant()]);
        assert!((alone - (901.0_f64 / 0.5).ln()).abs() < 0.01, "{alone}");
        let four = step(&[constant(), constant(), constant(), constant()]);
        assert!((four - alone - 4.0_f64.ln()).abs() < 0.01, "{four}");
        let brittle = step(&[constant(), once(), once(), once()]);
        assert!((brittle - (4.0 * 901.0 / 3.5_f64).ln()).abs() < 0.01, "{brittle}");
    }

    #[test]
    fn parts_sum_to_the_mean_and_no_column_counts_for_more_than_fifty() {
        let distances = [0.25, 2.0, 90.0, 0.0];
        let tails = fit(&[exponential(500), exponential(500), vec![0.0; 500], vec![0.0; 500]]);
        for measure in [tails, ColumnMeasure::Distance { max_of_one: f32::MAX }] {
            assert_eq!(measure.mean_and_max(distances.into_iter()).0, 52.25 / 4.0);
        }
        let mut credit = [0.0, 0.0, 0.0, 1.0];
        attribute(distances.into_iter(), &mut credit);
        assert_eq!(credit, [0.0625, 0.5, 12.5, 1.0]);
    }

    #[test]
    fn tails_that_could_not_be_applied_are_refused() {
        let ColumnMeasure::Surprisal(tails) = fit(&[exponential(500)]) else { panic!("tails were learned") };
        let refused = |change: fn(&mut FewOff)| {
            let mut few = FewOff::of(&[0.0, 0.0, 2.0]);
            assert_eq!(few.check(), Ok(()));
            change(&mut few);
            ColumnMeasure::Surprisal(vec![ColumnTail::Few(few)]).check(1).is_err()
        };
        assert!(refused(|tail| tail.unit = 0.0) && refused(|tail| tail.growth = f32::NAN));
        assert!(refused(|tail| tail.table = ColumnTable::new(vec![(0.0, 1.0), (1.0, 0.0)])));
        assert!(ColumnMeasure::Surprisal(tails.clone()).check(2).is_err());
        assert!(ColumnMeasure::Distance { max_of_one: f32::NAN }.check(1).is_err());
    }
}
