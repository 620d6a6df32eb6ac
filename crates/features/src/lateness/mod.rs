//! How late events come, in figures from which a watermark can be chosen.
//!
//! Two quantities of each event. Its *disorder*, by how much event time had gone past it when it came, decides
//! whether it is late: it is late if the disorder exceeds the lateness allowed. Its *delay*, by how much its arrival
//! came after it, is what a person notices. Both are counted into buckets whose bounds are the lengths of time that
//! people write into a pipeline file, `30s`, `1m`, `90s`; so for each of those the number of late events is exact.

mod advice;

pub use advice::{Advice, Quantiles, Suggestion, advise};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::stored::{Malformed, Reader};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};

/// Version of [`Lateness::encode`], and of the bounds.
pub const LATENESS_VERSION: u8 = 1;
/// Buckets of a quantity, besides the values at or below 0.
pub const BUCKETS: usize = 64;

/// Largest value of each bucket, itself included; the last takes all the rest. Neighbours are apart by a quarter to a
/// half of the smaller one where watermarks are chosen, by up to three quarters elsewhere, and by 1 to 2 at the start.
/// Units: microseconds.
pub const BOUNDS: [i64; BUCKETS] = {
    let groups: [(i64, &[i64]); 5] = [
        (1_000, &[1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700]),
        (SECOND, &[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90]),
        (MINUTE, &[2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90]),
        (HOUR, &[2, 3, 4, 6, 8, 12, 18, 24]),
        (DAY, &[2, 3, 5, 7, 10, 14, 20, 30]),
    ];
    let (mut bounds, mut bucket, mut group) = ([i64::MAX; BUCKETS], 0, 0);
    while group < groups.len() {
        let (unit, numbers) = groups[group];
        let mut number = 0;
        while number < numbers.len() {
            bounds[bucket] = unit * numbers[number];
            (bucket, number) = (bucket + 1, number + 1);
        }
        group += 1;
    }
    assert!(bucket == BUCKETS - 1, "one bucket is left for all that is longer");
    bounds
};

/// For each number of leading zeros the bucket of the smallest value that has as many: a search starts there and goes
/// on by two buckets or three.
const FIRST_BUCKET: [u8; 65] = {
    let (mut first, mut zeros) = ([0; 65], 0);
    while zeros < 64 {
        let smallest = 1_u64 << (63 - zeros);
        let mut bucket = 0;
        while (BOUNDS[bucket] as u64) < smallest && bucket < BUCKETS - 1 {
            bucket += 1;
        }
        first[zeros] = bucket as u8;
        zeros += 1;
    }
    first
};

/// The bucket of a value above 0.
#[inline]
fn bucket_of(micros: i64) -> usize {
    let mut bucket = usize::from(FIRST_BUCKET[micros.leading_zeros() as usize]) & (BUCKETS - 1);
    while BOUNDS[bucket] < micros {
        bucket += 1;
    }
    bucket
}

/// One quantity: how many values lie in each bucket, and the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    ahead: u64,
    counts: [u64; BUCKETS],
    max_micros: i64,
}

impl Spread {
    const fn new() -> Self {
        Self { ahead: 0, counts: [0; BUCKETS], max_micros: 0 }
    }

    #[inline]
    fn observe(&mut self, micros: i64) {
        if micros <= 0 {
            self.ahead += 1;
            return;
        }
        self.counts[bucket_of(micros)] += 1;
        self.max_micros = self.max_micros.max(micros);
    }

    /// Number of values.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(self.ahead, |total, count| total.saturating_add(*count))
    }

    /// Number of values at or below 0: in order, or at or ahead of their arrival.
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Number of values in each bucket of [`BOUNDS`].
    pub fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// The largest value; 0 if none is above. Units: microseconds.
    pub fn max_micros(&self) -> i64 {
        self.max_micros
    }

    /// A value that the given share of all values does not exceed: the bound of its bucket, or the largest value if
    /// that is less. 0 if there is none.
    /// Units: `parts` of a million; microseconds.
    pub fn quantile(&self, parts: u32) -> i64 {
        let (total, parts) = (u128::from(self.total()), u128::from(parts.min(1_000_000)));
        let rank = (total * parts).div_ceil(1_000_000).max(1);
        let mut below = u128::from(self.ahead);
        if below >= rank {
            return 0;
        }
        for (count, bound) in self.counts.iter().zip(BOUNDS) {
            below += u128::from(*count);
            if below >= rank {
                return bound.min(self.max_micros);
            }
        }
        self.max_micros
    }

    /// Number of values above a limit, and whether it is exact: it is for the bounds and for what no value exceeds.
    /// Else it is the most it can be, with the whole bucket of the limit.
    pub fn above(&self, limit_micros: i64) -> (u64, bool) {
        if limit_micros >= self.max_micros {
            return (0, true);
        }
        if limit_micros <= 0 {
            return (self.total() - self.ahead, true);
        }
        let bucket = bucket_of(limit_micros);
        let at_bound = BOUNDS[bucket] == limit_micros;
        let above = &self.counts[bucket + usize::from(at_bound)..];
        let above = above.iter().fold(0_u64, |above, count| above.saturating_add(*count));
        (above, at_bound || self.counts[bucket] == 0)
    }

    fn merge(&mut self, other: &Self) {
        self.ahead = self.ahead.saturating_add(other.ahead);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.max_micros = self.max_micros.max(other.max_micros);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ahead.to_le_bytes());
        self.counts.iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
        out.extend_from_slice(&self.max_micros.to_le_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut spread = Self { ahead: reader.u64()?, ..Self::new() };
        for count in &mut spread.counts {
            *count = reader.u64()?;
        }
        spread.max_micros = reader.i64()?;
        let fullest = spread.counts.iter().rposition(|count| *count != 0);
        let expected = (spread.max_micros > 0).then(|| bucket_of(spread.max_micros));
        if spread.max_micros < 0 || fullest != expected {
            return Err(reader.fault("the largest value is not in the last bucket that has any"));
        }
        Ok(spread)
    }
}

/// Disorder and delay of all events so far, of one partition or, merged, of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    disorder: Spread,
    delay: Spread,
}

impl Default for Lateness {
    fn default() -> Self {
        Self::new()
    }
}

impl Lateness {
    /// No events yet.
    pub const fn new() -> Self {
        Self { disorder: Spread::new(), delay: Spread::new() }
    }

    /// Counts an event: its disorder ([`disorder_micros`]), and its arrival less its event time. The arrival is that
    /// which the record bears, for replay to count the same.
    /// Units: microseconds.
    #[inline]
    pub fn observe(&mut self, disorder_micros: i64, delay_micros: i64) {
        self.disorder.observe(disorder_micros);
        self.delay.observe(delay_micros);
    }

    /// Adds the events of another partition. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.disorder.merge(&other.disorder);
        self.delay.merge(&other.delay);
    }

    /// Number of events.
    pub fn events(&self) -> u64 {
        self.disorder.total()
    }

    /// By how much event time had gone past events when they came.
    pub fn disorder(&self) -> &Spread {
        &self.disorder
    }

    /// By how much events came after they happened.
    pub fn delay(&self) -> &Spread {
        &self.delay
    }

    /// Appends the counts to `out`: 1057 bytes, the same for the same events. All numbers are little-endian.
    ///
    /// ```text
    /// version          u8          1
    /// disorder, then delay:
    ///   at or below 0  u64
    ///   buckets        u64 × 64    in the order of `BOUNDS`
    ///   largest value  i64         microseconds, 0 if none is above
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(LATENESS_VERSION);
        self.disorder.encode(out);
        self.delay.encode(out);
    }

    /// Reads what [`Lateness::encode`] has written. Errors: anything that it could not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("the lateness of events", bytes);
        reader.version(LATENESS_VERSION)?;
        let lateness = Self { disorder: Spread::read(&mut reader)?, delay: Spread::read(&mut reader)? };
        reader.end()?;
        if lateness.disorder.total() != lateness.delay.total() {
            return Err(reader.fault("not as many delays as disorders"));
        }
        Ok(lateness)
    }
}

/// By how much event time had gone past an event when it came: 0 for the newest, and for the first.
/// `max_seen` is the newest event time before it. Units: microseconds.
#[inline]
pub fn disorder_micros(max_seen: Option<EventTime>, time: EventTime) -> i64 {
    max_seen.map_or(0, |seen| seen.0.saturating_sub(time.0).max(0))
}
