use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};

use super::block::Step;
use super::cluster::Cluster;
use super::message::Message;

const MILLI: i64 = SECOND / 1_000;
/// Length of a full block. Units: bytes.
const FULL_BYTES: u32 = 1 << 26;
/// Copies of a block, unless more are wanted.
pub(crate) const REPLICAS: usize = 3;
/// Share of blocks that are full: of all but small files all but the last one is.
const FULL: f64 = 0.8;
/// Share of blocks that get one more copy, because many want to read them.
const COPIED: f64 = 0.03;
/// Share of blocks whose writer ends with a packet that holds nothing.
const EMPTY_PACKET: f64 = 0.01;
/// Share of blocks that are read, and the most reads: popularity is distributed as Zipf says, with this exponent.
const READ: f64 = 0.3;
const READS_MAX: f64 = 200.0;
const READS_EXPONENT: f64 = 1.8;
/// Share of reads whose reader leaves before the end, which the node takes for an error.
const READ_BROKEN: f64 = 0.1;
/// A block that is not deleted is read for so long.
const READ_MICROS: i64 = 3 * HOUR;
/// Share of copies that are verified in the hours to come.
const VERIFIED: f64 = 0.08;

/// The life of a block in the making: its steps in any order.
pub(crate) struct Life<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) birth: i64,
    /// Units: bytes.
    pub(crate) size: u32,
    /// Who writes it: mostly a task on the first node itself.
    writer: u16,
    /// The three nodes that it is written to, in the order in which they pass it on.
    pub(crate) line: [u16; REPLICAS],
    /// When its last byte is written.
    pub(crate) written_at: i64,
    /// When its file is deleted.
    pub(crate) deleted_at: Option<i64>,

    /// The nodes that hold it.
    pub(crate) holders: Vec<u16>,
    pub(crate) steps: Vec<Step>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(cluster: &'a Cluster, birth: i64, deleted_at: Option<i64>, rng: &'a mut ChaCha8Rng) -> Self {
        let size = if rng.random_bool(FULL) { FULL_BYTES } else { rng.random_range(1_000..FULL_BYTES) };
        let bytes_per_micro = rng.random_range(15.0..60.0);
        let written_at = birth + 120 * MILLI + (f64::from(size) / bytes_per_micro) as i64;
        let first = cluster.another(&[], rng);
        let second = cluster.another(&[first], rng);
        let third = cluster.another(&[first, second], rng);
        let writer = if rng.random_bool(0.8) { first } else { cluster.another(&[first], rng) };
        Self {
            cluster,
            rng,
            birth,
            size,
            writer,
            line: [first, second, third],
            written_at,
            deleted_at,
            holders: Vec::with_capacity(REPLICAS + 1),
            steps: Vec::with_capacity(40),
        }
    }

    /// The whole life of a block with which nothing is wrong.
    pub(crate) fn ordinary(&mut self) {
        self.write();
        self.live_on();
    }

    /// Allocated and stored three times.
    pub(crate) fn write(&mut self) {
        self.begin();
        for place in (0..REPLICAS).rev() {
            self.finish(place);
        }
    }

    /// What comes after writing: copies, reads, checks, deletion.
    pub(crate) fn live_on(&mut self) {
        if self.rng.random_bool(COPIED) {
            let asked_at = self.written_at + self.within(4 * SECOND, MINUTE);
            if self.deleted_at.is_none_or(|at| at > asked_at + MINUTE) {
                self.copy(asked_at);
            }
        }
        self.read();
        self.verify();
        self.delete();
    }

    /// A time between two lengths.
    pub(crate) fn within(&mut self, least: i64, most: i64) -> i64 {
        self.rng.random_range(least..most)
    }

    pub(crate) fn step(&mut self, at: i64, message: Message, node: u16, other: u16) {
        self.steps.push(Step { at, message, node, other, number: 0 });
    }

    pub(crate) fn step_with(&mut self, at: i64, message: Message, node: u16, number: u32) {
        self.steps.push(Step { at, message, node, other: node, number });
    }

    /// Allocated, and every node of the line expects it. Lines of different nodes are collected some milliseconds late,
    /// so it may look as if a block were received before it is allocated.
    pub(crate) fn begin(&mut self) {
        self.allocate();
        for place in 0..REPLICAS {
            self.receive(place);
        }
    }

    pub(crate) fn allocate(&mut self) {
        let at = self.birth + self.within(0, 80 * MILLI);
        self.step(at, Message::Allocated, self.line[0], self.writer);
    }

    pub(crate) fn receive(&mut self, place: usize) {
        let at = self.birth + 5 * MILLI * place as i64 + self.within(0, 60 * MILLI);
        self.step(at, Message::Receiving, self.line[place], self.upstream(place));
    }

    /// Whom the node at this place of the line gets the block from.
    pub(crate) fn upstream(&self, place: usize) -> u16 {
        if place == 0 { self.writer } else { self.line[place - 1] }
    }

    /// The node at this place has the whole block, and reports it. The last one is the first to know.
    pub(crate) fn finish(&mut self, place: usize) {
        let at = self.written_at + 8 * MILLI * (REPLICAS - place) as i64;
        if place == 0 && self.rng.random_bool(EMPTY_PACKET) {
            self.step(at, Message::EmptyPacket, self.line[0], self.writer);
        }
        let stored_at = self.respond(place, at);
        self.store(self.line[place], stored_at);
    }

    /// The responder of the node at this place says that all has come. Returns when the report goes out.
    pub(crate) fn respond(&mut self, place: usize, at: i64) -> i64 {
        let node = self.line[place];
        let ends_at = at + self.within(4 * MILLI, 30 * MILLI);
        self.step_with(ends_at, Message::Terminating, node, (REPLICAS - 1 - place) as u32);
        let received_at = ends_at + self.within(-4 * MILLI, 8 * MILLI);
        self.step(received_at, Message::Received, node, self.upstream(place));
        received_at + self.within(5 * MILLI, 400 * MILLI)
    }

    /// The node of names learns of a copy.
    pub(crate) fn store(&mut self, node: u16, at: i64) {
        self.step(at, Message::Stored, node, node);
        self.holders.push(node);
    }

    /// One more copy is asked for, made and stored.
    pub(crate) fn copy(&mut self, asked_at: i64) {
        let (from, to) = self.ask_for_copy(asked_at);
        let begun_at = asked_at + 2 * SECOND;
        self.finish_copy(begun_at + self.writing_micros(), (from, to));
    }

    /// A holder is asked to send a copy to another node, and begins. Returns both.
    pub(crate) fn ask_for_copy(&mut self, at: i64) -> (u16, u16) {
        let from = self.holders[0];
        let to = self.cluster.another(&[&self.holders[..], &self.line[..]].concat(), self.rng);
        self.step(at, Message::AskedToCopy, from, to);
        let begun_at = at + self.within(SECOND / 10, SECOND);
        self.step(begun_at, Message::TransferStarted, from, to);
        let received_at = begun_at + self.within(2 * MILLI, 60 * MILLI);
        self.step(received_at, Message::Receiving, to, from);
        (from, to)
    }

    /// The copy has arrived.
    pub(crate) fn finish_copy(&mut self, at: i64, (from, to): (u16, u16)) {
        self.step(at, Message::Transmitted, from, to);
        let received_at = at + self.within(0, 30 * MILLI);
        self.step(received_at, Message::Copied, to, from);
        let stored_at = received_at + self.within(5 * MILLI, 400 * MILLI);
        self.store(to, stored_at);
    }

    /// How long the block takes from one node to the other.
    pub(crate) fn writing_micros(&self) -> i64 {
        self.written_at - self.birth
    }

    fn read(&mut self) {
        if self.holders.is_empty() || !self.rng.random_bool(READ) {
            return;
        }
        let reads = Zipf::new(READS_MAX, READS_EXPONENT).expect("a number and an exponent above zero").sample(self.rng);
        let from = self.written_at + SECOND;
        let whole = self.deleted_at.unwrap_or(self.written_at + READ_MICROS) - from;
        for _ in 0..reads as u32 {
            // Most reads come soon: the next job waits for the file.
            let part = self.rng.random::<f64>().powi(3);
            let at = from + (part * whole.max(1) as f64) as i64;
            let place = self.rng.random_range(0..self.holders.len() as u32) as usize;
            let reader = self.cluster.another(&[], self.rng);
            let message = if self.rng.random_bool(READ_BROKEN) { Message::ServeFailed } else { Message::Served };
            self.step(at, message, self.holders[place], reader);
        }
    }

    fn verify(&mut self) {
        for place in 0..self.holders.len() {
            let at = self.written_at + self.within(MINUTE, 2 * HOUR);
            if self.rng.random_bool(VERIFIED) && self.deleted_at.is_none_or(|deleted_at| at < deleted_at) {
                self.step(at, Message::Verified, self.holders[place], self.holders[place]);
            }
        }
    }

    /// Deleted at all its holders, if its file is. Returns when the last one has done it.
    pub(crate) fn delete(&mut self) -> Option<i64> {
        let at = self.deleted_at?;
        (0..self.holders.len()).map(|place| self.delete_at(self.holders[place], at, Message::Deleted)).max()
    }

    /// The node is told with its next call, and does it within some seconds: how that ends is handed in. Returns when.
    pub(crate) fn delete_at(&mut self, node: u16, at: i64, ending: Message) -> i64 {
        let invalid_at = at + self.within(0, 40 * MILLI);
        self.step(invalid_at, Message::Invalidated, node, node);
        let asked_at = self.cluster.heartbeat(node, invalid_at + 1);
        self.step(asked_at, Message::AskedToDelete, node, node);
        let ends_at = asked_at + self.within(50 * MILLI, 4 * SECOND);
        self.step(ends_at, ending, node, node);
        ends_at
    }
}
