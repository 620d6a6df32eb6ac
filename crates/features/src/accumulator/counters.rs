//! Counters of 32 bits, two to a word. They stop at [`COUNT_MAX`], which keeps each pair from being the bits of a NaN;
//! stopping there is the same in any order.

/// Counters.
pub(super) const COUNTERS: usize = 64;
/// Words they take.
pub(super) const COUNTER_WORDS: usize = COUNTERS / 2;
/// The largest count: above it the high half of a word would have the exponent of NaN.
pub(super) const COUNT_MAX: u32 = 0x7fef_ffff;

/// Returns one counter. Shape: `words` begins with the counters.
#[inline]
pub(super) fn count(words: &[f64], counter: usize) -> u32 {
    (words[counter / 2].to_bits() >> (counter % 2 * 32)) as u32
}

/// Adds to one counter and returns what it is now.
#[inline]
pub(super) fn raise(words: &mut [f64], counter: usize, times: u32) -> u32 {
    let after = count(words, counter).saturating_add(times).min(COUNT_MAX);
    let shift = counter % 2 * 32;
    let word = &mut words[counter / 2];
    *word = f64::from_bits(word.to_bits() & !(0xffff_ffff << shift) | u64::from(after) << shift);
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_full_counters_is_still_a_number() {
        let mut words = [0.0; COUNTER_WORDS];
        raise(&mut words, 6, u32::MAX);
        assert_eq!(raise(&mut words, 7, u32::MAX), COUNT_MAX);
        assert_eq!((count(&words, 6), count(&words, 7), count(&words, 8)), (COUNT_MAX, COUNT_MAX, 0));
        assert!(words[3].is_finite());
        assert_eq!(raise(&mut words, 7, 1), COUNT_MAX);
    }
}
