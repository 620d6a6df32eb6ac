use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution, Exp1};

use crate::week::{SLICE_MICROS, slice_start};

/// Arrivals of ordinary events: a Poisson process whose rate is constant over a slice of time.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// Events per second for each unit of weight.
    rate_per_weight: f64,
    slice_end: i64,
    rate_per_micro: f64,
    which: WeightedAliasIndex<f64>,
    /// Next arrival, finer than a microsecond so that high rates do not pile up.
    next: f64,
    /// `next` counts from here: a float counts microseconds since 1970 too coarsely.
    base: i64,
}

/// The weight of each entity in the slice of time that begins at a moment: positive numbers, at least one.
pub(crate) type Weights<'a> = &'a dyn Fn(i64) -> Vec<f64>;

impl Flow {
    pub(crate) fn new(weights: Weights<'_>, rate_per_weight: f64, start: i64, rng: &mut ChaCha8Rng) -> Self {
        let (rate_per_micro, which) = slice(weights, rate_per_weight, slice_start(start));
        let slice_end = slice_start(start) + SLICE_MICROS;
        let mut flow = Self { rate_per_weight, slice_end, rate_per_micro, which, next: 0.0, base: start };
        flow.advance(weights, rng);
        flow
    }

    /// When the next ordinary event arrives. Units: microseconds.
    pub(crate) fn next_micros(&self) -> i64 {
        self.base.saturating_add(self.next as i64)
    }

    /// At which entity it arrives.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        self.which.sample(rng)
    }

    /// Moves on to the arrival after the next. A process without memory may be drawn anew where the rate changes.
    pub(crate) fn advance(&mut self, weights: Weights<'_>, rng: &mut ChaCha8Rng) {
        loop {
            let gap: f64 = Exp1.sample(rng);
            self.next += gap / self.rate_per_micro;
            if self.next < (self.slice_end - self.base) as f64 || self.slice_end > i64::MAX - SLICE_MICROS {
                return;
            }
            self.base = self.slice_end;
            self.next = 0.0;
            (self.rate_per_micro, self.which) = slice(weights, self.rate_per_weight, self.slice_end);
            self.slice_end += SLICE_MICROS;
        }
    }
}

/// Rate of all entities together in the slice that begins at `start`, and the lottery among them.
fn slice(weights: Weights<'_>, rate_per_weight: f64, start: i64) -> (f64, WeightedAliasIndex<f64>) {
    let weights = weights(start);
    let rate_per_micro = weights.iter().sum::<f64>() * rate_per_weight / 1e6;
    let which = WeightedAliasIndex::new(weights).expect("there are entities, and every weight is positive");
    (rate_per_micro, which)
}
