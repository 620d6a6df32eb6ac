//! A worker: one transport, the tasks of the partitions it was given, and the loop that drives them. It polls, lets the
//! tasks work, and commits an epoch when its time has come. All waiting happens in `poll` and `commit`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapwing_state::SnapshotStore;
use lapwing_vocabulary::port::Topics;
use lapwing_vocabulary::{Epoch, Partition, Polled, PortError, Records, Transport};

use crate::clock::Clock;
use crate::error::RunError;
use crate::plan::Plan;
use crate::references::References;
use crate::score::{Model, ModelSource};
use crate::status::{SeenAlert, Status, add};
use crate::task::Past;

/// Small polls, gathered into batches.
mod gather;
/// A partition at work.
mod running;
/// Where a partition starts again.
mod recovery;
/// Snapshots, written beside the work.
mod snapshots;

use gather::Gather;
use running::Running;
use snapshots::Snapshots;

/// How often reference tables and models are checked for a new version. Units: microseconds.
const REFRESH_MICROS: i64 = 1_000_000;
/// How often the backlog is asked for. Units: microseconds.
const BACKLOG_MICROS: i64 = 500_000;
/// How often the retention of the source is looked at. Units: microseconds.
const RETENTION_MICROS: i64 = 60_000_000;
/// Longest wait in one poll, so that a stop is noticed. Units: microseconds.
const WAIT_MICROS_MAX: i64 = 100_000;
/// What a worker is given besides its transport.
pub struct Surroundings {
    /// The compiled pipeline.
    pub plan: Arc<Plan>,
    /// Where the model comes from.
    pub models: Arc<dyn ModelSource>,
    /// Where snapshots go; `None` keeps no state beyond the process (finite runs over files).
    pub store: Option<Arc<SnapshotStore>>,
    /// Folder for copies of reference tables; goes with `store`.
    pub table_copies: Option<PathBuf>,
    /// Topics of the same log, to read markers and to watch the retention of the source; `None` without topics.
    pub topics: Option<Box<dyn Topics>>,
    /// Folder for entities that do not fit into memory.
    pub spill: PathBuf,
    /// Number of workers that share this process' memory.
    pub workers: usize,
    /// Whether to wait for each snapshot instead of going on beside it: for runs that must repeat to the last call.
    pub wait_for_snapshots: bool,
    /// Counters.
    pub status: Arc<Status>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A worker of a running pipeline.
pub struct Worker<T> {
    index: usize,
    transport: T,
    around: Surroundings,
    references: References,
    snapshots: Option<Snapshots>,

    running: BTreeMap<Partition, Running>,
    gather: Gather,
    model: Option<Arc<Model>>,
    /// Whether the source had nothing more when it was last asked.
    at_end: bool,
    committed_at: i64,
    refreshed_at: i64,
    backlog_at: i64,
    retention_at: i64,
}

/// How a worker ended without error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop, and committed first.
    Stopped,
    /// The source was finite and is read to its end.
    AtEnd,
}

impl<T: Transport> Worker<T> {
    /// Prepares a worker. `Err` if a reference table cannot be read.
    pub fn new(index: usize, transport: T, around: Surroundings) -> Result<Self, RunError> {
        let references = References::open(&around.plan.tables(), around.table_copies.clone());
        let references = references.map_err(|fault| RunError::Plan(vec![fault]))?;
        let settings = &around.plan.settings;
        let gather = Gather::new(settings.min_batch_events, settings.max_batch_delay.as_micros() as i64);
        let snapshots = around.store.clone().map(Snapshots::start).transpose()?;
        let mut worker = Self {
            index,
            transport,
            references,
            snapshots,
            gather,
            running: BTreeMap::new(),
            model: None,
            at_end: false,
            committed_at: around.clock.wall_micros(),
            refreshed_at: 0,
            backlog_at: 0,
            retention_at: around.clock.wall_micros(),
            around,
        };
        worker.refresh_model();
        Ok(worker)
    }

    /// Runs until `stop` is set or the source ends; commits and snapshots before it returns `Ok`.
    pub fn run(mut self, stop: &AtomicBool) -> Result<Ended, RunError> {
        loop {
            if let Some(ended) = self.step_once(stop.load(Ordering::Relaxed))? {
                return Ok(ended);
            }
        }
    }

    /// One turn of [`Worker::run`], for a caller that drives several workers in an order of its own. After `Err` or an
    /// end the worker is done and must not be stepped again.
    pub fn step_once(&mut self, stop: bool) -> Result<Option<Ended>, RunError> {
        if stop {
            return self.finish(Ended::Stopped).map(Some);
        }
        let done = self.step().and_then(|ended| ended.map(|ended| self.finish(ended)).transpose());
        match done {
            Err(RunError::Port(PortError::Restart(why))) => {
                self.start_over(&why);
                Ok(None)
            }
            done => done,
        }
    }

    fn finish(&mut self, ended: Ended) -> Result<Ended, RunError> {
        for records in self.gather.all() {
            self.process(&records)?;
        }
        if ended == Ended::AtEnd && self.around.plan.settings.is_finite() {
            self.close_everything()?;
        }
        self.commit()?;
        self.await_snapshots()?;
        self.snapshot_where(|_| true)?;
        self.await_snapshots()?;
        let partitions: Vec<Partition> = self.running.keys().copied().collect();
        self.transport.release(&partitions)?;
        Ok(ended)
    }

    /// One poll and what follows from it.
    fn step(&mut self) -> Result<Option<Ended>, RunError> {
        let wait = self.wait_micros();
        let clock = self.around.clock.clone();
        let start = clock.monotonic_nanos();
        let polled =
            self.transport.poll(self.around.plan.settings.max_batch_events, Duration::from_micros(wait as u64))?;
        match polled {
            Polled::Records(records) => {
                self.around.status.spent(0, clock.monotonic_nanos().saturating_sub(start));
                if let Some(records) = self.gather.take_in(records, clock.wall_micros()) {
                    self.process(&records)?;
                }
            }
            Polled::Assigned(assignments) => self.take_up(assignments)?,
            Polled::Revoked(partitions) => self.hand_over(&partitions)?,
            Polled::Lost(partitions) => self.drop_tasks(&partitions),
            Polled::Idle => {}
            Polled::End => return Ok(Some(Ended::AtEnd)),
        }
        for records in self.gather.due(clock.wall_micros()) {
            self.process(&records)?;
        }
        if self.epoch_is_due() {
            self.tick_where_idle()?;
            self.commit()?;
            self.between_epochs()?;
        }
        Ok(None)
    }

    /// How long to wait for records: not beyond the moment at which the open epoch, or a batch that waits, is due.
    fn wait_micros(&self) -> i64 {
        let now = self.around.clock.wall_micros();
        let open = self.running.values().any(|running| running.moved);
        let epoch = if open { self.commit_interval_micros() - (now - self.committed_at) } else { WAIT_MICROS_MAX };
        let batch = self.gather.wait_micros(now).unwrap_or(WAIT_MICROS_MAX);
        epoch.min(batch).clamp(0, WAIT_MICROS_MAX)
    }

    fn commit_interval_micros(&self) -> i64 {
        self.around.plan.settings.commit_interval.as_micros() as i64
    }

    fn epoch_is_due(&self) -> bool {
        let since = self.around.clock.wall_micros() - self.committed_at;
        since < 0 || since >= self.commit_interval_micros()
    }

    fn process(&mut self, records: &Records) -> Result<(), RunError> {
        let partition = records.partition();
        let past =
            Past { references: &self.references, models: self.around.models.as_ref(), model: self.model.as_ref() };
        let Some(running) = self.running.get_mut(&partition) else {
            return Err(RunError::Port(PortError::Restart(format!(
                "records of partition {partition} before its assignment"
            ))));
        };
        running.process(records, &past, &self.around.status, self.around.clock.as_ref())
    }

    /// What a replay asks for things of the past.
    fn past(&self) -> Past<'_> {
        Past { references: &self.references, models: self.around.models.as_ref(), model: self.model.as_ref() }
    }

    /// Lets event time pass in partitions that nothing comes from, as far as something waits for it.
    fn tick_where_idle(&mut self) -> Result<(), RunError> {
        let (status, clock) = (&self.around.status, self.around.clock.as_ref());
        let idle_after = self.around.plan.settings.source.idle_after_micros;
        for running in self.running.values_mut() {
            if let Some(time) = running.idle_tick(self.at_end, clock.wall_micros(), idle_after) {
                running.tick(time, status, clock)?;
            }
        }
        Ok(())
    }

    /// Nothing more will come: what waits for event time to pass need not wait.
    fn close_everything(&mut self) -> Result<(), RunError> {
        let (status, clock) = (&self.around.status, self.around.clock.as_ref());
        for running in self.running.values_mut() {
            while let Some(time) = running.due() {
                running.tick(time, status, clock)?;
            }
        }
        Ok(())
    }

    /// Commits the open epoch, if there is anything in it.
    fn commit(&mut self) -> Result<(), RunError> {
        let clock = self.around.clock.as_ref();
        let start = clock.monotonic_nanos();
        let mut epoch = Epoch::default();
        for (partition, running) in self.running.iter_mut().filter(|(_, running)| running.moved) {
            epoch.outputs.append(&mut running.outputs);
            epoch.positions.push((*partition, running.next));
        }
        self.committed_at = clock.wall_micros();
        if epoch.is_empty() {
            return Ok(());
        }
        self.transport.commit(epoch)?;
        let now = clock.wall_micros();
        add(&self.around.status.epochs, 1);
        self.around.status.spent(6, clock.monotonic_nanos().saturating_sub(start));
        for (partition, running) in self.running.iter_mut().filter(|(_, running)| running.moved) {
            running.moved = false;
            for (alert, arrived) in running.alerts.drain(..) {
                let latency_micros = now.saturating_sub(arrived);
                self.around.status.saw_alert(SeenAlert { alert, committed_micros: now, latency_micros });
            }
            self.around.status.set_partition(*partition, running.status());
        }
        Ok(())
    }

    /// What may change only where nothing is open: models, tables, snapshots.
    fn between_epochs(&mut self) -> Result<(), RunError> {
        let now = self.around.clock.wall_micros();
        if now - self.backlog_at >= BACKLOG_MICROS {
            self.backlog_at = now;
            let backlog = self.transport.backlog()?;
            self.at_end = backlog.records == 0;
            self.around.status.set_backlog(self.index, backlog.records);
        }
        if now - self.retention_at >= RETENTION_MICROS {
            self.retention_at = now;
            self.watch_retention();
        }
        if now - self.refreshed_at >= REFRESH_MICROS {
            self.refreshed_at = now;
            self.refresh_model();
            self.refresh_tables()?;
        }
        self.note_snapshots();
        let interval = self.around.plan.settings.state.snapshot_interval.as_micros() as i64;
        self.snapshot_where(|running| now - running.snapshot_at >= interval)
    }

    fn refresh_model(&mut self) {
        match self.around.models.changed_from(self.model.as_ref().map(|model| model.version)) {
            Ok(None) => {}
            Ok(Some(model)) => {
                tracing::info!(worker = self.index, model = model.id(), "model in force");
                self.around.status.set_model(Some(model.id()));
                for running in self.running.values_mut().filter(|running| running.is_live()) {
                    running.task.set_model(Some(model.clone()));
                }
                self.model = Some(model);
            }
            Err(fault) => {
                add(&self.around.status.reload_failures, 1);
                tracing::warn!(worker = self.index, fault, "model not loaded; the one before stays in force");
            }
        }
    }

    /// Puts new versions of reference tables in force. The change is no record of the source, so a marker of it is
    /// committed with the epoch that begins here, and a replay sees the table from the same record on. Without topics a
    /// snapshot is written at this very position instead: a replay starts from it, or from a later one.
    fn refresh_tables(&mut self) -> Result<(), RunError> {
        let now = self.around.clock.wall_micros();
        let (renewed, faults) = self.references.refresh();
        for fault in faults {
            add(&self.around.status.reload_failures, 1);
            tracing::warn!(
                worker = self.index,
                fault,
                "reference table not reloaded; the version before stays in force"
            );
        }
        for name in &renewed {
            tracing::info!(worker = self.index, table = name, "reference table changed");
        }
        // A version that could not be put in force is tried again only when the file changes again.
        let behind = self.running.values().any(|running| running.is_live() && !running.looked);
        if renewed.is_empty() && !behind {
            return Ok(());
        }
        for table in self.references.latest() {
            for (partition, running) in &mut self.running {
                let stale =
                    running.task.table_digests().get(table.name()).is_some_and(|digest| digest != table.digest());
                if !running.is_live() || !stale {
                    continue;
                }
                match running.task.enrich_mut().replace_table(table.clone()) {
                    Ok(()) if self.around.plan.topics.markers.is_none() => running.snapshot = None,
                    Ok(()) => running.tell_tables(running.next, now),
                    Err(error) => {
                        add(&self.around.status.reload_failures, 1);
                        tracing::warn!(partition, %error, "reference table not replaced; the version before stays in force");
                    }
                }
            }
        }
        for running in self.running.values_mut().filter(|running| running.is_live()) {
            running.looked = true;
        }
        if self.around.plan.topics.markers.is_some() {
            return Ok(());
        }
        self.await_snapshots()?;
        self.snapshot_where(|running| running.snapshot.is_none())?;
        self.await_snapshots()
    }

    /// Commits and snapshots partitions that move elsewhere, then lets them go.
    fn hand_over(&mut self, partitions: &[Partition]) -> Result<(), RunError> {
        partitions.iter().for_each(|partition| self.gather.forget(*partition));
        self.commit()?;
        self.await_snapshots()?;
        self.snapshot_where(|_| true)?;
        // Whoever takes them over looks for the snapshots at once.
        self.await_snapshots()?;
        self.drop_tasks(partitions);
        self.transport.release(partitions)?;
        tracing::info!(worker = self.index, ?partitions, "partitions handed over");
        Ok(())
    }

    fn drop_tasks(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.gather.forget(*partition);
            if self.running.remove(partition).is_some_and(|running| running.moved) {
                add(&self.around.status.epochs_aborted, 1);
            }
            self.around.status.forget_partition(*partition);
        }
    }

    /// Throws away everything that was not committed; the transport assigns anew.
    fn start_over(&mut self, why: &str) {
        tracing::warn!(worker = self.index, why, "starting again from the committed positions");
        let partitions: Vec<Partition> = self.running.keys().copied().collect();
        self.drop_tasks(&partitions);
    }
}
