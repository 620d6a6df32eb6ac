use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lapwing_vocabulary::port::Assignment;
use lapwing_vocabulary::{Epoch, Offset, OutputRecord, Partition, Polled, PortError, Records, Transport};

use super::Fixture;

/// How long one poll may wait.
pub(super) const WAIT: Duration = Duration::from_millis(100);
/// After so many polls without what is waited for, it does not come.
const POLLS_MAX: usize = 600;
/// So many idle polls in a row mean that nothing more comes.
const QUIET_POLLS: usize = 5;

/// A record as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    pub(super) value: Vec<u8>,
}

/// A worker driven by hand, one poll at a time.
pub(super) struct Worker {
    pub(super) transport: Box<dyn Transport>,
    /// Next offset of every partition that was resumed.
    pub(super) held: BTreeMap<Partition, Offset>,
    pub(super) seen: Vec<Seen>,
    pub(super) ended: bool,
}

impl Worker {
    pub(super) fn open(fixture: &mut dyn Fixture, topic: &str, worker: usize, workers: usize) -> Self {
        let transport = fixture.open(topic, "suite", worker, workers);
        let transport = transport.unwrap_or_else(|error| panic!("open worker {worker} of {workers}: {error}"));
        Self { transport, held: BTreeMap::new(), seen: Vec::new(), ended: false }
    }

    /// The only worker, at its committed positions.
    pub(super) fn alone(fixture: &mut dyn Fixture, topic: &str, partitions: usize) -> Self {
        let mut worker = Self::open(fixture, topic, 0, 1);
        worker.until("its assignment", |worker| {
            // Nothing but the assignment may come yet; records would be counted as seen.
            worker.step(1);
            worker.held.len() == partitions
        });
        worker
    }

    /// One poll. Returns the records that came, if any.
    pub(super) fn step(&mut self, records_max: usize) -> Option<Records> {
        let polled = self.transport.poll(records_max, WAIT).unwrap_or_else(|error| panic!("poll: {error}"));
        match polled {
            Polled::Assigned(assignments) => self.resume(&assignments),
            Polled::Revoked(partitions) => {
                self.transport.release(&partitions).unwrap_or_else(|error| panic!("release: {error}"));
                self.held.retain(|partition, _| !partitions.contains(partition));
            }
            Polled::Lost(partitions) => self.held.retain(|partition, _| !partitions.contains(partition)),
            Polled::Records(records) => {
                self.take(&records, records_max);
                return Some(records);
            }
            Polled::End => self.ended = true,
            Polled::Idle => {}
        }
        None
    }

    fn resume(&mut self, assignments: &[Assignment]) {
        for one in assignments {
            let offset = one.committed.unwrap_or(one.earliest);
            self.transport.resume(one.partition, offset).unwrap_or_else(|error| panic!("resume: {error}"));
            self.held.insert(one.partition, offset);
        }
    }

    /// Notes what came, and that it came at its place.
    fn take(&mut self, records: &Records, records_max: usize) {
        assert!((1..=records_max).contains(&records.len()), "{} records of at most {records_max}", records.len());
        let partition = records.partition();
        let next = self.held.get_mut(&partition).unwrap_or_else(|| panic!("partition {partition} is not held"));
        for index in 0..records.len() {
            assert!(records.offset(index) >= *next, "offset {} after {next}", records.offset(index));
            *next = records.offset(index) + 1;
            let value = records.value(index).to_vec();
            self.seen.push(Seen { partition, offset: records.offset(index), value });
        }
    }

    /// Does something again and again until it says that it is done.
    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..POLLS_MAX {
            if done(self) {
                return;
            }
        }
        panic!("{what} did not come; {} records did, partitions {:?}", self.seen.len(), self.held);
    }

    /// Polls until so many records were seen in all.
    pub(super) fn read(&mut self, count: usize, records_max: usize) {
        self.until("enough records", |worker| {
            if worker.seen.len() < count {
                worker.step(records_max.min(count - worker.seen.len()));
            }
            worker.seen.len() >= count
        });
    }

    /// Makes sure that nothing more comes.
    pub(super) fn expect_quiet(&mut self) {
        let before = self.seen.len();
        for _ in 0..QUIET_POLLS {
            self.step(1000);
        }
        assert_eq!(self.seen.len(), before, "records came that should not: {:?}", &self.seen[before..]);
    }

    pub(super) fn values(&self) -> Vec<String> {
        self.seen.iter().map(|seen| String::from_utf8_lossy(&seen.value).into_owned()).collect()
    }

    /// What was consumed so far, with these outputs.
    pub(super) fn epoch(&self, outputs: Vec<OutputRecord>) -> Epoch {
        Epoch { outputs, positions: self.held.iter().map(|(partition, next)| (*partition, *next)).collect() }
    }

    pub(super) fn commit(&mut self, outputs: Vec<OutputRecord>) {
        let epoch = self.epoch(outputs);
        self.transport.commit(epoch).unwrap_or_else(|error| panic!("commit: {error}"));
    }
}

/// The text of an error for the operator.
pub(super) fn operator<T>(outcome: Result<T, PortError>) -> String {
    match outcome {
        Err(PortError::Operator(text)) => text,
        Err(error) => panic!("expected an error for the operator, got {error:?}"),
        Ok(_) => panic!("expected an error for the operator"),
    }
}

/// Records with the numbers as values. Keys spread them over the partitions.
pub(super) fn numbered(topic: &Arc<str>, numbers: std::ops::Range<usize>) -> Vec<OutputRecord> {
    numbers.map(|number| record(topic, &format!("key-{}", number % 16), &number.to_string())).collect()
}

pub(super) fn record(topic: &Arc<str>, key: &str, value: &str) -> OutputRecord {
    OutputRecord {
        topic: topic.clone(),
        partition: None,
        key: Some(key.into()),
        value: value.into(),
        headers: Vec::new(),
        // Whole milliseconds, because Kafka keeps no finer ones.
        timestamp: 1_700_000_000_123_000,
    }
}

/// Values that are committed of a topic.
pub(super) fn committed(fixture: &mut dyn Fixture, topic: &str) -> Vec<String> {
    fixture.committed(topic).into_iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect()
}
