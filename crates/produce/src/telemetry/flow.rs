use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution, Exp1};

use lapwing_vocabulary::EventTime;

use super::hosts::Host;
use super::rhythm::{SLICE_MICROS, levels, slice_start};
use super::role::Role;

/// Arrivals of ordinary events: a Poisson process whose rate is constant over a slice of time.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// Events per second of a host of weight 1, on average over a week.
    rate_per_weight: f64,
    slice_end: i64,
    rate_per_micro: f64,
    which_host: WeightedAliasIndex<f64>,
    /// Next arrival, finer than a microsecond so that high rates do not pile up.
    next: f64,
    /// `next` counts from here: a float counts microseconds since 1970 too coarsely.
    base: i64,
}

impl Flow {
    pub(crate) fn new(hosts: &[Host], rate_per_weight: f64, start: i64, rng: &mut ChaCha8Rng) -> Self {
        let (rate_per_micro, which_host) = slice(hosts, rate_per_weight, slice_start(start));
        let slice_end = slice_start(start) + SLICE_MICROS;
        let mut flow = Self { rate_per_weight, slice_end, rate_per_micro, which_host, next: 0.0, base: start };
        flow.advance(hosts, rng);
        flow
    }

    /// When the next ordinary event arrives. Units: microseconds.
    pub(crate) fn next_micros(&self) -> i64 {
        self.base.saturating_add(self.next as i64)
    }

    /// At which host it arrives.
    pub(crate) fn draw_host(&self, rng: &mut ChaCha8Rng) -> usize {
        self.which_host.sample(rng)
    }

    /// Moves on to the arrival after the next. A process without memory may be drawn anew where the rate changes.
    pub(crate) fn advance(&mut self, hosts: &[Host], rng: &mut ChaCha8Rng) {
        loop {
            let gap: f64 = Exp1.sample(rng);
            self.next += gap / self.rate_per_micro;
            if self.next < (self.slice_end - self.base) as f64 || self.slice_end > i64::MAX - SLICE_MICROS {
                return;
            }
            self.base = self.slice_end;
            self.next = 0.0;
            (self.rate_per_micro, self.which_host) = slice(hosts, self.rate_per_weight, self.slice_end);
            self.slice_end += SLICE_MICROS;
        }
    }
}

/// Rate of all hosts together in the slice that begins at `start`, and the lottery among them.
fn slice(hosts: &[Host], rate_per_weight: f64, start: i64) -> (f64, WeightedAliasIndex<f64>) {
    let levels = levels(EventTime(start));
    let level = |role| Role::ALL.iter().position(|other| *other == role).map_or(1.0, |place| levels[place]);
    let weights: Vec<f64> = hosts.iter().map(|host| host.weight * level(host.role)).collect();
    let rate_per_micro = weights.iter().sum::<f64>() * rate_per_weight / 1e6;
    let which_host = WeightedAliasIndex::new(weights).expect("there are hosts, and every weight is positive");
    (rate_per_micro, which_host)
}
