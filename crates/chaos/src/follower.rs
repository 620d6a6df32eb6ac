use lapwing_vocabulary::port::Topics;
use lapwing_vocabulary::{Offset, Partition, Records};

use crate::failure::Failure;

/// Most records of one read.
const RECORDS_MAX: usize = 50_000;

/// Committed records of a topic, from the last one read on.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    topic: String,
    next: Vec<Offset>,
}

impl Follower {
    /// From the beginning.
    pub(crate) fn new(topic: impl Into<String>, partitions: i32) -> Self {
        Self { topic: topic.into(), next: vec![0; partitions as usize] }
    }

    /// Reads every partition to its end, as it is now; returns how many records there were.
    pub(crate) fn drain(
        &mut self,
        topics: &mut dyn Topics,
        each: &mut dyn FnMut(&Records, usize),
    ) -> Result<u64, Failure> {
        let mut read = 0;
        for (partition, next) in self.next.iter_mut().enumerate() {
            loop {
                let records = topics.read(&self.topic, partition as Partition, *next, RECORDS_MAX)?;
                let Some(last) = records.last_offset() else { break };
                (0..records.len()).for_each(|index| each(&records, index));
                read += records.len() as u64;
                *next = last + 1;
            }
        }
        Ok(read)
    }
}

/// How many committed records a topic holds.
pub(crate) fn count(topics: &mut dyn Topics, topic: &str, partitions: i32) -> Result<u64, Failure> {
    Follower::new(topic, partitions).drain(topics, &mut |_, _| {})
}
