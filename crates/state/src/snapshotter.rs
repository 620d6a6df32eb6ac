use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use lapwing_vocabulary::{Offset, Partition};

use crate::chain::{Chain, Link, Plan, Written, plan_snapshot};
use crate::error::StateError;
use crate::snapshot::SnapshotParts;
use crate::store::SnapshotStore;

/// Snapshots that may wait, of all partitions of a worker: each holds on to the memory of its moment.
const WAITING_MAX: usize = 64;

/// Writes snapshots beside the stream: one thread, and at most one snapshot of a partition under way.
#[derive(Debug)]
pub struct Snapshotter {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,

    /// The chain of each partition that was written last.
    chains: BTreeMap<Partition, Chain>,
    under_way: BTreeMap<Partition, UnderWay>,
    /// Snapshots that never reached the thread.
    lost: Vec<Done>,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    plan: Plan,
    offset: Offset,
    /// The next snapshot may continue it.
    continued: bool,
}

#[derive(Debug)]
struct Job {
    plan: Plan,
    parts: SnapshotParts,
}

#[derive(Debug)]
struct Outcome {
    partition: Partition,
    offset: Offset,
    plan: Plan,
    result: Result<Written, StateError>,
    unclean: Option<StateError>,
}

/// A snapshot that is written, or is not.
#[derive(Debug)]
pub struct Done {
    /// The partition.
    pub partition: Partition,
    /// The offset of the snapshot.
    pub offset: Offset,
    /// What it was to be.
    pub plan: Plan,
    /// Length and checksum, or why there is none; the one before stays, and the next is a full one.
    pub result: Result<Written, StateError>,
    /// Why old snapshots could not be removed; nothing is lost, but they take space.
    pub unclean: Option<StateError>,
}

impl Snapshotter {
    /// Starts the thread.
    /// Errors: `Storage`, if the system has no thread left.
    pub fn start(store: SnapshotStore) -> Result<Self, StateError> {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let (results, done) = channel();
        let place = store.describe();
        let thread =
            std::thread::Builder::new().name("snapshots".into()).spawn(move || run(&store, &waiting, &results));
        let thread = thread.map_err(|e| StateError::storage("start the thread that writes snapshots to", place, e))?;
        let (chains, under_way) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { jobs: Some(jobs), done, thread: Some(thread), chains, under_way, lost: Vec::new() })
    }

    /// What the next snapshot of a partition, at `offset`, is to be; `None` while one is under way. Its tables are to
    /// be frozen so, and no table may be frozen without being submitted: changes are told once.
    pub fn plan(&self, partition: Partition, offset: Offset) -> Option<Plan> {
        if self.under_way.contains_key(&partition) || self.under_way.len() >= WAITING_MAX {
            return None;
        }
        Some(plan_snapshot(self.chains.get(&partition), offset))
    }

    /// Hands a snapshot over to be written. One that nobody has planned, or that the thread cannot take, comes back
    /// from [`Snapshotter::poll`] as failed.
    pub fn submit(&mut self, plan: Plan, parts: SnapshotParts) {
        let (partition, offset) = (parts.identity.partition, parts.offset);
        let jobs = self.jobs.as_ref().expect("only dropping the snapshotter takes it");
        match jobs.try_send(Job { plan, parts }) {
            Ok(()) => {
                self.under_way.insert(partition, UnderWay { plan, offset, continued: true });
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lose(partition, plan, offset),
        }
    }

    fn lose(&mut self, partition: Partition, plan: Plan, offset: Offset) {
        self.chains.remove(&partition);
        let source = io::Error::other("it has ended, or has more to do than it was made for");
        let result = Err(StateError::storage("hand over a snapshot to", "the thread that writes them", source));
        self.lost.push(Done { partition, offset, plan, result, unclean: None });
    }

    /// Whether a snapshot of the partition is under way.
    pub fn is_busy(&self, partition: Partition) -> bool {
        self.under_way.contains_key(&partition)
    }

    /// Snapshots that have ended since the last call, without waiting.
    pub fn poll(&mut self) -> Vec<Done> {
        let mut ended = std::mem::take(&mut self.lost);
        while let Ok(outcome) = self.done.try_recv() {
            ended.push(self.note(outcome));
        }
        ended
    }

    /// Waits until none is under way, and returns those that have ended.
    pub fn wait(&mut self) -> Vec<Done> {
        let mut ended = Vec::new();
        while !self.under_way.is_empty() {
            match self.done.recv() {
                Ok(outcome) => ended.push(self.note(outcome)),
                Err(_) => {
                    for (partition, UnderWay { plan, offset, .. }) in std::mem::take(&mut self.under_way) {
                        self.lose(partition, plan, offset);
                    }
                }
            }
        }
        ended.append(&mut self.lost);
        ended
    }

    /// Forgets a partition's chain: its next snapshot is a full one. For a partition that is taken up or let go.
    pub fn forget(&mut self, partition: Partition) {
        self.chains.remove(&partition);
        if let Some(under_way) = self.under_way.get_mut(&partition) {
            under_way.continued = false;
        }
    }

    fn note(&mut self, outcome: Outcome) -> Done {
        let Outcome { partition, offset, plan, result, unclean } = outcome;
        let continued = self.under_way.remove(&partition).is_some_and(|under_way| under_way.continued);
        let before = self.chains.remove(&partition);
        if let (Ok(written), true) = (&result, continued) {
            self.chains.insert(partition, Chain::after(before.as_ref(), plan, offset, *written));
        }
        Done { partition, offset, plan, result, unclean }
    }
}

impl Drop for Snapshotter {
    /// Lets the thread finish what was handed over.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the panic hook, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn run(store: &SnapshotStore, jobs: &Receiver<Job>, results: &Sender<Outcome>) {
    while let Ok(Job { plan, parts }) = jobs.recv() {
        let (partition, offset) = (parts.identity.partition, parts.offset);
        let result = store.write(plan, parts);
        let cleaned = result.as_ref().ok().map(|_| store.clean(partition, Link::planned(plan, offset)));
        let unclean = cleaned.and_then(Result::err);
        if results.send(Outcome { partition, offset, plan, result, unclean }).is_err() {
            return;
        }
    }
}
