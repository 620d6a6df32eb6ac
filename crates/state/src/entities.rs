use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::BuildHasher;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::bits::Bits;
use crate::chunks::Chunks;
use crate::error::StateError;
use crate::frozen::{FrozenTable, Kind};
use crate::keys::{Key, Keys};

/// Any fixed number: nothing that is stored depends on it, and runs are alike.
const SEED: u64 = 0x6c61_7077_696e_6721;
/// Last event time of an entity that has seen no event: older than any.
const UNSEEN: i64 = i64::MIN;
/// Last event time of a free slot: the clock hand passes it with the one comparison that it makes anyway.
const VACANT: i64 = i64::MAX;
/// Most slots: the last number stays free for "none".
const SLOTS_MAX: u32 = u32::MAX - 1;

/// The words of every entity of a partition, found by key. Which slot an entity gets, and so every byte of a snapshot,
/// follows from the calls alone: a new entity takes the lowest free slot.
#[derive(Debug)]
pub struct EntityTable {
    /// Words of an entity that has seen nothing.
    initial: Vec<f64>,

    chunks: Chunks,
    keys: Keys,
    /// Last event time of each slot.
    times: Vec<i64>,
    index: HashTable<u32>,
    free: BinaryHeap<Reverse<u32>>,
    /// The next slot that [`EntityTable::expire`] looks at.
    hand: u32,
    /// Slots changed, filled or freed since the last snapshot.
    dirty: Bits,

    expired: u64,
}

#[inline]
fn hash_of(key: &[u8]) -> u64 {
    FixedState::with_seed(SEED).hash_one(key)
}

impl EntityTable {
    /// An empty table whose new entities start as a copy of `initial`; its length is the number of words of each.
    pub fn new(initial: Vec<f64>) -> Self {
        let chunks = Chunks::new(initial.len());
        Self::of(initial, chunks)
    }

    /// An empty table that keeps within `bytes` of memory by moving entities that are not in use to the file `spill`,
    /// which is made anew and gone with the table. While a snapshot is being written, its share comes on top.
    /// Errors: `Storage`.
    pub fn with_budget(initial: Vec<f64>, bytes: usize, spill: &Path) -> Result<Self, StateError> {
        let chunks = Chunks::with_budget(initial.len(), bytes, spill)?;
        Ok(Self::of(initial, chunks))
    }

    fn of(initial: Vec<f64>, chunks: Chunks) -> Self {
        Self {
            initial,
            chunks,
            keys: Keys::default(),
            times: Vec::new(),
            index: HashTable::new(),
            free: BinaryHeap::new(),
            hand: 0,
            dirty: Bits::default(),
            expired: 0,
        }
    }

    /// Returns the slot of an entity, and whether it is new: not known, or last seen before `before`. `i64::MIN` lets
    /// entities live for ever. A new entity has the initial words and has seen no event.
    /// Errors: `Storage`, only if entities are spilled; `Full`.
    #[inline]
    pub fn slot(&mut self, key: &str, before: i64) -> Result<(u32, bool), StateError> {
        let hash = hash_of(key.as_bytes());
        match self.index_of(hash, key) {
            Some(slot) if self.times[slot as usize] >= before => Ok((slot, false)),
            Some(slot) => self.renew(slot).map(|()| (slot, true)),
            None => self.insert(hash, key).map(|slot| (slot, true)),
        }
    }

    /// As [`EntityTable::slot`], where [`EntityTable::find`] has said before which slot it may be. The guess may be
    /// wrong by now; if it is right, nothing is looked up twice. So a caller can look up several events ahead, which
    /// brings their memory near while the events before them are worked on, and still change nothing out of order.
    /// Errors: as `slot`.
    #[inline]
    pub fn slot_guessed(&mut self, key: &str, guess: Option<u32>, before: i64) -> Result<(u32, bool), StateError> {
        match guess {
            Some(slot) if self.is_at(slot, key) && self.times[slot as usize] >= before => Ok((slot, false)),
            _ => self.slot(key, before),
        }
    }

    /// Returns the slot of an entity, if it is known. It may have been last seen long ago.
    #[inline]
    pub fn find(&self, key: &str) -> Option<u32> {
        self.index_of(hash_of(key.as_bytes()), key)
    }

    /// [`EntityTable::find`] for several keys at once, and a look at their words, so that their memory is waited for
    /// together and not one after the other. Shape: `guesses` is at least as long as `keys`.
    pub fn find_ahead<'k>(&self, keys: impl Iterator<Item = &'k str>, guesses: &mut [Option<u32>]) {
        for (key, guess) in keys.zip(guesses.iter_mut()) {
            *guess = self.find(key);
        }
        for slot in guesses.iter().flatten() {
            self.chunks.touch(*slot);
        }
    }

    #[inline]
    fn index_of(&self, hash: u64, key: &str) -> Option<u32> {
        self.index.find(hash, |slot| self.keys.get(*slot).bytes() == Some(key.as_bytes())).copied()
    }

    #[inline]
    fn is_at(&self, slot: u32, key: &str) -> bool {
        (slot as usize) < self.times.len() && self.keys.get(slot).bytes() == Some(key.as_bytes())
    }

    /// The words in a slot that [`EntityTable::slot`] has returned. Spilled ones are read.
    /// Errors: `Storage`, only if entities are spilled.
    #[inline]
    pub fn words(&mut self, slot: u32) -> Result<&[f64], StateError> {
        self.chunks.get(slot)
    }

    /// The words in a slot that [`EntityTable::slot`] has returned, to change them.
    /// Errors: `Storage`, only if entities are spilled.
    #[inline]
    pub fn words_mut(&mut self, slot: u32) -> Result<&mut [f64], StateError> {
        self.dirty.set(slot as usize);
        self.chunks.get_mut(slot)
    }

    /// The words in a slot that [`EntityTable::slot`] has returned, for readers beside the stream: nothing moves.
    /// Errors: `Storage`, only if entities are spilled.
    pub fn peek(&self, slot: u32) -> Result<Cow<'_, [f64]>, StateError> {
        self.chunks.peek(slot)
    }

    /// Says that the entity in a slot has an event of this time. An older one than the newest changes nothing.
    #[inline]
    pub fn seen(&mut self, slot: u32, time: i64) {
        let last = &mut self.times[slot as usize];
        *last = time.clamp(*last, (VACANT - 1).max(*last));
        self.dirty.set(slot as usize);
    }

    /// Says the same of every entity: for memories of before last event times were kept.
    pub fn seen_all(&mut self, time: i64) {
        for slot in 0..self.slots() {
            if self.key(slot).is_some() {
                self.seen(slot, time);
            }
        }
    }

    /// The newest event time of the entity in a slot; `None` for a free slot or an entity without events.
    pub fn last_seen(&self, slot: u32) -> Option<i64> {
        self.times.get(slot as usize).copied().filter(|time| *time != UNSEEN && *time != VACANT)
    }

    /// The key in a slot; `None` if the slot is free.
    pub fn key(&self, slot: u32) -> Option<&str> {
        if slot < self.slots() { self.keys.get(slot).text() } else { None }
    }

    /// Removes entities last seen before `before` among the next `slots` slots, and returns how many. Whether it is
    /// called often or seldom changes no answer, only the memory that is held. It does change which slot a new entity
    /// gets: to have the same bytes however input is cut into batches, call it per event.
    pub fn expire(&mut self, before: i64, slots: usize) -> usize {
        let mut removed = 0;
        for _ in 0..slots.min(self.times.len()) {
            let slot = if (self.hand as usize) < self.times.len() { self.hand } else { 0 };
            self.hand = slot + 1;
            if self.times[slot as usize] < before {
                self.vacate(slot);
                self.expired += 1;
                removed += 1;
            }
        }
        removed
    }

    /// Number of entities, those included that have expired and were not removed yet.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no entity.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Slots given so far, free ones included: all slots are below.
    pub fn slots(&self) -> u32 {
        self.times.len() as u32
    }

    /// Entities that have expired, removed or begun anew, since the table was made.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// Chunks of entities read from the spill file and written to it since the table was made.
    pub fn spill_traffic(&self) -> (u64, u64) {
        self.chunks.traffic()
    }

    /// Keys, slots and words of all entities, in the order of slots.
    pub fn iter(&self) -> impl Iterator<Item = Result<(&str, u32, Cow<'_, [f64]>), StateError>> {
        let named = (0..self.slots()).filter_map(|slot| self.key(slot).map(|key| (key, slot)));
        named.map(|(key, slot)| self.peek(slot).map(|words| (key, slot, words)))
    }

    /// Leaves so much of the budget to others; what no longer fits is spilled at once. Without a budget nothing happens.
    /// Units: bytes. Errors: `Storage`.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), StateError> {
        self.chunks.reserve(bytes)
    }

    /// Memory held, used or not; what is spilled does not count. Units: bytes.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.memory_bytes() + self.beside_bytes()
    }

    /// Memory of one entity with a short key, as a plan. Units: bytes.
    pub fn entity_bytes(&self) -> usize {
        // An index is between half full and full, at five bytes an entry.
        size_of_val(&self.initial[..]) + size_of::<Key>() + size_of::<i64>() + 8
    }

    fn beside_bytes(&self) -> usize {
        self.keys.memory_bytes()
            + self.times.capacity() * size_of::<i64>()
            + self.free.capacity() * size_of::<u32>()
            + self.dirty.memory_bytes()
            + self.index.allocation_size()
    }

    /// The table as it is now, to be written by another thread, and the begin of what the next snapshot of changes
    /// holds. Costs a pointer per chunk, not a copy of the words.
    pub fn freeze(&mut self, kind: Kind) -> FrozenTable {
        let (width, bits) = (self.chunks.width(), self.chunks.bits());
        let frozen = match kind {
            Kind::Full => {
                let chunks = (0..self.chunks.len()).map(|chunk| self.chunks.freeze(chunk)).collect();
                FrozenTable::whole(width, bits, self.hand, self.keys.freeze(), self.times.clone(), chunks)
            }
            Kind::Delta => {
                let entries: Vec<_> = self.dirty.ones().map(|slot| (slot as u32, self.times[slot])).collect();
                let mut touched: Vec<_> = entries.iter().map(|(slot, _)| slot >> bits).collect();
                touched.dedup();
                let chunks = touched.into_iter().map(|chunk| (chunk, self.chunks.freeze(chunk as usize))).collect();
                FrozenTable::changes(width, bits, self.hand, self.keys.freeze(), entries, chunks)
            }
        };
        self.dirty.clear();
        frozen
    }

    #[cold]
    fn renew(&mut self, slot: u32) -> Result<(), StateError> {
        self.dirty.set(slot as usize);
        self.chunks.get_mut(slot)?.copy_from_slice(&self.initial);
        self.times[slot as usize] = UNSEEN;
        self.expired += 1;
        Ok(())
    }

    #[inline(never)]
    fn insert(&mut self, hash: u64, key: &str) -> Result<u32, StateError> {
        let slot = match self.free.peek() {
            Some(Reverse(slot)) => *slot,
            None => self.add_slot()?,
        };
        self.chunks.get_mut(slot)?.copy_from_slice(&self.initial);
        self.free.pop();
        self.occupy(slot, hash, key, UNSEEN);
        Ok(slot)
    }

    /// A new slot after all there are. It is free, and the only free one.
    fn add_slot(&mut self) -> Result<u32, StateError> {
        let slot = self.slots();
        if slot >= SLOTS_MAX {
            return Err(StateError::Full { most: SLOTS_MAX });
        }
        self.chunks.grow(slot, self.beside_bytes())?;
        self.keys.set(slot, Key::Vacant);
        self.times.push(VACANT);
        self.dirty.grow(self.times.len());
        self.free.push(Reverse(slot));
        Ok(slot)
    }

    fn occupy(&mut self, slot: u32, hash: u64, key: &str, time: i64) {
        self.keys.set(slot, Key::new(key));
        self.times[slot as usize] = time;
        self.dirty.set(slot as usize);
        let keys = &self.keys;
        let rehash = |slot: &u32| hash_of(keys.get(*slot).bytes().unwrap_or_default());
        self.index.insert_unique(hash, slot, rehash);
    }

    /// Frees a slot; a free one stays free.
    fn vacate(&mut self, slot: u32) {
        let key = self.keys.set(slot, Key::Vacant);
        let Some(bytes) = key.bytes() else { return };
        if let Ok(entry) = self.index.find_entry(hash_of(bytes), |other| *other == slot) {
            entry.remove();
        }
        self.times[slot as usize] = VACANT;
        self.dirty.set(slot as usize);
        self.free.push(Reverse(slot));
    }
}

/// Taking up what a snapshot has written.
impl EntityTable {
    pub(crate) fn width(&self) -> usize {
        self.initial.len()
    }

    /// Puts an entity, or none, in a slot that there is or the one after all. `Err(None)` if it leaves slots out.
    pub(crate) fn put(&mut self, slot: u32, entity: Option<(&str, i64)>) -> Result<&mut [f64], Option<StateError>> {
        if slot > self.slots() {
            return Err(None);
        }
        if slot == self.slots() {
            self.add_slot()?;
        }
        self.vacate(slot);
        if let Some((key, time)) = entity {
            // Taken off the list of free slots by `settle`: one search for all is cheaper than one each.
            self.occupy(slot, hash_of(key.as_bytes()), key, time);
        }
        self.chunks.get_mut(slot).map_err(Some)
    }

    /// Ends a series of [`EntityTable::put`]: `put` are the slots that were filled. `false` if an entity is there twice.
    pub(crate) fn settle(&mut self, put: &[u32], hand: u32) -> bool {
        self.hand = hand;
        let free = (0..self.slots()).filter(|slot| self.times[*slot as usize] == VACANT);
        self.free = free.map(Reverse).collect();
        self.dirty.clear();
        self.expired = 0;
        put.iter().all(|slot| {
            let Some(key) = self.keys.get(*slot).bytes() else { return true };
            let hash = hash_of(key);
            let same = self.index.iter_hash(hash).filter(|other| self.keys.get(**other).bytes() == Some(key));
            same.count() == 1
        })
    }
}
