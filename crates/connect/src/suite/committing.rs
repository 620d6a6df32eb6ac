use std::collections::BTreeMap;

use lapwing_vocabulary::{Epoch, OutputRecord, PortError};

use super::Fixture;
use super::worker::{Worker, committed, numbered, operator, record};
use crate::partitioner::partition_of_key;

pub(super) fn whole_epochs(fixture: &mut dyn Fixture) {
    let topic = fixture.create("whole", 1);
    let outputs = [fixture.create("whole-alerts", 1), fixture.create("whole-rows", 2)];
    fixture.produce(numbered(&topic, 0..10));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(5, 5);
    for output in &outputs {
        assert_eq!(committed(fixture, output), [""; 0], "nothing before the commit");
    }
    let epoch = |from: usize| {
        let records = |output| (from..from + 20).map(move |n| record(output, &format!("k{n}"), &format!("{n:03}")));
        outputs.iter().flat_map(records).collect::<Vec<_>>()
    };
    for from in [0, 20] {
        worker.commit(epoch(from));
        for output in &outputs {
            let mut found = committed(fixture, output);
            found.sort();
            let expected: Vec<String> = (0..from + 20).map(|n| format!("{n:03}")).collect();
            assert_eq!(found, expected, "all of every committed epoch in {output}");
        }
    }
}

pub(super) fn positions_survive(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("crash", 2), fixture.create("crash-out", 1));
    fixture.produce(numbered(&topic, 0..60));
    let mut worker = Worker::alone(fixture, &topic, 2);
    worker.read(20, 5);
    worker.commit(vec![record(&output, "k", "committed")]);
    let before = worker.values();
    // Read, worked on, and then the process dies before it commits.
    worker.read(40, 5);
    drop(worker);
    assert_eq!(committed(fixture, &output), ["committed"]);

    let mut worker = Worker::alone(fixture, &topic, 2);
    worker.read(40, 50);
    worker.expect_quiet();
    let mut all: Vec<usize> =
        before.iter().chain(&worker.values()).map(|value| value.parse().expect("the suite produced numbers")).collect();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<_>>());
}

pub(super) fn positions_alone(fixture: &mut dyn Fixture) {
    let topic = fixture.create("positions", 1);
    fixture.produce(numbered(&topic, 0..10));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(4, 4);
    worker.commit(Vec::new());
    drop(worker);
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(6, 10);
    assert_eq!(worker.values(), ["4", "5", "6", "7", "8", "9"]);
}

pub(super) fn empty_epoch(fixture: &mut dyn Fixture) {
    let topic = fixture.create("nothing", 1);
    fixture.produce(numbered(&topic, 0..3));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.transport.commit(Epoch::default()).unwrap_or_else(|error| panic!("commit nothing: {error}"));
    worker.read(3, 10);
    assert_eq!(worker.values(), ["0", "1", "2"]);
}

pub(super) fn stop_anywhere(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("anywhere", 2), fixture.create("anywhere-out", 1));
    fixture.produce(numbered(&topic, 0..90));
    let mut done = 0;
    while done < 90 {
        let mut worker = Worker::alone(fixture, &topic, 2);
        worker.read(10, 4);
        let outputs = worker.values().iter().map(|value| record(&output, "k", value)).collect();
        worker.commit(outputs);
        done += 10;
        // Some of what comes next is read and lost.
        if done < 90 {
            worker.read(13, 3);
        }
    }
    let mut values: Vec<usize> =
        committed(fixture, &output).iter().map(|value| value.parse().expect("numbers were copied")).collect();
    values.sort_unstable();
    assert_eq!(values, (0..90).collect::<Vec<_>>());
}

pub(super) fn replaced_worker(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("replaced", 1), fixture.create("replaced-out", 1));
    fixture.produce(numbered(&topic, 0..10));
    let mut old = Worker::alone(fixture, &topic, 1);
    old.read(5, 5);
    if !fixture.abilities().several_workers {
        operator(fixture.open(&topic, "suite", 0, 1).map(|_| ()));
        return;
    }
    let _new = Worker::open(fixture, &topic, 0, 1);
    let epoch = old.epoch(vec![record(&output, "k", "too late")]);
    let outcome = old.transport.commit(epoch);
    assert!(matches!(&outcome, Err(PortError::Restart(_))), "expected a restart, got {outcome:?}");
    assert_eq!(committed(fixture, &output), [""; 0]);
}

pub(super) fn named_partitions(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("named", 1), fixture.create("named-out", 3));
    fixture.produce(numbered(&topic, 0..1));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(1, 10);
    let to = |partition, key: &str| {
        let value = format!("{partition:?} {key}");
        OutputRecord { partition, ..record(&output, key, &value) }
    };
    // The same keys everywhere, so that the key cannot have decided.
    let keys = ["key-0", "key-1", "key-2", "key-3"];
    let places = [Some(2), Some(0), None, Some(1)];
    worker.commit(places.iter().flat_map(|place| keys.map(|key| to(*place, key))).collect());
    let records = places.len() * keys.len();
    assert_eq!(committed(fixture, &output).len(), records);
    if !fixture.abilities().metadata {
        return;
    }
    let mut reader = Worker::alone(fixture, &output, 3);
    reader.read(records, 100);
    let found: BTreeMap<_, _> = reader.seen.iter().zip(reader.values()).map(|(seen, v)| (v, seen.partition)).collect();
    for (place, key) in places.iter().flat_map(|place| keys.map(|key| (*place, key))) {
        let expected = place.unwrap_or_else(|| partition_of_key(key.as_bytes(), 3));
        assert_eq!(found[&format!("{place:?} {key}")], expected, "{place:?} {key}");
    }
}

pub(super) fn unknown_partition(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("beyond", 1), fixture.create("beyond-out", 3));
    fixture.produce(numbered(&topic, 0..1));
    for partition in [3, -1] {
        let mut worker = Worker::alone(fixture, &topic, 1);
        worker.read(1, 10);
        let outputs = vec![OutputRecord { partition: Some(partition), ..record(&output, "k", "v") }];
        let epoch = worker.epoch(outputs);
        let outcome = worker.transport.commit(epoch);
        if !fixture.abilities().metadata {
            outcome.unwrap_or_else(|error| panic!("files have no partitions to miss: {error}"));
            return;
        }
        let text = operator(outcome);
        for part in [&*output, &format!("no partition {partition}"), "0 to 2", "lapwing topics create"] {
            assert!(text.contains(part), "{part} in: {text}");
        }
        assert_eq!(committed(fixture, &output), [""; 0]);
    }
}

/// The crash is one between the two steps of a commit: the outputs of an epoch are durable, its positions are not.
pub(super) fn outputs_before_positions(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("between", 2), fixture.create("between-out", 1));
    fixture.produce(numbered(&topic, 0..60));
    let copies = |worker: &Worker| worker.values().iter().map(|value| record(&output, "k", value)).collect::<Vec<_>>();
    let mut worker = Worker::alone(fixture, &topic, 2);
    worker.read(20, 5);
    worker.commit(copies(&worker));
    worker.seen.clear();
    worker.read(15, 5);
    let epoch = Epoch { outputs: copies(&worker), positions: Vec::new() };
    worker.transport.commit(epoch).unwrap_or_else(|error| panic!("write outputs: {error}"));
    let repeated = worker.values();
    drop(worker);

    let mut worker = Worker::alone(fixture, &topic, 2);
    worker.read(40, 50);
    worker.commit(copies(&worker));
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for value in committed(fixture, &output) {
        *times.entry(value).or_default() += 1;
    }
    assert_eq!(times.len(), 60, "none is lost");
    for (value, times) in times {
        assert_eq!(
            times,
            1 + usize::from(repeated.contains(&value)),
            "only what was not committed comes again: {value}"
        );
    }
}

pub(super) fn no_positions_without_outputs(fixture: &mut dyn Fixture) {
    let (topic, output) = (fixture.create("behind", 1), fixture.create("behind-out", 1));
    fixture.produce(numbered(&topic, 0..10));
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(5, 5);
    let lost = OutputRecord { partition: Some(7), ..record(&output, "k", "nowhere") };
    let epoch = worker.epoch(vec![record(&output, "k", "there"), lost]);
    operator(worker.transport.commit(epoch));
    drop(worker);
    let mut worker = Worker::alone(fixture, &topic, 1);
    worker.read(10, 10);
    assert_eq!(worker.values().first().map(String::as_str), Some("0"), "the position was not committed");
}
