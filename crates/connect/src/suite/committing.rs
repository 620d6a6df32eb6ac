use lapwing_vocabulary::{Epoch, PortError};

use super::Fixture;
use super::worker::{Worker, committed, numbered, operator, record};

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
