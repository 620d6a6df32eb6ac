//! Snapshots are taken between two epochs, at a committed position, and written by another thread. What is frozen costs
//! a moment; the stream goes on while it is written.

use std::sync::Arc;

use lapwing_state::{Done, SnapshotStore, Snapshotter, retention_risk};
use lapwing_vocabulary::{Partition, Transport};

use super::Worker;
use super::running::Running;
use crate::error::RunError;
use crate::status::add;

/// The snapshots of a worker.
pub(super) struct Snapshots {
    writer: Snapshotter,
}

impl Snapshots {
    /// Starts the thread that writes.
    pub(super) fn start(store: Arc<SnapshotStore>) -> Result<Self, RunError> {
        Ok(Self { writer: Snapshotter::start((*store).clone())? })
    }
}

impl<T: Transport> Worker<T> {
    /// Begins snapshots of the tasks that `wanted` names, at their committed position.
    pub(super) fn snapshot_where(&mut self, wanted: impl Fn(&Running) -> bool) -> Result<(), RunError> {
        let Some(snapshots) = &mut self.snapshots else { return Ok(()) };
        let now = self.around.clock.wall_micros();
        for (partition, running) in &mut self.running {
            if !running.is_live() || running.moved || running.snapshot == Some(running.next) || !wanted(running) {
                continue;
            }
            let Some(plan) = snapshots.writer.plan(*partition, running.next) else { continue };
            let parts = running.task.freeze(running.next, plan.kind());
            snapshots.writer.submit(plan, parts);
            running.snapshot = Some(running.next);
            running.snapshot_at = now;
        }
        if self.around.wait_for_snapshots { self.await_snapshots() } else { Ok(()) }
    }

    /// Notes the snapshots that are written by now.
    pub(super) fn note_snapshots(&mut self) {
        let ended = self.snapshots.as_mut().map_or_else(Vec::new, |snapshots| snapshots.writer.poll());
        for done in ended {
            // Nothing is lost by a snapshot less: the one before stays, and replay is longer.
            if let Err(fault) = self.note_snapshot(done) {
                tracing::warn!(worker = self.index, %fault, "snapshot not written; the next one is tried at its time");
            }
        }
    }

    /// Waits for all that are on their way.
    /// Errors: `State`, if one could not be written.
    pub(super) fn await_snapshots(&mut self) -> Result<(), RunError> {
        let ended = self.snapshots.as_mut().map_or_else(Vec::new, |snapshots| snapshots.writer.wait());
        ended.into_iter().try_for_each(|done| self.note_snapshot(done))
    }

    fn note_snapshot(&mut self, done: Done) -> Result<(), RunError> {
        let Done { partition, offset, result, unclean, .. } = done;
        if let Some(fault) = unclean {
            tracing::warn!(partition, %fault, "old snapshots not removed; they take space");
        }
        match result {
            Ok(_) => {
                add(&self.around.status.snapshots, 1);
                Ok(())
            }
            Err(fault) => {
                add(&self.around.status.snapshot_failures, 1);
                if let Some(running) =
                    self.running.get_mut(&partition).filter(|running| running.snapshot == Some(offset))
                {
                    running.snapshot = None;
                }
                Err(fault.into())
            }
        }
    }

    /// Warns before retention drops records that a restart would need.
    pub(super) fn watch_retention(&mut self) {
        let (Some(topics), Some(_)) = (&mut self.around.topics, &self.snapshots) else { return };
        let state = match topics.describe(self.around.plan.source_name()) {
            Ok(Some(state)) => state,
            Ok(None) => return,
            // It is only a look ahead; what is really wrong with the log shows where it is read and written.
            Err(fault) => return tracing::warn!(%fault, "the retention of the source could not be looked at"),
        };
        for (partition, running) in &self.running {
            let bounds = usize::try_from(*partition).ok().and_then(|at| state.partitions.get(at));
            let (Some((earliest, end)), Some(snapshot)) = (bounds, running.snapshot) else { continue };
            if let Some(warning) = retention_risk(snapshot, *earliest, *end) {
                tracing::warn!(partition, %warning, "a restart now might not find what it needs");
            }
        }
    }

    /// A partition that comes back may have been another's meanwhile: its next snapshot is a full one.
    pub(super) fn forget_snapshots(&mut self, partition: Partition) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.writer.forget(partition);
        }
    }
}
