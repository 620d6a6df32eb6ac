//! Where a partition starts again, and with which memory.

use lapwing_state::{EntityTable, Features, Recovery, Restored, StateError, decide, restore};
use lapwing_vocabulary::Transport;
use lapwing_vocabulary::port::Assignment;

use super::Worker;
use super::running::Running;
use crate::aggregate::MemoryRoom;
use crate::error::RunError;
use crate::marker::{Marker, read_markers};
use crate::task::Task;

impl<T: Transport> Worker<T> {
    /// Starts the tasks of newly assigned partitions from their snapshots.
    pub(super) fn take_up(&mut self, assignments: Vec<Assignment>) -> Result<(), RunError> {
        // The room is shared out again as partitions come and go.
        let partitions = self.running.len() + assignments.len();
        for assignment in assignments {
            let room = self.room(&assignment, partitions);
            let (mut task, recovery) = self.recover(&assignment, room.as_ref())?;
            // Where nobody tells which model was in force, the present one is the best guess.
            if !task.remembers_scores() || self.around.plan.topics.markers.is_none() {
                task.set_model(self.model.clone());
            }
            let partition = assignment.partition;
            let markers = self.markers_of(&assignment, &recovery)?;
            let (from, live) = (recovery.replay_from, recovery.live_from);
            let now = self.around.clock.wall_micros();
            let past = self.past();
            let running = Running::new(task, (from, live), markers, recovery.snapshot, (&past, now))?;
            tracing::info!(worker = self.index, partition, replay_from = from, live_from = live, "partition taken up");
            self.around.status.set_partition(partition, running.status());
            self.running.insert(partition, running);
            self.forget_snapshots(partition);
            self.transport.resume(partition, from)?;
        }
        // Without a first snapshot, a table that changes before the next one would be seen from the start by a replay.
        self.snapshot_where(|running| running.snapshot.is_none())
    }

    /// The room of one partition: its part of that of the process.
    fn room(&self, assignment: &Assignment, partitions: usize) -> Option<MemoryRoom> {
        let bytes = self.around.plan.settings.state.memory_bytes?;
        let parts = (self.around.workers.max(1) * partitions.max(1)) as u64;
        let file = self.around.spill.join(format!("worker-{}-partition-{}", self.index, assignment.partition));
        Some(MemoryRoom { bytes: (bytes / parts) as usize, file })
    }

    /// Rebuilds a task from the newest snapshot that reads back and fits; without one, from the earliest record.
    fn recover(&self, assignment: &Assignment, room: Option<&MemoryRoom>) -> Result<(Task, Recovery), RunError> {
        let Assignment { partition, committed, earliest } = *assignment;
        let plan = &self.around.plan;
        let fresh = || Task::within(plan, partition, &self.references.latest(), room);
        let mut make = |_: &_, name: &str, words: usize| -> Result<EntityTable, StateError> {
            plan.memory.empty_table(name, words, room)
        };
        let Restored { mut recovery, snapshot, .. } = match &self.around.store {
            Some(store) => restore(store, &plan.identity(partition), Features::Any, committed, earliest, &mut make)?,
            None => Restored { recovery: decide(&[], committed, earliest), snapshot: None, refused: Vec::new() },
        };
        let mut task = fresh()?;
        match snapshot.map(|snapshot| task.restore(snapshot, &self.references)) {
            None => {}
            Some(Ok(carried)) => carried.tell(partition),
            Some(Err(fault)) => {
                tracing::warn!(partition, fault, "snapshot not used; state is rebuilt from the earliest record");
                task = fresh()?;
                recovery = decide(&[], committed, earliest);
            }
        }
        for warning in &recovery.warnings {
            tracing::warn!(partition, %warning, "state cannot be rebuilt completely");
        }
        Ok((task, recovery))
    }

    /// The markers that replay has to repeat.
    fn markers_of(&mut self, assignment: &Assignment, recovery: &Recovery) -> Result<Vec<Marker>, RunError> {
        let (Some(topic), Some(topics)) = (&self.around.plan.topics.markers, &mut self.around.topics) else {
            return Ok(Vec::new());
        };
        if assignment.committed.is_none() {
            return Ok(Vec::new());
        }
        Ok(read_markers(topics.as_mut(), topic, assignment.partition, recovery.replay_from)?)
    }
}
