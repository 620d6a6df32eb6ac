//! A histogram with relative bucket widths from which any quantile can be read: DDSketch with uniform collapse.
//!
//! **Buckets.** A magnitude's *index* is the exponent and the top [`MANTISSA_BITS`] of the mantissa, thus taken from
//! the bits of the f64: no logarithm, the same on every machine. At level ℓ a bucket is 2^ℓ neighbouring indices, so
//! each step of the level joins pairs of buckets. Negative and positive values have ranges of their own, zero is
//! counted apart, and the two ranges together take at most 64 counters.
//!
//! **Canonical.** The ranges begin at the smallest magnitude seen, and the level is the smallest at which they fit.
//! Both follow from the extremes alone, and joining buckets keeps counts exact. So the words are a function of the
//! multiset of values: whichever way sketches are filled and merged, they are equal to the bit.
//!
//! **Error.** A bucket of level ℓ ≤ 12 is at most 2^(ℓ−12) of its lower bound wide, and an estimate lies in the bucket
//! of the value of that rank, or between those of the two ranks around it. Magnitudes over S octaves, those of both
//! signs added, lead to a level of at most 12 + log₂(S/60) rounded up, or 0. So the relative error is at most S/30 (or
//! 2^−12) while that is below 1: 11 % of values within a factor of ten, 3 % of values within ±30 %. Usually it is far
//! less, because within a bucket values are taken as evenly spread. No estimate lies beyond the extremes.
//!
//! ```text
//! words 0..32    64 counters of 32 bits: positive from counter 0 upward by magnitude, negative from 63 downward
//! word 32        number of zeros
//! word 33, 34    smallest and largest positive value; 0 of none
//! word 35, 36    smallest and largest magnitude of a negative value; 0 of none
//! word 37        level
//! ```
//!
//! Source: Masson, Rim, Lee 2019, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees"; Epicoco, Melle, Cafaro, Pulimeno, Morleo 2020, "UDDSketch: accurate tracking of quantiles in data
//! streams" (uniform collapse).

use super::counters::{COUNTER_WORDS, COUNTERS, count, raise};

/// Words.
pub(super) const WORDS: usize = LEVEL + 1;
const ZEROS: usize = COUNTER_WORDS;
const POSITIVE: usize = ZEROS + 1;
const NEGATIVE: usize = ZEROS + 3;
const LEVEL: usize = ZEROS + 5;

/// Bits of the mantissa that tell buckets of level 0 apart.
const MANTISSA_BITS: u32 = 12;
/// Bits of an f64 below the index.
const BELOW: u32 = f64::MANTISSA_DIGITS - 1 - MANTISSA_BITS;
/// Smaller magnitudes count as zero. With values up to 1e120 there are then 800 octaves.
const MAGNITUDE_MIN: f64 = 1e-120;

/// At this level each sign has one bucket, whatever the values.
const LEVEL_MAX: u32 = u64::BITS - 1 - BELOW;
/// Fewer values have no quartiles to speak of.
const QUARTILES_MIN: f64 = 4.0;

/// The buckets of one sign.
#[derive(Clone, Copy, Debug)]
struct Range {
    smallest: f64,
    largest: f64,
}

impl Range {
    fn load(words: &[f64], at: usize) -> Self {
        Self { smallest: words[at], largest: words[at + 1] }
    }

    fn is_empty(self) -> bool {
        self.largest == 0.0
    }

    /// The range that holds both.
    fn union(self, other: Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other } else { self };
        }
        let smallest = if other.smallest < self.smallest { other.smallest } else { self.smallest };
        let largest = if other.largest > self.largest { other.largest } else { self.largest };
        Self { smallest, largest }
    }

    fn holds(self, magnitude: f64) -> bool {
        self.smallest <= magnitude && magnitude <= self.largest
    }

    /// Buckets at a level.
    fn buckets(self, level: u32) -> usize {
        if self.is_empty() { 0 } else { self.place(self.largest, level) + 1 }
    }

    /// Which of its buckets a magnitude within it lies in.
    fn place(self, magnitude: f64, level: u32) -> usize {
        (index(magnitude) >> level).saturating_sub(index(self.smallest) >> level) as usize
    }

    /// The bounds of a bucket, as far as values can lie in it.
    fn bounds(self, place: usize, level: u32) -> (f64, f64) {
        let bucket = (index(self.smallest) >> level) + place as u64;
        let bound = |bucket: u64| f64::from_bits(bucket << level << BELOW);
        (bound(bucket).max(self.smallest), bound(bucket + 1).min(self.largest))
    }
}

/// The extremes of both signs, from which level and places follow.
#[derive(Clone, Copy, Debug)]
struct Extent {
    positive: Range,
    negative: Range,
}

impl Extent {
    fn load(words: &[f64]) -> Self {
        Self { positive: Range::load(words, POSITIVE), negative: Range::load(words, NEGATIVE) }
    }

    fn store(self, words: &mut [f64; WORDS]) {
        for (at, range) in [(POSITIVE, self.positive), (NEGATIVE, self.negative)] {
            (words[at], words[at + 1]) = (range.smallest, range.largest);
        }
    }

    fn of(value: f64) -> Self {
        let (none, one) =
            (Range { smallest: 0.0, largest: 0.0 }, Range { smallest: value.abs(), largest: value.abs() });
        if value > 0.0 { Self { positive: one, negative: none } } else { Self { positive: none, negative: one } }
    }

    fn union(self, other: Self) -> Self {
        Self { positive: self.positive.union(other.positive), negative: self.negative.union(other.negative) }
    }

    fn holds(self, value: f64) -> bool {
        if value > 0.0 { self.positive.holds(value) } else { self.negative.holds(-value) }
    }

    /// The smallest level, at least `from`, at which the counters suffice.
    fn level(self, from: u32) -> u32 {
        let fits = |level: &u32| self.positive.buckets(*level) + self.negative.buckets(*level) <= COUNTERS;
        (from..LEVEL_MAX).find(fits).unwrap_or(LEVEL_MAX)
    }

    /// The counter of a value that is not zero.
    fn counter(self, value: f64, level: u32) -> usize {
        // The bound is a guard: words that no sketch wrote must not lead beyond the counters.
        let place = |range: Range| range.place(value.abs(), level).min(COUNTERS - 1);
        if value > 0.0 { place(self.positive) } else { COUNTERS - 1 - place(self.negative) }
    }

    /// The bounds of a counter's values, in ascending order.
    fn bounds(self, counter: usize, level: u32) -> (f64, f64) {
        if counter < self.positive.buckets(level) {
            return self.positive.bounds(counter, level);
        }
        let (near, far) = self.negative.bounds(COUNTERS - 1 - counter, level);
        (-far, -near)
    }
}

fn level_of(words: &[f64]) -> u32 {
    (words[LEVEL] as u32).min(LEVEL_MAX)
}

fn index(magnitude: f64) -> u64 {
    magnitude.to_bits() >> BELOW
}

/// Adds one value.
pub(super) fn add(words: &mut [f64; WORDS], value: f64) {
    if value.abs() < MAGNITUDE_MIN {
        words[ZEROS] += 1.0;
        return;
    }
    let mut extent = Extent::load(words);
    if !extent.holds(value) {
        extent = extent.union(Extent::of(value));
        widen(words, extent, 0);
    }
    let counter = extent.counter(value, level_of(words));
    raise(words, counter, 1);
}

pub(super) fn merge(words: &mut [f64; WORDS], other: &[f64; WORDS]) {
    words[ZEROS] += other[ZEROS];
    let from = Extent::load(other);
    if from.positive.is_empty() && from.negative.is_empty() {
        return;
    }
    let extent = Extent::load(words).union(from);
    widen(words, extent, level_of(other));
    pour(words, extent, other, from);
}

/// Makes room for a larger extent, at a level of at least `level`.
fn widen(words: &mut [f64; WORDS], extent: Extent, level: u32) {
    let (before, old) = (*words, Extent::load(words));
    let level = extent.level(level.max(level_of(words)));
    extent.store(words);
    words[LEVEL] = f64::from(level);
    let starts = |extent: Extent| [extent.positive, extent.negative].map(|range| index(range.smallest) >> level);
    if level != level_of(&before) || starts(extent) != starts(old) {
        words[..COUNTER_WORDS].fill(0.0);
        pour(words, extent, &before, old);
    }
}

/// Adds the counts of another sketch whose extent lies within this one's.
fn pour(words: &mut [f64; WORDS], extent: Extent, other: &[f64; WORDS], from: Extent) {
    let (level, other_level) = (level_of(words), level_of(other));
    for counter in 0..COUNTERS {
        let times = count(other, counter);
        if times > 0 {
            // Any value of the old bucket lies in the new one, as that is made of whole old ones.
            let (low, high) = from.bounds(counter, other_level);
            let value = if low > 0.0 { low } else { high };
            raise(words, extent.counter(value, level), times);
        }
    }
}

/// Returns quantiles; NaN of nothing. The rank of q is q (n − 1), with straight lines between the values of whole
/// ranks. Shape: `shares` in ascending order, each within 0..=1.
pub(crate) fn quantiles<const K: usize>(words: &[f64], shares: [f64; K]) -> [f64; K] {
    let total = number(words);
    if total == 0.0 {
        return [f64::NAN; K];
    }
    let (extent, level) = (Extent::load(words), level_of(words));
    let [positive, negative] = [extent.positive, extent.negative].map(|range| range.buckets(level).min(COUNTERS));
    let ranks = shares.map(|share| share * (total - 1.0));
    let mut reader = Reader { ranks, answers: [f64::NAN; K], next: 0, below: 0.0, last: 0.0 };
    for counter in COUNTERS - negative..COUNTERS {
        reader.pass(f64::from(count(words, counter)), || extent.bounds(counter, level));
    }
    reader.pass(words[ZEROS], || (0.0, 0.0));
    for counter in 0..positive {
        reader.pass(f64::from(count(words, counter)), || extent.bounds(counter, level));
    }
    reader.answers
}

/// Returns Q1, median and Q3, if there are values enough.
pub(crate) fn quartiles(words: &[f64]) -> Option<[f64; 3]> {
    (number(words) >= QUARTILES_MIN).then(|| quantiles(words, [0.25, 0.5, 0.75]))
}

/// Number of values.
pub(super) fn number(words: &[f64]) -> f64 {
    let pair = |word: &f64| (word.to_bits() & 0xffff_ffff) + (word.to_bits() >> 32);
    words[ZEROS] + words[..COUNTER_WORDS].iter().map(pair).sum::<u64>() as f64
}

/// Walks the buckets in ascending order and answers each rank on its way.
struct Reader<const K: usize> {
    ranks: [f64; K],
    answers: [f64; K],
    /// The next rank to answer.
    next: usize,
    /// Values passed.
    below: f64,
    /// The value of the last rank passed.
    last: f64,
}

impl<const K: usize> Reader<K> {
    /// Passes a bucket of `n` values: the value of rank r in it lies at (r + ½)/n of its width.
    fn pass(&mut self, n: f64, bounds: impl Fn() -> (f64, f64)) {
        // Where the next rank lies further on, not even between this bucket and the next, nobody asks for bounds.
        if n > 0.0 && self.next < K && self.ranks[self.next] < self.below + n {
            let (low, high) = bounds();
            let value = |rank: f64| low + (high - low) * ((rank + 0.5) / n);
            while self.next < K && self.ranks[self.next] <= self.below + n - 1.0 {
                let rank = self.ranks[self.next] - self.below;
                // A rank between the last value of the bucket before and the first of this one.
                let between = self.last + (value(0.0) - self.last) * (rank + 1.0);
                self.answers[self.next] = if rank < 0.0 { between } else { value(rank) };
                self.next += 1;
            }
            self.last = value(n - 1.0);
        }
        self.below += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(values: &[f64]) -> [f64; WORDS] {
        let mut words = [0.0; WORDS];
        values.iter().for_each(|value| add(&mut words, *value));
        words
    }

    fn bits(words: [f64; WORDS]) -> [u64; WORDS] {
        words.map(f64::to_bits)
    }

    /// The slow, obvious twin: sorts all values.
    fn twin(values: &[f64], share: f64) -> (f64, f64) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = share * (sorted.len() - 1) as f64;
        (sorted[rank.floor() as usize], sorted[rank.ceil() as usize])
    }

    /// The bound of the relative error that the module states.
    fn bound(values: &[f64]) -> f64 {
        let octaves = |sign: f64| {
            let magnitudes: Vec<f64> = values.iter().map(|value| value * sign).filter(|value| *value > 0.0).collect();
            let (low, high) =
                magnitudes.iter().fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
            if magnitudes.is_empty() { 0.0 } else { (high / low).log2() }
        };
        ((octaves(1.0) + octaves(-1.0)) / 30.0).max(1.0 / 4096.0)
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => 1.0..1e3_f64,
            2 => -300.0..-20.0_f64,
            1 => Just(0.0),
            1 => (-20..20_i32).prop_map(f64::from),
        ]
    }

    fn wild() -> impl Strategy<Value = f64> {
        prop_oneof![value(), any::<f64>().prop_filter("usable", |value| value.abs() <= 1e120)]
    }

    proptest! {
        #[test]
        fn a_quantile_lies_within_the_stated_bound(values in prop::collection::vec(value(), 1..300), share in 0.0..=1.0_f64) {
            let ([got], (low, high)) = (quantiles(&filled(&values), [share]), twin(&values, share));
            let slack = bound(&values);
            prop_assume!(slack < 1.0);
            prop_assert!(low - slack * low.abs() <= got + 1e-12 && got <= high + slack * high.abs() + 1e-12, "{low} {got} {high} ± {slack}");
        }

        #[test]
        fn the_words_are_a_function_of_the_multiset_of_values(
            values in prop::collection::vec(wild(), 0..120),
            cuts in (0..120_usize, 0..120_usize),
        ) {
            let whole = bits(filled(&values));
            let turned: Vec<f64> = values.iter().rev().copied().collect();
            prop_assert_eq!(whole, bits(filled(&turned)));
            let (first, second) = (cuts.0.min(cuts.1).min(values.len()), cuts.0.max(cuts.1).min(values.len()));
            let parts = [&values[..first], &values[first..second], &values[second..]].map(filled);
            let merged = |order: [usize; 3]| {
                let mut words = parts[order[0]];
                order[1..].iter().for_each(|part| merge(&mut words, &parts[*part]));
                bits(words)
            };
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
                prop_assert_eq!(whole, merged(order));
            }
            let mut right = parts[1];
            merge(&mut right, &parts[2]);
            let mut left = parts[0];
            merge(&mut left, &right);
            prop_assert_eq!(whole, bits(left), "(a + b) + c = a + (b + c)");
        }

        #[test]
        fn words_that_no_sketch_wrote_do_not_panic(words in prop::collection::vec(any::<f64>(), WORDS), value in wild()) {
            let mut words: [f64; WORDS] = words.try_into().expect("as many");
            let other = words;
            add(&mut words, value);
            merge(&mut words, &other);
            quantiles(&words, [0.25, 0.5, 0.75]);
        }
    }

    #[test]
    fn a_constant_is_exact_and_no_estimate_lies_beyond_the_extremes() {
        assert_eq!(quartiles(&filled(&[7.3; 9])), Some([7.3; 3]));
        assert_eq!(quantiles(&filled(&[0.0, -0.0]), [0.0, 1.0]), [0.0, 0.0]);
        assert_eq!(quartiles(&filled(&[1.0, 2.0, 3.0])), None);
        let [low, high] = quantiles(&filled(&[-3.0, -2.5, 0.0, 10.0, 70.0]), [0.0, 1.0]);
        assert!((-3.0..-2.9).contains(&low) && (69.0..=70.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn thousands_of_values_give_their_median_within_a_percent() {
        let values: Vec<f64> = (0..10_000).map(|step| 200.0 + f64::from(step * 7919 % 10_000) / 25.0).collect();
        let [median] = quantiles(&filled(&values), [0.5]);
        assert!((median / 400.0 - 1.0).abs() < 0.01, "{median}");
    }
}
