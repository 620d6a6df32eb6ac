use std::collections::BTreeMap;
use std::sync::Arc;

use lapwing_vocabulary::{Header, Offset, Records};

use super::interval::{Insertion, Interval};
use super::plan::JoinPlan;
use super::table::{Full, Table};
use super::value::{BOOKKEEPING_BYTES, Bounds, Row};
use crate::settings::Joined as What;

/// What is remembered of one joined topic.
#[derive(Debug)]
pub(super) enum Side {
    Interval(Interval),
    Table(Table),
}

impl Side {
    pub(super) fn new(plan: &JoinPlan) -> Self {
        let bounds = Bounds::of(&plan.settings);
        match plan.settings.what {
            What::Table { ttl_micros } => Self::Table(Table::new(ttl_micros, bounds)),
            What::Interval { before_micros, after_micros, matches, .. } => {
                Self::Interval(Interval::new(before_micros, after_micros, matches, bounds))
            }
        }
    }

    fn prune(&mut self, horizon: i64) {
        match self {
            Self::Interval(interval) => interval.prune(horizon),
            Self::Table(table) => table.prune(horizon),
        }
    }

    fn size(&self) -> (usize, usize) {
        match self {
            Self::Interval(interval) => (interval.len(), interval.memory_bytes()),
            Self::Table(table) => (table.len(), table.memory_bytes()),
        }
    }
}

/// What an event has of one join when it comes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claim {
    /// A key to be looked up when the event goes on; `None` where the event has none.
    Key(Option<Arc<str>>),
    /// The row of a table, as it was when the event came.
    Row(Option<Row>),
}

/// An event that waits: its record as it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) timestamp: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Vec<u8>,
    pub(super) headers: Vec<Header>,
    pub(super) claims: Vec<Claim>,
}

impl Waiting {
    pub(super) fn new(records: &Records, index: usize, claims: Vec<Claim>) -> Self {
        Self {
            timestamp: records.timestamp(index),
            key: records.key(index).map(<[u8]>::to_vec),
            value: records.value(index).to_vec(),
            headers: records.headers(index).to_vec(),
            claims,
        }
    }

    fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        BOOKKEEPING_BYTES + self.key.as_ref().map_or(0, Vec::len) + self.value.len() + headers
    }
}

/// What a partition remembers for its joins.
#[derive(Debug)]
pub(super) struct Memory {
    lateness_micros: i64,
    wait_micros: i64,
    /// Most events that wait; `None` if none does.
    waiting_bounds: Option<Bounds>,

    /// The newest time of an event.
    newest_event: Option<i64>,
    /// The newest time of an event or of a record of a joined stream.
    reached: Option<i64>,
    pub(super) sides: Vec<Side>,
    waiting: BTreeMap<(i64, Offset), Waiting>,
    waiting_bytes: usize,
}

impl Memory {
    pub(super) fn new(plans: &[JoinPlan], lateness_micros: i64) -> Self {
        let waits = plans.iter().filter(|plan| plan.settings.wait_micros() > 0);
        Self {
            lateness_micros,
            wait_micros: plans.iter().map(|plan| plan.settings.wait_micros()).max().unwrap_or(0),
            waiting_bounds: waits.map(|plan| Bounds::of(&plan.settings)).reduce(Bounds::or),
            newest_event: None,
            reached: None,
            sides: plans.iter().map(Side::new).collect(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
        }
    }

    /// Whether events wait at all.
    pub(super) fn waits(&self) -> bool {
        self.wait_micros > 0
    }

    /// Event time has come at least this far, says an event or a tick.
    pub(super) fn see_event(&mut self, time: i64) {
        self.newest_event = self.newest_event.max(Some(time));
        self.see_stream(time);
    }

    /// Event time has come at least this far, says a joined stream.
    pub(super) fn see_stream(&mut self, time: i64) {
        self.reached = self.reached.max(Some(time));
    }

    /// Events before this moment are late, or wait no more.
    pub(super) fn horizon(&self) -> i64 {
        let watermark = self.newest_event.map_or(i64::MIN, |newest| newest.saturating_sub(self.lateness_micros));
        self.oldest_waiting().map_or(watermark, |oldest| oldest.min(watermark))
    }

    /// Takes a record of a joined stream in.
    pub(super) fn insert(&mut self, join: usize, key: &str, moment: (i64, Offset), row: Row) -> Option<Insertion> {
        let horizon = self.horizon();
        match &mut self.sides[join] {
            Side::Interval(interval) => Some(interval.insert(key, moment, row, horizon)),
            Side::Table(_) => None,
        }
    }

    /// Sets a row of a joined table.
    pub(super) fn set(&mut self, join: usize, key: &str, time: i64, row: Row) -> Result<(), Full> {
        match &mut self.sides[join] {
            Side::Table(table) => table.set(key, time, row),
            Side::Interval(_) => Ok(()),
        }
    }

    /// Deletes a row of a joined table; answers whether there was one.
    pub(super) fn delete(&mut self, join: usize, key: &str) -> bool {
        match &mut self.sides[join] {
            Side::Table(table) => table.remove(key).is_some(),
            Side::Interval(_) => false,
        }
    }

    /// What an event at `time` has of a join when it comes.
    pub(super) fn claim(&self, join: usize, key: Option<&str>, time: i64) -> Claim {
        match &self.sides[join] {
            Side::Interval(_) => Claim::Key(key.map(Arc::from)),
            Side::Table(table) => Claim::Row(key.and_then(|key| table.get(key, time)).cloned()),
        }
    }

    /// What an event that goes on matches, and how many more there are.
    pub(super) fn matches(&self, join: usize, claim: &Claim, time: i64) -> (Vec<Row>, usize) {
        match (claim, &self.sides[join]) {
            (Claim::Row(row), _) => (row.iter().cloned().collect(), 0),
            (Claim::Key(Some(key)), Side::Interval(interval)) => interval.matches(key, time),
            (Claim::Key(_), _) => (Vec::new(), 0),
        }
    }

    /// Lets an event wait.
    pub(super) fn wait(&mut self, moment: (i64, Offset), event: Waiting) {
        self.waiting_bytes += event.bytes();
        if let Some(before) = self.waiting.insert(moment, event) {
            self.waiting_bytes -= before.bytes();
        }
    }

    /// The next event that goes on: the oldest, if event time has come far enough beyond it, or if too many wait. Says
    /// whether it was for that reason.
    pub(super) fn next_to_go(&mut self) -> Option<((i64, Offset), Waiting, bool)> {
        let due = self.due()?;
        let is_due = self.reached.is_some_and(|reached| reached >= due);
        let bounds = self.waiting_bounds;
        let fits = bounds.is_some_and(|bounds| !bounds.are_passed(self.waiting.len(), self.waiting_bytes));
        if !is_due && fits {
            return None;
        }
        let (moment, event) = self.waiting.pop_first()?;
        self.waiting_bytes -= event.bytes();
        Some((moment, event, !is_due))
    }

    /// Forgets what nothing can match any more.
    pub(super) fn prune(&mut self) {
        let horizon = self.horizon();
        self.sides.iter_mut().for_each(|side| side.prune(horizon));
    }

    pub(super) fn oldest_waiting(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|((time, _), _)| *time)
    }

    /// How far event time must come for an event that waits. `None` if none does.
    pub(super) fn due(&self) -> Option<i64> {
        self.oldest_waiting().map(|oldest| oldest.saturating_add(self.wait_micros).saturating_add(1))
    }

    /// How far event time must come for the last of them.
    pub(super) fn due_last(&self) -> Option<i64> {
        let newest = self.waiting.last_key_value().map(|((time, _), _)| *time);
        newest.map(|newest| newest.saturating_add(self.wait_micros).saturating_add(1))
    }

    pub(super) fn lateness_micros(&self) -> i64 {
        self.lateness_micros
    }

    pub(super) fn newest_event(&self) -> Option<i64> {
        self.newest_event
    }

    pub(super) fn clocks(&self) -> (Option<i64>, Option<i64>) {
        (self.newest_event, self.reached)
    }

    pub(super) fn set_clocks(&mut self, (newest_event, reached): (Option<i64>, Option<i64>)) {
        (self.newest_event, self.reached) = (newest_event, reached);
    }

    pub(super) fn waiting(&self) -> &BTreeMap<(i64, Offset), Waiting> {
        &self.waiting
    }

    /// Records or rows remembered of one joined topic.
    pub(super) fn rows_of(&self, join: usize) -> usize {
        self.sides[join].size().0
    }

    /// Records and rows remembered of all joined topics.
    pub(super) fn rows(&self) -> usize {
        self.sides.iter().map(|side| side.size().0).sum()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.waiting_bytes + self.sides.iter().map(|side| side.size().1).sum::<usize>()
    }
}
