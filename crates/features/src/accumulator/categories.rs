//! How often each category came: 64 counters, a category's being the one its hash points to. Two categories share a
//! counter with probability 1/64; what is read is then that of the two taken as one, so entropy is at most too small
//! and a share at most too large.
//!
//! Entropy is log₂ n − Σ c·log₂ c / n. The sum is kept as whole units of 2^−16 bits, so that it is exact in any order:
//! each c·log₂ c is off by at most 2^−17, the entropy by at most 64·2^−17 / n, and by less than 2^−17 as n is at
//! least the number of counters in use.
//!
//! ```text
//! words 0..32    64 counters of 32 bits, the even ones in the low half
//! word 32        n: number of values
//! word 33        Σ c·log₂ c. Units: 2^−16 bits
//! ```

use super::counters::{COUNTER_WORDS, COUNTERS, count, raise};
use crate::hash::spread;

/// Words.
pub(super) const WORDS: usize = COUNTER_WORDS + 2;
const N: usize = COUNTER_WORDS;
const SUM: usize = COUNTER_WORDS + 1;
/// Units of word 33 per bit. The sum stays below 2⁵³, thus exact, up to 2³² values.
const UNITS: f64 = 65_536.0;

/// Adds one value.
pub(super) fn add(words: &mut [f64; WORDS], value: f64) {
    words[N] += 1.0;
    take(words, counter_of(value), 1);
}

pub(super) fn merge(words: &mut [f64; WORDS], other: &[f64; WORDS]) {
    words[N] += other[N];
    for counter in 0..COUNTERS {
        take(words, counter, count(other, counter));
    }
}

/// Returns the entropy of the categories in bits; NaN of nothing.
pub(crate) fn entropy(words: &[f64]) -> f64 {
    let n = words[N];
    if n > 0.0 { (libm::log2(n) - words[SUM] / UNITS / n).max(0.0) } else { f64::NAN }
}

/// Returns which part of the values is of the given one's category; NaN of nothing.
pub(crate) fn share(words: &[f64], value: f64) -> f64 {
    let n = words[N];
    if n > 0.0 { f64::from(count(words, counter_of(value))) / n } else { f64::NAN }
}

fn take(words: &mut [f64; WORDS], counter: usize, times: u32) {
    if times == 0 {
        return;
    }
    let before = count(words, counter);
    let after = raise(words, counter, times);
    words[SUM] += weight(after) - weight(before);
}

/// c·log₂ c, as a whole number of units.
fn weight(count: u32) -> f64 {
    let c = f64::from(count);
    if count < 2 { 0.0 } else { (c * libm::log2(c) * UNITS + 0.5).floor() }
}

/// The top six bits of the hash.
fn counter_of(value: f64) -> usize {
    (spread(value) >> 58) as usize
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

    /// The slow, obvious twin: entropy by its definition.
    fn twin(values: &[f64]) -> f64 {
        let n = values.len() as f64;
        let share = |counter| values.iter().filter(|value| counter_of(**value) == counter).count() as f64 / n;
        (0..COUNTERS).map(share).filter(|p| *p > 0.0).map(|p| -p * p.log2()).sum()
    }

    proptest! {
        #[test]
        fn entropy_and_share_agree_with_their_definitions_however_the_values_are_split(
            values in prop::collection::vec((0..40_u32).prop_map(f64::from), 1..300),
            cut in 0..300_usize,
        ) {
            let cut = cut.min(values.len());
            let words = filled(&values);
            prop_assert!((entropy(&words) - twin(&values)).abs() < 1e-5);
            let alike = values.iter().filter(|value| counter_of(**value) == counter_of(values[0])).count();
            prop_assert_eq!(share(&words, values[0]), alike as f64 / values.len() as f64);
            let mut merged = filled(&values[cut..]);
            merge(&mut merged, &filled(&values[..cut]));
            prop_assert_eq!(words.map(f64::to_bits), merged.map(f64::to_bits));
        }
    }

    #[test]
    fn one_category_has_no_entropy_and_of_nothing_there_is_none() {
        assert_eq!(entropy(&filled(&[7.0; 9])), 0.0);
        assert!(entropy(&filled(&[])).is_nan() && share(&filled(&[]), 1.0).is_nan());
        assert_eq!(share(&filled(&[7.0; 9]), 7.0), 1.0);
    }
}
