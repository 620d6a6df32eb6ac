//! Drives a pipeline from a test: no broker, no thread, no clock but the one handed in. Records go in by hand, outputs
//! come back at once.

use std::sync::Arc;

use lapwing_sql::ReferenceTable;
use lapwing_vocabulary::{Alert, EventTime, OutputRecord, Records};

use crate::clock::Clock;
use crate::error::RunError;
use crate::plan::Plan;
use crate::score::Model;
use crate::status::Status;
use crate::task::Task;

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct HandClock(std::sync::atomic::AtomicI64);

impl HandClock {
    /// A clock that stands at `micros` since the epoch.
    pub fn at(micros: i64) -> Self {
        Self(micros.into())
    }

    /// Moves the clock.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn wall_micros(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn monotonic_nanos(&self) -> u64 {
        self.wall_micros().unsigned_abs() * 1_000
    }
}

/// One partition of a pipeline in the hands of a test.
pub struct ByHand {
    task: Task,
    topic: Arc<str>,
    next: i64,
    /// Counters.
    pub status: Status,
    /// The clock: append time of the records and processing time at once.
    pub clock: HandClock,
    /// Everything that was put out so far.
    pub outputs: Vec<OutputRecord>,
}

impl ByHand {
    /// A fresh partition 0. `now` is microseconds since the epoch.
    pub fn new(
        plan: &Arc<Plan>,
        tables: &[ReferenceTable],
        model: Option<Arc<Model>>,
        now: i64,
    ) -> Result<Self, RunError> {
        let mut task = Task::new(plan, 0, tables)?;
        task.set_model(model);
        let topic = plan.source_name().into();
        Ok(Self { task, topic, next: 0, status: Status::default(), clock: HandClock::at(now), outputs: Vec::new() })
    }

    /// Feeds values as one batch of records; returns the alerts they raise.
    pub fn feed<V: AsRef<[u8]>>(&mut self, values: &[V]) -> Result<Vec<Alert>, RunError> {
        let mut records = Records::new(self.topic.clone(), 0);
        for value in values {
            records.push(self.next, self.clock.wall_micros(), None, value.as_ref(), Vec::new());
            self.next += 1;
        }
        let product = self.task.process(&records, 0..values.len(), &self.status, &self.clock)?;
        self.outputs.extend(product.outputs);
        Ok(product.alerts.into_iter().map(|(alert, _)| alert).collect())
    }

    /// Lets event time pass without a record; returns the alerts that raises.
    pub fn tick(&mut self, time: EventTime) -> Result<Vec<Alert>, RunError> {
        let product = self.task.tick(time, self.next, &self.status, &self.clock)?;
        self.outputs.extend(product.outputs);
        Ok(product.alerts.into_iter().map(|(alert, _)| alert).collect())
    }

    /// The task, to look at its memory.
    pub fn task(&mut self) -> &mut Task {
        &mut self.task
    }
}
