use std::collections::BTreeSet;

use lapwing_vocabulary::{Header, OutputRecord, Polled};

use super::Fixture;
use super::worker::{WAIT, Worker, committed, numbered, operator, record};
use crate::partitioner::partition_of_key;

/// Numbers of a partition, in the order in which they were produced.
fn expected(numbers: std::ops::Range<usize>, partition: i32, partitions: i32) -> Vec<usize> {
    let lies_here =
        |number: &usize| partition_of_key(format!("key-{}", number % 16).as_bytes(), partitions) == partition;
    numbers.filter(lies_here).collect()
}

fn numbers(worker: &Worker, partition: i32) -> Vec<usize> {
    let of_partition = worker.seen.iter().filter(|seen| seen.partition == partition);
    let number = |value: &[u8]| String::from_utf8_lossy(value).parse().expect("the suite produced numbers");
    of_partition.map(|seen| number(&seen.value)).collect()
}

pub(super) fn in_order(fixture: &mut dyn Fixture) {
    let topic = fixture.create("order", 3);
    fixture.produce(numbered(&topic, 0..500));
    let mut worker = Worker::alone(fixture, &topic, 3);
    worker.read(500, 7);
    worker.expect_quiet();
    for partition in 0..3 {
        assert_eq!(numbers(&worker, partition), expected(0..500, partition, 3), "partition {partition}");
    }
}

pub(super) fn resumes_anywhere(fixture: &mut dyn Fixture) {
    let topic = fixture.create("resume", 1);
    fixture.produce(numbered(&topic, 0..100));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(100, 1000);
    let first = worker.seen.clone();
    for start in [99, 0, 42, 41] {
        worker.seen.clear();
        let offset = first[start].offset;
        worker.transport.resume(0, offset).unwrap_or_else(|error| panic!("resume at {offset}: {error}"));
        worker.held.insert(0, offset);
        worker.read(100 - start, 9);
        worker.expect_quiet();
        assert_eq!(worker.seen, first[start..], "from {start}");
    }
}

pub(super) fn nothing_before_resume(fixture: &mut dyn Fixture) {
    let topic = fixture.create("before", 1);
    fixture.produce(numbered(&topic, 0..5));
    let mut transport = fixture.open(&topic, "suite", 0, 1).unwrap_or_else(|error| panic!("open: {error}"));
    let mut assigned = false;
    for _ in 0..50 {
        match transport.poll(10, WAIT).unwrap_or_else(|error| panic!("poll: {error}")) {
            Polled::Assigned(list) => assigned |= !list.is_empty(),
            Polled::Idle if assigned => return,
            Polled::Idle => {}
            other => panic!("{other:?} before the worker resumed"),
        }
    }
    panic!("no assignment");
}

pub(super) fn empty_source(fixture: &mut dyn Fixture) {
    let finite = fixture.abilities().finite;
    let topic = fixture.create("empty", 2);
    let mut worker = Worker::alone(fixture, &topic, 2);
    worker.expect_quiet();
    assert_eq!(worker.ended, finite, "a finite source ends, an endless one idles");
    assert_eq!(worker.transport.backlog().unwrap_or_else(|error| panic!("backlog: {error}")).records, 0);
}

pub(super) fn two_workers(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("shared", 4), fixture.create("shared-out", 1));
    fixture.produce(numbered(&topic, 0..400));
    let mut first = Worker::open(fixture, &topic, 0, 2);
    if !fixture.abilities().several_workers {
        operator(fixture.open(&topic, "suite", 1, 2).map(|_| ()));
        return;
    }
    let mut second = Worker::open(fixture, &topic, 1, 2);
    let copy = |worker: &mut Worker| {
        if let Some(records) = worker.step(50) {
            let values = (0..records.len()).map(|index| String::from_utf8_lossy(records.value(index)).into_owned());
            let outputs = values.map(|value| record(&output, "k", &value)).collect();
            worker.commit(outputs);
        }
    };
    first.until("the other worker's half", |first| {
        copy(first);
        copy(&mut second);
        first.held.len() == 2 && second.held.len() == 2 && committed(fixture, &output).len() >= 400
    });
    let both: BTreeSet<i32> = first.held.keys().chain(second.held.keys()).copied().collect();
    assert_eq!(both.len(), 4, "no partition is held twice");
    let mut values: Vec<usize> =
        committed(fixture, &output).iter().map(|value| value.parse().expect("numbers were copied")).collect();
    values.sort_unstable();
    assert_eq!(values, (0..400).collect::<Vec<_>>(), "each record exactly once");
}

pub(super) fn metadata(fixture: &mut dyn Fixture) {
    let survives = fixture.abilities().metadata;
    let (topic, output) = (fixture.create("metadata", 1), fixture.create("metadata-out", 1));
    let header = |name: &str, value: &[u8]| Header { name: name.to_owned(), value: value.to_vec() };
    let mut sent = record(&topic, "a key", "a value");
    sent.headers = vec![header("h", b"v"), header("h", &[0, 255]), header("empty", b"")];
    fixture.produce(vec![sent.clone()]);
    let mut worker = Worker::alone(fixture, &topic, 1);
    let mut records = None;
    worker.until("the record", |worker| {
        records = worker.step(10);
        records.is_some()
    });
    let records = records.expect("it came");
    assert_eq!(records.value(0), sent.value);
    if survives {
        assert_eq!(records.key(0), sent.key.as_deref());
        assert_eq!((records.headers(0), records.timestamp(0)), (&sent.headers[..], sent.timestamp));
    } else {
        assert_eq!((records.key(0), records.headers(0)), (None, &[][..]));
    }
    sent.topic = output.clone();
    worker.commit(vec![sent.clone()]);
    let found = fixture.committed(&output).into_iter().next().expect("the output is committed");
    assert_eq!(found.value, sent.value);
    if survives {
        assert_eq!((found.key, found.headers, found.timestamp), (sent.key, sent.headers, sent.timestamp));
    }
}

pub(super) fn large_records(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("large", 1), fixture.create("large-out", 1));
    let sizes = [1, 500_000, 10, 700_000];
    let sent: Vec<_> = sizes.iter().map(|size| record(&topic, "k", &"x".repeat(*size))).collect();
    fixture.produce(sent.clone());
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(4, 1000);
    assert_eq!(worker.seen.iter().map(|seen| seen.value.len()).collect::<Vec<_>>(), sizes);
    let outputs = sent.into_iter().map(|record| OutputRecord { topic: output.clone(), ..record });
    worker.commit(outputs.collect());
    let found = fixture.committed(&output);
    assert_eq!(found.iter().map(|record| record.value.len()).collect::<Vec<_>>(), sizes);
}

pub(super) fn unknown_topic(fixture: &mut dyn Fixture) {
    let topic = fixture.create("known", 1);
    let unknown = topic.replace("known", "knwon");
    let text = operator(fixture.open(&unknown, "suite", 0, 1).map(|_| ()));
    assert!(text.contains(&unknown), "{text}");
}
