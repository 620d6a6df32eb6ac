use std::io::{self, Read};

use crate::blocks::BlockReader;
use crate::bytes::Reader;
use crate::entities::EntityTable;
use crate::error::StateError;
use crate::frozen::{NO_KEY, WORDS_MAX};

impl EntityTable {
    /// Reads what [`crate::FrozenTable::encode`] has written: a whole table into an empty one, changes into what the table
    /// before them was.
    /// Errors: `Malformed`, `Storage`.
    pub fn decode(from: &mut dyn Read, table: Self) -> Result<Self, StateError> {
        read_table(from, |_| Ok(table)).map_err(|fault| match fault.kind() {
            io::ErrorKind::UnexpectedEof => StateError::malformed("entities", "they end within a block"),
            _ => StateError::storage("read", "entities", fault),
        })
    }
}

/// Takes up what [`crate::FrozenTable::encode`] has written, a whole table into an empty one, changes into what the snapshot
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
