use std::ops::ControlFlow;
use std::sync::Arc;

use lapwing_vocabulary::OutputRecord;
use lapwing_vocabulary::port::Producer;

use crate::error::ProduceError;
use crate::pace::TokenBucket;
use crate::produced::Produced;

/// Progress is told, and everything so far made durable, this often.
const PROGRESS_MICROS: i64 = 1_000_000;
/// Shortest sleep: at high rates a few events wait for each other instead of waking the thread for each.
const SLEEP_MICROS_MIN: i64 = 1_000;
/// Longest sleep: a slow rate must not delay the news of progress, which is where the caller says stop.
const SLEEP_MICROS_MAX: i64 = 200_000;

/// The time of the world, and waiting for it. Handed in, so that a test can be quick.
pub trait Clock {
    /// Now. Units: microseconds since 1970-01-01T00:00:00Z.
    fn now_micros(&self) -> i64;

    /// Waits so long. Units: microseconds.
    fn sleep(&self, micros: i64);
}

/// How events go out.
#[derive(Clone, Debug)]
pub struct DriveOptions {
    /// Topic they go to.
    pub topic: Arc<str>,
    /// How fast; `None` is as fast as they come.
    pub pace: Option<TokenBucket>,
    /// Most records of one append.
    pub batch_records: usize,
    /// An append is made once it holds so many bytes of values.
    pub batch_bytes: usize,
}

impl DriveOptions {
    /// As fast as they come, in appends of up to 4096 records or 4 MiB: large enough to make the cost of a call vanish,
    /// small enough to stay in the cache.
    pub fn new(topic: impl Into<Arc<str>>) -> Self {
        Self { topic: topic.into(), pace: None, batch_records: 4096, batch_bytes: 4 << 20 }
    }
}

/// What has gone out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events appended.
    pub events: u64,
    /// Of these, events labelled as an anomaly.
    pub anomalies: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Time since the start. Units: microseconds.
    pub elapsed_micros: i64,
}

/// Appends events to a topic until there are none left or `on_progress` breaks off; it is told about once a second,
/// of durable events only. Records: the event's key and value, and the clock's now as append time.
/// Errors: those of the events, after everything before the fault was made durable; `Port`.
pub fn produce(
    events: impl Iterator<Item = Result<Produced, ProduceError>>,
    producer: &mut dyn Producer,
    options: DriveOptions,
    clock: &dyn Clock,
    on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Progress, ProduceError> {
    let now = clock.now_micros();
    let mut drive = Drive { producer, options, clock, started: now, told: now, progress: Progress::default() };
    let mut events = events;
    loop {
        let allowed = drive.wait_for_leave(on_progress)?;
        if allowed == 0 {
            return drive.finish();
        }
        let (batch, end) = drive.gather(&mut events, allowed);
        if !batch.is_empty() {
            drive.producer.append(batch)?;
        }
        match end {
            End::NotYet => {}
            End::Reached => return drive.finish(),
            End::Fault(fault) => {
                drive.finish()?;
                return Err(fault);
            }
        }
        if drive.tell(on_progress)?.is_break() {
            return drive.finish();
        }
    }
}

/// Whether the events have come to an end.
enum End {
    NotYet,
    Reached,
    Fault(ProduceError),
}

struct Drive<'a> {
    producer: &'a mut dyn Producer,
    options: DriveOptions,
    clock: &'a dyn Clock,
    started: i64,

    told: i64,

    progress: Progress,
}

impl Drive<'_> {
    /// Waits until the pace lets events go; returns how many, 0 if the caller broke off meanwhile.
    fn wait_for_leave(
        &mut self,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<usize, ProduceError> {
        let most = self.options.batch_records.max(1);
        loop {
            let Some(pace) = &mut self.options.pace else { return Ok(most) };
            let available = pace.available(self.clock.now_micros());
            if available > 0 {
                return Ok(usize::try_from(available).unwrap_or(most).min(most));
            }
            let wait = pace.wait_micros(1).clamp(SLEEP_MICROS_MIN, SLEEP_MICROS_MAX);
            self.clock.sleep(wait);
            if self.tell(on_progress)?.is_break() {
                return Ok(0);
            }
        }
    }

    /// Takes up to `allowed` events, fewer if they are large or end, and pays for them.
    fn gather(
        &mut self,
        events: &mut dyn Iterator<Item = Result<Produced, ProduceError>>,
        allowed: usize,
    ) -> (Vec<OutputRecord>, End) {
        let timestamp = self.clock.now_micros();
        let mut batch = Vec::with_capacity(allowed.min(4096));
        let mut bytes = 0;
        let mut end = End::NotYet;
        while batch.len() < allowed && bytes < self.options.batch_bytes.max(1) {
            let event = match events.next() {
                Some(Ok(event)) => event,
                Some(Err(fault)) => {
                    end = End::Fault(fault);
                    break;
                }
                None => {
                    end = End::Reached;
                    break;
                }
            };
            bytes += event.value.len();
            self.progress.anomalies += u64::from(event.label.is_anomaly());
            batch.push(OutputRecord {
                topic: self.options.topic.clone(),
                partition: None,
                key: event.key,
                value: event.value,
                headers: Vec::new(),
                timestamp,
            });
        }
        self.progress.events += batch.len() as u64;
        self.progress.bytes += bytes as u64;
        if let Some(pace) = &mut self.options.pace {
            pace.take(batch.len() as u64);
        }
        (batch, end)
    }

    /// Makes everything durable and tells of it, if the last time was long enough ago.
    fn tell(
        &mut self,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ProduceError> {
        let now = self.clock.now_micros();
        if now.saturating_sub(self.told) < PROGRESS_MICROS {
            return Ok(ControlFlow::Continue(()));
        }
        self.told = now;
        self.producer.flush()?;
        self.progress.elapsed_micros = now.saturating_sub(self.started);
        Ok(on_progress(&self.progress))
    }

    fn finish(mut self) -> Result<Progress, ProduceError> {
        self.producer.flush()?;
        self.progress.elapsed_micros = self.clock.now_micros().saturating_sub(self.started);
        Ok(self.progress)
    }
}
