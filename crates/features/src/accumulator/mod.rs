//! What is remembered of a set of values, as a fixed number of words. Each kind can take one value, and take in
//! another of its kind; both in any order give the same result: sketches to the bit, sums up to rounding.

/// Small counters, packed.
mod counters;
/// Number of values.
mod count;
/// Sum.
mod sum;
/// Number and sum, from which the mean follows.
mod average;
/// Number, sum and squared deviations, from which the standard deviation follows.
mod moments;
/// Smallest value.
mod minimum;
/// Largest value.
mod maximum;

/// Number of different values, estimated.
mod distinct;
/// Histogram with relative bucket widths, from which quantiles follow.
mod quantiles;
/// Counts per hashed category, from which entropy and shares follow.
mod categories;

pub(crate) use average::mean;
pub(crate) use categories::{entropy, share};
pub(crate) use distinct::distinct;
pub(crate) use moments::variance;
pub(crate) use quantiles::{quantiles, quartiles};

/// Larger values are treated as infinite, thus skipped: the square of a sum of a billion of them is still finite.
const VALUE_MAX: f64 = 1e120;

/// Whether a value counts: not null (NaN), not infinite.
#[inline]
pub(crate) fn usable(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// The kinds of accumulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulator {
    /// n
    Count,
    /// sum
    Sum,
    /// n, sum
    Average,
    /// n, sum, squared deviations from the mean
    Moments,
    /// smallest
    Minimum,
    /// largest
    Maximum,
    /// registers
    Distinct,
    /// histogram
    Quantiles,
    /// counters
    Categories,
}

/// Every kind, in the order of their places in a pane.
pub(crate) const ACCUMULATORS: [Accumulator; 9] = [
    Accumulator::Count,
    Accumulator::Sum,
    Accumulator::Average,
    Accumulator::Moments,
    Accumulator::Minimum,
    Accumulator::Maximum,
    Accumulator::Distinct,
    Accumulator::Quantiles,
    Accumulator::Categories,
];

impl Accumulator {
    /// Number of words.
    pub(crate) fn words(self) -> usize {
        match self {
            Self::Count | Self::Sum | Self::Minimum | Self::Maximum => 1,
            Self::Average => 2,
            Self::Moments => 3,
            Self::Distinct => distinct::WORDS,
            Self::Quantiles => quantiles::WORDS,
            Self::Categories => categories::WORDS,
        }
    }

    /// Names of its parts in layouts, with their words. Parts of two kinds that have the same name hold the same.
    pub(crate) fn parts(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Count => &[("n", 1)],
            Self::Sum => &[("sum", 1)],
            Self::Average => &[("n", 1), ("sum", 1)],
            Self::Moments => &[("n", 1), ("sum", 1), ("squares", 1)],
            Self::Minimum => &[("smallest", 1)],
            Self::Maximum => &[("largest", 1)],
            Self::Distinct => &[("registers", distinct::WORDS)],
            Self::Quantiles => &[("histogram", quantiles::WORDS)],
            Self::Categories => &[("categories", categories::WORDS)],
        }
    }

    /// Where the words of another kind lie within its own, if it holds them.
    pub(crate) fn place_of(self, other: Self) -> Option<usize> {
        match (self, other) {
            _ if self == other => Some(0),
            (Self::Average | Self::Moments, Self::Count) | (Self::Moments, Self::Average) => Some(0),
            (Self::Average | Self::Moments, Self::Sum) => Some(1),
            _ => None,
        }
    }

    /// Makes it remember nothing.
    pub(crate) fn clear(self, words: &mut [f64]) {
        let empty = match self {
            Self::Count | Self::Sum | Self::Average | Self::Moments => 0.0,
            Self::Minimum => f64::INFINITY,
            Self::Maximum => f64::NEG_INFINITY,
            Self::Distinct => return distinct::clear(chunk(words)),
            Self::Quantiles | Self::Categories => 0.0,
        };
        words[..self.words()].fill(empty);
    }

    /// Takes one usable value.
    #[inline(always)]
    pub(crate) fn add(self, words: &mut [f64], value: f64) {
        match self {
            Self::Count => count::add(chunk(words)),
            Self::Sum => sum::add(chunk(words), value),
            Self::Average => average::add(chunk(words), value),
            Self::Moments => moments::add(chunk(words), value),
            Self::Minimum => minimum::add(chunk(words), value),
            Self::Maximum => maximum::add(chunk(words), value),
            Self::Distinct | Self::Quantiles | Self::Categories => self.add_to_sketch(words, value),
        }
    }

    /// Apart, so that the plain kinds stay small enough to become part of the loop that calls them.
    #[inline(never)]
    fn add_to_sketch(self, words: &mut [f64], value: f64) {
        match self {
            Self::Distinct => distinct::add(chunk(words), value),
            Self::Quantiles => quantiles::add(chunk(words), value),
            Self::Categories => categories::add(chunk(words), value),
            _ => {}
        }
    }

    /// How many values it has taken; `None` if it does not count them.
    pub(crate) fn number(self, words: &[f64]) -> Option<f64> {
        match self {
            Self::Count | Self::Average | Self::Moments => Some(words[0]),
            Self::Quantiles => Some(quantiles::number(words)),
            Self::Sum | Self::Minimum | Self::Maximum | Self::Distinct | Self::Categories => None,
        }
    }

    /// Takes in everything that another of the same kind remembers.
    #[inline]
    pub(crate) fn merge(self, words: &mut [f64], other: &[f64]) {
        match self {
            Self::Count => count::merge(chunk(words), part(other)),
            Self::Sum => sum::merge(chunk(words), part(other)),
            Self::Average => average::merge(chunk(words), part(other)),
            Self::Moments => moments::merge(chunk(words), part(other)),
            Self::Minimum => minimum::merge(chunk(words), part(other)),
            Self::Maximum => maximum::merge(chunk(words), part(other)),
            Self::Distinct | Self::Quantiles | Self::Categories => self.merge_sketch(words, other),
        }
    }

    #[inline(never)]
    fn merge_sketch(self, words: &mut [f64], other: &[f64]) {
        match self {
            Self::Distinct => distinct::merge(chunk(words), part(other)),
            Self::Quantiles => quantiles::merge(chunk(words), part(other)),
            Self::Categories => categories::merge(chunk(words), part(other)),
            _ => {}
        }
    }
}

const ROOM: &str = "the layout gives each accumulator its words";

#[inline]
fn chunk<const N: usize>(words: &mut [f64]) -> &mut [f64; N] {
    words.first_chunk_mut().expect(ROOM)
}

#[inline]
fn part<const N: usize>(words: &[f64]) -> &[f64; N] {
    words.first_chunk().expect(ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The kinds whose words have an obvious twin; the sketches have theirs beside them.
    const PLAIN: [Accumulator; 6] = [
        Accumulator::Count,
        Accumulator::Sum,
        Accumulator::Average,
        Accumulator::Moments,
        Accumulator::Minimum,
        Accumulator::Maximum,
    ];

    fn filled(kind: Accumulator, values: &[f64]) -> Vec<f64> {
        let mut words = vec![0.0; kind.words()];
        kind.clear(&mut words);
        values.iter().for_each(|value| kind.add(&mut words, *value));
        words
    }

    /// The slow, obvious twin: looks at all values.
    fn twin(kind: Accumulator, values: &[f64]) -> Vec<f64> {
        let (n, sum) = (values.len() as f64, values.iter().sum::<f64>());
        let mean = if values.is_empty() { 0.0 } else { sum / n };
        let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        match kind {
            Accumulator::Count => vec![n],
            Accumulator::Sum => vec![sum],
            Accumulator::Average => vec![n, sum],
            Accumulator::Moments => vec![n, sum, squares],
            Accumulator::Minimum => vec![values.iter().copied().fold(f64::INFINITY, f64::min)],
            Accumulator::Maximum => vec![values.iter().copied().fold(f64::NEG_INFINITY, f64::max)],
            Accumulator::Distinct | Accumulator::Quantiles | Accumulator::Categories => unreachable!("not plain"),
        }
    }

    fn near(a: &[f64], b: &[f64], scale: f64) -> bool {
        a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() <= 1e-9 * scale.max(1.0))
    }

    proptest! {
        #[test]
        fn each_kind_agrees_with_its_twin_however_the_values_are_split(
            values in prop::collection::vec(-1e4..1e4_f64, 0..60),
            cut in 0..60_usize,
        ) {
            let cut = cut.min(values.len());
            let scale = values.iter().map(|value| value * value).sum();
            for kind in PLAIN {
                let expected = twin(kind, &values);
                prop_assert!(near(&filled(kind, &values), &expected, scale), "{kind:?}");
                let mut merged = filled(kind, &values[..cut]);
                kind.merge(&mut merged, &filled(kind, &values[cut..]));
                prop_assert!(near(&merged, &expected, scale), "{kind:?} merged");
            }
        }
    }

    #[test]
    fn the_variance_survives_a_mean_that_is_far_from_zero() {
        let words = filled(Accumulator::Moments, &[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(variance(&words), 30.0);
    }

    #[test]
    fn null_and_infinite_values_are_not_usable() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(!usable(value), "{value}");
        }
        assert!(usable(-1e100) && usable(0.0));
    }
}
