use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;

use crate::bytes::Reader;
use crate::error::StateError;

/// Any fixed number: the order of entities never depends on it, and runs are alike.
const SEED: u64 = 0x6c61_7077_696e_6721;

/// The words of every entity of a partition, in one arena; an entity's slot is its number in the order of first
/// appearance.
#[derive(Clone, Debug)]
pub struct EntityTable {
    /// Words of an entity that has seen nothing.
    initial: Vec<f64>,
    words: Vec<f64>,
    keys: Keys,
    slots: HashTable<usize>,
}

/// Keys laid end to end, by slot.
#[derive(Clone, Debug, Default)]
struct Keys {
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    #[inline]
    fn get(&self, slot: usize) -> &[u8] {
        let start = if slot == 0 { 0 } else { self.ends[slot - 1] };
        &self.buffer[start..self.ends[slot]]
    }
}

#[inline]
fn hash_of(key: &[u8]) -> u64 {
    FixedState::with_seed(SEED).hash_one(key)
}

impl EntityTable {
    /// An empty table whose new entities start as a copy of `initial`; its length is the number of words of each.
    pub fn new(initial: Vec<f64>) -> Self {
        Self { initial, words: Vec::new(), keys: Keys::default(), slots: HashTable::new() }
    }

    /// Returns the slot of an entity, and whether it is new.
    #[inline]
    pub fn slot(&mut self, key: &[u8]) -> (usize, bool) {
        let Self { initial, words, keys, slots } = self;
        match slots.entry(hash_of(key), |slot| keys.get(*slot) == key, |slot| hash_of(keys.get(*slot))) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => {
                let slot = keys.ends.len();
                vacant.insert(slot);
                keys.buffer.extend_from_slice(key);
                keys.ends.push(keys.buffer.len());
                words.extend_from_slice(initial);
                (slot, true)
            }
        }
    }

    /// Returns the slot of an entity, if it is known.
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        self.slots.find(hash_of(key), |slot| self.keys.get(*slot) == key).copied()
    }

    /// The words in a slot that [`EntityTable::slot`] has returned.
    #[inline]
    pub fn words(&self, slot: usize) -> &[f64] {
        &self.words[slot * self.initial.len()..(slot + 1) * self.initial.len()]
    }

    /// The words in a slot that [`EntityTable::slot`] has returned, to change them.
    #[inline]
    pub fn words_mut(&mut self, slot: usize) -> &mut [f64] {
        &mut self.words[slot * self.initial.len()..(slot + 1) * self.initial.len()]
    }

    /// The key in a slot that [`EntityTable::slot`] has returned.
    pub fn key(&self, slot: usize) -> &[u8] {
        self.keys.get(slot)
    }

    /// Number of entities.
    pub fn len(&self) -> usize {
        self.keys.ends.len()
    }

    /// Whether there is no entity.
    pub fn is_empty(&self) -> bool {
        self.keys.ends.is_empty()
    }

    /// Memory reserved for entities, used or not. Units: bytes.
    pub fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<f64>()
            + self.keys.buffer.capacity()
            + self.keys.ends.capacity() * size_of::<usize>()
            + self.slots.allocation_size()
    }

    /// Keys and words of all entities, in the order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[f64])> {
        (0..self.len()).map(|slot| (self.key(slot), self.words(slot)))
    }

    /// Appends all entities to `out`. Most words of most entities are zero, so only the others are written, as bits.
    /// All numbers are little-endian.
    ///
    /// ```text
    /// words per entity   u32
    /// entities           u64
    /// each entity, in the order of first appearance:
    ///   key length       u32
    ///   key              bytes
    ///   mask             one bit per word, lowest first, whole bytes: 1 if the word is not +0
    ///   words            f64 each, those whose bit is 1
    /// ```
    ///
    /// Errors: `TooLong`, for a key of 4 GiB or an entity of as many words.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), StateError> {
        out.extend_from_slice(&length_u32("the words of an entity", self.initial.len())?.to_le_bytes());
        out.extend_from_slice(&(self.len() as u64).to_le_bytes());
        for (key, words) in self.iter() {
            out.extend_from_slice(&length_u32("the key of an entity", key.len())?.to_le_bytes());
            out.extend_from_slice(key);
            put_words(out, words);
        }
        Ok(())
    }

    /// Reads what [`EntityTable::encode`] has written, to the last bit. `initial` is what new entities start with.
    /// Errors: `Malformed`.
    pub fn decode(bytes: &[u8], initial: Vec<f64>) -> Result<Self, StateError> {
        let mut reader = Reader::new("entities", bytes);
        let (words, count) = (reader.u32()? as usize, reader.u64()?);
        if words != initial.len() {
            return Err(reader.fault(format!("{words} words per entity, {} expected", initial.len())));
        }
        let mut table = Self::new(initial);
        for _ in 0..count {
            let length = reader.u32()?;
            let key = reader.take(u64::from(length))?;
            let (slot, new) = table.slot(key);
            if !new {
                return Err(reader.fault("an entity is there twice"));
            }
            read_words(&mut reader, table.words_mut(slot))?;
        }
        reader.end()?;
        Ok(table)
    }
}

fn length_u32(what: &'static str, length: usize) -> Result<u32, StateError> {
    u32::try_from(length).map_err(|_| StateError::TooLong { what, length, longest: u32::MAX as usize })
}

fn put_words(out: &mut Vec<u8>, words: &[f64]) {
    let mask = out.len();
    out.resize(mask + words.len().div_ceil(8), 0);
    for (index, word) in words.iter().enumerate().filter(|(_, word)| word.to_bits() != 0) {
        out[mask + index / 8] |= 1 << (index % 8);
        out.extend_from_slice(&word.to_bits().to_le_bytes());
    }
}

fn read_words(reader: &mut Reader<'_>, words: &mut [f64]) -> Result<(), StateError> {
    let mask = reader.take(words.len().div_ceil(8) as u64)?;
    for (index, word) in words.iter_mut().enumerate() {
        let written = mask[index / 8] & 1 << (index % 8) != 0;
        *word = if written { f64::from_bits(reader.u64()?) } else { 0.0 };
    }
    let spare = (8 - words.len() % 8) % 8;
    match mask.last() {
        Some(last) if last.leading_zeros() < spare as u32 => Err(reader.fault("a mask is longer than its entity")),
        _ => Ok(()),
    }
}
