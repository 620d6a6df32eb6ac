use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lapwing_vocabulary::port::{Assignment, Backlog};
use lapwing_vocabulary::position::{lane, lane_parts};
use lapwing_vocabulary::{Epoch, Offset, Partition, Polled, PortError, Records, Transport};

use super::catalog::Topic;
use super::cursor::Cursor;
use super::published::Published;
use super::shared::{Consumer, Shared};

/// One worker's share of a topic, or of several. Its partitions are fixed; it loses them only to a later worker of the same
/// group that claims them.
pub struct EmbeddedTransport {
    // Given.
    shared: Arc<Shared>,
    group: Arc<str>,
    // Changing.
    /// What it holds of each topic.
    claims: Vec<Claim>,
    shares: Vec<Share>,
    announced: bool,
    /// Whether the source ends where its partitions ended at the start.
    finite: bool,
    /// Index of the share whose turn it is, so that no partition starves another.
    turn: usize,
}

/// What a worker holds of a topic.
struct Claim {
    topic: Arc<Topic>,
    number: u64,
    partitions: Vec<Partition>,
}

/// A partition of the worker.
struct Share {
    topic: Arc<Topic>,
    /// The claim it belongs to.
    claim: u64,
    /// Its number within the topic.
    partition: Partition,
    /// Its number for the worker.
    lane: Partition,
    /// First offset to deliver unless the worker says otherwise.
    start: Offset,
    /// `None` until the worker resumes.
    cursor: Option<Cursor>,
    /// Nothing at or after this offset is delivered.
    stop: Option<Offset>,
}

/// What a poll can do next.
enum Next {
    Announce,
    Lose(Vec<Partition>),
    Deliver { share: usize, until: Offset },
    Finish,
    Wait,
}

impl EmbeddedTransport {
    pub(super) fn open(
        shared: Arc<Shared>,
        names: &[&str],
        group: &str,
        worker: usize,
        workers: usize,
    ) -> Result<Self, PortError> {
        let group: Arc<str> = Arc::from(group);
        let (mut claims, mut shares) = (Vec::new(), Vec::new());
        let mut published = shared.published();
        let listed = names.iter().map(|name| {
            let listed = published.get(name).cloned();
            listed.ok_or_else(|| published.missing(name, shared.store.folder()))
        });
        // Nothing is taken from another worker unless all is there.
        for (index, listed) in listed.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate() {
            let topic = listed.topic;
            let partitions: Vec<Partition> =
                (0..topic.layout.partitions).filter(|number| *number as usize % workers == worker).collect();
            let number = published.claim(&group, topic.id, &partitions);
            for partition in &partitions {
                let lane = lane(index, *partition).ok_or_else(|| {
                    let text = format!("read {} topics at once: that is too many, or too many partitions", names.len());
                    PortError::Operator(text)
                })?;
                let (topic, claim, partition) = (topic.clone(), number, *partition);
                shares.push(Share { topic, claim, partition, lane, start: 0, cursor: None, stop: None });
            }
            claims.push(Claim { topic, number, partitions });
        }
        drop(published);
        shared.grown.notify_all();
        Ok(Self { shared, group, claims, shares, announced: false, finite: false, turn: 0 })
    }

    /// Makes the source finite: it ends where the partitions end now.
    pub fn until_end(mut self) -> Self {
        let published = self.shared.published();
        for share in &mut self.shares {
            share.stop = Some(end(&published, &share.topic, share.partition));
        }
        drop(published);
        self.finite = true;
        self
    }

    /// Decides what a poll does; acts on nothing.
    fn next(&self, published: &Published) -> Next {
        let lost = self.lost(published);
        if !lost.is_empty() {
            return Next::Lose(lost);
        }
        if !self.announced {
            return Next::Announce;
        }
        let count = self.shares.len();
        for share in (0..count).map(|step| (self.turn + step) % count) {
            let until = self.shares[share].until(published);
            if self.shares[share].cursor.as_ref().is_some_and(|cursor| cursor.next() < until) {
                return Next::Deliver { share, until };
            }
        }
        if self.finite && self.shares.iter().all(Share::is_finished) { Next::Finish } else { Next::Wait }
    }

    fn lost(&self, published: &Published) -> Vec<Partition> {
        let holds = |share: &Share| published.holds(&self.group, share.topic.id, share.partition, share.claim);
        self.shares.iter().filter(|share| !holds(share)).map(|share| share.lane).collect()
    }

    /// Waits for something to do. `Next::Wait` if there is nothing within `wait`.
    fn wait_for_next(&self, wait: Duration) -> Next {
        let shared = &self.shared;
        let published = shared.published();
        let nothing = |published: &mut Published| matches!(self.next(published), Next::Wait);
        let (published, _) =
            shared.grown.wait_timeout_while(published, wait, nothing).unwrap_or_else(PoisonError::into_inner);
        self.next(&published)
    }

    fn announce(&mut self) -> Result<Vec<Assignment>, PortError> {
        let mut assignments = Vec::with_capacity(self.shares.len());
        for share in &mut self.shares {
            let committed = self.shared.store.position(&share.topic, share.partition, &self.group)?;
            let earliest = {
                let published = self.shared.published();
                published.get(&share.topic.name).map_or(0, |listed| listed.heads[share.partition as usize].earliest)
            };
            share.start = committed.unwrap_or(earliest).max(earliest);
            assignments.push(Assignment { partition: share.lane, committed, earliest });
        }
        self.announced = true;
        Ok(assignments)
    }

    fn deliver(&mut self, share: usize, until: Offset, records_max: usize) -> Result<Records, PortError> {
        self.turn = (share + 1) % self.shares.len();
        let share = &mut self.shares[share];
        let mut records = Records::new(share.topic.name.clone(), share.lane);
        if let Some(cursor) = &mut share.cursor {
            cursor.fill(&self.shared.store, until, records_max, &mut records)?;
        }
        Ok(records)
    }

    fn share(&mut self, lane: Partition) -> Option<&mut Share> {
        self.shares.iter_mut().find(|share| share.lane == lane)
    }

    fn forget(&mut self, lanes: &[Partition]) {
        self.shares.retain(|share| !lanes.contains(&share.lane));
        for (topic, partition) in lanes.iter().map(|lane| lane_parts(*lane)) {
            if let Some(claim) = self.claims.get_mut(topic) {
                claim.partitions.retain(|held| *held != partition);
            }
        }
        self.turn = 0;
    }
}

impl Claim {
    fn consumer<'a>(&'a self, group: &'a Arc<str>) -> Consumer<'a> {
        let Self { topic, number, partitions } = self;
        Consumer { topic, group, claim: *number, partitions, positions: Vec::new() }
    }
}

impl Share {
    fn until(&self, published: &Published) -> Offset {
        let end = end(published, &self.topic, self.partition);
        self.stop.map_or(end, |stop| stop.min(end))
    }

    /// Whether everything before the end of a finite source was delivered.
    fn is_finished(&self) -> bool {
        match (&self.cursor, self.stop) {
            (Some(cursor), Some(stop)) => cursor.next() >= stop,
            _ => false,
        }
    }
}

fn end(published: &Published, topic: &Topic, partition: Partition) -> Offset {
    published.get(&topic.name).map_or(0, |listed| listed.heads[partition as usize].end)
}

impl Transport for EmbeddedTransport {
    fn poll(&mut self, records_max: usize, wait: Duration) -> Result<Polled, PortError> {
        loop {
            match self.wait_for_next(wait) {
                Next::Announce => return self.announce().map(Polled::Assigned),
                Next::Lose(partitions) => {
                    self.forget(&partitions);
                    return Ok(Polled::Lost(partitions));
                }
                Next::Deliver { share, until } => {
                    let records = self.deliver(share, until, records_max.max(1))?;
                    // Empty where everything up to the end was dropped; the cursor has moved on.
                    if !records.is_empty() {
                        return Ok(Polled::Records(records));
                    }
                }
                Next::Finish => return Ok(Polled::End),
                Next::Wait => return Ok(Polled::Idle),
            }
        }
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        let (topic, number) = lane_parts(partition);
        let name = self.claims.get(topic).map_or(String::new(), |claim| claim.topic.name.to_string());
        let Some(share) = self.share(partition) else {
            return Err(PortError::Restart(format!("{name}[{number}] does not belong to this worker")));
        };
        share.cursor = Some(Cursor::new(share.topic.clone(), share.partition, offset));
        Ok(())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        self.forget(partitions);
        Ok(())
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        if epoch.is_empty() {
            return Ok(());
        }
        let mut consumers: Vec<Consumer<'_>> = self.claims.iter().map(|claim| claim.consumer(&self.group)).collect();
        for (lane, offset) in &epoch.positions {
            let (topic, partition) = lane_parts(*lane);
            let Some(consumer) = consumers.get_mut(topic).filter(|_| *lane >= 0) else {
                return Err(PortError::Operator(format!("commit a position of [{lane}]: there is no such place")));
            };
            consumer.positions.push((partition, *offset));
        }
        self.shared.commit(&epoch.outputs, &consumers)
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        let published = self.shared.published();
        let left = |share: &Share| {
            let next = share.cursor.as_ref().map_or(share.start, Cursor::next);
            (share.until(&published) - next).max(0) as u64
        };
        Ok(Backlog { records: self.shares.iter().map(left).sum() })
    }
}
