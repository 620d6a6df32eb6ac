//! Repeats of an event id, recognised within a horizon of event time.
//!
//! Ids are kept as 64-bit hashes, in generations. Time is the *progress* of event time: the newest event time seen in
//! the partition. Cut into quarters of the horizon, it numbers the generations; a new id goes into the newest one,
//! however old its event is, and a generation drops out whole once it lies more than four quarters back. No entry is
//! ever looked at to age it, so an event costs a search in about five sets, and nothing stalls.
//!
//! What holds, with the horizon rounded up to 4 µs:
//!
//! - A repeat that comes when event time has moved by at most the horizon since the original came is recognised,
//!   unless the bound on their number has forgotten the id.
//! - An id is forgotten before event time has moved by 5/4 of the horizon. A repeat does not renew it.
//! - The bound forgets the oldest generation first. A generation holds at most a quarter of `ids_max`, so the newest
//!   three quarters of `ids_max` ids are always remembered, as far as the horizon reaches. [`Dedup::forgotten`] counts
//!   what the bound took too early.
//! - A new id is taken for a repeat if its hash equals one of the n that are remembered: chance n / 2⁶⁴, or 5 in 10¹³
//!   at ten million ids. The hash has a fixed seed, for replay to repeat it; who chooses ids on purpose can make
//!   them collide, and thereby hide an event of their own.
//!
//! An event far in the future moves event time as any other does, and so empties the memory. Refuse it before.

mod hashes;

use foldhash::quality::FixedState;
use hashes::Hashes;
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::stored::{Malformed, Reader};
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// Version of [`Dedup::encode`].
pub const DEDUP_VERSION: u8 = 1;
/// Any fixed number, for runs to be alike.
const SEED: u64 = 0x6c61_7077_696e_6722;
/// Generations to a horizon. More would remember less beyond the horizon, and search in more sets.
const GENERATIONS: i64 = 4;

/// The ids of a partition's recent events, and whether one comes again. A pure fold of the events.
#[derive(Clone, Debug)]
pub struct Dedup {
    /// A quarter of the horizon.
    span_micros: i64,
    ids_max: usize,

    newest: Option<EventTime>,
    /// Oldest first; none of them empty.
    generations: VecDeque<Generation>,

    forgotten: u64,
    repeats: u64,
}

#[derive(Clone, Debug)]
struct Generation {
    /// The newest event time when it was begun, in spans. Two of one number follow each other if the first was full.
    number: i64,
    hashes: Hashes,
}

impl Dedup {
    /// Remembers nothing yet. A horizon below 1 µs counts as 1 µs, and fewer than 4 ids count as 4.
    pub fn new(horizon_micros: i64, ids_max: usize) -> Self {
        let span_micros = (horizon_micros.max(1) - 1) / GENERATIONS + 1;
        let ids_max = ids_max.max(GENERATIONS as usize);
        Self { span_micros, ids_max, newest: None, generations: VecDeque::new(), forgotten: 0, repeats: 0 }
    }

    /// Whether an event with this id has been here before, within the horizon; if not, it is remembered.
    #[inline]
    pub fn is_repeat(&mut self, id: &[u8], time: EventTime) -> bool {
        self.is_repeat_hash(hash_of(id), time)
    }

    /// The same for an id whose hash, by [`hash_of`], is at hand.
    #[inline]
    pub fn is_repeat_hash(&mut self, hash: u64, time: EventTime) -> bool {
        self.advance(time);
        if self.generations.iter().rev().any(|generation| generation.hashes.contains(hash)) {
            self.repeats += 1;
            return true;
        }
        self.make_room();
        let newest = self.generations.back_mut().expect("`make_room` has seen to a generation");
        newest.hashes.insert(hash);
        false
    }

    /// Moves event time without an id: for events that have none, and for ticks of an idle partition.
    #[inline]
    pub fn advance(&mut self, time: EventTime) {
        if self.newest.is_some_and(|newest| time <= newest) {
            return;
        }
        self.newest = Some(time);
        let oldest = self.number_of(time).saturating_sub(GENERATIONS);
        while self.generations.front().is_some_and(|generation| generation.number < oldest) {
            self.generations.pop_front();
        }
    }

    /// Sees to it that the newest generation belongs to now and takes one id more, and that the bound is kept.
    fn make_room(&mut self) {
        if self.len() >= self.ids_max
            && let Some(oldest) = self.generations.pop_front()
        {
            self.forgotten += oldest.hashes.len() as u64;
        }
        let now = self.number_of(self.newest.unwrap_or_default());
        let ids_max = self.generation_ids_max();
        match self.generations.back() {
            Some(newest) if newest.number == now && newest.hashes.len() < ids_max => {}
            before => {
                // About as many ids as last time: in an even stream nothing ever has to grow.
                let expected = before.map_or(0, |before| before.hashes.len() + before.hashes.len() / 16);
                let hashes = Hashes::with_room_for(expected.min(ids_max));
                self.generations.push_back(Generation { number: now, hashes });
            }
        }
    }

    #[inline]
    fn number_of(&self, time: EventTime) -> i64 {
        time.0.div_euclid(self.span_micros)
    }

    fn generation_ids_max(&self) -> usize {
        self.ids_max / GENERATIONS as usize
    }

    /// Number of ids remembered.
    pub fn len(&self) -> usize {
        self.generations.iter().map(|generation| generation.hashes.len()).sum()
    }

    /// Whether no id is remembered.
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    /// Memory reserved for ids, used or not. Units: bytes; 10 to 16 per id in an even stream, once a horizon has passed.
    pub fn memory_bytes(&self) -> usize {
        let hashes: usize = self.generations.iter().map(|generation| generation.hashes.memory_bytes()).sum();
        hashes + self.generations.capacity() * size_of::<Generation>()
    }

    /// Number of ids that the bound took before the horizon had passed. If it grows, repeats go unrecognised: allow
    /// more ids, or a shorter horizon.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Number of repeats recognised so far.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// The horizon, rounded up to a multiple of 4. Units: microseconds.
    pub fn horizon_micros(&self) -> i64 {
        self.span_micros.saturating_mul(GENERATIONS)
    }

    /// The most ids remembered at once.
    pub fn ids_max(&self) -> usize {
        self.ids_max
    }

    /// Appends the memory to `out`, the same bytes for the same events. All numbers are little-endian.
    ///
    /// ```text
    /// version            u8    1
    /// hash               u64   what the hash makes of some fixed bytes: ids hashed in another way say nothing
    /// span               i64   microseconds; the horizon has four
    /// most ids           u64
    /// ids forgotten      u64
    /// repeats            u64
    /// any event yet      u8    0 or 1
    /// newest event time  i64   0 if none
    /// generations        u64
    /// each generation, oldest first:
    ///   number           i64   newest event time when it was begun, in spans
    ///   ids              u64   at least 1
    ///   hashes           u64 each, ascending, none 0
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.len() * 8 + self.generations.len() * 16 + 64);
        out.push(DEDUP_VERSION);
        out.extend_from_slice(&hash_mark().to_le_bytes());
        out.extend_from_slice(&self.span_micros.to_le_bytes());
        out.extend_from_slice(&(self.ids_max as u64).to_le_bytes());
        out.extend_from_slice(&self.forgotten.to_le_bytes());
        out.extend_from_slice(&self.repeats.to_le_bytes());
        out.push(u8::from(self.newest.is_some()));
        out.extend_from_slice(&self.newest.unwrap_or_default().0.to_le_bytes());
        out.extend_from_slice(&(self.generations.len() as u64).to_le_bytes());
        for generation in &self.generations {
            out.extend_from_slice(&generation.number.to_le_bytes());
            out.extend_from_slice(&(generation.hashes.len() as u64).to_le_bytes());
            generation.hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
        }
    }

    /// Reads what [`Dedup::encode`] has written, with its horizon and its bound. Takes memory in proportion to `bytes`.
    /// Errors: anything that `encode` could not have written, and ids that were hashed in another way.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("the event ids", bytes);
        reader.version(DEDUP_VERSION)?;
        if reader.u64()? != hash_mark() {
            return Err(reader.fault("its ids were hashed in another way"));
        }
        let mut dedup = read_limits(&mut reader)?;
        dedup.forgotten = reader.u64()?;
        dedup.repeats = reader.u64()?;
        dedup.newest = read_newest(&mut reader)?;
        for _ in 0..reader.u64()? {
            let generation = Generation { number: reader.i64()?, hashes: read_hashes(&mut reader)? };
            dedup.check(&generation).map_err(|fault| reader.fault(fault))?;
            dedup.generations.push_back(generation);
        }
        reader.end()?;
        Ok(dedup)
    }

    /// Whether a generation that was read may follow those before it.
    fn check(&self, next: &Generation) -> Result<(), &'static str> {
        let Some(newest) = self.newest else { return Err("ids without an event") };
        let now = self.number_of(newest);
        if next.number > now || next.number < now.saturating_sub(GENERATIONS) {
            return Err("a generation outside the horizon");
        }
        if next.hashes.len() > self.generation_ids_max() || self.len() + next.hashes.len() > self.ids_max {
            return Err("more ids than are allowed");
        }
        match self.generations.back() {
            Some(last) if last.number > next.number => Err("the generations are not in order"),
            Some(last) if last.number == next.number && last.hashes.len() < self.generation_ids_max() => {
                Err("a generation is there twice")
            }
            _ => Ok(()),
        }
    }
}

/// The hash by which an id is remembered.
#[inline]
pub fn hash_of(id: &[u8]) -> u64 {
    FixedState::with_seed(SEED).hash_one(id)
}

/// Tells one way of hashing from another: the library may change its own between versions and machines. It takes
/// other paths for short, middling and long texts.
fn hash_mark() -> u64 {
    let text = [b'i'; 400];
    [3, 12, 40, 400].iter().fold(0, |mark, length| hash_of(&text[..*length]) ^ u64::rotate_left(mark, 7))
}

fn read_limits(reader: &mut Reader<'_>) -> Result<Dedup, Malformed> {
    let (span_micros, ids_max) = (reader.i64()?, reader.u64()?);
    let ids_max = usize::try_from(ids_max).map_err(|_| reader.fault("more ids than this machine can count"))?;
    if !(1..=i64::MAX / GENERATIONS + 1).contains(&span_micros) || ids_max < GENERATIONS as usize {
        return Err(reader.fault("a horizon or a bound that cannot be"));
    }
    let mut dedup = Dedup::new(1, ids_max);
    dedup.span_micros = span_micros;
    Ok(dedup)
}

fn read_newest(reader: &mut Reader<'_>) -> Result<Option<EventTime>, Malformed> {
    match (reader.u8()?, reader.i64()?) {
        (0, 0) => Ok(None),
        (1, time) => Ok(Some(EventTime(time))),
        _ => Err(reader.fault("a newest event time that cannot be")),
    }
}

fn read_hashes(reader: &mut Reader<'_>) -> Result<Hashes, Malformed> {
    let count = reader.u64()?;
    let bytes = reader.take(count.saturating_mul(8))?;
    let hash = |chunk: &[u8]| u64::from_le_bytes(chunk.try_into().expect("chunks of eight bytes"));
    let hashes = bytes.chunks_exact(8).map(hash);
    if count == 0 || hashes.clone().next() == Some(0) {
        return Err(reader.fault("an empty generation, or a hash 0"));
    }
    if hashes.clone().zip(hashes.clone().skip(1)).any(|(one, next)| one >= next) {
        return Err(reader.fault("the hashes are not in order"));
    }
    Ok(Hashes::from_ascending(hashes))
}
