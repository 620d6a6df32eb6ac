use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lapwing_vocabulary::Offset;

use super::value::{BOOKKEEPING_BYTES, Bounds, Row, row_bytes};
use crate::settings::Matches;

/// Most rows that one event may become. What matches beyond it is left out, and counted: one key with a million records
/// would otherwise make a million rows of each event.
pub(super) const MATCHES_MAX: usize = 1_000;

/// When a record happened, and where it lies: no two records share both.
type Moment = (i64, Offset);

/// The records of a joined stream that an event may still match.
#[derive(Debug)]
pub(super) struct Interval {
    before_micros: i64,
    after_micros: i64,
    matches: Matches,
    bounds: Bounds,

    /// Of each key, in the order of their moments.
    by_key: BTreeMap<Arc<str>, VecDeque<(Moment, Row)>>,
    /// The key of each, oldest first.
    by_time: BTreeMap<Moment, Arc<str>>,
    bytes: usize,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insertion {
    /// It can be matched.
    Taken,
    /// It is taken, but the oldest records had to go.
    InPlaceOfTheOldest {
        /// How many; one that is larger than all memory allowed goes with them.
        records: usize,
    },
    /// No event can match it any more.
    TooLate {
        /// By how much. Units: microseconds.
        by_micros: i64,
    },
}

impl Interval {
    pub(super) fn new(before_micros: i64, after_micros: i64, matches: Matches, bounds: Bounds) -> Self {
        let (by_key, by_time) = (BTreeMap::new(), BTreeMap::new());
        Self { before_micros, after_micros, matches, bounds, by_key, by_time, bytes: 0 }
    }

    /// Takes a record in, unless every event from `horizon` on is too young for it.
    pub(super) fn insert(&mut self, key: &str, (time, offset): Moment, row: Row, horizon: i64) -> Insertion {
        let useful_until = time.saturating_add(self.before_micros);
        if useful_until < horizon {
            return Insertion::TooLate { by_micros: horizon.saturating_sub(useful_until) };
        }
        self.put(key, (time, offset), row);
        let before = self.by_time.len();
        while self.bounds.are_passed(self.by_time.len(), self.bytes) {
            self.remove_oldest();
        }
        match before - self.by_time.len() {
            0 => Insertion::Taken,
            records => Insertion::InPlaceOfTheOldest { records },
        }
    }

    pub(super) fn put(&mut self, key: &str, moment: Moment, row: Row) {
        let key = self.by_key.get_key_value(key).map_or_else(|| Arc::from(key), |(key, _)| key.clone());
        self.bytes += cost(&key, &row);
        self.by_time.insert(moment, key.clone());
        let rows = self.by_key.entry(key).or_default();
        let at = rows.partition_point(|(other, _)| *other < moment);
        rows.insert(at, (moment, row));
    }

    /// Forgets what no event from `horizon` on can match.
    pub(super) fn prune(&mut self, horizon: i64) {
        let before_micros = self.before_micros;
        let is_over = |moment: &Moment| moment.0.saturating_add(before_micros) < horizon;
        while self.by_time.first_key_value().is_some_and(|(moment, _)| is_over(moment)) {
            self.remove_oldest();
        }
    }

    /// The oldest of all is the oldest of its key.
    fn remove_oldest(&mut self) {
        let Some((_, key)) = self.by_time.pop_first() else { return };
        let Some(rows) = self.by_key.get_mut(&key) else { return };
        if let Some((_, row)) = rows.pop_front() {
            self.bytes -= cost(&key, &row);
        }
        if rows.is_empty() {
            self.by_key.remove(&key);
        }
    }

    /// What an event at `time` matches, oldest first, and how many more there are.
    pub(super) fn matches(&self, key: &str, time: i64) -> (Vec<Row>, usize) {
        let Some(rows) = self.by_key.get(key) else { return (Vec::new(), 0) };
        let (first, last) = (time.saturating_sub(self.before_micros), time.saturating_add(self.after_micros));
        let from = rows.partition_point(|((time, _), _)| *time < first);
        let to = rows.partition_point(|((time, _), _)| *time <= last);
        let from = match self.matches {
            Matches::Last => from.max(to.saturating_sub(1)),
            Matches::All => from,
        };
        let count = to.saturating_sub(from);
        let found = rows.range(from..from + count).take(MATCHES_MAX).map(|(_, row)| row.clone()).collect();
        (found, count.saturating_sub(MATCHES_MAX))
    }

    /// Every record, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Moment, &Row)> {
        self.by_time.iter().filter_map(|(moment, key)| {
            let rows = self.by_key.get(key)?;
            let at = rows.partition_point(|(other, _)| other < moment);
            rows.get(at).map(|(_, row)| (key, *moment, row))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.by_time.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(key: &str, row: &Row) -> usize {
    BOOKKEEPING_BYTES + key.len() + row_bytes(row)
}
