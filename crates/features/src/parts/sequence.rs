//! The last values of a column, for detectors that look at their order.
//!
//! ```text
//! entity  newest event time | slot for the next value | n slots        NaN: none yet
//! ```

use crate::accumulator::usable;
use crate::behind::Behind;
use crate::spec::SEQUENCE_LENGTH_MAX;

/// The last `length` values of a column before this event, newest first. Null values are no part of it. Events behind
/// the newest: see [`super`].
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) input: usize,
    /// At most [`SEQUENCE_LENGTH_MAX`]; a longer one is cut, none counts as one.
    pub(crate) length: usize,
    /// Indices of the first of `length` features each.
    pub(crate) outputs: Vec<usize>,
}

/// Words before the slots.
const HEAD: usize = 2;

impl Sequence {
    fn slots(&self) -> usize {
        self.length.clamp(1, SEQUENCE_LENGTH_MAX)
    }

    pub(crate) fn entity_words(&self) -> usize {
        HEAD + self.slots()
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(f64::NAN);
        own[1] = 0.0;
    }

    /// What stands behind it: how many of its slots are filled.
    pub(crate) fn behind(&self, own: &[f64]) -> Behind {
        let filled = own[HEAD..self.entity_words()].iter().filter(|value| !value.is_nan()).count();
        Behind::past(own[0], filled as f64, self.slots() as f64)
    }

    /// Writes the values before this event's, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let (head, slots) = own.split_at_mut(HEAD);
        let slots = &mut slots[..self.slots()];
        let behind = (time as f64) < head[0];
        let next = head[1] as usize;
        let (newer, older) = slots.split_at(next);
        for first in &self.outputs {
            let features = out[*first..].iter_mut();
            for (feature, value) in features.zip(newer.iter().rev().chain(older.iter().rev())) {
                *feature = if behind { f64::NAN } else { *value };
            }
        }
        let value = inputs[self.input];
        if usable(value) && !behind {
            slots[next] = value;
            head[0] = time as f64;
            head[1] = if next + 1 == slots.len() { 0.0 } else { (next + 1) as f64 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, same, wild};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_value_comes_first_and_the_own_one_is_not_in_it() {
        let part = Sequence { input: 0, length: 3, outputs: vec![0] };
        let mut driver = driver!(part, 3);
        (1..=4).for_each(|value| drop(driver.fold(i64::from(value), &[f64::from(value)])));
        assert_eq!(driver.fold(5, &[5.0]), [4.0, 3.0, 2.0]);
        assert_eq!(driver.fold(6, &[f64::NAN]), [5.0, 4.0, 3.0]);
        assert_eq!(driver.fold(6, &[6.0]), [5.0, 4.0, 3.0]);
        assert!(driver.fold(5, &[9.0]).iter().all(|value| value.is_nan()));
        assert_eq!(driver.fold(7, &[7.0]), [6.0, 5.0, 4.0]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(length in 1..=64_usize, events in events(-9.0..9.0_f64, 150, 12)) {
            let part = Sequence { input: 0, length, outputs: vec![0] };
            let mut driver = driver!(part, length);
            let (mut taken, mut newest) = (Vec::new(), i64::MIN);
            for (time, value) in events {
                let out = driver.fold(time, &[value]);
                for (place, feature) in out.into_iter().enumerate() {
                    let known = taken.iter().rev().nth(place).filter(|_| time >= newest);
                    prop_assert!(same(feature, known.copied().unwrap_or(f64::NAN)));
                }
                if time >= newest && !value.is_nan() {
                    newest = time;
                    taken.push(value);
                }
            }
        }

        #[test]
        fn any_event_can_be_taken(events in wild()) {
            let part = Sequence { input: 0, length: 5, outputs: vec![0] };
            let mut driver = driver!(part, 5);
            events.into_iter().for_each(|(time, value, _)| drop(driver.fold(time, &[value])));
        }
    }
}
