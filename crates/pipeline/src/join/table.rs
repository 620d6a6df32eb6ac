use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::value::{BOOKKEEPING_BYTES, Bounds, Row, row_bytes};

/// The last value of each key.
#[derive(Debug)]
pub(super) struct Table {
    ttl_micros: Option<i64>,
    bounds: Bounds,

    rows: BTreeMap<Arc<str>, (i64, Row)>,
    /// With a time to live: the keys by the time of their rows.
    by_time: BTreeSet<(i64, Arc<str>)>,
    bytes: usize,
}

/// A row of a new key was refused: the table is as large as it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Table {
    pub(super) fn new(ttl_micros: Option<i64>, bounds: Bounds) -> Self {
        Self { ttl_micros, bounds, rows: BTreeMap::new(), by_time: BTreeSet::new(), bytes: 0 }
    }

    /// Sets the row of a key. One that is known already may grow beyond the bounds: it would be wrong otherwise.
    pub(super) fn set(&mut self, key: &str, time: i64, row: Row) -> Result<(), Full> {
        let known = self.remove(key);
        if known.is_none() && self.bounds.are_passed(self.rows.len() + 1, self.bytes + cost(key, &row)) {
            return Err(Full);
        }
        let key = known.unwrap_or_else(|| Arc::from(key));
        self.bytes += cost(&key, &row);
        if self.ttl_micros.is_some() {
            self.by_time.insert((time, key.clone()));
        }
        self.rows.insert(key, (time, row));
        Ok(())
    }

    /// Deletes the row of a key.
    pub(super) fn remove(&mut self, key: &str) -> Option<Arc<str>> {
        let (key, (time, row)) = self.rows.remove_entry(key)?;
        self.bytes -= cost(&key, &row);
        self.by_time.remove(&(time, key.clone()));
        Some(key)
    }

    /// The row of a key, as an event at `time` sees it.
    pub(super) fn get(&self, key: &str, time: i64) -> Option<&Row> {
        let (since, row) = self.rows.get(key)?;
        let lives = self.ttl_micros.is_none_or(|ttl| time <= since.saturating_add(ttl));
        lives.then_some(row)
    }

    /// Forgets rows that no event from `horizon` on can see.
    pub(super) fn prune(&mut self, horizon: i64) {
        let Some(ttl) = self.ttl_micros else { return };
        while let Some((_, key)) = self.by_time.first().filter(|(time, _)| time.saturating_add(ttl) < horizon) {
            let key = key.clone();
            self.remove(&key);
        }
    }

    /// Every row, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i64, &Row)> {
        self.rows.iter().map(|(key, (time, row))| (key, *time, row))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(key: &str, row: &Row) -> usize {
    BOOKKEEPING_BYTES + key.len() + row_bytes(row)
}
