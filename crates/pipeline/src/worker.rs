//! A worker: one transport, the tasks of the partitions it was given, and the loop that drives them. It polls, lets the
//! tasks work, and commits an epoch when its time has come. All waiting happens in `poll` and `commit`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapwing_state::{Recovery, Restored, SnapshotStore, decide, restore};
use lapwing_vocabulary::port::Assignment;
use lapwing_vocabulary::{Alert, Epoch, Offset, OutputRecord, Partition, Polled, PortError, Records, Transport};

use crate::clock::Clock;
use crate::error::RunError;
use crate::plan::Plan;
use crate::references::References;
use crate::score::{Model, ModelSource};
use crate::status::{PartitionStatus, SeenAlert, Status, add};
use crate::task::Task;

/// How often reference tables and models are checked for a new version. Units: microseconds.
const REFRESH_MICROS: i64 = 1_000_000;
/// How often the backlog is asked for. Units: microseconds.
const BACKLOG_MICROS: i64 = 500_000;
/// Longest wait in one poll, so that a stop is noticed. Units: microseconds.
const WAIT_MICROS_MAX: i64 = 100_000;
/// Snapshots kept per partition: the newest, and the one before in case the newest does not read back.
const SNAPSHOTS_KEPT: usize = 2;

/// What a worker is given besides its transport.
pub struct Surroundings {
    /// The compiled pipeline.
    pub plan: Arc<Plan>,
    /// Where the model comes from.
    pub models: Arc<dyn ModelSource>,
    /// Where snapshots go; `None` keeps no state beyond the process (finite runs over files).
    pub store: Option<Arc<SnapshotStore>>,
    /// Folder for copies of reference tables; goes with `store`.
    pub table_copies: Option<std::path::PathBuf>,
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

    running: BTreeMap<Partition, Running>,
    model: Option<Arc<Model>>,
    stopping: bool,
    committed_at: i64,
    refreshed_at: i64,
    backlog_at: i64,
}

/// A partition at work.
struct Running {
    task: Task,
    /// First offset not yet processed.
    next: Offset,
    /// Records before this offset only rebuild state.
    live_from: Offset,
    /// Outputs of the open epoch.
    outputs: Vec<OutputRecord>,
    /// Alerts of the open epoch, with the append time of their records.
    alerts: Vec<(Alert, i64)>,
    /// Whether `next` has moved since the last commit.
    moved: bool,
    /// Whether its reference tables have been compared with the latest since it went live.
    looked: bool,
    /// Offset of the newest snapshot.
    snapshot: Option<Offset>,
    snapshot_at: i64,
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
        let mut worker = Self {
            index,
            transport,
            references,
            running: BTreeMap::new(),
            model: None,
            stopping: false,
            committed_at: around.clock.wall_micros(),
            refreshed_at: 0,
            backlog_at: 0,
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
        self.stopping = stop;
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
        self.commit()?;
        self.snapshot_where(|_| true)?;
        let partitions: Vec<Partition> = self.running.keys().copied().collect();
        self.transport.release(&partitions)?;
        Ok(ended)
    }

    /// One poll and what follows from it.
    fn step(&mut self) -> Result<Option<Ended>, RunError> {
        let wait = self.wait_micros();
        let start = self.around.clock.monotonic_nanos();
        let polled =
            self.transport.poll(self.around.plan.settings.max_batch_events, Duration::from_micros(wait as u64))?;
        match polled {
            Polled::Records(records) => {
                self.around.status.spent(0, self.around.clock.monotonic_nanos().saturating_sub(start));
                self.process(&records)?;
            }
            Polled::Assigned(assignments) => self.take_up(assignments)?,
            Polled::Revoked(partitions) => self.hand_over(&partitions)?,
            Polled::Lost(partitions) => self.drop_tasks(&partitions),
            Polled::Idle => {}
            Polled::End => return Ok(Some(Ended::AtEnd)),
        }
        if self.epoch_is_due() {
            self.commit()?;
            self.between_epochs()?;
        }
        Ok(None)
    }

    /// How long to wait for records: not beyond the moment at which the open epoch is due.
    fn wait_micros(&self) -> i64 {
        let open = self.running.values().any(|running| running.moved);
        let since = self.around.clock.wall_micros() - self.committed_at;
        match open {
            true => (self.commit_interval_micros() - since).clamp(0, WAIT_MICROS_MAX),
            false => WAIT_MICROS_MAX,
        }
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
        let Some(running) = self.running.get_mut(&partition) else {
            return Err(RunError::Port(PortError::Restart(format!(
                "records of partition {partition} before its assignment"
            ))));
        };
        // What was processed already (a transport may deliver from the start of a block) is passed over.
        let first = (0..records.len()).position(|index| records.offset(index) >= running.next).unwrap_or(records.len());
        let live = (first..records.len()).position(|index| records.offset(index) >= running.live_from);
        let live = live.map_or(records.len(), |index| first + index);
        let (status, clock) = (&self.around.status, self.around.clock.as_ref());
        if first < live {
            running.task.replay(records, first..live, status)?;
        }
        if live < records.len() {
            add(&status.bytes, (live..records.len()).map(|index| records.value(index).len() as u64).sum());
            let product = running.task.process(records, live..records.len(), status, clock)?;
            running.outputs.extend(product.outputs);
            running.alerts.extend(product.alerts);
            running.moved = true;
        }
        if let Some(last) = records.last_offset() {
            running.next = running.next.max(last + 1);
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
            self.around.status.set_backlog(self.index, backlog.records);
        }
        if now - self.refreshed_at >= REFRESH_MICROS {
            self.refreshed_at = now;
            self.refresh_model();
            self.refresh_tables()?;
        }
        let interval = self.around.plan.settings.state.snapshot_interval.as_micros() as i64;
        self.snapshot_where(|running| now - running.snapshot_at >= interval)
    }

    fn refresh_model(&mut self) {
        match self.around.models.changed_from(self.model.as_ref().map(|model| model.version)) {
            Ok(None) => {}
            Ok(Some(model)) => {
                tracing::info!(worker = self.index, model = model.id(), "model in force");
                self.around.status.set_model(Some(model.id()));
                for running in self.running.values_mut() {
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

    /// Puts new versions of reference tables in force. The change is no record of the source, so a snapshot is written
    /// at this very position first-hand: a replay starts from it, or from a later one, and sees the table from here on.
    fn refresh_tables(&mut self) -> Result<(), RunError> {
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
        let behind = self.running.values().any(|running| running.next >= running.live_from && !running.looked);
        if renewed.is_empty() && !behind {
            return Ok(());
        }
        for table in self.references.latest() {
            for (partition, running) in &mut self.running {
                let stale =
                    running.task.table_digests().get(table.name()).is_some_and(|digest| digest != table.digest());
                if running.next < running.live_from || !stale {
                    continue;
                }
                match running.task.enrich_mut().replace_table(table.clone()) {
                    Ok(()) => running.snapshot = None,
                    Err(error) => {
                        add(&self.around.status.reload_failures, 1);
                        tracing::warn!(partition, %error, "reference table not replaced; the version before stays in force");
                    }
                }
            }
        }
        for running in self.running.values_mut().filter(|running| running.next >= running.live_from) {
            running.looked = true;
        }
        self.snapshot_where(|running| running.snapshot.is_none())
    }

    /// Snapshots the tasks that `wanted` names, at their committed position.
    fn snapshot_where(&mut self, wanted: impl Fn(&Running) -> bool) -> Result<(), RunError> {
        let Some(store) = &self.around.store else { return Ok(()) };
        let now = self.around.clock.wall_micros();
        for (partition, running) in &mut self.running {
            let replaying = running.next < running.live_from;
            if replaying || running.moved || running.snapshot == Some(running.next) || !wanted(running) {
                continue;
            }
            let bytes = running.task.snapshot(running.next)?;
            store.write(*partition, running.next, &bytes)?;
            store.clean(*partition, SNAPSHOTS_KEPT)?;
            running.snapshot = Some(running.next);
            running.snapshot_at = now;
            add(&self.around.status.snapshots, 1);
        }
        Ok(())
    }

    /// Starts the tasks of newly assigned partitions from their snapshots.
    fn take_up(&mut self, assignments: Vec<Assignment>) -> Result<(), RunError> {
        for assignment in assignments {
            let (mut task, recovery) = self.recover(&assignment)?;
            task.set_model(self.model.clone());
            let running = Running {
                task,
                next: recovery.replay_from,
                live_from: recovery.live_from,
                outputs: Vec::new(),
                alerts: Vec::new(),
                moved: false,
                looked: false,
                snapshot: recovery.snapshot,
                snapshot_at: self.around.clock.wall_micros(),
            };
            let partition = assignment.partition;
            let (from, live) = (running.next, running.live_from);
            tracing::info!(worker = self.index, partition, replay_from = from, live_from = live, "partition taken up");
            self.around.status.set_partition(partition, running.status());
            self.running.insert(partition, running);
            self.transport.resume(partition, from)?;
        }
        // Without a first snapshot, a table that changes before the next one would be seen from the start by a replay.
        self.snapshot_where(|running| running.snapshot.is_none())
    }

    /// Rebuilds a task from the newest snapshot that reads back and fits; without one, from the earliest record.
    fn recover(&self, assignment: &Assignment) -> Result<(Task, Recovery), RunError> {
        let Assignment { partition, committed, earliest } = *assignment;
        let plan = &self.around.plan;
        let Restored { mut recovery, snapshot, .. } = match &self.around.store {
            Some(store) => restore(store, &plan.identity(partition), committed, earliest)?,
            None => Restored { recovery: decide(&[], committed, earliest), snapshot: None, refused: Vec::new() },
        };
        let mut task = Task::new(plan, partition, &self.references.latest())?;
        if let Some(Err(fault)) = snapshot.map(|snapshot| task.restore(&snapshot, &self.references)) {
            tracing::warn!(partition, fault, "snapshot not used; state is rebuilt from the earliest record");
            task = Task::new(plan, partition, &self.references.latest())?;
            recovery = decide(&[], committed, earliest);
        }
        for warning in &recovery.warnings {
            tracing::warn!(partition, %warning, "state cannot be rebuilt completely");
        }
        Ok((task, recovery))
    }

    /// Commits and snapshots partitions that move elsewhere, then lets them go.
    fn hand_over(&mut self, partitions: &[Partition]) -> Result<(), RunError> {
        self.commit()?;
        self.snapshot_where(|_| true)?;
        self.drop_tasks(partitions);
        self.transport.release(partitions)?;
        tracing::info!(worker = self.index, ?partitions, "partitions handed over");
        Ok(())
    }

    fn drop_tasks(&mut self, partitions: &[Partition]) {
        for partition in partitions {
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

impl Running {
    fn status(&self) -> PartitionStatus {
        let memory = self.task.aggregate();
        PartitionStatus {
            next_offset: self.next,
            watermark_micros: memory.watermark().map(|time| time.0),
            entities: memory.entities() as u64,
            state_bytes: memory.memory_bytes() as u64,
            snapshot_at_micros: self.snapshot.map(|_| self.snapshot_at),
        }
    }
}
