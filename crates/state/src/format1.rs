//! Snapshots of format version 1: one file with a whole table, read for as long as such files may lie about.
//!
//! ```text
//! magic       8 bytes   LAPWSNAP
//! version     u16       1
//! length      u64       of the whole file, checksum included
//! pipeline    text
//! topic       text
//! partition   i32
//! offset      i64       first offset not contained
//! digest      text      of the feature graph
//! sections    u16       how many; then of each:
//!   name      text
//!   length    u64
//!   payload   bytes
//! checksum    u32       CRC-32 (IEEE) of everything before it
//! ```
//!
//! The section `entities`:
//!
//! ```text
//! words per entity   u32
//! entities           u64
//! each entity, in the order of first appearance:
//!   key length       u32
//!   key              bytes
//!   mask             one bit per word, lowest first, whole bytes: 1 if the word is not +0
//!   words            f64 each, those whose bit is 1
//! ```

use lapwing_vocabulary::{Offset, Partition};

use crate::bytes::Reader;
use crate::chain::Plan;
use crate::entities::EntityTable;
use crate::error::StateError;
use crate::snapshot::{Header, Identity, MakeTable, Snapshot};
use crate::thaw::{make_table, read_words};

/// The one section that is a table.
const ENTITIES: &str = "entities";

/// Reads a file's bytes between the length and the checksum, which were found right. Errors: `Malformed`.
pub(crate) fn decode(body: &[u8], make: &mut MakeTable<'_>) -> Result<Snapshot, StateError> {
    let mut reader = Reader::new("snapshot", body);
    let header = read_header(&mut reader)?;
    let mut snapshot = Snapshot { header, tables: Vec::new(), sections: Vec::new() };
    for _ in 0..reader.u16()? {
        let name = reader.text()?.to_owned();
        let length = reader.u64()?;
        let payload = reader.take(length)?;
        if name == ENTITIES {
            let table = read_entities(payload, |words| make(&snapshot.header, ENTITIES, words))?;
            snapshot.tables.push((name, table));
        } else {
            snapshot.sections.push((name, payload.to_vec()));
        }
    }
    reader.end()?;
    Ok(snapshot)
}

/// Reads what the file says of itself.
pub(crate) fn read_header(reader: &mut Reader<'_>) -> Result<Header, StateError> {
    let (pipeline, topic) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let partition = Partition::from_le_bytes(reader.array()?);
    let offset = Offset::from_le_bytes(reader.array()?);
    let graph_digest = reader.text()?.to_owned();
    let identity = Identity { pipeline, topic, partition, graph_digest, layout: Vec::new() };
    Ok(Header { identity, offset, plan: Plan::Full })
}

fn read_entities(
    bytes: &[u8],
    make: impl FnOnce(usize) -> Result<EntityTable, StateError>,
) -> Result<EntityTable, StateError> {
    let mut reader = Reader::new("entities", bytes);
    let (words, count) = (reader.u32()?, reader.u64()?);
    let mut table = make_table(words, make)?;
    for _ in 0..count {
        let length = reader.u32()?;
        let key = reader.utf8(u64::from(length))?;
        let (slot, new) = table.slot(key, i64::MIN)?;
        if !new {
            return Err(reader.fault("an entity is there twice"));
        }
        read_words(&mut reader, table.words_mut(slot)?)?;
    }
    reader.end()?;
    Ok(table)
}
