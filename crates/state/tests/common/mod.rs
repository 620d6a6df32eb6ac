//! What several test files need.

#![allow(dead_code, reason = "each test file uses a part of it")]

use lapwing_state::{EntityTable, Header, Identity, Kind, SnapshotParts, StateError};

/// A table of one word per entity: key, word, newest event time.
pub fn table_of(entities: &[(&str, f64, i64)], initial: f64) -> EntityTable {
    let mut table = EntityTable::new(vec![initial]);
    for (key, word, time) in entities {
        let (slot, _) = table.slot(key, i64::MIN).unwrap();
        table.words_mut(slot).unwrap()[0] = *word;
        table.seen(slot, *time);
    }
    table
}

pub fn encoded(table: &mut EntityTable, kind: Kind) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.freeze(kind).encode(&mut bytes).unwrap();
    bytes
}

/// Takes up a table section, whole or changes.
pub fn read(mut bytes: &[u8], table: EntityTable) -> Result<EntityTable, StateError> {
    EntityTable::decode(&mut bytes, table)
}

pub fn decoded(bytes: &[u8], initial: Vec<f64>) -> Result<EntityTable, StateError> {
    read(bytes, EntityTable::new(initial))
}

/// Everything a table holds: slot, key, newest event time, bits of the words.
pub fn content(table: &EntityTable) -> Vec<(u32, String, Option<i64>, Vec<u64>)> {
    let entities = table.iter().map(|entity| {
        let (key, slot, words) = entity.unwrap();
        (slot, key.to_owned(), table.last_seen(slot), words.iter().map(|word| word.to_bits()).collect())
    });
    entities.collect()
}

pub fn identity(digest: &str) -> Identity {
    Identity {
        pipeline: "telemetry".into(),
        topic: "sensor_messages".into(),
        partition: 3,
        graph_digest: digest.into(),
        layout: vec![1, 2, 3],
    }
}

/// The two tables of a small memory, as a pipeline has them, and its sections.
pub fn parts(digest: &str, offset: i64, kind: Kind, tables: &mut [(&str, &mut EntityTable)]) -> SnapshotParts {
    let tables = tables.iter_mut().map(|(name, table)| ((*name).to_owned(), table.freeze(kind))).collect();
    let sections = vec![("at".to_owned(), offset.to_le_bytes().to_vec()), ("shared".to_owned(), Vec::new())];
    SnapshotParts { identity: identity(digest), offset, tables, sections }
}

/// Makes tables of whatever width a snapshot has.
pub fn make(_: &Header, _: &str, words: usize) -> Result<EntityTable, StateError> {
    Ok(EntityTable::new(vec![0.0; words]))
}
