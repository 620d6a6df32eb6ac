//! A function of one column as a short table: knots in rising order, and a value at each.

use serde::{Deserialize, Serialize};

/// Most knots of a table. A row looks up every column, so all tables of forty columns should fit a second-level cache.
pub(crate) const KNOTS_MAX: usize = 256;

/// Values at knots; what lies between is left to the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnTable {
    /// Rising, no two equal.
    knots: Vec<f32>,
    /// One per knot.
    values: Vec<f32>,
}

impl ColumnTable {
    /// Takes knots in rising order with their values.
    pub(crate) fn new(entries: Vec<(f32, f32)>) -> Self {
        let (knots, values) = entries.into_iter().unzip();
        Self { knots, values }
    }

    /// Refuses a table that could not be looked up; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (knots, values) = (self.knots.len(), self.values.len());
        if knots != values || !(1..=KNOTS_MAX).contains(&knots) {
            return Err(format!("a column's table has {knots} knots and {values} values"));
        }
        let rising = self.knots.is_sorted_by(|a, b| a < b);
        match rising && self.knots.iter().chain(&self.values).all(|number| number.is_finite()) {
            true => Ok(()),
            false => Err("a column's table does not rise, or is not finite".to_owned()),
        }
    }

    /// Number of knots at or below `x`. Every step halves the stretch without a branch that could be mispredicted.
    fn at_or_below(&self, x: f32) -> usize {
        let (mut start, mut length) = (0, self.knots.len());
        while length > 1 {
            let half = length / 2;
            start += usize::from(self.knots[start + half - 1] <= x) * half;
            length -= half;
        }
        start + usize::from(self.knots[start] <= x)
    }

    /// The value at the last knot at or below `x`; `None` below the first and for NaN.
    pub(crate) fn step(&self, x: f32) -> Option<f32> {
        self.at_or_below(x).checked_sub(1).map(|place| self.values[place])
    }

    /// The value on the line between the knots around `x`; beyond the ends that of the end.
    pub(crate) fn line(&self, x: f32) -> f32 {
        let above = self.at_or_below(x);
        if above == 0 {
            return self.values[0];
        }
        if above == self.knots.len() {
            return self.values[above - 1];
        }
        let (low, high) = (self.knots[above - 1], self.knots[above]);
        let (least, most) = (self.values[above - 1], self.values[above]);
        // In double precision, because the difference of two knots can be too large or too small for the single one.
        let share = (f64::from(x) - f64::from(low)) / (f64::from(high) - f64::from(low));
        least + (most - least) * share as f32
    }

    /// First and last knot.
    pub(crate) fn ends(&self) -> (f32, f32) {
        (self.knots[0], self.knots[self.knots.len() - 1])
    }

    /// Whether values begin at 0 and never fall.
    pub(crate) fn rises_from_zero(&self) -> bool {
        self.values[0] == 0.0 && self.values.is_sorted()
    }

    /// Values at the first and the last knot.
    pub(crate) fn end_values(&self) -> (f32, f32) {
        (self.values[0], self.values[self.values.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_search_agrees_with_counting(mut knots in prop::collection::vec(-50_i8..50, 1..40), x in -60_i8..60) {
            knots.sort_unstable();
            knots.dedup();
            let table = ColumnTable::new(knots.iter().map(|knot| (f32::from(*knot), 0.0)).collect());
            let plain = knots.iter().filter(|knot| **knot <= x).count();
            prop_assert_eq!(table.at_or_below(f32::from(x)), plain);
            prop_assert_eq!(table.check(), Ok(()));
        }
    }

    #[test]
    fn steps_and_lines_are_read_between_knots() {
        let table = ColumnTable::new(vec![(0.0, 1.0), (2.0, 3.0), (f32::MAX, 4.0)]);
        assert_eq!(
            [-1.0, 0.0, 1.9, 2.0, f32::NAN].map(|x| table.step(x)),
            [None, Some(1.0), Some(1.0), Some(3.0), None]
        );
        assert_eq!([-1.0, 0.0, 1.0, 2.0, f32::INFINITY].map(|x| table.line(x)), [1.0, 1.0, 2.0, 3.0, 4.0]);
        let wide = ColumnTable::new(vec![(f32::MIN, 0.0), (f32::MAX, 1.0)]);
        assert_eq!(wide.line(0.0), 0.5);
    }

    #[test]
    fn tables_that_could_not_be_looked_up_are_refused() {
        let tables = [vec![], vec![(1.0, 0.0), (1.0, 0.0)], vec![(f32::NAN, 0.0)], vec![(0.0, f32::INFINITY)]];
        for entries in tables {
            assert!(ColumnTable::new(entries).check().is_err());
        }
    }
}
