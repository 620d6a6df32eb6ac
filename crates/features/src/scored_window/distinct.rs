//! Different values: their hashes, as long as there are few, then a HyperLogLog of them. Either is a function of the
//! set of values alone, whatever their order, and so is the moment of the change.
//!
//! Its estimate is that of Ertl, which needs neither logarithms nor a special case for few values: multiplications
//! and square roots give the same bits on every machine.

/// Hashes that are kept before they are only estimated.
pub(super) const EXACT_MAX: usize = 64;
/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 10;
/// Registers: the standard error is 1.04/√1024, about 3 %.
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;
/// The bits that are left of a hash.
const RANK_BITS: usize = 64 - INDEX_BITS as usize;
/// The largest content of a register.
pub(super) const REGISTER_MAX: u8 = RANK_BITS as u8 + 1;
/// 1/(2 ln 2), the limit of HyperLogLog's constant for many registers.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many different values there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Distinct {
    /// Their hashes, ascending.
    Exact(Vec<u64>),
    /// The longest run of zeros, plus 1, of the hashes of each register.
    Estimated(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

/// Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014). It is one to one: different values never meet.
fn hash_of(value: f64) -> u64 {
    // Both zeros are one value.
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    let mixed = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Distinct {
    /// Adds a value that is not null.
    pub(super) fn add(&mut self, value: f64) {
        self.add_hash(hash_of(value));
    }

    /// Adds the values of another set.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.add_hash(*hash)),
            Self::Estimated(theirs) => {
                let own = self.registers();
                own.iter_mut().zip(theirs.iter()).for_each(|(own, their)| *own = (*own).max(*their));
            }
        }
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else { return };
                hashes.insert(place, hash);
                if hashes.len() > EXACT_MAX {
                    self.registers();
                }
            }
            Self::Estimated(registers) => add_to(registers, hash),
        }
    }

    /// Goes over to registers, if it has not yet.
    fn registers(&mut self) -> &mut [u8; REGISTERS] {
        if let Self::Exact(hashes) = self {
            let mut registers = Box::new([0; REGISTERS]);
            hashes.iter().for_each(|hash| add_to(&mut registers, *hash));
            *self = Self::Estimated(registers);
        }
        match self {
            Self::Estimated(registers) => registers,
            Self::Exact(_) => unreachable!("it has just gone over"),
        }
    }

    /// The number of different values.
    pub(super) fn count(&self) -> f64 {
        match self {
            Self::Exact(hashes) => hashes.len() as f64,
            Self::Estimated(registers) => estimate(registers),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Exact(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Estimated(_) => REGISTERS,
        }
    }
}

fn add_to(registers: &mut [u8; REGISTERS], hash: u64) {
    let register = &mut registers[(hash >> RANK_BITS) as usize];
    // The bit behind the last one ends the run.
    let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
    *register = (*register).max(rank);
}

/// Source: Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6.
fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut of_rank = [0_u32; REGISTER_MAX as usize + 1];
    registers.iter().for_each(|rank| of_rank[usize::from((*rank).min(REGISTER_MAX))] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(of_rank[REGISTER_MAX as usize]) / m);
    for rank in (1..REGISTER_MAX as usize).rev() {
        z = 0.5 * (z + f64::from(of_rank[rank]));
    }
    z += m * sigma(f64::from(of_rank[0]) / m);
    ALPHA * m * m / z
}

/// Stands for the empty registers.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// Stands for the full registers.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u32>) -> Distinct {
        let mut distinct = Distinct::default();
        values.into_iter().for_each(|value| distinct.add(f64::from(value) / 4.0));
        distinct
    }

    #[test]
    fn few_values_are_counted_exactly_and_a_value_once() {
        assert_eq!(of([]).count(), 0.0);
        assert_eq!(of((0..64).chain(0..64)).count(), 64.0);
        let mut zeros = of([0]);
        zeros.add(-0.0);
        assert_eq!(zeros.count(), 1.0);
    }

    #[test]
    fn many_values_are_counted_to_a_tenth() {
        for many in [65, 100, 1_000, 5_000, 50_000, 1_000_000_u32] {
            let share = of(0..many).count() / f64::from(many);
            assert!((share - 1.0).abs() < 0.1, "{many}: {share}");
        }
    }

    #[test]
    fn the_order_and_the_parts_do_not_matter() {
        for many in [10, 64, 65, 70, 500] {
            let whole = of(0..many);
            assert_eq!(of((0..many).rev()), whole);
            for cut in [0, 3, 5, many / 2, many - 2] {
                let mut merged = of(cut..many);
                merged.merge(&of(0..cut + 2));
                assert_eq!(merged, whole, "{many} {cut}");
            }
        }
    }
}
