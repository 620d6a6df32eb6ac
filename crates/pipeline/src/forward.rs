//! Takes each record to the partition of its entity, through an internal topic, so that the tasks behind it see all
//! events of an entity in one order. It remembers nothing: where it stopped it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::Array;
use lapwing_vocabulary::{Epoch, Offset, OutputRecord, Partition, Polled, PortError, Records, Transport};

use crate::aggregate::text_column;
use crate::clock::Clock;
use crate::decode::Decoder;
use crate::error::RunError;
use crate::plan::Plan;
use crate::render::source_header;
use crate::status::{Status, add};

/// Longest wait in one poll, so that a stop is noticed.
const WAIT: Duration = Duration::from_millis(100);

/// One worker of the repartitioning.
pub struct Forwarder<T> {
    transport: T,
    plan: Arc<Plan>,
    topic: Arc<str>,
    decoder: Decoder,
    status: Arc<Status>,
    clock: Arc<dyn Clock>,

    epoch: Epoch,
    committed_at: i64,
}

impl<T: Transport> Forwarder<T> {
    /// Prepares to forward the source topic of a pipeline to `topic`.
    pub fn new(
        transport: T,
        plan: &Arc<Plan>,
        topic: &str,
        status: Arc<Status>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RunError> {
        let mut options = plan.decode.clone();
        options.schema = options.schema.narrowed(&[options.key.clone(), options.time.clone()]);
        let decoder = Decoder::new(options).map_err(|fault| RunError::Plan(vec![fault]))?;
        let committed_at = clock.wall_micros();
        let (plan, topic) = (plan.clone(), topic.into());
        Ok(Self { transport, plan, topic, decoder, status, clock, epoch: Epoch::default(), committed_at })
    }

    /// Forwards until `stop` is set or the source ends; commits before it returns `Ok`.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), RunError> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return self.commit();
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => return self.commit(),
                Err(RunError::Port(PortError::Restart(why))) => {
                    tracing::warn!(why, "repartitioning starts again from its committed positions");
                    self.epoch = Epoch::default();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One poll and what follows from it; `false` at the end of a finite source.
    fn step(&mut self) -> Result<bool, RunError> {
        match self.transport.poll(self.plan.settings.max_batch_events, WAIT)? {
            Polled::Records(records) => self.forward(&records),
            Polled::Assigned(assignments) => {
                for assignment in assignments {
                    let from = assignment.committed.unwrap_or(assignment.earliest).max(assignment.earliest);
                    self.transport.resume(assignment.partition, from)?;
                }
            }
            Polled::Revoked(partitions) => {
                self.commit()?;
                self.transport.release(&partitions)?;
            }
            // What was not committed is forwarded by whoever has the partitions now.
            Polled::Lost(_) => self.epoch = Epoch::default(),
            Polled::Idle => {}
            Polled::End => return Ok(false),
        }
        let since = self.clock.wall_micros() - self.committed_at;
        if since < 0 || since >= self.plan.settings.commit_interval.as_micros() as i64 {
            self.commit()?;
        }
        Ok(true)
    }

    fn forward(&mut self, records: &Records) {
        let decoded = self.decoder.decode(records, 0..records.len());
        let entities = text_column(&decoded.events.rows, &self.plan.settings.source.key);
        // A record that does not decode goes on without a key: the task that meets it sets it aside with its reason.
        let mut keys: Vec<Option<Vec<u8>>> = vec![None; records.len()];
        for (row, index) in decoded.records.iter().enumerate() {
            keys[*index as usize] = entities.is_valid(row).then(|| entities.value(row).as_bytes().to_vec());
        }
        for (index, key) in keys.into_iter().enumerate() {
            let mut headers = records.headers(index).to_vec();
            headers.push(source_header(&records.position(index)));
            self.epoch.outputs.push(OutputRecord {
                topic: self.topic.clone(),
                partition: None,
                key,
                value: records.value(index).to_vec(),
                headers,
                // The moment it was first appended: latencies and clocks in the future are judged by it.
                timestamp: records.timestamp(index),
            });
        }
        add(&self.status.repartitioned, records.len() as u64);
        if let Some(last) = records.last_offset() {
            self.move_to(records.partition(), last + 1);
        }
    }

    fn move_to(&mut self, partition: Partition, offset: Offset) {
        match self.epoch.positions.iter_mut().find(|(known, _)| *known == partition) {
            Some((_, position)) => *position = offset,
            None => self.epoch.positions.push((partition, offset)),
        }
    }

    fn commit(&mut self) -> Result<(), RunError> {
        self.committed_at = self.clock.wall_micros();
        let epoch = std::mem::take(&mut self.epoch);
        if !epoch.is_empty() {
            self.transport.commit(epoch)?;
        }
        Ok(())
    }
}
