//! Waits and memory of a worker on Kafka: how long a commit of one record takes, how long a record takes from the
//! producer's acknowledgement to the worker, and how much memory a worker that stands still takes up.
//!
//! `scripts/kafka start && cargo run --release -p lapwing-connect --example kafka_speed -- $(scripts/kafka url)`
#![allow(clippy::print_stdout, reason = "a figure is what this prints")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lapwing_connect::kafka::{KafkaConnection, KafkaOptions, KafkaProducer, KafkaTopics, KafkaTransport};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, OutputRecord, Polled, PortError, Processing, Transport};

/// Commits, and deliveries, whose time is taken.
const TIMES: usize = 1000;
/// Records that lie before the worker that stands still, and their size.
const STANDING: [(usize, usize); 2] = [(2_000_000, 10), (400_000, 500)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("give host:port of a broker")?;
    let connection = KafkaConnection {
        properties: BTreeMap::from([("bootstrap.servers".to_string(), address)]),
        give_up_after: Duration::from_secs(20),
        max_record_bytes: 1 << 20,
    };
    for processing in [Processing::ExactlyOnce, Processing::AtLeastOnce] {
        let spans = commits(&connection, processing)?;
        println!("commit of one record, {processing:?}: {}", shown(spans));
    }
    println!("from acknowledgement to the worker: {}", shown(deliveries(&connection)?));
    for (count, bytes) in STANDING {
        let (grown, seconds) = stand_still(&connection, count, bytes)?;
        let whole = (count * bytes) >> 20;
        println!("worker that stands still before {count} records of {bytes} bytes ({whole} MiB): {grown} MiB");
        println!("the same worker when it goes on: {:.0} records/s", count as f64 / seconds);
    }
    Ok(())
}

fn fresh_topic(connection: &KafkaConnection, stem: &str) -> Result<String, PortError> {
    let layout =
        TopicLayout { partitions: 4, replication: None, retention_micros: None, retention_bytes: None, compact: false };
    let mut topics = KafkaTopics::open(connection.clone())?;
    for number in 1.. {
        let name = format!("{stem}-{number}");
        if topics.create(&name, &layout)? {
            return Ok(name);
        }
    }
    Err(PortError::Operator("numbers do not run out".to_string()))
}

fn record(topic: &str, number: usize, bytes: usize) -> OutputRecord {
    let key = Some(format!("key-{}", number % 64).into_bytes());
    // Hardly compressible, so that what is fetched is what lies in memory.
    let seed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = (0..bytes as u64).map(|at| (seed.rotate_left(at as u32).wrapping_mul(at | 1) >> 32) as u8).collect();
    OutputRecord { topic: topic.into(), partition: None, key, value, headers: vec![], timestamp: 0 }
}

/// A worker that has been given all partitions, from their beginning.
fn worker(connection: &KafkaConnection, topic: &str, processing: Processing) -> Result<KafkaTransport, PortError> {
    let KafkaConnection { properties, give_up_after, max_record_bytes } = connection.clone();
    let mut transport = KafkaTransport::open(KafkaOptions {
        properties,
        topic: topic.to_string(),
        group: format!("{topic}-group"),
        processing,
        transactional_id: format!("{topic}-worker"),
        give_up_after,
        max_record_bytes,
    })?;
    loop {
        if let Polled::Assigned(assigned) = transport.poll(1, Duration::from_secs(1))? {
            for one in assigned {
                transport.resume(one.partition, one.earliest)?;
            }
            return Ok(transport);
        }
    }
}

fn commits(connection: &KafkaConnection, processing: Processing) -> Result<Vec<Duration>, PortError> {
    let (topic, output) = (fresh_topic(connection, "speed-in")?, fresh_topic(connection, "speed-out")?);
    let mut transport = worker(connection, &topic, processing)?;
    let mut commit = |number: usize| {
        let positions = vec![(0, number as i64)];
        timed(|| transport.commit(Epoch { outputs: vec![record(&output, number, 200)], positions }))
    };
    // The first ones look for coordinators and partition leaders.
    (0..20).try_for_each(|number| commit(number).map(|_| ()))?;
    (20..20 + TIMES).map(commit).collect()
}

fn deliveries(connection: &KafkaConnection) -> Result<Vec<Duration>, PortError> {
    let topic = fresh_topic(connection, "speed-soon")?;
    let mut transport = worker(connection, &topic, Processing::AtLeastOnce)?;
    let mut producer = KafkaProducer::open(connection.clone())?;
    let mut spans = Vec::with_capacity(TIMES);
    for number in 0..TIMES + 20 {
        producer.append(vec![record(&topic, number, 200)])?;
        producer.flush()?;
        let span = timed(|| {
            while !matches!(transport.poll(100, Duration::from_secs(10))?, Polled::Records(_)) {}
            Ok(())
        })?;
        spans.push(span);
    }
    Ok(spans.split_off(20))
}

/// Units: MiB that the process has grown by, and seconds to read everything afterwards.
fn stand_still(connection: &KafkaConnection, count: usize, bytes: usize) -> Result<(usize, f64), PortError> {
    let topic = fresh_topic(connection, "speed-still")?;
    let mut producer = KafkaProducer::open(connection.clone())?;
    for first in (0..count).step_by(1000) {
        producer.append((first..first + 1000).map(|number| record(&topic, number, bytes)).collect())?;
    }
    producer.flush()?;
    drop(producer);
    let mut transport = worker(connection, &topic, Processing::AtLeastOnce)?;
    let before = resident_mib();
    let mut seen = read(&mut transport)?;
    let (mut most, until) = (0, now() + Duration::from_secs(5));
    while now() < until {
        std::thread::park_timeout(Duration::from_millis(50));
        most = most.max(resident_mib().saturating_sub(before));
    }
    let began = now();
    while seen < count {
        seen += read(&mut transport)?;
    }
    Ok((most, began.elapsed().as_secs_f64()))
}

fn read(transport: &mut KafkaTransport) -> Result<usize, PortError> {
    match transport.poll(4096, Duration::from_secs(10))? {
        Polled::Records(records) => Ok(records.len()),
        _ => Ok(0),
    }
}

/// Memory of this process, on Linux; 0 elsewhere. Units: MiB.
fn resident_mib() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) >> 10
}

#[expect(clippy::disallowed_methods, reason = "the figure is a time")]
fn now() -> Instant {
    Instant::now()
}

fn timed(work: impl FnOnce() -> Result<(), PortError>) -> Result<Duration, PortError> {
    let began = now();
    work()?;
    Ok(began.elapsed())
}

fn shown(mut spans: Vec<Duration>) -> String {
    spans.sort();
    let at = |part: f64| spans[((spans.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(0.5), at(0.99), at(1.0))
}
