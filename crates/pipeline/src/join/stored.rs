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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::JoinPlan;
    use crate::settings::Pipeline;

    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/joins-1.bin");

    fn plans() -> Vec<JoinPlan> {
        let text = "name = \"p\"\n[source]\ntopic = \"t\"\nkey = \"k\"\ntime = \"at\"\n[join.s]\ntopic = \"s\"\nkey = \"k\"\n\
                    time = \"at\"\nwithin = \"1m\"\nschema = { k = \"text\", at = \"time\", n = \"int\", f = \"float\", b = \"bool\" }\n\
                    [join.r]\ntopic = \"r\"\nkey = \"k\"\ntable = true\nschema = { k = \"text\", role = \"text\" }\n";
        let pipeline = Pipeline::parse(text, "p.toml").unwrap_or_else(|faults| panic!("{faults}"));
        pipeline.joins.iter().map(|join| JoinPlan::new(join, &pipeline).unwrap()).collect()
    }

    /// A memory with one of everything.
    fn memory() -> Memory {
        let mut memory = Memory::new(&plans(), 60_000_000);
        memory.see_event(1_000_000);
        memory.see_stream(2_000_000);
        let row = [Value::Text("a".into()), Value::Int(2_000_000), Value::Null, Value::Float(-0.5), Value::Bool(true)];
        memory.insert(0, "a", (2_000_000, 7), row.into());
        let role = Arc::from([Value::Text("a".into()), Value::Text("web".into())]);
        memory.set(1, "a", 500_000, Arc::clone(&role)).unwrap();
        let header = Header { name: "h".to_owned(), value: vec![0, 255] };
        let event = Waiting {
            timestamp: 3,
            key: Some(b"a".to_vec()),
            value: b"{}".to_vec(),
            headers: vec![header],
            claims: vec![Claim::Key(Some("a".into())), Claim::Row(Some(role))],
        };
        memory.wait((1_000_000, 9), event.clone());
        memory.wait((1_000_001, 8), Waiting { key: None, claims: vec![Claim::Key(None), Claim::Row(None)], ..event });
        memory
    }

    #[test]
    fn format_1_is_the_golden_file_and_reads_back() {
        assert_eq!(encode(&memory()), GOLDEN);
        let again = decode(GOLDEN, Memory::new(&plans(), 60_000_000)).unwrap();
        assert_eq!((encode(&again), again.rows(), again.memory_bytes()), (GOLDEN.to_vec(), 2, memory().memory_bytes()));
        assert_eq!(again.due(), memory().due());
    }

    #[test]
    fn what_is_damaged_or_of_other_joins_is_refused() {
        let read = |bytes: &[u8], plans: &[JoinPlan]| decode(bytes, Memory::new(plans, 0)).map(|_| ());
        assert_eq!(read(&[], &plans()), Err("the joins are empty".to_owned()));
        let later = [&[2], &GOLDEN[1..]].concat();
        assert_eq!(read(&later, &plans()), Err("the joins are in format 2; this Lapwing reads 1".to_owned()));
        for length in 1..GOLDEN.len() {
            assert!(read(&GOLDEN[..length], &plans()).is_err(), "cut to {length} bytes");
        }
        let fault = read(GOLDEN, &plans()[..1]).unwrap_err();
        assert_eq!(fault, "2 joins are remembered, 1 are declared");
        let turned: Vec<JoinPlan> = plans().into_iter().rev().collect();
        assert!(read(GOLDEN, &turned).unwrap_err().contains("the other way round"));
    }
}
