use std::collections::VecDeque;
use std::sync::Arc;

use lapwing_vocabulary::{Header, Offset, Partition, Records};

/// One record as it was fetched.
pub(super) struct Fetched<'a> {
    pub(super) offset: Offset,
    /// Units: microseconds since the epoch.
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    pub(super) headers: Vec<Header>,
}

/// Records that were fetched but not handed out yet, by partition. Partitions take turns in the order in which their
/// first record came, so none starves.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    batches: VecDeque<Records>,
    records: usize,
    /// Of all values.
    bytes: usize,
}

/// No more is taken from the client while this much lies here. Units: bytes.
const BYTES_MAX: usize = 16 << 20;

impl Inbox {
    /// Whether so many records, of all partitions, or so many bytes lie here that no more should be added.
    pub(super) fn is_full(&self, records_max: usize) -> bool {
        self.records >= records_max || self.bytes >= BYTES_MAX
    }

    /// Records of one partition.
    pub(super) fn count(&self, partition: Partition) -> usize {
        self.batches.iter().filter(|batch| batch.partition() == partition).map(Records::len).sum()
    }

    /// Keeps a record. Runs of one partition are the rule, so the newest batch is looked at first.
    pub(super) fn push(&mut self, topic: &Arc<str>, partition: Partition, record: Fetched<'_>) {
        let found = self.batches.iter().rposition(|batch| batch.partition() == partition);
        let at = found.unwrap_or_else(|| {
            self.batches.push_back(Records::new(topic.clone(), partition));
            self.batches.len() - 1
        });
        self.bytes += record.value.len();
        self.batches[at].push(record.offset, record.timestamp, record.key, record.value, record.headers);
        self.records += 1;
    }

    /// At most `records_max` records of the partition whose turn it is.
    pub(super) fn take(&mut self, records_max: usize) -> Option<Records> {
        let mut batch = self.batches.pop_front()?;
        if batch.len() > records_max {
            let rest = tail(&batch, records_max);
            batch.truncate(records_max);
            self.batches.push_back(rest);
        }
        self.records -= batch.len();
        self.bytes -= batch.value_bytes();
        Some(batch)
    }

    /// Forgets a partition's records.
    pub(super) fn discard(&mut self, partition: Partition) {
        for batch in self.batches.iter().filter(|batch| batch.partition() == partition) {
            self.records -= batch.len();
            self.bytes -= batch.value_bytes();
        }
        self.batches.retain(|batch| batch.partition() != partition);
    }
}

fn tail(batch: &Records, from: usize) -> Records {
    let mut rest = Records::new(batch.topic().clone(), batch.partition());
    for index in from..batch.len() {
        let headers = batch.headers(index).to_vec();
        rest.push(batch.offset(index), batch.timestamp(index), batch.key(index), batch.value(index), headers);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_take_turns_and_keep_their_order() {
        let mut inbox = Inbox::default();
        let topic = Arc::from("t");
        for (partition, offset) in [(1, 5), (1, 6), (0, 3), (1, 8)] {
            let record = Fetched { offset, timestamp: 0, key: None, value: b"v", headers: vec![] };
            inbox.push(&topic, partition, record);
        }
        let mut seen = Vec::new();
        while let Some(batch) = inbox.take(2) {
            seen.push((batch.partition(), (0..batch.len()).map(|at| batch.offset(at)).collect::<Vec<_>>()));
        }
        assert_eq!(seen, [(1, vec![5, 6]), (0, vec![3]), (1, vec![8])]);
        assert_eq!((inbox.records, inbox.bytes), (0, 0));
    }

    #[test]
    fn it_is_full_of_many_records_or_of_large_ones() {
        let mut inbox = Inbox::default();
        let value = vec![0; BYTES_MAX / 2];
        let mut push = |offset| {
            let record = Fetched { offset, timestamp: 0, key: None, value: &value, headers: vec![] };
            inbox.push(&Arc::from("t"), 0, record);
            (inbox.is_full(1), inbox.is_full(10))
        };
        assert_eq!([push(0), push(1)], [(true, false), (true, true)]);
        inbox.discard(0);
        assert!(!inbox.is_full(1));
    }
}
