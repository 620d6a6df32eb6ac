//! How rarely a column, or another feature, lies so far from what is usual for the entity: −log₂ of the share of its past
//! deviations at least as large, in bits. Every entity has its own tail: a host that is wild by nature is not surprising
//! when it is wild.
//!
//! **Deviation.** |z| by a baseline, with a season or without; either way counts.
//!
//! **Tail.** Deviations are counted in [`BUCKETS`] buckets whose bounds grow by [`RATIO`], with weights that decay as
//! those of [`rarity`](super::rarity) do. Where enough lie above, the share is counted: (above + 1) / (all + 1), evenly within
//! a bucket. Beyond the top [`TAIL_SHARE`] (at least [`TAIL_WEIGHT_MIN`] values) it is exponential with the mean excess of
//! that top, as extreme-value theory has it for distributions without heavy tails; so what was never seen is still ranked.
//! Source: Pickands 1975; Siffer, Fouque, Termier, Largouët 2017, "Anomaly detection in streams with extreme value
//! theory", with the shape fixed at 0, because a shape wants more values than an entity has.
//!
//! ```text
//! entity  baseline | landmark (NaN: nothing yet) | newest event time | total | 20 words of two counts
//! group   baseline
//! ```
//! Null values change nothing. Nothing is surprising (0) until something is known.

use super::packing::{pack, unpack};
use super::rarity::{LANDMARK_AGE_MAX, scale};
use super::seasonal::Seasonal;
use crate::accumulator::usable;
use crate::baseline::{BASELINE_WORDS, Baseline, KNOWN_WEIGHT};
use crate::behind::Behind;
use crate::decay::decay;

const BUCKETS: usize = 40;
const HEAD: usize = 3;
/// Deviations below it are one bucket.
const LEAST: f64 = 0.05;
/// From one bound to the next: 39 of them reach beyond 50, the largest deviation there is.
const RATIO: f64 = 1.2;
/// Share of the deviations, from the top, from which the exponential tail is estimated.
const TAIL_SHARE: f64 = 0.02;
/// Fewest deviations from which it is estimated.
const TAIL_WEIGHT_MIN: f64 = 10.0;
/// The most bits: a chance of 10⁻²².
pub const SURPRISE_MAX: f64 = 72.0;

/// Bits of surprise of a column's value, or of a feature.
#[derive(Clone, Debug)]
pub(crate) struct Surprise {
    pub(crate) input: usize,
    pub(crate) usual: UsualBy,
    /// Time constant.
    pub(crate) length_micros: i64,
    pub(crate) outputs: Vec<usize>,
}

/// What deviations are measured from.
#[derive(Clone, Debug)]
pub(crate) enum UsualBy {
    Baseline(Baseline),
    Season(Seasonal),
}

impl UsualBy {
    fn words(&self) -> usize {
        match self {
            Self::Baseline(_) => BASELINE_WORDS,
            Self::Season(seasonal) => seasonal.entity_words(),
        }
    }
}

impl Surprise {
    pub(crate) fn entity_words(&self) -> usize {
        self.usual.words() + HEAD + BUCKETS / 2
    }

    pub(crate) fn group_words(&self) -> usize {
        BASELINE_WORDS
    }

    pub(crate) fn clear(&self, own: &mut [f64], group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
        own[self.usual.words()] = f64::NAN;
        group[..BASELINE_WORDS].fill(0.0);
    }

    /// Judges the event's value by the past, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = inputs[self.input];
        let bits = if usable(value) { self.judge_and_take(own, group, time, value) } else { f64::NAN };
        for output in &self.outputs {
            out[*output] = bits;
        }
    }

    /// What stands behind it: what deviations are measured from, and the weight of those counted.
    pub(crate) fn behind(&self, own: &[f64], group: Option<&[f64]>, now: i64) -> Behind {
        let (usual, tail) = own.split_at(self.usual.words());
        let behind = match &self.usual {
            UsualBy::Baseline(baseline) => baseline.behind(usual, group, now),
            UsualBy::Season(seasonal) => seasonal.behind(usual, group, now),
        };
        let age = ((now as f64).max(tail[1]) - tail[0]) / self.length_micros as f64;
        let counted = if tail[0].is_nan() { 0.0 } else { tail[2] * decay(age) };
        Behind { samples: Some(counted), ..behind }
    }

    fn judge_and_take(&self, own: &mut [f64], group: &mut [f64], time: i64, value: f64) -> f64 {
        let (usual, tail) = own.split_at_mut(self.usual.words());
        let known = group[0] >= KNOWN_WEIGHT;
        let z = match &self.usual {
            UsualBy::Baseline(baseline) => baseline.judge_and_take(usual, None, group, time as f64, value),
            UsualBy::Season(seasonal) => seasonal.judge_and_take(usual, group, time, value),
        };
        if known { self.rank_and_count(tail, time as f64, z.abs()) } else { 0.0 }
    }

    fn rank_and_count(&self, words: &mut [f64], time: f64, deviation: f64) -> f64 {
        let length = self.length_micros as f64;
        let (head, counts) = words.split_at_mut(HEAD);
        let [landmark, newest, total] = head.first_chunk_mut().expect("the head has three words");
        if landmark.is_nan() {
            (*landmark, *newest) = (time, time);
        }
        *newest = newest.max(time);
        if (*newest - *landmark) / length > LANDMARK_AGE_MAX {
            *total = scale(counts, decay((*newest - *landmark) / length));
            *landmark = *newest;
        }
        let now = decay((*newest - *landmark) / length);
        let bucket = bucket_of(deviation);
        let bits = bits_of(counts, now, *total * now, bucket, deviation);
        let count = count_of(counts, bucket);
        // decay(x) is e^−x, and 1 / now is e^x: the weight of an event at the newest time.
        put_count(counts, bucket, count + decay((*newest - time) / length) / now);
        // What the count has really grown by, so that the total stays that of the counts.
        *total += count_of(counts, bucket) - count;
        bits
    }
}

/// −log₂ of the share of deviations at least as large.
fn bits_of(counts: &[f64], now: f64, total: f64, bucket: usize, deviation: f64) -> f64 {
    let count = |bucket: usize| count_of(counts, bucket) * now;
    let (low, high) = (bound(bucket), bound(bucket + 1));
    let within = if deviation < high { (high - deviation) / (high - low) } else { 0.0 };
    let above = (bucket + 1..BUCKETS).map(count).sum::<f64>() + count(bucket) * within;
    let top_wanted = TAIL_WEIGHT_MIN.max(TAIL_SHARE * total);
    if above >= top_wanted {
        return -libm::log2((above + 1.0) / (total + 1.0));
    }
    let (mut top, mut start) = (0.0, BUCKETS);
    while start > 0 && top < top_wanted {
        start -= 1;
        top += count(start);
    }
    if top <= 0.0 {
        return 0.0;
    }
    let from = bound(start);
    let excess = (start..BUCKETS).map(|at| count(at) * (f64::midpoint(bound(at), bound(at + 1)) - from)).sum::<f64>();
    // A top that is one bucket says no more of the excess than that it is less than the bucket.
    let mean_excess = (excess / top).max(LEAST * from).max(LEAST);
    let beyond = (deviation - from).max(0.0) / mean_excess;
    let bits = beyond * std::f64::consts::LOG2_E - libm::log2((top + 1.0).min(total + 1.0) / (total + 1.0));
    bits.min(SURPRISE_MAX)
}

/// Least deviation of a bucket.
fn bound(bucket: usize) -> f64 {
    match bucket {
        0 => 0.0,
        _ => BOUNDS[bucket - 1],
    }
}

/// Multiplied up one by one, so that they are the same bits everywhere.
const BOUNDS: [f64; BUCKETS] = {
    let mut bounds = [LEAST; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        bounds[at] = bounds[at - 1] * RATIO;
        at += 1;
    }
    bounds
};

fn bucket_of(deviation: f64) -> usize {
    BOUNDS[..BUCKETS - 1].partition_point(|bound| *bound <= deviation)
}

fn count_of(counts: &[f64], bucket: usize) -> f64 {
    let (even, odd) = unpack(counts[bucket / 2]);
    if bucket.is_multiple_of(2) { even } else { odd }
}

fn put_count(counts: &mut [f64], bucket: usize, count: f64) {
    let (even, odd) = unpack(counts[bucket / 2]);
    counts[bucket / 2] = if bucket.is_multiple_of(2) { pack(count, odd) } else { pack(even, count) };
}

#[cfg(test)]
#[path = "surprise_tests.rs"]
mod tests;
