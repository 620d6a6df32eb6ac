//! An exponentially weighted mean.
//!
//! ```text
//! entity  weight of all values | their mean | newest event time        weight 0: none yet
//! ```

use crate::accumulator::usable;
use crate::behind::Behind;
use crate::decay::decay;

/// The mean of a column's values so far, this event's among them, a value's weight falling to 1/e per `length_micros`
/// of event time. It is that of the values themselves: nothing is assumed to have come before the first one. An older
/// event has the weight it would have by now. With a null value the mean stays as it was.
#[derive(Clone, Debug)]
pub(crate) struct Ewma {
    pub(crate) input: usize,
    /// Time constant.
    pub(crate) length_micros: i64,
    pub(crate) outputs: Vec<usize>,
}

impl Ewma {
    pub(crate) fn entity_words(&self) -> usize {
        3
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
    }

    /// The mean so far; `None` of no values.
    pub(crate) fn mean(&self, own: &[f64]) -> Option<f64> {
        (own[0] > 0.0).then_some(own[1])
    }

    /// What stands behind it: the weight of its values.
    pub(crate) fn behind(&self, own: &[f64], now: i64) -> Behind {
        let age = (now as f64 - own[2]).max(0.0) / self.length_micros as f64;
        let newest = if own[0] > 0.0 { own[2] } else { f64::NAN };
        Behind::past(newest, own[0] * decay(age), 0.0)
    }

    /// Takes the value in and writes the mean.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let words: &mut [f64; 3] = own.first_chunk_mut().expect("the caller gives `entity_words`");
        if usable(inputs[self.input]) {
            self.take(words, time as f64, inputs[self.input]);
        }
        let mean = if words[0] == 0.0 { f64::NAN } else { words[1] };
        for output in &self.outputs {
            out[*output] = mean;
        }
    }

    #[inline]
    fn take(&self, [weight, mean, newest]: &mut [f64; 3], time: f64, value: f64) {
        let length = self.length_micros as f64;
        if *weight == 0.0 {
            (*weight, *mean, *newest) = (1.0, value, time);
            return;
        }
        let own = decay((*newest - time) / length);
        *weight = *weight * decay((time - *newest) / length) + own;
        *mean += (value - *mean) * (own / *weight);
        *newest = newest.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, near, wild};
    use super::*;
    use proptest::prelude::*;

    fn part(length_micros: i64) -> Ewma {
        Ewma { input: 0, length_micros, outputs: vec![0] }
    }

    #[test]
    fn a_value_one_time_constant_old_weighs_one_over_e() {
        let part = part(100);
        let mut driver = driver!(part, 1);
        assert!(driver.fold(0, &[f64::NAN])[0].is_nan());
        assert_eq!(driver.fold(0, &[10.0]), [10.0]);
        let out = driver.fold(100, &[0.0])[0];
        assert!(near(out, 10.0 / (1.0 + std::f64::consts::E), 1e-12), "{out}");
        assert_eq!(driver.fold(900, &[f64::NAN]), [out]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(length in 5..2000_i64, events in events(-9.0..9.0_f64, 80, 12)) {
            let part = part(length);
            let mut driver = driver!(part, 1);
            let (mut taken, mut newest) = (Vec::new(), i64::MIN);
            for (time, value) in events {
                let out = driver.fold(time, &[value])[0];
                if !value.is_nan() {
                    taken.push((time, value));
                    newest = newest.max(time);
                }
                let weight = |time: i64| (-((newest - time) as f64) / length as f64).exp();
                let sum: f64 = taken.iter().map(|(time, value)| weight(*time) * value).sum();
                let expected = sum / taken.iter().map(|(time, _)| weight(*time)).sum::<f64>();
                prop_assert!(near(out, expected, 1e-9), "{out} {expected}");
            }
        }

        #[test]
        fn the_mean_lies_among_the_values(length in 1..i64::MAX, events in wild()) {
            let part = part(length);
            let mut driver = driver!(part, 1);
            for (time, value, _) in events {
                let out = driver.fold(time, &[value % 100.0])[0];
                prop_assert!(out.is_nan() || out.abs() <= 100.0);
            }
        }
    }
}
