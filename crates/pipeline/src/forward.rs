//! Takes each record to the partition of its entity, through an internal topic, so that the tasks behind it see all
//! events of an entity in one order. It remembers nothing: where it stopped it goes on.
//!
//! **Joins.** The records of joined topics go into the same topic, each with the name of its join in a header. Where the
//! join compares the entity they go to the partition of their key; otherwise every partition gets them.
//!
//! **Order.** A backlog comes partition by partition, and an hour of one before the same hour of the next would be late
//! behind every watermark. So the partitions of all topics are merged by event time, joined records before events of the
//! same time: a record waits until each of the others has one to
//! compare it with, but not longer than [`HOLD_MICROS`](crate::forward::HOLD_MICROS), or a quiet partition would hold up all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::Array;
use lapwing_vocabulary::position::lane_parts;
use lapwing_vocabulary::{
    Epoch, Header, Offset, OutputRecord, Partition, Polled, PortError, Position, Records, Transport,
};

use crate::aggregate::text_column;
use crate::clock::Clock;
use crate::decode::{DecodeOptions, Decoder};
use crate::error::RunError;
use crate::join::{JoinPlan, STREAM_HEADER};
use crate::plan::Plan;
use crate::render::source_header;
use crate::status::{Status, add};

/// Longest wait in one poll, so that a stop is noticed.
const WAIT: Duration = Duration::from_millis(100);
/// Longest time that a record waits to be compared with those of other partitions. Units: microseconds.
pub const HOLD_MICROS: i64 = 100_000;
/// Most records that wait.
const HELD_MAX: usize = 100_000;

/// A record that waits for its turn.
struct Held {
    time: i64,
    offset: Offset,
    /// The record, once for each entity it is for: with all of them its offset is done.
    records: Vec<OutputRecord>,
    /// Whether every partition gets it.
    is_for_all: bool,
}

/// What a record that waits is: when it happened, and the entities it is for.
#[derive(Clone, Debug)]
struct Seen {
    time: i64,
    keys: Vec<Option<Vec<u8>>>,
}

/// How the records of one topic are read, as far as their place and order go.
struct Input {
    decoder: Decoder,
    key: String,
    /// The join they belong to; `None` is the source.
    join: Option<JoinPlan>,
    /// Whether every partition gets each.
    is_for_all: bool,
}

/// One worker of the repartitioning.
pub struct Forwarder<T> {
    transport: T,
    plan: Arc<Plan>,
    topic: Arc<str>,
    /// Partitions of `topic`.
    partitions: Partition,
    /// The source, then the joined topics, as the transport numbers them.
    inputs: Vec<Input>,
    status: Arc<Status>,
    clock: Arc<dyn Clock>,

    /// Records that wait, of every partition that is assigned.
    held: BTreeMap<Partition, VecDeque<Held>>,
    /// Since when none has had its turn.
    held_since: i64,
    /// What goes out with the next commit, and the partition it came from.
    outputs: Vec<(Partition, OutputRecord)>,
    /// First offset not yet forwarded of each partition that has moved since the last commit.
    positions: BTreeMap<Partition, Offset>,
    committed_at: i64,
}

impl<T: Transport> Forwarder<T> {
    /// Prepares to forward the topics that `transport` reads, the source and then those of the joins, to `topic`, which has
    /// so many partitions.
    pub fn new(
        transport: T,
        plan: &Arc<Plan>,
        (topic, partitions): (&str, Partition),
        status: Arc<Status>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RunError> {
        let sides = plan.joins.iter().map(|join| {
            let is_for_all = !join.settings.is_by_entity(&plan.settings.source.key);
            Input::new(&join.decode, Some(join.clone()), is_for_all)
        });
        let inputs = std::iter::once(Input::new(&plan.decode, None, false)).chain(sides).collect::<Result<_, _>>()?;
        let committed_at = clock.wall_micros();
        let (plan, topic) = (plan.clone(), topic.into());
        Ok(Self {
            transport,
            plan,
            topic,
            partitions,
            inputs,
            status,
            clock,
            held: BTreeMap::new(),
            held_since: committed_at,
            outputs: Vec::new(),
            positions: BTreeMap::new(),
            committed_at,
        })
    }

    /// Forwards until `stop` is set or the source ends; commits before it returns `Ok`.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), RunError> {
        loop {
            if stop.load(Ordering::Relaxed) {
                // What waits is read again by whoever goes on.
                return self.commit();
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => {
                    self.merge(true);
                    return self.commit();
                }
                Err(RunError::Port(PortError::Restart(why))) => {
                    tracing::warn!(why, "repartitioning starts again from its committed positions");
                    self.outputs.clear();
                    self.positions.clear();
                    self.held.clear();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One poll and what follows from it; `false` at the end of a finite source.
    fn step(&mut self) -> Result<bool, RunError> {
        let is_idle = match self.transport.poll(self.plan.settings.max_batch_events, WAIT)? {
            Polled::Records(records) => {
                self.hold(&records);
                false
            }
            Polled::Assigned(assignments) => {
                for assignment in assignments {
                    self.held.entry(assignment.partition).or_default();
                    let from = assignment.committed.unwrap_or(assignment.earliest).max(assignment.earliest);
                    self.transport.resume(assignment.partition, from)?;
                }
                false
            }
            Polled::Revoked(partitions) => {
                partitions.iter().for_each(|partition| _ = self.held.remove(partition));
                self.commit()?;
                self.transport.release(&partitions)?;
                false
            }
            Polled::Lost(partitions) => {
                self.lose(&partitions);
                false
            }
            Polled::Idle => true,
            Polled::End => return Ok(false),
        };
        self.merge(is_idle);
        let since = self.clock.wall_micros() - self.committed_at;
        if since < 0 || since >= self.plan.settings.commit_interval.as_micros() as i64 {
            self.commit()?;
        }
        Ok(true)
    }

    /// What was not committed of lost partitions is forwarded by whoever has them now.
    fn lose(&mut self, partitions: &[Partition]) {
        self.held.retain(|partition, _| !partitions.contains(partition));
        self.outputs.retain(|(partition, _)| !partitions.contains(partition));
        self.positions.retain(|partition, _| !partitions.contains(partition));
    }

    /// Takes records in, to wait for their turn.
    fn hold(&mut self, records: &Records) {
        let (at, partition) = lane_parts(records.partition());
        // A transport delivers nothing of topics that it was not told to read.
        let Some(input) = self.inputs.get_mut(at) else { return };
        let found = input.look_at(records);
        if self.held.values().all(VecDeque::is_empty) {
            self.held_since = self.clock.wall_micros();
        }
        let queue = self.held.entry(records.partition()).or_default();
        for (index, found) in found.into_iter().enumerate() {
            // A record that does not decode goes on without a key: the task that meets it sets it aside with its reason.
            let Seen { time, keys } = found.unwrap_or(Seen { time: i64::MIN, keys: vec![None] });
            let position = Position { partition, ..records.position(index) };
            let headers = input.headers(records.headers(index), &position);
            let is_for_all = input.is_for_all && keys.iter().all(Option::is_some);
            let record = |key| OutputRecord {
                topic: self.topic.clone(),
                partition: None,
                key,
                value: records.value(index).to_vec(),
                headers: headers.clone(),
                // The moment it was first appended: latencies and clocks in the future are judged by it.
                timestamp: records.timestamp(index),
            };
            let records_of = keys.into_iter().map(record).collect();
            queue.push_back(Held { time, offset: records.offset(index), records: records_of, is_for_all });
        }
    }

    /// Forwards what waits, oldest event first, as long as every partition has something to compare; with `all`, or when
    /// it has waited long enough, everything.
    fn merge(&mut self, all: bool) {
        let now = self.clock.wall_micros();
        let waited = now - self.held_since;
        let count: usize = self.held.values().map(VecDeque::len).sum();
        let all = all || !(0..HOLD_MICROS).contains(&waited) || count > HELD_MAX;
        let mut forwarded = 0;
        while all || self.held.values().all(|queue| !queue.is_empty()) {
            let front = |(partition, queue): (&Partition, &VecDeque<Held>)| {
                let is_event = lane_parts(*partition).0 == 0;
                Some((queue.front()?.time, is_event, *partition))
            };
            let Some((_, _, partition)) = self.held.iter().filter_map(front).min() else { break };
            let Some(held) = self.held.get_mut(&partition).and_then(VecDeque::pop_front) else { break };
            self.positions.insert(partition, held.offset + 1);
            match held.is_for_all {
                false => self.outputs.extend(held.records.into_iter().map(|record| (partition, record))),
                true => self.outputs.extend(held.records.iter().flat_map(|record| {
                    let copy = move |to| OutputRecord { partition: Some(to), ..record.clone() };
                    (0..self.partitions).map(move |to| (partition, copy(to)))
                })),
            }
            forwarded += 1;
        }
        if forwarded > 0 {
            self.held_since = now;
        }
        add(&self.status.repartitioned, forwarded);
    }

    fn commit(&mut self) -> Result<(), RunError> {
        self.committed_at = self.clock.wall_micros();
        if self.positions.is_empty() {
            return Ok(());
        }
        let outputs = std::mem::take(&mut self.outputs).into_iter().map(|(_, record)| record).collect();
        let positions = std::mem::take(&mut self.positions).into_iter().collect();
        Ok(self.transport.commit(Epoch { outputs, positions })?)
    }
}

impl Input {
    fn new(options: &DecodeOptions, join: Option<JoinPlan>, is_for_all: bool) -> Result<Self, RunError> {
        let mut options = options.clone();
        let wanted: Vec<String> = std::iter::once(options.key.clone()).chain(options.time.clone()).collect();
        options.schema = options.schema.narrowed(&wanted);
        let key = options.key.clone();
        let decoder = Decoder::new(options).map_err(|fault| RunError::Plan(vec![fault]))?;
        Ok(Self { decoder, key, join, is_for_all })
    }

    /// When each record happened, and whom it is for; `None` where it does not decode.
    fn look_at(&mut self, records: &Records) -> Vec<Option<Seen>> {
        let decoded = self.decoder.decode(records, 0..records.len());
        let keys = text_column(&decoded.events.rows, &self.key);
        let mut found: Vec<Option<Seen>> = vec![None; records.len()];
        for (row, index) in decoded.records.iter().enumerate() {
            let key = keys.is_valid(row).then(|| keys.value(row).as_bytes().to_vec());
            let time = decoded.events.times[row].0;
            found[*index as usize].get_or_insert_with(|| Seen { time, keys: Vec::new() }).keys.push(key);
        }
        for (index, found) in found.iter_mut().enumerate() {
            if self.join.as_ref().is_some_and(|join| join.is_deletion(records.value(index))) {
                let keys = vec![records.key(index).map(<[u8]>::to_vec)];
                *found = Some(Seen { time: records.timestamp(index), keys });
            }
        }
        found
    }

    /// The headers a record goes on with: its own, its place, and its stream, which only this may name.
    fn headers(&self, own: &[Header], position: &Position) -> Vec<Header> {
        let own = own.iter().filter(|header| header.name != STREAM_HEADER).cloned();
        let stream = self.join.iter().map(|join| {
            let value = join.settings.name.clone().into_bytes();
            Header { name: STREAM_HEADER.to_owned(), value }
        });
        own.chain([source_header(position)]).chain(stream).collect()
    }
}
