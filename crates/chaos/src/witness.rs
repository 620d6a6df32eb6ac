use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lapwing_connect::kafka::KafkaTopics;
use lapwing_vocabulary::Records;

use crate::broker::Broker;
use crate::failure::Failure;
use crate::follower::Follower;
use crate::ledger::Ledger;

/// How often the topics are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the witness has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Different events enriched.
    pub(crate) events: AtomicU64,
    /// Enriched events that were there before.
    pub(crate) doubled: AtomicU64,
    /// Different alerts.
    pub(crate) alerts: AtomicU64,
    /// Told to the witness: look once more, then end.
    stop: AtomicBool,
}

/// A thread that reads committed enriched events and alerts, and keeps the book.
#[derive(Debug)]
pub(crate) struct Witness {
    /// What it has seen so far.
    pub(crate) seen: Arc<Seen>,
    thread: JoinHandle<Result<Ledger, Failure>>,
}

impl Witness {
    /// Starts to read the outputs of a run, from their beginning.
    pub(crate) fn start(broker: &Broker, run: &str, partitions: i32) -> Result<Self, Failure> {
        let seen = Arc::new(Seen::default());
        let mut topics = broker.topics()?;
        let mut enriched = Follower::new(format!("{run}.enriched"), partitions);
        let mut alerts = Follower::new(format!("{run}.alerts"), partitions);
        let shared = seen.clone();
        let work = move || {
            let mut ledger = Ledger::default();
            loop {
                let last = shared.stop.load(Ordering::Relaxed);
                look(&mut topics, &mut enriched, &mut alerts, &mut ledger, &shared)?;
                if last {
                    return Ok(ledger);
                }
                // `finish` wakes it.
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("witness".to_owned()).spawn(work);
        Ok(Self { seen, thread: thread.map_err(Failure::io("start the witness"))? })
    }

    /// Whether it ended before it was told to.
    pub(crate) fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Has it look once more; returns the book.
    pub(crate) fn finish(self) -> Result<Ledger, Failure> {
        self.seen.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().map_err(|_| Failure::Panicked("witness"))?
    }
}

fn look(
    topics: &mut KafkaTopics,
    enriched: &mut Follower,
    alerts: &mut Follower,
    ledger: &mut Ledger,
    seen: &Seen,
) -> Result<(), Failure> {
    enriched.drain(topics, &mut |records, index| {
        ledger.enriched(records.value(index), || place(records, index));
        // A long look must show progress too.
        seen.events.store(ledger.events.len() as u64, Ordering::Relaxed);
    })?;
    alerts.drain(topics, &mut |records, index| ledger.alert(records.value(index), || place(records, index)))?;
    seen.alerts.store(ledger.alerts.len() as u64, Ordering::Relaxed);
    seen.doubled.store(ledger.doubled + ledger.alerts_doubled, Ordering::Relaxed);
    Ok(())
}

/// Where a record lies, and where the event it rests on lies, if it says so.
fn place(records: &Records, index: usize) -> String {
    let source = records.headers(index).iter().find(|header| header.name == "lapwing.source");
    let source = source.map(|header| format!(" from {}", String::from_utf8_lossy(&header.value)));
    format!("{}{}", records.position(index), source.unwrap_or_default())
}
