//! A set of 64-bit hashes in one array, always in ascending order.
//!
//! Linear probing, with the home of a hash in proportion to its size, and runs kept sorted: a search stops at the
//! first larger hash, growing is one pass from front to back, and writing the set down needs no sorting. Zero marks
//! an empty place, so the hash zero counts as one.

/// Places of the smallest set.
const ROOM_MIN: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Hashes {
    /// Hashes in ascending order, zeros between them. A run that begins near the end may go on past `room`.
    places: Vec<u64>,
    /// Number of homes.
    room: usize,
    len: usize,
}

impl Hashes {
    /// An empty set that takes `expected` hashes before it grows.
    pub(super) fn with_room_for(expected: usize) -> Self {
        // At four fifths full a search that finds nothing looks at three places, of which nearly always all lie in
        // one cache line.
        let room = (expected + expected / 4 + 1).max(ROOM_MIN);
        Self { places: vec![0; room], room, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<u64>()
    }

    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.places.iter().copied().filter(|hash| *hash != 0)
    }

    #[inline]
    pub(super) fn contains(&self, hash: u64) -> bool {
        let hash = hash.max(1);
        self.places.get(self.place_of(hash)) == Some(&hash)
    }

    /// Adds a hash, unless it is there.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64) {
        let hash = hash.max(1);
        if (self.len + 1) * 5 > self.room * 4 {
            self.grow();
        }
        let mut at = self.place_of(hash);
        if self.places.get(at) == Some(&hash) {
            return;
        }
        let mut carried = hash;
        while carried != 0 {
            if at == self.places.len() {
                self.push(carried);
                break;
            }
            std::mem::swap(&mut self.places[at], &mut carried);
            at += 1;
        }
        self.len += 1;
    }

    /// Puts a hash at its home or, if that is taken, at `free`, from which on all places are empty; returns the place
    /// after it.
    fn append_at(&mut self, free: usize, hash: u64) -> usize {
        let at = self.home(hash).max(free);
        match self.places.get_mut(at) {
            Some(place) => *place = hash,
            None => self.push(hash),
        }
        self.len += 1;
        at + 1
    }

    /// A set of hashes that are handed over in ascending order, none of them zero.
    pub(super) fn from_ascending(hashes: impl ExactSizeIterator<Item = u64>) -> Self {
        let mut set = Self::with_room_for(hashes.len());
        let mut free = 0;
        for hash in hashes {
            free = set.append_at(free, hash);
        }
        set
    }

    fn grow(&mut self) {
        let mut larger = Self::with_room_for(self.len + self.len / 2 + ROOM_MIN);
        let mut free = 0;
        for hash in self.iter() {
            free = larger.append_at(free, hash);
        }
        *self = larger;
    }

    /// Lengthens the array by one place; by a few at a time, where `Vec` would double it.
    #[cold]
    fn push(&mut self, hash: u64) {
        if self.places.len() == self.places.capacity() {
            self.places.reserve_exact(ROOM_MIN);
        }
        self.places.push(hash);
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.room as u128) >> 64) as usize
    }

    /// Where the hash is, or where it would have to be.
    #[inline]
    fn place_of(&self, hash: u64) -> usize {
        let mut at = self.home(hash);
        while self.places.get(at).is_some_and(|place| *place != 0 && *place < hash) {
            at += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Hashes crowded at both ends and in the middle, so that runs are long and reach past the end.
    fn crowded() -> impl Strategy<Value = u64> {
        prop_oneof![0..40_u64, (u64::MAX - 40)..=u64::MAX, (1_u64 << 63)..(1_u64 << 63) + 40, any::<u64>()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn it_agrees_with_a_sorted_set(hashes in proptest::collection::vec(crowded(), 0..400)) {
            let (mut set, mut twin) = (Hashes::with_room_for(0), BTreeSet::new());
            for hash in hashes {
                prop_assert_eq!(set.contains(hash), twin.contains(&hash.max(1)));
                set.insert(hash);
                twin.insert(hash.max(1));
                prop_assert!(set.contains(hash));
            }
            prop_assert_eq!(set.len(), twin.len());
            let all: Vec<u64> = twin.into_iter().collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), all.clone());
            let again = Hashes::from_ascending(all.iter().copied());
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), all.clone());
            prop_assert!(all.iter().all(|hash| again.contains(*hash)));
        }
    }
}
