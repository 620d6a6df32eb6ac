//! A partition at work: its task, how far it is, and what waits for the next commit.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use lapwing_features::{Idle, idle_tick};
use lapwing_vocabulary::{Alert, EventTime, Offset, OutputRecord, Records};

use crate::clock::Clock;
use crate::error::RunError;
use crate::marker::{Marker, What};
use crate::status::{PartitionStatus, Status, add};
use crate::task::{Past, Product, Task};
use crate::templates::Templates;

/// A partition at work.
pub(super) struct Running {
    /// Its stages and memory.
    pub(super) task: Task,
    /// First offset not yet processed.
    pub(super) next: Offset,
    /// Records before this offset only rebuild state.
    pub(super) live_from: Offset,
    /// Markers that are still to be repeated, in order.
    markers: VecDeque<Marker>,
    /// For each reference table the version that the newest marker names.
    tables_told: BTreeMap<String, String>,
    /// The version of the model that the newest marker names.
    model_told: Option<u64>,
    /// Outputs of the open epoch.
    pub(super) outputs: Vec<OutputRecord>,
    /// Alerts of the open epoch, with the append time of their records.
    pub(super) alerts: Vec<(Alert, i64)>,
    /// Whether there is anything to commit.
    pub(super) moved: bool,
    /// Whether its reference tables have been compared with the latest since it went live.
    pub(super) looked: bool,
    /// Offset of the newest snapshot, written or on its way.
    pub(super) snapshot: Option<Offset>,
    /// When it was begun. Units: microseconds since the epoch.
    pub(super) snapshot_at: i64,
    /// When its last event was processed. Units: microseconds since the epoch.
    event_at: i64,
    /// When its last event or tick was.
    record_at: i64,
}

impl Running {
    /// A task that has the memory of everything before `next`, but for the markers.
    pub(super) fn new(
        task: Task,
        (next, live_from): (Offset, Offset),
        markers: Vec<Marker>,
        snapshot: Option<Offset>,
        (past, now): (&Past<'_>, i64),
    ) -> Result<Self, RunError> {
        let mut running = Self {
            task,
            next,
            live_from,
            tables_told: tables_told(&markers),
            model_told: model_told(&markers),
            markers: without_models_before(markers, next).into(),
            outputs: Vec::new(),
            alerts: Vec::new(),
            moved: false,
            looked: false,
            snapshot,
            snapshot_at: now,
            event_at: now,
            record_at: now,
        };
        // What was in force at the very start, whatever the snapshot says: one that was written by a worker that had lost
        // the partition unawares may say something else.
        running.replay_markers(next, past)?;
        running.go_live_if_caught_up(past)?;
        Ok(running)
    }

    /// Whether its memory is that of the committed position, or later.
    pub(super) fn is_live(&self) -> bool {
        self.next >= self.live_from
    }

    /// Takes records through the stages: in silence up to `live_from`, and from there on with outputs.
    pub(super) fn process(
        &mut self,
        records: &Records,
        past: &Past<'_>,
        status: &Status,
        clock: &dyn Clock,
    ) -> Result<(), RunError> {
        // What was processed already (a transport may deliver from the start of a block) is passed over.
        let first = (0..records.len()).position(|index| records.offset(index) >= self.next).unwrap_or(records.len());
        let live = (first..records.len()).position(|index| records.offset(index) >= self.live_from);
        let live = live.map_or(records.len(), |index| first + index);
        self.replay(records, first..live, past, status)?;
        if live < records.len() {
            self.replay_markers(Offset::MAX, past)?;
            self.task.set_model(past.model.cloned());
            self.tell_tables(records.offset(live), clock.wall_micros());
            self.tell_model(records.offset(live), clock.wall_micros());
            add(&status.bytes, (live..records.len()).map(|index| records.value(index).len() as u64).sum());
            let product = self.task.process(records, live..records.len(), status, clock)?;
            self.put(product);
        }
        if let Some(last) = records.last_offset() {
            self.next = self.next.max(last + 1);
        }
        // Joined topics say nothing of whether the source is idle.
        if Task::has_events(records, first..records.len()) {
            self.event_at = clock.wall_micros();
            self.record_at = self.event_at;
        }
        self.go_live_if_caught_up(past)
    }

    /// Writes down which tables are in force, where that is not written yet.
    pub(super) fn tell_tables(&mut self, next: Offset, now: i64) {
        let markers = self.task.tell_tables(&mut self.tables_told, next, now);
        self.moved |= !markers.is_empty();
        self.outputs.extend(markers);
    }

    /// Writes down which model is in force, where what is remembered depends on it and that is not written yet.
    fn tell_model(&mut self, next: Offset, now: i64) {
        let version = self.task.model_version();
        if self.task.remembers_scores() && version != self.model_told {
            self.outputs.extend(self.task.tell_model(next, now));
            self.model_told = version;
        }
    }

    /// Folds records in silently, with the markers where they stood.
    fn replay(
        &mut self,
        records: &Records,
        range: Range<usize>,
        past: &Past<'_>,
        status: &Status,
    ) -> Result<(), RunError> {
        let mut at = range.start;
        while at < range.end {
            self.replay_markers(records.offset(at), past)?;
            let next_marker = self.markers.front().map_or(Offset::MAX, |marker| marker.offset);
            let to = (at..range.end).position(|index| records.offset(index) >= next_marker);
            let to = to.map_or(range.end, |count| at + count);
            self.task.replay(records, at..to, status)?;
            at = to;
        }
        Ok(())
    }

    /// Repeats the markers that stand before a record.
    fn replay_markers(&mut self, offset: Offset, past: &Past<'_>) -> Result<(), RunError> {
        while let Some(marker) = self.markers.front().filter(|marker| marker.offset <= offset) {
            self.task.replay_marker(marker, past)?;
            self.markers.pop_front();
        }
        Ok(())
    }

    /// The markers at the very end are repeated even if no record follows: what they closed is out already.
    fn go_live_if_caught_up(&mut self, past: &Past<'_>) -> Result<(), RunError> {
        if !self.is_live() {
            return Ok(());
        }
        self.replay_markers(Offset::MAX, past)?;
        self.task.set_model(past.model.cloned());
        let events = self.task.take_left_out();
        if events > 0 {
            tracing::info!(
                live_from = self.live_from,
                events,
                "state is built without these events: `state.leave_out`"
            );
        }
        Ok(())
    }

    /// The event time at which something that waits is due.
    pub(super) fn due(&mut self) -> Option<EventTime> {
        if self.is_live() { self.task.due() } else { None }
    }

    /// How far event time may be taken to have come in silence, if that closes something. `at_end` says whether the
    /// source has nothing more.
    pub(super) fn idle_tick(&mut self, at_end: bool, now: i64, idle_after_micros: i64) -> Option<EventTime> {
        let due = self.due()?;
        let idle = Idle {
            at_end,
            last_event_wall_micros: self.event_at,
            last_record_wall_micros: self.record_at,
            max_seen: self.task.newest_event(),
            open_until: self.task.open_until(),
        };
        idle_tick(&idle, now, idle_after_micros).filter(|reached| *reached >= due)
    }

    /// Lets event time pass.
    pub(super) fn tick(&mut self, time: EventTime, status: &Status, clock: &dyn Clock) -> Result<(), RunError> {
        // What the tick lets go is scored, so the model comes before it.
        self.tell_model(self.next, clock.wall_micros());
        let product = self.task.tick(time, self.next, status, clock)?;
        self.put(product);
        self.record_at = clock.wall_micros();
        Ok(())
    }

    fn put(&mut self, product: Product) {
        self.outputs.extend(product.outputs);
        self.alerts.extend(product.alerts);
        self.moved = true;
    }

    /// What is shown of it.
    pub(super) fn status(&self) -> PartitionStatus {
        let memory = self.task.aggregate();
        PartitionStatus {
            next_offset: self.next,
            watermark_micros: memory.watermark().map(|time| time.0),
            entities: memory.entities() as u64,
            state_bytes: self.task.memory_bytes() as u64,
            join_rows: self.task.join().rows() as u64,
            join_waiting: self.task.join().waiting() as u64,
            templates: self.task.templates().map_or(0, Templates::known) as u64,
            snapshot_at_micros: self.snapshot.map(|_| self.snapshot_at),
        }
    }
}

/// For each table the version that the newest marker names.
fn tables_told(markers: &[Marker]) -> BTreeMap<String, String> {
    let told = |marker: &Marker| match &marker.what {
        What::Table { table, digest } => Some((table.clone(), digest.clone())),
        What::Tick { .. } | What::Model { .. } => None,
    };
    markers.iter().filter_map(told).collect()
}

/// All markers but those of models that others had followed by then.
fn without_models_before(mut markers: Vec<Marker>, next: Offset) -> Vec<Marker> {
    let is_model = |marker: &Marker| matches!(marker.what, What::Model { .. }) && marker.offset < next;
    let last = markers.iter().rposition(is_model);
    let mut place = 0;
    markers.retain(|marker| {
        place += 1;
        !is_model(marker) || Some(place - 1) == last
    });
    markers
}

/// The version of the model that the newest marker names.
fn model_told(markers: &[Marker]) -> Option<u64> {
    let version = |marker: &Marker| match marker.what {
        What::Model { model_version } => Some(model_version),
        What::Tick { .. } | What::Table { .. } => None,
    };
    markers.iter().rev().find_map(version)
}
