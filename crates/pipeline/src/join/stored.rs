//! Format 1, the section `joins` of a snapshot: a byte 1, then this in postcard:
//!
//! ```text
//! newest event time, event time reached     option of varint each
//! sides, in the order of the file:          list of
//!   0 interval: records, oldest first       list of (key, time, offset, values)
//!   1 table: rows by key                    list of (key, time, values)
//! events that wait, oldest first            list of (time, offset, timestamp, key, value, headers, claims)
//!   claim: 0 key to be looked up            option of text
//!          1 row of a table                 option of values
//! value: 0 null, 1 int, 2 float, 3 bool, 4 text; times are ints, microseconds
//! ```
//!
//! It is read only with the joins it was written with: the digest in the snapshot's header says so.

use std::sync::Arc;

use lapwing_vocabulary::Header;
use serde::{Deserialize, Serialize};

use super::memory::{Claim, Memory, Side, Waiting};
use super::value::Value;

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    clocks: (Option<i64>, Option<i64>),
    sides: Vec<StoredSide>,
    waiting: Vec<StoredWaiting>,
}

#[derive(Serialize, Deserialize)]
enum StoredSide {
    Interval(Vec<(String, i64, i64, Vec<Value>)>),
    Table(Vec<(String, i64, Vec<Value>)>),
}

#[derive(Serialize, Deserialize)]
struct StoredWaiting {
    moment: (i64, i64),
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    claims: Vec<StoredClaim>,
}

#[derive(Serialize, Deserialize)]
enum StoredClaim {
    Key(Option<String>),
    Row(Option<Vec<Value>>),
}

/// Writes what is remembered.
pub(super) fn encode(memory: &Memory) -> Vec<u8> {
    let side = |side: &Side| match side {
        Side::Interval(interval) => {
            let rows = interval.iter().map(|(key, (time, offset), row)| (key.to_string(), time, offset, row.to_vec()));
            StoredSide::Interval(rows.collect())
        }
        Side::Table(table) => {
            StoredSide::Table(table.iter().map(|(key, time, row)| (key.to_string(), time, row.to_vec())).collect())
        }
    };
    let claim = |claim: &Claim| match claim {
        Claim::Key(key) => StoredClaim::Key(key.as_ref().map(ToString::to_string)),
        Claim::Row(row) => StoredClaim::Row(row.as_ref().map(|row| row.to_vec())),
    };
    let waiting = memory.waiting().iter().map(|(moment, event)| StoredWaiting {
        moment: *moment,
        timestamp: event.timestamp,
        key: event.key.clone(),
        value: event.value.clone(),
        headers: event.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        claims: event.claims.iter().map(claim).collect(),
    });
    let stored =
        Stored { clocks: memory.clocks(), sides: memory.sides.iter().map(side).collect(), waiting: waiting.collect() };
    postcard::to_extend(&stored, vec![VERSION]).expect("numbers, texts and lists of them have a form in postcard")
}

/// Reads what [`encode`] wrote into a memory that is still empty.
/// Errors: text, if the bytes are of another format or of other joins.
pub(super) fn decode(bytes: &[u8], mut memory: Memory) -> Result<Memory, String> {
    let bytes = match bytes.split_first() {
        Some((&VERSION, rest)) => rest,
        Some((version, _)) => return Err(format!("the joins are in format {version}; this Lapwing reads {VERSION}")),
        None => return Err("the joins are empty".to_owned()),
    };
    let stored: Stored = postcard::from_bytes(bytes).map_err(|error| format!("the joins: {error}"))?;
    if stored.sides.len() != memory.sides.len() {
        return Err(format!("{} joins are remembered, {} are declared", stored.sides.len(), memory.sides.len()));
    }
    memory.set_clocks(stored.clocks);
    for (side, stored) in memory.sides.iter_mut().zip(stored.sides) {
        match (side, stored) {
            (Side::Interval(interval), StoredSide::Interval(rows)) => {
                rows.into_iter().for_each(|(key, time, offset, row)| interval.put(&key, (time, offset), row.into()));
            }
            (Side::Table(table), StoredSide::Table(rows)) => {
                for (key, time, row) in rows {
                    // A smaller `max_rows` than before keeps what it can.
                    if table.set(&key, time, row.into()).is_err() {
                        tracing::warn!("a joined table is cut to its new `max_rows`");
                        break;
                    }
                }
            }
            _ => return Err("a join was a table, and is none, or the other way round".to_owned()),
        }
    }
    for event in stored.waiting {
        let claim = |claim| match claim {
            StoredClaim::Key(key) => Claim::Key(key.map(Arc::from)),
            StoredClaim::Row(row) => Claim::Row(row.map(Arc::from)),
        };
        let header = |(name, value)| Header { name, value };
        let StoredWaiting { moment, timestamp, key, value, headers, claims } = event;
        let (headers, claims) = (headers.into_iter().map(header).collect(), claims.into_iter().map(claim).collect());
        memory.wait(moment, Waiting { timestamp, key, value, headers, claims });
    }
    Ok(memory)
}
