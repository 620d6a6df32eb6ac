//! What happens to a worker when its Kafka is killed.
//!
//! The broker must be one that `scripts/kafka` started: the test kills it without warning and starts it again.
//! `scripts/kafka start && LAPWING_KAFKA=$(scripts/kafka url) cargo test -p lapwing-connect --features real-kafka --test kafka_crash`

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapwing_connect::kafka::KafkaOptions;
use lapwing_vocabulary::Processing;

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

/// One test at a time kills the broker.
static BROKER: Mutex<()> = Mutex::new(());

const RECORDS: usize = 3000;

/// Copies records while the broker is killed and started again; returns the name of the topic of the copies.
fn copy_over_a_crash(processing: Processing) -> String {
    let _alone = BROKER.lock().unwrap_or_else(PoisonError::into_inner);
    let (input, output) = (fresh_topic("killed-in", 4), fresh_topic("killed-out", 2));
    produce(&input, 0, RECORDS);
    let mut options = KafkaOptions { processing, ..options(&input, "a") };
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
    output
}

#[test]
fn a_killed_broker_costs_time_but_no_record_and_no_repeat() {
    let output = copy_over_a_crash(Processing::ExactlyOnce);
    assert_each_once(&output, RECORDS);
}

#[test]
fn at_least_once_a_killed_broker_repeats_one_epoch_at_most() {
    let output = copy_over_a_crash(Processing::AtLeastOnce);
    let copies = committed(&output);
    let different = copies.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(different, RECORDS, "none is lost");
    assert!(copies.len() - different <= EPOCH_RECORDS_MAX, "{} repeated", copies.len() - different);
}
