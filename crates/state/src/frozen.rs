use std::io::{self, Write};

use crate::blocks::BlockWriter;
use crate::chunks::{FrozenChunk, Room, place};
use crate::error::StateError;
use crate::keys::{Key, KeyChunk, key_in};

/// Length of a key that is not there.
pub(crate) const NO_KEY: u32 = u32::MAX;

/// Most words of an entity that are written and read back: what a damaged number can make a reader reserve.
pub(crate) const WORDS_MAX: usize = 1 << 20;

/// What a snapshot holds of each table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every entity.
    Full,
    /// Entities that changed, came or went since the snapshot before.
    Delta,
}

/// A table as it was when `EntityTable::freeze` was called; it can be sent to another thread and written there.
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
