//! Small polls are gathered into batches worth the work of one, if the settings say so.

use std::collections::BTreeMap;

use lapwing_vocabulary::{Partition, Records};

/// Records that wait for more of their partition.
#[derive(Debug, Default)]
pub(super) struct Gather {
    events_min: usize,
    delay_micros: i64,
    waiting: BTreeMap<Partition, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    records: Records,
    since: i64,
}

impl Gather {
    /// Batches of fewer than `events_min` records wait for more, at most `delay_micros`.
    pub(super) fn new(events_min: usize, delay_micros: i64) -> Self {
        Self { events_min, delay_micros, waiting: BTreeMap::new() }
    }

    /// Takes records in; returns those of the partition if they are enough now.
    pub(super) fn take_in(&mut self, records: Records, now: i64) -> Option<Records> {
        let partition = records.partition();
        let all = match self.waiting.remove(&partition) {
            None if records.len() >= self.events_min => return Some(records),
            None => Waiting { records, since: now },
            Some(mut waiting) => {
                waiting.records.append(&records);
                waiting
            }
        };
        if all.records.len() >= self.events_min {
            return Some(all.records);
        }
        self.waiting.insert(partition, all);
        None
    }

    /// The records that have waited long enough. A clock that was set back counts as that.
    pub(super) fn due(&mut self, now: i64) -> Vec<Records> {
        let delay = self.delay_micros;
        let is_due = |waiting: &Waiting| now < waiting.since || now - waiting.since >= delay;
        let due: Vec<Partition> =
            self.waiting.iter().filter(|(_, waiting)| is_due(waiting)).map(|(partition, _)| *partition).collect();
        due.iter().filter_map(|partition| self.waiting.remove(partition)).map(|waiting| waiting.records).collect()
    }

    /// Everything that waits.
    pub(super) fn all(&mut self) -> Vec<Records> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.records).collect()
    }

    /// Throws away what waits of a partition: it was not processed, so its position has not moved.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.waiting.remove(&partition);
    }

    /// How long until something is due. Units: microseconds. `None` if nothing waits.
    pub(super) fn wait_micros(&self, now: i64) -> Option<i64> {
        self.waiting.values().map(|waiting| (waiting.since + self.delay_micros - now).max(0)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(partition: Partition, offsets: std::ops::Range<i64>) -> Records {
        let mut records = Records::new("t".into(), partition);
        offsets.for_each(|offset| records.push(offset, 0, None, b"", Vec::new()));
        records
    }

    #[test]
    fn a_batch_goes_when_it_is_large_enough_or_has_waited_long_enough() {
        let mut gather = Gather::new(5, 100);
        assert_eq!(gather.take_in(records(0, 0..5), 0).map(|records| records.len()), Some(5));
        assert!(gather.take_in(records(0, 5..7), 10).is_none());
        assert!(gather.take_in(records(1, 0..1), 50).is_none());
        assert_eq!(gather.wait_micros(60), Some(50));
        assert_eq!(gather.take_in(records(0, 7..10), 60).map(|records| records.last_offset()), Some(Some(9)));
        assert_eq!(gather.due(149).len(), 0);
        assert_eq!(gather.due(150)[0].partition(), 1);
        assert_eq!(gather.wait_micros(150), None);
    }

    #[test]
    fn one_event_is_enough_unless_said_otherwise() {
        let mut gather = Gather::new(1, 0);
        assert!(gather.take_in(records(0, 0..1), 0).is_some());
        assert!(gather.all().is_empty());
    }

    #[test]
    fn what_waits_of_a_partition_that_is_lost_is_thrown_away() {
        let mut gather = Gather::new(9, 100);
        gather.take_in(records(0, 0..1), 0);
        gather.take_in(records(1, 0..1), 0);
        gather.forget(0);
        assert_eq!(gather.all().len(), 1);
    }
}
