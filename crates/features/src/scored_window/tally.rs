//! How many events there are of each code, where most codes have none.

/// Bits of an entry that count; the others name the slot.
const COUNT_BITS: u32 = 48;
/// The most that is counted: at a million events a second the count of nine years.
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// Which slot a value counts at: code 1 at slot 0, …; whatever is no code with a label at the slot behind them.
#[inline]
pub(super) fn slot_of(value: f64, labels: usize) -> usize {
    // A cast of a negative value gives 0, of a fraction another number.
    let code = value as usize;
    if (1..=labels).contains(&code) && code as f64 == value { code - 1 } else { labels }
}

/// The slots with events, ascending: the slot in the upper bits, its count in the lower ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(Vec<u64>);

impl Tally {
    pub(super) fn add(&mut self, slot: usize, events: u64) {
        let key = (slot as u64) << COUNT_BITS;
        let place = self.0.partition_point(|entry| entry | COUNT_MAX < key);
        match self.0.get_mut(place) {
            Some(entry) if *entry & !COUNT_MAX == key => {
                *entry = key | (*entry & COUNT_MAX).saturating_add(events).min(COUNT_MAX);
            }
            _ => self.0.insert(place, key | events.min(COUNT_MAX)),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.entries().for_each(|(slot, events)| self.add(slot, events));
    }

    /// Slots and their counts, ascending.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = (usize, u64)> {
        self.0.iter().map(|entry| ((entry >> COUNT_BITS) as usize, entry & COUNT_MAX))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_code_with_a_label_counts_at_the_slot_behind() {
        assert_eq!([1.0, 2.0, 3.0].map(|value| slot_of(value, 3)), [0, 1, 2]);
        for value in [0.0, -0.0, -1.0, 4.0, 1.5, 2.999, 1e30, -1e30, 1e-300] {
            assert_eq!(slot_of(value, 3), 3, "{value}");
        }
    }

    #[test]
    fn slots_stay_in_order_whatever_comes_first() {
        let mut tally = Tally::default();
        for slot in [1_000, 3, 0, 3, 999, 0, 3] {
            tally.add(slot, 1);
        }
        let mut twice = tally.clone();
        twice.merge(&tally);
        assert_eq!(tally.entries().collect::<Vec<_>>(), [(0, 2), (3, 3), (999, 1), (1_000, 1)]);
        assert_eq!(twice.entries().collect::<Vec<_>>(), [(0, 4), (3, 6), (999, 2), (1_000, 2)]);
    }

    #[test]
    fn a_full_count_stays_full_and_in_its_slot() {
        let mut tally = Tally::default();
        tally.add(7, u64::MAX);
        tally.add(7, 1);
        assert_eq!(tally.entries().collect::<Vec<_>>(), [(7, COUNT_MAX)]);
    }
}
