//! Whether a value is new to the entity, in bounded memory: a Bloom filter of 512 bits, 4 of them per value.
//!
//! **What it costs.** A value found absent is certainly new. A new one among n others looks as if it had been seen with
//! a chance of about (1 − e^(−4n/512))⁴: 0.0002 at n = 16, 0.002 at 32, 0.02 at 64, 0.16 at 128; with a horizon, both
//! generations err, so at worst twice that. Once the chance, told from the bits that are set, exceeds
//! [`DOUBT_MAX`] (some 150 values), "seen" says nothing any more: the feature does not exist then. "New" still does.
//!
//! **Horizon.** A value goes to the generation of its time, time / horizon rounded down; the newest generation and the
//! one before it are kept. So a value is remembered for at least the horizon and at most twice that. An event of the
//! generation before goes there; a still older one is judged like the others and not taken in. For ever is one filter.
//!
//! ```text
//! entity  with a horizon: newest generation (NaN: none) | filter of it | filter of the one before;  else: filter
//! filter  8 words of 64 bits
//! ```
//! Source: Bloom 1970.

use crate::accumulator::usable;
use crate::hash::spread;

const FILTER_WORDS: usize = 8;
const FILTER_BITS: u32 = 512;
const POSITIONS: u32 = 4;
/// The chance to take a new value for a seen one from which on "seen" is not said.
const DOUBT_MAX: f64 = 0.25;

/// 1 if the entity has not had this value of the column within the horizon, else 0.
#[derive(Clone, Debug)]
pub(crate) struct FirstSeen {
    pub(crate) input: usize,
    /// `None` is for ever.
    pub(crate) horizon_micros: Option<i64>,
    pub(crate) outputs: Vec<usize>,
}

impl FirstSeen {
    pub(crate) fn entity_words(&self) -> usize {
        if self.horizon_micros.is_some() { 1 + 2 * FILTER_WORDS } else { FILTER_WORDS }
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
        if self.horizon_micros.is_some() {
            own[0] = f64::NAN;
        }
    }

    /// Judges the event's value by the past, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = inputs[self.input];
        let first = if usable(value) { self.judge_and_take(own, time, spread(value)) } else { f64::NAN };
        for output in &self.outputs {
            out[*output] = first;
        }
    }

    #[inline]
    fn judge_and_take(&self, own: &mut [f64], time: i64, hash: u64) -> f64 {
        let Some(horizon) = self.horizon_micros else {
            let first = judge(&[own], hash);
            add(own, hash);
            return first;
        };
        let generation = time.div_euclid(horizon.max(1)) as f64;
        let (newest, filters) = own.split_at_mut(1);
        let (new, old) = filters.split_at_mut(FILTER_WORDS);
        advance(&mut newest[0], new, old, generation);
        let first = judge(&[new, old], hash);
        if generation == newest[0] {
            add(new, hash);
        } else if generation == newest[0] - 1.0 {
            add(old, hash);
        }
        first
    }
}

/// Moves on to the generation, if it is newer than all before.
#[inline]
fn advance(newest: &mut f64, new: &mut [f64], old: &mut [f64], generation: f64) {
    if generation <= *newest {
        return;
    }
    if generation == *newest + 1.0 {
        old.copy_from_slice(new);
    } else {
        old.fill(0.0);
    }
    new.fill(0.0);
    *newest = generation;
}

/// Returns 1 if the value is in none of the filters, else 0; NaN if that is too doubtful.
#[inline]
fn judge(filters: &[&[f64]], hash: u64) -> f64 {
    if !filters.iter().any(|filter| holds(filter, hash)) {
        return 1.0;
    }
    let certain: f64 = filters.iter().map(|filter| 1.0 - chance(filter)).product();
    if 1.0 - certain > DOUBT_MAX { f64::NAN } else { 0.0 }
}

/// Word and bit of each position of a value: nine bits of the hash each.
fn positions(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..POSITIONS).map(move |number| {
        let position = (hash >> (9 * number)) % u64::from(FILTER_BITS);
        ((position / 64) as usize, 1 << (position % 64))
    })
}

fn holds(filter: &[f64], hash: u64) -> bool {
    positions(hash).all(|(word, bit)| filter[word].to_bits() & bit != 0)
}

fn add(filter: &mut [f64], hash: u64) {
    positions(hash).for_each(|(word, bit)| filter[word] = f64::from_bits(filter[word].to_bits() | bit));
}

/// The chance that a value never added looks as if it had been.
fn chance(filter: &[f64]) -> f64 {
    let set: u32 = filter.iter().map(|word| word.to_bits().count_ones()).sum();
    let share = f64::from(set) / f64::from(FILTER_BITS);
    (share * share) * (share * share)
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, wild};
    use super::*;
    use proptest::prelude::*;

    fn part(horizon_micros: Option<i64>) -> FirstSeen {
        FirstSeen { input: 0, horizon_micros, outputs: vec![0] }
    }

    #[test]
    fn a_value_is_new_once_and_again_when_two_horizons_have_passed() {
        let part = part(Some(100));
        let mut driver = driver!(part, 1);
        let steps = [(10, 1.0), (20, 0.0), (110, 0.0), (199, 0.0), (299, 0.0), (510, 1.0)];
        for (time, first) in steps {
            assert_eq!(driver.fold(time, &[42.0]), [first], "{time}");
        }
        assert_eq!(driver.fold(410, &[43.0]), [1.0]);
        assert_eq!(driver.fold(511, &[43.0]), [0.0]);
        assert_eq!(driver.fold(10, &[44.0]), [1.0]);
        assert_eq!(driver.fold(511, &[44.0]), [1.0], "what is too old is not taken in");
        assert!(driver.fold(511, &[f64::NAN])[0].is_nan());
    }

    #[test]
    fn for_ever_is_for_ever() {
        let part = part(None);
        let mut driver = driver!(part, 1);
        assert_eq!(driver.fold(i64::MIN, &[0.0]), [1.0]);
        assert_eq!(driver.fold(i64::MAX, &[-0.0]), [0.0]);
    }

    /// Share of new values that look seen after `n` others, over 4000 entities.
    fn wrong(n: u32) -> f64 {
        let part = part(None);
        let entities = 4000;
        let wrong = (0..entities).filter(|entity| {
            let mut driver = driver!(part, 1);
            (0..n).for_each(|value| drop(driver.fold(0, &[f64::from(entity * 1000 + value)])));
            driver.fold(0, &[1e9 + f64::from(*entity)])[0] != 1.0
        });
        wrong.count() as f64 / f64::from(entities)
    }

    #[test]
    fn the_share_of_wrong_answers_is_as_stated() {
        for (n, least, most) in [(16, 0.0, 0.005), (64, 0.005, 0.045), (128, 0.14, 0.19)] {
            let wrong = wrong(n);
            assert!((least..=most).contains(&wrong), "{n}: {wrong}");
        }
    }

    #[test]
    fn a_full_filter_says_nothing() {
        let part = part(None);
        let mut driver = driver!(part, 1);
        (0..1000).for_each(|value| drop(driver.fold(0, &[f64::from(value)])));
        assert!((0..1000).all(|value| driver.fold(0, &[f64::from(value)])[0].is_nan()));
    }

    proptest! {
        #[test]
        fn what_was_seen_is_never_called_new(
            horizon in prop::option::of(1..40_i64),
            events in events((0..12_i32).prop_map(f64::from), 80, 12),
        ) {
            let part = part(horizon);
            let mut driver = driver!(part, 1);
            let mut taken: Vec<(i64, f64)> = Vec::new();
            let generation = |time: i64| horizon.map_or(0, |horizon| time.div_euclid(horizon));
            let mut newest = i64::MIN;
            for (time, value) in events {
                let out = driver.fold(time, &[value])[0];
                prop_assert_eq!(out.is_nan(), value.is_nan());
                if value.is_nan() {
                    continue;
                }
                newest = newest.max(generation(time));
                let kept = |time: i64| generation(time) >= newest - 1;
                let seen = taken.iter().any(|(time, before)| *before == value && kept(*time));
                // Twelve values: a wrong "seen" has a chance below 1e-4, and these values have none.
                prop_assert_eq!(out, if seen { 0.0 } else { 1.0 });
                taken.extend(kept(time).then_some((time, value)));
            }
        }

        #[test]
        fn any_event_can_be_taken(events in wild()) {
            for horizon in [None, Some(1), Some(i64::MAX)] {
                let part = part(horizon);
                let mut driver = driver!(part, 1);
                events.iter().for_each(|(time, value, _)| drop(driver.fold(*time, &[*value])));
            }
        }
    }
}
