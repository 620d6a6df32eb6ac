//! An event beside the one before it.
//!
//! ```text
//! entity  time of the newest value | that value | the velocity at it       NaN: none yet
//! ```
//! Of events without a column only the time is kept.

use super::MICROS_PER_SECOND;
use crate::accumulator::usable;
use crate::behind::Behind;

/// What is told of the value before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The value before this event's.
    Last,
    /// This event's value less the last.
    Delta,
    /// Delta per second of event time; does not exist if no time has passed.
    Velocity,
    /// Change of velocity per second, from one pair of values to the next; needs three values.
    Acceleration,
    /// Seconds since the last value.
    SinceLast,
}

/// The value before, of one column; without a column, the event before. Events behind the newest: see [`super`].
#[derive(Clone, Debug)]
pub(crate) struct Previous {
    pub(crate) input: Option<usize>,
    pub(crate) outputs: Vec<(Reading, usize)>,
}

impl Previous {
    pub(crate) fn entity_words(&self) -> usize {
        if self.input.is_some() { 3 } else { 1 }
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(f64::NAN);
    }

    /// What stands behind it.
    pub(crate) fn behind(&self, own: &[f64]) -> Behind {
        let is_third = |(reading, _): &(Reading, usize)| *reading == Reading::Acceleration;
        let needed = if self.outputs.iter().all(is_third) { 2.0 } else { 1.0 };
        // How many values there were is not kept; a velocity follows from two.
        let samples = match own {
            [newest, ..] if newest.is_nan() => 0.0,
            [_, _, velocity] if !velocity.is_nan() => 2.0,
            _ => 1.0,
        };
        Behind::past(own[0], samples, needed)
    }

    /// Compares the event's value with the last one, then takes it in. For an event without a value `Last` and
    /// `SinceLast` exist all the same. Events without a column count as values of 1.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = self.input.map_or(1.0, |input| inputs[input]);
        let step = Step::between(own, time as f64, value);
        for (reading, output) in &self.outputs {
            out[*output] = step.read(*reading);
        }
        if usable(value) && !step.behind {
            own[0] = time as f64;
            if let [_, last, velocity] = own {
                *last = value;
                // Without time between there is no velocity; the one before still holds.
                *velocity = if step.velocity.is_nan() { *velocity } else { step.velocity };
            }
        }
    }
}

/// From the last value to this one; NaN where there is none.
struct Step {
    behind: bool,
    last: f64,
    seconds: f64,
    delta: f64,
    velocity: f64,
    velocity_before: f64,
}

impl Step {
    #[inline]
    fn between(own: &[f64], time: f64, value: f64) -> Self {
        let behind = time < own[0];
        let (last, velocity_before) = match own {
            _ if behind || own[0].is_nan() => (f64::NAN, f64::NAN),
            [_, last, velocity] => (*last, *velocity),
            _ => (1.0, f64::NAN),
        };
        let seconds = if behind { f64::NAN } else { (time - own[0]) / MICROS_PER_SECOND };
        let delta = if usable(value) { value - last } else { f64::NAN };
        let velocity = if seconds > 0.0 { delta / seconds } else { f64::NAN };
        Self { behind, last, seconds, delta, velocity, velocity_before }
    }

    #[inline]
    fn read(&self, reading: Reading) -> f64 {
        match reading {
            Reading::Last => self.last,
            Reading::Delta => self.delta,
            Reading::Velocity => self.velocity,
            Reading::Acceleration => (self.velocity - self.velocity_before) / self.seconds,
            Reading::SinceLast => self.seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, near, wild};
    use super::*;
    use proptest::prelude::*;

    const ALL: [Reading; 5] =
        [Reading::Last, Reading::Delta, Reading::Velocity, Reading::Acceleration, Reading::SinceLast];

    fn part() -> Previous {
        Previous { input: Some(0), outputs: ALL.into_iter().zip(0..).collect() }
    }

    #[test]
    fn a_falling_stone_accelerates_evenly() {
        let part = part();
        let mut driver = driver!(part, 5);
        assert!(driver.fold(0, &[0.0]).iter().all(|value| value.is_nan()));
        assert_eq!(driver.fold(1_000_000, &[5.0])[..3], [0.0, 5.0, 5.0]);
        assert_eq!(driver.fold(2_000_000, &[20.0]), [5.0, 15.0, 15.0, 10.0, 1.0]);
        assert_eq!(driver.fold(4_000_000, &[80.0]), [20.0, 60.0, 30.0, 7.5, 2.0]);
    }

    #[test]
    fn without_time_between_there_is_no_velocity() {
        let part = part();
        let mut driver = driver!(part, 5);
        driver.fold(7, &[1.0]);
        let out = driver.fold(7, &[3.0]);
        assert_eq!((out[0], out[1], out[4]), (1.0, 2.0, 0.0));
        assert!(out[2].is_nan() && out[3].is_nan());
    }

    #[test]
    fn an_event_behind_the_newest_has_no_predecessor_and_changes_nothing() {
        let part = part();
        let mut driver = driver!(part, 5);
        driver.fold(10, &[1.0]);
        let before = driver.own.clone();
        assert!(driver.fold(9, &[5.0]).iter().all(|value| value.is_nan()));
        assert_eq!(driver.own[..2], before[..2]);
    }

    #[test]
    fn without_a_column_the_time_since_the_last_event_is_known() {
        let part = Previous { input: None, outputs: vec![(Reading::SinceLast, 0)] };
        let mut driver = driver!(part, 1);
        assert!(driver.fold(500_000, &[])[0].is_nan());
        assert_eq!(driver.fold(2_000_000, &[]), [1.5]);
    }

    /// The slow, obvious twin: all values that were taken in.
    fn twin(taken: &mut Vec<(i64, f64)>, time: i64, value: f64) -> [f64; 5] {
        let nan = f64::NAN;
        let Some((before, last)) = taken.last().copied() else {
            taken.extend((!value.is_nan()).then_some((time, value)));
            return [nan; 5];
        };
        if time < before {
            return [nan; 5];
        }
        let rate = |a: (i64, f64), b: (i64, f64)| (b.1 - a.1) / ((b.0 - a.0) as f64 / 1e6);
        let seconds = (time - before) as f64 / 1e6;
        let velocity = if time > before { rate((before, last), (time, value)) } else { nan };
        let old = taken.windows(2).rev().find(|pair| pair[1].0 > pair[0].0).map_or(nan, |pair| rate(pair[0], pair[1]));
        taken.extend((!value.is_nan()).then_some((time, value)));
        [last, value - last, velocity, (velocity - old) / seconds, seconds]
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(events in events(-1e3..1e3_f64, 60, 12)) {
            let part = part();
            let mut driver = driver!(part, 5);
            let mut taken = Vec::new();
            for (time, value) in events {
                let (out, expected) = (driver.fold(time, &[value]), twin(&mut taken, time, value));
                for (a, b) in out.iter().zip(expected) {
                    prop_assert!(near(*a, b, 1e-9 * b.abs()), "{out:?} {expected:?}");
                }
            }
        }

        #[test]
        fn nothing_is_infinite_and_no_time_negative(events in wild()) {
            let part = part();
            let mut driver = driver!(part, 5);
            for (time, value, _) in events {
                let out = driver.fold(time, &[value]);
                prop_assert!(out.iter().all(|value| !value.is_infinite()));
                prop_assert!(out[4].is_nan() || out[4] >= 0.0);
            }
        }
    }
}
