//! HyperLogLog: of the hashes that begin with the same seven bits, the longest run of zeros that follows tells how
//! many different ones there were. Standard error: 1.04 / √128 = 9.2 %; below 320 values, by the number of registers
//! still empty, about 6 %, and nearly none below ten.
//!
//! ```text
//! words 0..16    128 registers of 8 bits: the longest run + 1, 0 of none
//! word 16        Σ 2^−register, exact: a register is at most 45, so the sum is a whole number of 2^−45 up to 128
//! word 17        registers that are 0
//! ```
//!
//! Source: Flajolet, Fusy, Gandouet, Meunier 2007, "HyperLogLog: the analysis of a near-optimal cardinality estimation
//! algorithm", figure 3. The large-range correction is not needed with 64-bit hashes.

use crate::hash::spread;

/// Registers.
const REGISTERS: usize = 128;
/// Words of the registers.
const PACKED: usize = REGISTERS / 8;
/// Words.
pub(super) const WORDS: usize = PACKED + 2;
/// The largest register, see word 16. It is reached after about 2⁵¹ different values, beyond all reach.
const RANK_MAX: u32 = 45;
/// α for 128 registers. Source: as above, figure 3.
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / REGISTERS as f64);
/// Up to this estimate, empty registers tell more. Source: as above, figure 3.
const SMALL_MAX: f64 = 2.5 * REGISTERS as f64;

pub(super) fn clear(words: &mut [f64; WORDS]) {
    words[..PACKED].fill(0.0);
    words[PACKED..].fill(REGISTERS as f64);
}

/// Adds one value.
pub(super) fn add(words: &mut [f64; WORDS], value: f64) {
    let hash = spread(value);
    let register = (hash >> (64 - REGISTERS.trailing_zeros())) as usize;
    let rest = hash << REGISTERS.trailing_zeros();
    let rank = (rest.leading_zeros() + 1).min(RANK_MAX);
    raise(words, register, u64::from(rank));
}

pub(super) fn merge(words: &mut [f64; WORDS], other: &[f64; WORDS]) {
    for register in 0..REGISTERS {
        raise(words, register, rank_of(other, register));
    }
}

/// Returns the estimated number of different values, rounded to a whole number.
pub(crate) fn distinct(words: &[f64]) -> f64 {
    let (sum, empty) = (words[PACKED], words[PACKED + 1]);
    let registers = REGISTERS as f64;
    let estimate = ALPHA * registers * registers / sum;
    let small = estimate <= SMALL_MAX && empty > 0.0;
    let estimate = if small { registers * libm::log(registers / empty) } else { estimate };
    (estimate + 0.5).floor()
}

/// Makes a register at least `rank`.
fn raise(words: &mut [f64; WORDS], register: usize, rank: u64) {
    let before = rank_of(words, register);
    if rank <= before {
        return;
    }
    let shift = register % 8 * 8;
    let packed = words[register / 8].to_bits() & !(0xff << shift) | rank << shift;
    words[register / 8] = f64::from_bits(packed);
    words[PACKED] += half_to(rank) - half_to(before);
    if before == 0 {
        words[PACKED + 1] -= 1.0;
    }
}

fn rank_of(words: &[f64; WORDS], register: usize) -> u64 {
    words[register / 8].to_bits() >> (register % 8 * 8) & 0xff
}

/// 2^−rank, by its exponent.
fn half_to(rank: u64) -> f64 {
    f64::from_bits((1023 - rank) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(values: impl IntoIterator<Item = f64>) -> [f64; WORDS] {
        let mut words = [0.0; WORDS];
        clear(&mut words);
        values.into_iter().for_each(|value| add(&mut words, value));
        words
    }

    fn bits(words: [f64; WORDS]) -> [u64; WORDS] {
        words.map(f64::to_bits)
    }

    #[test]
    fn the_error_is_that_of_the_paper() {
        for size in [10, 100, 300, 1_000, 10_000, 200_000] {
            let errors = (0..20).map(|round| {
                let values = (0..size).map(|value| f64::from(round * 1_000_003 + value) * 0.37);
                distinct(&filled(values)) / f64::from(size) - 1.0
            });
            let spread = (errors.map(|error| error * error).sum::<f64>() / 20.0).sqrt();
            assert!(spread < 0.13, "{size}: {spread}");
        }
    }

    #[test]
    fn a_few_values_are_counted_exactly_and_zero_has_no_sign() {
        assert_eq!(distinct(&filled([])), 0.0);
        assert_eq!(distinct(&filled([0.0, -0.0, 0.0])), 1.0);
        assert_eq!(distinct(&filled([1.0, 2.0, 3.0, 2.0, 1.0])), 3.0);
    }

    proptest! {
        #[test]
        fn order_and_cut_do_not_change_a_bit(values in prop::collection::vec(-1e3..1e3_f64, 0..300), cut in 0..300_usize) {
            let cut = cut.min(values.len());
            let whole = bits(filled(values.iter().copied()));
            prop_assert_eq!(whole, bits(filled(values.iter().rev().copied())));
            let mut merged = filled(values[cut..].iter().copied());
            merge(&mut merged, &filled(values[..cut].iter().copied()));
            prop_assert_eq!(whole, bits(merged));
        }

        #[test]
        fn the_running_sums_are_those_of_the_registers(values in prop::collection::vec(any::<f64>(), 0..300)) {
            let words = filled(values.into_iter().filter(|value| !value.is_nan()));
            let ranks: Vec<u64> = (0..REGISTERS).map(|register| rank_of(&words, register)).collect();
            prop_assert_eq!(words[PACKED], ranks.iter().map(|rank| half_to(*rank)).sum::<f64>());
            prop_assert_eq!(words[PACKED + 1], ranks.iter().filter(|rank| **rank == 0).count() as f64);
        }
    }
}
