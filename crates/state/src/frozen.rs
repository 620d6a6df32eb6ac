use std::io::{self, Read, Write};

use crate::blocks::{BlockReader, BlockWriter};
use crate::bytes::Reader;
use crate::chunks::{FrozenChunk, Room, place};
use crate::entities::{EntityTable, WORDS_MAX};
use crate::error::StateError;
use crate::keys::{Key, KeyChunk, key_in};

/// Length of a key that is not there.
const NO_KEY: u32 = u32::MAX;

/// What a snapshot holds of each table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every entity.
    Full,
    /// Entities that changed, came or went since the snapshot before.
    Delta,
}

/// A table as it was when [`EntityTable::freeze`] was called; it can be sent to another thread and written there.
#[derive(Debug)]
pub struct FrozenTable {
    width: usize,
    bits: u32,
    hand: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Whole { keys: Vec<KeyChunk>, times: Vec<i64>, chunks: Vec<FrozenChunk> },
    Changes { keys: Vec<KeyChunk>, entries: Vec<(u32, i64)>, chunks: Vec<(u32, FrozenChunk)> },
}

impl FrozenTable {
    pub(crate) fn whole(
        width: usize,
        bits: u32,
        hand: u32,
        keys: Vec<KeyChunk>,
        times: Vec<i64>,
        chunks: Vec<FrozenChunk>,
    ) -> Self {
        Self { width, bits, hand, content: Content::Whole { keys, times, chunks } }
    }

    pub(crate) fn changes(
        width: usize,
        bits: u32,
        hand: u32,
        keys: Vec<KeyChunk>,
        entries: Vec<(u32, i64)>,
        chunks: Vec<(u32, FrozenChunk)>,
    ) -> Self {
        Self { width, bits, hand, content: Content::Changes { keys, entries, chunks } }
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Whole { .. } => Kind::Full,
            Content::Changes { .. } => Kind::Delta,
        }
    }

    /// Slots it writes.
    pub fn slots(&self) -> usize {
        match &self.content {
            Content::Whole { times, .. } => times.len(),
            Content::Changes { entries, .. } => entries.len(),
        }
    }

    /// Writes the table, and lets go of each chunk as soon as it is written: a change of it costs no copy then. Most
    /// words of most entities are zero, so only the others are written, as bits. All numbers are little-endian.
    ///
    /// ```text
    /// head, a block:
    ///   words per entity   u32
    ///   hand               u32   next slot looked at for entities to expire
    /// blocks of records, in the order of slots; one for every slot if the table is whole, otherwise for those that
    /// changed:
    ///   slot               u32
    ///   key length         u32   0xffff_ffff: the slot is free, and nothing follows
    ///   key                UTF-8
    ///   last event         i64   time of the newest event; the lowest number if there was none
    ///   mask               one bit per word, lowest first, whole bytes: 1 if the word is not +0
    ///   words              f64 each, those whose bit is 1
    /// ```
    ///
    /// Errors: those of `out`; `TooLong` and `Storage` (a spilled chunk) inside `Other`.
    pub fn encode(self, out: &mut dyn Write) -> io::Result<()> {
        let (what, length, longest) = ("the words of an entity", self.width, WORDS_MAX);
        if length > longest {
            return Err(io::Error::other(StateError::TooLong { what, length, longest }));
        }
        let mut blocks = BlockWriter::new(out)?;
        blocks.record().extend_from_slice(&(self.width as u32).to_le_bytes());
        blocks.record().extend_from_slice(&self.hand.to_le_bytes());
        blocks.flush()?;
        let mut records = Records { blocks, width: self.width, bits: self.bits, room: Room::default() };
        match self.content {
            Content::Whole { keys, times, chunks } => {
                for (number, chunk) in chunks.into_iter().enumerate() {
                    let first = (number as u32) << self.bits;
                    let slots = first..(times.len() as u32).min(first + (1 << self.bits));
                    let entry = |slot| (slot, key_in(&keys, slot), times[slot as usize]);
                    records.put_chunk(&chunk, slots.map(entry))?;
                }
            }
            Content::Changes { keys, entries, chunks } => {
                let mut rest = &entries[..];
                for (number, chunk) in chunks {
                    let here = rest.partition_point(|(slot, _)| slot >> self.bits == number);
                    let entry = |(slot, time): &(u32, i64)| (*slot, key_in(&keys, *slot), *time);
                    records.put_chunk(&chunk, rest[..here].iter().map(entry))?;
                    rest = &rest[here..];
                }
            }
        }
        records.blocks.end()
    }
}

/// Writes records.
struct Records<'a> {
    blocks: BlockWriter<'a>,
    width: usize,
    bits: u32,
    room: Room,
}

impl Records<'_> {
    fn put_chunk<'k>(
        &mut self,
        chunk: &FrozenChunk,
        entries: impl Iterator<Item = (u32, &'k Key, i64)>,
    ) -> io::Result<()> {
        let all = chunk.load(self.width, self.bits, &mut self.room).map_err(io::Error::other)?;
        for (slot, key, time) in entries {
            let out = self.blocks.record();
            out.extend_from_slice(&slot.to_le_bytes());
            match key.bytes() {
                None => out.extend_from_slice(&NO_KEY.to_le_bytes()),
                Some(key) => {
                    out.extend_from_slice(&length_u32("the key of an entity", key.len())?.to_le_bytes());
                    out.extend_from_slice(key);
                    out.extend_from_slice(&time.to_le_bytes());
                    put_words(out, &all[place(slot, self.bits, self.width).1]);
                }
            }
            self.blocks.mark()?;
        }
        Ok(())
    }
}

fn length_u32(what: &'static str, length: usize) -> io::Result<u32> {
    let longest = NO_KEY as usize - 1;
    let fits = u32::try_from(length).ok().filter(|length| *length < NO_KEY);
    fits.ok_or_else(|| io::Error::other(StateError::TooLong { what, length, longest }))
}

fn put_words(out: &mut Vec<u8>, words: &[f64]) {
    let start = out.len();
    let mask_bytes = words.len().div_ceil(8);
    out.resize(start + mask_bytes + size_of_val(words), 0);
    let (mask, packed) = out[start..].split_at_mut(mask_bytes);
    let mut at = 0;
    for (bits, eight) in mask.iter_mut().zip(words.chunks(8)) {
        for (index, word) in eight.iter().enumerate() {
            // Written without a branch: a zero is overwritten by the next word.
            packed[at..at + 8].copy_from_slice(&word.to_le_bytes());
            let there = u8::from(word.to_bits() != 0);
            *bits |= there << index;
            at += usize::from(there) * 8;
        }
    }
    out.truncate(start + mask_bytes + at);
}

impl EntityTable {
    /// Reads what [`FrozenTable::encode`] has written: a whole table into an empty one, changes into what the table
    /// before them was.
    /// Errors: `Malformed`, `Storage`.
    pub fn decode(from: &mut dyn Read, table: Self) -> Result<Self, StateError> {
        read_table(from, |_| Ok(table)).map_err(|fault| match fault.kind() {
            io::ErrorKind::UnexpectedEof => StateError::malformed("entities", "they end within a block"),
            _ => StateError::storage("read", "entities", fault),
        })
    }
}

/// Takes up what [`FrozenTable::encode`] has written, a whole table into an empty one, changes into what the snapshot
/// before has left. On error the table is neither the one nor the other.
/// Errors: those of `from`; `Malformed` inside `Other`.
pub(crate) fn read_table(
    from: &mut dyn Read,
    make: impl FnOnce(usize) -> Result<EntityTable, StateError>,
) -> io::Result<EntityTable> {
    let mut blocks = BlockReader::new(from);
    let mut head = Reader::new("entities", blocks.next()?.unwrap_or_default());
    let (width, hand) = (head.u32().map_err(io::Error::other)?, head.u32().map_err(io::Error::other)?);
    head.end().map_err(io::Error::other)?;
    let mut table = make_table(width, make).map_err(io::Error::other)?;
    let mut put = Vec::new();
    while let Some(block) = blocks.next()? {
        read_records(block, &mut table, &mut put).map_err(io::Error::other)?;
    }
    if !table.settle(&put, hand) {
        return Err(io::Error::other(StateError::malformed("entities", "an entity is there twice")));
    }
    Ok(table)
}

/// Makes a table for so many words per entity, and checks that it has as many.
pub(crate) fn make_table(
    width: u32,
    make: impl FnOnce(usize) -> Result<EntityTable, StateError>,
) -> Result<EntityTable, StateError> {
    let width = width as usize;
    if width > WORDS_MAX {
        return Err(StateError::malformed("entities", format!("{width} words per entity, at most {WORDS_MAX} fit")));
    }
    let table = make(width)?;
    if table.width() == width {
        return Ok(table);
    }
    Err(StateError::malformed("entities", format!("{width} words per entity, {} expected", table.width())))
}

fn read_records(block: &[u8], table: &mut EntityTable, put: &mut Vec<u32>) -> Result<(), StateError> {
    let mut reader = Reader::new("entities", block);
    while reader.rest() > 0 {
        let (slot, length) = (reader.u32()?, reader.u32()?);
        let entity = match length {
            NO_KEY => None,
            _ => {
                let key = reader.utf8(u64::from(length))?;
                Some((key, i64::from_le_bytes(reader.array()?)))
            }
        };
        if entity.is_some_and(|(_, time)| time == i64::MAX) {
            return Err(reader.fault("an entity has the event time of a free slot"));
        }
        let left_out = || reader.fault(format!("slot {slot} comes before the slots below it"));
        let words = table.put(slot, entity).map_err(|fault| fault.unwrap_or_else(left_out))?;
        if entity.is_some() {
            read_words(&mut reader, words)?;
            put.push(slot);
        }
    }
    Ok(())
}

pub(crate) fn read_words(reader: &mut Reader<'_>, words: &mut [f64]) -> Result<(), StateError> {
    let mask = reader.take(words.len().div_ceil(8) as u64)?;
    for (bits, eight) in mask.iter().zip(words.chunks_mut(8)) {
        for (index, word) in eight.iter_mut().enumerate() {
            *word = if bits & 1 << index != 0 { f64::from_bits(reader.u64()?) } else { 0.0 };
        }
    }
    let spare = (8 - words.len() % 8) % 8;
    match mask.last() {
        Some(last) if last.leading_zeros() < spare as u32 => Err(reader.fault("a mask is longer than its entity")),
        _ => Ok(()),
    }
}
