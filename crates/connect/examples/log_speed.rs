//! Records per second of the embedded log, at 1 KB a record: `cargo run --release -p lapwing-connect --example log_speed
//! [RECORDS] [plain]` (default 2,000,000 records; `plain`: blocks are not compressed).
#![allow(clippy::print_stdout, reason = "a figure is what this prints")]

use std::time::Duration;

use lapwing_connect::embedded::{EmbeddedLog, LogOptions};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, OutputRecord, Polled, PortError, Transport};

const RECORD_BYTES: usize = 1024;
/// Records per append.
const APPEND_RECORDS: usize = 4096;
/// Records per poll.
const POLL_RECORDS: usize = 4096;
/// Commits whose time is taken.
const COMMITS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records = std::env::args().nth(1).map_or(Ok(2_000_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let compress = std::env::args().nth(2).as_deref() != Some("plain");
    let log = EmbeddedLog::open(folder.path(), LogOptions { compress, ..LogOptions::default() })?;
    let layout =
        TopicLayout { partitions: 2, replication: None, retention_micros: None, retention_bytes: None, compact: false };
    log.topics().create("speed", &layout)?;
    let appended = timed(|| append(&log, records))?;
    println!("append {:>10.0} records/s", records as f64 / appended);
    for round in ["read", "read again"] {
        let read = timed(|| read(&log, round, records))?;
        println!("{round:<12} {:>10.0} records/s", records as f64 / read);
    }
    let committed = timed(|| commit(&log))?;
    println!("commit of 10 records, on disk: {:.2} ms", committed * 1000.0 / COMMITS as f64);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the figure is a time")]
fn timed(work: impl FnOnce() -> Result<(), PortError>) -> Result<f64, PortError> {
    let began = std::time::Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}

/// A record about as compressible as JSON telemetry is.
fn record(topic: &str, number: usize) -> OutputRecord {
    let mut value = Vec::with_capacity(RECORD_BYTES);
    let mut state = number as u64;
    while value.len() < RECORD_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value.extend_from_slice(format!("\"field_{}\":{},", value.len(), state >> 44).as_bytes());
    }
    value.truncate(RECORD_BYTES);
    let key = Some(format!("host-{}", number % 1000).into_bytes());
    OutputRecord { topic: topic.into(), partition: None, key, value, headers: vec![], timestamp: number as i64 }
}

fn append(log: &EmbeddedLog, records: usize) -> Result<(), PortError> {
    // Made once: the copy of a batch is part of what an append costs, making it is not.
    let batch: Vec<OutputRecord> = (0..APPEND_RECORDS).map(|number| record("speed", number)).collect();
    let mut producer = log.producer();
    let mut left = records;
    while left > 0 {
        let count = left.min(APPEND_RECORDS);
        producer.append(batch[..count].to_vec())?;
        left -= count;
    }
    producer.flush()
}

fn read(log: &EmbeddedLog, group: &str, records: usize) -> Result<(), PortError> {
    let mut transport = log.transport("speed", group, 0, 1)?.until_end();
    let (mut read, mut bytes) = (0, 0);
    loop {
        match transport.poll(POLL_RECORDS, Duration::from_secs(1))? {
            Polled::Assigned(list) => {
                list.iter().try_for_each(|one| transport.resume(one.partition, one.earliest))?;
            }
            Polled::Records(records) => {
                read += records.len();
                bytes += records.value_bytes();
            }
            Polled::End => break,
            _ => {}
        }
    }
    assert_eq!((read, bytes), (records, records * RECORD_BYTES));
    Ok(())
}

fn commit(log: &EmbeddedLog) -> Result<(), PortError> {
    let mut transport = log.transport("speed", "commits", 0, 1)?;
    transport.poll(1, Duration::ZERO)?;
    for number in 0..COMMITS {
        let outputs = (0..10).map(|output| record("out", output)).collect();
        transport.commit(Epoch { outputs, positions: vec![(0, number as i64)] })?;
    }
    Ok(())
}
