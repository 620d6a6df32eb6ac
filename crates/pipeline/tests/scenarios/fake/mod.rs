//! A log in memory with several partitions, and transports over it that follow a script: which partitions they are
//! given, when they lose them, when a commit fails, when the process dies.
//!
//! It checks what a transport would check: a commit names only partitions that its worker owns, and positions only move
//! forward. What dies leaves nothing behind but what was committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_vocabulary::port::{Assignment, Backlog, TopicLayout, TopicState, Topics};
use lapwing_vocabulary::{Epoch, Header, Offset, OutputRecord, Partition, Polled, PortError, Records, Transport};

use crate::stream::{Chance, NOW};

/// Workers over the log.
mod fleet;

pub(crate) use fleet::{Fleet, undisturbed};

/// How far the clock moves with every poll. Units: microseconds.
const POLL_MICROS: i64 = 10_000;
/// What a worker that died says; nothing must happen to its transport afterwards.
const DEATH: &str = "the process dies here";

/// The source topic, what was committed of it, and what was put out.
#[derive(Debug)]
pub(crate) struct Log {
    source: BTreeMap<Partition, Vec<Vec<u8>>>,
    dress: Dress,
    changing: Mutex<Changing>,
}

/// The key and the headers of a record, told by its value.
pub(crate) type Dress = fn(&[u8]) -> (Option<Vec<u8>>, Vec<Header>);

#[derive(Debug, Default)]
struct Changing {
    committed: BTreeMap<Partition, Offset>,
    outputs: Vec<OutputRecord>,
    /// How many of them a reader from outside can see: those of the last epoch only after the next, or when it waits.
    readable: usize,
}

impl Log {
    /// A log with these values in each partition.
    pub(crate) fn new(source: Vec<Vec<Vec<u8>>>) -> Arc<Self> {
        Self::dressed((0..).zip(source).collect(), |_| (None, Vec::new()))
    }

    /// A log whose records have keys and headers, and whose partitions have any numbers.
    pub(crate) fn dressed(source: BTreeMap<Partition, Vec<Vec<u8>>>, dress: Dress) -> Arc<Self> {
        Arc::new(Self { source, dress, changing: Mutex::default() })
    }

    pub(crate) fn partitions(&self) -> Vec<Partition> {
        self.source.keys().copied().collect()
    }

    /// Everything that was committed to output topics, in order.
    pub(crate) fn outputs(&self) -> Vec<OutputRecord> {
        self.changing.lock().unwrap().outputs.clone()
    }

    /// Whether every record was consumed.
    pub(crate) fn is_consumed(&self) -> bool {
        let committed = &self.changing.lock().unwrap().committed;
        let end = |partition: &Partition| self.source[partition].len() as Offset;
        self.partitions().iter().all(|partition| committed.get(partition) == Some(&end(partition)))
    }

    pub(crate) fn committed(&self, partition: Partition) -> Option<Offset> {
        self.changing.lock().unwrap().committed.get(&partition).copied()
    }

    fn apply(&self, epoch: Epoch) {
        let mut changing = self.changing.lock().unwrap();
        for (partition, offset) in epoch.positions {
            let before = changing.committed.insert(partition, offset).unwrap_or(0);
            // A tick commits what it closed without any record.
            assert!(before <= offset, "partition {partition} is committed at {offset} after {before}");
        }
        changing.readable = changing.outputs.len();
        changing.outputs.extend(epoch.outputs);
    }
}

/// Reads the committed markers of a log.
pub(crate) struct Markers(pub(crate) Arc<Log>);

impl Markers {
    fn of(&self, topic: &str, partition: Partition) -> Vec<OutputRecord> {
        let readable = self.0.changing.lock().unwrap().readable;
        let outputs = self.0.outputs().into_iter().take(readable);
        outputs.filter(|record| &*record.topic == topic && record.partition == Some(partition)).collect()
    }
}

impl Topics for Markers {
    fn create(&mut self, _name: &str, _layout: &TopicLayout) -> Result<bool, PortError> {
        Ok(false)
    }

    fn describe(&mut self, name: &str) -> Result<Option<TopicState>, PortError> {
        let bounds = |partition: Partition| match name {
            "events" => (0, self.0.source[&partition].len() as Offset),
            _ => (0, self.of(name, partition).len() as Offset),
        };
        let partitions = self.0.partitions().into_iter().map(bounds).collect();
        Ok(Some(TopicState { name: name.to_owned(), partitions, settings: Vec::new() }))
    }

    fn list(&mut self) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }

    fn settle(&mut self, _name: &str, _partition: Partition) -> Result<(), PortError> {
        let mut changing = self.0.changing.lock().unwrap();
        changing.readable = changing.outputs.len();
        Ok(())
    }

    fn read(
        &mut self,
        name: &str,
        partition: Partition,
        offset: Offset,
        records_max: usize,
    ) -> Result<Records, PortError> {
        let mut records = Records::new(name.into(), partition);
        let all = self.of(name, partition).into_iter().enumerate();
        for (at, record) in all.skip(offset as usize).take(records_max) {
            records.push(at as Offset, record.timestamp, None, &record.value, Vec::new());
        }
        Ok(records)
    }
}

/// When a process dies. Calls of `poll` and `commit` are counted together, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before the call does anything.
    Before(usize),
    /// After the first commit from this call on is done, before the worker hears of it.
    After(usize),
}

/// What happens to a worker at a poll instead of records.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Partitions are asked back.
    Revoke(Vec<Partition>),
    /// Partitions are gone.
    Lose(Vec<Partition>),
    /// Partitions are given (back).
    Assign(Vec<Partition>),
    /// The poll fails, and everything is assigned anew.
    Restart,
}

/// How records are cut into polls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// By chance, with idle polls in between.
    Seeded(u64),
    /// So many at a time, one partition after the other.
    Even(usize),
}

/// Called with the positions of every commit that succeeded.
pub(crate) type AfterCommit = Box<dyn FnMut(&[(Partition, Offset)]) + Send>;

/// What a transport is told to do.
pub(crate) struct Script {
    pub(crate) assigned: Vec<Partition>,
    pub(crate) cut: Cut,
    pub(crate) death: Option<Death>,
    /// Numbers, from 1, of the commits that fail with `Restart`.
    pub(crate) failing_commits: BTreeSet<usize>,
    /// Polls that find nothing at the end of the source before it is said to have ended.
    pub(crate) idle_polls: usize,
    /// By number of the poll, from 1.
    pub(crate) happenings: BTreeMap<usize, Happening>,
    pub(crate) after_commit: Option<AfterCommit>,
}

impl Script {
    /// Everything goes well.
    pub(crate) fn calm(assigned: Vec<Partition>, cut: Cut) -> Self {
        let (failing_commits, happenings) = (BTreeSet::new(), BTreeMap::new());
        Self { assigned, cut, death: None, failing_commits, idle_polls: 0, happenings, after_commit: None }
    }
}

/// Numbers of calls that a transport has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) all: usize,
    pub(crate) polls: usize,
    /// Which of the calls were commits.
    pub(crate) commits: Vec<usize>,
}

/// The transport of one worker.
pub(crate) struct FakeTransport {
    log: Arc<Log>,
    clock: Arc<HandClock>,
    script: Script,
    chance: Chance,
    /// Next offset of each partition owned; `None` until the worker resumes it.
    owned: BTreeMap<Partition, Option<Offset>>,
    waiting: VecDeque<Polled>,
    calls: Arc<Mutex<Calls>>,
    dead: bool,
}

impl FakeTransport {
    pub(crate) fn new(log: &Arc<Log>, clock: &Arc<HandClock>, script: Script, calls: &Arc<Mutex<Calls>>) -> Self {
        let seed = match script.cut {
            Cut::Seeded(seed) => seed,
            Cut::Even(_) => 0,
        };
        let mut transport = Self {
            log: log.clone(),
            clock: clock.clone(),
            chance: Chance::new(seed),
            owned: BTreeMap::new(),
            waiting: VecDeque::new(),
            calls: calls.clone(),
            dead: false,
            script,
        };
        transport.assign(transport.script.assigned.clone());
        transport
    }

    fn assign(&mut self, partitions: Vec<Partition>) {
        let assignment = |partition: Partition| {
            let committed = self.log.committed(partition);
            Assignment { partition, committed, earliest: 0 }
        };
        let assignments = partitions.iter().map(|partition| assignment(*partition)).collect();
        self.owned.extend(partitions.iter().map(|partition| (*partition, None)));
        self.waiting.push_back(Polled::Assigned(assignments));
    }

    /// Counts a call; `Err` if the process dies before it.
    fn call(&mut self, count: impl FnOnce(&mut Calls)) -> Result<Calls, PortError> {
        assert!(!self.dead, "a dead process calls its transport");
        let mut calls = self.calls.lock().unwrap();
        calls.all += 1;
        count(&mut calls);
        let now = calls.clone();
        drop(calls);
        if self.script.death == Some(Death::Before(now.all)) { self.die().map(|()| now) } else { Ok(now) }
    }

    fn die(&mut self) -> Result<(), PortError> {
        self.dead = true;
        Err(PortError::Unreachable(DEATH.to_owned()))
    }

    /// Everything is taken away, and what was owned is assigned again from its committed position.
    fn restart(&mut self) -> PortError {
        let partitions: Vec<Partition> = std::mem::take(&mut self.owned).into_keys().collect();
        self.waiting.clear();
        self.assign(partitions);
        PortError::Restart("fenced by the script".to_owned())
    }

    fn happen(&mut self, happening: Happening) -> Result<Polled, PortError> {
        match happening {
            Happening::Revoke(partitions) => Ok(Polled::Revoked(partitions)),
            Happening::Lose(partitions) => {
                self.owned.retain(|partition, _| !partitions.contains(partition));
                Ok(Polled::Lost(partitions))
            }
            Happening::Assign(partitions) => {
                self.assign(partitions);
                Ok(self.waiting.pop_back().expect("an assignment was just put there"))
            }
            Happening::Restart => Err(self.restart()),
        }
    }

    /// The next records of one partition that has any.
    fn records(&mut self, records_max: usize) -> Polled {
        let left = |(partition, next): (&Partition, &Option<Offset>)| {
            let next = (*next)?;
            ((next as usize) < self.log.source[partition].len()).then_some((*partition, next))
        };
        let ready: Vec<(Partition, Offset)> = self.owned.iter().filter_map(left).collect();
        if ready.is_empty() && self.script.idle_polls > 0 {
            self.script.idle_polls -= 1;
            return Polled::Idle;
        }
        if ready.is_empty() {
            return Polled::End;
        }
        let (at, count) = match self.script.cut {
            Cut::Even(count) => (0, count),
            Cut::Seeded(_) if self.chance.below(8) == 0 => return Polled::Idle,
            Cut::Seeded(_) => (self.chance.below(ready.len() as u64) as usize, 1 + self.chance.below(50) as usize),
        };
        let (partition, next) = ready[at];
        let mut records = Records::new("events".into(), partition);
        let values = self.log.source[&partition].iter().enumerate().skip(next as usize);
        for (offset, value) in values.take(count.min(records_max)) {
            let (key, headers) = (self.log.dress)(value);
            records.push(offset as Offset, NOW, key.as_deref(), value, headers);
        }
        self.owned.insert(partition, records.last_offset().map(|last| last + 1));
        Polled::Records(records)
    }
}

impl Transport for FakeTransport {
    fn poll(&mut self, records_max: usize, _wait: Duration) -> Result<Polled, PortError> {
        let calls = self.call(|calls| calls.polls += 1)?;
        let clock = self.clock.clone();
        clock.set(lapwing_pipeline::clock::Clock::wall_micros(&*clock) + POLL_MICROS);
        if let Some(polled) = self.waiting.pop_front() {
            return Ok(polled);
        }
        match self.script.happenings.remove(&calls.polls) {
            Some(happening) => self.happen(happening),
            None => Ok(self.records(records_max)),
        }
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        assert!(offset <= self.log.committed(partition).unwrap_or(0), "partition {partition} resumes at {offset}");
        *self.owned.get_mut(&partition).expect("only what was assigned is resumed") = Some(offset);
        Ok(())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        self.owned.retain(|partition, _| !partitions.contains(partition));
        Ok(())
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        let calls = self.call(|calls| calls.commits.push(calls.all))?;
        if self.script.failing_commits.contains(&calls.commits.len()) {
            return Err(self.restart());
        }
        let stranger = epoch.positions.iter().find(|(partition, _)| !self.owned.contains_key(partition));
        assert!(stranger.is_none(), "{stranger:?} is committed by a worker that does not own it");
        let positions = epoch.positions.clone();
        self.log.apply(epoch);
        if let Some(after_commit) = &mut self.script.after_commit {
            after_commit(&positions);
        }
        match self.script.death {
            Some(Death::After(call)) if call <= calls.all => self.die(),
            _ => Ok(()),
        }
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        let left = |(partition, next): (&Partition, &Option<Offset>)| {
            self.log.source[partition].len() as u64 - next.unwrap_or(0) as u64
        };
        Ok(Backlog { records: self.owned.iter().map(left).sum() })
    }
}
