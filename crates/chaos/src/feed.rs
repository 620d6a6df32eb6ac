//! Events flow as the blows do: each blow releases an equal share of them, spread over the time that a blow takes, so that
//! the last event goes out with the last blow however long the machine takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lapwing_connect::kafka::KafkaProducer;
use lapwing_vocabulary::OutputRecord;
use lapwing_vocabulary::port::Producer;

use crate::broker::Broker;
use crate::clock;
use crate::events::{self, Event};
use crate::failure::Failure;

/// Most records of one append.
const BATCH: u64 = 5_000;
/// How often leave for more events is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the campaign tells the feed, and what it tells back.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Events that may be out by now.
    pub(crate) allowed: AtomicU64,
    /// Events that are durable in the source topic.
    pub(crate) sent: AtomicU64,
    /// Told to the feed: give up.
    pub(crate) stop: AtomicBool,
    /// The feed has ended with a failure.
    pub(crate) failed: AtomicBool,
}

/// Events that may be out after `done` of `blows`, `since` the last one, if a blow takes about `usual`.
pub(crate) fn allowed(total: u64, blows: u32, done: u32, since: Duration, usual: Duration) -> u64 {
    if done >= blows {
        return total;
    }
    let share = total as f64 / f64::from(blows);
    let part = (since.as_secs_f64() / usual.as_secs_f64().max(0.001)).min(1.0);
    ((f64::from(done) + part) * share) as u64
}

/// Starts to send events; the thread returns their identities.
pub(crate) fn start(
    broker: &Broker,
    topic: &str,
    seed: u64,
    total: u64,
    gauge: Arc<Gauge>,
) -> Result<JoinHandle<Result<Vec<u128>, Failure>>, Failure> {
    let mut sender = Sender {
        producer: KafkaProducer::open(broker.connection())?,
        topic: topic.into(),
        sent: Vec::with_capacity(total as usize),
    };
    let mut events = events::scenario(seed, total)?;
    let work = move || {
        let outcome = sender.send_all(&mut events, total, &gauge);
        gauge.failed.store(outcome.is_err(), Ordering::Relaxed);
        outcome.map(|()| sender.sent)
    };
    std::thread::Builder::new().name("feed".to_owned()).spawn(work).map_err(Failure::io("start the feed"))
}

struct Sender {
    producer: KafkaProducer,
    topic: Arc<str>,
    sent: Vec<u128>,
}

impl Sender {
    fn send_all(&mut self, events: &mut dyn Iterator<Item = Event>, total: u64, gauge: &Gauge) -> Result<(), Failure> {
        while (self.sent.len() as u64) < total && !gauge.stop.load(Ordering::Relaxed) {
            let leave = gauge.allowed.load(Ordering::Relaxed).saturating_sub(self.sent.len() as u64).min(BATCH);
            if leave == 0 {
                // More is allowed as the blows go; looked at in bounded steps.
                std::thread::park_timeout(LOOK_EVERY);
                continue;
            }
            let batch: Vec<Event> = events.take(leave as usize).collect();
            if batch.is_empty() {
                return Err(Failure::Usage(format!("the scenario ends after {} events", self.sent.len())));
            }
            self.send(batch)?;
            gauge.sent.store(self.sent.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    fn send(&mut self, batch: Vec<Event>) -> Result<(), Failure> {
        let timestamp = clock::wall().0;
        self.sent.extend(batch.iter().map(|event| event.id));
        let record = |Event { key, value, .. }| OutputRecord {
            topic: self.topic.clone(),
            partition: None,
            key,
            value,
            headers: Vec::new(),
            timestamp,
        };
        self.producer.append(batch.into_iter().map(record).collect())?;
        Ok(self.producer.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_flow_with_the_blows_and_all_are_out_after_the_last() {
        let second = Duration::from_secs(1);
        assert_eq!(allowed(1000, 10, 0, Duration::ZERO, second), 0);
        assert_eq!(allowed(1000, 10, 0, second / 2, second), 50);
        assert_eq!(allowed(1000, 10, 3, second * 60, second), 400);
        assert_eq!(allowed(1000, 10, 10, Duration::ZERO, second), 1000);
    }
}
