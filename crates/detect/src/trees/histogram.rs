//! What rows of a node add up to, bin by bin, and the best place to cut a column.
//!
//! Sums are of whole numbers: they are exact in any order, a child's histogram is its parent's less its sibling's to
//! the last bit, and threads cannot change a tree.

use std::ops::{AddAssign, Sub};

use crate::trees::binning::BINS_MAX;

/// Bits that hold a sum of weights; the number of rows has the other 26.
const WEIGHT_BITS: u32 = 38;
/// Most rows a tree is grown on: their number fits beside the sum of their weights.
pub(crate) const ROWS_MAX: usize = 1 << (u64::BITS - WEIGHT_BITS - 1);
const ONE_ROW: u64 = 1 << WEIGHT_BITS;
/// A cut must explain this share more than none does: less is rounding.
const GAIN_SHARE_MIN: f64 = 1e-9;

/// What one row brings: how strongly it pulls towards a higher value, and how much it resists. For a forest, the
/// weight of an anomaly (0 for a normal row) and the weight; for boosting, first and second derivative of the loss.
/// Units: those of [`Scale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) target: i32,
    pub(crate) weight: u32,
}

/// Sums over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    target: i64,
    /// Number of rows and sum of weights in one word: one addition for both.
    rows_weight: u64,
}

impl Sums {
    /// Of no rows.
    pub(crate) const EMPTY: Self = Self { target: 0, rows_weight: 0 };

    pub(crate) fn of(terms: &[Term]) -> Self {
        let mut sums = Self::EMPTY;
        terms.iter().for_each(|term| sums.add(*term));
        sums
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, term: Term) {
        self.target += i64::from(term.target);
        self.rows_weight += u64::from(term.weight) | ONE_ROW;
    }

    pub(crate) fn rows(self) -> u64 {
        self.rows_weight >> WEIGHT_BITS
    }

    fn weight(self) -> u64 {
        self.rows_weight & (ONE_ROW - 1)
    }

    /// Whether all rows are of one kind, where targets are weights of anomalies.
    pub(crate) fn is_pure(self) -> bool {
        self.target == 0 || self.target.unsigned_abs() == self.weight()
    }
}

/// Sums of each bin of a column; as many as there can be, so that a byte is always a place.
pub(crate) type Histogram = [Sums; BINS_MAX];

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.target += other.target;
        self.rows_weight += other.rows_weight;
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { target: self.target - other.target, rows_weight: self.rows_weight - other.rows_weight }
    }
}

/// How targets and weights become whole numbers. Units: whole numbers per 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    target: f64,
    weight: f64,
}

impl Scale {
    /// The finest scale on which no sum over the rows overflows. Targets and weights are finite, weights not negative.
    pub(crate) fn of(rows: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut target_max, mut weight_max, mut weight_sum) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (target, weight) in rows {
            target_max = target_max.max(target.abs());
            weight_max = weight_max.max(weight);
            weight_sum += weight;
        }
        // Half of what fits, because each weight may be rounded up.
        let weights_max = (ONE_ROW / 2) as f64;
        Self {
            target: f64::from(1 << 30) / target_max.max(f64::MIN_POSITIVE.sqrt()),
            weight: (f64::from(1_u32 << 31) / weight_max.max(f64::MIN_POSITIVE.sqrt()))
                .min(weights_max / weight_sum.max(f64::MIN_POSITIVE.sqrt())),
        }
    }

    /// Weights are rounded up, so that no row is without resistance.
    pub(crate) fn term(self, target: f64, weight: f64) -> Term {
        Term { target: (target * self.target).round() as i32, weight: (weight * self.weight).ceil() as u32 }
    }
}

/// Which cuts are allowed, and how they are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) scale: Scale,
    /// Fewest rows on each side of a cut.
    pub(crate) leaf_rows_min: u64,
    /// Added to every sum of weights.
    pub(crate) l2: f64,
}

impl Rule {
    /// What a node explains. Halved and with weights as second derivatives, the drop of the loss (Chen, Guestrin 2016,
    /// eq. 6); with targets as weights of anomalies, a constant less half the Gini impurity times the weight, so the
    /// best cut is the same one (Breiman et al. 1984, chapter 4).
    fn explained(&self, sums: Sums) -> f64 {
        let target = sums.target as f64 / self.scale.target;
        target * target / (sums.weight() as f64 / self.scale.weight + self.l2)
    }
}

/// A cut of a column: rows in `bin` and below go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) gain: f64,
    pub(crate) bin: u8,
    pub(crate) left: Sums,
}

/// What a histogram shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scan {
    /// Whether rows lie in more than one bin.
    pub(crate) varies: bool,
    /// The cut that explains most; the lowest of equal ones.
    pub(crate) best: Option<Cut>,
}

/// Adds each row's term to its bin, column by column: rows and terms are read once for all the columns, and while one
/// addition waits for the one before it in the same bin, those of the others go on.
/// Shape: a term per row, a histogram per column.
#[inline(never)]
pub(crate) fn accumulate<const N: usize>(
    columns: [&[u8]; N],
    rows: &[u32],
    terms: &[Term],
    histograms: &mut [Histogram; N],
) {
    for (row, term) in rows.iter().zip(terms) {
        for (column, histogram) in columns.iter().zip(histograms.iter_mut()) {
            histogram[usize::from(column[*row as usize])].add(*term);
        }
    }
}

/// Looks for the best cut of a column whose histogram sums to `total`. Within a gap of empty bins the cut is in its
/// middle, as far as can be from the rows on both sides, but missing values stay by themselves.
pub(crate) fn scan(histogram: &[Sums], total: Sums, rule: &Rule) -> Scan {
    let before = rule.explained(total);
    let mut left = Sums::EMPTY;
    let mut last = None;
    let (mut varies, mut best): (bool, Option<Cut>) = (false, None);
    for (bin, sums) in histogram.iter().enumerate().filter(|(_, sums)| sums.rows_weight != 0) {
        if let Some(last) = last {
            varies = true;
            let right = total - left;
            if right.rows() < rule.leaf_rows_min {
                break;
            }
            if left.rows() >= rule.leaf_rows_min {
                let after = rule.explained(left) + rule.explained(right);
                let gain = after - before;
                if gain > after * GAIN_SHARE_MIN && best.is_none_or(|best| gain > best.gain) {
                    let middle = if last == 0 { 0 } else { usize::midpoint(last, bin) };
                    best = Some(Cut { gain, bin: middle as u8, left });
                }
            }
        }
        left += *sums;
        last = Some(bin);
    }
    Scan { varies, best }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow, obvious twin: every cut, with weighted Gini impurity as in the textbook.
    fn best_by_impurity(rows: &[(u8, f64, bool)], leaf_rows_min: usize) -> Option<f64> {
        let impurity = |rows: &[(u8, f64, bool)]| {
            let weight: f64 = rows.iter().map(|row| row.1).sum();
            let share = rows.iter().filter(|row| row.2).map(|row| row.1).sum::<f64>() / weight;
            weight * 2.0 * share * (1.0 - share)
        };
        let drop_of = |cut: u8| {
            let (left, right): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.0 <= cut);
            let allowed = left.len() >= leaf_rows_min && right.len() >= leaf_rows_min;
            allowed.then(|| impurity(rows) - impurity(&left) - impurity(&right))
        };
        (0..255).filter_map(drop_of).filter(|drop| *drop > 1e-6).max_by(f64::total_cmp)
    }

    proptest! {
        #[test]
        fn the_best_cut_is_the_one_that_an_exhaustive_search_finds(
            rows in prop::collection::vec((0_u8..20, 1_u8..4, any::<bool>()), 2..60), leaf_rows_min in 1_usize..5,
        ) {
            let rows: Vec<(u8, f64, bool)> = rows.into_iter().map(|(bin, w, y)| (bin, f64::from(w) * 0.7, y)).collect();
            let target = |row: &(u8, f64, bool)| if row.2 { row.1 } else { 0.0 };
            let scale = Scale::of(rows.iter().map(|row| (target(row), row.1)));
            let terms: Vec<Term> = rows.iter().map(|row| scale.term(target(row), row.1)).collect();
            let column: Vec<u8> = rows.iter().map(|row| row.0).collect();
            let order: Vec<u32> = (0..rows.len() as u32).collect();
            let mut histograms = [[Sums::EMPTY; BINS_MAX]; 2];
            accumulate([&column; 2], &order, &terms, &mut histograms);
            prop_assert_eq!(histograms[0], histograms[1]);
            let [histogram, _] = histograms;
            let rule = Rule { scale, leaf_rows_min: leaf_rows_min as u64, l2: 0.0 };
            let found = scan(&histogram, Sums::of(&terms), &rule);
            prop_assert_eq!(found.varies, column.iter().any(|bin| *bin != column[0]));
            // Half the drop of impurity is the gain.
            match (found.best, best_by_impurity(&rows, leaf_rows_min)) {
                (Some(cut), Some(drop)) => {
                    prop_assert!((2.0 * cut.gain - drop).abs() < 1e-5, "{} {}", cut.gain, drop);
                    let left = column.iter().filter(|bin| **bin <= cut.bin).count();
                    prop_assert_eq!(cut.left.rows(), left as u64);
                }
                (found, drop) => prop_assert!(found.is_none() && drop.is_none(), "{:?} {:?}", found, drop),
            }
        }
    }

    #[test]
    fn missing_values_stay_by_themselves_and_other_gaps_are_cut_in_the_middle() {
        let scale = Scale::of([(1.0, 1.0); 4].into_iter());
        let rule = Rule { scale, leaf_rows_min: 1, l2: 0.0 };
        let cut_between = |low: u8, high: u8| {
            let mut histogram = [[Sums::EMPTY; BINS_MAX]];
            let terms = [scale.term(0.0, 1.0), scale.term(1.0, 1.0)];
            accumulate([&[low, high]], &[0, 1], &terms, &mut histogram);
            scan(&histogram[0], Sums::of(&terms), &rule).best.unwrap().bin
        };
        assert_eq!((cut_between(0, 200), cut_between(100, 200), cut_between(7, 8)), (0, 150, 7));
    }

    #[test]
    fn sums_of_the_most_rows_do_not_overflow() {
        let scale = Scale::of(std::iter::repeat_n((1.0, 0.25), ROWS_MAX));
        let term = scale.term(-1.0, 0.25);
        assert!(u64::from(term.weight) * (ROWS_MAX as u64) < ONE_ROW, "{term:?}");
        let few = Scale::of([(1e-300, 1e-300), (0.0, 0.0)].into_iter());
        assert!(few.target.is_finite() && few.weight.is_finite());
    }
}
