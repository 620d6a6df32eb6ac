//! How sure a figure is: the same figure of many resamples of the rows.
//!
//! Anomalies and normal rows are drawn apart, so that each resample has as many of both as the data (stratified). All
//! orders are measured on the same resamples, so the difference between two of them is paired.
//! Source: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3 (percentile interval).

use std::thread;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::ranking::{Figures, Ranking};

/// Share of the resamples that lie within an interval.
pub const CONFIDENCE: f64 = 0.95;
/// Most resamples; more change no digit that is shown.
pub const RESAMPLES_MAX: usize = 100_000;

/// Where a figure lies in [`CONFIDENCE`] of the resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Figures of each order in each resample.
#[derive(Clone, Debug)]
pub struct Resamples {
    /// By resample, then by order.
    figures: Vec<Vec<[f64; 5]>>,
}

impl Resamples {
    /// Draws `count` resamples; each has a stream of random numbers of its own, so the number of threads changes
    /// nothing. Shape: the orders are of the same rows, `anomalous` has one truth per row, of both kinds.
    pub fn draw(rankings: &[&Ranking], anomalous: &[bool], count: usize, seed: u64, threads: usize) -> Self {
        let strata = [true, false].map(|wanted| {
            let rows = anomalous.iter().zip(0_u32..).filter(|(anomaly, _)| **anomaly == wanted);
            rows.map(|(_, row)| row).collect::<Vec<u32>>()
        });
        let numbers: Vec<u64> = (0..count as u64).collect();
        let share = numbers.len().div_ceil(threads.max(1)).max(1);
        let figures = thread::scope(|scope| {
            let workers: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| scope.spawn(|| numbers.iter().map(|n| resample(rankings, &strata, seed, *n)).collect()))
                .collect();
            let joined = workers.into_iter().map(|worker| worker.join().expect("measuring does not panic"));
            joined.flat_map(|figures: Vec<Vec<[f64; 5]>>| figures).collect()
        });
        Self { figures }
    }

    /// Interval of each figure of one order, in the order of [`Figures::values`]; `None` without resamples.
    pub fn intervals(&self, ranking: usize) -> Option<[Interval; 5]> {
        self.spread(|figures| figures[ranking])
    }

    /// Interval of each figure's difference, the first order's less the second's.
    pub fn differences(&self, one: usize, other: usize) -> Option<[Interval; 5]> {
        self.spread(|figures| std::array::from_fn(|place| figures[one][place] - figures[other][place]))
    }

    fn spread(&self, values: impl Fn(&[[f64; 5]]) -> [f64; 5]) -> Option<[Interval; 5]> {
        if self.figures.is_empty() {
            return None;
        }
        let values: Vec<[f64; 5]> = self.figures.iter().map(|figures| values(figures)).collect();
        Some(std::array::from_fn(|place| {
            let mut sorted: Vec<f64> = values.iter().map(|values| values[place]).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let outside = (1.0 - CONFIDENCE) / 2.0;
            Interval { low: quantile_of(&sorted, outside), high: quantile_of(&sorted, 1.0 - outside) }
        }))
    }
}

fn resample(rankings: &[&Ranking], strata: &[Vec<u32>; 2], seed: u64, number: u64) -> Vec<[f64; 5]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut weights = vec![0_u32; strata.iter().map(Vec::len).sum()];
    for rows in strata {
        for _ in 0..rows.len() {
            weights[rows[rng.random_range(0..rows.len())] as usize] += 1;
        }
    }
    let figures = rankings.iter().map(|ranking| ranking.weighted(&weights).as_ref().map(Figures::values));
    figures.map(|figures| figures.expect("a stratified resample has rows of both kinds")).collect()
}

/// The value below which that share of sorted values lies, between neighbours where it falls between them.
/// Source: Hyndman, Fan 1996, definition 7. Shape: `sorted` has at least one value.
pub fn quantile_of(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
