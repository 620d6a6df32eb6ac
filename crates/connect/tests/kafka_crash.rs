//! What happens to a worker when its Kafka is killed.
//!
//! The broker must be one that `scripts/kafka` started: the test kills it without warning and starts it again.
//! `scripts/kafka start && LAPWING_KAFKA=$(scripts/kafka url) cargo test -p lapwing-connect --features real-kafka --test kafka_crash`

use std::process::Command;
use std::time::Duration;

mod kafka_support;
use kafka_support::*;

/// Runs `scripts/kafka VERB` for the broker under test.
fn script(verb: &str) {
    let address = address();
    let port = address.rsplit(':').next().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/kafka");
    let status = Command::new(script).arg(verb).env("LAPWING_KAFKA_PORT", port).status().unwrap();
    assert!(status.success(), "scripts/kafka {verb} failed: was the broker at {address} started by it?");
}

#[test]
fn a_killed_broker_costs_time_but_no_record_and_no_repeat() {
    const RECORDS: usize = 3000;
    let (input, output) = (fresh_topic("killed-in", 4), fresh_topic("killed-out", 2));
    produce(&input, 0, RECORDS);
    let mut options = options(&input, "a");
    options.give_up_after = Duration::from_secs(90);
    let mut worker = Worker::open(options, &output);
    worker.work_until(|_, copied, _| copied > 500);
    let broker = std::thread::spawn(|| {
        script("kill9");
        script("start");
    });
    while !broker.is_finished() {
        worker.step();
    }
    broker.join().unwrap();
    worker.work_until(|_, _, idle| idle > 10 && committed(&output).len() >= RECORDS);
    assert_each_once(&output, RECORDS);
}
