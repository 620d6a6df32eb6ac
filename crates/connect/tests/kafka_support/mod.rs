//! What the tests against a real Kafka share: topics of their own, and a worker that copies.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lapwing_connect::kafka::{KafkaConnection, KafkaOptions, KafkaProducer, KafkaTopics, KafkaTransport};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, Offset, OutputRecord, Partition, Polled, PortError, Processing, Records, Transport};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

/// One wait of a worker.
pub(crate) const WAIT: Duration = Duration::from_millis(100);
/// Waits after which a test has failed: long enough for a group to notice a dead member.
pub(crate) const WAITS_MAX: usize = 400;

/// Records that a copying worker commits together at most.
pub(crate) const EPOCH_RECORDS_MAX: usize = 50;

pub(crate) fn address() -> String {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test")]
    std::env::var("LAPWING_KAFKA").expect(
        "LAPWING_KAFKA is not set: start a broker with `scripts/kafka start` and set it to host:port, \
         for example LAPWING_KAFKA=127.0.0.1:19092",
    )
}

pub(crate) fn connection_with(properties: &[(&str, &str)]) -> KafkaConnection {
    let mut all = BTreeMap::from([("bootstrap.servers".to_string(), address())]);
    all.extend(properties.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    KafkaConnection { properties: all, give_up_after: Duration::from_secs(20), max_record_bytes: 1 << 20 }
}

pub(crate) fn connection() -> KafkaConnection {
    connection_with(&[])
}

pub(crate) fn layout(partitions: i32) -> TopicLayout {
    TopicLayout { partitions, replication: None, retention_micros: None, retention_bytes: None, compact: false }
}

/// Creates a topic that no earlier run has used.
pub(crate) fn fresh_topic(stem: &str, partitions: i32) -> String {
    let mut topics = KafkaTopics::open(connection()).unwrap();
    let taken = topics.list().unwrap().into_iter().collect::<BTreeSet<_>>();
    let free = |name: &String| !taken.contains(name);
    (1..)
        .map(|number| format!("{stem}-{number}"))
        .filter(free)
        .find(|name| topics.create(name, &layout(partitions)).unwrap())
        .expect("numbers do not run out")
}

/// Gives a topic more partitions, as an operator would.
pub(crate) fn grow(topic: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address()).create().unwrap();
    let (options, wanted) = (AdminOptions::new(), NewPartitions::new(topic, partitions));
    let mut answer = pin!(admin.create_partitions([&wanted], &options));
    loop {
        if let Poll::Ready(results) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            results.unwrap().into_iter().for_each(|result| _ = result.unwrap());
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

pub(crate) fn options(topic: &str, worker: &str) -> KafkaOptions {
    options_with(topic, worker, &[])
}

pub(crate) fn options_with(topic: &str, worker: &str, properties: &[(&str, &str)]) -> KafkaOptions {
    let KafkaConnection { properties, give_up_after, max_record_bytes } = connection_with(properties);
    KafkaOptions {
        properties,
        topic: topic.to_string(),
        group: format!("{topic}-group"),
        processing: Processing::ExactlyOnce,
        transactional_id: format!("{topic}-{worker}"),
        give_up_after,
        max_record_bytes,
    }
}

pub(crate) fn record(topic: &str, key: &str, value: &str) -> OutputRecord {
    OutputRecord {
        topic: topic.into(),
        partition: None,
        key: Some(key.into()),
        value: value.into(),
        headers: vec![],
        timestamp: 1_700_000_000_123_000,
    }
}

/// Appends `count` records with the numbers from `first` on, spread by key.
pub(crate) fn produce(topic: &str, first: usize, count: usize) {
    let mut producer = KafkaProducer::open(connection()).unwrap();
    let numbers = first..first + count;
    producer.append(numbers.map(|n| record(topic, &format!("key-{n}"), &n.to_string())).collect()).unwrap();
    producer.flush().unwrap();
}

/// Every committed record of a topic, as text.
pub(crate) fn committed(topic: &str) -> Vec<String> {
    committed_batches(topic).iter().flat_map(|batch| texts(batch).collect::<Vec<_>>()).collect()
}

/// Every committed record of a topic, partition after partition.
pub(crate) fn committed_batches(topic: &str) -> Vec<Records> {
    let mut topics = KafkaTopics::open(connection()).unwrap();
    let partitions = topics.describe(topic).unwrap().unwrap().partitions.len();
    let mut batches = Vec::new();
    for partition in 0..partitions as Partition {
        let mut next = 0;
        loop {
            let records = topics.read(topic, partition, next, 1000).unwrap();
            let Some(last) = records.last_offset() else { break };
            next = last + 1;
            batches.push(records);
        }
    }
    batches
}

pub(crate) fn texts(records: &Records) -> impl Iterator<Item = String> {
    (0..records.len()).map(|index| String::from_utf8(records.value(index).to_vec()).unwrap())
}

/// A worker that copies its input to an output topic, one epoch per batch, as the pipeline does.
pub(crate) struct Worker {
    pub(crate) transport: KafkaTransport,
    pub(crate) output: String,
    pub(crate) held: BTreeSet<Partition>,
    pub(crate) restarts: usize,
}

impl Worker {
    pub(crate) fn open(options: KafkaOptions, output: &str) -> Self {
        let transport = KafkaTransport::open(options).unwrap();
        Self { transport, output: output.to_string(), held: BTreeSet::new(), restarts: 0 }
    }

    /// One poll, and what a worker does about it; the number of records it copied.
    pub(crate) fn step(&mut self) -> usize {
        match self.transport.poll(EPOCH_RECORDS_MAX, WAIT).unwrap() {
            Polled::Assigned(assigned) => {
                for one in assigned {
                    self.held.insert(one.partition);
                    let start = one.committed.unwrap_or(one.earliest);
                    self.transport.resume(one.partition, start).unwrap();
                }
                0
            }
            Polled::Revoked(partitions) => {
                self.transport.release(&partitions).unwrap();
                self.held.retain(|partition| !partitions.contains(partition));
                0
            }
            Polled::Lost(partitions) => {
                self.held.retain(|partition| !partitions.contains(partition));
                0
            }
            Polled::Records(records) => self.copy(&records),
            Polled::Idle => 0,
            Polled::End => panic!("a Kafka topic has no end"),
        }
    }

    fn copy(&mut self, records: &Records) -> usize {
        let next = records.last_offset().unwrap() + 1;
        let outputs = texts(records).map(|text| record(&self.output, &text, &text)).collect();
        match self.transport.commit(Epoch { outputs, positions: vec![(records.partition(), next)] }) {
            Ok(()) => records.len(),
            Err(PortError::Restart(_)) => {
                self.held.clear();
                self.restarts += 1;
                0
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Works until `done` says so of the number of records copied since the call and of the idle polls in a row.
    pub(crate) fn work_until(&mut self, done: impl Fn(&Self, usize, usize) -> bool) {
        let (mut copied, mut idle) = (0, 0);
        for _ in 0..WAITS_MAX {
            let step = self.step();
            copied += step;
            idle = if step == 0 { idle + 1 } else { 0 };
            if done(self, copied, idle) {
                return;
            }
        }
        panic!("not reached; holds {:?}, copied {copied}", self.held);
    }
}

/// Checks that an output topic holds each number below `count` once.
pub(crate) fn assert_each_once(output: &str, count: usize) {
    let mut times = vec![0; count];
    for value in committed(output) {
        times[value.parse::<usize>().unwrap()] += 1;
    }
    let with = |wrong: fn(u32) -> bool| (0..count).filter(|n| wrong(times[*n])).collect::<Vec<_>>();
    let (lost, doubled) = (with(|times| times == 0), with(|times| times > 1));
    let (lost_first, doubled_first) = (lost.first(), doubled.first());
    assert!(
        lost.is_empty() && doubled.is_empty(),
        "{} lost (first {lost_first:?}), {} doubled (first {doubled_first:?})",
        lost.len(),
        doubled.len()
    );
}

/// Polls until something other than idleness comes.
pub(crate) fn next(transport: &mut KafkaTransport) -> Polled {
    for _ in 0..WAITS_MAX {
        match transport.poll(1000, WAIT).unwrap() {
            Polled::Idle => {}
            other => return other,
        }
    }
    panic!("nothing came");
}

pub(crate) fn assigned(transport: &mut KafkaTransport) -> Vec<(Partition, Option<Offset>, Offset)> {
    match next(transport) {
        Polled::Assigned(list) => list.into_iter().map(|one| (one.partition, one.committed, one.earliest)).collect(),
        other => panic!("expected an assignment, got {other:?}"),
    }
}

pub(crate) fn records(transport: &mut KafkaTransport) -> Records {
    match next(transport) {
        Polled::Records(records) => records,
        other => panic!("expected records, got {other:?}"),
    }
}

pub(crate) fn restart(result: Result<(), PortError>) -> String {
    match result {
        Err(PortError::Restart(text)) => text,
        other => panic!("expected a restart, got {other:?}"),
    }
}

pub(crate) fn operator<T: std::fmt::Debug>(result: Result<T, PortError>) -> String {
    match result {
        Err(PortError::Operator(text)) => text,
        other => panic!("expected a text for the operator, got {other:?}"),
    }
}

/// A transaction with one record in it, of a producer of its own.
pub(crate) struct OpenTransaction(BaseProducer);

impl OpenTransaction {
    pub(crate) fn with(topic: &str, value: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address()).set("transactional.id", format!("{topic}-{value}"));
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(WAIT * 100).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<str, str>::to(topic).payload(value).partition(0)).unwrap();
        producer.flush(WAIT * 100).unwrap();
        Self(producer)
    }

    pub(crate) fn commit_after(self, span: Duration) {
        std::thread::park_timeout(span);
        self.0.commit_transaction(WAIT * 100).unwrap();
    }
}
