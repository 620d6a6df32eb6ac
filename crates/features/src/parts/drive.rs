//! Drives a part by hand, and makes events for it.

use proptest::prelude::*;

type Clear<'a> = Box<dyn Fn(&mut [f64], &mut [f64]) + 'a>;
type Fold<'a> = Box<dyn Fn(&mut [f64], &mut [f64], i64, &[f64], &mut [f64]) + 'a>;

/// The functions of a part, and its memory.
pub(super) struct Driver<'a> {
    pub(super) own: Vec<f64>,
    pub(super) group: Vec<f64>,
    fold: Fold<'a>,
    outputs: usize,
}

impl<'a> Driver<'a> {
    pub(super) fn new(words: (usize, usize), outputs: usize, clear: Clear<'a>, fold: Fold<'a>) -> Self {
        // Memory that held something else before: `clear` has to overwrite all of it.
        let (mut own, mut group) = (vec![7.5; words.0], vec![7.5; words.1]);
        clear(&mut own, &mut group);
        Self { own, group, fold, outputs }
    }

    pub(super) fn fold(&mut self, time: i64, inputs: &[f64]) -> Vec<f64> {
        let mut out = vec![-77.0; self.outputs];
        (self.fold)(&mut self.own, &mut self.group, time, inputs, &mut out);
        assert!(out.iter().all(|value| value.to_bits() != (-77.0_f64).to_bits()), "every feature is written");
        out
    }
}

/// Drives a part of this module: all have the same four functions.
macro_rules! driver {
    ($part:expr, $outputs:expr) => {
        $crate::parts::drive::Driver::new(
            ($part.entity_words(), $part.group_words()),
            $outputs,
            Box::new(|own, group| $part.clear(own, group)),
            Box::new(|own, group, time, inputs, out| $part.fold(own, group, time, inputs, out)),
        )
    };
}
pub(super) use driver;

/// Times that mostly go on and sometimes back, values that are sometimes null.
pub(super) fn events(
    value: impl Strategy<Value = f64>,
    number: usize,
    step_micros: i64,
) -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![9 => value, 1 => Just(f64::NAN)];
    prop::collection::vec((-step_micros / 3..step_micros, value), 1..number).prop_map(|steps| {
        let mut now = 1_000_000_000;
        let step = |(step, value): (i64, f64)| {
            now += step.max(-now / 2);
            // A quarter of the steps takes no time at all.
            (now - now % 4, value)
        };
        steps.into_iter().map(step).collect()
    })
}

/// Any event at all.
pub(super) fn wild() -> impl Strategy<Value = Vec<(i64, f64, f64)>> {
    prop::collection::vec((any::<i64>(), any::<f64>(), any::<f64>()), 1..60)
}

pub(super) fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a == b || (a.is_nan() && b.is_nan())
}

pub(super) fn near(a: f64, b: f64, tolerance: f64) -> bool {
    same(a, b) || (a - b).abs() <= tolerance
}

/// Seeded numbers.
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly in 0..1. Source: SplitMix64.
    pub(super) fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal. Source: Box, Muller 1958.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }
}
