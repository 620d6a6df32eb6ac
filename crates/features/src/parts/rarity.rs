//! How surprising a value is, given what the entity has had: −log₂ of its share, in bits.
//!
//! **Counts.** Values are spread over [`BUCKETS`] buckets by hash. A count decays, its weight falling to 1/e per time
//! constant; rather than touching all counts at every event, new events weigh more and more: e^((time − landmark) /
//! constant). When that grows beyond e^30 the counts are scaled down and the landmark moves, once per thirty constants.
//!
//! **Share.** (count + 1) / (total + 64), Laplace's rule, before the event is taken in. With nothing known that is 1/64,
//! 6 bits; a value never seen among n events has log₂(n + 64) bits. A value that shares its bucket with a frequent one
//! looks as frequent: of d frequent values, a rare one does so with a chance of 1 − (63/64)^d. With many more than 64
//! values the buckets even out and this feature says little.
//!
//! An event older than the newest is judged as of the newest and taken with the weight it would have by now. A count
//! is a single-precision number: one bucket with more than 16 million events per constant grows no further, and the
//! total with it.
//!
//! ```text
//! entity  landmark (NaN: nothing yet) | newest event time | total | 32 words of two counts
//! ```

use super::packing::{pack, unpack};
use crate::accumulator::usable;
use crate::behind::Behind;
use crate::decay::decay;
use crate::hash::spread;

const BUCKETS: usize = 64;
const HEAD: usize = 3;
/// Time constants after which the landmark moves: e^30 times the largest count is far from the end of the range.
pub(super) const LANDMARK_AGE_MAX: f64 = 30.0;

/// Bits of surprise of a column's value.
#[derive(Clone, Debug)]
pub(crate) struct Rarity {
    pub(crate) input: usize,
    /// Time constant of the decay.
    pub(crate) length_micros: i64,
    pub(crate) outputs: Vec<usize>,
}

impl Rarity {
    pub(crate) fn entity_words(&self) -> usize {
        HEAD + BUCKETS / 2
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
        own[0] = f64::NAN;
    }

    /// What stands behind it: the weight of the values counted.
    pub(crate) fn behind(&self, own: &[f64], now: i64) -> Behind {
        let age = (now as f64).max(own[1]) - own[0];
        let samples = if own[0].is_nan() { 0.0 } else { own[2] * decay(age / self.length_micros as f64) };
        let newest = if own[0].is_nan() { f64::NAN } else { own[1] };
        Behind::past(newest, samples, 0.0)
    }

    /// Judges the event's value by the past, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = inputs[self.input];
        let bits = if usable(value) { self.judge_and_take(own, time as f64, value) } else { f64::NAN };
        for output in &self.outputs {
            out[*output] = bits;
        }
    }

    #[inline]
    fn judge_and_take(&self, own: &mut [f64], time: f64, value: f64) -> f64 {
        let length = self.length_micros as f64;
        let (head, counts) = own.split_at_mut(HEAD);
        let [landmark, newest, total] = head.first_chunk_mut().expect("the head has three words");
        if landmark.is_nan() {
            (*landmark, *newest) = (time, time);
        }
        *newest = newest.max(time);
        if (*newest - *landmark) / length > LANDMARK_AGE_MAX {
            *total = scale(&mut counts[..BUCKETS / 2], decay((*newest - *landmark) / length));
            *landmark = *newest;
        }
        let bucket = (spread(value) % BUCKETS as u64) as usize;
        let is_even = bucket & 1 == 0;
        let (even, odd) = unpack(counts[bucket / 2]);
        let (count, other) = if is_even { (even, odd) } else { (odd, even) };
        let now = decay((*newest - *landmark) / length);
        let share = (count * now + 1.0) / (*total * now + BUCKETS as f64);
        // decay(x) is e^−x, and 1 / now is e^x: the weight of an event at the newest time.
        let weight = decay((*newest - time) / length) / now;
        counts[bucket / 2] = if is_even { pack(count + weight, other) } else { pack(other, count + weight) };
        let (even, odd) = unpack(counts[bucket / 2]);
        // What the count has really grown by, so that the total stays that of the counts.
        *total += (if is_even { even } else { odd }) - count;
        -libm::log2(share)
    }
}

/// Scales all counts and returns their sum.
pub(super) fn scale(counts: &mut [f64], factor: f64) -> f64 {
    let mut total = 0.0;
    for word in counts {
        let (even, odd) = unpack(*word);
        *word = pack(even * factor, odd * factor);
        let (even, odd) = unpack(*word);
        total += even + odd;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, near, wild};
    use super::*;
    use proptest::prelude::*;

    fn part(length_micros: i64) -> Rarity {
        Rarity { input: 0, length_micros, outputs: vec![0] }
    }

    #[test]
    fn a_value_is_as_rare_as_its_share() {
        let part = part(i64::MAX);
        let mut driver = driver!(part, 1);
        assert_eq!(driver.fold(0, &[1.0]), [6.0]);
        (0..9_999).for_each(|time| drop(driver.fold(time, &[if time % 4 == 0 { 2.0 } else { 1.0 }])));
        assert!(near(driver.fold(10_000, &[2.0])[0], 2.0, 0.01));
        assert!(near(driver.fold(10_000, &[1.0])[0], 0.42, 0.01));
        assert!(near(driver.fold(10_000, &[5.0])[0], 13.3, 0.01));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let part = part(1000);
        let mut driver = driver!(part, 1);
        (0..5000).for_each(|time| drop(driver.fold(time, &[1.0])));
        (5000..15_000).for_each(|time| drop(driver.fold(time, &[2.0])));
        assert!(driver.fold(15_000, &[1.0])[0] > 9.0);
        assert_eq!(driver.fold(100_000_000, &[1.0]), [6.0]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(
            length in 5..2000_i64,
            events in events((0..9_i32).prop_map(f64::from), 120, 12),
        ) {
            let part = part(length);
            let mut driver = driver!(part, 1);
            let mut taken: Vec<(i64, usize)> = Vec::new();
            let mut newest = i64::MIN;
            for (time, value) in events {
                let out = driver.fold(time, &[value])[0];
                if value.is_nan() {
                    prop_assert!(out.is_nan());
                    continue;
                }
                newest = newest.max(time);
                let bucket = (spread(value) % 64) as usize;
                let weight = |time: i64| (-((newest - time) as f64) / length as f64).exp();
                let total: f64 = taken.iter().map(|(time, _)| weight(*time)).sum();
                let count: f64 = taken.iter().filter(|(_, b)| *b == bucket).map(|(time, _)| weight(*time)).sum();
                let expected = -((count + 1.0) / (total + 64.0)).log2();
                prop_assert!(near(out, expected, 1e-4), "{out} {expected}");
                taken.push((time, bucket));
            }
        }

        #[test]
        fn bits_are_never_negative_nor_infinite(length in 1..i64::MAX, events in wild()) {
            let part = part(length);
            let mut driver = driver!(part, 1);
            for (time, value, _) in events {
                let out = driver.fold(time, &[value % 4.0])[0];
                prop_assert_eq!(out.is_nan(), !value.is_finite());
                prop_assert!(out.is_nan() || (0.0..f64::INFINITY).contains(&out), "{out}");
            }
        }
    }
}
