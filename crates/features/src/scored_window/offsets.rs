/// How many are kept of each end.
const EACH: usize = 8;
/// The most offsets kept.
pub(super) const OFFSETS_MAX: usize = 2 * EACH;

/// The 8 lowest and the 8 highest of a set of offsets, ascending; all of them up to 16.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets(Vec<i64>);

impl Offsets {
    /// Adds one. Offsets mostly ascend, so its place is looked for from the end.
    pub(super) fn add(&mut self, offset: i64) {
        let place = self.0.iter().rposition(|known| *known <= offset).map_or(0, |at| at + 1);
        if place > 0 && self.0[place - 1] == offset {
            return;
        }
        if self.0.is_empty() {
            // Most windows of most entities hold few events.
            self.0.reserve_exact(2);
        }
        self.0.insert(place, offset);
        if self.0.len() > OFFSETS_MAX {
            self.0.remove(EACH);
        }
    }

    /// Adds those of another set. Neither set has left out what belongs to an end of the union.
    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|offset| self.add(*offset));
    }

    pub(super) fn as_slice(&self) -> &[i64] {
        &self.0
    }

    /// Takes offsets that were kept, if they can have been.
    pub(super) fn from_kept(kept: Vec<i64>) -> Option<Self> {
        let possible = !kept.is_empty() && kept.len() <= OFFSETS_MAX && kept.is_sorted_by(|a, b| a < b);
        possible.then_some(Self(kept))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(offsets: &[i64]) -> Offsets {
        let mut kept = Offsets::default();
        offsets.iter().for_each(|offset| kept.add(*offset));
        kept
    }

    proptest! {
        #[test]
        fn both_ends_are_kept_however_the_offsets_come_and_are_split(
            offsets in prop::collection::vec(0..100_i64, 1..60),
            cut in 0..60_usize,
        ) {
            let mut all = offsets.clone();
            all.sort_unstable();
            all.dedup();
            if all.len() > OFFSETS_MAX {
                all.drain(EACH..all.len() - EACH);
            }
            let kept = of(&offsets);
            prop_assert_eq!(kept.as_slice(), &all);
            let (left, right) = offsets.split_at(cut.min(offsets.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(merged.as_slice(), &all);
        }
    }
}
